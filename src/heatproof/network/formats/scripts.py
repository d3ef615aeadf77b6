"""TorchScript: a language of its own in an archive, run by torch's interpreter.

What loading runs is refused before torch sees it, and torch gets an archive of our own, made of what was checked. What
``forward`` runs is refused after it was compiled, and before it is called: every operation must be one that computes.
"""

import io
import re
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from heatproof.errors import InputError
from heatproof.network.copying import loaded_again
from heatproof.network.formats.archives import entries, read_entries, repacked
from heatproof.network.formats.pickled import LARGEST, check_pickle
from heatproof.network.weights import check_plain

KIND = "a TorchScript program (of torch.jit.save)"
LOST = "{} is TorchScript, which has no graph here: no deconvolution, no LRP, full evaluation"
OBJECTS = ("data.pkl", "constants.pkl")

# of the archive: versions, objects, their tensors, and code; not what it was traced with, nor where its lines come from
_NEEDED = re.compile(
    r"(?:\.data/)?version|byteorder|\.format_version|(?:data|constants)\.pkl|(?:data|constants)/\d+|code/.*\.py"
)
# In the code: methods and hooks that are called while it is loaded or called, classes of C++, operators of others.
_REACHES_OUT = re.compile(
    rb"__setstate__|__getstate__|__forward_(?:pre_)?hooks__|torch\s*\.\s*classes"
    rb"|(?<![\w.])ops\b(?!\.(?:aten|prim|torchvision)\.\w)"
)
_NESTING = re.compile(rb"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[()\[\]{}\n]|[^\"'()\[\]{}\n]+|.", re.DOTALL)
_HIDES = re.compile(rb"\"\"\"|'''")
_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")
DEEPEST, LONGEST = 100, 2**13  # brackets within brackets, bytes of a statement
LARGEST_CODE = 2**24  # bytes
_CLASSES = re.compile(
    r"__torch__\.(?!torch\.classes\b)[\w.]+|torch\._utils\._rebuild_tensor_v2|torch\.jit\._pickle\.\w+"
    r"|torch\.\w+Storage|collections\.OrderedDict"
)

# what the language itself is made of
_LANGUAGE = re.compile(
    r"""prim::(?:Constant|ConstantChunk|CreateObject|DictConstruct|EnumName|EnumValue|GetAttr|If|ListConstruct|ListUnpack
    |Loop|NumToTensor|RaiseException|SetAttr|StringIndex|TupleConstruct|TupleIndex|TupleSlice|TupleUnpack|Uninitialized
    |abs|data|device|dtype|index|is_cpu|is_cuda|is_meta|is_mkldnn|is_mps|is_nested|is_quantized|is_sparse|is_sparse_csr
    |is_xla|is_xpu|isinstance|itemsize|layout|max|min|nbytes|rangelist|requires_grad|shape|tolist|type|unchecked_cast
    |unchecked_unwrap_optional)""",
    re.VERBOSE,
)
# ATen's operations that compute; others do more, and chr makes texts that are checked nowhere
_COMPUTES = re.compile(
    r"""(?!aten::(?:save|from_file|_print|manual_seed|seed|set_|set_data|set_grad_enabled|record_stream|wait|chr
    |_cufft_set_plan_cache_max_size)$)(?:aten|torchvision)::\w+""",
    re.VERBOSE,
)
_NAMES_A_FILE = re.compile(r"\bstr\??(?:\[\])?\s+\w*(?:file|path|url|dir)\w*", re.IGNORECASE)


class Script(nn.Module):
    """A TorchScript program as a module that can be copied with its parameters."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program
        for parameter in program.parameters():
            parameter.requires_grad_(False)  # a copy of one that is tracked would be no leaf

    def forward(self, images: Tensor) -> Any:  # noqa: ANN401 - what it returns is checked by whoever reads it
        """What the program returns."""
        return self.program(images)


def as_module(module: nn.Module) -> nn.Module:
    """A TorchScript program as a module that can be copied; others are left as they are."""
    return Script(loaded_again(module)) if isinstance(module, torch.jit.ScriptModule) else module


def read_script(path: Path) -> tuple[nn.Module, None, tuple[str, ...]]:
    """The module of a TorchScript program, nothing of its images' size, and a note on what is lost.

    Raises:
        InputError: for what is none, or for one that does more than compute.
    """
    archive = _checked(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is deprecated
            program = torch.jit.load(archive, map_location="cpu").eval()
            graph = program.inlined_graph
    except Exception as error:  # a damaged one can raise anything
        raise InputError(f"{path.name} cannot be loaded by torch.jit.load: {str(error).strip():.300}") from error
    for node in _nodes(graph):
        _check_node(path, node)
    for name, tensor in (*program.named_parameters(), *program.named_buffers()):
        check_plain(f"{path.name}: {name}", tensor)
    return Script(program), None, (LOST.format(path.name),)


# --- before it is loaded


def _checked(path: Path) -> io.BytesIO:
    """An archive with what was checked of the one in ``path``, and nothing else."""
    found = {name: entry for name, entry in entries(path, KIND).items() if _NEEDED.fullmatch(name)}
    code = {name: entry for name, entry in found.items() if name.startswith("code/")}
    if not code or not all(name in found for name in OBJECTS):
        raise InputError(f"expected {KIND}, got {path.name}, which holds no code of it")
    objects = {name: found[name] for name in OBJECTS}
    texts = [*read_entries(path, code, LARGEST_CODE), *read_entries(path, objects, LARGEST)]
    for name, content in texts:
        _check_objects(path, content) if name in objects else _check_code(path, content)
    others = {name: entry for name, entry in found.items() if name not in {**code, **objects}}
    return repacked(chain(texts, read_entries(path, others)))


def _check_code(path: Path, code: bytes) -> None:
    reaching = _REACHES_OUT.search(code)
    if reaching:
        raise _reaches(path, f"its code says {reaching[0].decode('ascii', 'replace')!r}")
    depth = start = 0
    if _HIDES.search(code):
        raise InputError(
            f"{path.name} is refused: its code has texts of several lines, which torch.jit.save never writes"
        )
    for token in _NESTING.finditer(code):  # torch's compiler calls itself for each level, until the process dies
        if token[0][:1] not in b"\"'" and (b"#" in token[0] or token[0].endswith(b"\\")):
            raise InputError(
                f"{path.name} is refused: its code has comments or continued lines, which torch.jit.save never writes"
            )
        depth += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if token[0] == b"\n" and depth <= 0:
            start = token.end()
        if depth > DEEPEST or token.end() - start > LONGEST:
            raise InputError(
                f"{path.name} is refused: its code has statements of more than {LONGEST:,} bytes, or more than "
                f"{DEEPEST} brackets within brackets"
            )


def _check_objects(path: Path, pickled: bytes) -> None:
    """Objects may be of classes that the archive's own code describes, and torch's tensors and lists."""

    def check_class(name: str) -> None:
        if not _CLASSES.fullmatch(name):
            raise _reaches(path, f"it holds an object of {name!r:.100}")

    try:
        check_pickle(pickled, check_class, lambda text: _check_text(path, text))
    except InputError as error:
        raise error if path.name in str(error) else InputError(f"{path.name} is refused: {error}") from error


# --- before it is called


def _nodes(block: Any) -> Iterator[Any]:  # noqa: ANN401 - graphs, blocks and nodes of torch's
    """All nodes of a graph, with those of the blocks within them."""
    waiting = [block]
    while waiting:
        for node in waiting.pop().nodes():
            yield node
            waiting.extend(node.blocks())


def _check_node(path: Path, node: Any) -> None:  # noqa: ANN401
    """Arithmetic, and what the language itself is made of; no operation may name a file."""
    kind = node.kind()
    of_language = _LANGUAGE.fullmatch(kind)
    if not of_language and not _COMPUTES.fullmatch(kind):
        raise _reaches(path, f"it calls {kind!r:.100}")
    if not of_language and _NAMES_A_FILE.search(node.schema()):
        raise _reaches(path, f"it calls {node.schema()!r:.100}")
    for name in node.attributeNames():
        how = node.kindOf(name)
        if how in ("g", "gs"):
            raise _reaches(path, f"{kind!r:.100} holds a graph")
        if how == "s":
            _check_text(path, node.s(name))


def _check_text(path: Path, text: str) -> None:
    """Texts can be shown, by warnings and errors."""
    if "torch.classes" in text or not all(letter.isprintable() or letter in "\n\t" for letter in text):
        raise _reaches(path, f"it holds the text {text!r:.100}")


def _reaches(path: Path, what: str) -> InputError:
    return InputError(f"{path.name} is refused: {what}, which could reach beyond the network")
