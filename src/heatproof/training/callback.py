"""The quality of heatmaps in Lightning's logger."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    try:
        from lightning.pytorch import Callback, LightningModule, Trainer
    except ModuleNotFoundError:  # the same under its older name
        from pytorch_lightning import Callback, LightningModule, Trainer

from heatproof.errors import InputError
from heatproof.training.hook import HeatmapQuality


class HeatmapQualityCallback(Callback):
    """Logs the quality of the heatmaps of a module in training, wherever its trainer logs.

    It measures when a validation epoch ends, or a training epoch where nothing is validated, so that
    ``ModelCheckpoint`` and ``EarlyStopping`` can monitor what it logs (``heatproof/standardised``, mode "max"). In
    distributed training the first process measures, and the others wait for it at their next step together.

    Args:
        quality: what is measured, on which images.
        module: name of the classifier among the parts of the Lightning module, such as ``"model"``; by default the
            whole module, whose ``forward`` then maps images to class scores.
        every: so many epochs.

    >>> import torch
    >>> callback = HeatmapQualityCallback(HeatmapQuality(torch.rand(8, 3, 18, 18), regions=6), module="model")
    >>> callback.every
    1
    """

    def __init__(self, quality: HeatmapQuality, *, module: str = "", every: int = 1) -> None:
        if every < 1:
            raise InputError(f"every must be a number of epochs, at least 1, got {every}")
        self.quality, self.module, self.every = quality, module, every

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures, unless Lightning only tries whether validation works."""
        if not trainer.sanity_checking:
            self._log(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures where nothing is validated."""
        if not trainer.enable_validation:
            self._log(trainer, pl_module)

    def _log(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch % self.every or not trainer.is_global_zero:
            return
        try:
            module = pl_module.get_submodule(self.module)
        except AttributeError as error:
            names = ", ".join(name for name, _ in pl_module.named_children())
            raise InputError(f"the module has no submodule {self.module!r}; it has {names or 'none'}") from error
        found = self.quality(module, trainer.current_epoch)
        if found:
            pl_module.log_dict(found, on_step=False, on_epoch=True, rank_zero_only=True, batch_size=1)
