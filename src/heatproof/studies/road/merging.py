"""Runs of the same study that hold different shards become one."""

from collections.abc import Sequence
from contextlib import suppress

from heatproof.errors import InputError
from heatproof.runs.objects import LARGEST_MARKER, LARGEST_TABLE, MissingError, Store
from heatproof.runs.run_record import read_content
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import write_record
from heatproof.studies.road.record import STATISTICS, STUDY_FILE, check_same, read_shards
from heatproof.studies.road.shards import Shards, stem

WITHOUT_AUDITS = (
    "each share was audited on its own images, which is left out here; 'heatproof compare' with the same configuration "
    "and this --out audits the whole"
)


def merge(sources: Sequence[Store], out: Store) -> None:
    """Copies the whole shards of runs of the same study into an empty store; one that several have is taken once.

    Raises:
        InputError: if the runs are not of the same study, or a shard is not the same in two of them.
    """
    record = read_content(sources[0])
    if record["study"] != "compare":
        raise InputError(
            f"expected shares of a comparison (compare --share), got a run of {record['study']}: {sources[0]}"
        )
    for other in sources[1:]:
        found = read_content(other)
        check_same(found, record, str(other))
        if found.get("choice") != record.get("choice"):
            raise InputError(
                f"{other} has another protocol than {sources[0]}: each share chose its own, on machines that compute a "
                "little differently; name one for all shares, such as --protocol coarse-blur"
            )
    every = [read_shards(source) for source in sources]
    if len({shards.maps.shape() for shards in every}) > 1:
        raise InputError("the runs have heatmaps of different shapes; merge runs of the same study")
    target = Shards(out, every[0].count, every[0].size)
    methods = [str(method) for method in record["plan"]["methods"]]
    target.maps.make(methods, every[0].maps.shape(), at_once=target.size, schema=SCHEMA, shown=every[0].maps.shown())
    for name in (STUDY_FILE, STATISTICS):
        with suppress(MissingError):
            out.put(name, sources[0].get(name))
    for shards in every:
        taken = set(target.whole())
        for number in shards.whole():
            if number not in taken:
                _copy(number, shards, target)
            elif target.marker(number).objects != shards.marker(number).objects:
                raise InputError(
                    f"shard {number} of {shards.store} differs between two shares; merge shares of one comparison"
                )
    audited = [WITHOUT_AUDITS] if record.pop("audit", None) else []
    write_record(out, record | {"notes": [*record["notes"], *audited]})


def _copy(number: int, source: Shards, target: Shards) -> None:
    """Copies a complete shard of a run of the same study: the marker last, here too."""
    places = target.positions(number)
    target.maps.write(places, range(len(places)), source.maps.read(places))
    target.maps.write_pictures({place: one for place, one in source.maps.pictures().items() if place in places})
    for suffix in source.marker(number).objects:
        name = f"{stem(number)}{suffix}.parquet"
        target.store.put(name, source.store.get(name, at_most=LARGEST_TABLE))
    marker = f"{stem(number)}.json"
    target.store.put(marker, source.store.get(marker, at_most=LARGEST_MARKER))
