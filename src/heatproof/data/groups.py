"""Groups of images, from a table."""

from pathlib import Path

import polars as pl

from heatproof.errors import InputError

COLUMNS = ("file", "group")


def read_groups(path: Path) -> dict[str, str]:
    """The group of each image by its name, from a CSV file with the columns ``file`` and ``group``.

    Raises:
        InputError: if there is no such file, or it has other columns, or an image twice.
    """
    try:
        table = pl.read_csv(path, columns=list(COLUMNS), infer_schema=False)
    except FileNotFoundError as error:
        raise InputError(f"there is no table of groups {str(path)!r}") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path}: expected a CSV file with the columns {' and '.join(COLUMNS)}: {first}") from error
    table = table.drop_nulls()
    twice = table.filter(table["file"].is_duplicated())["file"].to_list()
    if twice:
        raise InputError(f"{path}: expected each file once, got {twice[0]!r} several times")
    return dict(zip(table["file"].to_list(), table["group"].to_list(), strict=True))
