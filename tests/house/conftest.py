import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

import heatproof

SOURCE = Path(heatproof.__file__).parent


@dataclass(frozen=True)
class Module:
    """A source file: its path, its name, whether it is a package, and its syntax tree."""

    path: Path
    name: str
    is_package: bool
    tree: ast.Module

    @property
    def room(self):
        """The first part below heatproof: a folder's name, or a module's own at the top level."""
        return self.name.split(".")[1] if "." in self.name else "heatproof"

    def imported(self):
        """Full names of all modules and objects that are imported from heatproof, wherever the import stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "heatproof")
            elif isinstance(node, ast.ImportFrom):
                origin = self._absolute(node)
                if origin.split(".")[0] == "heatproof":
                    yield from (f"{origin}.{alias.name}" for alias in node.names)

    def _absolute(self, node):
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        package = package[: len(package) + self.is_package - node.level]
        return ".".join([*package, *([node.module] if node.module else [])])


@pytest.fixture(scope="session")
def modules():
    """All modules of the package."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ["heatproof", *path.relative_to(SOURCE).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found.append(Module(path, name, is_package, ast.parse(path.read_text(encoding="utf-8"))))
    return found


@pytest.fixture
def module_from():
    """Makes a module from source, to see that a rule catches what it forbids."""

    def make(source, name="heatproof.network.made"):
        return Module(Path("made.py"), name, False, ast.parse(source))

    return make
