"""All of heatproof on a GPU that is not there (``tests/fake_gpu.py``): nothing mixes devices, and the numbers stay.

The CPU computes on both sides, so numbers differ by the rounding of other sizes of batches alone.
"""

from dataclasses import replace

import pytest
import torch
from tests.fake_gpu import OnGpu, gpu
from tests.reference.small_networks import ReluCNN, randomised
from tests.reference.small_transformer import SmallTransformer
from tests.studied import PREPROCESSING, draw_eleven, small_network

import heatproof as hp
from heatproof.data import as_dataset
from heatproof.heatmaps import METHODS, explain_batches
from heatproof.heatmaps.methods import of_attention
from heatproof.network import Network
from heatproof.network.incremental import dirty_regions, measure
from heatproof.network.incremental.plan import whole_plan
from heatproof.network.incremental.planner import DEVICE_BATCH
from heatproof.perturbation import REPLACEMENTS, Protocol
from heatproof.perturbation.regions import grid
from heatproof.perturbation.scores import SCORES
from heatproof.runs.store import open_store
from heatproof.studies.road.running import run_comparison
from heatproof.studies.wanted import Wanted

SHAPE = (3, 18, 18)
WRAPPED = ["negated:sobel", "randomised[seed=3]:gradient-x-input"]


@pytest.fixture(scope="module")
def modules():
    return {"cnn": randomised(ReluCNN()), "transformer": randomised(SmallTransformer())}


@pytest.fixture(scope="module")
def on_cpu(modules):
    return {name: Network(module, name=name) for name, module in modules.items()}


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def on_gpu(modules):
    with gpu() as transfers:
        found = {name: Network(module, name=name, device="cuda") for name, module in modules.items()}
        yield found, transfers


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("other", [lambda x: x + torch.ones(3), lambda x: torch.ones(3)[x.long()], lambda x: x.numpy(),
                                   lambda x: torch.cat([x, torch.ones(1)])])  # fmt: skip
def test_the_pretended_gpu_refuses_what_a_gpu_refuses(other):
    with gpu(), pytest.raises((RuntimeError, TypeError), match=r"same device|on cpu|convert cuda"):
        other(torch.zeros(3, device="cuda"))


def test_the_pretended_gpu_counts_what_is_moved():
    with gpu() as transfers:
        here = torch.ones(3)
        there = here.to("cuda")
        assert isinstance(there, OnGpu)
        assert (there.device.type, (there + 1)[here.long() * 0].cpu().tolist()) == ("cuda", [2, 2, 2])
        assert transfers == {"to the GPU": 1, "by an index on the CPU": 1, "to the CPU": 1}


@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_a_network_computes_on_its_device_and_answers_where_the_images_are(name, on_gpu, on_cpu, images):
    network = on_gpu[0][name]
    assert network.device.type == "cuda"
    assert network.without_graph(SHAPE) is None
    same(network.logits(images).cpu(), on_cpu[name].logits(images))
    assert torch.equal(network.predict(images), on_cpu[name].predict(images))
    assert network.predict(images.to("cuda")).device.type == "cuda"
    assert network.fingerprint() == on_cpu[name].fingerprint()


@pytest.mark.parametrize("method", [*METHODS, *WRAPPED])
def test_heatmaps_stay_on_the_device_and_are_the_same(method, on_gpu, on_cpu, images):
    name = "transformer" if method in METHODS and of_attention(method) else "cnn"
    network = on_gpu[0][name]
    (batch,) = explain_batches(network, images.to("cuda"), {method: method})
    assert batch.heatmaps[method].device.type == batch.targets.device.type == "cuda"
    expected = hp.explain(on_cpu[name], images, method)
    same(batch.heatmaps[method].cpu(), expected)
    found = hp.explain(network, images, method, against="second")
    assert found.device == images.device
    same(found, hp.explain(on_cpu[name], images, method, against="second"))


@pytest.mark.parametrize("where", ["cpu", "cuda"])
@pytest.mark.parametrize("engine", ["full", "incremental", "auto"])
def test_curves_are_the_same_with_every_engine(engine, where, on_gpu, on_cpu, images):
    maps = images.sum(dim=1)
    found = hp.perturb(on_gpu[0]["cnn"], images.to(where), maps.to(where), regions=3, engine=engine, repeats=2)
    expected = hp.perturb(on_cpu["cnn"], images, maps, regions=3, engine="full", repeats=2)
    assert found.scores.device.type == found.orders.device.type == found.targets.device.type == "cpu"
    same(found.scores, expected.scores)


@pytest.mark.parametrize("replacement", sorted(REPLACEMENTS))
def test_curves_are_the_same_with_every_replacement(replacement, on_gpu, on_cpu, images):
    if replacement == "inpaint":
        pytest.importorskip("cv2")
    name = "transformer" if replacement == "drop" else "cnn"
    options = {"regions": 3, "replacement": replacement, "steps": 6, "repeats": 2}
    found = hp.perturb(on_gpu[0][name], images, images.sum(dim=1), **options)
    same(found.scores, hp.perturb(on_cpu[name], images, images.sum(dim=1), **options).scores)


@pytest.mark.parametrize("sigma", [0.3, 3.0, 40.0])
def test_a_gpu_blurs_as_the_cpu_does(sigma):
    """Also where the blur is wider than the image, whose border mirrors it several times."""
    images = torch.rand(2, 3, 11, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    blur = REPLACEMENTS.resolve(f"blur[sigma={sigma}]")
    with gpu():
        found = blur(images.to("cuda"), generators=[])
        assert found.device.type == "cuda"
        torch.testing.assert_close(found.cpu(), blur(images, generators=[]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("score", sorted(SCORES))
def test_curves_are_the_same_in_every_score(score, on_gpu, on_cpu, images):
    for engine in ("full", "incremental"):
        options = {"regions": 6, "score": score, "order": "random", "engine": engine}
        same(
            hp.perturb(on_gpu[0]["cnn"], images, **options).scores, hp.perturb(on_cpu["cnn"], images, **options).scores
        )


def test_curves_of_a_difference_of_logits(on_gpu, on_cpu, images):
    for name, more in (("cnn", {"engine": "incremental"}), ("transformer", {"replacement": "drop"})):
        options = {"regions": 6, "against": "second", "order": "random"} | more
        same(hp.perturb(on_gpu[0][name], images, **options).scores, hp.perturb(on_cpu[name], images, **options).scores)


def test_incremental_evaluation_moves_no_index_at_every_node(on_gpu, images):
    """The plan is one of many windows; transfers grow with the steps, not with steps times nodes."""
    network, transfers = on_gpu
    counts = []
    for steps in (9, 18):
        transfers.clear()
        hp.perturb(network["cnn"], images, order="random", regions=3, steps=steps, engine="incremental")
        counts.append(sum(transfers.values()))
    print(counts)
    assert counts[1] - counts[0] <= 9 * 3  # regions and limits go there, and the scores come back at times


def test_costs_on_a_device_are_those_of_a_whole_head(on_gpu, images):
    """Every node has a cost, measured between marks, on as many images as a run takes."""
    network = on_gpu[0]["cnn"]
    graph = network.graph(SHAPE)
    whole = whole_plan(graph, dirty_regions(grid(18, 18, 6)[None]))
    costs = measure(whole, network.planner.like)
    assert costs.full.keys() == {node.name for node in graph}
    assert costs.windows.keys() == whole.head
    assert all(seconds > 0 for seconds in (*costs.full.values(), *costs.windows.values()))
    assert network.batch_size(SHAPE, 2**40) == DEVICE_BATCH


@pytest.mark.parametrize("options", [{"protocol": "samek2017", "regions": 6, "lerf": True, "controls": True},
                                     {"regions": 6, "replacement": "blur", "against": 1},
                                     {"regions": 9, "measures": ["naopc", "single-region"], "controls": False},
                                     {"images": "on the GPU", "regions": 6}, {}], ids=str)  # fmt: skip
def test_a_comparison_in_memory_is_the_same(options, on_gpu, on_cpu, images, tmp_path):
    methods = {"given": images.sum(dim=1)} | ({} if "against" in options else {"own": own})
    methods |= {name: name for name in ("lrp-epsilon", "gradient-x-input")}
    options = dict(options)
    there = images.to("cuda") if options.pop("images", None) else images
    given = {name: maps.to("cuda") if there is not images and isinstance(maps, torch.Tensor) else maps
             for name, maps in methods.items()}  # fmt: skip
    found = hp.compare(on_gpu[0]["cnn"], there, given, **options)
    expected = hp.compare(on_cpu["cnn"], images, methods, **options)
    compared(found, expected)
    found.save(tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()


def own(network, images, targets):
    return images.sum(dim=1)


def compared(found, expected):
    for here, there in ((found.morf, expected.morf), (found.lerf, expected.lerf)):
        assert here.keys() == there.keys()
        for name, curves in there.items():
            assert torch.equal(here[name].orders, curves.orders), name
            same(here[name].scores, curves.scores)
    assert all(maps.device.type == "cpu" for maps in found.heatmaps.values())
    if expected.audit:
        for name, curves in expected.audit.removal.items():
            same(found.audit.removal[name].scores, curves.scores)


def test_a_comparison_of_transformers_with_dropped_tokens(on_gpu, on_cpu, images):
    options = {"replacement": "drop", "regions": 6}
    methods = ["attention-rollout", "lrp-attention"] if "lrp-attention" in METHODS else ["attention-rollout"]
    compared(hp.compare(on_gpu[0]["transformer"], images, methods, **options),
             hp.compare(on_cpu["transformer"], images, methods, **options))  # fmt: skip


def test_planted_truth_is_the_same(on_gpu, on_cpu):
    images = torch.rand(12, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(12) % 5
    found, expected = (
        hp.planted(network, images, ["gradient-x-input", "sobel"], targets=targets)
        for network in (on_gpu[0]["cnn"], on_cpu["cnn"])
    )
    assert found.table().rows == expected.table().rows or found.table().columns == expected.table().columns


def test_a_run_is_the_same_and_is_read_again(tmp_path):
    (tmp_path / "photos").mkdir()
    folder = draw_eleven(tmp_path / "photos", "05 broken.png")
    module = small_network().module
    wanted = Wanted(methods={"lrp-epsilon": "lrp-epsilon", "sobel": "sobel"}, audit=4, lerf=True, symmetric=True,
                    protocol=Protocol(regions=6))  # fmt: skip
    expected = run_comparison(
        wanted,
        lambda: (Network(module, preprocessing=PREPROCESSING), as_dataset(folder)),
        open_store(tmp_path / "a"),
        {},
    )
    with gpu():
        network = Network(module, preprocessing=PREPROCESSING, device="cuda")
        found = run_comparison(wanted, lambda: (network, as_dataset(folder)), open_store(tmp_path / "b"), {})
        again = run_comparison(wanted, lambda: (network, as_dataset(folder)), open_store(tmp_path / "b"), {})
    compared(found, expected)
    compared(again, expected)
    compared(replace(found), expected)


@pytest.mark.parametrize("study", ["complexity", "stability", "randomisation", "compare_replacements"])
def test_other_studies(study, on_gpu, on_cpu, images):
    found, expected = (getattr(hp, study)(network, images, ["gradient-x-input"])
                       if study != "compare_replacements"
                       else hp.compare_replacements(network, images, regions=6)
                       for network in (on_gpu[0]["cnn"], on_cpu["cnn"]))  # fmt: skip
    assert found.table().columns == expected.table().columns
