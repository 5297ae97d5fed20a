"""The end of a cohort: its rows as CSV, Parquet and a page, all of them or none."""

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from ..outputs import FileSet, Reservation, write_file_set
from .ledger import Ledger
from .overview import about_cohort, cohort_page
from .rows import read_rows
from .tables import data_frame, write_csv, write_parquet

FILES = {"table": "cohort.csv", "parquet": "cohort.parquet", "overview": "cohort.html"}
COHORT = FileSet(index="cohort.json", content="cohort")


def collect(
    reservation: Reservation,
    ledger: Ledger,
    total: int,
    *,
    anonymous: bool = False,
    left_out: Sequence[Tuple[str, str]] = (),
) -> Dict[str, Path]:
    """Write the tables and the page of what is there.

    Args:
        reservation: of the folder of results.
        ledger: of the same folder.
        total: how many cases the cohort has.
        anonymous: no table says where scans came from.
        left_out: (path, reason) of series that were no cases.

    Returns:
        Key ("cohort", "table", "parquet", "overview") -> path of each file.

    Raises:
        OutputError: they cannot be written, or somebody has changed them since the last run.
    """
    rows: List[Dict[str, Any]] = read_rows(ledger)
    frame = data_frame(rows, anonymous=anonymous)
    about = about_cohort(ledger.folder, total)
    page = cohort_page(rows, ledger.folder, about, () if anonymous else left_out)
    counts = {state: sum(row["state"] == state for row in rows) for state in ("done", "failed")}
    files = {
        "table": (FILES["table"], lambda path: write_csv(frame, path)),
        "parquet": (FILES["parquet"], lambda path: write_parquet(frame, path)),
        "overview": (
            FILES["overview"],
            lambda path: path.write_text(page, encoding="utf-8", errors="replace"),
        ),
    }
    content = {
        "created": about["created"],
        "liverseg_version": about["liverseg_version"],
        "cases": {"total": total, **counts},
        "left_out": [] if anonymous else [list(item) for item in left_out],
    }
    return write_file_set(reservation, COHORT, files, content)
