"""Each promise of the page on security has tests beside it."""

import ast
import re

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def promises():
    """The tests of each promise."""
    rows = PAGE.split("| promise | tried in |")[1].split("\n\n")[0].splitlines()[2:]
    return {row.split("|")[1].strip(): re.findall(r"`(tests/[^`]+)`", row) for row in rows}


def test_every_promise_has_tests():
    found = promises()
    assert len(found) >= 10
    for promise, files in found.items():
        assert files, promise
        for file in files:
            functions = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
            assert any(isinstance(one, ast.FunctionDef) and one.name.startswith("test_") for one in functions), file


def test_every_file_of_attacks_stands_by_a_promise():
    """Those that mutate at random stand in the last section."""
    named = {file for files in promises().values() for file in files}
    at_random = {"audits", "data_sets", "formats", "networks", "pictures"}
    files = {f"tests/fuzz/{path.name}" for path in (ROOT / "tests" / "fuzz").glob("test_*.py")}
    assert files - {f"tests/fuzz/test_{name}.py" for name in at_random} <= named
