"""A GPU that is not there: its tensors say ``cuda:0``, refuse what tensors on a GPU refuse, and are computed here.

It finds code that mixes devices, on a machine without a GPU. It knows nothing of speed or rounding: the numbers are the
CPU's. As on CUDA, one operation refuses tensors of two devices, but for a CPU tensor without dimensions; a tensor on
the GPU may be indexed by one on the CPU (which waits for a copy, so that it counts as a transfer), not the other way
round; and ``.numpy()`` is refused.
"""

import copy
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves as leaves
from torch.utils._pytree import tree_map

from heatproof.network import trial

GPU = torch.device("cuda", 0)
INSIDE = torch.device("meta")  # what torch's own C++ is told: autograd would wait for a GPU's streams
aten = torch.ops.aten
CROSSING = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten._unsafe_index.Tensor, aten.index_put.default, aten.index_put_.default,
            aten._unsafe_index_put.default, aten._index_put_impl_.default}  # fmt: skip
transfers: Counter[str] = Counter()  # to the GPU, from it, and by what hidden way


class OnGpu(Tensor):
    """A tensor that says it is on the GPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnGpu":
        size, layout = inner.size(), {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        with torch.inference_mode(False):
            made = Tensor._make_wrapper_subclass(cls, size, **layout, dtype=inner.dtype, device=INSIDE)
        made.inner = inner
        return made

    device, is_cuda, is_meta = GPU, True, False  # what code in Python is told

    def __deepcopy__(self, memo: dict[int, Any]) -> "OnGpu":
        if id(self) not in memo:
            found = self.detach().clone().requires_grad_(self.requires_grad)
            found._is_param = getattr(self, "_is_param", False)
            memo[id(self)] = found
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"OnGpu({self.inner!r})"

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")

    def tolist(self) -> Any:
        transfers["to the CPU"] += 1
        return self.inner.tolist()

    def __getitem__(self, key: Any) -> Tensor:
        return super().__getitem__(moved(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(moved(key), value)

    def new_tensor(self, data: Any, **given: Any) -> Tensor:
        return torch.tensor(data, **{"dtype": self.dtype, "device": GPU} | given)

    def __array__(self, *given: object) -> Any:
        return self.numpy()

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def moved(key: Any) -> Any:
    """An index in which lists are tensors on the GPU, as torch makes them."""
    if isinstance(key, list):
        return torch.tensor(key, device=GPU)
    return tuple(map(moved, key)) if isinstance(key, tuple) else key


class Gpu(TorchDispatchMode):
    """Sees also what makes tensors of none."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: C901
    """One operation, on the CPU, with the device that its values would be on."""
    given = tensors((args, kwargs))
    on_gpu = [one for one in given if isinstance(one, OnGpu)]
    asked = next((one for one in leaves((args, kwargs)) if isinstance(one, torch.device)), None)
    if asked == INSIDE and (on_gpu or func.overloadpacket in (aten._to_copy, aten.to)):
        asked = GPU  # as of x.to(y)
    if not on_gpu and (asked is None or asked.type != "cuda"):
        return func(*args, **kwargs)
    with Gpu():  # under inference mode, what others are made of comes as a whole
        parts = func.decompose(*args, **kwargs)
    if parts is not NotImplemented:
        return parts
    if func is aten._fused_sdp_choice.default:
        return 0  # in its parts: what a GPU has for it, the CPU lacks
    check(func, args, given)
    inner = {id(one.inner): one for one in on_gpu}
    plain_args, plain_kwargs = tree_map(lambda one: one.inner if isinstance(one, OnGpu) else one, (args, kwargs))
    if asked is not None:
        plain_kwargs["device"] = torch.device("cpu")
    with torch.inference_mode(False):  # so that views of what was made before can be made in it
        found = func(*plain_args, **plain_kwargs)
    to = asked or (args[0].device if func in CROSSING else GPU)
    if func in CROSSING:
        count(args[1] if func is aten.copy_.default else args[0], to)
        if found is getattr(args[0], "inner", None) and func is not aten.copy_.default:
            found = found.clone()
    elif func in (aten._local_scalar_dense.default, aten.nonzero.default, aten.equal.default):
        transfers["waits"] += 1
    if to.type != "cuda":
        return found

    def wrapped(one: Any) -> Any:
        if not isinstance(one, Tensor):
            return one
        return inner[id(one)] if id(one) in inner else OnGpu(one)

    return tree_map(wrapped, found)


def check(func: Any, args: tuple[Any, ...], given: list[Tensor]) -> None:
    """Refuses to mix devices, as CUDA does."""
    if func in CROSSING:
        return
    assert not any(one.is_meta for one in given), "a tensor without values"
    rest = given
    if func in INDEXING:
        of, indices = args[0], [one for one in args[1] if isinstance(one, Tensor)]
        if not isinstance(of, OnGpu) and any(isinstance(one, OnGpu) for one in indices):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        if any(not isinstance(one, OnGpu) for one in indices):
            transfers["by an index on the CPU"] += 1
        rest = [of, *tensors(args[2:])]
    if any(not isinstance(one, OnGpu) and one.ndim for one in rest):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found cuda:0 and cpu ({func})")


class Mark:
    """A mark in the GPU's queue, which is empty whenever the CPU has computed."""

    def __init__(self, *, enable_timing: bool) -> None:
        self.seconds = 0.0

    def record(self) -> None:
        self.seconds = time.perf_counter()

    def elapsed_time(self, other: "Mark") -> float:
        return 1000 * (other.seconds - self.seconds)


def tensors(tree: Any) -> list[Tensor]:
    return [one for one in leaves(tree) if isinstance(one, Tensor)]


def count(source: Tensor, to: torch.device) -> None:
    if source.device.type != to.type:
        transfers["to the GPU" if to.type == "cuda" else "to the CPU"] += 1


def exported(module: nn.Module, shape: tuple[int, ...]) -> torch.export.ExportedProgram:  # noqa: C901
    """Exports a copy on the CPU, and says of the program what that of a module on a GPU would say."""
    plain, weights = copy.deepcopy(module), {**module.state_dict(), **dict(module.named_parameters())}
    for part in plain.modules():
        for name, value in part._parameters.items():
            if isinstance(value, OnGpu):
                part._parameters[name] = nn.Parameter(value.inner.clone(), requires_grad=False)
        for name, value in part._buffers.items():
            if isinstance(value, OnGpu):
                part._buffers[name] = value.inner.clone()
    with torch.utils._python_dispatch._disable_current_modes():
        program = EXPORT(plain, shape)
    for name in program.state_dict:
        program.state_dict[name] = weights[name]
    for name, value in program.constants.items():
        program.constants[name] = value.to(GPU) if isinstance(value, Tensor) else value
    for graph in [one for one in program.graph_module.modules() if isinstance(one, torch.fx.GraphModule)]:
        for node in graph.graph.nodes:
            if "device" in node.kwargs:
                node.kwargs = {**node.kwargs, "device": GPU}
            if hasattr(value := node.meta.get("val"), "fake_device"):
                value.fake_device = GPU
    return program


EXPORT = trial.exported_program


@contextmanager
def gpu() -> Iterator[Counter[str]]:
    """Within this context there is a GPU; yields the count of transfers."""
    kept = {
        (place, name): getattr(place, name)
        for place, name in (
            (torch.cuda, "Event"),
            (torch.cuda, "_lazy_init"), (torch.cuda, "synchronize"), (torch.cuda, "get_rng_state"),
            (torch.cuda, "set_rng_state"), (trial, "exported_program"),
        )
    }  # fmt: skip
    swapped = torch.__future__.get_overwrite_module_params_on_conversion()
    torch._C._ensureCUDADeviceGuardSet()  # one that does nothing, as FakeTensorMode has it
    lifts = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(…) is made on the CPU, and then moved
    torch.cuda._lazy_init = lambda: None
    torch.cuda.synchronize = lambda device=None: None
    torch.cuda.Event = Mark
    torch.cuda.get_rng_state = lambda device=None: torch.zeros(8, dtype=torch.uint8)
    torch.cuda.set_rng_state = lambda state, device=None: None
    trial.exported_program = exported
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    transfers.clear()
    try:
        with Gpu(), torch.backends.cudnn.flags(enabled=False):
            yield transfers
    finally:
        torch._C._set_only_lift_cpu_tensors(lifts)
        torch.__future__.set_overwrite_module_params_on_conversion(swapped)
        for (place, name), value in kept.items():
            setattr(place, name, value)
