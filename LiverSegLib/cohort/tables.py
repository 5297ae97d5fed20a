"""All rows as one table: CSV for people and spreadsheets, Parquet for programs, with the same columns."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence

from .rows import COUNTS, FLAGS, ORDER, TEXTS

if TYPE_CHECKING:
    from pandas import DataFrame

Row = Mapping[str, Any]


def data_frame(rows: Sequence[Row], *, anonymous: bool = False) -> "DataFrame":
    """The rows as a data frame: a type for each column, so that tables of several cohorts go together.

    Args:
        rows: of cases that are done or failed.
        anonymous: leave out the columns that say where a scan came from.
    """
    import pandas

    own = sorted({key for row in rows for key in row if key.startswith("list_")})
    hidden = ("source", "series") if anonymous else ()
    columns = [key for key in (*ORDER, *own) if key not in hidden]
    data: Dict[str, Any] = {}
    for key in columns:
        values: List[Any] = [row.get(key) for row in rows]
        data[key] = pandas.array(values, dtype=_kind(key))
    return pandas.DataFrame(data, columns=columns)


def _kind(key: str) -> str:
    if key in TEXTS or key.startswith("list_"):
        return "string"
    if key in FLAGS:
        return "boolean"
    return "Int64" if key in COUNTS else "Float64"


def write_csv(frame: "DataFrame", path: Path) -> None:
    """Write the table as CSV in UTF-8; numbers have four significant decimals, what is missing is empty.

    Raises:
        OSError: it cannot be written.
    """
    rounded = frame.copy()
    for key in rounded.columns:
        if str(rounded[key].dtype) == "Float64":
            rounded[key] = rounded[key].round(4)
    rounded.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def write_parquet(frame: "DataFrame", path: Path) -> None:
    """Write the table as Parquet, numbers as they are.

    Raises:
        OSError: it cannot be written.
    """
    frame.to_parquet(path, index=False, engine="pyarrow")
