"""Removing regions in an order, with a replacement, and recording the score: curves."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps import check_heatmaps
from heatproof.network.against import apart, check_asked
from heatproof.network.inputs import as_targets
from heatproof.network.network import Network
from heatproof.network.precision import in_precision
from heatproof.options.signatures import takes
from heatproof.options.studies import PerturbArguments
from heatproof.perturbation.curves import Curves, removed_fractions
from heatproof.perturbation.engine import choose_for, evaluate, least_on_windows
from heatproof.perturbation.fitting import for_network
from heatproof.perturbation.orders import check_order, given_orders, orders_of_heatmaps, random_orders, scored_steps
from heatproof.perturbation.protocol import Protocol
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.removal import HeldRemoval
from heatproof.perturbation.replacing import imputation, replacement_images
from heatproof.perturbation.scores import SCORES, check_score, together
from heatproof.perturbation.trajectories import OnProgress, Trajectories
from heatproof.randomness import identify

Key = TypeVar("Key", bound=Hashable)  # of an order


@takes(PerturbArguments)
def perturb(network: Network, images: Tensor, wanted: PerturbArguments) -> Curves:
    """Removes regions in the order of their relevance and records the target's score [Samek2017].

    Args:
        network: the classifier.
        images: (N, C, H, W) RGB in [0, 1].
        wanted: one argument for each of them.

    Returns:
        Curves with scores (N, repeats, L + 1), or (N, repeats, scored + 1), in the unit of the score.

    Raises:
        InputError: for shapes that do not match, or values that are not finite.

    >>> from torch import nn
    >>> network = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 18 * 18, 2)))
    >>> images = torch.rand(2, 3, 18, 18)
    >>> perturb(network, images, images.sum(dim=1), repeats=3).scores.shape
    torch.Size([2, 3, 5])
    """
    protocol, targets = Protocol.of(wanted), wanted.targets
    network.check(images)
    images = images.detach()
    check_score(protocol.score, network, tuple(images.shape[1:]), protocol.against)
    protocol = for_network(protocol.fitted(images), network, tuple(images.shape[1:]))
    ids, order = _identities(images, wanted.ids), wanted.order
    given = None if targets is None else as_targets(targets, len(images))
    asked = network.classes_asked(images, given, protocol.against, memory=protocol.memory)
    check_asked(asked, network.classes or ())
    regions = as_regions(protocol.regions, images)
    chosen = _orders(wanted.heatmaps, images, order, regions, protocol, ids)
    local = replace(protocol, regions=regions)
    (found,) = perturb_orders(network, images, {0: chosen}, asked, local, ids, wanted.on_progress).values()
    return replace(found, order=order if isinstance(order, str) else "given", protocol=protocol)


def perturb_orders(
    network: Network,
    images: Tensor,
    orders: Mapping[Key, Tensor],
    targets: Tensor,
    protocol: Protocol,
    ids: Sequence[str],
    on_progress: OnProgress | None = None,
) -> dict[Key, Curves]:
    """Curves of several orders (N, 1 or repeats, L) by key, of the same images with the same replacement images.

    Targets are (N,), or (N, 2) where each has the class that it is asked against.
    """
    wanted = [protocol.score]
    return perturb_scores(network, images, orders, targets, protocol, ids, wanted, on_progress)[protocol.score]


def perturb_scores(
    network: Network,
    images: Tensor,
    orders: Mapping[Key, Tensor],
    targets: Tensor,
    protocol: Protocol,
    ids: Sequence[str],
    wanted: Sequence[str],
    on_progress: OnProgress | None = None,
) -> dict[str, dict[Key, Curves]]:
    """Curves of several orders by the name of the score, all from the same evaluations; for the rest see above."""
    network, regions = in_precision(network, protocol.precision), as_regions(protocol.regions, images)
    stacked = torch.stack([order.expand(-1, protocol.repeats, -1) for order in orders.values()], dim=1)  # (N, M, T, L)
    steps = stacked.shape[-1]
    chosen = protocol.scored_of(steps)
    scored = scored_steps(steps, chosen, repeats=protocol.repeats, seed=protocol.seed, ids=ids)  # (N, T, K)
    score = together([SCORES.resolve(name) for name in wanted])
    report = on_progress or (lambda evaluations: None)
    blocks, engines = [], []
    for block in _blocks(images, stacked, scored, regions, targets, protocol, ids, network.device):
        engine, plan = choose_for(network, block, protocol.engine, score)
        engines.append(engine)
        blocks.append(evaluate(network, block, score, plan, memory=protocol.evaluation_memory, on_progress=report))
    scores = torch.cat(blocks).reshape(*stacked.shape[:3], -1, len(wanted))  # (N, M, T, K + 1, S)
    after = torch.nn.functional.pad(scored, (1, 0))
    own, against = apart(targets.cpu())
    return {
        what: {
            key: Curves(
                scores=scores[:, number, ..., index],
                removal=HeldRemoval(order, removed_fractions(order, regions)),
                scored=after,
                targets=own,
                against=against,
                images=tuple(ids),
                order="given",
                protocol=replace(protocol, score=what),
                engine=least_on_windows(engines),
            )
            for number, (key, order) in enumerate(orders.items())
        }
        for index, what in enumerate(wanted)
    }


def _orders(
    heatmaps: Tensor | None,
    images: Tensor,
    order: str | Tensor,
    regions: Tensor,
    protocol: Protocol,
    ids: Sequence[str],
) -> Tensor:
    if not isinstance(order, str):
        given = given_orders(order, regions, protocol.repeats)
        return given[:, :, : protocol.steps_of(given.shape[2], "the length of the order", given.shape[2])]
    check_order(order)
    steps = protocol.steps_for(regions)
    if order == "random":
        return random_orders(regions, steps=steps, repeats=protocol.repeats, seed=protocol.seed, ids=ids)
    if heatmaps is None:
        raise InputError(f"order {order!r} needs heatmaps of shape (N, H, W)")
    check_heatmaps(heatmaps, images, "perturb")
    return orders_of_heatmaps(heatmaps, regions, order=order, steps=steps, seed=protocol.seed, ids=ids)


def _identities(images: Tensor, ids: Sequence[str] | None) -> list[str]:
    identities = identify(images) if ids is None else list(ids)
    if not all(isinstance(identity, str) for identity in identities):
        raise TypeError("ids must be texts, one for each image")
    if len(identities) != len(images):
        raise InputError(f"ids must name each of the {len(images)} images, got {len(identities)}")
    return identities


def _blocks(
    images: Tensor,
    orders: Tensor,
    scored: Tensor,
    regions: Tensor,
    targets: Tensor,
    protocol: Protocol,
    ids: Sequence[str],
    device: torch.device,
) -> Iterator[Trajectories]:
    """Trajectories of orders (N, M, T, L) with scored steps (N, T, K), block by block of images.

    Replacement images are made on ``device``; the rest is on the CPU.
    """
    for index in torch.arange(len(images)).split(_block_size(images, orders.shape[1], protocol)):
        chosen, named = images[index.to(images.device)].cpu(), [ids[i] for i in index]
        needless = protocol.imputes or protocol.drops
        replaced = None if needless else replacement_images(chosen.to(device), protocol, named)
        yield Trajectories(
            images=chosen,
            replacements=replaced,
            drops=protocol.drops,
            impute=imputation(protocol, named) if protocol.imputes else None,
            regions=regions[index],
            orders=orders[index],
            targets=targets.cpu()[index],
            scored=scored[index][:, None].expand(-1, orders.shape[1], -1, -1),
        )


def _block_size(images: Tensor, orders: int, protocol: Protocol) -> int:
    """How many images are worked on at once, so that their trajectories take half of the memory budget."""
    pixels = images.shape[2] * images.shape[3]
    channels = images.shape[1]
    per_image = pixels * (4 * channels * (1 + protocol.repeats) + 8 * orders * protocol.repeats)
    return max(1, protocol.memory // 2 // per_image)
