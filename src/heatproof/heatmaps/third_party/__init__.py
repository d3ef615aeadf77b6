"""Methods of other packages, by name: ``captum:IntegratedGradients[n_steps=20]``, ``gradcam:GradCAM@layer4``.

They work on a copy of the module, in batches where a method is known to treat each image by itself, and else one image
at a time, each with randomness of its own: a map depends on its image alone, and nobody's hooks, gradients or random
states are touched.
"""

from heatproof.heatmaps.third_party.captum import CAPTUM
from heatproof.heatmaps.third_party.grad_cam import GRAD_CAM
from heatproof.heatmaps.third_party.package import Package
from heatproof.heatmaps.third_party.zennit import ZENNIT

PACKAGES: dict[str, Package] = {"captum": CAPTUM, "zennit": ZENNIT, "gradcam": GRAD_CAM}

__all__ = ["PACKAGES", "Package"]
