"""Metrics of Quantus, for whom swaps one import: the same constructors and calls, measured by heatproof.

``from heatproof.adapters.quantus import RegionPerturbation`` takes what Quantus 0.6 takes and returns what it returns.
Where Quantus is wrong the numbers differ; docs/others.md says where. An option that is not supported is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.integrate import trapezoid
from torch import Tensor, nn

from heatproof.adapters.normalised import Fill, channels_first, network_of, perturbed_scores
from heatproof.errors import InputError
from heatproof.perturbation.orders import check_order, orders_of_heatmaps, random_orders
from heatproof.randomness import identify
from heatproof.registry import unknown

PERTURBS = ("baseline_replacement_by_indices", "batch_baseline_replacement_by_indices")
Aggregate = Callable[[Any], Any]


class Metric:
    """What the metrics share: options that only the order of relevance can notice, and the call."""

    name: ClassVar[str]
    engine: ClassVar[str] = "auto"
    higher_is_better = False  # of what is returned

    def __init__(
        self,
        abs: bool = False,
        normalise: bool = True,
        normalise_func: Callable[..., np.ndarray] | None = None,
        normalise_func_kwargs: Mapping[str, Any] | None = None,
        perturb_func: Callable[..., Any] | None = None,
        perturb_baseline: str | float = "black",
        perturb_func_kwargs: Mapping[str, Any] | None = None,
        return_aggregate: bool = False,
        aggregate_func: Aggregate | None = None,
        default_plot_func: Callable[..., Any] | None = None,
        disable_warnings: bool = False,
        display_progressbar: bool = False,
    ) -> None:
        if perturb_func is not None and getattr(perturb_func, "__name__", "") not in PERTURBS:
            raise InputError(
                f"{self.name}: perturb_func is not supported, only perturb_baseline: every step must be made alike"
            )
        if default_plot_func is not None or display_progressbar:
            raise InputError(f"{self.name}: plots and progress bars are not supported; leave out the option")
        self.abs, self.normalise = abs, normalise
        self.normalise_func, self.normalise_func_kwargs = normalise_func, dict(normalise_func_kwargs or {})
        filling = {"perturb_baseline": perturb_baseline} | dict(perturb_func_kwargs or {})
        known = [option.name for option in fields(Fill)]
        for option in filling:
            if option not in known:
                raise InputError(unknown(f"option in perturb_func_kwargs of {self.name}:", option, known))
        self.fill = Fill(**filling)
        self.return_aggregate, self.aggregate_func = return_aggregate, aggregate_func
        self.disable_warnings = disable_warnings
        self.evaluation_scores: list[Any] = []
        self.all_evaluation_scores: list[Any] = []
        self._scores = np.empty((0, 0))  # (N, L + 1), the untouched image first

    def __call__(
        self,
        model: nn.Module,
        x_batch: np.ndarray,
        y_batch: np.ndarray,
        a_batch: np.ndarray | None = None,
        s_batch: np.ndarray | None = None,
        channel_first: bool | None = None,
        explain_func: Callable[..., Any] | None = None,
        explain_func_kwargs: Mapping[str, Any] | None = None,
        model_predict_kwargs: Mapping[str, Any] | None = None,
        softmax: bool = False,
        device: str | None = None,
        batch_size: int = 64,
    ) -> list[Any]:
        """Scores of each image, while what is most relevant is removed.

        Args:
            model: a torch module that returns logits.
            x_batch: (N, C, H, W) what the model reads, or (N, H, W, C).
            y_batch: (N,) class indices.
            a_batch: (N, H, W), (N, 1, H, W), or one value for each channel, which are summed.
            s_batch: none: segments are not used.
            channel_first: where the channels of ``x_batch`` are; read from its shape if none.
            explain_func: ``(model, inputs, targets, **explain_func_kwargs)`` that gives ``a_batch``.
            explain_func_kwargs: for ``explain_func``; ``device`` is added.
            model_predict_kwargs: none: the model is called with images alone.
            softmax: the score is the probability instead of the logit. Other than in Quantus, the default is the logit.
            device: where to compute, such as "cpu" or "cuda".
            batch_size: of no effect: heatproof takes what is fastest, and no result depends on it.
        """
        if s_batch is not None or model_predict_kwargs:
            raise InputError(f"{self.name}: s_batch and model_predict_kwargs are not supported; leave them out")
        inputs = channels_first(x_batch, channel_first)
        if a_batch is None:
            if explain_func is None:
                raise InputError(f"{self.name}: expected a_batch or explain_func, got neither")
            extra = ({"device": device} if device else {}) | dict(explain_func_kwargs or {})
            a_batch = explain_func(model=model, inputs=inputs.numpy(), targets=y_batch, **extra)
        maps, ids = self._maps(a_batch, inputs), identify(inputs)
        network = network_of(model, device)
        regions, orders = self._steps(maps, ids)
        scores = perturbed_scores(
            network,
            inputs,
            np.asarray(y_batch),
            orders=orders,
            regions=regions,
            replacements=self.fill.replacements(inputs, ids),
            score="probability" if softmax else "logit",
            engine=self.engine,
        )
        self._scores = scores.numpy().astype(np.float64)
        self.evaluation_scores = self._returned()
        if self.return_aggregate:
            self.evaluation_scores = [self._aggregated()]
        self.all_evaluation_scores.extend(self.evaluation_scores)
        return self.evaluation_scores

    @property
    def score_direction(self) -> str:
        """Direction of what is returned, "higher" or "lower"."""
        return "higher" if self.higher_is_better else "lower"

    @property
    def get_auc_score(self) -> float:
        """Mean area under the curves, by the trapezoidal rule with steps of one, from the untouched image on."""
        return float(trapezoid(self._scores, axis=1).mean())

    def _returned(self) -> list[Any]:
        """What a call returns, of each image."""
        raise NotImplementedError

    def _steps(self, maps: Tensor, ids: list[str]) -> tuple[Tensor, Tensor]:
        """(N, H, W) regions, and (N, L) which of them are removed, first removed first."""
        raise NotImplementedError

    def _aggregated(self) -> Any:  # noqa: ANN401 - whatever a user's function gives
        return (self.aggregate_func or np.mean)(self.evaluation_scores)

    def _maps(self, given: Any, inputs: Tensor) -> Tensor:  # noqa: ANN401 - an array or a tensor
        """(N, H, W) relevance; each image by itself."""
        array = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
        if self.normalise and self.normalise_func:
            array = np.concatenate([self.normalise_func(one[None], **self.normalise_func_kwargs) for one in array])
        array = np.abs(array) if self.abs else array
        count, channels, height, width = inputs.shape
        if array.shape in ((count, 1, height, width), (count, channels, height, width)):
            array = array.sum(axis=1)
        if array.shape != (count, height, width) or not np.isfinite(array).all():
            raise InputError(
                f"{self.name}: attributions must be finite, of shape (N, H, W) = {(count, height, width)} or with "
                f"channels after N, to match x_batch {tuple(inputs.shape)}; got {np.shape(given)}"
            )
        return torch.from_numpy(array)


class RegionPerturbation(Metric):
    """Region perturbation [Samek2017]: drops f(x⁽⁰⁾) − f(x⁽ᵏ⁾) for k = 1 … L, most relevant first; higher is better.

    Squares of ``patch_size`` pixels cover the image; those at the border are cut. ``aopc`` is the AOPC of each image,
    with the term k = 0. ``return_aggregate`` returns their mean.

    >>> metric = RegionPerturbation(patch_size=4, regions_evaluation=3)
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    >>> x = np.random.default_rng(0).random((5, 3, 8, 8), dtype=np.float32)
    >>> scores = metric(model=model, x_batch=x, y_batch=np.zeros(5, dtype=int), a_batch=x.sum(axis=1))
    >>> len(scores), scores[0].shape, metric.score_direction
    (5, (3,), 'higher')
    """

    name = "Region Perturbation"

    def __init__(
        self,
        patch_size: int = 8,
        order: str = "morf",
        regions_evaluation: int = 100,
        **shared: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**shared)
        check_order(order.lower())
        self.patch_size, self.order, self.regions_evaluation = patch_size, order.lower(), regions_evaluation
        self.higher_is_better = self.order != "lerf"  # large drops are good where the most relevant regions go first

    @property
    def aopc(self) -> np.ndarray:
        """(N,) area over the perturbation curve, k = 0 … L, in the unit of the score."""
        found: np.ndarray = (self._scores[:, :1] - self._scores).mean(axis=1)
        return found

    def _returned(self) -> list[Any]:
        return list(self._scores[:, :1] - self._scores[:, 1:])

    def _aggregated(self) -> Any:  # noqa: ANN401
        return self.aggregate_func(self.evaluation_scores) if self.aggregate_func else float(self.aopc.mean())

    def _steps(self, maps: Tensor, ids: list[str]) -> tuple[Tensor, Tensor]:
        regions = squares(maps, self.patch_size)
        steps = min(self.regions_evaluation, int(regions.max()) + 1)
        if self.order == "random":
            return regions, random_orders(regions, steps=steps, repeats=1, seed=0, ids=ids)[:, 0]
        return regions, orders_of_heatmaps(maps, regions, order=self.order, steps=steps, seed=0, ids=ids)[:, 0]


class Selectivity(RegionPerturbation):
    """Selectivity [Montavon2018]: the scores f(x⁽ᵏ⁾), k = 1 … all regions, most relevant first; lower is better."""

    name = "Selectivity"

    def __init__(self, patch_size: int = 8, **shared: Any) -> None:  # noqa: ANN401 - as of Metric
        super().__init__(patch_size, "morf", 2**31, **shared)
        self.higher_is_better = False  # scores that fall fast are good

    def _returned(self) -> list[Any]:
        return list(self._scores[:, 1:])

    def _aggregated(self) -> Any:  # noqa: ANN401
        return Metric._aggregated(self)


class PixelFlipping(Metric):
    """Pixel flipping [Bach2015]: the scores f(x⁽ᵏ⁾) while pixels go, most relevant first; lower is better.

    A pixel goes with all its channels, ``features_in_step`` pixels at a time.
    """

    name = "Pixel Flipping"
    engine = "full"  # what goes in one step lies anywhere

    def __init__(self, features_in_step: int = 1, return_auc_per_sample: bool = False, **shared: Any) -> None:  # noqa: ANN401
        super().__init__(**shared)
        if features_in_step < 1:
            raise InputError(f"features_in_step must be at least 1, got {features_in_step}")
        self.features_in_step, self.return_auc_per_sample = features_in_step, return_auc_per_sample

    def _returned(self) -> list[Any]:
        if self.return_auc_per_sample:
            return list(map(float, trapezoid(self._scores, axis=1)))
        return [[float(score) for score in scores] for scores in self._scores[:, 1:]]

    def _steps(self, maps: Tensor, ids: list[str]) -> tuple[Tensor, Tensor]:
        """Pixels that go in one step are a region."""
        each = torch.arange(maps[0].numel()).reshape(maps[0].shape).expand_as(maps)
        pixels = orders_of_heatmaps(maps, each, order="morf", steps=maps[0].numel(), seed=0, ids=ids)[:, 0]
        steps = (torch.arange(pixels.shape[1]) // self.features_in_step).expand_as(pixels)
        regions = torch.empty_like(pixels).scatter_(1, pixels, steps).reshape(maps.shape)
        return regions, torch.arange(int(regions.max()) + 1).expand(len(maps), -1)


def squares(maps: Tensor, side: int) -> Tensor:
    """(N, H, W) squares that cover the image; what is over lies half at either border, as in Quantus."""
    if side < 1:
        raise InputError(f"patch_size must be at least 1, got {side}")
    rows, columns = ((torch.arange(size) + (-size % side) // 2) // side for size in maps.shape[1:])
    return (rows[:, None] * (int(columns[-1]) + 1) + columns).expand_as(maps)
