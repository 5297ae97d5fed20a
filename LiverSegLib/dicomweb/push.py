"""DICOM files to a server (STOW-RS), one by one, and what the server says of each."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from ..errors import CancelledError, InputError, LiverSegError, ServerError
from ..images.dicom import is_dicom, walk
from ..outputs.atomic import PathLike
from ..sentences import Sentence, key_of
from .client import Cancel, Client, Progress
from .connection import Connection
from .query import SeriesFound, image_uids, is_uid

_REFUSED = (400, 406, 409, 413, 415, 422)
"""Statuses that speak of the file that was sent; the next file may be stored."""

_REASONS = {
    0x0122: "dicomweb.refused-kind",
    0x0124: "dicomweb.refused-permission",
    0xC122: "dicomweb.refused-syntax",
}
"""Failure Reason -> sentence (DICOM PS3.18, 10.5.3, and PS3.4, B.2.3)."""
_REASON_GROUPS = {
    0xA7: "dicomweb.refused-resources",
    0xA9: "dicomweb.refused-mismatch",
    **{0xC0 + low: "dicomweb.refused-content" for low in range(16)},
}
"""First byte of the other Failure Reasons -> sentence."""
_STATUS_REASONS = {413: "dicomweb.refused-large", 415: "dicomweb.refused-kind"}

LOOKS = 3
"""How often it is looked for what was stored, with waits of 1 and 2 s between."""

_DICOMDIR = "1.2.840.10008.1.3.10"
"""SOP class of a directory of files, which is no object of its own."""


@dataclass(frozen=True)
class Outgoing:
    """A DICOM file that can be sent.

    Attributes:
        path: the file.
        uid: its SOP Instance UID.
        study_uid: the study that it belongs to, and
        series_uid: its series.
        kind: the name of its SOP class, for example "Segmentation Storage".
        size: bytes.
    """

    path: Path
    uid: str
    study_uid: str
    series_uid: str
    kind: str
    size: int


@dataclass(frozen=True)
class Outgoings:
    """What will be sent.

    Attributes:
        files: each SOP instance once, in the order given, folders sorted by name.
        left_out: how many files of the folders are no DICOM, or second copies.
    """

    files: Tuple[Outgoing, ...]
    left_out: int

    @property
    def size(self) -> int:
        """Bytes altogether."""
        return sum(file.size for file in self.files)

    @property
    def kinds(self) -> Dict[str, int]:
        """Kind -> how many files, most frequent first."""
        return dict(Counter(file.kind for file in self.files).most_common())


@dataclass(frozen=True)
class Refusal:
    """A file that the server did not store, and why, as the end of a sentence."""

    file: Outgoing
    reason: str


@dataclass(frozen=True)
class Answer:
    """What a server stored, and what it did not."""

    stored: Tuple[Outgoing, ...]
    refused: Tuple[Refusal, ...]


def outgoing_files(paths: Sequence[PathLike]) -> Outgoings:
    """Return what sending these files and folders means. Nothing is sent.

    Args:
        paths: DICOM files, and folders that are searched deeply; what is no DICOM in a folder is left out.

    Raises:
        InputError: a file that was named is no DICOM, a DICOM file is damaged, or there is nothing to send.
    """
    named: List[Path] = []
    left_out = 0
    for path in map(Path, paths):
        if path.is_dir():
            inside = walk(str(path))
            dicom = [Path(item) for item in inside if is_dicom(item)]
            left_out += len(inside) - len(dicom)
            named += dicom
        elif not path.is_file():
            raise InputError(Sentence("dicomweb.no-file", path=str(path)))
        elif not is_dicom(str(path)):
            raise InputError(Sentence("dicomweb.no-dicom", name=path.name))
        else:
            named.append(path)
    files: Dict[str, Outgoing] = {}
    for path in named:
        file = _outgoing(path)
        if file is not None:
            files.setdefault(file.uid, file)
    if not files:
        place = ", ".join(str(path) for path in paths)
        raise InputError(Sentence("dicomweb.nothing-to-send", place=place))
    return Outgoings(tuple(files.values()), left_out + len(named) - len(files))


def push_files(
    connection: Connection,
    files: Sequence[Outgoing],
    *,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
) -> Answer:
    """Send DICOM files, as they are, with all that they say of the patient.

    Sending a file again is safe: it has the same SOP Instance UID, so the server has it once.

    Args:
        connection: the server.
        files: from ``outgoing_files``.
        progress: called for each file.
        cancel: asked about every 50 ms; True cancels.

    Returns:
        What was stored, and what was refused and why. A refused file does not keep the next from being sent.
        A file counts as stored if the server says so and, where it lets us look, has it afterwards.

    Raises:
        ServerError: the server cannot be reached, refuses the login, or is lost.
        InputError: a file was changed or removed meanwhile.
        CancelledError: the user cancelled. The sentences say how many files the server had confirmed by then.
    """
    stored: List[Outgoing] = []
    refused: List[Refusal] = []
    whole, done = max(1, sum(file.size for file in files)), 0
    try:
        with Client(connection, cancel) as client:
            for file in files:
                if progress:
                    progress(done / whole, "push", f"Sending {len(files)} files to {connection.host}")
                reason = _push(client, file)
                if reason is None:
                    stored.append(file)
                else:
                    refused.append(Refusal(file, reason))
                done += file.size
            missing = _missing(client, stored)
    except LiverSegError as error:
        counts = {"stored": len(stored), "count": len(files)}
        if isinstance(error, CancelledError):
            raise CancelledError(Sentence("dicomweb.push-cancelled", **counts), error.details) from error
        if not stored:
            raise
        said = Sentence("dicomweb.push-stopped", reason=error.sentence, **counts)
        raise type(error)(said, error.details) from error
    lost = [Refusal(file, Sentence("dicomweb.refused-missing")) for file in stored if file.uid in missing]
    return Answer(tuple(file for file in stored if file.uid not in missing), (*refused, *lost))


def _outgoing(path: Path) -> Optional[Outgoing]:
    """A file by its header; None for a DICOMDIR.

    Raises:
        InputError: it is damaged.
    """
    import pydicom
    from pydicom.uid import UID

    wanted = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
    try:
        size = os.stat(path).st_size
        data = pydicom.dcmread(str(path), stop_before_pixels=True, specific_tags=wanted)
        if str(data.file_meta.get("MediaStorageSOPClassUID", "")) == _DICOMDIR:
            return None
        values = [str(data.get(name, "")) for name in wanted]
    except Exception as error:  # noqa: BLE001 (pydicom has many ways to say that a file is damaged)
        raise InputError(Sentence("dicomweb.unreadable", name=path.name), str(error)) from error
    if not all(is_uid(value) for value in values):
        raise InputError(Sentence("dicomweb.unreadable", name=path.name), f"UIDs: {values}")
    kind, uid, study, series = values
    return Outgoing(path, uid, study, series, UID(kind).name, size)


def _missing(client: Client, stored: Sequence[Outgoing]) -> Set[str]:
    """The SOP Instance UIDs of these files that the server does not list.

    Orthanc, for one, says that it stored what its filters dropped. An archive may need a moment before it
    lists what it stored, and may not let everybody look: then its word stands.
    """
    missing = {file.uid for file in stored}
    for attempt in range(LOOKS):
        for study, series in sorted({(f.study_uid, f.series_uid) for f in stored if f.uid in missing}):
            try:
                missing -= set(image_uids(client, SeriesFound(study, series, "", "")))
            except ServerError as error:
                if key_of(error.sentence) != "dicomweb.gone":
                    return set()
        if not missing or attempt == LOOKS - 1:
            break
        client.wait(client.connection.first_wait * 2**attempt)
    return missing


def _push(client: Client, file: Outgoing) -> Optional[str]:
    """Send one file; return why the server did not store it, None if it did.

    Raises:
        ServerError, InputError, CancelledError.
    """
    import pydicom

    try:
        data = pydicom.dcmread(str(file.path))
    except Exception as error:  # noqa: BLE001 (it could be read before)
        raise InputError(Sentence("dicomweb.changed", name=file.path.name), str(error)) from error
    if str(data.get("SOPInstanceUID", "")) != file.uid:
        raise InputError(Sentence("dicomweb.changed", name=file.path.name), "another SOP Instance UID")
    return client.call(lambda web: _reason(web, data, file.uid))


def _reason(web: Any, data: Any, uid: str) -> Optional[str]:
    """Store a data set; return why the server did not, None if it did."""
    from pydicom import Dataset
    from requests.exceptions import HTTPError

    status = 200
    try:
        answer = web.store_instances([data])
    except HTTPError as error:
        response = error.response
        if response is None or response.status_code not in _REFUSED:
            raise
        status = response.status_code
        try:
            answer = Dataset.from_json(response.json())
        except Exception:  # noqa: BLE001 (an answer without a reason)
            answer = Dataset()
    for item in answer.get("FailedSOPSequence") or ():
        if str(item.get("ReferencedSOPInstanceUID", uid)) == uid:
            return _words(item.get("FailureReason"))
    if status != 200:
        return Sentence(_STATUS_REASONS.get(status, "dicomweb.refused-silently"))
    named = [
        str(item.get("ReferencedSOPInstanceUID", "")) for item in answer.get("ReferencedSOPSequence") or ()
    ]
    return None if uid in named else Sentence("dicomweb.refused-unconfirmed")


def _words(code: Optional[int]) -> str:
    """A Failure Reason in words."""
    if code is None:
        return Sentence("dicomweb.refused-silently")
    key = _REASONS.get(code) or _REASON_GROUPS.get(code >> 8)
    return Sentence(key) if key else Sentence("dicomweb.refused-code", code=f"{code:04X}")
