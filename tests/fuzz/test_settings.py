"""What is typed: names with options, sizes, numbers, goals; and study files."""

import re
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.inputs import ODD, ODD_TEXTS, damaged, damaged_text, fuzzed

from heatproof.cli.options import as_mean
from heatproof.data import DATASETS, Preprocessing
from heatproof.heatmaps import METHODS, WRAPPERS
from heatproof.heatmaps.naming import method_of
from heatproof.options import texts
from heatproof.perturbation import REPLACEMENTS
from heatproof.perturbation.regions import REGIONS
from heatproof.perturbation.scores import SCORES
from heatproof.registry import parse_spec, split_specs
from heatproof.runs import study_file
from heatproof.studies.planning.goal import Goal

REGISTRIES = [METHODS, WRAPPERS, REPLACEMENTS, REGIONS, SCORES, DATASETS]
NAMES = [name for registry in REGISTRIES for name in registry]
TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(ODD_TEXTS), st.sampled_from(ODD).map(str), st.floats().map(str))
OPTIONS = ["epsilon", "alpha", "beta", "size", "sigma", "split", "image", "segments", "x"]


@st.composite
def specs(draw):
    """``prefix:name[key=value,…]``, nearly."""
    pairs = draw(st.lists(st.tuples(st.one_of(st.sampled_from(OPTIONS), TEXTS), TEXTS), max_size=3))
    inside = ",".join(f"{key}{draw(st.sampled_from(['=', '=', '=', '', '==']))}{value}" for key, value in pairs)
    brackets = draw(st.sampled_from(["[]", "[]", "[", "]", ""]))
    prefix = draw(st.sampled_from(["", "", "negated:", "randomised:", ":", "negated:" * 50, "negated:" * 3000]))
    name = draw(st.one_of(st.sampled_from(NAMES), TEXTS))
    return f"{prefix}{name}{brackets[:1]}{inside}{brackets[1:]}"


@fuzzed(250)
@given(spec=specs())
def test_any_spec(judge, spec):
    with judge.judging("specs with options"):
        assert isinstance(split_specs(spec), list)
        parse_spec(spec)
    for registry in REGISTRIES:
        with judge.judging("specs with options"):
            assert callable(registry.resolve(spec))
    with judge.judging("specs with options"):
        method_of(spec, SimpleNamespace(module=None))


SIZES = st.one_of(
    TEXTS, st.from_regex(re.compile(r"[0-9]{1,5}[xX,. ]?[0-9]{0,6}(%|s|min|h|GB)?"), fullmatch=True),
    st.lists(st.one_of(st.integers().map(str), st.floats().map(str), TEXTS), max_size=4).map(",".join),
)  # fmt: skip


@fuzzed(300)
@given(text=SIZES)
def test_sizes_numbers_and_goals(judge, text):
    readers = (texts.as_size, texts.as_regions, texts.as_steps, texts.as_numbers, as_mean, texts.as_memory)
    for read in readers:
        with judge.judging("sizes and numbers"):
            read(text)
    for precision, budget in ((text, None), (None, text)):
        with judge.judging("sizes and numbers"):
            assert str(Goal.of(precision, budget))


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.lists(st.floats(), max_size=4))


@fuzzed(200)
@given(
    changes=st.dictionaries(
        st.sampled_from(["resize", "crop", "mean", "std", "channels", "scale", "interpolation", "max_pixels"]), ANYTHING
    )
)
def test_any_preprocessing(judge, changes):
    with judge.judging("preprocessing"):
        made = Preprocessing(**changes)
        assert Preprocessing(**made.describe()) == made


STUDY = """study = "compare"
images = ["photos", "b.png"]
network = "torchvision:vgg16"
methods = ["lrp-epsilon", "random"]
steps = 40
mean = [0.5, 0.5, 0.5]
lerf = true
scale = 1.0
"""


@fuzzed(250)
@given(
    content=st.one_of(damaged(STUDY.encode()), damaged_text(STUDY).map(lambda t: t.encode("utf-8", "surrogatepass")))
)
def test_damaged_study_files(judge, content):
    path = judge.file(content, ".toml")
    with judge.judging("study files"):
        assert isinstance(study_file.read_toml(path), dict)
    path.unlink()


VALUES = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=20))


@fuzzed(150)
@given(settings=st.dictionaries(st.text(max_size=10), st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=4))
def test_what_is_written_is_read_again(judge, settings):
    with judge.judging("study files"):
        assert study_file.parse_toml(study_file.to_toml(settings).encode(), "s.toml") == settings
