"""Run by the interpreter of a clean environment with heatproof and what it installs by default, and nothing else.

``python tests/wheel/default_install.py`` tries the command, a small comparison, and every feature that needs an extra:
each must say which one. The folder that it is called from is written to.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import metadata
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import heatproof as hp

NOT_FOR_USERS = {"ci", "bench", "check-others", "dev", "docs", "reproduce", "s3-tests"}
MODEL = """
import torch
from torch import nn
import heatproof as hp

def build():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    return hp.Network(module, preprocessing=hp.Preprocessing(resize=32, crop=32, mean=(0.5,) * 3, std=(0.25,) * 3))
"""


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the installed command."""
    program = Path(sys.executable).with_name("heatproof")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def make_pictures(folder: Path) -> None:
    """Eight pictures of noise with a bright square."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(8):
        picture = generator.integers(0, 128, (40, 40, 3), dtype=np.uint8)
        picture[number : number + 16, 12:28] += 100
        Image.fromarray(picture).save(folder / f"{number}.png")


def check_files() -> None:
    """What is no Python file must be in the wheel too, and tests must not."""
    root = files("heatproof")
    assert (root / "py.typed").is_file(), "py.typed is missing"
    folder = Path(str(root))
    endings = {path.suffix for path in folder.rglob("*") if path.is_file()} - {".py", ".pyc", ".typed"}
    assert {".j2", ".csv"} <= endings, f"templates or lists are missing, found {endings}"
    assert not any(path.name.startswith("test") for path in folder.rglob("*.py")), "tests are in the wheel"
    assert [script.name for script in folder.parent.glob("tests")] == [], "tests are installed beside the package"


def check_command() -> None:
    """The command line, from pictures and a network of the user's own to the page."""
    assert command("--version").stdout.strip() == f"heatproof {hp.__version__}"
    assert "compare" in command("--help").stdout
    assert "lrp-epsilon" in command("list").stdout
    Path("model.py").write_text(MODEL)
    make_pictures(Path("photos"))
    done = command(
        "compare", "--protocol=samek2017", "photos", "--network", "model.py:build", "--regions", "8", "--out", "RUN"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"report.html", "run.json", "table.csv"} <= {path.name for path in Path("RUN").iterdir()}
    assert json.loads(Path("RUN/run.json").read_text())


def features() -> dict[str, Callable[[], object]]:
    """Something that needs each extra, by its name."""
    network = hp.Network(nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 28 * 28, 3)))
    images = torch.rand(2, 3, 32, 32)
    Path("net.onnx").write_bytes(b"\x08\x07")
    Path("folder").mkdir()
    Path("folder/config.json").write_text(
        json.dumps({"model_type": "vit", "architectures": ["ViTForImageClassification"]})
    )
    Path("arrow").mkdir()
    Path("arrow/state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    Path("arrow/data.arrow").write_bytes(b"")

    def workers() -> object:
        from heatproof.runs.ray_workers import RayWorkers

        return RayWorkers(lambda: lambda number: number).run([0], print)

    def callback() -> object:
        from heatproof.training import HeatmapQualityCallback

        return HeatmapQualityCallback

    return {
        "arrow": lambda: hp.load_dataset("huggingface:arrow", network),
        "captum": lambda: hp.explain(network, images, "captum:IntegratedGradients"),
        "demo": hp.load_network,
        "grad-cam": lambda: hp.explain(network, images, "gradcam:GradCAM@0"),
        "inpaint": lambda: hp.perturb(network, images, images.sum(dim=1), replacement="inpaint", repeats=1),
        "onnx": lambda: hp.load_network("net.onnx"),
        "ray": workers,
        "superpixels": lambda: hp.perturb(network, images, images.sum(dim=1), regions="slic", repeats=1),
        "timm": lambda: hp.load_network("timm:resnet18"),
        "training": callback,
        "transformers": lambda: hp.load_network("transformers:folder"),
        "zennit": lambda: hp.explain(network, images, "zennit:EpsilonPlusFlat"),
    }


def refusal(feature: Callable[[], object]) -> str:
    """What a feature says that cannot work here; nothing if it works."""
    try:
        feature()
    except hp.InputError as error:
        return str(error)
    return ""


def check_extras() -> list[str]:
    """Which extras were asked for by name; the rest came with torch."""
    extras = set(metadata("heatproof").get_all("Provides-Extra") or []) - NOT_FOR_USERS
    tried = features()
    untried = extras - set(tried) - {"remote"}  # fsspec comes with torch
    assert not untried, f"no feature is tried for the extras {sorted(untried)}: add one to features()"
    told = {extra: refusal(feature) for extra, feature in tried.items()}
    silent = {extra: text for extra, text in told.items() if f'pip install "heatproof[{extra}]"' not in text}
    assert not silent, f"without their package these do not name their extra: {silent}"
    photographs = refusal(lambda: hp.load_images("builtin", hp.Network(nn.Flatten())))
    assert 'pip install "heatproof[demo]"' in photographs, photographs
    remote = command(
        "compare", "--protocol=samek2017", "photos", "--network", "model.py:build", "--out", "s3://bucket/run"
    )
    assert remote.returncode == 2, remote
    assert "s3fs" in remote.stderr, remote.stderr
    return sorted(tried)


if __name__ == "__main__":
    check_files()
    check_command()
    print("extras that say their name:", ", ".join(check_extras()))
