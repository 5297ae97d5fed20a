"""What a user gives becomes a date of a patient: a scan, which is segmented, or the folder of a result."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ..errors import InputError, SeriesChoiceError, UnreadableImageError, UsageError
from ..images import Scan, read_scan
from ..images.files import read_volume
from ..masks.check import check_labels
from ..measure.facts import ClinicalFacts
from ..outputs.file_set import sha256
from ..outputs.results import MEASUREMENTS_JSON, RESULTS
from ..review import Review
from ..sentences import Sentence
from .visits import Visit, iso_date, visit_of

if TYPE_CHECKING:
    from ..api import Segmenter

KEY_TAGS = ("PatientID", "IssuerOfPatientID")
"""What tells patients apart."""


@dataclass(frozen=True)
class Given:
    """What a user gave for one date.

    Attributes:
        path: a scan, or the folder of a result.
        date: as the user says it; None leaves it to the DICOM header.
        scan: where the scan of a result is, if not where the result says.
        series: of a DICOM folder: series UID, number or description.
    """

    path: Path
    date: Optional[str] = None
    scan: Optional[Path] = None
    series: Optional[str] = None

    @property
    def is_result(self) -> bool:
        """Whether it is the folder of a result."""
        return (self.path / MEASUREMENTS_JSON).is_file()


def given_from(
    paths: Sequence[Path],
    dates: Sequence[str] = (),
    scans: Optional[Mapping[str, Path]] = None,
    series: Sequence[Tuple[str, str]] = (),
) -> List[Given]:
    """Return what a user gave, checked before any work.

    Args:
        paths: scans and results' folders.
        dates: one for each, or none.
        scans: folder of a result, as it was given -> its scan.
        series: DICOM folder, as it was given, and which of its series. A folder that is given twice takes
            the first of its series at the first place, the second at the second.

    Raises:
        UsageError: there are fewer than two, not as many dates as scans, a date is none, or something is
            said of a path that is not given.
        UnreadableImageError: something does not exist.
        InputError: a folder is no result, or its scan is not there.
    """
    if len(paths) < 2:
        raise UsageError(Sentence("followup.too-few"))
    if dates and len(dates) != len(paths):
        raise UsageError(Sentence("followup.date-count", scans=len(paths), dates=len(dates)))
    where = {os.path.abspath(folder): scan for folder, scan in (scans or {}).items()}
    _refuse_strangers("--scan", scans or {}, paths)
    chosen = _by_path(series)
    found = []
    for index, path in enumerate(paths):
        if not path.exists():
            raise UnreadableImageError(Sentence("read.missing", path=str(path)))
        date = iso_date(dates[index]) if dates else None
        place = os.path.abspath(path)
        given = Given(path, date, where.get(place), chosen[place].pop(0) if chosen.get(place) else None)
        if given.is_result:
            if given.series is not None:
                raise UsageError(Sentence("followup.series-of-result", path=str(path)))
            _scan_path(given, _index(given.path))
        found.append(given)
    _refuse_strangers("--series", [place for place, left in chosen.items() if left], ())
    return found


def read_result(given: Given) -> Visit:
    """Read the folder of a result with its scan; the segmentation is taken as it is now and measured anew.

    Raises:
        InputError: the folder is no result, or its scan is not there or another one.
        UnreadableImageError, NotCTError, ImageGeometryError: the scan or the segmentation cannot be read.
    """
    content = _index(given.path)
    name, hash_ = _segmentation(given.path, content)
    facts = ClinicalFacts.from_dict(content.get("facts"))
    source = content["provenance"].get("input") or {}
    place = _scan_path(given, content)
    scan = _read_scan(place, given.path, source, facts)
    if source.get("sha256") not in (None, scan.fingerprint):
        raise InputError(Sentence("followup.other-scan", path=str(place), folder=str(given.path)))
    image, _ = read_volume(str(given.path / name), str(given.path / name))
    review = Review.from_dict(content["review"]) if isinstance(content.get("review"), dict) else None
    visit = visit_of(
        scan.image,
        check_labels(image),
        name=str(content.get("name") or given.path.name),
        date=given.date or date_of(scan),
        facts=facts,
        review=review,
        provenance=content["provenance"],
    )
    said: Tuple[str, ...] = ()
    if hash_ is not None and sha256(given.path / name) != hash_:
        said = (Sentence("followup.edited", name=visit.name),)
    return replace(visit, patient=patient_key(scan), warnings=said)


def segment_scan(given: Given, segmenter: "Segmenter", **how: Any) -> Visit:
    """Segment a scan.

    Args:
        given: the scan.
        segmenter: with its model loaded.
        how: arguments of ``Segmenter.segment``, above all ``progress`` and ``cancel``.

    Raises:
        InputError, NoLiverError, OutOfMemoryError, CancelledError: as ``Segmenter.segment``.
    """
    try:
        scan = read_scan(given.path, given.series, modality=how.get("modality"))
    except SeriesChoiceError as error:
        folder = str(given.path)
        text = Sentence("followup.which-series", why=error.sentence, folder=folder)
        choice = SeriesChoiceError(text, error.series, error.details)
        choice.folder = folder
        raise choice from error
    result = segmenter.segment(given.path, series=None if scan.series is None else scan.series.uid, **how)
    return Visit(result, given.date or date_of(scan), patient_key(scan), None, result.warnings)


def date_of(scan: Scan) -> Optional[str]:
    """Return the ISO date in a scan's DICOM header; None without one."""
    try:
        return iso_date(scan.series.date) if scan.series is not None and scan.series.date else None
    except UsageError:
        return None


def patient_key(scan: Scan) -> str:
    """Return a hash that differs between patients, from a scan's DICOM header; empty where that says nothing.

    It stays in memory: neither it nor what it is made from is written anywhere.
    """
    if scan.series is None or not scan.series.files:
        return ""
    import pydicom

    try:
        header = pydicom.dcmread(scan.series.files[0], stop_before_pixels=True, specific_tags=list(KEY_TAGS))
    except Exception:  # noqa: BLE001 (what pydicom raises is not one kind; without a key nothing is compared)
        return ""
    words = [str(header.get(tag, "") or "").strip() for tag in KEY_TAGS]
    return hashlib.sha256("\0".join(words).encode()).hexdigest() if words[0] else ""


def _by_path(series: Sequence[Tuple[str, str]]) -> Dict[str, List[str]]:
    """Absolute path -> the series that are chosen in it, in the order in which they were said."""
    found: Dict[str, List[str]] = {}
    for path, name in series:
        found.setdefault(os.path.abspath(path), []).append(name)
    return found


def _refuse_strangers(option: str, said: Iterable[str], paths: Sequence[Path]) -> None:
    """Raise UsageError if an option speaks of something else than the inputs."""
    known = {os.path.abspath(path) for path in paths}
    for path in said:
        if os.path.abspath(path) not in known:
            raise UsageError(Sentence("followup.no-such-input", option=option, path=path))


def _index(folder: Path) -> Dict[str, Any]:
    """What measurements.json says."""
    try:
        content = json.loads((folder / MEASUREMENTS_JSON).read_text(encoding="utf-8"))
        if content["liverseg"]["content"] != RESULTS.content or not isinstance(content["provenance"], dict):
            raise ValueError("another kind of file")
        _segmentation(folder, content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise InputError(Sentence("followup.not-a-result", folder=str(folder)), repr(error)) from error
    return dict(content)


def _segmentation(folder: Path, content: Mapping[str, Any]) -> Tuple[str, Optional[str]]:
    """Name of the mask's file, which is there, and the hash with which it was written."""
    name, hash_ = next(
        (name, hash_) for name, hash_ in content["files"].items() if name.startswith("segmentation.")
    )
    if Path(name).name != name or not (folder / name).is_file():
        raise ValueError(f"no {name}")
    return name, hash_ if isinstance(hash_, str) else None


def _scan_path(given: Given, content: Mapping[str, Any]) -> Path:
    """Where the scan of a result is.

    Raises:
        InputError: it is not there, or nobody says.
    """
    said = (content["provenance"].get("input") or {}).get("path")
    if given.scan is None and not said:
        raise InputError(Sentence("followup.scan-unknown", folder=str(given.path)))
    place = given.scan or Path(str(said))
    if not place.exists():
        raise InputError(Sentence("followup.scan-missing", folder=str(given.path), path=str(place)))
    return place


def _read_scan(place: Path, folder: Path, source: Mapping[str, Any], facts: ClinicalFacts) -> Scan:
    """The scan of a result; where a folder holds several series, the one with its fingerprint."""
    modality = source.get("modality") or facts.modality
    try:
        return read_scan(place, modality=modality)
    except SeriesChoiceError as error:
        for series in error.series:
            if tuple(source.get("size") or ())[2:] != series.size[2:]:  # a tilted gantry adds rows
                continue
            scan = read_scan(place, series.uid, modality=modality)
            if scan.fingerprint == source.get("sha256"):
                return scan
        raise InputError(Sentence("followup.other-scan", path=str(place), folder=str(folder))) from error
