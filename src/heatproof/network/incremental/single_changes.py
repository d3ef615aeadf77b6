"""Images of which one region at a time has changed."""

from collections.abc import Iterator

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
def single_changes(graph: Graph, images: Tensor, others: Tensor, regions: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The graph's output for each image with one region taken from another, region after region, image after image.

    What such a change does not touch is not evaluated again where that spares much; the plan is the same on every
    machine.

    Args:
        graph: of the network.
        images: (N, C, H, W) normalised.
        others: (N, C, H, W) that have the changed regions.
        regions: (H, W) region index of each pixel, from 0 to R − 1.

    Yields:
        Indices of images (B,), and the outputs (B, …) of each with the next of its regions changed.
    """
    rectangles, planner = dirty_regions(regions[None]), Planner(images)
    plan = leanest(whole_plan(graph, rectangles))
    if plan.multiply_adds > WORTHWHILE * graph.multiply_adds:
        plan = plan.cut([])
    count = rectangles.first.shape[1]
    memory = DEFAULT_MEMORY // 2
    for numbers in torch.arange(len(images) * count).split(planner.trajectories_at_once(plan, memory)):
        used, owners = (numbers // count).unique(return_inverse=True)
        region, image = (numbers % count).to(images.device), (numbers // count).to(images.device)
        inside = regions.to(images.device) == region[:, None, None]
        changed = FeatureCache.of(torch.where(inside[:, None], others[image], images[image]))
        state = IncrementalState(plan, images[used.to(images.device)], owners, batch_size=CPU_BATCH)
        starts = rectangles.starts.to(images.device)[:, region]
        pixels = changed.read(torch.arange(len(numbers), device=images.device), starts, rectangles.size)
        tail = Tail(plan, len(numbers), planner.tail_batch_size(plan, memory), images)
        tail.put(state.change(region[:, None], pixels))
        yield image, tail.finish()
