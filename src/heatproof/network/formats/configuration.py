"""Configurations of Hugging Face's networks: what in them could lead to other files, code or the network is refused."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from heatproof.errors import InputError

ADAPTER = "adapter_config.json"
MOST_MODULES = 100_000  # ViT-Huge has 600
MOST_LABELS = 100_000  # ImageNet-21k has 21,841
DEEPEST = 20

# What transformers follows: code in the folder, packages for quantised weights, kernels of the hub, other libraries.
_FOLLOWED = re.compile(
    r"auto_map|.*quantization.*|.*quantizer.*|_?(?:attn|experts)_implementation.*|.*kernel(?:s|_config).*|.*adapter.*"
    r"|.*backbone.*|model_args|custom_\w+|trust_remote_code|.*pretrained.*|checkpoint.*|.*_(?:file|path|url|repo)"
)
_SHOWN = ("id2label", "label2id", "_name_or_path", "architectures", "transformers_version", "finetuning_task")
_WORD = re.compile(r"[\w.\- ]{0,100}")
_WITHOUT_CONSEQUENCE: tuple[Any, ...] = (None, False, 0, "", "eager", "sdpa", [], {})
_FOREIGN = ("timm_wrapper",)  # built by another library, from what the configuration says


def check_config(config: Mapping[str, Any]) -> None:
    """Refuses what leads out of a configuration; all texts must be plain words, but for those that are only shown."""
    kind = config.get("model_type")
    if kind in _FOREIGN:
        raise InputError(f"a network of the kind {kind} is built by timm; use timm:NAME with --weights")
    labels = config.get("num_labels", 0), len(config["id2label"]) if isinstance(config.get("id2label"), dict) else 0
    if any(isinstance(count, int) and count > MOST_LABELS for count in labels):
        raise InputError(f"its configuration has more than {MOST_LABELS:,} labels")
    _check({key: value for key, value in config.items() if key not in _SHOWN}, DEEPEST)


def _check(value: Any, depth: int) -> None:  # noqa: ANN401 - whatever JSON holds
    if depth < 0:
        raise InputError(f"its configuration lies more than {DEEPEST} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "auto_map":
                raise InputError("it contains code (auto_map), which heatproof never runs")
            if _FOLLOWED.fullmatch(key) and inner not in _WITHOUT_CONSEQUENCE:
                raise InputError(f"its configuration says {key!r:.60}, which could lead to other code or files")
            _check(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth - 1)
    elif isinstance(value, str) and not _WORD.fullmatch(value):
        raise InputError(f"its configuration says {value!r:.100}, which could be the name of a file or a repository")


@contextmanager
def no_larger_than(size: int) -> Iterator[None]:
    """Within it, no more modules and parameters can be made than fit to weights of so many bytes.

    A configuration of a hundred bytes can ask for a billion layers; of what it asks for, the weights must be there.
    """
    modules, numbers = MOST_MODULES, 4 * size + 2**20  # four to a byte are more than any file holds

    def count_module(_: nn.Module, name: str, module: nn.Module | None) -> None:
        nonlocal modules
        modules -= 1
        if modules < 0:
            raise InputError(f"its configuration asks for more than {MOST_MODULES:,} layers")

    def count_parameter(_: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal numbers
        numbers -= 0 if parameter is None else parameter.numel()
        if numbers < 0:
            raise InputError("its configuration asks for far more weights than the file holds")

    with ExitStack() as hooks:
        hooks.callback(register_module_module_registration_hook(count_module).remove)
        hooks.callback(register_module_parameter_registration_hook(count_parameter).remove)
        yield
