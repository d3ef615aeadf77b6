"""TOML as study files hold it: what is written is read as the same, and nothing that is read can crash or hang."""

import math
import time
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatproof.errors import InputError
from heatproof.runs.study_file import LARGEST, WITHOUT_EFFECT, differences, parse_toml, read_toml, to_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))  # everything but halves of surrogate pairs
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
SCALARS = st.booleans() | NUMBERS | TEXTS
SETTINGS = st.dictionaries(TEXTS, SCALARS | st.lists(TEXTS) | st.lists(NUMBERS))


def typed(value):
    """Values with their types, since 1 == 1.0 == True."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(SETTINGS)
def test_what_is_written_is_read_as_the_same(content):
    assert typed(tomllib.loads(to_toml(content))) == typed(content)
    assert typed(parse_toml(to_toml(content).encode(), "study.toml")) == typed(content)


@pytest.mark.parametrize(
    "text", ["", '"', "\\", "\\u0041", "\x7f", "\x00", "\u2028", "\r\n", "'''", '"""', "é😀", "# no"]
)
def test_texts_that_must_be_escaped(text):
    assert tomllib.loads(to_toml({"key": text, text or "-": 1})) == {"key": text, text or "-": 1}


def test_numbers_that_are_none():
    read = tomllib.loads(to_toml({"a": math.inf, "b": -math.inf, "c": math.nan, "d": 1e-5, "e": 1e300}))
    assert read.pop("c") != 0
    assert read == {"a": math.inf, "b": -math.inf, "d": 1e-5, "e": 1e300}


def test_a_name_that_is_no_unicode():
    with pytest.raises(InputError, match=r"expected Unicode, got 'photo\\udce9.png'; a study file cannot hold it"):
        to_toml({"pictures": ["photo\udce9.png"]})


def test_settings_that_change_a_result():
    old = {"study": "compare", "regions": 9, "methods": ["a", "b"], "lerf": False, "out": "A", "memory": 2.0}
    assert differences(old, old) == []
    assert differences(old, old | {"out": "B", "overwrite": True, "download": True}) == []
    assert differences(old, {"memory": 4.0} | {k: v for k, v in old.items() if k not in ("memory", "regions")}) == [
        "regions: 9 then, not set now",
        "memory: 2.0 then, 4.0 now",
    ]
    assert differences(old, old | {"methods": ["b", "a"]}) == ['methods: ["a", "b"] then, ["b", "a"] now']


def test_long_values_are_shown_by_what_differs():
    pictures = [f"/somewhere/picture {number}.png" for number in range(1000)]
    (line,) = differences({"pictures": pictures}, {"pictures": [*pictures[1:], "/elsewhere.png"]})
    assert line == ('pictures: 1000 values with "/somewhere/picture 0.png" then, 1000 values with "/elsewhere.png" now')
    (line,) = differences({"data": "x" * 500}, {"data": "y"})
    assert len(line) < 120


@given(SETTINGS, SETTINGS)
def test_what_differs_is_what_is_named(old, new):
    named = differences(old, new)
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    assert len(named) == len([key for key in changed if key not in WITHOUT_EFFECT])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"study = ", r"'s.toml' is not TOML: Invalid value \(at end of document\)"),
        (b'study = "compare"\n\nsteps == 3', r"'s.toml' is not TOML: Invalid value \(at line 3, column 8\)"),
        (b"a = 1\na = 2", "is not TOML: Cannot overwrite a value"),
        (b"a = 1\nb = '\xff'", "is not TOML: expected text in UTF-8, line 2 is not"),
        (b"PK\x03\x04", "is not TOML"),
        (b"a = " + b"[" * 100_000, "lists or tables lie too deep in one another"),
        (b"a = " + b"{a=" * 100_000, "lists or tables lie too deep in one another"),
        (b"a = " + b"1" * 5000, "is not TOML: Exceeds the limit"),
        (b"a = 1\n" + b".".join([b"a"] * 100_000) + b" = 1", "a key with more than 50 parts in line 2"),
        (b"\r\n".join([b"a = 1", b" [[" + b" . ".join([b"'a.'", b'"b"', b"c"] * 50_000)]), "50 parts in line 2"),
    ],
)  # fmt: skip
def test_what_is_no_study(content, message):
    started = time.monotonic()
    with pytest.raises(InputError, match=message):
        parse_toml(content, "s.toml")
    assert time.monotonic() - started < 5


def test_a_mark_in_front_and_lines_of_windows():
    assert parse_toml(b'\xef\xbb\xbfstudy = "compare"\r\nsteps = 4\r\n', "s.toml") == {"study": "compare", "steps": 4}


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(
        InputError, match=r"there is no study file '.*none.toml'; 'heatproof init none.toml' writes one"
    ):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(InputError, match=r"the study file '.*' is no regular file"):
        read_toml(tmp_path)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * LARGEST)
    assert read_toml(large) == {}
    large.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(InputError, match=r"study file '.*large.toml' has 1,048,577 bytes; expected at most 1,048,576"):
        read_toml(large)


PIECES = st.sampled_from(
    ["a", "b.c", "[", "]", "{", "}", "=", ",", ".", "'", '"', "'''", '"""', "\n", "#", "1", "-", "1e9", "true", "inf",
     "1979-05-27T07:32:00Z", "\\u", "\\", "\x00", "[[a]]\n", "a=1\n", "é"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.lists(PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode()))
def test_whatever_is_read_is_refused_or_understood(content):
    understood, refused = None, ""
    try:
        understood = parse_toml(content, "s.toml")
    except InputError as error:
        refused = str(error)
    assert isinstance(understood, dict) or "'s.toml' is no" in refused


@pytest.mark.parametrize(
    "piece",
    ["a.", "'a'.", '"', "'", ",'", ',"', "[", "[[", "{", "a=[\n", "a", " ", "\t", ".", "[[a]]\n", "a.b=1\n", "\\"],
)
@pytest.mark.parametrize("start", ["", "a = ", "a = '''", "[", 'a = "'])
def test_no_repeated_piece_takes_long(piece, start):
    started = time.monotonic()
    with suppress(InputError):
        parse_toml((start + piece * 50_000).encode(), "s.toml")
    assert time.monotonic() - started < 5
