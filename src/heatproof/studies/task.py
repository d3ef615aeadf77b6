"""What is to be compared, sorted out and checked before anything is computed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from torch import Tensor

from heatproof.errors import InputError
from heatproof.heatmaps import check_heatmaps, explain_batches
from heatproof.heatmaps.control_methods import ANOTHER, controls, kind_of_control
from heatproof.heatmaps.explaining import Explained, OwnMethod
from heatproof.heatmaps.naming import check_methods
from heatproof.heatmaps.precomputed import ImageSelection, MapFile
from heatproof.network.inputs import as_targets
from heatproof.network.network import Network
from heatproof.options.changing import Changing, RandomisationOptions
from heatproof.perturbation import Protocol
from heatproof.perturbation.fitting import for_network
from heatproof.perturbation.orders import orders_of_heatmaps, random_orders
from heatproof.perturbation.regions import as_regions
from heatproof.perturbation.scores import check_score
from heatproof.randomness import identify
from heatproof.registry import variants_of
from heatproof.results.part import REFERENCE, Key

Drawn = str | OwnMethod | Tensor | MapFile  # what a method's maps come from


@dataclass(frozen=True)
class AnotherImage:
    """A control: the map that a method made of another image, of another class if there is one."""

    method: Drawn


Method = Drawn | AnotherImage
Methods = Sequence[str] | Mapping[str, Method | Path]


@dataclass(frozen=True)
class Task:
    """A comparison, before it is made.

    Attributes:
        network: the classifier.
        images: (N, C, H, W) in [0, 1].
        computed: methods whose heatmaps are computed, by name.
        given: heatmaps (N, H, W) that were given, by name.
        targets: (N,) class indices; none for the predicted classes.
        protocol: how regions are removed and scored.
        regions: (N, H, W) region indices.
        identities: of the images.
        reference: whether the random order is wanted.
        lerf: whether least relevant regions are also removed first.
        scores: that are recorded beside the protocol's.
        scope: whether the random order's probability is evaluated as well, for R-OMS.
        borrowed: controls whose maps are those of other images, by name.
        removes: whether regions are removed; heatmaps alone are measured if not.
        symmetric: whether methods are compared by the difference of both orders (ABPC); by AOPC if not.
        inside: (N, H, W), true where the evidence lies that heatmaps are to find, if that is known.
        changing: what is changed before heatmaps are made again, if something is.
    """

    network: Network
    images: Tensor
    computed: Mapping[str, str | OwnMethod]
    given: Mapping[str, Tensor]
    targets: Tensor | None
    protocol: Protocol
    regions: Tensor
    identities: tuple[str, ...]
    reference: bool = True
    lerf: bool = False
    scores: tuple[str, ...] = ()
    scope: bool = False
    borrowed: Mapping[str, AnotherImage] = field(default_factory=dict)
    removes: bool = True
    symmetric: bool = False
    inside: Tensor | None = None
    changing: Changing | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        images: Tensor,
        methods: Methods,
        targets: Tensor | int | None,
        protocol: Protocol,
        *,
        lerf: bool = False,
        names: Sequence[str] | None = None,
    ) -> "Task":
        """Sorts out and checks what was asked for; files of heatmaps find theirs by the names of the images."""
        network.check(images)
        check_score(protocol.score, network, tuple(images.shape[1:]), protocol.against)
        protocol = for_network(protocol.fitted(images), network, tuple(images.shape[1:]))
        computed, given, borrowed = sorted_out(methods, images, names)
        regions = as_regions(protocol.regions, images)
        protocol.scored_of(protocol.steps_for(regions))
        chosen = None if targets is None else as_targets(targets, len(images))
        ids = tuple(identify(images))
        return cls(network, images, computed, given, chosen, protocol, regions, ids, lerf=lerf, borrowed=borrowed)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (C, H, W) of one image."""
        return tuple(self.images.shape[1:])

    @property
    def steps(self) -> int:
        """How many regions are removed from each image."""
        return self.protocol.steps_for(self.regions)

    @property
    def region_counts(self) -> list[int]:
        """How many regions each image has."""
        counts: list[int] = (self.regions.flatten(start_dim=1).amax(dim=1) + 1).tolist()
        return counts

    @property
    def scored(self) -> int:
        """Number of steps at which the score is evaluated."""
        return self.protocol.scored_of(self.steps)

    @property
    def regions_at_once(self) -> int:
        """How many are removed from one scored step to the next, at most."""
        return ceil(self.steps / self.scored)

    @property
    def names(self) -> list[str]:
        """Names of all methods, in the order of their heatmaps."""
        return [*self.computed, *self.given, *self.borrowed]

    @property
    def borrowed_from(self) -> dict[str, str]:
        """For controls that are heatmaps of other images: the method among those that are computed which made them."""
        by_spec = {method: name for name, method in self.computed.items() if isinstance(method, str)}
        made = {
            control: by_spec.get(one.method) for control, one in self.borrowed.items() if isinstance(one.method, str)
        }
        return {control: name for control, name in made.items() if name}

    @property
    def sequences_of_an_image(self) -> int:
        """Number of sequences of one image: all methods and the random order, in all repeats."""
        return (len(self.names) * (1 + self.lerf) + self.reference) * self.protocol.repeats

    @property
    def sequences(self) -> int:
        """Number of sequences of all images."""
        return len(self.images) * self.sequences_of_an_image

    @property
    def evaluations(self) -> int:
        """How many scores are wanted, those of the untouched images included; heatmaps, where nothing is removed."""
        beside = self.scope * len(self.images) * (1 + self.protocol.repeats * self.scored)
        if not self.removes:
            return len(self.images) * (1 + self._times_changed)
        return len(self.images) + self.sequences * self.scored + beside

    @property
    def _times_changed(self) -> int:
        """How often heatmaps are made again."""
        if isinstance(self.changing, RandomisationOptions):
            return len(self.network.cascade(self.shape, self.changing.groups))
        return 2 * self.changing.draws if self.changing else 0

    def explained(self) -> Iterator[tuple[slice, Explained]]:
        """Batch by batch: which images, and their heatmaps, computed and given; those of other images are not there."""
        start = 0
        targets, against, memory = self.targets, self.protocol.against, self.protocol.memory
        for batch in explain_batches(
            self.network, self.images, self.computed, targets=targets, against=against, memory=memory
        ):
            part = slice(start, start + len(batch.targets))
            given = {name: maps[part] for name, maps in self.given.items()}
            yield part, replace(batch, heatmaps=batch.heatmaps | given)
            start = part.stop

    def orders(self, heatmaps: Mapping[str, Tensor], part: slice) -> dict[Key, Tensor]:
        """(n, 1 or repeats, L) order of some images, by method (or reference) and name of the order."""
        regions, ids, seed = self.regions[part], self.identities[part], self.protocol.seed
        orders = {
            (name, order): orders_of_heatmaps(maps, regions, order=order, steps=self.steps, seed=seed, ids=ids)
            for order in (("morf", "lerf") if self.lerf else ("morf",))
            for name, maps in heatmaps.items()
        }
        repeats = self.protocol.repeats
        if self.reference:
            orders[REFERENCE, "random"] = random_orders(regions, steps=self.steps, repeats=repeats, seed=seed, ids=ids)
        return orders

    def of_images(self, index: Sequence[int]) -> "Task":
        """The task for some of the images only, or in another order."""
        chosen = list(index)
        return replace(
            self,
            images=self.images[chosen],
            given={name: maps[chosen] for name, maps in self.given.items()},
            targets=None if self.targets is None else self.targets[chosen],
            regions=self.regions[chosen],
            identities=tuple(self.identities[number] for number in chosen),
            inside=None if self.inside is None else self.inside[chosen],
        )

    def among(self, names: Collection[str]) -> "Task":
        """The task for some of the methods only; with the random order only if it is among the names."""
        return replace(
            self,
            computed={name: method for name, method in self.computed.items() if name in names},
            given={name: maps for name, maps in self.given.items() if name in names},
            borrowed={name: method for name, method in self.borrowed.items() if name in names},
            reference=REFERENCE in names,
        )


def named_methods(methods: Methods) -> dict[str, Method]:
    """Methods by name, checked."""
    if isinstance(methods, str):
        raise TypeError(f"methods must be a list of names, got the text {methods!r}")
    if not isinstance(methods, Mapping):
        check_methods(methods)
        methods = {name: name for name in methods}
    if not methods or REFERENCE in methods:
        raise InputError(f"methods must name at least one method, and none may be called {REFERENCE!r}")
    named = {name: MapFile(method, name) if isinstance(method, Path) else method for name, method in methods.items()}
    for method in named.values():
        if isinstance(method, str):  # one method may have several names
            check_methods([method])
    return named


def with_controls(methods: Mapping[str, Method], *, symmetric: bool) -> dict[str, Method]:
    """Methods by name with their controls, which come last; some are made of the first that is computed by name."""
    for name, method in methods.items():
        kind = kind_of_control(name)
        if kind and kind_of_control(method if isinstance(method, str) else "") != kind:  # it would be taken for that
            raise InputError(f"{name!r} is the name of a control: give your own map another name, such as 'my {name}'")
    proper = [name for name in methods if not kind_of_control(name)]
    first = next((method for name in proper if isinstance(method := methods[name], str)), None)
    added: dict[str, Method] = {name: name for name in controls(first, symmetric=symmetric)}
    if symmetric:
        drawn = {name: method for name in proper if not isinstance(method := methods[name], AnotherImage)}
        added |= {f"{ANOTHER}:{name}": AnotherImage(method) for name, method in drawn.items()}
    return dict(methods) | {name: method for name, method in added.items() if name not in methods}


def with_variants(methods: Methods) -> tuple[Methods, dict[str, tuple[str, ...]]]:
    """Methods with their variants in the place of those that have alternatives, and the variants of these by name."""
    if isinstance(methods, str):
        raise TypeError(f"methods must be a list of names, got the text {methods!r}")
    items = list(methods.items() if isinstance(methods, Mapping) else ((name, name) for name in methods))
    variants = {name: tuple(variants_of(method)) for name, method in items if isinstance(method, str)}
    tuned = {name: found for name, found in variants.items() if len(found) > 1}
    if not tuned:
        return methods, {}
    made: list[tuple[str, Method | Path]] = []
    for name, method in items:
        made += [(one, one) for one in tuned[name]] if name in tuned else [(name, method)]
    names = [name for name, _ in made]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"method {twice!r} is given twice, also as a variant of {', '.join(tuned)}")
    return (dict(made) if isinstance(methods, Mapping) else names), tuned


def sorted_out(
    methods: Methods, images: Tensor, names: Sequence[str] | None = None
) -> tuple[dict[str, str | OwnMethod], dict[str, Tensor], dict[str, AnotherImage]]:
    """Methods to compute, heatmaps that were given, and those of other images, by name.

    ``names`` of the images find given heatmaps in files.
    """
    computed: dict[str, str | OwnMethod] = {}
    given: dict[str, Tensor] = {}
    borrowed: dict[str, AnotherImage] = {}
    for name, method in named_methods(methods).items():
        if isinstance(method, AnotherImage):
            borrowed[name] = method
        elif isinstance(method, Tensor | MapFile):
            height, width = images.shape[2:]
            every = ImageSelection.every(len(images), names)
            found = method if isinstance(method, Tensor) else method.read(every, (height, width))
            given[name] = check_heatmaps(found.cpu(), images, name)
        else:
            computed[name] = method
    return computed, given, borrowed


def labelled(names: Sequence[str] | None, images: Tensor) -> tuple[str, ...]:
    """Names of the images, for tables and pictures, checked; numbered where there are none."""
    labels = tuple(f"image {number}" for number in range(len(images))) if names is None else tuple(names)
    if len(labels) != len(images) or len(set(labels)) != len(labels):
        raise InputError(f"names must be {len(images)} different names, one for each image")
    return labels
