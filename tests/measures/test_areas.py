"""Deletion and insertion AUC, SRG, MRG and LRG: loops that really insert, closed forms, relations between them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from heatproof import InputError, Network, perturb
from heatproof.measures import abpc, deletion_auc, insertion_auc, lrg, mrg, srg
from heatproof.measures.areas import area_under, removed_share

REGIONS = (4, "unequal")
REPLACEMENTS = ("uniform", "blur", "black", "road")


def pixels_of(curves, image):
    """How many pixels each region of a map has, from the shares that curves tell."""
    sizes = torch.zeros(curves.steps, dtype=torch.float64)
    sizes[curves.orders[image, 0]] = curves.removed_fraction[image, 0].diff() * 144
    return [round(float(size)) for size in sizes]


@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("regions", REGIONS)
def test_equal_loops_that_really_remove_and_really_insert(perturbed, scores_without, formulas, regions, replacement):
    """Insertion starts from the image without any region, and puts the most relevant ones back first."""
    morf, lerf = (perturbed(order, regions, replacement=replacement) for order in ("morf", "lerf"))
    deleted, inserted = [], []
    for image in range(3):
        walk, pixels = morf.orders[image, 0].tolist(), pixels_of(morf, image)
        scores = [scores_without(morf, image, repeat) for repeat in range(2)]
        deleted.append(sum(formulas.deletion(score, walk, pixels) for score in scores) / 2)
        inserted.append(sum(formulas.insertion(score, walk, pixels) for score in scores) / 2)
    deleted, inserted = torch.tensor(deleted, dtype=torch.float64), torch.tensor(inserted, dtype=torch.float64)
    assert len(set(deleted.tolist())) == 3
    torch.testing.assert_close(deletion_auc(morf), deleted, rtol=0, atol=1e-6)
    torch.testing.assert_close(insertion_auc(lerf), inserted, rtol=0, atol=1e-6)
    torch.testing.assert_close(srg(morf, lerf), inserted - deleted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("regions", REGIONS)
def test_srg_is_insertion_minus_deletion_and_mrg_plus_lrg(perturbed, regions):
    morf, lerf, random = (perturbed(order, regions) for order in ("morf", "lerf", "random"))
    torch.testing.assert_close(srg(morf, lerf), insertion_auc(lerf) - deletion_auc(morf), rtol=0, atol=1e-12)
    torch.testing.assert_close(srg(morf, lerf), mrg(morf, random) + lrg(lerf, random), rtol=0, atol=1e-12)


def test_with_equal_regions_srg_is_abpc_times_steps_plus_one_over_steps(perturbed):
    """Both curves begin and end with the same image, so the trapezoids' halves at the ends are nothing."""
    for score in ("probability", "logit"):
        morf, lerf = (perturbed(order, score=score) for order in ("morf", "lerf"))
        steps = morf.steps
        assert steps == 9
        expected = abpc(morf, lerf).double() * (steps + 1) / steps
        torch.testing.assert_close(srg(morf, lerf), expected, rtol=1e-5, atol=1e-6)


def test_shares_are_of_what_regions_cover(perturbed):
    """The border of the map of unequal regions never goes and does not count: all regions are all of it."""
    curves = perturbed("morf", "unequal")
    assert float(curves.removed_fraction[..., -1].max()) < 1
    assert torch.equal(removed_share(curves)[..., -1], torch.ones(3, 1, dtype=torch.float64))
    flat = replace(curves, scores=torch.full_like(curves.scores, 0.5))
    torch.testing.assert_close(deletion_auc(flat), torch.full((3,), 0.5, dtype=torch.float64))


@pytest.mark.parametrize("steps", [1, 2, 9, 100])
def test_closed_forms(steps):
    """A straight fall from 6 to 0 has the area 3; all lost at once leaves half a step; nothing lost before the end."""
    straight = torch.linspace(6, 0, steps + 1, dtype=torch.float64)[None]
    torch.testing.assert_close(deletion_auc(straight), torch.tensor([3.0], dtype=torch.float64))
    at_once, at_last = torch.zeros(2, 1, steps + 1, dtype=torch.float64)
    at_once[0, 0], at_last[0, :-1] = 6, 6
    torch.testing.assert_close(deletion_auc(at_once), torch.tensor([3 / steps], dtype=torch.float64))
    torch.testing.assert_close(insertion_auc(at_last), torch.tensor([6 - 3 / steps], dtype=torch.float64))
    torch.testing.assert_close(srg(at_once, at_last), torch.tensor([6 - 6 / steps], dtype=torch.float64))


def test_lerf_is_not_a_step_behind_morf():
    """Where MoRF and LeRF lose the same at every step, nothing lies between them; a step too late would be seen."""
    curve = torch.tensor([[8.0, 4.0, 2.0, 1.0]])
    assert float(srg(curve, curve)) == 0
    late = torch.cat([curve[:, :1], curve[:, :-1]], dim=1)
    assert float(srg(curve, late)) > 1


def test_a_single_region_that_matters_has_a_closed_form(images):
    """f looks at one region of nine: MoRF loses it at step 1, LeRF at step 9."""

    class Corner(torch.nn.Module):
        def forward(self, inputs):
            return inputs[:, :, :4, :4].sum(dim=(1, 2, 3))[:, None]

    heat = torch.zeros(3, 12, 12)
    heat[:, :4, :4] = 1
    options = {"regions": 4, "replacement": "black", "repeats": 1, "engine": "full"}
    morf, lerf = (perturb(Network(Corner()), images, heat, order=order, **options) for order in ("morf", "lerf"))
    begin = images[:, :, :4, :4].sum(dim=(1, 2, 3))
    torch.testing.assert_close(deletion_auc(morf), begin / 18, rtol=1e-6, atol=0)
    torch.testing.assert_close(insertion_auc(lerf), begin * 17 / 18, rtol=1e-6, atol=0)
    torch.testing.assert_close(srg(morf, lerf), begin * 8 / 9, rtol=1e-6, atol=0)


def test_swapping_the_orders_changes_the_sign(perturbed):
    morf, lerf = perturbed("morf").scores, perturbed("lerf").scores
    torch.testing.assert_close(srg(morf, lerf), -srg(lerf, morf))


@pytest.mark.parametrize("regions", REGIONS)
def test_sampled_steps_give_unbiased_areas(perturbed, regions):
    """The mean over many draws of three steps is the area over all steps, also where regions differ in size."""
    full = perturbed("lerf", regions)
    draws = []
    for seed in range(400):
        chosen = torch.from_numpy(_drawn(full.steps, 3, seed))
        scored = torch.nn.functional.pad(chosen, (1, 0)).expand(3, 2, -1)
        sampled = replace(full, scores=full.scores.gather(2, scored), scored=scored)
        draws.append(insertion_auc(sampled))
    draws = torch.stack(draws)
    error = draws.std(dim=0) / len(draws) ** 0.5
    assert bool((error > 0).all())
    assert bool(((draws.mean(dim=0) - insertion_auc(full)).abs() < 4 * error).all())


def _drawn(steps, scored, seed):
    ends = np.arange(scored + 1) * steps // scored
    return np.random.default_rng(seed).integers(ends[:-1] + 1, ends[1:] + 1)


def test_sampled_curves_of_the_product_are_taken_as_they_are(perturbed):
    morf, lerf, random = (perturbed(order, "unequal", scored=3) for order in ("morf", "lerf", "random"))
    assert morf.scores.shape == (3, 2, 4)
    torch.testing.assert_close(srg(morf, lerf), mrg(morf, random) + lrg(lerf, random), rtol=0, atol=1e-12)
    scored = morf.scored[0, 1].tolist()
    share = removed_share(morf)[0, 0].tolist()
    own = [(share[min(k + 1, 6)] - share[max(k - 1, 0)]) / 2 * w for k, w in zip(scored, [1, 2, 2, 2], strict=True)]
    own[0] += 1 - sum(own)  # the untouched image takes what is missing
    area = sum(w * float(f) for w, f in zip(own, morf.scores[0, 1], strict=True))
    assert float(area_under(morf, removed_share(morf))[0, 1]) == pytest.approx(area, abs=1e-9)


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("scored", [1, 2, 3, 5])
def test_a_constant_curve_has_exactly_its_constant_as_area(perturbed, regions, scored):
    """Whichever steps were sampled: else a probability that stays at 1 would have an area of 1.01."""
    curves = perturbed("morf", regions, scored=scored)
    for constant in (1.0, 0.1, 10.27):
        flat = replace(curves, scores=torch.full_like(curves.scores, constant))
        assert set(deletion_auc(flat).tolist()) == {float(torch.tensor(constant))}


def test_with_equal_regions_an_area_lies_between_the_lowest_and_the_highest_score(perturbed):
    """No weight is negative, so that an area under probabilities is one."""
    curves = perturbed("morf", scored=2)
    for seed in range(50):
        random = torch.rand(curves.scores.shape, generator=torch.Generator().manual_seed(seed)).round()
        areas = area_under(replace(curves, scores=random), removed_share(curves))
        assert bool((areas >= random.amin(dim=-1) - 1e-6).all())
        assert bool((areas <= random.amax(dim=-1) + 1e-6).all())


def test_the_first_images_of_curves_over_maps_of_their_own(network, images, heatmaps):
    """Maps of all images stay in the protocol when curves are cut; what is judged are the orders that are left."""
    maps = torch.zeros(3, 12, 12, dtype=torch.int64)
    maps[:, 6:] = 1
    given = {"regions": maps, "repeats": 1, "engine": "full"}
    curves = perturb(network, images, heatmaps, order="morf", **given)
    torch.testing.assert_close(deletion_auc(curves.first(2)), deletion_auc(curves)[:2])
    maps[2, :, 6:] += 2
    curves = perturb(network, images, heatmaps, order="morf", **given)
    assert deletion_auc(curves.first(2)).shape == (2,)
    with pytest.raises(InputError, match="full removal"):
        deletion_auc(curves)


@pytest.mark.parametrize("measure", [deletion_auc, insertion_auc])
def test_curves_that_stop_early_are_refused(perturbed, measure):
    order = "morf" if measure is deletion_auc else "lerf"
    for regions in (4, "unequal", 3):
        with pytest.raises(InputError, match=f"{measure.__name__} needs curves to full removal; remove all regions"):
            measure(perturbed(order, regions, steps=4))


def test_gains_of_curves_that_stop_early_are_refused(perturbed):
    morf, lerf, random = (perturbed(order, steps=8) for order in ("morf", "lerf", "random"))
    for measure, pair in ((srg, (morf, lerf)), (mrg, (morf, random)), (lrg, (lerf, random))):
        with pytest.raises(InputError, match="needs curves to full removal"):
            measure(*pair)


def test_a_map_whose_last_region_stays_is_not_full_removal(perturbed):
    """The order 0 … 4 of six regions looks complete; the map tells."""
    first = torch.arange(5).expand(3, -1)
    curves = perturbed(first, "unequal")
    with pytest.raises(InputError, match="full removal"):
        deletion_auc(replace(curves, order="morf"))


def test_curves_of_other_orders_or_images_are_refused(perturbed):
    morf, lerf = perturbed("morf"), perturbed("lerf")
    with pytest.raises(InputError, match="srg needs curves of order 'lerf', got 'morf'"):
        srg(lerf, morf)
    with pytest.raises(InputError, match="deletion_auc needs curves of order 'morf', got 'lerf'"):
        deletion_auc(lerf)
    with pytest.raises(InputError, match="same images, got 3 in morf and 3 in lerf, but not the same"):
        srg(replace(morf, images=("a", "b", "c")), lerf)
    with pytest.raises(InputError, match=r"same images, got 2 in morf and 3 in lerf$"):
        srg(torch.zeros(2, 4), torch.zeros(3, 4))


@pytest.mark.parametrize("shape", [(3,), (2, 0), (1, 1, 1, 2)])
def test_scores_of_another_shape(shape):
    with pytest.raises(InputError, match="scores must have shape"):
        deletion_auc(torch.zeros(shape))
