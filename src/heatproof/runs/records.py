"""How the records of a run are read: as JSON of bounded size, and as one model for each kind.

Records may come from strangers. What a model lets through has the types and bounds that it names; all else is refused
with one message. Readers import this module when they need it, since pydantic takes as long as all help together.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, Strict, StringConstraints, ValidationError

from heatproof.errors import InputError
from heatproof.json_objects import SHOWN, json_object, shown

MOST = 10**12  # of anything that is counted, and of seconds
MOST_ENTRIES = 100_000  # of a list that does not name every image

Text = Annotated[str, StringConstraints(max_length=20_000)]
Prose = Annotated[str, StringConstraints(max_length=1_000_000)]  # about many methods; a command with its files
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Count = Annotated[int, Field(ge=0, le=MOST)]
Seconds = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Texts = Annotated[tuple[Text, ...], Strict(False), Field(max_length=MOST_ENTRIES)]  # JSON has lists, not tuples
Sentences = Annotated[tuple[Prose, ...], Strict(False), Field(max_length=MOST_ENTRIES)]
Object = Annotated[dict[Text, JsonValue], Field(max_length=MOST_ENTRIES)]


class StoredRecord(BaseModel):
    """What a file of a run says. Other fields than a model's are ignored, but must be JSON that is not too deep."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    @classmethod
    def of(cls, content: Mapping[str, Any], name: str) -> Self:
        """The record with this content.

        >>> class Small(StoredRecord):
        ...     size: Count
        >>> Small.of({"size": 3}, "small.json").size
        3
        >>> Small.of({"size": -1}, "small.json")
        Traceback (most recent call last):
        heatproof.errors.InputError: small.json: size must be greater than or equal to 0, got -1

        Raises:
            InputError: if it is not what the model says; the message begins with ``name``.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(f"{name}: {_said(error)}") from None

    @classmethod
    def read(cls, data: bytes, name: str) -> Self:
        """The record that these bytes hold; InputError as ``of``, and if they are no JSON."""
        return cls.of(json_object(data, name), name)


def _said(error: ValidationError) -> str:
    """The first thing that is wrong, and how many more there are."""
    first, *others = error.errors(include_url=False)
    where = ".".join(str(part) for part in first["loc"][:8])[:SHOWN]
    more = f", and {len(others)} more" if others else ""
    if first["type"] == "missing":
        return f"{where} is missing{more}"
    expected = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("Input", "it")
    return f"{where} {expected}, got {shown(first['input'])}{more}".strip()
