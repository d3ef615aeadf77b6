"""Programs of ``torch.export`` (``.pt2``), of which only what cannot carry code is given to torch.

``torch.export.load`` unpickles some weights and the sample inputs (``weights_only=False``), evaluates texts of sizes
and guards as Python, imports what a container's description names, and loads compiled libraries. So an archive of
our own is made from one that was checked: its operations are ATen's, its texts are names and sizes, its tensors bytes.
"""

import io
import json
import re
import warnings
import zipfile
from collections.abc import Mapping
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.formats.archives import LARGEST_TEXT, entries, first_line, read_entries, repacked

KIND = "a program of torch.export (.pt2)"
MODEL, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS, CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
_DYNAMIC = (
    'torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},)) for 2 or more images'
)

_FIXED = {
    "archive_format": "pt2", "archive_version": "0", ".data/version": "6\n", "byteorder": "little", SAMPLES: "",
}  # fmt: skip
_OPERATORS = "add|sub|mul|floordiv|truediv|mod|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem"
_TARGET = re.compile(
    rf"torch\.ops\.aten\.(?!from_file)\w+\.\w+|_operator\.(?:{_OPERATORS})|math\.(?:ceil|floor|trunc)|torch\.sym_\w+"
)
_PLAIN = re.compile(r"[\w.\- ]{0,1000}")
_NAME = re.compile(r"[^\W\d]\w*")
_SYMBOL = re.compile(r"[su]\d{1,9}")
_PLACES = re.compile(r"[\w.,;@\[\]() ]*")
_SIZE = re.compile(
    r"(?:[su]\d{1,9}|'[su]\d{1,9}'|(?:Symbol|Integer|Add|Mul|FloorDiv|Mod|PythonMod|Max|Min)\b"
    r"|(?:positive|nonnegative|integer)=True|\d{1,9}(?!\d)|[()+\-,/ ]|\*(?!\*))+"
)
_REFUSED = {
    "as_operator": "a function as an argument",
    "as_custom_obj": "an object of a class",
    "as_graph": "a graph within the graph",
    "custom_obj": "an object of a class",
}


class Program(nn.Module):
    """An exported program, which is what it was exported as and knows no training mode.

    Args:
        program: takes images (B, C, H, W).
        batch: how many at once, where it takes only so many: others are cut, and the last batch filled up.
    """

    def __init__(self, program: nn.Module, batch: int | None = None) -> None:
        super().__init__()
        self.program = program
        self.batch = batch

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - what it returns is checked by whoever reads it
        """What the program returns."""
        if self.batch is None:
            return self.program(images)
        missing = -len(images) % self.batch
        filled = torch.cat([images, images[:1].expand(missing, *images.shape[1:])]) if missing else images
        return torch.cat([self.program(part) for part in filled.split(self.batch)])[: len(images)]

    def train(self, mode: bool = True) -> "Program":
        """Nothing changes; programs refuse to be asked."""
        return self


def read_program(path: Path) -> tuple[nn.Module, tuple[int, int] | None, tuple[str, ...]]:
    """The module of an exported program, the height and width that it was exported for, and notes for the user.

    Raises:
        InputError: for what is none, for one that carries code, or one that does not take a batch of images.
    """
    archive = _checked(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(archive)
            module = program.module(check_guards=False)
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"{path.name} cannot be loaded by torch.export.load: {first_line(error)}") from error
    shape = _image_shape(path, program)
    size = shape[2:] if all(isinstance(side, int) for side in shape[2:]) else None
    if not isinstance(shape[0], int):
        return Program(module), size, ()
    note = (
        f"{path.name} was exported for batches of {shape[0]}: it is slower, and has no graph (no deconvolution, no "
        f"LRP, full evaluation); export it again by {_DYNAMIC}"
    )
    return Program(module, shape[0]), size, (note,)


def _image_shape(path: Path, program: torch.export.ExportedProgram) -> tuple[Any, ...]:
    wanted = program.graph_signature.user_inputs
    values = [node.meta.get("val") for node in program.graph.nodes if node.name in wanted]
    if len(values) != 1 or not isinstance(values[0], Tensor) or values[0].ndim != 4:
        came = [tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__ for value in values]
        raise InputError(f"{path.name} must take one batch of images (B, C, H, W), and takes {came}")
    return tuple(values[0].shape)


# --- what is let through


def _checked(path: Path) -> io.BytesIO:
    """An archive with what was checked of the one in ``path``, and nothing else."""
    found = entries(path, KIND)
    compiled = next((name for name in found if name.startswith("data/aotinductor")), None)
    if compiled:
        raise InputError(f"{path.name} is refused: it holds compiled code ({compiled}), which loading would run")
    if MODEL not in found or WEIGHTS not in found or CONSTANTS not in found:
        raise InputError(f"expected {KIND} of torch.export.save, torch 2.8 or later, got {path.name} without {MODEL}")
    try:
        texts = read_entries(path, {name: found[name] for name in (MODEL, WEIGHTS, CONSTANTS)}, LARGEST_TEXT)
        described = {name: json.loads(text) for name, text in texts}
        described[MODEL] = _program(described[MODEL])
        tensors = {
            name: found[name]
            for config in (WEIGHTS, CONSTANTS)
            for name in _tensors(described[config], config.rpartition("/")[0], found)
        }
    except InputError as error:
        raise InputError(f"{path.name} is refused: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"expected {KIND}, got {path.name}, which is not written like one ({error!r:.200})") from error
    written = [(name, json.dumps(content)) for name, content in described.items()]
    return repacked(chain(_FIXED.items(), written, read_entries(path, tensors)))


def _program(described: dict[str, Any]) -> dict[str, Any]:
    """The description of a program without what is not needed to compute it."""
    graph = described["graph_module"]
    calls = [call for call in graph["module_call_graph"] if call["fqn"] == ""]
    for call in calls:
        for name in ("in_spec", "out_spec"):
            _check_containers(json.loads(call["signature"][name])[1])
    for node in graph["graph"]["nodes"]:
        place = str((node.get("metadata") or {}).get("nn_module_stack", ""))
        node["metadata"] = {"nn_module_stack": place} if place and _PLACES.fullmatch(place) else {}
    kept = {
        **described,
        "graph_module": {**graph, "module_call_graph": calls, "metadata": {}, "treespec_namedtuple_fields": {}},
        "guards_code": [],
        "torch_version": "",
    }
    for symbol in kept["range_constraints"]:
        _match(_SYMBOL, symbol, "size")
    _check(kept)
    return kept


_PATTERNS: dict[str, tuple[re.Pattern[str] | None, str]] = {
    "target": (_TARGET, "operation"),
    "expr_str": (_SIZE, "size"),
    "forward_arg_names": (_NAME, "name"),
    "nn_module_stack": (_PLACES, "place"),
    "in_spec": (None, "container"),  # checked already
    "out_spec": (None, "container"),
}


def _check(value: Any, key: str = "") -> None:  # noqa: ANN401 - whatever JSON holds
    """Every text must be what its key says, or a plain name."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in _REFUSED and item is not None:
                raise InputError(f"it carries {_REFUSED[name]}, which could be code")
            _match(_PLAIN, name, "name")
            _check(item, name)
    elif isinstance(value, list):
        for item in value:
            _check(item, key)
    elif isinstance(value, str):
        pattern, kind = _PATTERNS.get(key, (_PLAIN, "text"))
        if pattern is not None:
            _match(pattern, value, kind)


def _match(pattern: re.Pattern[str], text: str, kind: str) -> None:
    if not pattern.fullmatch(text):
        raise InputError(f"{kind} {text!r:.100} is none that heatproof lets through, since loading it could run code")


def _check_containers(spec: dict[str, Any]) -> None:
    """How arguments and outputs are packed: tuples, lists and dictionaries; others are made by what they name."""
    if spec["type"] not in (None, "builtins.tuple", "builtins.list", "builtins.dict"):
        raise InputError(f"it takes or returns {spec['type']!r:.100}; export a module that returns the logits alone")
    context = json.loads(spec["context"] or "null")
    for name in context if isinstance(context, list) else [] if context is None else [str(context)]:
        _match(_NAME, str(name), "name")
    for child in spec["children_spec"]:
        _check_containers(child)


def _tensors(config: dict[str, Any], folder: str, found: Mapping[str, zipfile.ZipInfo]) -> list[str]:
    """Names of the entries that hold the tensors; each must be bytes, and as many as the tensor reads."""
    names = []
    for tensor, about in config["config"].items():
        _match(_PLAIN, tensor, "name")
        name = f"{folder}/{about['path_name']}"
        if about["use_pickle"] or not re.fullmatch(r"(?:weight|tensor)_\d{1,9}", about["path_name"]):
            raise InputError(f"{tensor} is pickled, and reading it could run code")
        sizes = [_whole(size) for size in about["tensor_meta"]["sizes"]]
        if name not in found or prod(sizes) > found[name].file_size:
            raise InputError(f"{tensor} claims {prod(sizes):,} numbers, more than it has bytes")
        _check(about)
        names.append(name)
    return names


def _whole(size: dict[str, Any]) -> int:
    number = size["as_int"]
    if not isinstance(number, int) or number < 0:
        raise InputError(f"a size is {number!r:.100}")
    return number
