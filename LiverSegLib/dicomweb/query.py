"""Which series a server has (QIDO-RS): the search, and what is said of each series found."""

import re
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..errors import ServerError, UsageError
from ..sentences import Sentence
from .client import Cancel, Client
from .connection import Connection

MOST_SERIES = 1000
"""Series that a search finds at most: more were hardly meant, and are many requests."""
PAGE = 200
"""Series or images that are asked for at once; a server may send fewer."""

_SERIES_FIELDS = (
    "PatientID", "PatientName", "StudyDate", "StudyDescription", "SeriesDate", "SeriesDescription",
    "SeriesNumber", "NumberOfSeriesRelatedInstances",
)  # fmt: skip
"""What is asked for beside what every server sends."""


@dataclass(frozen=True)
class Query:
    """Which series are wanted; what is None or empty is not asked for.

    Attributes:
        patient: Patient ID; ``*`` stands for any letters, ``?`` for one.
        study: Study Instance UID.
        series: Series Instance UID.
        modality: "CT", "MR", ...
        first_date: first study date, YYYYMMDD or YYYY-MM-DD.
        last_date: last study date.
        description: words that the series description holds, in any case and order.

    Raises:
        UsageError: a UID or a date is none.

    Example:
        >>> Query(first_date="2024-01-31").filters()
        {'StudyDate': '20240131-'}
    """

    patient: Optional[str] = None
    study: Optional[str] = None
    series: Optional[str] = None
    modality: Optional[str] = None
    first_date: Optional[str] = None
    last_date: Optional[str] = None
    description: Optional[str] = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            object.__setattr__(self, item.name, (value or "").strip() or None)
        for uid in (self.study, self.series):
            if uid is not None and not is_uid(uid):
                raise UsageError(Sentence("dicomweb.uid", value=uid))
        for name in ("first_date", "last_date"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else _date(value))
        if self.first_date and self.last_date and self.first_date > self.last_date:
            raise UsageError(Sentence("dicomweb.dates", first=self.first_date, last=self.last_date))

    def filters(self) -> Dict[str, str]:
        """What the server is asked, DICOM keyword -> value. The description is looked at here: servers need
        not know how to search for it.
        """
        dates = f"{self.first_date or ''}-{self.last_date or ''}"
        asked = {
            "PatientID": self.patient,
            "StudyInstanceUID": self.study,
            "SeriesInstanceUID": self.series,
            "Modality": self.modality and self.modality.upper(),
            "StudyDate": dates if dates != "-" else None,
        }
        return {keyword: value for keyword, value in asked.items() if value}

    def fits(self, found: "SeriesFound") -> bool:
        """Whether a series is what was asked for. A server that does not know a filter leaves it out, and
        then sends other patients' series; what it does not tell of a series cannot be checked.
        """
        words = (self.description or "").casefold().split()
        return (
            all(word in found.description.casefold() for word in words)
            and _same(self.study, found.study_uid)
            and _same(self.series, found.series_uid)
            and _same(self.modality and self.modality.upper(), found.modality.upper())
            and (not self.patient or not found.patient_id or _alike(self.patient, found.patient_id))
            and (not found.date or (self.first_date or "") <= found.date <= (self.last_date or "9"))
        )


@dataclass(frozen=True)
class SeriesFound:
    """A series on a server.

    Attributes:
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        modality: "CT", "MR", "SEG", ...; may be empty.
        description: of the series; may be empty.
        study_description: of the study; may be empty.
        number: of the series, None if it has none.
        date: of the study, YYYYMMDD or empty.
        images: how many images (instances) it has, as the server says; None if it does not.
        patient_id: identifies the patient, so ``repr`` leaves it out, as the name.
        patient_name: likewise.
    """

    study_uid: str
    series_uid: str
    modality: str
    description: str
    study_description: str = ""
    number: Optional[int] = None
    date: str = ""
    images: Optional[int] = None
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)

    def line(self) -> str:
        """One line to choose by; nothing in it names the patient."""
        number = "-" if self.number is None else str(self.number)
        count = "" if self.images is None else f", {self.images} image{'s' * (self.images != 1)}"
        return f"{number}: {self.description or 'no description'}, {self.modality or '?'}{count}"


def query_series(
    connection: Connection, query: Optional[Query] = None, *, cancel: Optional[Cancel] = None
) -> Tuple[SeriesFound, ...]:
    """Return the series on a server that match, by study date and series number; empty if none does.

    Args:
        connection: the server.
        query: which series; all if None.
        cancel: asked about every 50 ms; True cancels.

    Raises:
        ServerError: the server cannot be reached, refuses, or more than MOST_SERIES match.
        UsageError: the login in the environment makes no sense.
        CancelledError: the user cancelled.
    """
    with Client(connection, cancel) as client:
        return found_series(client, query or Query())


def found_series(client: Client, query: Query) -> Tuple[SeriesFound, ...]:
    """``query_series`` on an open connection."""
    found: Dict[str, SeriesFound] = {}
    asked = 0
    while True:
        page = _page(client, query, asked)
        asked += len(page)
        new = {item.series_uid: item for item in map(_series, page) if item is not None}
        fresh = {uid: item for uid, item in new.items() if uid not in found}
        found.update(fresh)
        # a server that takes no notice of the offset sends the same ones again
        if len(page) == 0 or not fresh or (query.series and query.series in found):
            break
        if len(found) > MOST_SERIES:
            raise ServerError(Sentence("dicomweb.too-many", most=MOST_SERIES))
    # a server that does not say whose series it is: what is fetched must be of the patient asked for
    patient = "" if re.search(r"[*?]", query.patient or "*") else query.patient or ""
    known = (replace(item, patient_id=item.patient_id or patient) for item in found.values())
    fitting = [item for item in known if query.fits(item)]
    return tuple(sorted(fitting, key=lambda item: (item.date, item.study_uid, item.number or 0)))


def image_uids(client: Client, series: SeriesFound) -> Tuple[str, ...]:
    """The SOP Instance UIDs of a series, as the server lists them.

    Raises:
        ServerError: it has no such series, or lists another number of images than it announced.
    """
    found: Dict[str, None] = {}
    while series.images is None or len(found) < series.images:
        before = len(found)
        for item in client.call(_list_images(series, before), absent="dicomweb.gone"):
            if is_uid(_text(item, "00080018")):
                found[_text(item, "00080018")] = None
        if len(found) == before:
            break
    if not found:
        raise ServerError(Sentence("dicomweb.gone", host=client.connection.host))
    return tuple(found)


def is_uid(text: str) -> bool:
    """Whether a text is a DICOM UID; then it is also safe as the name of a file.

    >>> is_uid("1.2.840.10008"), is_uid("../1")
    (True, False)
    """
    return len(text) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", text) is not None


def _list_images(series: SeriesFound, offset: int) -> Callable[[Any], List[Mapping[str, Any]]]:
    """The request for the part of a series' list of images that begins at ``offset``."""
    return lambda web: web.search_for_instances(
        series.study_uid, series.series_uid, limit=PAGE, offset=offset
    )


def _page(client: Client, query: Query, offset: int) -> List[Mapping[str, Any]]:
    filters = query.filters()
    study = filters.pop("StudyInstanceUID", None)
    page = client.call(
        lambda web: web.search_for_series(
            study, search_filters=dict(filters), fields=list(_SERIES_FIELDS), limit=PAGE, offset=offset
        ),
        absent="dicomweb.no-dicomweb" if study is None else "dicomweb.gone",
    )
    if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
        raise ServerError(Sentence("dicomweb.no-dicomweb", address=client.connection.url))
    return page


def _series(item: Mapping[str, Any]) -> Optional[SeriesFound]:
    """What a server says of a series; None if it does not say which one it is."""
    study, series = _text(item, "0020000D"), _text(item, "0020000E")
    if not is_uid(study) or not is_uid(series):
        return None
    return SeriesFound(
        study_uid=study,
        series_uid=series,
        modality=_text(item, "00080060"),
        description=_text(item, "0008103E"),
        study_description=_text(item, "00081030"),
        number=_integer(item, "00200011"),
        date=_text(item, "00080020").replace("-", ""),
        images=_integer(item, "00201209"),
        patient_id=_text(item, "00100020"),
        patient_name=_text(item, "00100010"),
    )


def _text(item: Mapping[str, Any], tag: str) -> str:
    """The first value of a tag in DICOM's JSON, as text; empty without one."""
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value = values[0] if isinstance(values, list) and values else ""
    if isinstance(value, dict):  # a person's name
        value = value.get("Alphabetic", "")
    return "" if value is None else str(value).strip()


def _integer(item: Mapping[str, Any], tag: str) -> Optional[int]:
    text = _text(item, tag)
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None


def _same(wanted: Optional[str], found: str) -> bool:
    return not wanted or not found or wanted == found


def _alike(wanted: str, found: str) -> bool:
    pattern = re.escape(wanted).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, found) is not None


def _date(value: str) -> str:
    """YYYYMMDD.

    Raises:
        UsageError: no date.
    """
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(value, form).strftime("%Y%m%d")
        except ValueError:
            continue
    raise UsageError(Sentence("dicomweb.date", value=value))
