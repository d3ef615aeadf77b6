"""A part of a comparison survives being stored, bit by bit, and what is no part is refused."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.runs.serialization import from_parquet, parquet_bytes
from heatproof.studies.road.stored import StoredPart, restored, stored


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16 * 16, 4))
    return hp.Network(module)


@pytest.fixture(scope="module", params=[{}, {"scored": 2, "lerf": True, "repeats": 3}], ids=["plain", "all of it"])
def study(request, network):
    images = torch.rand(5, 3, 18, 18, generator=torch.Generator().manual_seed(1))
    return hp.compare(
        network, images, ["lrp-epsilon", "sensitivity-l2"], regions=6, audit=0, **request.param, protocol="samek2017"
    )


NUMBERS = range(10, 15)


def through_files(part):
    found = stored(part, NUMBERS)
    frames = [from_parquet(parquet_bytes(frame), "a file", 1000) for frame in (found.sequences, found.images)]
    return StoredPart(*frames, found.about)


def test_everything_comes_back(study):
    part, back = study.found, restored(through_files(study.found), NUMBERS, study.protocol)
    assert (back.names, back.classes) == (part.names, part.classes)
    assert torch.equal(back.targets, part.targets)
    for mine, theirs in ((part.curves, back.curves), (part.lerf, back.lerf)):
        assert list(mine) == list(theirs)
        for name, curves in mine.items():
            assert torch.equal(theirs[name].scores, curves.scores)
            assert torch.equal(theirs[name].scored, curves.scored.expand(curves.scores.shape).int())
            assert torch.equal(theirs[name].orders, curves.orders.int())
            assert torch.equal(theirs[name].removed_fraction, curves.removed_fraction)
            assert (theirs[name].images, theirs[name].order) == (curves.images, curves.order)
    for name, found in part.conservation.items():
        np.testing.assert_array_equal(back.conservation[name].absorbed, found.absorbed)
        np.testing.assert_array_equal(back.conservation[name].kept, found.kept)
        assert back.conservation[name].places == found.places
    for method, measures in part.measured.items():
        for name, values in measures.items():
            np.testing.assert_array_equal(back.measured[method][name], values)


def test_the_same_part_gives_the_same_bytes(study):
    once, again = (stored(study.found, range(5)) for _ in range(2))
    assert parquet_bytes(once.sequences) == parquet_bytes(again.sequences)
    assert parquet_bytes(once.images) == parquet_bytes(again.images)


def test_what_is_no_part_is_refused(study):
    good = through_files(study.found)
    with pytest.raises(hp.InputError, match="is not a Parquet file"):
        from_parquet(b"PAR1 no", "scores.parquet", 1000)
    with pytest.raises(hp.InputError, match="expected columns scores"):
        restored(StoredPart(good.sequences.drop("scores"), good.images, good.about), NUMBERS, study.protocol)
    wrong = good.sequences.with_columns(pl.col("target").cast(pl.String))
    with pytest.raises(hp.InputError, match="expected columns target"):
        restored(StoredPart(wrong, good.images, good.about), NUMBERS, study.protocol)
    about = good.about.model_copy(update={"methods": ("other",)})
    with pytest.raises(hp.InputError, match=r"is damaged: ValueError: expected rows of .*other'"):
        restored(StoredPart(good.sequences, good.images, about), NUMBERS, study.protocol)
    with pytest.raises(hp.InputError, match="is damaged"):
        restored(StoredPart(good.sequences.head(3), good.images, good.about), NUMBERS, study.protocol)


def changed(frame, column, value, row=0):
    """The table with one cell changed."""
    values = frame[column].to_list()
    values[row] = value(values[row]) if callable(value) else value
    return frame.with_columns(pl.Series(column, values, dtype=frame.schema[column]))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("image", None, "a value of column image is missing"),
        ("identity", None, "a value of column identity is missing"),
        ("target", None, "a value of column target is missing"),
        ("scores", None, "a value of column scores is missing"),
        ("scores", lambda scores: [None, *scores[1:]], "a value of column scores is missing"),
        ("scores", [], "a value of column scores is missing"),
        ("scores", lambda scores: [float("nan"), *scores[1:]], "values of scores are not those"),
        ("scores", lambda scores: scores[1:], "values of steps are not those"),
        ("target", -1, "values of target are not those"),
        ("target", 2**62, "values of target are not those"),
        ("target", 3, "not repeats 0 to|not measured on the same"),
        ("number", 11, "rows are not those of the images"),
        ("image", "another.png", "rows are not those of the images"),
        ("identity", "0" * 32, "not repeats 0 to|not measured on the same"),
        ("repeat", 7, "are not repeats 0 to"),
        ("order", "backwards", "values of order are not those"),
        ("order", "random", "expected sequences of"),
        ("method", "another", "expected sequences of"),
        ("regions", lambda regions: [regions[1], *regions[1:]], "values of regions are not those"),
        ("regions", lambda regions: [-1, *regions[1:]], "values of regions are not those"),
        (
            "regions",
            lambda regions: regions[1:],
            "values of regions, removed_fraction are not|removed_fraction are not",
        ),
        ("removed_fraction", lambda shares: [*shares[:-1], 1.5], "values of removed_fraction are not those"),
        ("removed_fraction", lambda shares: [*shares[:-1], float("nan")], "values of removed_fraction are not those"),
        ("removed_fraction", lambda shares: [0.5, *shares[1:]], "do not fit together"),
        ("steps", lambda steps: [1, *steps[1:]], "do not fit together"),
    ],
)
def test_a_cell_that_no_run_writes_is_refused(study, column, value, message):
    good = through_files(study.found)
    with pytest.raises(hp.InputError, match=message):
        restored(StoredPart(changed(good.sequences, column, value), good.images, good.about), NUMBERS, study.protocol)


def test_what_absorbs_relevance_is_stored_too(study):
    good = through_files(study.found)
    back = restored(good, NUMBERS, study.protocol)
    for name, found in study.found.conservation.items():
        assert back.conservation[name].keeps == found.keeps
        assert "biases" in found.keeps
    (name, *_) = good.about.keeps
    before = StoredPart(good.sequences, good.images, good.about.model_copy(update={"keeps": {}}))
    assert restored(before, NUMBERS, study.protocol).conservation[name].keeps == ()
    broken = StoredPart(good.sequences, good.images, good.about.model_copy(update={"keeps": {name: ("biases",)}}))
    with pytest.raises(hp.InputError, match=r"expected what absorbs relevance at \d+ places, got 1"):
        restored(broken, NUMBERS, study.protocol)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("class", None, "a value of column class is missing"),
        ("image", None, "a value of column image is missing"),
        ("image", "another.png", "rows are not those of the images"),
        ("number", 14, "rows are not those of the images"),
        ("kept", None, "a value of column kept is missing"),
        ("absorbed", None, "is damaged"),
        ("absorbed", lambda shares: [None, *shares[1:]], "a value of column absorbed is missing"),
        ("absorbed", [], "is damaged"),
        ("aopc", None, "a value of column aopc is missing"),
        ("aopc", float("nan"), "measures must be finite"),
        ("method", "another", "expected rows of"),
    ],
)
def test_a_cell_of_an_image_that_no_run_writes_is_refused(study, column, value, message):
    good = through_files(study.found)
    with pytest.raises(hp.InputError, match=message):
        restored(
            StoredPart(good.sequences, changed(good.images, column, value, 1), good.about), NUMBERS, study.protocol
        )


def test_more_rows_than_a_shard_has_are_refused_before_they_are_decoded(study):
    data = parquet_bytes(stored(study.found, NUMBERS).sequences)
    with pytest.raises(hp.InputError, match=r"a file has \d+ rows; expected at most 3"):
        from_parquet(data, "a file", 3)


def test_positions_that_are_not_those_of_the_marker_are_refused(study):
    with pytest.raises(hp.InputError, match="rows are not those of the images"):
        restored(through_files(study.found), range(5), study.protocol)
    with pytest.raises(hp.InputError, match="its marker has 4 images, its tables have 5"):
        restored(through_files(study.found), range(10, 14), study.protocol)
