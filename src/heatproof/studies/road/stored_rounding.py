"""The errors of another precision in a run, as one file of JSON, and back."""

from heatproof.errors import InputError
from heatproof.results.rounding import Rounding, RoundingOfMethod
from heatproof.runs.objects import LARGEST_MARKER, MissingError, Store
from heatproof.runs.records import RoundingRecord
from heatproof.runs.schema import SCHEMA
from heatproof.runs.serialization import json_bytes

FILE = "audit/precision.json"


def store_rounding(store: Store, found: Rounding, images: int) -> None:
    """Writes the errors, which belong to a study of so many images."""
    store.put(FILE, json_bytes({"schema": SCHEMA, "images": images} | found.describe()))


def stored_rounding(store: Store, precision: str, images: int) -> Rounding | None:
    """The errors, if they were measured in a study of so many images.

    Raises:
        InputError: if the file holds something else, or errors of another precision.
    """
    try:
        data = store.get(FILE, at_most=LARGEST_MARKER)
    except MissingError:
        return None
    record = RoundingRecord.read(data, f"{FILE} of {store}")
    if record.images != images:
        return None
    if record.precision != precision:
        raise InputError(f"{FILE} of {store} is of precision {record.precision}, and the run of {precision}")
    methods = {name: RoundingOfMethod(**one.named()) for name, one in record.methods.items()}
    given = {name: value for name, value in record.named().items() if name not in ("schema_", "schema", "images")}
    return Rounding(**given | {"methods": methods})
