"""``--against`` and methods with alternatives on the command line, in study files and in records."""

import json
import sys
from pathlib import Path

import pytest

import heatproof as hp

sys.path.insert(0, str(Path(__file__).parent))  # tiny_networks

NETWORK = ("photos", "--network", "tiny_networks:cnn")
FEW = ("--steps", 3, "--audit", 0)
TUNED = "lrp-epsilon[epsilon=0.1|1]"


def test_against_in_a_run_its_study_file_and_when_it_is_resumed(run, photos):
    asked = ("compare", "--protocol=samek2017", *NETWORK, *FEW, "--methods", "lrp-epsilon,sobel", "--out", "RUN")
    code, out, err = run(*asked, "--against", "second")
    assert code == 0, err
    assert "logit difference" in out
    assert json.loads(Path("RUN/run.json").read_text())["plan"]["protocol"]["against"] == "second"
    assert 'against = "second"' in Path("RUN/study.toml").read_text()
    assert run("compare", "--protocol=samek2017", "RUN/study.toml", "--out", "RUN2")[0] == 0
    code, _, err = run(*asked, "--against", "1")
    assert (code, "another configuration (against: " in err) == (2, True)
    code, out, err = run("report", "RUN")
    assert code == 0, err


def test_pictures_of_the_class_itself_are_skipped(run, photos):
    network = hp.load_network("tiny_networks:cnn")
    first, other = network.predict(hp.load_images("photos", network)).tolist()
    asked = ("explain", *NETWORK, "-m", "lrp-epsilon", "--against", first, "--out", "maps")
    code, _, err = run(*asked)
    assert f"skipped photos/0.png: its target is class {first}, which it is asked against" in err
    if first == other:
        assert (code, f"all 2 pictures are of class {first}: choose another for against" in err) == (2, True)
    else:
        assert (code, len(list(Path("maps").glob("*.png")))) == (3, 1)


@pytest.mark.parametrize("command", ["explain", "compare", "plan"])
def test_no_such_class(command, run, photos):
    code, _, err = run(command, *NETWORK, "--against", "elephant", *(() if command == "plan" else ("--out", "OUT")))
    assert (code, "no class is called 'elephant'" in err, Path("OUT/run.json").exists()) == (2, True, False), err


def test_explain_says_which_classes(run, photos):
    code, _, err = run("explain", *NETWORK, "-m", "gradient-x-input", "--against", "second", "--out", "maps")
    assert code == 0, err
    assert " against class " in Path("maps/report.html").read_text()


def test_tuned_methods_in_a_run_and_its_study_file(run, photos):
    code, out, err = run(
        "compare", "--protocol=samek2017", *NETWORK, *FEW, "--methods", f"{TUNED},sobel", "--out", "RUN"
    )
    assert code == 0, err
    assert f"Choosing among 2 variants of {TUNED} promises" in " ".join(out.split())
    assert TUNED in Path("RUN/study.toml").read_text()
    assert run("compare", "--protocol=samek2017", "RUN/study.toml", "--out", "RUN2")[0] == 0
    code, out, err = run("report", "RUN")
    assert code == 0, err
    assert "Tuned methods" in Path("RUN/report.html").read_text()
    assert run("plan", "--protocol=samek2017", *NETWORK, *FEW, "--methods", TUNED)[0] == 0
    assert (
        run("compare", "--protocol=samek2017", *NETWORK, *FEW, "--methods", f"{TUNED},sobel", "--out", "RUN")[0] == 0
    )  # resumes


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", *NETWORK, "--methods", TUNED, "--out", "OUT"),
        ("complexity", *NETWORK, "--methods", TUNED, "--out", "OUT"),
        ("replacements", *NETWORK, "--method", TUNED, "--out", "OUT"),
    ],
)
def test_alternatives_are_refused_where_nothing_competes(arguments, run, photos):
    code, _, err = run(*arguments)
    assert (code, "expected one value for each option, got alternatives in 'lrp-epsilon" in err) == (2, True), err
