"""Copies of modules: whatever a module carries with it, the copy computes the same and the original stays as it was."""

import copy
import warnings

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.network import trial
from heatproof.network.copying import hidden_layers, shuffled_copy, untouched_copy

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def net(last=None):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        last = nn.Linear(4, 5) if last is None else last()
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


class Keeping(nn.Module):
    """Keeps its features on itself, as modules do that are looked into."""

    def __init__(self):
        super().__init__()
        self.inner = net()
        self.features = []

    def forward(self, images):
        self.kept = self.inner[0](images)
        self.features = [{"kept": (self.kept + 1,)}]
        return self.inner[1:](self.kept)


def old_norm(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(nn.utils, name)(nn.Linear(4, 5))


MODULES = {
    "weight_norm": lambda: net(lambda: old_norm("weight_norm")),
    "spectral_norm": lambda: net(lambda: old_norm("spectral_norm")),
    "parametrised": lambda: net(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 5))),
    "keeps features": Keeping,
    "DataParallel": lambda: nn.DataParallel(net()),
    "compiled": lambda: torch.compile(net(), backend="eager"),
    "compiled inside": lambda: nn.Sequential(torch.compile(net(), backend="eager")),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_in_the_middle_of_their_training_become_networks(name):
    module = MODULES[name]()
    module(IMAGES).sum().backward()
    expected = module.eval()(IMAGES).detach()
    network = hp.Network(module)
    torch.testing.assert_close(network.logits(IMAGES), expected)
    assert network.without_graph((3, 16, 16)) is None
    assert hp.explain(network, IMAGES, "lrp-epsilon").shape == (4, 16, 16)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("compiled", [torch.jit.script, lambda module: torch.jit.trace(module, IMAGES)])
def test_script_modules_become_networks(compiled):
    module = compiled(net().eval())
    network = hp.Network(module)
    torch.testing.assert_close(network.logits(IMAGES), module(IMAGES).detach())
    assert hp.explain(network, IMAGES, "gradient-x-input").shape == (4, 16, 16)


@pytest.mark.parametrize("kind", ["forward", "forward_pre", "full_backward"])
def test_hooks_of_a_user_see_nothing_of_a_network(kind):
    """A hook that was copied would run at export, and fill a dictionary of the user's with values of no use."""
    module, seen = net(), {}
    register = getattr(module[0], f"register_{kind}_hook")
    options = {"with_kwargs": True} if kind != "full_backward" else {}
    register(lambda *given: seen.update(last=given), **options)
    network = hp.Network(module)
    network.logits(IMAGES)
    hp.explain(network, IMAGES, "lrp-epsilon")
    assert seen == {}


def test_a_network_that_was_used_can_be_copied_again():
    """A third party's method copies network.module, which may keep features of a pass that was differentiated."""
    network = hp.Network(Keeping())
    network.module(IMAGES.requires_grad_())
    torch.testing.assert_close(network.randomised(0).randomised(1).logits(IMAGES).shape, torch.Size([4, 5]))
    copied = untouched_copy(network.module, same_weights=True)
    assert copied.inner[0].weight is network.module.inner[0].weight


def test_hooks_that_make_weights_are_kept():
    made = nn.Sequential(old_norm("weight_norm"))
    made(torch.ones(1, 4))  # its weight now has a history
    copied = untouched_copy(made)
    with torch.no_grad():
        copied[0].weight_g *= 2
        made[0].bias.zero_(), copied[0].bias.zero_()
    torch.testing.assert_close(copied(torch.ones(1, 4)), 2 * made(torch.ones(1, 4)))


def test_wrappers_are_taken_off():
    made = nn.Linear(3, 2)
    assert type(untouched_copy(nn.DataParallel(made))) is nn.Linear
    assert type(untouched_copy(torch.compile(made))) is nn.Linear
    assert type(untouched_copy(nn.Sequential(torch.compile(made)))[0]) is nn.Linear


def test_a_distributed_wrapper_is_taken_off():
    from torch import distributed

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        made = net()
        network = hp.Network(nn.parallel.DistributedDataParallel(made))
        torch.testing.assert_close(network.logits(IMAGES), made.eval()(IMAGES).detach())
        assert network.without_graph((3, 16, 16)) is None
    finally:
        distributed.destroy_process_group()


def test_nothing_is_shared():
    made = nn.BatchNorm1d(3)
    copied = untouched_copy(made)
    copied(torch.rand(4, 3))
    assert int(made.num_batches_tracked) == 0


def test_layers_that_torch_does_not_know_of_are_found():
    made = nn.Sequential(nn.Linear(3, 2))
    made[0].more = {"a": nn.Dropout(), "b": made}
    made.others = (copy.deepcopy(made[0]),)
    assert set(hidden_layers(made)) == {"others[0]", "0.more['a']"}


def test_a_randomised_copy_is_read_from_the_program_of_its_original(monkeypatch):
    network = hp.Network(net())
    expected = hp.Network(shuffled_copy(network.module, 0)).logits(IMAGES)
    network.logits(IMAGES)
    monkeypatch.setattr(trial, "exported_program", lambda *_: pytest.fail("it is exported again"))
    assert torch.equal(network.randomised(0).logits(IMAGES), expected)


def test_a_copy_whose_program_computes_something_else_is_exported_itself():
    class Branched(nn.Module):  # what it computes depends on a weight's value, which no program knows
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.sign = nn.Parameter(torch.tensor([1.0, -1.0]))

        def forward(self, x):
            scores = self.layer(x.mean((2, 3)))
            return scores if self.sign[0].item() > 0 else scores * 3

    network = hp.Network(Branched())
    for seed in range(4):
        other = network.randomised(seed)
        torch.testing.assert_close(other.logits(IMAGES), other.module(IMAGES))
        assert (other.trial((3, 16, 16)).program is network.trial((3, 16, 16)).program) == bool(
            other.module.sign[0] > 0
        )
