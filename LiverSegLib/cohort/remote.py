"""Cases on a DICOMweb server: the only place of this room that asks one."""

from pathlib import Path
from typing import Iterable

from ..errors import UsageError
from .case import Case

UNAVAILABLE = "This version of LiverSeg cannot ask a DICOMweb server for a cohort: fetch the scans first."


def query_cases(address: str) -> Iterable[Case]:
    """Return the cases that a QIDO-RS query finds.

    Raises:
        UsageError: there is no DICOMweb client in this version.
    """
    raise UsageError(UNAVAILABLE)


def fetch_series(address: str, folder: Path) -> None:
    """Fetch the series at an address into a folder.

    Raises:
        UsageError: there is no DICOMweb client in this version.
    """
    raise UsageError(UNAVAILABLE)
