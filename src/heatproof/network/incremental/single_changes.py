"""Images of which one region at a time has changed."""

from collections.abc import Iterator
from math import ceil

import torch
from torch import Tensor

from heatproof.defaults import DEFAULT_MEMORY
from heatproof.network.graph import Graph
from heatproof.network.incremental.dirty_regions import dirty_regions
from heatproof.network.incremental.feature_cache import FeatureCache
from heatproof.network.incremental.incremental_state import IncrementalState, Tail
from heatproof.network.incremental.plan import whole_plan
from heatproof.network.incremental.planner import CPU_BATCH, Planner, leanest

WORTHWHILE = 0.55  # share of the multiply-adds: measured, more of them (depthwise networks) cost more than they spare


@torch.inference_mode()
def single_changes(
    graph: Graph, images: Tensor, others: Tensor, regions: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The graph's output for each image with one region taken from another.

    What such a change does not touch is not evaluated again where that spares much; the plan is the same on every
    machine.

    Args:
        graph: of the network.
        images: (N, C, H, W) normalised.
        others: (N, C, H, W) that have the changed regions.
        regions: (H, W) region index of each pixel, from 0 to R − 1.

    Yields:
        Indices of images (B,), their changed regions (B,), and the outputs (B, …); each image with each region once.
    """
    rectangles, planner = dirty_regions(regions[None]), Planner(images)
    plan = leanest(whole_plan(graph, rectangles))
    if plan.multiply_adds > WORTHWHILE * graph.multiply_adds:
        plan = plan.cut([])
    count, memory, device = rectangles.first.shape[1], DEFAULT_MEMORY // 2, images.device
    at_once, starts = planner.trajectories_at_once(plan, memory), rectangles.starts.to(device)
    numbered = FeatureCache.of(regions[None, None].to(images))
    for some in torch.arange(len(images), device=device).split(at_once):
        before, after = FeatureCache.of(images[some]), FeatureCache.of(others[some])
        rounds = ceil(count / max(1, at_once // len(some)))
        copies = torch.arange(ceil(count / rounds), device=device)  # of each image, with a region of its own in a round
        owners = torch.arange(len(some), device=device).repeat_interleave(len(copies))
        state = IncrementalState(plan, images[some], owners, batch_size=CPU_BATCH)
        tail = Tail(state, planner.tail_batch_size(plan, memory))
        put: list[Tensor] = []  # (S,) regions of each round that the tail holds
        for number in range(rounds):
            put.append((number + rounds * copies).repeat(len(some)))
            region = put[-1].clamp(max=count - 1)  # a copy without one repeats the last
            where = (starts[:, region], rectangles.size)
            changes = numbered.read(torch.zeros_like(owners), *where) == region[:, None, None, None]
            pixels = torch.where(changes, after.read(owners, *where), before.read(owners, *where))
            with state.changed(region[:, None], pixels) as crossing:
                tail.put(crossing)
            if tail.full or number == rounds - 1:
                changed, owner = torch.cat(put), some[owners].repeat(len(put))
                real = changed < count
                yield owner[real], changed[real], tail.finish()[real]
                put = []
