"""A network that leaves out the tokens of removed patches: nothing takes their place [Jain2022]."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from heatproof.network.graph import Graph
from heatproof.network.tokens.following import Step, follow, grid_of
from heatproof.network.tokens.layout import CannotDropError, Grid, Kept, is_sequence
from heatproof.randomness import addressed

TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4}  # of the range of the scores; in less precision …
COARSE = 0.05
LEFT = (0.5, 0.1)  # shares of the patches that are left when dropping is tried


@dataclass(frozen=True)
class Tokens:
    """A graph whose token sequence may lack patches.

    Attributes:
        graph: the network.
        steps: what becomes of tokens in each node.
        cut: number of the last node before tokens are mixed: its value has each token with its position.
    """

    graph: Graph
    steps: tuple[Step, ...]
    cut: int

    @classmethod
    def of(cls, graph: Graph, like: Tensor) -> "Tokens":
        """Finds the tokens of a graph; ``like`` is in the precision and on the device of the network.

        Raises:
            CannotDropError: with the reason, if there are none that can be left out.
        """
        steps = follow(graph, like)
        grid_of(steps)
        return cls(graph, steps, _cut(graph, steps))

    @cached_property
    def grid(self) -> Grid:
        """The patches that tokens stand for."""
        return grid_of(self.steps)

    @cached_property
    def least(self) -> int:
        """How many patches must be left: none where another token, such as a class token, stays; else one."""
        return int(any(step.passed.needs for step in self.steps))

    def embed(self, inputs: Tensor) -> Tensor:
        """Tokens with their positions, of normalised images (B, C, H, W): what ``evaluate`` begins with."""
        name = self.steps[self.cut].node.name
        before = self.graph.with_nodes(self.graph.nodes[: self.cut + 1], name)
        return before.evaluate(inputs)

    def evaluate(self, embedded: Tensor, patches: Tensor) -> Tensor:
        """(B, classes) scores of embedded images without the patches that are not among ``patches`` (B, n)."""
        kept = Kept(patches)
        whole = patches.shape[1] == self.grid.count
        start = embedded if whole else kept.selected(embedded, self.steps[self.cut].passed.layout)
        return self._visit({self.steps[self.cut].node.name: start}, kept, self.steps[self.cut + 1 :], masked=False)

    def masked(self, inputs: Tensor, patches: Tensor) -> Tensor:
        """The same of normalised images, with all tokens: the keys of those left out are masked in every attention."""
        return self._visit({self.graph.input: inputs}, Kept(patches), self.steps, masked=True)

    def check(self, inputs: Tensor) -> None:
        """Refuses a network whose scores without tokens differ from those with masked keys, for images (B, C, H, W).

        Raises:
            CannotDropError: with the difference.
        """
        embedded, found, expected = self.embed(inputs), [], []
        for share in LEFT:
            left = max(1, round(share * self.grid.count))
            patches = torch.stack([self._drawn(left, number) for number in range(len(inputs))]).to(inputs.device)
            found.append(self.evaluate(embedded, patches))
            expected.append(self.masked(inputs, patches))
        dropped, masked = torch.cat(found).double(), torch.cat(expected).double()
        scores = torch.cat([self.graph.evaluate(inputs).double(), masked])
        spread = float(scores.max() - scores.min())
        difference = float((dropped - masked).abs().max())
        if not difference <= TOLERANCES.get(inputs.dtype, COARSE) * spread:
            raise CannotDropError(
                f"its scores without tokens differ by {difference:.2g} from those with masked keys, where scores range "
                f"over {spread:.2g}"
            )

    def _drawn(self, count: int, image: int) -> Tensor:
        """(count,) patches that are left of an image when dropping is tried."""
        generator = addressed(seed=0, image=str(image), purpose="trial of dropped tokens", repeat=count)
        return torch.from_numpy(generator.permutation(self.grid.count)[:count]).sort().values

    def _visit(self, values: dict[str, Tensor], kept: Kept, steps: tuple[Step, ...], *, masked: bool) -> Tensor:
        last = {name: step.node.name for step in steps for name in step.node.inputs}
        for step in steps:
            inputs = [values[name] for name in step.node.inputs]
            values[step.node.name] = step.masked(kept, inputs) if masked else step.evaluate(kept, inputs)
            for name in set(step.node.inputs):
                if last[name] == step.node.name:
                    del values[name]
        return values[self.graph.output]


def _cut(graph: Graph, steps: tuple[Step, ...]) -> int:
    """The last node before tokens are mixed on whose value alone all that follows depends."""
    mixing = next((number for number, step in enumerate(steps) if step.passed.mixes), None)
    if mixing is None:
        raise CannotDropError("it has no attention, and no pooling of tokens")
    before = [number for number in graph.cuts if number < mixing and is_sequence(steps[number].passed.layout)]
    if not before:
        raise CannotDropError("no value holds the tokens of all patches before they are mixed")
    return before[-1]
