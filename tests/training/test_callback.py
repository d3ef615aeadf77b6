"""The callback, in a real trainer."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import heatproof as hp
from heatproof.training import HeatmapQuality

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and loggers


@pytest.fixture
def lightning():
    return pytest.importorskip("lightning.pytorch", reason='needs pip install "heatproof[training]"')


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).random((8, 3, 18, 18), dtype=np.float32))


def classifier(lightning, *, validates):
    class Classifier(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16 * 16, 3))

        def forward(self, images):
            return self.model(images)

        def training_step(self, batch, number):
            return nn.functional.cross_entropy(self(batch[0]), batch[1])

        if validates:

            def validation_step(self, batch, number):
                self.log("loss", nn.functional.cross_entropy(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Classifier()


def fitted(lightning, images, callbacks, tmp_path, *, validates=True, epochs=3):
    """The values of each epoch, the trainer and the module."""
    seen = []

    class Seen(lightning.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            seen.append(dict(trainer.callback_metrics))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = classifier(lightning, validates=validates)
        data = DataLoader(TensorDataset(images, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])), batch_size=4)
        trainer = lightning.Trainer(
            max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
            default_root_dir=tmp_path, callbacks=[*callbacks, Seen()], enable_checkpointing=False,
        )  # fmt: skip
        trainer.fit(module, data, data if validates else None)
    return seen, trainer, module


@pytest.mark.parametrize("part", ["", "model"])
@pytest.mark.parametrize("validates", [True, False])
def test_every_epoch_is_logged(lightning, images, tmp_path, part, validates):
    from heatproof.training import HeatmapQualityCallback

    quality = HeatmapQuality(images, regions=6)
    seen, trainer, module = fitted(
        lightning, images, [HeatmapQualityCallback(quality, module=part)], tmp_path, validates=validates
    )
    assert quality.calls == 3  # not while Lightning tries whether validation works
    values = [float(epoch["heatproof/standardised"]) for epoch in seen if "heatproof/standardised" in epoch]
    assert len(set(values)) >= 2
    last = HeatmapQuality(images, regions=6)(module.model)
    logged = float(trainer.callback_metrics["heatproof/above_random"])
    assert logged == pytest.approx(last["heatproof/above_random"], abs=1e-5)


def test_the_weights_are_those_without_it(lightning, images, tmp_path):
    from heatproof.training import HeatmapQualityCallback

    found = []
    for callbacks in ([], [HeatmapQualityCallback(HeatmapQuality(images, regions=6))]):
        _, _, module = fitted(lightning, images, callbacks, tmp_path)
        found.append(module.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_others_can_monitor_it_and_epochs_can_be_left_out(lightning, images, tmp_path):
    from heatproof.training import HeatmapQualityCallback

    quality = HeatmapQuality(images, regions=6)
    stop = lightning.callbacks.EarlyStopping("heatproof/standardised", mode="max", patience=5)
    fitted(lightning, images, [HeatmapQualityCallback(quality, every=2), stop], tmp_path)
    assert quality.calls == 2
    assert torch.isfinite(stop.best_score)


def test_a_part_that_is_not_there(lightning, images, tmp_path):
    from heatproof.training import HeatmapQualityCallback

    with pytest.raises(hp.InputError, match="the module has no submodule 'net'; it has model"):
        fitted(lightning, images, [HeatmapQualityCallback(HeatmapQuality(images), module="net")], tmp_path)
    with pytest.raises(hp.InputError, match="every must be a number of epochs, at least 1, got 0"):
        HeatmapQualityCallback(HeatmapQuality(images), every=0)


@pytest.mark.parametrize(("name", "package"), [("HeatmapQualityCallback", "lightning"), ("AOPC", "torchmetrics")])
def test_a_missing_package_is_named(name, package):
    code = (
        "import sys\n"
        "for name in ('lightning', 'pytorch_lightning', 'torchmetrics'):\n    sys.modules[name] = None\n"
        "import heatproof\n"
        f"try:\n    from heatproof.training import {name}\n"
        "except heatproof.InputError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f'{name} needs {package}: pip install "heatproof[training]"' in found.stdout
