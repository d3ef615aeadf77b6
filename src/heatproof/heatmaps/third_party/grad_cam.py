"""Methods of pytorch-grad-cam, by name: ``gradcam:GradCAMPlusPlus@layer4``."""

import contextlib
import io
from typing import Any

import torch
from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps.methods import Method
from heatproof.heatmaps.third_party.layers import Layer
from heatproof.heatmaps.third_party.options import OURS, checked_options, simple_options, split_spec
from heatproof.heatmaps.third_party.package import ONE_BY_ONE, Ask, Batches, Package, asked, working_copy
from heatproof.network import Network
from heatproof.registry import unknown

Options = dict[str, Any]
METHODS = (
    *("GradCAM", "HiResCAM", "GradCAMElementWise", "GradCAMPlusPlus", "XGradCAM", "LayerCAM", "EigenCAM"),
    *("EigenGradCAM", "KPCA_CAM", "RandomCAM", "ScoreCAM", "AblationCAM", "FEM"),
)
# not those that draw, take singular vectors (rounding may turn their sign) or thresholds, or make many inputs of one
IN_BATCHES = ("GradCAM", "HiResCAM", "GradCAMElementWise", "GradCAMPlusPlus", "XGradCAM", "LayerCAM")


def build(spec: str, network: Network) -> Method:
    """A class activation map of pytorch-grad-cam: from 0 to 1 for each image, enlarged to it."""
    import pytorch_grad_cam

    name, path, given = split_spec(spec)
    there = [method for method in METHODS if hasattr(pytorch_grad_cam, method)]
    if name not in there:
        raise InputError(unknown("method of pytorch-grad-cam", name, there))
    kind = getattr(pytorch_grad_cam, name)
    of_call = simple_options(kind.__call__)
    own = simple_options(kind, without=("compute_input_gradient", "uses_gradients", "detach", "batch_size"))
    options = OURS | checked_options(f"gradcam:{name}", given, own | of_call | {"seed": 0})
    seed = options.pop("seed")
    del options["channels"]
    layer = Layer(network, working_copy(network.module), path, f"gradcam:{name}")
    making = {key: value for key, value in options.items() if key in own}
    calling = {key: value for key, value in options.items() if key in of_call}
    batches = Batches(each=2) if name in IN_BATCHES and not options.get("eigen_smooth") else ONE_BY_ONE
    ask = _ask(kind, layer, making, calling)
    return asked(f"gradcam:{name}", network, ask, seed=seed, channels="sum", batches=batches)


def _ask(kind: Any, layer: Layer, making: Options, calling: Options) -> Ask:  # noqa: ANN401
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def attributions(inputs: Tensor, asked: Tensor) -> Tensor:
        targets = [ClassifierOutputTarget(target) for target in asked.tolist()]
        cam = kind(model=layer.model, target_layers=[layer.read_by(inputs)], **making)
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # some draw bars of their progress
                found = cam(input_tensor=inputs, targets=targets, **calling)
        finally:
            cam.activations_and_grads.release()
        return torch.from_numpy(found)

    return attributions


GRAD_CAM = Package(
    distribution="grad-cam",
    module="pytorch_grad_cam",
    extra="grad-cam",
    example="GradCAM@layer4",
    meaning="A method of pytorch-grad-cam's at a layer of the network, such as GradCAMPlusPlus@layer4; a transformer's "
    "is the norm before its last attention, by default.",
    build=build,
)
