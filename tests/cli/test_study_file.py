"""Study files, as a user meets them: every option has its key, and what is wrong with a file is said."""

import re
import tomllib
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from heatproof.bounds import Bounds
from heatproof.cli.application import app
from heatproof.cli.keys import expected, keys_of, spread
from heatproof.cli.study_file import (
    StudyCommand,
    commented,
    read_study,
    settings_of,
    studies,
)
from heatproof.errors import InputError
from heatproof.options.option import Option
from heatproof.registry import split_specs
from heatproof.runs.study_file import differences, resolved, to_toml

COMMANDS = typer.main.get_command(app).commands
STUDIES = studies()
NETWORK = 'network = "tiny_networks:cnn"\n'


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def study(tmp_path):
    """Writes a study file with three pictures beside it, in a folder of its own."""
    folder = tmp_path / "studies"
    (folder / "photos").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(3):
        pixels = generator.integers(0, 256, (50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"picture {number}.png")

    def write(text, name="study.toml", head='study = "compare"\n'):
        file = folder / name
        file.write_text(head + text, encoding="utf-8")
        return file

    return write


def parsed(*arguments, study="compare"):
    """Values of the parameters, and the settings, as the command would get them."""
    context = COMMANDS[study].make_context(study, [str(argument) for argument in arguments])
    return context.params, settings_of(context)


def given_in_file(text, *arguments, study="compare", name="made.toml"):
    """The same with a study file in the current folder."""
    Path(name).write_text(f'study = "{study}"\n{text}', encoding="utf-8")
    return parsed(name, *arguments, study=study)


# Keys are options


@pytest.mark.parametrize("study", STUDIES)
def test_every_option_has_its_key(study):
    command = COMMANDS[study]
    assert type(command) is StudyCommand
    about_output = ("help", "as_json", "quiet", "opened", "overwrite")
    options = [p for p in command.params if p.param_type_name == "option" and p.name not in about_output]
    long = {p.name: next(name for name in p.opts if name.startswith("--")) for p in options}
    keys = {key.declared.field: name for name, key in command.keys.items()}
    assert {name: f"--{keys[name]}" for name in long} == long
    arguments = {p.name for p in command.params if p.param_type_name == "argument"}
    assert set(keys) == set(long) | arguments
    assert len(command.keys) == len(keys)


def test_what_the_keys_are_called():
    keys = COMMANDS["compare"].keys
    assert {"images", "pictures", "max-pixels", "methods", "measures", "regions", "lerf", "until", "out"} <= set(keys)
    assert (keys["images"].declared.field, keys["pictures"].declared.field) == ("count", "images")
    assert COMMANDS["assess"].keys["checkpoints"].listed


def test_which_commands_take_a_study():
    assert {name for name, command in COMMANDS.items() if type(command) is StudyCommand} == set(STUDIES)
    assert set(STUDIES) >= {"assess", "compare", "complexity", "planted", "replacements"}


def test_what_a_signature_says_about_its_keys():
    def command(
        *,
        context: typer.Context,
        few: Annotated[int, Option(bounds=Bounds(2, 3))] = 2,
        own_name: Annotated[float | None, Option(short="-o", name="other", negative="no-other")] = None,
        places: Annotated[list[Path], Option(name="files", positional=True)],
        plain: Annotated[str, Option()],
    ) -> None: ...

    keys = keys_of(spread(command))
    assert [(key.name, key.kind, key.listed, key.declared.needed, key.default) for key in keys.values()] == [
        ("few", int, False, False, 2),
        ("other", float, False, False, None),
        ("files", Path, True, True, None),
        ("plain", str, False, True, None),
    ]
    assert expected(keys["few"]) == "a whole number, at least 2, at most 3"
    assert expected(keys["files"]) == "a list of texts, or a text"


# The file that init writes


@pytest.mark.parametrize("study", STUDIES)
def test_init_writes_every_key_and_changes_no_default(run, study, tmp_path):
    code, out, _ = run("init", "--study", study)
    assert code == 0
    assert out == f"study.toml: every key of 'heatproof {study}'; edit it, then: heatproof {study} study.toml\n"
    text = (tmp_path / "study.toml").read_text(encoding="utf-8")
    needed = ["--out", "RUN", *(["a.pt"] if study == "assess" else [])]
    expected, bare = parsed(*needed, study=study)
    if study == "assess":
        (tmp_path / "study.toml").write_text(text + 'checkpoints = ["a.pt"]\n')
        needed.pop()
    found, held = parsed("study.toml", *needed, study=study)
    assert found == expected
    assert held == bare
    names = set(COMMANDS[study].keys)
    lines = [line.removeprefix("# ").partition(" = ")[0] for line in text.splitlines()]
    assert names <= set(lines)
    assert all(len(line) <= 110 or not line.startswith("#") for line in text.splitlines())


@pytest.mark.parametrize("study", STUDIES)
def test_lines_without_a_value_show_one_of_the_right_kind(study):
    """All keys with their examples are TOML, and of the right type wherever a type says what is right."""
    text = commented(study, COMMANDS[study])
    keys = COMMANDS[study].keys
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    content = tomllib.loads("\n".join(line for line in lines if line.partition(" = ")[0] in keys))
    assert set(content) == set(keys)
    simple = {
        name: value for name, value in content.items() if not keys[name].option.parse or keys[name].default is not None
    }
    Path("x.toml").write_text(f'study = "x"\n{to_toml(simple)}', encoding="utf-8")
    assert set(read_study(Path("x.toml"), "x", keys)) == set(simple)


def test_init_never_overwrites(run, tmp_path):
    (tmp_path / "mine.toml").write_text("mine")
    assert run("init", "mine.toml")[0] == 2
    assert "'mine.toml' exists already; choose another name" in run("init", "mine.toml")[2]
    assert (tmp_path / "mine.toml").read_text() == "mine"
    (tmp_path / "link.toml").symlink_to("nowhere.toml")
    assert run("init", "link.toml")[0] == 2
    assert not (tmp_path / "nowhere.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--study", "compar"), "unknown study 'compar'; did you mean 'compare'? known: assess, compare, complexity"),
        (("--study", "plan"), "unknown study 'plan'"),
        (("study.txt",), "expected a file that ends in .toml, got 'study.txt'"),
        (("none/study.toml",), "there is no folder 'none' to write into"),
    ],
)
def test_what_init_refuses(run, tmp_path, arguments, message):
    code, _, err = run("init", *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


# What a file holds


def test_a_study_in_a_file_is_the_study_on_the_command_line(study, tmp_path):
    file = study(
        NETWORK + 'out = "RUN"\npictures = "photos"\nmethods = ["sobel", "lrp-alphabeta[alpha=1,beta=0]"]\n'
        'regions = 12\nsteps = "all"\nlerf = true\naudit = 0\nmean = [0.5, 0.4, 1]\nresize = "40x36"\ncrop = 36\n'
        "memory = 1\nimages = 2\n"
    )
    folder = tmp_path / "studies"
    written, held = parsed(file)
    typed, same = parsed(
        folder / "photos", "--network", "tiny_networks:cnn", "--out", folder / "RUN", "--regions", "12",
        "--methods", "sobel,lrp-alphabeta[alpha=1,beta=0]", "--steps", "all", "--lerf", "--audit", "0",
        "--mean", "0.5,0.4,1", "--resize", "40x36", "--crop", "36", "--memory", "1", "--images", "2",
    )  # fmt: skip
    assert written == typed
    assert held == same
    assert differences(held, same) == []


def test_a_study_in_a_file_runs(run, study):
    file = study(
        NETWORK + 'out = "RUN"\npictures = "photos"\nmethods = ["sobel"]\nregions = 12\nsteps = 2\naudit = 0\n'
    )
    code, _, err = run("compare", "--protocol=samek2017", file)
    assert (code, (file.parent / "RUN" / "report.html").is_file()) == (0, True), err


def test_options_take_the_place_of_keys():
    text = 'out = "A"\npictures = ["a.png", "b.png"]\nregions = 16\nsteps = "all"\nmethods = ["random"]\nmemory = 1\n'
    values, held = given_in_file(text, "--regions", "9", "--out", "B", "-m", "sobel,constant", "--lerf")
    assert (values["regions"], values["out"], values["methods"]) == (9, "B", "sobel,constant")
    assert (values["steps"], values["images"], values["memory"], values["lerf"]) == (
        "all",
        ["a.png", "b.png"],
        2**30,
        True,
    )
    assert held["methods"] == ["sobel", "constant"]
    assert held["regions"] == 9


@pytest.mark.parametrize(
    ("text", "value"), [("8", 8.0), ("8GB", 8.0), ("0.5", 0.5), ("512MB", 0.5), ("1.5gb", 1.5), ("100 MB", 100 / 1024)]
)
def test_memory_has_units(text, value):
    values, held = given_in_file('out = "A"\npictures = ["a.png"]\n', "--memory", text)
    assert values["memory"] == 2**30 * held["memory"] == 2**30 * value
    values, held = given_in_file(f'out = "A"\npictures = ["a.png"]\nmemory = "{text}"\n')
    assert values["memory"] == 2**30 * held["memory"] == 2**30 * value


def test_texts_that_look_like_options_stay_texts():
    values, _ = given_in_file('out = "-o"\npictures = ["--lerf", "-m", "other.toml"]\nweights = "--"\n')
    assert (values["out"], values["images"]) == ("-o", ["--lerf", "-m", "other.toml"])
    assert (values["weights"], values["lerf"]) == ("--", False)


def test_where_the_file_stands_among_the_arguments():
    for arguments in (("made.toml", "--out", "B"), ("--out", "B", "made.toml"), ("--out", "B", "--", "made.toml")):
        Path("made.toml").write_text('study = "compare"\nregions = 16\n')
        assert parsed(*arguments)[0]["regions"] == 16
    Path("made.toml").write_text('study = "compare"\nregions = 16\npictures = "photos"\n')
    values, _ = parsed("--classes", "made.toml", "made.toml", "--out", "B")
    assert (values["classes"], values["regions"]) == (Path("made.toml"), 16)
    values, _ = parsed("--classes", "made.toml", "photo.png", "--out", "B")
    assert (values["images"], values["regions"]) == (["photo.png"], "auto")
    values, _ = parsed("made.toml", "photo.png", "--out", "B")  # two: pictures, of which one is none
    assert (values["images"], values["regions"]) == (["made.toml", "photo.png"], "auto")


def test_what_a_file_does_not_say_the_command_line_must(run, study):
    code, _, err = run("compare", "--protocol=samek2017", study(NETWORK))
    assert code == 2
    assert "Missing option '--out'" in err


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("out", "RUN", "F/RUN"),
        ("pictures", ["photos", "builtin", "./builtin", "/abs.png"], ["F/photos", "builtin", "F/builtin", "/abs.png"]),
        ("pictures", "photos", ["F/photos"]),
        ("data", "folder:photos", "folder:F/photos"),
        ("data", "places365[split=val]:a:b", "places365[split=val]:F/a:b"),
        ("data", "folder", "folder"),
        ("network", "caffe:deploy.prototxt", "caffe:F/deploy.prototxt"),
        ("network", "net.pt2", "F/net.pt2"),
        ("network", "torchscript:net.pt", "torchscript:F/net.pt"),
        ("network", "transformers:folder", "transformers:F/folder"),
        ("network", "model.py:Model", "F/model.py:Model"),
        ("network", "torchvision:vgg16", "torchvision:vgg16"),
        ("network", "package.module:factory", "package.module:factory"),
        ("weights", "net.safetensors", "F/net.safetensors"),
        ("weights", "IMAGENET1K_V1", "IMAGENET1K_V1"),
        ("weights", "none", "none"),
        ("classes", "names", "F/names"),
        ("statistics", "../mean.safetensors", "F/../mean.safetensors"),
        ("statistics", "~/mean.safetensors", "H/mean.safetensors"),
        ("device", "cuda", "cuda"),
    ],
)
def test_paths_are_taken_from_the_folder_of_the_file(study, monkeypatch, tmp_path, key, value, expected):
    monkeypatch.setenv("HOME", "/home/me")
    file = study(to_toml({key: value}))
    option = COMMANDS["compare"].keys[key]

    def full(text):
        return text.replace("F/", f"{file.parent}/").replace("H/", "/home/me/")

    whole = [full(text) for text in expected] if isinstance(expected, list) else full(expected)
    values, held = parsed(file, *(() if key == "out" else ("--out", "RUN")))
    assert values[option.declared.field] == (Path(whole) if option.kind is Path else whole)
    assert held[key] == whole
    relative = Path("studies/study.toml")
    assert parsed(relative, "--out", "RUN")[1][key] == held[key] or key == "out"


def test_a_file_of_means_lies_beside_the_study(run, study):
    file = study('mean = "mean.binaryproto"\n')
    assert read_study(file, "compare", COMMANDS["compare"].keys)["mean"] == str(file.parent / "mean.binaryproto")
    code, _, err = run("compare", "--protocol=samek2017", file, "--out", "RUN")
    assert code == 2
    assert f"there is no file '{file.parent}/mean.binaryproto'" in err


# Settings, resolved


def test_every_setting_that_has_a_value_is_kept(tmp_path):
    _, held = parsed("a.png", "--out", "RUN", "--resize", "40x36", "--crop", "36", "--mean", "0.5,1,0", "--overwrite")
    assert next(iter(held)) == "study"
    assert (held["study"], held["out"], held["pictures"]) == ("compare", f"{tmp_path}/RUN", [f"{tmp_path}/a.png"])
    assert (held["resize"], held["crop"], held["mean"]) == ("40x36", 36, [0.5, 1.0, 0.0])
    assert (held["regions"], held["measures"], held["lerf"], held["seed"]) == ("auto", [], False, 0)
    assert not {"overwrite", "data", "steps", "until"} & set(held)


def test_settings_of_two_commands_are_compared():
    _, then = parsed("photos", "--out", "RUN", "--mean", "0.5,1,0", "--until", "signs")
    _, same = parsed("photos", "--out", "OTHER", "--mean", "0.5,1,0", "--until", "signs", "--overwrite", "--download")
    assert differences(then, same) == []
    _, now = parsed("photos", "--out", "RUN", "--mean", "0.5,1,0.5", "--regions", "16")
    assert differences(then, now) == [
        "mean: [0.5, 1.0, 0.0] then, [0.5, 1.0, 0.5] now",
        'regions: "auto" then, 16 now',
        'until: "signs" then, not set now',
    ]


def values_of(key):
    """What a file may hold for a key, as Hypothesis draws it."""
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00,[]"), min_size=1)
    known = {
        "steps": st.just("all") | st.integers(0, 10**6),
        "resize": st.integers(1, 999) | st.just("40x30"),
        "crop": st.integers(1, 999) | st.just("4X3"),
        "mean": st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1),
        "std": st.lists(st.integers(-5, 5) | st.just(0.5), min_size=1) | st.just("1,0.5"),
        "regions": st.integers(1, 99) | st.just("slic[count=50]"),
        "memory": st.floats(0.05, 2.0**20) | st.integers(1, 99) | st.sampled_from(["8GB", "333 mb"]),
    }
    if key.name in known:
        return known[key.name]
    if key.kind is bool:
        return st.booleans()
    if key.kind is int:
        low, high = key.option.low, key.option.high
        return st.integers(-(2**63) if low is None else low, 2**63 - 1 if high is None else high)
    if key.kind is float:
        return st.floats(key.option.low, key.option.high or 1e9, allow_nan=False, allow_infinity=False)
    if key.option.several:
        texts = texts.filter(str.strip)  # a name of blanks is refused
    return texts | st.lists(texts, min_size=1) if key.listed or key.option.several else texts


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
@pytest.mark.parametrize("study", ["compare", "replacements"])
def test_a_resolved_study_means_the_same(study, tmp_path, data):
    keys = COMMANDS[study].keys
    chosen = data.draw(st.sets(st.sampled_from(sorted(set(keys) - {"out"}))))
    content = {name: data.draw(values_of(keys[name])) for name in sorted(chosen)} | {"out": "RUN"}
    values, held = given_in_file(to_toml(content), study=study)
    assert chosen <= set(held)
    (tmp_path / "elsewhere").mkdir(exist_ok=True)
    copy = tmp_path / "elsewhere" / "study.toml"
    copy.write_text(resolved(held), encoding="utf-8", newline="")
    again, same = parsed(copy, "--out", "RUN", study=study)
    assert same == held
    for option in keys.values():
        if not (option.is_path or option.option.path):
            pair = [found[option.declared.field] for found in (values, again)]
            pair = [split_specs(text) if isinstance(text, str) and option.option.several else text for text in pair]
            assert pair[0] == pair[1]


def test_the_example_of_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
    example, *_ = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    Path("study.toml").write_text(example, encoding="utf-8")
    values, _ = parsed("study.toml")
    assert (values["images"], values["protocol"]) == (["photos", "more/photo.png"], "coarse-blur")
    assert values["mean"] == (0.485, 0.456, 0.406)


# What is wrong with a file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("region = 9", "study.toml: unknown key 'region'; did you mean 'regions'? known: out, data, images"),
        ("max_pixels = 9", "unknown key 'max_pixels'; did you mean 'max-pixels'?"),
        ('images = "photos"', 'images: expected a whole number, at least 1, got "photos" (Number of images'),
        ("images = 3.0", "images: expected a whole number, at least 1, got 3.0"),
        ("images = true", "images: expected a whole number, at least 1, got true"),
        ("scored = 0", "scored: expected a whole number, at least 1, got 0"),
        ("seed = 9223372036854775808", "seed: expected a whole number, at least 0, got 9223372036854775808"),
        ("memory = inf", "memory: expected a text or a number, got inf"),
        ("memory = nan", "memory: expected a text or a number, got nan"),
        ("memory = 0.01", "expected 0.05 to 1,048,576 GB of memory, as 2, 8GB or 500MB, got '0.01'"),
        ('memory = "8 cats"', "expected 0.05 to 1,048,576 GB of memory, as 2, 8GB or 500MB, got '8 cats'"),
        ("lerf = 1", "lerf: expected true or false, got 1"),
        ('lerf = "yes"', 'lerf: expected true or false, got "yes"'),
        ("engine = 1979-05-27", "engine: expected a text, got 1979-05-27"),
        ("methods = 3", "methods: expected a list of texts, or one text with commas, got 3"),
        ("methods = [3]", "methods: expected a list of texts, or one text with commas, got [3]"),
        ("pictures = [[]]", "pictures: expected a list of texts, or a text, got a list of other things"),
        ('pictures = "a\\u0000b"', "pictures: expected a list of texts, or a text, got"),
        ("steps = true", "steps: expected a text or a number, got true"),
        ('steps = "many"', "steps: steps must be a whole number, a share such as '50%', or 'all', got 'many'"),
        ('resize = "large"', "resize: a size must be a number of pixels or HEIGHTxWIDTH, got 'large'"),
        ('mean = ["a"]', 'mean: expected a list of numbers, or one text with commas, got ["a"]'),
        ('mean = "a,b"', "mean: expected numbers separated by commas, got 'a,b'"),
        ("std = [inf]", "std: expected a list of numbers, or one text with commas, got [inf]"),
        ("[regions]\nsize = 9", "regions: expected a text or a number, got a section"),
        ("[compare]\nregions = 9", "unknown section 'compare'; a study file has keys only, no sections"),
        (f'device = "{"x" * 1000}"\nlerf = "{"x" * 1000}"', f'lerf: expected true or false, got "{"x" * 79}…'),
    ],
)  # fmt: skip
def test_what_is_no_value(run, study, text, message):
    code, _, err = run("compare", "--protocol=samek2017", study(text), "--out", "RUN")
    assert code == 2
    assert message in err
    assert not Path("RUN").exists()


def test_everything_that_is_wrong_is_said_at_once(run, study):
    _, _, err = run(
        "compare", "--protocol=samek2017", study("regins = 9\nlerf = 1\nseed = 0\nimages = 0"), "--out", "RUN"
    )
    assert [line.rpartition("study.toml: ")[2].split()[0] for line in err.splitlines()] == [
        "unknown",
        "lerf:",
        "images:",
    ]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            "",
            "is not a study file: expected the line study = \"compare\" in it; 'heatproof init --study compare' writes",
        ),
        (
            'study = "assess"\n',
            "is for another command: expected study = \"compare\", got 'assess'; run it with 'heatproof assess ",
        ),
        ("study = 3\n", 'is for another command: expected study = "compare", got 3'),
        ("[study]\n", 'is for another command: expected study = "compare", got {'),
        ("study = compare\n", "is not TOML: Invalid value (at line 1, column 9)"),
    ],
)
def test_what_is_no_study(run, study, head, message):
    code, _, err = run("compare", "--protocol=samek2017", study("regions = 9\n", head=head), "--out", "RUN")
    assert code == 2
    assert message in err


def test_a_study_that_is_not_there(run):
    code, _, err = run("compare", "--protocol=samek2017", "none.toml", "--out", "RUN")
    assert code == 2
    assert "there is no study file 'none.toml'; 'heatproof init none.toml' writes one" in err


# Other commands


def test_plan_takes_the_file_of_a_comparison(run, study):
    file = study(
        NETWORK + 'pictures = "photos"\nout = "RUN"\nsteps = 3\nmethods = ["sensitivity-l2"]\nuntil = "signs"\n'
    )
    code, out, _ = run("plan", "--protocol=samek2017", file)
    assert code == 0
    assert "3 images × (1 method + random order) × 3 steps" in out
    assert not (file.parent / "RUN").exists()


def test_the_other_studies_take_a_file(run, study):
    text = NETWORK + 'pictures = ["photos"]\nout = "RUN"\n'
    file = study(
        text + 'replacements = ["black", "uniform"]\nsteps = 2\nregions = 12\n', head='study = "replacements"\n'
    )
    assert run("replacements", file)[0] == 0
    file = study(text + 'methods = ["sobel"]\n', head='study = "complexity"\n')
    assert run("complexity", file, "--overwrite")[0] == 0


def test_checkpoints_lie_beside_the_study():
    values, held = given_in_file('checkpoints = ["a.pt", "b.pt"]\nout = "RUN"\nlabels = false\n', study="assess")
    assert (values["checkpoints"], values["labels"]) == ([Path("a.pt"), Path("b.pt")], False)
    assert held["checkpoints"] == [str(Path.cwd() / "a.pt"), str(Path.cwd() / "b.pt")]
    values, _ = given_in_file('checkpoints = "a.pt"\nout = "RUN"\nlabels = false\n', "--labels", study="assess")
    assert (values["checkpoints"], values["labels"]) == ([Path("a.pt")], True)


# Whatever a file holds


NAMES = sorted(COMMANDS["compare"].keys)
ODD = st.sampled_from(
    ["1", "-1", "0", "1.5", "1e400", "-inf", "nan", "true", "1979-05-27", "07:32:00", "[]", "[[]]", "[1, 'a']", "['a']",
     "{}", "{a = 1}", "''", "'all'", "'a\\b'", '"\\u0000"', '"\\n"', "'1,2'", "'9x9'", "'.binaryproto'", "'~nobody/x'", "'://'",
     "'[:'", "'[a]:b'", "'.py:'", "'a.py:b'", "'caffe:'", "9" * 400, "[" + "1," * 500 + "]"]
)  # fmt: skip
LINES = st.tuples(st.sampled_from([*NAMES, "other", "'a b'", "study", "a.b"]), ODD).map(" = ".join)
HEADERS = st.sampled_from(["[regions]", "[[methods]]", "[a.b]", "# nothing", ""])


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINES | HEADERS, max_size=6))
def test_whatever_a_file_holds_is_refused_or_taken(tmp_path, lines):
    refused = None
    try:
        values, held = given_in_file("\n".join(lines), "--out", "RUN")
    except InputError as error:
        refused = str(error)
    if refused is None:
        assert set(values) >= {"regions", "out"}
        assert tomllib.loads(resolved(held)) == held
    else:
        assert "made.toml" in refused or "binaryproto" in refused


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_study(tmp_path, content):
    (tmp_path / "made.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"made\.toml"):
        read_study(tmp_path / "made.toml", "compare", COMMANDS["compare"].keys)
