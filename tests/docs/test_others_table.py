"""The table of docs/others.md is what its scripts are; that they run and say so, test_docs_run.py tests."""

import importlib.util
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("others_table", Path(__file__).with_name("others_table.py"))
others = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(others)


@pytest.mark.parametrize("block", others.scripts(), ids=lambda block: block.needs)
def test_a_script_has_a_row_with_its_lines_and_its_verdict(block):
    rows = [line.split(" | ") for line in others.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    lines, last = others.lines_of(block), others.last_line(block.shown)
    assert lines <= others.MOST_LINES
    found = [row for row in rows if len(row) == 4 and row[3].removesuffix(" |").strip() == last]
    assert len(found) == 1, "python tests/docs/others_table.py writes the table"
    assert int(found[0][1]) == lines
    if block.can_run:
        assert packages_distributions()[block.needs][0] in found[0][0]


def test_the_five_packages_are_there():
    assert {block.needs for block in others.scripts()} == {
        "captum", "zennit", "pytorch_grad_cam", "quantus", "transformers"
    }  # fmt: skip
