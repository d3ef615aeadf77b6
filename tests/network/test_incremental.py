"""After any changes, incremental inference gives what the network gives for the changed images."""

import itertools
from dataclasses import replace
from math import inf

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import Followed, balanced, cases, rectangles
from torch import nn

import heatproof as hp
from heatproof.network.incremental import (
    DirtyRegions,
    FeatureCache,
    IncrementalState,
    Tail,
    cheapest,
    dirty_regions,
    leanest,
    measure,
    whole_plan,
)
from heatproof.network.incremental.feature_cache import Border
from heatproof.network.operations.call import Call, Variable
from heatproof.network.operations.operation import Reach
from heatproof.network.operations.pooling import MaxPool, MeanPool
from heatproof.network.operations.rearrangement import Pad
from heatproof.network.operations.weighted import Convolution

aten = torch.ops.aten


def plan_of(module, shape=(3, 16, 19), size=3, seed=0):
    """The whole plan of a module in float64, for rectangles everywhere."""
    places = rectangles(shape[1:], size, torch.Generator().manual_seed(seed))
    return whole_plan(hp.Network(module).graph(shape), places)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def assert_follows(plan, *, steps=10, tolerance=1e-12, dtype=torch.float64, images=2, **options):
    """The plan's outputs equal full evaluation after each step, relative to the largest logit."""
    found, expected = Followed(plan, noise(images, *plan.graph.input_shape, dtype=dtype), **options).outputs(steps)
    assert found.shape == expected.shape
    assert bool(expected.isfinite().all()), "the case is no test"
    difference = float((found - expected).abs().max())
    assert difference <= tolerance * float(expected.abs().max()), f"{difference:.3g} of {expected.abs().max():.3g}"
    return found, expected


# --- what a change touches: against torch, position by position


def convolution(kernel, stride, padding, dilation):
    """One of ones: sums of whole numbers are exact, so an output that reads no changed pixel has the same bits."""
    return Convolution(torch.ones(1, 1, *kernel, dtype=torch.float64), None, stride, padding, dilation, 1)


def max_pool(kernel, stride, padding, dilation, ceil_mode):
    pixels = Variable("x", (1, 0, 0))
    given = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
    return MaxPool(Call(aten.max_pool2d.default, {"self": pixels} | {k: listed(v) for k, v in given.items()}))


def mean_pool(kernel, stride, padding, ceil_mode, include):
    pixels = Variable("x", (1, 0, 0))
    given = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode, count_include_pad=include)
    arguments = {"self": pixels, "divisor_override": None} | {k: listed(v) for k, v in given.items()}
    return MeanPool(Call(aten.avg_pool2d.default, arguments))


def padded(amounts, value):
    pixels = Variable("x", (1, 0, 0))
    return Pad(Call(aten.pad.default, {"self": pixels, "pad": list(amounts), "mode": "constant", "value": value}))


def listed(value):
    return list(value) if isinstance(value, tuple) else value


def assert_touches(operation, shape, *, tight=True, seed=0):
    """Outputs outside the rectangles stay bit for bit; the rectangles are no larger than they must be."""
    generator = torch.Generator().manual_seed(seed)
    places = rectangles(shape, 3, generator, random=4)
    before = torch.randint(1, 9, (1, 1, *shape), generator=generator, dtype=torch.float64)
    images = before.repeat(places.first.shape[1], 1, 1, 1)
    for image, (top, left), (bottom, right) in zip(images, places.first.T, places.last.T, strict=True):
        image[:, top : bottom + 1, left : right + 1] += 100  # all pixels: whoever reads one of them changes
    old, new = operation.evaluate(before), operation.evaluate(images)
    reach = operation.reach((1, *shape))
    dirty = places.through(reach, tuple(old.shape[2:]))
    changed = (new != old)[:, 0]
    for number, one in enumerate(changed):
        first, last = dirty.first[:, number], dirty.last[:, number]
        assert bool((first <= last).all()), "an empty rectangle"
        assert bool((first >= 0).all())
        assert bool((last < torch.tensor(one.shape)).all())
        found = one.nonzero()
        if len(found):
            assert bool((found.amin(dim=0) >= first).all()), (number, dirty)
            assert bool((found.amax(dim=0) <= last).all()), (number, dirty)
        if tight and len(found):
            assert torch.equal(found.amin(dim=0), first)
            assert torch.equal(found.amax(dim=0), last)
        if tight and not len(found):
            # where no output reads the pixels, the rectangle is one position thick at least on one axis
            assert bool((first == last).any())


EVERY = list(itertools.product([1, 2, 3, 5, 7], [1, 2, 3, 4], [0, 1, 2, 3], [1, 2]))


@pytest.mark.parametrize("shape", [(13, 14), (16, 15)], ids=str)
def test_convolutions_touch_what_they_change(shape):
    for kernel, stride, padding, dilation in EVERY:
        operation = convolution((kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation))
        assert_touches(operation, shape, tight=dilation == 1)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("shape", [(13, 14), (16, 15)], ids=str)
def test_pools_touch_what_they_change(shape, ceil_mode):
    for kernel, stride, padding, dilation in EVERY:
        if padding > kernel // 2:
            continue  # torch refuses these
        pair = (kernel, kernel), (stride, stride), (padding, padding)
        assert_touches(max_pool(*pair, (dilation, dilation), ceil_mode), shape, tight=dilation == 1)
        if dilation == 1:
            for include in (False, True):
                assert_touches(mean_pool(*pair, ceil_mode, include), shape)


@pytest.mark.parametrize("amounts", [(0, 0), (2, 0), (1, 3, 0, 2), (0, 1, 3, 0), (0, 0, 0, 0)], ids=str)
def test_borders_move_what_changes(amounts):
    assert_touches(padded(amounts, -3.0), (13, 14))


pairs = st.tuples(st.integers(1, 7), st.integers(1, 7))
sizes = st.tuples(st.integers(7, 20), st.integers(7, 20))


@settings(max_examples=150, deadline=None)
@given(sizes, pairs, pairs, st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(0, 99))
def test_convolutions_of_any_form_touch_what_they_change(shape, kernel, stride, padding, seed):
    assert_touches(convolution(kernel, stride, padding, (1, 1)), shape, seed=seed)


@settings(max_examples=150, deadline=None)
@given(sizes, pairs, pairs, st.tuples(st.integers(0, 4), st.integers(0, 4)), st.booleans(), st.integers(0, 99))
def test_pools_of_any_form_touch_what_they_change(shape, kernel, stride, padding, ceil_mode, seed):
    allowed = tuple(min(amount, size // 2) for amount, size in zip(padding, kernel, strict=True))
    assert_touches(max_pool(kernel, stride, allowed, (1, 1), ceil_mode), shape, seed=seed)
    assert_touches(mean_pool(kernel, stride, allowed, ceil_mode, ceil_mode), shape, seed=seed)


@settings(max_examples=100, deadline=None)
@given(sizes, st.tuples(*[st.integers(0, 4)] * 4), st.integers(0, 99))
def test_borders_of_any_form_move_what_changes(shape, amounts, seed):
    assert_touches(padded(amounts, 0.5), shape, seed=seed)


@pytest.mark.parametrize("value", [0.0, None, 7.5, -inf], ids=str)
def test_a_border_is_filled_with_its_value(value):
    reach = padded((1, 2, 3, 4), value).reach((1, 5, 5))
    assert reach == Reach(padding=(3, 1), fill=value or 0.0)


@pytest.mark.parametrize("amounts", [(-1, 0), (0, 0, 0, -2), (0, 0, 0, 0, 1, 0)], ids=str)
def test_what_a_border_cannot_say_is_evaluated_in_full(amounts):
    """Cropping, and additional channels."""
    assert padded(amounts, 0.0).reach((1, 5, 5)) is None


def test_rectangles_lie_around_regions():
    regions = torch.full((6, 7), -1)
    regions[1:3, 2:5] = 0
    regions[5, 6], regions[0, 0] = 1, 1  # a region need not hang together
    regions[3, 0] = 2
    dirty = dirty_regions(regions[None])
    assert dirty.first.T.tolist() == [[1, 2], [0, 0], [3, 0]]
    assert dirty.last.T.tolist() == [[2, 4], [5, 6], [3, 0]]
    assert dirty.shape == (6, 7)
    assert dirty.size == (6, 7)


def test_regions_of_several_maps_are_counted_through():
    one, other = torch.full((4, 5), -1), torch.full((4, 5), -1)
    one[0, 0], one[1, 1:3] = 0, 1
    other[3, 4], other[2, 2], other[1, 0] = 0, 1, 2
    dirty = dirty_regions(torch.stack([one, other]))
    assert dirty.first.T.tolist() == [[0, 0], [1, 1], [0, 0], [3, 4], [2, 2], [1, 0]]
    assert dirty.last.T.tolist() == [[0, 0], [1, 2], [0, 0], [3, 4], [2, 2], [1, 0]]
    assert dirty.size == (1, 2)
    assert dirty.starts.T.tolist() == [[0, 0], [1, 1], [0, 0], [3, 3], [2, 2], [1, 0]]  # moved into the map


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6), st.integers(0, 99))
def test_rectangles_around_any_regions_are_the_smallest(height, width, number, seed):
    regions = torch.randint(-1, number, (2, height, width), generator=torch.Generator().manual_seed(seed))
    number = int(regions.max()) + 1
    dirty = dirty_regions(regions)
    assert dirty.first.shape == (2, 2 * number)
    for image, region in itertools.product(range(2), range(number)):
        found = (regions[image] == region).nonzero()
        if len(found):
            assert torch.equal(dirty.first[:, image * number + region], found.amin(dim=0))
            assert torch.equal(dirty.last[:, image * number + region], found.amax(dim=0))


def test_windows_hold_their_rectangles_and_lie_inside_the_map():
    places = rectangles((17, 23), 5, torch.Generator().manual_seed(0), random=30)
    ends = places.starts + torch.tensor(places.size)[:, None]
    assert places.size == (5, 5)
    assert bool((places.starts >= 0).all() and (places.starts <= places.first).all())
    assert bool((ends <= torch.tensor([[17], [23]])).all() and (ends > places.last).all())


def test_windows_of_a_map_are_cut_out():
    places = DirtyRegions(torch.tensor([[0, 2], [1, 3]]), torch.tensor([[1, 3], [2, 3]]), (4, 4))
    values = torch.arange(16).reshape(4, 4)
    assert places.windows(values).tolist() == [[[1, 2], [5, 6]], [[10, 11], [14, 15]]]


# --- random networks


def plans_of(case, draw):
    places = rectangles(case.shape[1:], case.region, torch.Generator().manual_seed(0))
    whole = whole_plan(hp.Network(case.module).graph(case.shape), places)
    names = [node.name for node in whole.graph if node.name in whole.head]
    return {
        "whole": whole,
        "leanest": leanest(whole),
        "cut": whole.cut(names[: draw(st.integers(0, len(names)), label="nodes on windows")]),
    }


def check_random_network(case, draw):
    windows = draw(st.integers(1, 3), label="windows at once")
    batch_size = draw(st.sampled_from([1, 7]), label="batch size")
    for name, plan in plans_of(case, draw).items():
        try:
            assert_follows(plan, steps=8, windows=windows, batch_size=batch_size)
        except Exception as error:
            error.add_note(f"in the plan {name!r}")
            raise


RANDOM = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=60, **RANDOM)
@given(cases(), st.data())
def test_random_networks_follow_random_changes(case, data):
    check_random_network(case, data.draw)


@pytest.mark.slow
@settings(max_examples=1000, **RANDOM)
@given(cases(most=10), st.data())
def test_many_random_networks_follow_random_changes(case, data):
    check_random_network(case, data.draw)


# --- networks of our own


class Own(nn.Module):
    """Some layers, and a forward function of a test's own; its maps become scores by their means."""

    def __init__(self, forward):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.other = nn.Conv2d(4, 4, 3, padding=1)
        self.small = nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)
        self._forward = forward

    def forward(self, x):
        return self.head(self._forward(self, x).mean((2, 3)))


def own(forward, shape=(3, 16, 19)):
    return balanced(Own(forward), shape)


def chain(m, x):
    return m.small(F.relu(m.stem(x)))


def negative_maxima(m, x):
    """A padded maximum of negative values, and a padded convolution of the same: two borders of one value."""
    y = F.relu(m.stem(x)) * -1.0 - 1.0
    return torch.cat([m.other(y), F.max_pool2d(y, 3, 1, 1), m.small(y)], dim=1)[:, 2:6]


def several_borders(m, x):
    """One value with borders of four kinds, of different widths on each side."""
    y = m.stem(x)
    fives = F.max_pool2d(F.pad(y, (3, 0, 1, 2), value=5.0), 4, stride=1)
    zeros = F.max_pool2d(F.pad(y, (0, 1, 1, 0)), 2, stride=1)
    return fives + zeros + F.max_pool2d(y, 3, 1, 1) + m.other(y)


def two_widths(m, x):
    """One value with two borders of zeros, the wider one first."""
    y = m.stem(x)
    return F.avg_pool2d(y, 5, 1, 2) + m.other(y)


def side_by_side_in_space(m, x):
    """Below one another, not channel by channel."""
    y = m.stem(x)
    return m.other(torch.cat([y, m.small(y)], dim=2))


def cropped(m, x):
    """As a slice, which moves what it keeps, and as a border below zero."""
    return m.other(F.pad(m.stem(x)[:, :, 2:, :-3], (-1, 2)))


def relu_of_a_value_read_elsewhere(m, x):
    y = m.stem(x)
    return F.relu(y) + y


def relu_in_place_read_later(m, x):
    y = m.stem(x)
    y.relu_()
    return m.other(y) + y


def twice_the_same(m, x):
    y = m.stem(x)
    return m.other(y + y) * y


def image_read_late(m, x):
    return m.stem(F.relu(m.other(m.stem(x)))[:, :3] + x)


def places_added(m, x):
    rows = torch.arange(x.shape[2], dtype=x.dtype)[:, None]
    return m.other(F.relu(m.stem(x) + 0.1 * rows))


def gated(m, x):
    y = F.relu(m.stem(x))
    return m.other(y * torch.sigmoid(m.small(y.mean((2, 3), keepdim=True))))


def reflected(m, x):
    return m.other(F.pad(m.stem(x), (2, 1, 1, 2), mode="reflect"))


def mean_over_fewer(m, x):
    return m.other(F.avg_pool2d(m.stem(x), 3, 2, 1, ceil_mode=True, count_include_pad=False))


def mean_with_a_divisor(m, x):
    return m.other(F.avg_pool2d(m.stem(x), 3, 2, 1, ceil_mode=True, divisor_override=2))


def norm_on_its_own(m, x):
    return F.relu(m.norm(F.relu(m.stem(x))))


def even_bins(m, x):
    return m.other(F.adaptive_max_pool2d(m.stem(x), (4, 19)) + F.adaptive_avg_pool2d(m.stem(x), (4, 19)))


FORWARDS = [
    chain, negative_maxima, several_borders, two_widths, side_by_side_in_space, cropped, image_read_late, places_added,
    relu_of_a_value_read_elsewhere, relu_in_place_read_later, twice_the_same, gated, reflected, mean_over_fewer,
    mean_with_a_divisor, norm_on_its_own, even_bins,
]  # fmt: skip


@pytest.mark.parametrize("windows", [1, 4])
@pytest.mark.parametrize("forward", FORWARDS)
def test_every_cut_of_a_network_follows(forward, windows):
    whole = plan_of(own(forward))
    names = [node.name for node in whole.graph if node.name in whole.head]
    for number in range(len(names) + 1):
        assert_follows(whole.cut(names[:number]), windows=windows, steps=10)


@pytest.mark.parametrize("size", [1, 7, 16], ids=lambda size: f"regions of {size}")
def test_regions_of_any_size_follow(size):
    assert_follows(plan_of(own(negative_maxima), size=size), steps=12, windows=2)


@pytest.mark.parametrize(("sequences", "batch_size"), [(1, 1), (1, 4), (5, 3), (3, 9), (4, 10)])
def test_any_number_of_sequences_and_size_of_batches_follow(sequences, batch_size):
    """Several steps wait in the tail, or one step is more than a batch."""
    whole = plan_of(own(chain))
    for plan in (whole, whole.cut([])):
        assert_follows(plan, steps=11, sequences=sequences, batch_size=batch_size, images=min(3, sequences))


def test_windows_of_equal_size_in_other_places_are_told_apart():
    """A sum of two values whose windows are as large as its own, but begin elsewhere where the region is small."""

    def shifted(m, x):
        y = m.stem(x)
        return F.max_pool2d(F.pad(y, (0, 1)), (1, 2), 1) + F.relu(F.avg_pool2d(F.pad(y, (1, 0)), (1, 2), 1))

    wide_in_the_corner = DirtyRegions(torch.tensor([[0, 5], [0, 9]]), torch.tensor([[2, 5], [2, 9]]), (16, 19))
    plan = whole_plan(hp.Network(own(shifted)).graph((3, 16, 19)), wide_in_the_corner)
    (total,) = [step for step in plan.steps if type(step.node.operation).__name__ == "Add"]
    assert any(plan.dirty[name].size == total.dirty.size for name in total.node.inputs), "the case is another"
    assert any(plan.dirty[name].starts.ne(total.dirty.starts).any() for name in total.node.inputs)
    assert_follows(plan, windows=2)


def test_hundred_steps_in_float32_are_as_exact_as_one():
    """Errors do not add up: each step computes what it touches from values that were computed once."""
    module = own(lambda m, x: m.other(F.relu(m.norm(m.other(F.relu(m.stem(x)))))))
    plan = plan_of(module.float())
    found, expected = Followed(plan, noise(2, 3, 16, 19, dtype=torch.float32), windows=2).outputs(100)
    spread = float(expected.max() - expected.min())
    assert found.dtype == torch.float32
    assert float((found - expected).abs().max()) <= 1e-5 * spread


def test_the_untouched_images_are_evaluated_too():
    whole, images = plan_of(own(chain)), noise(3, 3, 16, 19)
    for plan in (whole, whole.cut([])):
        with torch.inference_mode():
            trajectories = IncrementalState(plan, images, torch.tensor([2, 0, 1, 0]), batch_size=2)
            tail = Tail(trajectories, 2)
            tail.put(trajectories.untouched)
            assert not tail.full  # 3 images, room for 4
            found = tail.finish()
        torch.testing.assert_close(found, plan.graph.evaluate(images.clone()), rtol=1e-12, atol=1e-12)


def test_a_change_changes_the_output():
    """Else the other tests would prove nothing."""
    _, expected = assert_follows(plan_of(own(chain)), steps=6, sequences=1, images=1)
    assert float(expected.diff(dim=0).abs().amax(dim=1).min()) > 1e-4 * float(expected.abs().max())


# --- maps in memory

BORDER = Border((2, 1), (0, 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.int64], ids=str)
def test_windows_are_read_where_they_were_written(dtype):
    maps = FeatureCache(3, (2, 6, 7), border=BORDER, like=torch.zeros(0, dtype=dtype))
    expected = torch.zeros(3, 2, 6, 7, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        index, starts = torch.tensor([0, 2]), torch.randint(4, (2, 2), generator=generator)
        windows = torch.randint(1, 99, (2, 2, 3, 4), generator=generator).to(dtype)
        maps.write(index, starts, windows)
        for number, (top, left) in zip(index, starts.T, strict=True):
            expected[number, :, top : top + 3, left : left + 4] = windows[0 if number == 0 else 1]
        assert torch.equal(maps.read(index, starts, (3, 4)), windows)
        assert torch.equal(maps.values, expected)
    assert maps.values.shape == (3, 2, 6, 7)


@pytest.mark.parametrize("fill", [0.0, -inf, 2.5], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_the_border_keeps_what_it_holds(fill, dtype):
    maps = FeatureCache(2, (3, 5, 4), border=BORDER, fill=fill, like=torch.zeros(0, dtype=dtype))
    for top, left in itertools.product(range(3), range(2)):
        windows = noise(2, 3, 3, 3, seed=top).to(dtype)
        maps.write(torch.arange(2), torch.tensor([[top, top], [left, left]]), windows)
    everything = maps.read(torch.arange(2), torch.tensor([[-2, -2], [-1, -1]]), (7, 8))  # with its border
    inside = torch.zeros(7, 8, dtype=torch.bool)
    inside[2:7, 1:5] = True
    assert maps.size == (7, 8)
    assert bool((everything[..., ~inside] == fill).all())
    assert torch.equal(everything[..., inside].unflatten(-1, (5, 4)), maps.values)
    assert bool((everything[..., inside] != fill).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_overlapping_windows_that_agree_are_written(dtype):
    values = noise(2, 3, 8, 9, dtype=dtype)
    maps = FeatureCache(2, (3, 8, 9), border=BORDER, like=values)
    index = torch.tensor([0, 0, 0, 1, 1])
    starts = torch.tensor([[0, 1, 3, 2, 2], [0, 2, 1, 4, 4]])
    windows = torch.stack(
        [values[n, :, top : top + 4, left : left + 5] for n, (top, left) in zip(index, starts.T, strict=True)]
    )
    maps.write(index, starts, windows)
    written = torch.zeros(2, 8, 9, dtype=torch.bool)
    for n, (top, left) in zip(index, starts.T, strict=True):
        written[n, top : top + 4, left : left + 5] = True
    assert torch.equal(maps.values, torch.where(written[:, None], values, 0))


def test_maps_of_values_are_copies():
    values = noise(2, 3, 4, 5)
    before, maps = values.clone(), FeatureCache.of(values)
    assert torch.equal(maps.values, values)
    maps.write(torch.tensor([1]), torch.tensor([[0], [0]]), torch.ones(1, 3, 2, 2, dtype=torch.float64))
    assert torch.equal(values, before)


def test_windows_that_are_no_block_of_memory_are_written():
    """As channels come out of a convolution or a slice, in any layout."""
    values = noise(2, 6, 3, 4)
    for windows in (values[:, 1:4], values.contiguous(memory_format=torch.channels_last)[:, ::2], values[:1, :3]):
        maps = FeatureCache(2, (3, 5, 6), like=values)
        count = len(windows)
        maps.write(torch.arange(count), torch.ones(2, count, dtype=torch.int64), windows)
        assert torch.equal(maps.values[:count, :, 1:4, 1:5], windows)


def test_borders_join_to_the_widest():
    assert Border((1, 0), (2, 5)).joined(Border((0, 3), (4, 1))) == Border((1, 3), (4, 5))
    assert Border((1, 0), (2, 5)).around((10, 20)) == (13, 25)


# --- nothing of the caller's is touched


@pytest.mark.parametrize("forward", [chain, relu_in_place_read_later, twice_the_same, image_read_late])
@pytest.mark.parametrize("part", [0, 0.5, 1], ids=["all in full", "half", "whole"])
def test_nothing_of_the_caller_changes_and_results_stay(forward, part):
    whole = plan_of(own(forward))
    names = [node.name for node in whole.graph if node.name in whole.head]
    plan = whole.cut(names[: int(part * len(names))])
    images, owners = noise(2, 3, 16, 19), torch.tensor([0, 1, 0])
    trajectories = IncrementalState(plan, images, owners, batch_size=2)
    tail = Tail(trajectories, 3)
    seen = [(images, images.clone()), (owners, owners.clone())]
    seen += [(value, value.clone()) for value in trajectories.untouched]
    size = plan.dirty[plan.graph.input].size
    for step in range(5):
        regions = torch.tensor([[step], [step + 1], [step + 2]])
        pixels = noise(3, 3, *size, seed=step)
        seen += [(regions, regions.clone()), (pixels, pixels.clone())]
        tail.put(trajectories.change(regions, pixels))
        output = tail.finish()
        seen.append((output, output.clone()))
    for value, as_it_was in seen:
        assert torch.equal(value, as_it_was)


def test_images_do_not_follow_the_caller_s_later_changes():
    """The images may be overwritten once they were given."""
    plan, images = plan_of(own(chain)), noise(2, 3, 16, 19)
    followed = Followed(plan, images, sequences=2)
    images.zero_()
    found, expected = followed.outputs(3)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_sequences_of_one_image_do_not_touch_each_other():
    plan, images = plan_of(own(chain)), noise(1, 3, 16, 19)
    trajectories = IncrementalState(plan, images, torch.zeros(2, dtype=torch.int64), batch_size=1)
    tail = Tail(trajectories, 2)
    pixels = torch.stack([images[0, :, :3, :3], noise(3, 3, 3, seed=1)])  # region 0 is the first corner
    tail.put(trajectories.change(torch.zeros(2, 1, dtype=torch.int64), pixels))
    same, other = tail.finish()
    torch.testing.assert_close(same, plan.graph.evaluate(images)[0], rtol=1e-12, atol=1e-12)
    assert float((same - other).abs().max()) > 1e-6


# --- what a plan keeps


def kinds(plan, names):
    operations = {node.name: type(node.operation).__name__ for node in plan.graph}
    return sorted(operations.get(name, "image") for name in names)


def kept_kinds(plan):
    return kinds(plan, [name for name, _ in plan.kept])


def test_what_nothing_reads_is_not_kept():
    """Of convolution, ReLU and 1×1 convolution all windows are at hand: kept are the image and what the tail reads."""
    plan = plan_of(own(chain))
    assert kinds(plan, plan.head) == ["Convolution", "Convolution", "ReLU"]
    assert kept_kinds(plan) == ["Convolution", "image"]
    assert [name for name, _ in plan.kept if name != plan.graph.input] == list(plan.crossing)


def test_what_a_padded_convolution_reads_is_kept_with_its_border():
    plan = plan_of(own(lambda m, x: m.other(F.relu(m.stem(x)))))
    borders = {plan.graph.input: Border((1, 1), (1, 1))}
    (relu,) = [node.name for node in plan.graph if type(node.operation).__name__ == "ReLU"]
    borders[relu] = Border((1, 1), (1, 1))
    borders |= dict.fromkeys(plan.crossing, Border())
    assert {name: border for (name, _), border in plan.kept.items()} == borders


def test_a_value_read_with_two_fills_is_kept_twice():
    plan = plan_of(own(negative_maxima))
    fills = [[fill for kept, fill in plan.kept if kept == name] for name, _ in plan.kept]
    assert sorted(fills, key=len)[-1] in ([0.0, -inf], [-inf, 0.0])


def test_a_value_at_hand_and_read_elsewhere_is_kept_once():
    plan = plan_of(own(relu_of_a_value_read_elsewhere))
    assert kept_kinds(plan) == ["Add", "image"]  # ReLU and sum have the window of the convolution at hand


@pytest.mark.parametrize("forward", FORWARDS)
def test_the_image_is_always_kept(forward):
    """Each change gives its windows, the tail may want all of it."""
    whole = plan_of(own(forward))
    names = [node.name for node in whole.graph if node.name in whole.head]
    for number in range(len(names) + 1):
        plan = whole.cut(names[:number])
        assert plan.graph.input in {name for name, _ in plan.kept}
        reads = {(read.name, read.fill) for step in plan.steps for read in step.reads if read is not None}
        for name, fill in plan.kept:
            assert name in (plan.graph.input, *plan.crossing) or name in {read for read, _ in reads}, (name, fill)


@pytest.mark.parametrize("forward", FORWARDS)
def test_head_and_tail_share_the_nodes(forward):
    whole = plan_of(own(forward))
    names = [node.name for node in whole.graph if node.name in whole.head]
    for number in range(len(names) + 1):
        plan = whole.cut(names[:number])
        head, tail = {step.node.name for step in plan.steps}, {node.name for node in plan.tail.nodes}
        assert head == set(names[:number])
        assert head.isdisjoint(tail)
        assert head | tail == {node.name for node in plan.graph}
        read = {name for node in plan.tail.nodes for name in node.inputs}
        assert set(plan.crossing) == read - tail
        assert len(set(plan.crossing)) == len(plan.crossing)


def test_without_a_head_the_image_crosses():
    plan = plan_of(own(chain)).cut([])
    assert plan.steps == ()
    assert plan.crossing == (plan.graph.input,)
    assert plan.kept == {(plan.graph.input, 0.0): Border()}
    assert plan.window_values == 0


def test_kept_values_are_counted_with_their_borders():
    plan = plan_of(own(lambda m, x: m.other(F.relu(m.stem(x)))))
    assert plan.kept_values == 3 * 18 * 21 + 4 * 18 * 21 + 4 * 16 * 19
    with torch.inference_mode():
        trajectories = IncrementalState(plan, noise(1, 3, 16, 19), torch.zeros(2, dtype=torch.int64), batch_size=1)
    assert sum(maps.memory.numel() for maps in trajectories.caches.values()) == 2 * plan.kept_values


# --- which plan


def two_convolutions():
    """3 → 4 → 2 channels on 12 × 12; a window of 2 × 2 becomes one of 4 × 4, and one of 6 × 6."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 5),
    ).double()  # fmt: skip


FIRST, SECOND, DENSE = 3 * 4 * 9, 4 * 2 * 9, 2 * 5  # weights


@pytest.mark.parametrize(
    ("windows", "expected", "convolutions"),
    [
        (1, FIRST * 16 + SECOND * 36 + DENSE, 2),
        (3, 3 * (FIRST * 16 + SECOND * 36) + DENSE, 2),
        (5, 5 * FIRST * 16 + SECOND * 144 + DENSE, 1),  # 5 · 36 > 144
        (10, FIRST * 144 + SECOND * 144 + DENSE, 0),  # 10 · 16 > 144
    ],
)
def test_the_leanest_plan_needs_as_many_multiply_adds_as_counted_by_hand(windows, expected, convolutions):
    plan = leanest(replace(plan_of(two_convolutions(), shape=(3, 12, 12), size=2), windows=windows))
    assert plan.multiply_adds == expected
    assert sum(isinstance(step.node.operation, Convolution) for step in plan.steps) == convolutions
    assert_follows(plan, windows=windows, steps=10)


def test_the_leanest_plan_needs_no_more_than_any_other():
    for forward in FORWARDS:
        for windows in (1, 3, 9):
            whole = replace(plan_of(own(forward)), windows=windows)
            names = [node.name for node in whole.graph if node.name in whole.head]
            all_cuts = [whole.cut(names[:number]).multiply_adds for number in range(len(names) + 1)]
            assert leanest(whole).multiply_adds == min(all_cuts)


def test_the_cheapest_plan_by_measured_costs_follows():
    whole = plan_of(two_convolutions(), shape=(3, 12, 12), size=2)
    costs = measure(whole, noise(1))
    assert set(costs.windows) == set(whole.head)
    assert set(costs.full) == {node.name for node in whole.graph}
    assert min(costs.windows.values()) > 0
    for windows in (1, 100):
        assert_follows(cheapest(replace(whole, windows=windows), costs), windows=2, steps=10)
    assert not cheapest(replace(whole, windows=10_000), costs).head
