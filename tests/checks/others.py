"""Methods and metrics of other packages, as they are shipped, put before the suite.

``python tests/checks/others.py`` prints the tables of docs/checks.md; a test compares them with the page.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from heatproof.checks import Checked, MetricClaims, check_method, check_metric

SIGNS = {"passed": "yes", "failed": "**no**", "noted": "·", "not applicable": "–"}


@dataclass(frozen=True)
class Other:
    """Someone's method or metric: the package, how it is used, and what it claims."""

    package: str
    label: str
    subject: Callable[..., Any]
    claims: dict[str, Any] = field(default_factory=dict)
    kind: str = "method"
    only: list[str] | None = None

    def check(self) -> Checked:
        """What the suite finds; noise that they draw from the global state is the same each time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if self.kind == "method":
                return check_method(self.subject, **self.claims, name=self.label)
            return check_metric(self.subject, MetricClaims(**self.claims), only=self.only, name=self.label)


# --- methods


def captum_attribution(name, layered=False):
    """A class of captum.attr, its channels summed; a layer's map is enlarged as Captum does it."""

    def maps(network, images, targets):
        from captum import attr

        inputs = network.inputs(images).requires_grad_()
        if not layered:
            return getattr(attr, name)(network.module).attribute(inputs, target=targets).sum(dim=1)
        found = getattr(attr, name)(network.module, last_convolution(network)).attribute(inputs, target=targets)
        return attr.LayerAttribution.interpolate(found, images.shape[2:], "bilinear").sum(dim=1)

    return maps


def grad_cam(network, images, targets):
    """GradCAM of pytorch-grad-cam, in a ``with`` as its readme does it."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    inputs = network.inputs(images).requires_grad_()
    with GradCAM(model=network.module, target_layers=[last_convolution(network)]) as cam:
        return torch.from_numpy(cam(input_tensor=inputs, targets=[ClassifierOutputTarget(int(t)) for t in targets]))


def last_convolution(network):
    return [module for module in network.module.modules() if isinstance(module, torch.nn.Conv2d)][-1]


# --- metrics


def quantus_metric(name, softmax=True, **options):
    """A metric of Quantus; where it returns a curve for each image, the mean of what it returns."""

    def values(network, images, targets, heatmaps):
        import quantus

        metric = getattr(quantus, name)(disable_warnings=True, **options)
        found = metric(
            model=network.module, x_batch=images.numpy(), y_batch=targets.numpy(),
            a_batch=heatmaps[:, None].numpy(), softmax=softmax, channel_first=True, device="cpu",
        )  # fmt: skip
        return np.asarray(found, dtype=np.float64).reshape(len(images), -1).mean(axis=1)

    return values


def captum_infidelity(network, images, targets, heatmaps):
    """Infidelity under noise with a standard deviation of 0.1, drawn as in Captum's documentation."""
    from captum.metrics import infidelity

    def perturb(inputs):
        noise = torch.randn(inputs.shape) * 0.1
        return noise, inputs - noise

    maps = heatmaps[:, None].expand_as(images) / images.shape[1]
    return infidelity(network.module, perturb, network.inputs(images), maps, target=targets)


def road(name, **options):
    """A ROAD metric of pytorch-grad-cam."""

    def values(network, images, targets, heatmaps):
        from pytorch_grad_cam.metrics import road as metrics
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        asked = [ClassifierOutputTarget(int(target)) for target in targets]
        metric = getattr(metrics, name)(**options)
        return metric(network.inputs(images), heatmaps.numpy(), asked, network.module)

    return values


# what infidelity likes best is the gradient, and not the contributions that the suite's good map holds
ASKED_OF_INFIDELITY = ["one value per image", "batch", "order of images", "global randomness", "leaves things alone"]
QUANTUS = {"region": 8, "value": "aopc", "replacement": "zero"}
OTHERS = [
    Other("captum", "`Saliency`", captum_attribution("Saliency")),
    Other("captum", "`InputXGradient`", captum_attribution("InputXGradient"), {"sums_to_score": True}),
    Other("captum", "`Deconvolution`", captum_attribution("Deconvolution")),
    Other("captum", "`LayerGradCam`", captum_attribution("LayerGradCam", layered=True)),
    Other("grad-cam", "`GradCAM`", grad_cam),
    Other(
        "quantus", "`RegionPerturbation`", quantus_metric("RegionPerturbation"),
        QUANTUS | {"score": "probability", "higher_is_better": False}, "metric",
    ),
    Other(
        "quantus", "the same, `softmax=False`, higher is better", quantus_metric("RegionPerturbation", softmax=False),
        QUANTUS | {"score": "logit"}, "metric",
    ),
    Other(
        "quantus", "`PixelFlipping`", quantus_metric("PixelFlipping"),
        {"region": 1, "score": "probability", "higher_is_better": False}, "metric",
    ),
    Other(
        "quantus", "`Selectivity`", quantus_metric("Selectivity"),
        {"region": 8, "score": "probability", "higher_is_better": False}, "metric",
    ),
    Other(
        "captum", "`infidelity`", captum_infidelity,
        {"region": 1, "higher_is_better": False, "only_order": False},
        "metric", ASKED_OF_INFIDELITY,
    ),
    Other(
        "grad-cam", "`ROADMostRelevantFirst`", road("ROADMostRelevantFirst"),
        {"region": 1, "score": "logit", "higher_is_better": False}, "metric",
    ),
    Other(
        "grad-cam", "`ROADCombined`", road("ROADCombined", percentiles=[20, 80]),
        {"region": 1, "score": "logit", "chance": 0.0}, "metric",
    ),
]  # fmt: skip


def tables(found: dict[str, Checked]) -> str:
    """The tables of the page, checks down and subjects across."""
    return "\n".join(_table(found, kind) for kind in ("method", "metric"))


def _table(found: dict[str, Checked], kind: str) -> str:
    of_kind = [other for other in OTHERS if other.kind == kind and other.label in found]
    columns = [found[other.label].outcomes() for other in of_kind]
    titles = [f"{other.package} {version(other.package)}: {other.label}" for other in of_kind]
    rows = [["check", *titles], ["---"] * (len(titles) + 1)]
    rows += [[check, *(SIGNS[outcomes.get(check, "not applicable")] for outcomes in columns)] for check in columns[0]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


if __name__ == "__main__":
    results = {other.label: other.check() for other in OTHERS}
    for label, result in results.items():
        print(label, result, sep="\n", end="\n\n", file=sys.stderr)
    print(tables(results))
