"""The catalogue: every measure states what it is, and all that can be measured is measured."""

import numpy as np
import pytest
import torch

from heatproof import perturb
from heatproof.measures import MEASURES, MeasureInputs, aopc, compressed_sizes, measure_all, srg
from heatproof.measures.scores import ALL_REGIONS
from heatproof.perturbation.bounds import order_bounds
from heatproof.perturbation.regions import as_regions, relevance_of_regions
from heatproof.perturbation.subsets import single_region_drops


@pytest.fixture
def given(network, images, heatmaps, perturbed):
    morf, lerf, random = (perturbed(order, replacement="black") for order in ("morf", "lerf", "random"))
    return MeasureInputs(
        morf,
        lerf,
        random,
        relevance=relevance_of_regions(heatmaps, as_regions(4, images)),
        drops=single_region_drops(network, images, morf),
        bounds=order_bounds(network, images, morf),
        sizes=compressed_sizes(images, lerf),
    )


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_states_unit_direction_and_source(name, given):
    measure = MEASURES[name]
    assert f"[{measure.source}]" in measure.function.__doc__.splitlines()[0]
    direction = "igher is better" if measure.higher_is_better else "ower is better"
    assert direction in measure.function.__doc__
    assert "igher is better" in measure.function.__doc__ or "ower is better" in measure.function.__doc__
    assert measure.unit in ("none", "that of the score")
    assert direction in measure.describe()
    assert set(measure.needs) <= set(MeasureInputs.__dataclass_fields__)


def test_all_is_measured_where_all_is_given(given):
    found = measure_all(given)
    assert list(found) == list(MEASURES)
    assert all(values.shape == (3,) and values.dtype == np.float64 for values in found.values())
    assert all(np.isfinite(values).all() for values in found.values())
    np.testing.assert_allclose(found["srg"], srg(given.morf, given.lerf))
    np.testing.assert_allclose(found["srg"], found["mrg"] + found["lrg"])
    np.testing.assert_allclose(found["srg"], found["insertion-auc"] - found["deletion-auc"])
    np.testing.assert_allclose(found["aopc"], aopc(given.morf).double().numpy())


@pytest.mark.parametrize("name", MEASURES)
def test_the_direction_is_right(name, network, images):
    """Occlusion, which looks at what each region takes, beats its opposite in every measure."""
    regions = as_regions(4, images)
    base = {"regions": 4, "replacement": "black", "repeats": 1, "score": "probability", "engine": "full"}
    random = perturb(network, images, order="random", **base)
    drops = single_region_drops(network, images, random)
    fair = torch.stack(
        [torch.from_numpy(fall[0])[index] / 16 for fall, index in zip(drops, regions, strict=True)]
    )  # (3, 12, 12)
    values = []
    for heat in (fair, -fair):
        morf, lerf = (perturb(network, images, heat, order=order, **base) for order in ("morf", "lerf"))
        inputs = MeasureInputs(
            morf,
            lerf,
            random,
            relevance=relevance_of_regions(heat, regions),
            drops=drops,
            bounds=order_bounds(network, images, random),
            sizes=compressed_sizes(images, lerf),
        )
        found = measure_all(inputs)
        values.append(found[name].mean())
    good, bad = values
    assert (good > bad) == MEASURES[name].higher_is_better
    assert good != bad


def test_only_what_can_be_measured_is(perturbed):
    alone = measure_all(MeasureInputs(perturbed("morf")))
    assert alone.keys() >= {"aopc", "relative-drop", "deletion-auc"}
    assert all(MEASURES[name].needs == ("morf",) for name in alone)
    early = measure_all(MeasureInputs(*(perturbed(order, steps=4) for order in ("morf", "lerf", "random"))))
    assert early.keys() >= {"aopc", "abpc", "relative-drop"}
    assert not any(ALL_REGIONS in MEASURES[name].requirements for name in early)
    logarithms = measure_all(MeasureInputs(perturbed("morf", score="log_probability")))
    assert "relative-drop" not in logarithms


def test_what_is_missing_is_said(perturbed, given):
    alone = MeasureInputs(perturbed("morf", steps=4))
    assert MEASURES["aopc"].missing(alone) is None
    assert MEASURES["mrg"].missing(alone) == "needs random"
    assert MEASURES["deletion-auc"].missing(alone).startswith("needs curves to full removal: remove all regions")
    sampled = MeasureInputs(perturbed("morf", scored=4), relevance=given.relevance)
    assert MEASURES["calibration"].missing(sampled).startswith("needs the score after every step")
    assert MEASURES["deletion-auc"].missing(sampled) is None


def test_a_monotone_transform_changes_nothing_but_what_reads_sizes(network, images, heatmaps):
    regions = as_regions(4, images)
    found = []
    for power in (1, 3):
        sums = relevance_of_regions(heatmaps, regions)
        heat = torch.stack(
            [torch.from_numpy(own**power)[index] / 16 for own, index in zip(sums, regions, strict=True)]
        )  # each region's relevance is its own to the third power
        given = {"regions": 4, "repeats": 1, "score": "probability", "engine": "full"}
        morf, lerf = (perturb(network, images, heat, order=order, **given) for order in ("morf", "lerf"))
        found.append(measure_all(MeasureInputs(morf, lerf, relevance=relevance_of_regions(heat, regions))))
    for name in found[0]:
        assert np.array_equal(found[0][name], found[1][name]) == (name != "calibration"), name
