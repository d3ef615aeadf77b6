"""Both engines give the same scores, whatever is removed; progress, memory and refusals do not depend on the engine."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from heatproof import Network, perturb
from heatproof.errors import InputError
from heatproof.network.incremental import dirty_regions
from heatproof.perturbation import Protocol, perturb_orders
from heatproof.perturbation.engine import ENGINES, choose_for, evaluate, evaluate_fully
from heatproof.perturbation.incremental import evaluate_incrementally
from heatproof.perturbation.orders import orders_of_heatmaps, random_orders, scored_steps
from heatproof.perturbation.perturbing import perturb_scores
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.scores import SCORES, logit
from heatproof.perturbation.trajectories import Trajectories
from heatproof.randomness import identify

DTYPES = [torch.float32, torch.float64]
MEMORY = 2**30
TINY = 200_000  # bytes: few sequences at once


class Residual(nn.Module):
    """A stem with a stride, padded maxima of a value below zero, a residual block and a gate."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 5, stride=2, padding=2)
        self.norm = nn.BatchNorm2d(6)
        self.inner = nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.last = nn.Conv2d(12, 8, 3, stride=2)
        self.gate = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.norm(self.stem(x))
        x = torch.cat([F.relu(self.inner(x)) + x, F.max_pool2d(x - 2, 3, 1, 1)], dim=1)
        x = F.silu(self.last(x))
        x = x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        return self.head(x.mean((2, 3)))


def flat():
    """Without a pool at the end: the dense layer knows places (18 × 18 images only)."""
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.ReLU(),
        nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), nn.Flatten(), nn.Linear(6 * 4 * 4, 4),
    )  # fmt: skip


MODULES = {"residual": Residual, "flat": flat}


@pytest.fixture(scope="module")
def made():
    """Makes the networks with random weights, large enough for scores of some size."""
    known = {}

    def make(name="residual", dtype=torch.float64):
        if (name, dtype) not in known:
            with torch.random.fork_rng():
                torch.manual_seed(5)
                module = MODULES[name]()
                for part in module.modules():
                    if isinstance(part, nn.Conv2d | nn.Linear):
                        nn.init.normal_(part.weight, std=2 / part.weight[0].numel() ** 0.5)
            known[name, dtype] = Network(module.to(dtype))
        return known[name, dtype]

    return make


def assert_same(actual, expected, tolerance):
    """To a share of the range of the scores, which must not be trivial."""
    spread = float(expected.max() - expected.min())
    assert spread > 0.05, "the case is trivial"
    assert float(expected.double().diff(dim=-1).abs().mean()) > 1e-3 * spread, "what is removed does not matter"
    assert actual.shape == expected.shape
    difference = float((actual.double() - expected.double()).abs().max())
    assert difference <= tolerance * spread, f"{difference:.3g} of {spread:.3g}"


TOLERANCES = {torch.float32: 1e-5, torch.float64: 2e-7}  # curves are in float32, whatever the network


# --- perturb


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", MODULES)
def test_engines_give_the_same_curves(made, pictures, heats, name, dtype, order, repeats):
    network, images, heatmaps = made(name, dtype), pictures(3), heats(3)
    full, incremental, auto = (
        perturb(network, images, heatmaps, order=order, regions=3, repeats=repeats, engine=engine)
        for engine in ("full", "incremental", "auto")
    )
    for other in (incremental, auto):
        assert_same(other.scores, full.scores, TOLERANCES[dtype])
        assert torch.equal(other.orders, full.orders)
        assert torch.equal(other.removed_fraction, full.removed_fraction)
        assert torch.equal(other.targets, full.targets)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(18, 18, 5), (20, 31, 9), (35, 19, 4), (17, 23, 1), (19, 18, 18)]
)
def test_engines_agree_where_regions_do_not_fill_the_image(made, pictures, heats, height, width, size):
    network, images, heatmaps = made(), pictures(2, height, width), heats(2, height, width)
    full, incremental = (
        perturb(network, images, heatmaps, regions=size, repeats=2, engine=engine) for engine in ("full", "incremental")
    )
    assert_same(incremental.scores, full.scores, TOLERANCES[torch.float64])


def superpixels(number, height=18, width=18, seed=0):
    """(H, W) each pixel belongs to the nearest of some random points."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randperm(height * width, generator=generator)[:number]
    rows, columns = (points // width)[:, None, None], (points % width)[:, None, None]
    here = torch.arange(height)[:, None], torch.arange(width)
    return ((rows - here[0]) ** 2 + (columns - here[1]) ** 2).argmin(dim=0)


def speckles(number, height=18, width=18, seed=0):
    """(H, W) regions that do not hang together; their rectangles cover the image."""
    pixels = torch.arange(height * width) % number
    return pixels[torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))].reshape(height, width)


def with_a_hole(regions):
    """The same, but pixels in the middle and in a corner that are never removed."""
    regions = regions + 0
    keep = regions.unique()
    regions[7:11, 6:13], regions[15:, 16:] = -1, -1
    assert regions.unique().tolist() == [-1, *keep.tolist()], "a region is lost"
    return regions


MAPS = {
    "superpixels": superpixels(12),
    "speckles": speckles(6),
    "with a hole": with_a_hole(superpixels(9, seed=3)),
    "speckles with a hole": with_a_hole(speckles(5)),
    "single pixels": torch.arange(18 * 18).reshape(18, 18),
    "one region": torch.zeros(18, 18, dtype=torch.int64),
    "a map each": torch.stack([superpixels(12, seed=1), superpixels(12, seed=2), superpixels(12, seed=3)]),
    "a map each, of different numbers": torch.stack([superpixels(7), with_a_hole(speckles(9)), superpixels(15)]),
    "a map each, all the same": superpixels(12).expand(3, 18, 18),
}


@pytest.mark.parametrize("order", ["morf", "random"])
@pytest.mark.parametrize("kind", MAPS)
def test_engines_agree_for_regions_of_any_form(made, pictures, heats, kind, order):
    network, images, heatmaps = made("flat"), pictures(3), heats(3)
    full, incremental = (
        perturb(network, images, heatmaps, order=order, regions=MAPS[kind], repeats=2, engine=engine)
        for engine in ("full", "incremental")
    )
    assert_same(incremental.scores, full.scores, TOLERANCES[torch.float64])


@pytest.mark.parametrize("score", SCORES)
def test_engines_agree_on_every_score(made, pictures, heats, score):
    network, images, heatmaps = made(), pictures(2), heats(2)
    full, incremental = (
        perturb(network, images, heatmaps, regions=6, score=score, repeats=2, engine=engine)
        for engine in ("full", "incremental")
    )
    assert_same(incremental.scores, full.scores, 1e-6)


def test_engines_agree_for_normalised_images(made, pictures, heats):
    """Replacements are normalised as images are."""
    network = Network(made("flat").module, preprocessing="imagenet")
    full, incremental = (
        perturb(network, pictures(2), heats(2), regions=6, repeats=2, engine=engine)
        for engine in ("full", "incremental")
    )
    assert_same(incremental.scores, full.scores, TOLERANCES[torch.float64])


def test_the_incremental_engine_has_no_memory_of_other_calls(made, pictures, heats):
    """The same call twice, with another between, gives the same bits."""
    network, images, heatmaps = made("flat", torch.float32), pictures(2), heats(2)
    one = perturb(network, images, heatmaps, regions=3, repeats=2, engine="incremental")
    before = one.scores.clone()
    perturb(network, pictures(4, seed=7), heats(4), regions=5, repeats=1, engine="incremental")
    two = perturb(network, images, heatmaps, regions=3, repeats=2, engine="incremental")
    assert torch.equal(two.scores, before)
    assert torch.equal(one.scores, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_images_and_heatmaps_are_left_as_they_are(made, pictures, heats, engine):
    images, heatmaps, regions = pictures(2), heats(2), superpixels(9)
    given = (images, heatmaps, regions)
    before = [value.clone() for value in given]
    perturb(made("flat"), images, heatmaps, regions=regions, repeats=2, engine=engine)
    assert all(torch.equal(value, as_it_was) for value, as_it_was in zip(given, before, strict=True))


# --- with more digits than curves have: scores are float32, so the rest is asked for with a second score


def rest(logits, targets):
    """What rounding to float32 takes from the logit."""
    value = logit(logits, targets)
    return value - value.float()


def exact(ask):
    """Scores in float64, by the two halves of the logit."""
    return ask(logit).double() + ask(rest).double()


@pytest.fixture
def exact_curves(monkeypatch):
    """Scores of ``perturb`` in float64."""
    monkeypatch.setitem(SCORES, "rest", rest)

    def ask(*given, **options):
        parts = [perturb(*given, **options, score=score).scores.double() for score in ("logit", "rest")]
        return parts[0] + parts[1]

    return ask


@pytest.mark.parametrize("order", ["lerf", "random"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", MODULES)
def test_scores_do_not_depend_on_how_many_sequences_go_side_by_side(
    made, pictures, heats, exact_curves, name, engine, order
):
    options = {"regions": 3, "repeats": 3, "order": order, "engine": engine}
    case = made(name), pictures(4, dtype=torch.float64), heats(4)
    expected = exact_curves(*case, **options)
    for memory in (TINY, 1, 1_000_000):
        assert_same(exact_curves(*case, **options, memory=memory), expected, 1e-12)


def test_few_sequences_go_side_by_side_in_little_memory(made):
    """Else the test above would compare the same thing."""
    network = made()
    whole = network.planner.plan(network.graph((3, 18, 18)), dirty_regions(superpixels(9)[None]), measured=False)
    found = [network.planner.trajectories_at_once(whole, memory) for memory in (1, TINY // 4, MEMORY)]
    assert found[0] == 1
    assert 1 <= found[1] < found[2]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_alone_has_the_scores_that_it_has_among_others(made, pictures, heats, exact_curves, engine):
    images, heatmaps = pictures(4, dtype=torch.float64), heats(4)
    together = exact_curves(made(), images, heatmaps, regions=3, repeats=2, engine=engine)
    for number in range(4):
        one = slice(number, number + 1)
        alone = exact_curves(made(), images[one], heatmaps[one], regions=3, repeats=2, engine=engine)
        assert_same(alone, together[one], 1e-12)


@pytest.mark.parametrize("kind", MAPS)
def test_engines_agree_to_the_last_digits(made, pictures, heats, exact_curves, kind):
    case = made(), pictures(3, dtype=torch.float64), heats(3)
    full, incremental = (
        exact_curves(*case, regions=MAPS[kind], repeats=2, engine=engine) for engine in ("full", "incremental")
    )
    assert_same(incremental, full, 1e-12)


# --- progress


@pytest.mark.parametrize("memory", [TINY, MEMORY])
@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_progress_adds_up_to_all_evaluations(made, pictures, heats, engine, repeats, memory):
    """Untouched images count once, whatever the number of repeats."""
    seen = []
    perturb(
        made("flat"), pictures(5), heats(5), regions=6, repeats=repeats, engine=engine, memory=memory,
        on_progress=seen.append,
    )  # fmt: skip
    assert sum(seen) == 5 + 5 * repeats * 9
    assert min(seen) > 0
    assert all(isinstance(count, int) for count in seen)


# --- networks without a graph, and names of engines


class Branching(nn.Module):
    """Which way it goes depends on the image."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = self.convolution(x)
        return y.mean((2, 3)) if y.sum() > 0 else -y.amax(dim=(2, 3))


def accumulating():
    class Accumulating(Branching):
        def forward(self, x):
            return self.convolution(x).logcumsumexp(2).mean((2, 3))

    return Accumulating()


def test_without_a_graph_the_incremental_engine_gives_the_reason(pictures, heats):
    with pytest.raises(InputError, match=r"the model cannot be exported by torch\.export"):
        perturb(Network(Branching()), pictures(2), heats(2), repeats=1, engine="incremental")


def test_an_unknown_operation_is_evaluated_in_full_behind_windows(pictures, heats):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(accumulating().double())
    full, windows = (
        perturb(network, pictures(2).double(), heats(2), regions=6, repeats=2, engine=engine)
        for engine in ("full", "incremental")
    )
    torch.testing.assert_close(windows.scores, full.scores, rtol=1e-10, atol=1e-12)


def test_without_a_graph_every_image_is_evaluated_in_full(pictures, heats):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(Branching())
    full, auto = (
        perturb(network, pictures(2), heats(2), regions=6, repeats=2, engine=engine) for engine in ("full", "auto")
    )
    assert torch.equal(full.scores, auto.scores)


def test_an_unknown_engine_is_told_which_there_are(made, pictures, heats):
    with pytest.raises(InputError, match=r"unknown engine 'incremetal'; did you mean 'incremental'\?") as error:
        perturb(made(), pictures(1), heats(1), engine="incremetal")
    assert all(engine in str(error.value) for engine in ("auto", "full", "incremental"))


def test_an_engine_like_no_other_is_told_which_there_are(made, pictures, heats):
    with pytest.raises(InputError, match=r"unknown engine 'gpu'.*auto, full, incremental"):
        perturb(made(), pictures(1), heats(1), engine="gpu")


# --- sequences with steps that are not scored


ORDERS, REPEATS = 2, 3


@pytest.fixture(params=["grid", "superpixels", "a map each"])
def sequences(request, pictures):
    """Every step of sequences of three images, in two orders, with three repeats each."""
    regions = {
        "grid": (torch.arange(18)[:, None] // 6 * 3 + torch.arange(18) // 6).expand(3, 18, 18),
        "superpixels": with_a_hole(superpixels(9, seed=3)).expand(3, 18, 18),
        "a map each": torch.stack([superpixels(9, seed=1), speckles(9), superpixels(11)]),
    }[request.param]
    ids = [["a", "b", "c"], ["d", "e", "f"]]
    orders = torch.stack([random_orders(regions, steps=9, repeats=REPEATS, seed=0, ids=names) for names in ids], dim=1)
    return Trajectories(
        images=pictures(3, dtype=torch.float64),
        replacements=torch.stack([pictures(REPEATS, seed=number, dtype=torch.float64) for number in (1, 2, 3)]),
        regions=regions,
        orders=orders,
        targets=torch.tensor([0, 3, 1]),
        scored=scored_steps(9, 9, repeats=REPEATS, seed=0, ids="abc")[:, None].expand(orders.shape),
    )


def with_scored(sequences, scored):
    return Trajectories(
        sequences.images, sequences.replacements, sequences.regions, sequences.orders, sequences.targets, scored
    )


def some_steps(sequences, number, seed=0):
    """(n, M, T, K) ascending steps, others for each sequence."""
    keys = torch.rand(sequences.orders.shape, generator=torch.Generator().manual_seed(seed))
    return keys.topk(number, dim=-1).indices.sort(dim=-1).values + 1


def by_full(network, memory=MEMORY, on_progress=lambda count: None):
    def ask(sequences):
        return exact(lambda score: evaluate_fully(network, sequences, score, memory=memory, on_progress=on_progress))

    return ask


def by_windows(network, memory=MEMORY, on_progress=lambda count: None, part=1.0):
    def ask(sequences):
        whole = network.planner.plan(network.graph((3, 18, 18)), dirty_regions(sequences.maps), measured=False)
        names = [node.name for node in whole.graph if node.name in whole.head]
        plan = whole.cut(names[: int(part * len(names))])
        return exact(
            lambda score: evaluate_incrementally(
                network, sequences, score, plan, memory=memory, on_progress=on_progress
            )
        )

    return ask


WAYS = [
    pytest.param(lambda network: by_full(network), id="full"),
    pytest.param(lambda network: by_windows(network), id="windows"),
    pytest.param(lambda network: by_windows(network, part=0.5), id="half on windows"),
    pytest.param(lambda network: by_windows(network, part=0), id="none on windows"),
    pytest.param(lambda network: by_windows(network, memory=TINY), id="windows in little memory"),
]


@pytest.mark.parametrize("number", [1, 2, 5, 8, 9])
@pytest.mark.parametrize("way", WAYS)
def test_steps_may_be_left_out_of_the_scores(made, sequences, way, number):
    """A score after some steps is the same whichever other steps are scored."""
    network = made("flat")
    everything = by_full(network)(sequences)
    scored = some_steps(sequences, number, seed=number)
    found = way(network)(with_scored(sequences, scored))
    assert found.shape == (3, ORDERS, REPEATS, number + 1)
    columns = torch.cat([torch.zeros_like(scored[..., :1]), scored], dim=-1)
    assert_same(found, everything.gather(3, columns), 1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_unlike_gaps_between_steps_do_not_matter(made, sequences, way):
    """One sequence jumps to the end at once while another goes on step by step."""
    scored = torch.tensor([[1, 2, 9], [7, 8, 9], [1, 8, 9], [2, 4, 8], [1, 2, 3], [3, 4, 5]])
    scored = scored.reshape(1, ORDERS, REPEATS, 3).expand(3, -1, -1, -1)
    network = made("flat")
    columns = torch.cat([torch.zeros_like(scored[..., :1]), scored], dim=-1)
    expected = by_full(network)(sequences).gather(3, columns)
    assert_same(way(network)(with_scored(sequences, scored)), expected, 1e-12)


@pytest.mark.parametrize("memory", [TINY, MEMORY])
@pytest.mark.parametrize("by", [by_full, by_windows])
def test_progress_counts_the_scores_that_are_wanted(made, sequences, by, memory):
    chosen = with_scored(sequences, some_steps(sequences, 4))
    seen = []
    by(made("flat"), memory, seen.append)(chosen)
    assert sum(seen) == 2 * (3 + 3 * ORDERS * REPEATS * 4)  # asked for twice


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_takes_steps_that_are_left_out(made, sequences, engine):
    network = made("flat")
    chosen = with_scored(sequences, some_steps(sequences, 4))
    expected = by_full(network)(chosen)

    def found(score):
        _, plan = choose_for(network, chosen, engine, score)
        return evaluate(network, chosen, score, plan, memory=MEMORY, on_progress=lambda count: None)

    assert_same(exact(found), expected, 1e-12)


def test_what_sequences_hold_is_left_as_it_is(made, sequences):
    given = (sequences.images, sequences.replacements, sequences.regions, sequences.orders, sequences.scored)
    before = [value.clone() for value in given]
    by_windows(made("flat"))(sequences)
    assert all(torch.equal(value, as_it_was) for value, as_it_was in zip(given, before, strict=True))


@pytest.mark.parametrize("name", sorted(SCORES))
def test_only_the_logit_leaves_the_other_classes_out(made, sequences, name):
    _, plan = choose_for(made("flat"), sequences, "incremental", SCORES.resolve(name))
    assert (plan.readout is not None) == (name == "logit")


# --- several scores at once


@pytest.mark.parametrize("engine", ["full", "incremental"])
def test_scores_together_are_those_alone(made, pictures, heats, engine):
    network, images = made(), pictures(3)
    protocol = Protocol(regions=6, repeats=2, engine=engine)
    regions, ids = as_regions(6, images), identify(images)
    orders = {
        "morf": orders_of_heatmaps(heats(3), regions, order="morf", steps=9, seed=0, ids=ids),
        "random": random_orders(regions, steps=9, repeats=2, seed=0, ids=ids),
    }
    given = (network, images, orders, network.predict(images))
    evaluations = []
    found = perturb_scores(*given, protocol, ids, list(SCORES), evaluations.append)
    assert sum(evaluations) == 3 + 3 * 2 * 2 * 9
    for name in SCORES:
        alone = perturb_orders(*given, dataclasses.replace(protocol, score=name), ids)
        for order in orders:
            assert found[name][order].protocol.score == name
            torch.testing.assert_close(found[name][order].scores, alone[order].scores, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_images_that_want_a_gradient_are_images(engine, made):
    network, images = Network(MODULES["residual"]().eval()), torch.rand(2, 3, 24, 24)
    plain, wanting = (
        perturb(network, given, order="random", regions=8, engine=engine) for given in (images, images.requires_grad_())
    )
    assert not wanting.scores.requires_grad
    assert torch.equal(plain.scores, wanting.scores)


def chosen(m, x):
    return m.scores(torch.where(m.one(x) > 0, m.other(x), m.one(x)))


def multiplied(m, x):
    return m.scores(m.other(m.one(x)) * (m.one(x) > 0))


def filled(m, x):
    return m.scores(m.other(m.one(x)).masked_fill(~(m.one(x) > 0), 0.0))


class Masks(nn.Module):
    """A map of which a mask, computed from the image, says what counts."""

    def __init__(self, forward):
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        if forward is chosen:
            self.other = nn.Conv2d(3, 4, 3, padding=1)
        self.scores = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        self.by = forward

    def forward(self, images):
        return self.by(self, images)


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float16])
@pytest.mark.parametrize("forward", [chosen, multiplied, filled])
def test_masks_are_kept_in_their_type(forward, dtype):
    network, images = Network(Masks(forward).eval().to(dtype)), torch.rand(2, 3, 24, 24)
    full, windows = (perturb(network, images, order="random", regions=6, engine=engine).scores for engine in
                     ("full", "incremental"))  # fmt: skip
    torch.testing.assert_close(windows, full, rtol=0, atol=2e-3 if dtype == torch.float16 else 1e-6)
