"""Cases on a DICOMweb server: the only place of this room that asks one."""

import os
import re
from pathlib import Path
from typing import Tuple

from ..dicomweb import Connection, SeriesFound, fetch_series, query_series
from ..dicomweb.address import query_of
from ..errors import UsageError
from .case import Case

AUTHORITY = "LIVERSEG_DICOMWEB_CA"
"""Environment variable: file of certificates (PEM) to trust in place of the public ones. Worker processes
read it, as they read the login, from their own environment."""
SERIES = re.compile(r"(?P<server>.+)/studies/(?P<study>[0-9.]+)/series/(?P<series>[0-9.]+)/?")


def query_cases(address: str) -> Tuple[Case, ...]:
    """Return the series that a QIDO-RS query finds, each a case; CT and MR alone where no modality is asked.

    Args:
        address: https://server/dicom-web/series?Modality=CT&StudyDate=20240101-20241231

    Raises:
        UsageError: the address asks for what a query cannot ask.
        ServerError: the server cannot be reached, or refuses.
    """
    server, query = query_of(address)
    connection = _connection(server)
    kinds = (query.modality.upper(),) if query.modality else ("CT", "MR")
    found = query_series(connection, query)
    return tuple(
        Case(
            series.series_uid,
            f"{connection.url}/studies/{series.study_uid}/series/{series.series_uid}",
            modality=series.modality if series.modality in ("CT", "MR") else None,
        )
        for series in found
        if series.modality.upper() in kinds
    )


def fetch_case(address: str, folder: Path) -> None:
    """Fetch the series at an address, as :func:`query_cases` makes it, into a folder.

    Raises:
        UsageError: it is not the address of a series.
        ServerError: it cannot be fetched.
        OutputError: the folder cannot be written.
    """
    match = SERIES.fullmatch(address)
    if match is None:
        raise UsageError(
            f"{address} is not the address of a series: it should end in /studies/UID/series/UID."
        )
    series = SeriesFound(match["study"], match["series"], "", "")
    fetch_series(_connection(match["server"]), series, folder)


def _connection(address: str) -> Connection:
    authority = os.environ.get(AUTHORITY)
    return Connection(address, ca=Path(authority) if authority else None)
