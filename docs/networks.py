"""Writes networks.md: what heatproof can do with each network of torchvision, timm and transformers.

``python docs/networks.py`` tries every classifier of torchvision, the smallest member of every module of timm and some
transformers that share a module, and common image classifiers of transformers, with random weights and small images;
one that takes more than ten minutes is given up. All take an hour on one core.
With ``--only`` the networks whose names contain a text are tried again, and the page's other rows stay as they are.
"""

import argparse
import contextlib
import io
import logging
import signal
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import timm
import torch
import torchvision
import transformers
from torch import nn

import heatproof as hp
from heatproof.errors import InputError
from heatproof.network.graph import Graph
from heatproof.network.incremental import IncrementalState, Tail, dirty_regions, leanest, whole_plan

PAGE = Path(__file__).with_name("networks.md")
SECONDS = 600
WAYS = {
    "gradient": "gradient-x-input",
    "deconvolution": "deconvolution-l2",
    "LRP": "lrp-epsilon",
    "rollout": "attention-rollout",
}
DROP = "dropped tokens"
MARKS = (*WAYS, DROP)
MORE = (  # transformers of timm that share their module with others
    "deit3_small_patch16_224",
    "vit_small_patch14_reg4_dinov2",
    "vit_base_patch32_clip_224",
)
CONFIGURATIONS = {  # of transformers, with few layers
    "ViT": {"num_hidden_layers": 3},
    "DeiT": {"num_hidden_layers": 3},
    "Beit": {"num_hidden_layers": 3, "use_relative_position_bias": True},
    "Swin": {},
    "Dinov2": {"num_hidden_layers": 3},
    "Siglip": {"vision_config": {"num_hidden_layers": 3}},
    "ConvNextV2": {"depths": [1, 1, 2, 1]},
}
OTHERWISE = "; choose another method for this network, such as gradient-x-input"
EXACT = 1e-5  # of the range of the scores
INTRODUCTION = """# Networks

What works with which network: every classifier of torchvision {torchvision}, the smallest member of every module of
timm {timm} (and three more of its transformers), and seven families of transformers {transformers}, tried with random
weights, on small images, with torch {torch}; `docs/networks.py` made this page.

A network has a *graph* if `torch.export` can follow it. Operations that heatproof does not know are evaluated and
differentiated as they are; LRP and deconvolution then stop there, and the last column says where. *Incremental* says
how much of the multiply-adds of a step the incremental engine needs when one region of 9 × 9 pixels changes, if its
scores are those of full evaluation within 1e-5 of their range. *Rollout* stands for the maps of attention, and
*dropped tokens* for `--replacement drop` ([transformers](transformers.md)); without attention there are neither.

{graphs} of {all} have a graph, {lrp} have LRP, {deconvolution} have deconvolution; for {incremental} the incremental
engine is exact. Of the {plain} without attention, {plain_lrp} have LRP; of the {attending} with attention,
{attending_lrp} have LRP, {rollout} maps of attention over all tokens, and {dropped} can leave out tokens.

| network | attention | graph | gradient | deconvolution | LRP | rollout | dropped tokens | incremental | why not |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Row:
    """One network: which ways work, the share of multiply-adds of the incremental engine, and reasons."""

    name: str
    graph: bool
    ways: dict[str, bool]
    share: float | None
    reason: str
    attention: bool

    def line(self) -> str:
        """As a line of a table."""
        marks = [_mark(works) for works in (self.attention, self.graph, *(self.ways.get(way, False) for way in MARKS))]
        share = "–" if self.share is None else f"{self.share:.0%}"
        return f"| {self.name} | {' | '.join(marks)} | {share} | {self.reason} |"

    @classmethod
    def of(cls, line: str) -> Self:
        """The row that a line of a table holds."""
        name, *marks, share, reason = (cell.strip() for cell in line.strip().strip("|").split("|"))
        attention, graph, *ways = (mark == "✓" for mark in marks)
        part = None if share == "–" else float(share.removesuffix("%")) / 100
        return cls(name, graph, dict(zip(MARKS, ways, strict=True)), part, reason, attention)


def _mark(works: bool) -> str:
    return "✓" if works else "–"


class TooSlowError(BaseException):
    """A network took too long; not an Exception, since those are caught on the way."""


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TooSlowError after so many seconds."""

    def stop(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def candidates() -> Iterator[tuple[str, list[str]]]:
    """Names of networks, each with the members of its family that may stand for it, the likeliest smallest first."""
    for name in sorted(torchvision.models.list_models(module=torchvision.models)):
        yield f"torchvision:{name}", [name]
    families: dict[str, list[str]] = defaultdict(list)
    for name in timm.list_models():
        families[timm.models.model_entrypoint(name).__module__.rsplit(".", 1)[-1]].append(name)
    for family, members in sorted(families.items()):
        yield f"timm:{family}", members
    for name in MORE:
        yield f"timm:{name}", [name]
    for name in CONFIGURATIONS:
        yield f"transformers:{name}", [name]


def smallest(members: list[str]) -> str:
    """The member with the fewest parameters, made without memory."""
    sizes = {}
    for name in members:
        with contextlib.suppress(Exception), torch.device("meta"):
            sizes[name] = sum(parameter.numel() for parameter in timm.create_model(name).parameters())
    return min(sizes, key=lambda name: sizes[name]) if sizes else members[0]


def module_of(name: str, size: int) -> nn.Module:
    """A network with random weights, for images of this size where it must know."""
    source, model = name.split(":")
    torch.manual_seed(0)
    if source == "torchvision":
        options = {"init_weights": False} if model in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(model, weights=None, **options).eval()
    if source == "transformers":
        return _of_transformers(model, size)
    try:
        return timm.create_model(model, img_size=size).eval()
    except TypeError:
        return timm.create_model(model).eval()


def _of_transformers(model: str, size: int) -> nn.Module:
    options = {"image_size": size} | CONFIGURATIONS[model]
    if "vision_config" in options:
        options["vision_config"] = {"image_size": size} | options["vision_config"]
    config = getattr(transformers, f"{model}Config")(**options)
    return getattr(transformers, f"{model}ForImageClassification")(config).eval()


def made(name: str) -> tuple[nn.Module, int]:
    """A network, and the size of the smallest images among some that it accepts."""
    for size in (64, 96, 128, 224, 240, 256, 299, 384):
        with contextlib.suppress(RuntimeError, AssertionError, ValueError, TypeError, IndexError):
            module = module_of(name, size)
            with torch.no_grad():
                module(torch.rand(1, 3, size, size))
            return _varied(module), size
    raise InputError("no size of images among those tried fits")


def _varied(module: nn.Module) -> nn.Module:
    """The network with weights and scales that begin near zero away from it, where no error would be seen."""
    for name, parameter in module.named_parameters():
        if float(parameter.detach().abs().max()) < 1e-3 and "bias" not in name:
            nn.init.uniform_(parameter, 0.2, 0.5) if parameter.ndim == 1 else nn.init.normal_(parameter, std=0.1)
    return module


def share_of(graph: Graph, images: torch.Tensor) -> float | None:
    """Share of multiply-adds that a step needs on windows, if the scores are exact after three changes."""
    size = images.shape[-1]
    count = -(-size // 9)
    rows = torch.arange(size) // 9
    plan = leanest(whole_plan(graph, dirty_regions((rows[:, None] * count + rows)[None])))
    generator = torch.Generator().manual_seed(1)
    regions = plan.dirty[graph.input]
    with torch.inference_mode():
        state = IncrementalState(plan, images.clone(), torch.arange(len(images)), batch_size=len(images))
        now = images.clone()
        tail = Tail(state, len(images))
        for region in torch.randperm(count * count, generator=generator)[:3].tolist():
            (top, left), (bottom, right) = (ends[:, region].tolist() for ends in (regions.first, regions.last + 1))
            part = now[:, :, top:bottom, left:right]
            part.copy_(torch.rand(part.shape, generator=generator))
            top, left = regions.starts[:, region].tolist()
            height, width = regions.size
            pixels = now[:, :, top : top + height, left : left + width].clone()
            tail.put(state.change(torch.full((len(images), 1), region), pixels))
            found, expected = tail.finish(), graph.evaluate(now.clone())
        spread = float(expected.max() - expected.min())
        if spread == 0 or float((found - expected).abs().max()) > EXACT * spread:
            return None
    return plan.multiply_adds / max(1, graph.multiply_adds)


def row_of(name: str) -> Row:
    """What works with one network."""
    module, size = made(name)
    attention = any(
        "attention" in type(part).__name__.lower() or "attn" in path for path, part in module.named_modules()
    )
    network = hp.Network(module)
    shape = (3, size, size)
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    without = network.without_graph(shape)
    reasons = {} if without is None else {"graph": without}
    for way, method in WAYS.items():
        try:
            hp.explain(network, images, method)
        except InputError as error:
            reasons[way] = str(error.__cause__ or error).removesuffix(OTHERWISE)
    try:
        network.tokens(shape)
    except InputError as error:
        reasons[DROP] = str(error).split(": ", 1)[1]
    ways = {way: way not in reasons for way in MARKS}
    share = share_of(network.graph(shape), images) if without is None else None
    told = ("graph", "LRP", "gradient", *(("rollout", DROP) if attention else ()), "deconvolution")
    why = next((reasons[way] for way in told if way in reasons), "")
    return Row(name, without is None, ways, share, why.replace("|", "/").replace("\n", " ")[:160], attention)


def tried(name: str) -> Row:
    """What works with one network, or why nothing could be tried."""
    try:
        with time_limit(SECONDS), contextlib.redirect_stderr(io.StringIO()):
            return row_of(name)
    except TooSlowError:
        return Row(name, False, {}, None, f"not tried: more than {SECONDS} seconds", False)
    except Exception as error:
        lines = str(error).splitlines() or [""]
        return Row(name, False, {}, None, f"{type(error).__name__}: {lines[0][:120]}", False)


def rows_of(page: Path) -> list[Row]:
    """The rows of a page that was made before."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [Row.of(line) for line in lines if line.startswith(("| torchvision:", "| timm:", "| transformers:"))]


def main() -> None:
    """Tries all networks and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    before = {row.name: row for row in rows_of(options.page)} if options.only else {}
    rows = []
    for name, members in candidates():
        chosen = f"timm:{smallest(members)}" if name.startswith("timm:") else name
        again = options.only in name or chosen not in before
        rows.append(tried(chosen) if again else before[chosen])
        if again:
            print(rows[-1].line(), file=sys.stderr, flush=True)
    options.page.write_text(page_of(rows), encoding="utf-8")


def page_of(rows: list[Row]) -> str:
    """The page: what was tried, how many networks have what, and each network."""
    tried_rows = [row for row in rows if not row.reason.startswith("not tried")]
    plain, attending = ([row for row in tried_rows if row.attention is asked] for asked in (False, True))
    text = INTRODUCTION.format(
        torchvision=torchvision.__version__, timm=timm.__version__, torch=torch.__version__,
        transformers=transformers.__version__, all=len(rows), graphs=sum(row.graph for row in rows),
        lrp=_count(rows, "LRP"), deconvolution=_count(rows, "deconvolution"),
        incremental=sum(row.share is not None for row in rows), plain=len(plain), plain_lrp=_count(plain, "LRP"),
        attending=len(attending), attending_lrp=_count(attending, "LRP"), rollout=_count(attending, "rollout"),
        dropped=_count(attending, DROP),
    )  # fmt: skip
    return text + "\n".join(row.line() for row in rows) + "\n"


def _count(rows: list[Row], way: str) -> int:
    return sum(row.ways.get(way, False) for row in rows)


if __name__ == "__main__":
    main()
