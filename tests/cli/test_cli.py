"""The command, as a user meets it: what it writes, and what it says when something is wrong."""

import errno
import json
import os
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import zarr
from PIL import Image

from heatproof import cli
from heatproof.report.page import page

NAMES = ["lrp-epsilon", "lrp-alphabeta[alpha=1,beta=0]", "sensitivity-l2"]
METHODS = ",".join(NAMES)


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path):
    """A folder of four pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(4):
        pixels = generator.integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture {number}.png")
    return folder


def compare_tiny(run, photos, *arguments, network="cnn", out="RUN"):
    return run(
        "compare", "--protocol=samek2017", photos, "--network", f"tiny_networks:{network}", "--out", out, *arguments
    )


def scores_of(folder):
    """One row for each sequence of each image."""
    return pl.read_parquet(folder / "shards" / "*[0-9].parquet")


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "photos")


def test_compare_adds_the_controls_of_the_first_method(run, photos, tmp_path):
    code, _, _ = compare_tiny(run, photos, "--methods", "lrp-epsilon,sobel", "--steps", "2", "--controls")
    assert code == 0
    others = ["random", "constant", "centre-gaussian", "negated:lrp-epsilon", "randomised:lrp-epsilon"]
    found = json.loads((tmp_path / "RUN" / "run.json").read_text())["methods"]
    assert found == ["lrp-epsilon", "sobel", *others]


def test_compare_writes_everything_that_it_promises(run, photos, tmp_path):
    code, out, _ = compare_tiny(run, photos, "--methods", METHODS, "--steps", "6", "--repeats", "2")
    assert code == 0
    folder = tmp_path / "RUN"
    expected = {"run.json", "heatmaps.zarr", "table.md", "table.csv", "report.html", "reproduce.md"}
    expected |= {
        "study.toml",
        "shards",
        "log.jsonl",
        "lock",
        "measures.parquet",
        "audit.parquet",
        "audit",
        "written.jsonl",
    }
    figures = {
        f"{name}.{kind}" for name in ("curves", "curves-relative", "gallery", "audit") for kind in ("png", "svg")
    }
    assert {path.name for path in folder.iterdir()} == expected | figures
    scores = scores_of(folder)
    assert scores.height == 4 * 4 * 2  # images, methods and the reference, repeats
    assert set(scores["scores"].list.len()) == {7}
    assert scores["removed_fraction"].list.first().max() == 0
    assert set(scores["method"]) == {*NAMES, "random order"}
    assert set(scores["order"]) == {"morf", "random"}
    maps = zarr.open_group(folder / "heatmaps.zarr", mode="r")
    assert maps["method-0"].shape == (4, 36, 36)
    assert maps.attrs["methods"] == NAMES
    record = json.loads((folder / "run.json").read_text())
    assert record["complete"] is True
    assert record["protocol"]["steps"] == 6
    assert record["work"]["evaluations"] == 4 * (1 + 4 * 2 * 6)
    assert "heatproof compare" in (folder / "reproduce.md").read_text()
    for word in ("lrp-epsilon", "random order", "higher is better", "196 evaluations in"):
        assert word in out


@pytest.mark.parametrize(("engine", "where"), [("full", "the whole network"), ("incremental", "8 nodes on windows")])
def test_the_engine_can_be_chosen(run, photos, tmp_path, engine, where):
    code, out, _ = compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2", "--engine", engine)
    assert code == 0
    assert where in out
    record = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert (record["protocol"]["engine"], record["work"]["engine"]["name"]) == (engine, engine)


def test_both_orders_with_few_steps_and_further_measures(run, photos, tmp_path):
    code, out, _ = compare_tiny(
        run, photos, "--methods", "lrp-epsilon", "--regions", "9", "--steps", "all", "--scored", "4", "--lerf",
        "--measures", "naopc[beam=2],single-region", "--audit", "0",
    )  # fmt: skip
    assert code == 0
    scores = scores_of(tmp_path / "RUN")
    assert set(scores["order"]) == {"morf", "lerf", "random"}
    assert scores.height == 4 * 3
    assert set(scores["steps"].list.len()) == {5}
    measures = pl.read_parquet(tmp_path / "RUN" / "measures.parquet")
    assert {"aopc", "abpc", "srg", "naopc", "single-region"} <= set(measures["measure"])
    assert "16 steps (4 of them scored)" in out


def test_images_are_added_until_it_is_settled(run, photos, tmp_path):
    code, out, _ = compare_tiny(run, photos, "--methods", "lrp-epsilon", "--until", "signs", "--indifference", "0.1")
    assert code == 0
    assert "cannot be settled with 4 images: the first look is at 32" in out
    record = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert record["settlement"]["images"] == {"lrp-epsilon": 4, "random order": 4}
    assert record["settlement"]["indifference"] == 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--until", "settled"), "unknown stopping rule (until) 'settled'"),
        (("--indifference", "1"), "indifference needs until"),
        (("--steps", "many"), "steps must be a whole number, a share such as '50%', or 'all', got 'many'"),
        (("--measures", "napc"), "did you mean 'naopc'"),
        (("--share", "3/2"), "share must be I/N, such as 1/4, got '3/2'"),
        (("--share", "half"), "share must be I/N"),
        (("--share", "2/2"), "share 2/2 is empty: 4 images make 1 shard"),
        (("--on", "mars"), "unknown value of on 'mars'"),
        (("--workers", "2"), "add --on ray"),
    ],
)
def test_options_that_cannot_be(run, photos, tmp_path, arguments, message):
    code, _, err = compare_tiny(run, photos, *arguments)
    assert code == 2
    assert message in err
    assert leftovers(tmp_path) == []


def test_two_runs_give_the_same_scores(run, photos, tmp_path):
    compare_tiny(run, photos, "--steps", "5", "--methods", METHODS, out="ONE")
    compare_tiny(run, photos, "--steps", "5", "--methods", METHODS, out="TWO")
    assert scores_of(tmp_path / "ONE").equals(scores_of(tmp_path / "TWO"))


def test_one_bad_picture_is_reported_skipped_and_counted(run, photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"no picture")
    code, _, err = compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2")
    assert code == cli.PARTIAL
    assert "skipped" in err
    assert "broken.jpg" in err
    record = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert record["complete"] is False
    assert record["skipped"][0]["image"].endswith("broken.jpg")
    assert "1 of 5 pictures" in (tmp_path / "RUN" / "report.html").read_text()


def test_names_of_files_and_classes_are_escaped_in_the_page(run, photos, tmp_path):
    (photos / "picture 0.png").rename(photos / "<script>alert(1)<_script>.png")
    code, *_ = compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2")
    (photos / "<img src=x>.jpg").write_bytes(b"no picture")
    partial, *_ = compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2", out="TWO")
    assert (code, partial) == (0, cli.PARTIAL)
    text = (tmp_path / "TWO" / "report.html").read_text()
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "lrp-epsilom"], "did you mean 'lrp-epsilon'"),
        (["--methods", "lrp-epsilon[epsilno=1]"], "did you mean 'epsilon'"),
        (["--methods", "lrp-epsilon[epsilon=1"], "options are written name"),
        (["--methods", ""], "got an empty text"),
        (["--replacement", "unifrom"], "did you mean 'uniform'"),
        (["--score", "logits"], "did you mean 'logit'"),
        (["--engine", "incremantal"], "did you mean 'incremental'"),
        (["--steps", "17"], "between 1 and the number of regions, 16, got 17"),
        (["--regions", "99"], "between 1 and 36 pixels"),
        (["--crop", "big"], "a size must be a number of pixels"),
        (["--mean", "a,b"], "expected numbers"),
        (["--preset", "imagenett"], "did you mean 'imagenet'"),
        (["--network", "torchvison:vgg16"], "did you mean 'torchvision'"),
        (["--network", "torchvision:vgg161"], "did you mean 'vgg16'"),
        (["--network", "torchvision:squeezenet1_1", "--weights", "nothing.pth"], "there is no file 'nothing.pth'"),
        (["--network", "torchvision:squeezenet1_1", "--weights", "DEFAULT"], "--download"),
        (["--network", "tiny_networks:not_a_network"], "must return a torch.nn.Module, got int"),
        (["--network", "tiny_networks:nan"], "not finite"),
        (["--device", "cuda:99"], "cannot be used here"),
    ],
)
def test_wrong_input_gets_one_message_and_leaves_nothing(run, photos, tmp_path, arguments, message):
    given = ["compare", "--protocol=samek2017", photos, "--network", "tiny_networks:cnn", "--out", "RUN", *arguments]
    if "--device" in arguments or "--preset" in arguments:
        given[3] = "torchvision:squeezenet1_1"
    code, _, err = run(*given)
    assert code == cli.INPUT_ERROR
    assert message in err
    assert "Traceback" not in err
    assert leftovers(tmp_path) == []


def test_an_empty_folder_and_a_missing_one_are_named(run, tmp_path):
    (tmp_path / "photos").mkdir()
    code, _, err = compare_tiny(run, tmp_path / "photos")
    assert code == cli.INPUT_ERROR
    assert "photos" in err
    code, _, err = compare_tiny(run, tmp_path / "fotos")
    assert code == cli.INPUT_ERROR
    assert "fotos" in err


def test_a_network_without_a_graph_says_what_is_lost_before_anything_runs(run, photos, tmp_path):
    code, _, err = compare_tiny(run, photos, "--methods", "lrp-epsilon", network="branching")
    assert code == cli.INPUT_ERROR
    assert "lrp-epsilon needs the network's graph" in err
    code, _, err = compare_tiny(run, photos, "--methods", "sensitivity-l2", "--steps", "3", network="branching")
    assert code == 0
    assert "deconvolution and LRP are not available" in err


def test_an_earlier_result_is_never_overwritten_unasked(run, photos, tmp_path):
    compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2")
    before = (tmp_path / "RUN" / "run.json").read_text()
    code, _, err = compare_tiny(run, photos, "--steps", "4", "--methods", "sensitivity-l2")
    assert code == cli.INPUT_ERROR
    assert "--overwrite" in err
    assert (tmp_path / "RUN" / "run.json").read_text() == before
    code, *_ = compare_tiny(run, photos, "--steps", "4", "--methods", "sensitivity-l2", "--overwrite")
    assert code == 0
    assert json.loads((tmp_path / "RUN" / "run.json").read_text())["protocol"]["steps"] == 4


def test_a_folder_that_is_no_run_is_not_replaced_even_when_asked(run, photos, tmp_path):
    code, _, err = compare_tiny(run, photos, "--overwrite", out=photos)
    assert code == cli.INPUT_ERROR
    assert "the input" in err
    assert len(list(photos.iterdir())) == 4


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            cli.DISK_ERROR,
            "No space left on device; no partial file is left",
        ),
        (KeyboardInterrupt(), cli.INTERRUPTED, "stopped; no partial file is left, and the same command resumes"),
    ],
)
def test_a_full_disk_and_ctrl_c_leave_nothing_half_written(run, photos, tmp_path, monkeypatch, failure, code, message):
    def fail(*_args, **_kwargs):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(page, "environment", fail)  # late: all shards are whole by then
        found, _, err = compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2")
    assert found == code
    assert message in err
    shards = {path.name: path.read_bytes() for path in (tmp_path / "RUN" / "shards").iterdir()}
    assert [path.name for path in tmp_path.rglob("*.partial")] == []
    assert compare_tiny(run, photos, "--steps", "3", "--methods", "sensitivity-l2")[0] == 0
    assert shards == {path.name: path.read_bytes() for path in (tmp_path / "RUN" / "shards").iterdir()}
    assert (tmp_path / "RUN" / "report.html").is_file()


def names_in(folder):
    return list(json.loads((folder / "run.json").read_text())["images"])


def test_a_data_set_gives_its_first_pictures_or_a_seeded_sample(run, photos, tmp_path):
    data = ("--data", f"folder:{photos}", "--images", "2", "--methods", "random", "--steps", "2")
    network = ("--network", "tiny_networks:cnn")
    code, out, err = run("compare", "--protocol=samek2017", *data, "--first", *network, "--out", "FIRST")
    assert (code, "no labels: some pictures lie in no class folder" in err) == (0, True), err
    assert names_in(tmp_path / "FIRST") == ["picture 0.png", "picture 1.png"]
    samples = set()
    for seed in range(3):
        assert run("compare", "--protocol=samek2017", *data, "--seed", seed, *network, "--out", f"SAMPLE{seed}")[0] == 0
        samples.add(tuple(names_in(tmp_path / f"SAMPLE{seed}")))
    assert len(samples) > 1
    assert {len(sample) for sample in samples} == {2}
    code, out, _ = run("plan", "--protocol=samek2017", photos, "--images", "3", *data[4:], *network)
    assert (code, "3 images" in out) == (0, True)
    code, out, _ = run("explain", *data[:6], "--first", *network, "--out", "heatmaps")
    assert (code, out.count(".png")) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected pictures, such as photos/, or --data NAME:PATH"),
        (("photos", "--data", "folder:photos"), "expected pictures or --data NAME:PATH, got both"),
        (
            ("--data", "folder:photos", "--images", "9"),
            "expected a number of images from 1 to 4 (all of folder), got 9",
        ),
        (("photos", "--first"), "expected a number of images with 'first', got none; say how many"),
        (("--data", "cifar10:photos"), "cannot use 'photos' as cifar10: expected test_batch.bin"),
    ],
)
def test_what_cannot_be_chosen_from(run, photos, tmp_path, arguments, message):
    code, _, err = run("compare", "--protocol=samek2017", *arguments, "--network", "tiny_networks:cnn", "--out", "RUN")
    assert (code, message in err, leftovers(tmp_path)) == (cli.INPUT_ERROR, True, [])


def test_plan_says_what_a_run_would_take_and_writes_nothing(run, photos, tmp_path):
    code, out, _ = run(
        "plan", "--protocol=samek2017", photos, "--network", "tiny_networks:cnn", "--methods", METHODS, "--steps", "6",
        "--repeats", "2",
        "--engine", "incremental",
    )  # fmt: skip
    assert code == 0
    assert "196 = 4 images × (3 methods + random order) × 2 repeats × 6 steps + 4 untouched" in out
    for word in ("nodes on windows", "multiply-adds", "expected time", "measured"):
        assert word in out
    assert leftovers(tmp_path) == []


def test_protocols_with_options_in_brackets(run, photos, tmp_path):
    given = (photos, "--network", "tiny_networks:cnn", "--methods", "sensitivity-l2")
    names = "large-blur,large-blur[score=probability],large-blur[removed=0.5]"
    code, out, err = run("protocol", *given, "--candidates", names, "--out", "RUN")
    assert code == 0, err
    assert all(name in out for name in names.split(","))
    assert {"scores.parquet", "assay-large-blur-score-probability.png"} <= {path.name for path in Path("RUN").iterdir()}
    code, _, err = run("compare", *given, "--protocol", "large-blur[removed=0.5]", "--audit", "0", "--out", "OTHER")
    assert code == 0, err
    record = json.loads((tmp_path / "OTHER" / "run.json").read_text())
    assert record["configuration"]["protocol"] == "large-blur[removed=0.5]"
    assert run("compare", *given, "--protocol", "large-blur[removed=0.5]", "--audit", "0", "--out", "OTHER")[0] == 0
    assert run("report", "OTHER")[0] == 0
    assert run("report", "RUN")[0] == 0
    code, _, err = run("compare", *given, "--protocol", "large-blur[removed=0.5]", "--steps", "3", "--out", "THIRD")
    assert (code, "leave out one of them" in " ".join(err.split())) == (cli.INPUT_ERROR, True)


def test_plan_refuses_what_compare_refuses_and_counts_what_can_be_read(run, photos):
    arguments = (
        "plan",
        "--protocol=samek2017",
        photos,
        "--network",
        "tiny_networks:branching",
        "--steps",
        "3",
        "--methods",
    )
    code, _, err = run(*arguments, "lrp-epsilon")
    assert code == cli.INPUT_ERROR
    assert "lrp-epsilon needs the network's graph" in err
    (photos / "broken.jpg").write_bytes(b"no picture")
    code, out, err = run(*arguments, "sensitivity-l2")
    assert code == cli.PARTIAL
    assert "broken.jpg" in err
    assert "28 = 4 images" in out
    assert "has no graph" in out
    code, _, err = run(*arguments, "sensitivity-l2", "--out", "RUN")
    assert code == cli.INPUT_ERROR
    assert "No such option" in err


def test_plan_with_a_precision_ends_with_a_command_that_runs(run, photos, tmp_path):
    given = (photos, "--network", "tiny_networks:cnn", "--methods", METHODS, "--steps", "9", "--seed", "3")
    code, out, err = run("plan", "--protocol=samek2017", *given, "--half-width", "1000%", "--pilot=3", "--audit", "0")
    assert code == 0, err
    for text in (
        "sensitivity-l2 − random",
        "the paper's",
        "For a 95 % interval of ± 1e+03 %",
        "From a pilot of 3 images",
    ):
        assert text in out
    command = shlex.split(out.splitlines()[-1])
    assert command[:4] == ["heatproof", "compare", "--protocol=samek2017", str(photos)]
    assert not {"--half-width", "1000%", "--pilot=3"} & set(command)
    code, out, err = run(*command[1:])
    assert code == 0, err
    evaluations = next(line for line in out.splitlines() if "evaluations in" in line)
    record = json.loads((tmp_path / "RUN" / "run.json").read_text())
    assert record["protocol"]["scored"] == int(command[command.index("--scored") + 1])
    assert evaluations.startswith(str(record["work"]["evaluations"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--half-width", "wide"), "half-width must be half an interval's width, above 0"),
        (("--budget", "10 days"), "budget must be a number of evaluations, such as 20000, or a time"),
        (("--budget", "100", "--half-width", "1"), "give a half width or a budget, not both"),
        (("--half-width", "1", "--repeats", "3"), "leave these two out"),
        (("--budget", "2"), "is not enough for one scored step on two images"),
    ],
)
def test_what_cannot_be_planned(run, photos, arguments, message):
    given = (photos, "--network", "tiny_networks:cnn", "--methods", "sensitivity-l2", "--steps", "3")
    code, _, err = run("plan", "--protocol=samek2017", *given, *arguments)
    assert (code, message in " ".join(err.split())) == (cli.INPUT_ERROR, True), err


def test_explain_writes_one_picture_per_image_and_method(run, photos, tmp_path):
    code, out, _ = run("explain", photos, "--network", "tiny_networks:cnn", "--methods", METHODS, "--out", "MAPS")
    assert code == 0
    files = sorted(path.name for path in (tmp_path / "MAPS").iterdir())
    assert [files.pop(), files.pop()] == ["written.jsonl", "report.html"]
    assert len(files) == 4 * 3
    assert files[0] == "picture_0.lrp-alphabeta_alpha=1_beta=0.png"
    with Image.open(tmp_path / "MAPS" / files[0]) as picture:
        assert picture.width > picture.height > 100
    assert out.count(".png") == 12


def test_complexity_writes_its_table_and_figures(run, photos, tmp_path):
    arguments = ("--network", "tiny_networks:cnn", "--methods", "lrp-epsilon,sensitivity-l2", "--out", "RUN")
    code, out, err = run("complexity", photos, *arguments)
    assert code == 0, err
    assert "PNG file size: " in out
    assert {"report.html", "sizes.png", "entropy.svg", "scores.parquet"} <= {
        p.name for p in (tmp_path / "RUN").iterdir()
    }
    assert run("complexity", photos, *arguments)[0] == 0  # it is complete
    code, _, err = run("complexity", photos, "--seed", "3", *arguments)
    assert (code, "seed: 0 then, 3 now" in err) == (cli.INPUT_ERROR, True)
    assert run("complexity", photos, "--images", "2", "--seed", "3", *arguments, "--overwrite")[0] == 0
    assert len(json.loads((tmp_path / "RUN" / "run.json").read_text())["images"]) == 2


@pytest.mark.parametrize(
    ("command", "option", "said", "figure"),
    [
        ("stability", ("--draws", "2"), "Under noise (standard deviation 0.01): ", "noise_change.png"),
        (
            "randomisation",
            ("--groups", "2"),
            "While weights are shuffled from the output to the input: ",
            "cascade.svg",
        ),
    ],
)
def test_studies_that_make_heatmaps_again(run, photos, tmp_path, command, option, said, figure):
    arguments = ("--network", "tiny_networks:cnn", "--methods", "lrp-epsilon,sensitivity-l2", "--out", "RUN", *option)
    code, out, err = run(command, photos, *arguments)
    assert code == 0, err
    assert said in out
    assert {"report.html", figure, "scores.parquet", "study.toml"} <= {p.name for p in (tmp_path / "RUN").iterdir()}
    assert run(command, photos, *arguments)[0] == 0  # it is complete
    assert run(command, "RUN/study.toml")[0] == 0
    code, _, err = run(command, photos, "--seed", "3", *arguments)
    assert (code, "seed: 0 then, 3 now" in err) == (cli.INPUT_ERROR, True)
    assert run("report", "RUN")[0] == 0
    code, out, _ = run("view", "RUN")
    assert (code, command in out) == (0, True)
    code, _, err = run(command, photos, *arguments, "--overwrite", "--heatmaps", "mine=maps.npz")
    assert (code, "--heatmaps" in err) == (cli.INPUT_ERROR, True)


def test_list_names_everything(run):
    code, out, _ = run("list")
    assert code == 0
    for name in (
        "efficientnet-lite0",
        "torchvision:NAME",
        "lrp-epsilon-gamma-box",
        "uniform",
        "logit",
        "naopc",
        "builtin",
    ):
        assert name in out
    code, _, err = run("list", "method")
    assert code == cli.INPUT_ERROR
    assert "did you mean 'methods'" in err


def test_alone_it_says_what_to_do(run):
    _, out, _ = run()
    assert "compare" in out
    code, out, _ = run("--version")
    assert code == 0
    assert "heatproof 0" in out
