"""The audit: does the ranking of methods depend on how regions are removed and scored?"""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.measures import aopc, r_oms
from heatproof.measures.reversals import images_for_reversal, one_sided
from heatproof.perturbation import perturb
from heatproof.report.studies import audit
from heatproof.results.audit import AS_COMPARED

SHARED = Path(__file__).parents[3] / "shared"
SIDE, SIZE = 24, 6  # 16 regions


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def linear(weights):
    """A network whose first logit is the sum of weights (H, W) times the image; the second is 0."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    both = torch.stack([weights, torch.zeros_like(weights)])
    module[1].weight.data = both[:, None].expand(-1, 3, -1, -1).flatten(start_dim=1) / SIZE**2 / 3
    module[1].bias.data.zero_()
    return hp.Network(module)


def by_region(values):
    """(H, W) map of 4 × 4 numbers, one for each region."""
    return torch.tensor(values, dtype=torch.float32).reshape(4, 4).repeat_interleave(SIZE, 0).repeat_interleave(SIZE, 1)


def bright(count=12):
    return 0.8 + 0.2 * torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def maps(values, count=12):
    return by_region(values).expand(count, -1, -1)


def study_of(network, images, methods, **changed):
    options = {
        "regions": SIZE,
        "steps": 4,
        "replacement": "black",
        "targets": torch.zeros(len(images), dtype=torch.int64),
    }
    return hp.compare(network, images, methods, **options | changed, protocol="samek2017")


def order_matters(**changed):
    """One method knows what speaks most for the class, the other what speaks most against it."""
    network = linear(by_region([9, 9, 9, 9, 1, 1, 1, 1, 2, 2, 2, 2, -5, -5, -5, -5]) / 9)
    best = maps([9, 8, 7, 6, -1, -2, -3, -4, 0, 0, 0, 0, 0, 0, 0, 0])
    worst = maps([0, 0, 0, 0, 9, 8, 7, 6, 0, 0, 0, 0, -9, -8, -7, -6])
    return study_of(network, bright(), {"finds best": best, "finds worst": worst}, **changed)


def test_ranking_that_depends_on_the_order_is_warned_of():
    study = order_matters(audit=12)
    (reversal,) = study.audit.reversals
    assert (reversal.higher, reversal.lower, reversal.condition) == (
        "finds best", "finds worst", "order least relevant first"
    )  # fmt: skip
    assert reversal.here.low > 0 > reversal.there.high
    (warning,) = [text for text in study.warnings if "depends" in text]
    assert warning.startswith(
        "the ranking depends on the order: as compared, finds best is better than finds worst by "
        f"{reversal.here} (logit); with order least relevant first, finds worst is better than finds best by "
    )
    assert warning.endswith("(logit), on the same 12 images")
    asked = f"Audit of 12 images ({study.audit.evaluations} more evaluations): "
    assert f"{asked}the ranking of methods depends on the order; see the warnings." in study.verdict
    row = next(row for row in audit.agreement_table(study.audit).rows if row[0] == "order")
    assert row == ("order", "least relevant first", -1, -1, -1, "finds worst", 1)


def test_ranking_that_depends_on_the_replacement_is_warned_of():
    """The class is told by fine stripes here and by brightness there: blur takes the stripes alone."""
    stripes = torch.tensor([1.0, -1.0]).repeat(SIDE // 2).expand(SIDE, SIDE)
    texture, light = by_region([0] * 8 + [1] * 8), by_region([3] * 8 + [0] * 8)
    network = linear(3 * texture * stripes + light)
    images = (bright() - 0.5 + 0.2 * stripes * texture).clamp(0, 1)
    methods = {"light": light.expand(12, -1, -1), "texture": texture.expand(12, -1, -1)}
    study = study_of(network, images, methods, audit=12)
    found = {reversal.condition: (reversal.higher, reversal.lower) for reversal in study.audit.reversals}
    assert found["replacement blur"] == ("light", "texture")
    assert any(
        text.startswith("the ranking depends on the replacement: as compared, light is better than texture by ")
        and "; with replacement blur, texture is better than light by " in text
        for text in study.warnings
    )


def test_ranking_that_holds_is_not_warned_of():
    weights = list(range(16))
    network = linear(by_region(weights) / 60)
    methods = {"right": maps(weights), "backwards": maps([-weight for weight in weights])}
    study = study_of(network, bright(), methods)
    assert study.audit.reversals == []
    assert not any("depends" in text for text in study.warnings)
    assert any("no pair of methods is significantly reversed" in text for text in study.verdict)
    taus = {(row[0], row[1]): row[2] for row in audit.agreement_table(study.audit).rows}
    assert taus["order", "least relevant first"] == taus["region size", "3 pixels"] == taus["score", "probability"] == 1


def test_few_images_are_said_to_be_few():
    methods = {
        str(number): torch.rand(12, SIDE, SIDE, generator=torch.Generator().manual_seed(number)) for number in range(3)
    }
    study = study_of(linear(by_region(range(16))), bright(), methods, audit=4)
    assert any(text.startswith("They are too few to tell whether the ranking stays the same") for text in study.verdict)


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3))
    return hp.Network(module.double())


@pytest.fixture(scope="module")
def images():
    return torch.rand(5, 3, 18, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


METHODS = ["lrp-epsilon", "sensitivity-l2"]


def rows(study):
    return study.audit.frame().sort(["replacement", "regions", "unit", "image", "method", "order", "step"])


def test_neither_batches_nor_the_order_of_images_change_anything(network, images, monkeypatch):
    names = list("abcde")
    whole = hp.compare(network, images, METHODS, regions=6, names=names, audit=3, protocol="samek2017")
    turned = hp.compare(network, images.flip(0), METHODS, regions=6, names=names[::-1], audit=3, protocol="samek2017")
    assert set(whole.audit.names) == set(turned.audit.names)
    monkeypatch.setattr(hp.Network, "batch_size", lambda *_args, **_options: 2)
    cut = hp.compare(network, images, METHODS, regions=6, names=names, audit=3, protocol="samek2017")
    for other in (turned, cut):
        here, there = rows(whole), rows(other)
        assert here.drop("score").equals(there.drop("score"))
        torch.testing.assert_close(here["score"].to_torch(), there["score"].to_torch())


def test_its_own_condition_is_what_was_compared(network, images):
    """With as many scored steps as there are regions, the audit finds the comparison's own numbers."""
    study = hp.compare(network, images, METHODS, regions=9, steps=2, audit=5, protocol="samek2017")
    own = study.audit.conditions[0]
    assert (own.changed, own.to, own.score) == (AS_COMPARED, "uniform", "logit")
    chosen = [study.names.index(name) for name in study.audit.names]
    for values, method in zip(own.values, METHODS, strict=True):
        torch.testing.assert_close(
            torch.from_numpy(values), aopc(study.morf[method]).double()[chosen], atol=1e-5, rtol=0
        )
    changed = [(condition.changed, condition.to) for condition in study.audit.conditions[1:]]
    assert changed == [
        ("replacement", "constant"), ("replacement", "blur"), ("region size", "4 pixels"), ("region size", "18 pixels"),
        ("order", "least relevant first"), ("score", "probability"),
    ]  # fmt: skip


def test_r_oms_is_that_of_all_regions_in_the_same_order(network, images):
    """Four regions, so that every step is scored; targets given by the caller play no part."""
    study = hp.compare(
        network, images, METHODS, regions=9, audit=5, targets=torch.zeros(5, dtype=torch.int64), protocol="samek2017"
    )
    walks = [curves.orders for curves in study.audit.removal.values()]
    assert all(walk.equal(walks[0]) for walk in walks)
    assert list(study.audit.removal) == ["uniform", "constant", "blur"]
    chosen = [study.names.index(name) for name in study.audit.names]
    for name in ("uniform", "blur"):
        alone = perturb(
            network, images[chosen], order="random", replacement=name, regions=9, repeats=1, score="probability"
        )
        torch.testing.assert_close(r_oms(study.audit.removal[name]), r_oms(alone))
        assert study.audit.r_oms[name].mean == pytest.approx(float(r_oms(alone).mean()))


@pytest.mark.parametrize(
    "given",
    [
        {"regions": 6},
        {"regions": 6, "score": "margin"},
        {"regions": torch.arange(4).reshape(2, 2).repeat_interleave(9, 0).repeat_interleave(9, 1)},
    ],
)
def test_what_is_counted_is_what_is_done(network, images, given):
    seen = []
    study = hp.compare(
        network,
        images,
        METHODS,
        steps=2,
        audit=4,
        **given,
        on_progress=lambda done, total: seen.append((done, total)),
        protocol="samek2017",
    )
    assert seen[-1][0] == seen[-1][1] == study.work.evaluations + study.audit.evaluations
    forecast = hp.plan_comparison(network, images, METHODS, steps=2, audit=4, **given, protocol="samek2017")
    assert forecast.evaluations == study.work.evaluations
    assert forecast.audit.evaluations == study.audit.evaluations
    assert forecast.audit.images == len(study.audit.names) == 4
    assert forecast.audit.seconds > 0
    assert f"{study.audit.evaluations} more evaluations, in full, on 4 images" in str(forecast)


def test_by_default_it_takes_a_sixth_at_most(network):
    many = torch.rand(24, 3, 18, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    study = hp.compare(network, many, METHODS, regions=3, steps=24, protocol="samek2017")
    forecast = hp.plan_comparison(network, many, METHODS, regions=3, steps=24, protocol="samek2017")
    assert study.audit.evaluations <= forecast.audit.evaluations <= study.work.evaluations / 6


def test_by_default_only_what_can_be_answered_is_asked():
    """Many images with clear differences are asked about, and the reversal is found; few are not."""
    study = order_matters(audit=None, repeats=10)
    assert study.audit.asked == (("finds best", "finds worst"),)
    assert [found.condition for found in study.audit.reversals] == ["order least relevant first"]
    network = linear(by_region([9, 9, 9, 9, 1, 1, 1, 1, 2, 2, 2, 2, -5, -5, -5, -5]) / 9)
    random = {
        str(number): torch.rand(12, SIDE, SIDE, generator=torch.Generator().manual_seed(number)) for number in range(2)
    }
    alike = study_of(network, bright(), random, repeats=10)
    assert (alike.audit.asked, alike.audit.reversals, alike.audit.evaluated) == ((), [], ())
    assert any(text.startswith("Not asked whether the ranking depends on") for text in alike.verdict)


def test_images_for_a_reversal_have_the_power_that_is_promised():
    """Simulated: two conditions, an effect of one standard deviation in each, ten tests."""
    images, tests, found = images_for_reversal(1.0, 10), 10, 0
    for seed in range(1000):
        generator = np.random.default_rng(seed)
        here, there = generator.normal(1.0, size=images), generator.normal(1.0, size=images)
        found += 2 * float(one_sided(np.stack([here, there])).max()) * tests <= 0.05
    assert 0.6 <= found / 1000 <= 0.9  # both must be found, each with 80 %


def test_none_is_made_where_none_is_wanted(network, images):
    study = hp.compare(network, images, METHODS, regions=6, audit=0, protocol="samek2017")
    assert study.audit is None
    assert study.describe()["audit"] is None
    assert "audit" not in study.figures()
    assert hp.plan_comparison(network, images, METHODS, regions=6, audit=0, protocol="samek2017").audit.images == 0
    for run in (hp.compare, hp.plan_comparison):
        with pytest.raises(hp.InputError, match=r"audit.* must be a whole number from 0 to 1,000,000, got -1"):
            run(network, images, METHODS, regions=6, audit=-1)
        with pytest.raises(TypeError, match=r"audit must be a whole number.*, got 2\.5"):
            run(network, images, METHODS, regions=6, audit=2.5)


def test_one_method_is_not_ranked(network, images):
    study = hp.compare(network, images, METHODS[:1], regions=6, protocol="samek2017")
    assert study.audit.conditions == []
    assert list(audit.tables(study.audit)) == ["R-OMS of each replacement"]
    assert audit.warnings(study.audit) == []
    assert len(audit.verdict(study.audit)) == 1


def test_one_image_proves_nothing(network, images):
    study = hp.compare(network, images[:1], METHODS, regions=6, protocol="samek2017")
    assert study.audit.reversals == []
    assert "one image" in str(study).lower()


def test_imputing_replacement_is_audited_where_it_was_compared(network, images):
    study = hp.compare(network, images.float(), METHODS, regions=6, replacement="road", audit=2, protocol="samek2017")
    assert list(study.audit.removal) == ["road", "uniform", "constant", "blur"]


def test_audited_images_are_those_that_all_methods_explained(network):
    many = torch.rand(40, 3, 18, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    study = hp.compare(network, many, METHODS, regions=6, until="signs", audit=6, protocol="samek2017")
    assert set(study.audit.names) <= set(study.names)
    assert len(study.audit.names) == 6


def test_it_is_saved_drawn_and_told(network, images, tmp_path):
    study = hp.compare(network, images, METHODS, regions=6, names=list("abcde"), audit=4, protocol="samek2017")
    study.save(tmp_path / "RUN")
    frame = pl.read_parquet(tmp_path / "RUN" / "audit.parquet")
    assert frame.equals(study.audit.frame())
    assert set(frame["replacement"]) == {"uniform", "constant", "blur"}
    assert set(frame["unit"]) == {"logit", "probability"}
    assert {"audit.png", "audit.svg"} <= {path.name for path in (tmp_path / "RUN").iterdir()}
    told = json.loads((tmp_path / "RUN" / "run.json").read_text())["audit"]
    assert told["r_oms"].keys() == {"uniform", "constant", "blur"}
    assert told["evaluations"] == study.audit.evaluations
    assert len(told["agreement"]) == len(study.audit.conditions) - 1
    page = (tmp_path / "RUN" / "report.html").read_text()
    assert "R-OMS of each replacement" in page
    assert "Does the ranking depend on how it was asked?" in page


def test_real_network_and_images():
    weights = SHARED / "weights" / "squeezenet1_0_imagenet.safetensors"
    pictures = sorted((SHARED / "data" / "ilsvrc2012-sample").rglob("*.JPEG"))[:4]
    if not weights.is_file() or len(pictures) < 4:
        pytest.skip("needs SqueezeNet's weights and pictures in shared data")
    network = hp.load_network("torchvision:squeezenet1_0", weights=weights)
    images = hp.load_images(pictures, network)
    study = hp.compare(network, images, METHODS[1:], regions=16, steps=4, engine="full", audit=4, protocol="samek2017")
    found = study.audit.r_oms
    assert all(0 < value.mean < 1 for value in found.values())
    assert found["blur"].mean > found["uniform"].mean  # blur leaves most of the picture
