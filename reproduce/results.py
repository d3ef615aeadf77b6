"""What a figure or table gives: text and pictures, side by side with what the paper printed."""

from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from heatproof.report import Table, save_figure


@dataclass
class Result:
    """One figure or table of the paper, made again.

    Attributes:
        name: such as ``figure4``.
        title: such as ``Figure 4: AOPC relative to the random order``.
        paper: what the paper found, in a sentence or a table.
        text: what was found here, paragraph by paragraph, tables in Markdown.
        figures: by file name.
    """

    name: str
    title: str
    paper: str
    text: list[str] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)

    def add(self, heading: str, table: Table) -> None:
        """A table with a heading."""
        self.text += [f"### {heading}", table.to_markdown()]

    def write(self, out: Path) -> Path:
        """Writes the figures, and a page with them."""
        out.mkdir(parents=True, exist_ok=True)
        for name, figure in self.figures.items():
            save_figure(figure, out / f"{self.name}-{name}")
        pictures = [f"![{name}]({self.name}-{name}.png)" for name in self.figures]
        page = out / f"{self.name}.md"
        page.write_text(
            "\n\n".join([f"# {self.title}", f"**In the paper:** {self.paper}", *self.text, *pictures, ""]),
            encoding="utf-8",
        )
        return page
