"""What all tests of the command share."""

import sys

import pytest

from heatproof import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command; returns its exit code, its output and its messages."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["heatproof", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "300")
        try:
            cli.main()
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return call
