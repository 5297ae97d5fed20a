"""The address of a QIDO-RS query taken apart: which server, and what is asked."""

import re
from typing import Dict, Tuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from ..errors import UsageError
from ..sentences import Sentence
from .query import Query

FIELDS: Dict[str, str] = {
    "PatientID": "patient", "StudyInstanceUID": "study", "SeriesInstanceUID": "series",
    "Modality": "modality", "SeriesDescription": "description",
}  # fmt: skip
"""What an address may ask for beside StudyDate: key -> field of ``Query``."""
ENDING = re.compile(r"/(?:series|studies)/?$")


def query_of(address: str) -> Tuple[str, Query]:
    """Return the server's address and the query.

    >>> query_of("https://pacs.example.org/dicom-web/series?Modality=CT&StudyDate=20240101-")[1].filters()
    {'Modality': 'CT', 'StudyDate': '20240101-'}

    Args:
        address: https://server/dicom-web/series?KEY=VALUE&..., with the keys of FIELDS and StudyDate.

    Raises:
        UsageError: the address asks for something else, or a value makes no sense.
    """
    place = urlsplit(address)
    asked: Dict[str, str] = {}
    for key, value in parse_qsl(place.query):
        if key == "StudyDate":
            first, dash, last = value.partition("-")
            asked.update(first_date=first, last_date=last if dash else first)
        elif key in FIELDS:
            asked[FIELDS[key]] = value
        else:
            known = ", ".join((*FIELDS, "StudyDate"))
            raise UsageError(Sentence("dicomweb.query-key", name=key, known=known))
    server = urlunsplit((place.scheme, place.netloc, ENDING.sub("", place.path), "", ""))
    return server, Query(**asked)
