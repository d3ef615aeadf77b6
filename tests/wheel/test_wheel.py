"""The wheel and the source archive hold what they should, and the wheel works where nothing else is installed."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_THE_ARCHIVE = {
    "src",
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "pyproject.toml",
    "PKG-INFO",
    ".gitignore",
}

pytestmark = pytest.mark.slow


def run(*arguments, cwd=None):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with the wheel and the source archive; what building takes is installed into a place of its own."""
    folder = tmp_path_factory.mktemp("dist")
    tools = folder / "tools"
    run(sys.executable, "-m", "venv", tools)
    run(tools / "bin" / "pip", "install", "--quiet", "build", "twine")
    run(tools / "bin" / "python", "-m", "build", "--outdir", folder / "made", ROOT)
    run(tools / "bin" / "twine", "check", "--strict", *(folder / "made").iterdir())
    return folder / "made"


def test_source_archive_holds_what_is_needed_and_no_more(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1]
    assert set(names) == IN_THE_ARCHIVE


def test_wheel_has_every_file_of_the_package(dist):
    (path,) = dist.glob("*.whl")
    tracked = run("git", "ls-files", "src/heatproof", cwd=ROOT).split()
    with zipfile.ZipFile(path) as archive:
        held = set(archive.namelist())
    assert [name for name in tracked if (ROOT / name).is_file() and name.removeprefix("src/") not in held] == []
    assert {name.split("/")[0] for name in held if "dist-info" not in name} == {"heatproof"}


def test_wheel_works_with_its_default_dependencies(dist, tmp_path):
    """A few gigabytes, which pytest removes in time (``tmp_path_retention_policy``)."""
    (wheel,) = dist.glob("*.whl")
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment)
    run(environment / "bin" / "pip", "install", "--quiet", "torch", "torchvision", wheel)
    (tmp_path / "work").mkdir()
    script = ROOT / "tests" / "wheel" / "default_install.py"
    said = run(environment / "bin" / "python", "-W", "ignore", script, cwd=tmp_path / "work")
    assert "extras that say their name: arrow, captum" in said
    run("rm", "-r", environment)
