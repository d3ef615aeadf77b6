"""Checks of a metric that judges heatmaps."""

from collections.abc import Collection

from heatproof.checks import answers, invariances  # noqa: F401 - imported to add their checks
from heatproof.checks.findings import Checked
from heatproof.checks.judging import REPLACEMENTS, SCORES, SUITE, VALUES, Metric, Subject
from heatproof.errors import InputError
from heatproof.network import Network
from heatproof.registry import unknown


def check_metric(
    metric: Metric,
    *,
    higher_is_better: bool = True,
    region: int = 9,
    value: str | None = None,
    replacement: str | None = None,
    score: str | None = None,
    chance: float | None = None,
    only_order: bool = True,
    network: Network | None = None,
    only: Collection[str] | None = None,
    name: str | None = None,
) -> Checked:
    """Checks a metric of heatmaps on small networks whose right answers are known.

    What the metric does not claim is not checked.

    Args:
        metric: a callable ``(network, images, targets, heatmaps) -> (N,)`` of a ``Network``, images (N, 3, H, W) in
            [0, 1], class indices (N,) and float32 heatmaps (N, H, W). ``network.module`` is the torch module.
        higher_is_better: its direction.
        region: side of the regions, in pixels, that it removes.
        value: "aopc" or "abpc", if it is one, over all regions of the image.
        replacement: "zero" or "uniform" (noise), if a removed region becomes that.
        score: "logit" or "probability", if it follows that.
        chance: what random maps get on average; by default 0 for "abpc".
        only_order: only the order of the regions' relevance counts, not its size.
        network: yours, instead of a small convolutional one, for the checks that need no known answer.
        only: names of the checks to make; by default all.
        name: of the metric, for the table.

    Returns:
        What was found; ``.passed`` says whether nothing failed.

    >>> import heatproof as hp
    >>> def mine(network, images, targets, heatmaps):
    ...     curves = hp.perturb(network, images, heatmaps, targets=targets, regions=4, repeats=1, replacement="black")
    ...     return hp.aopc(curves)
    >>> check_metric(mine, region=4, value="aopc", replacement="zero", score="logit").passed
    True
    >>> [check.name for check in check_metric(mine, region=4, higher_is_better=False).failed]
    ['direction', 'sizes']
    """
    for what, given, known in (
        ("value", value, VALUES),
        ("replacement", replacement, REPLACEMENTS),
        ("score", score, SCORES),
    ):
        if given is not None and given not in known:
            raise InputError(unknown(what, given, known))
    if region < 1:
        raise InputError(f"region must be at least 1 pixel, got {region}")
    if chance is None and value == "abpc":
        chance = 0.0
    claims = (higher_is_better, region, value, replacement, score, chance, only_order, network)
    return SUITE.run(name or str(getattr(metric, "__name__", "metric")), Subject(metric, *claims), only)
