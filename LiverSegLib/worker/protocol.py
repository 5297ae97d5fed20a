"""The messages between LiverSeg's worker process and whoever started it (3D Slicer with QProcess).

The wire
    The parent writes requests to the worker's standard input and reads replies from its standard output. A
    message is one line of JSON (UTF-8, at most ``MAX_LINE_BYTES``, ending in a line feed) with at least::

        {"liverseg": 2, "type": "segment", "id": "s1", ...}

    ``liverseg`` is the protocol's version and tells our lines from stray ones: libraries print to standard
    output when they are imported, so a line that is no JSON object with that field is skipped by both sides.
    ``id`` is chosen by the sender of a request (letters, digits, ``-``, ``_``; it also names the request's
    subfolder) and repeated in every reply to it. Fields that a reader does not know are ignored, so fields
    with a default may be added without a new version; a new version is for everything else, and a line of
    another version raises ``ProtocolError``.

Requests
    ``hello``
        First: names the private folder, may ask to load a model ahead. Answered by ``hello-reply``, and after
        loading by ``log`` or ``error``.
    ``segment``
        One scan, by path or as voxels. Answered by ``progress`` any number of times, then by ``result`` or
        ``error``.
    ``measure``
        A mask that somebody drew or changed, with its scan: the numbers anew. Answered by ``progress``, then
        by ``measure-result`` or ``error``.
    ``report``
        A mask, its scan and its numbers: writes all files of a case into a folder that the user chose, a
        complete set or nothing. Answered by ``progress``, then by ``report-result`` or ``error``.
    ``cancel``
        Stop the request ``target``, running or waiting; that one is answered by ``error`` with code
        "cancelled" within a second (a report: as soon as the file in work is written). A target that is
        unknown or done is ignored, as the two may cross.
    ``shutdown``
        Stop everything, answer ``bye``, remove the private folder, end. Closing standard input does the same.

    Requests are worked off one after the other, in order; ``cancel`` and ``shutdown`` act at once.

Replies
    ``hello-reply``, ``progress``, ``result``, ``measure-result``, ``report-result``, ``error`` (``code`` is
    the ``code`` of a class in ``errors``), ``log`` (whenever a model was loaded, for one), ``bye``.

Arrays
    travel as .npy files in the private folder (mode 0700, holds the file ``owner``, see ``scratch``): the
    parent puts voxels anywhere in it; the worker makes a subfolder for every result and names its files in
    ``result``. Whoever notices the end of the other removes the folder. Volumes are (z, y, x) with an
    ``images.grid.Grid`` in LPS mm. Points of surfaces are float32 (n, 3) LPS mm, triangles int32 (m, 3).

A new message is a new dataclass in ``MESSAGES``. This module needs the standard library and numpy only, so
that Slicer imports it quickly.
"""

import json
import re
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple, Type, Union, get_type_hints

from ..errors import WorkerError
from ..images.grid import Grid

VERSION = 2
"""Version of the protocol that this module speaks."""

MAX_LINE_BYTES = 1 << 20
"""Longest line that is written or accepted; what is large travels in files."""

_LONGEST_TEXT = MAX_LINE_BYTES // 64
"""Characters that a text of a failure keeps where the line is too long; each has 12 bytes at most in JSON."""

_TAG = "liverseg"
_LARGEST_NUMBER = 1e300
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class ProtocolError(WorkerError):
    """A line that is ours but cannot be understood: another version, an unknown type, a missing or wrong
    field.

    ``request_id`` is the line's id where it could be read, so that an answer can be given.
    """

    def __init__(self, message: str, details: Optional[str] = None, request_id: Optional[str] = None) -> None:
        super().__init__(message, details)
        self.request_id = request_id


@dataclass(frozen=True)
class SurfaceFiles:
    """A closed surface: label key, file of points float32 (n, 3) LPS mm, file of triangles int32 (m, 3)."""

    key: str
    points: str
    triangles: str


@dataclass(frozen=True)
class Hello:
    """First request.

    ``folder``: private folder made by the parent, else the worker makes one. ``preload``: name or folder of a
        model to load
    right after the reply, for ``device``.
    """

    type: ClassVar[str] = "hello"
    id: str
    folder: Optional[str] = None
    preload: Optional[str] = None
    device: str = "auto"


@dataclass(frozen=True)
class Segment:
    """Segment one scan: either ``path`` (file or DICOM folder, with ``series``) or ``voxels`` (a .npy file,
    (z, y, x), HU) and ``grid``.

    ``surfaces`` and ``probability`` say whether those are wanted back. The other fields are the arguments of
    ``LiverSegLib.segment``.
    """

    type: ClassVar[str] = "segment"
    id: str
    path: Optional[str] = None
    series: Optional[str] = None
    voxels: Optional[str] = None
    grid: Optional[Grid] = None
    name: Optional[str] = None
    model: str = "default"
    device: str = "auto"
    mirror: bool = False
    minimum_lesion_ml: Optional[float] = None
    surfaces: bool = True
    probability: bool = False


@dataclass(frozen=True)
class Measure:
    """Measure a mask: ``voxels`` (a .npy file, (z, y, x), HU) on ``grid``, ``labels`` (uint8 .npy of the same
    shape).

    ``summary`` is the JSON file of an earlier result on this scan: phase, provenance and what it warned of
    are carried on. ``edited`` says that somebody changed the mask since; the new summary then says so too.
    ``name`` is the scan's, if there is no summary to take it from.
    """

    type: ClassVar[str] = "measure"
    id: str
    voxels: str
    grid: Grid
    labels: str
    summary: Optional[str] = None
    edited: bool = False
    name: Optional[str] = None


@dataclass(frozen=True)
class Report:
    """Write the files of a case into ``folder``, which the user chose; arrays as in ``measure``.

    ``summary`` is the JSON file with the numbers to write. ``label_format``, ``highlight`` and ``rendering``
    are the arguments of ``LiverSegLib.outputs.write_results``.
    """

    type: ClassVar[str] = "report"
    id: str
    voxels: str
    grid: Grid
    labels: str
    summary: str
    folder: str
    label_format: str = "nii.gz"
    highlight: bool = False
    rendering: bool = True


@dataclass(frozen=True)
class Cancel:
    """Stop the request whose id is ``target``."""

    type: ClassVar[str] = "cancel"
    id: str
    target: str


@dataclass(frozen=True)
class Shutdown:
    """End the worker."""

    type: ClassVar[str] = "shutdown"
    id: str


@dataclass(frozen=True)
class HelloReply:
    """The worker is there. ``folder`` is the private folder in use."""

    type: ClassVar[str] = "hello-reply"
    id: str
    liverseg_version: str
    python_version: str
    pid: int
    folder: str


@dataclass(frozen=True)
class Progress:
    """How far a request is: ``fraction`` 0..1, ``stage`` for programs, ``text`` for people."""

    type: ClassVar[str] = "progress"
    id: str
    fraction: float
    stage: str
    text: str


@dataclass(frozen=True)
class SegmentResult:
    """A scan is segmented. File names are relative to ``folder``, a subfolder of the private one that the
    reader may remove.

    ``labels``: uint8 (z, y, x) .npy on ``grid``. ``summary``: JSON file with "name", "measurements",
        "provenance", "warnings".
    ``probability``: uint8 (z, y, x) .npy, 255 = 1.0.
    """

    type: ClassVar[str] = "result"
    id: str
    folder: str
    labels: str
    grid: Grid
    summary: str
    surfaces: Tuple[SurfaceFiles, ...] = ()
    probability: Optional[str] = None


@dataclass(frozen=True)
class MeasureResult:
    """A mask is measured. ``summary`` is a JSON file as in ``result``, in ``folder``, a subfolder of the
    private one that the reader may remove."""

    type: ClassVar[str] = "measure-result"
    id: str
    folder: str
    summary: str


@dataclass(frozen=True)
class ReportResult:
    """The files of a case are written. ``files``: key ("report", "segmentation", ...) -> name in ``folder``,
    which is the user's."""

    type: ClassVar[str] = "report-result"
    id: str
    folder: str
    files: Dict[str, str]


@dataclass(frozen=True)
class Failure:
    """A request failed, or (``id`` None) a line was not understood.

    ``code``: of a class in ``errors``. ``message``: one sentence for the user. ``details``: for developers.
    ``series``: for "choose-series", the choices as JSON objects; where they are too many for a line, the
    first of them. ``sentence``: the message as ``sentences.with_identity`` writes it, if it has an identity.
    """

    type: ClassVar[str] = "error"
    id: Optional[str]
    code: str
    message: str
    details: Optional[str] = None
    series: Tuple[Dict[str, Any], ...] = ()
    sentence: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class Log:
    """Something for the log: ``level`` is "debug", "info", "warning" or "error"."""

    type: ClassVar[str] = "log"
    level: str
    text: str


@dataclass(frozen=True)
class Bye:
    """The worker's last line."""

    type: ClassVar[str] = "bye"
    reason: str


Message = Union[
    Hello, Segment, Measure, Report, Cancel, Shutdown,
    HelloReply, Progress, SegmentResult, MeasureResult, ReportResult, Failure, Log, Bye,
]  # fmt: skip
"""Any message."""

MESSAGES: Dict[str, Type[Any]] = {
    kind.type: kind
    for kind in (
        Hello, Segment, Measure, Report, Cancel, Shutdown,
        HelloReply, Progress, SegmentResult, MeasureResult, ReportResult, Failure, Log, Bye,
    )
}  # fmt: skip
"""The ``type`` field of a line -> the class that it is read into."""


def encode(message: Message) -> bytes:
    """Return the line for ``message``, with its line feed.

    Raises:
        ProtocolError: The line would be longer than ``MAX_LINE_BYTES`` (a failure is shortened until it
            fits), or a field cannot be written as JSON.
    """
    content = {_TAG: VERSION, "type": message.type, **asdict(message)}
    line = _dump(content)
    if len(line) > MAX_LINE_BYTES and isinstance(message, Failure):
        line = _dump(_shortened(content))
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"A message of {len(line)} bytes is too long for the worker's protocol.")
    return line


def _shortened(failure: Mapping[str, Any]) -> Dict[str, Any]:
    """The fields of a failure, each cut to its share of a line: the end of ``details``, the beginning of
    ``message``, and as many of the first ``series`` as there is room for.
    """
    short = dict(failure)
    if short["details"] is not None:
        short["details"] = short["details"][-_LONGEST_TEXT:]
    if len(short["message"]) > _LONGEST_TEXT:
        short["message"], short["sentence"] = short["message"][: _LONGEST_TEXT - 1] + "…", None
    series, room = [], MAX_LINE_BYTES // 4
    for facts in failure["series"]:
        room -= len(_dump(facts))
        if room < 0:
            break
        series.append(facts)
    short["series"] = series
    return short


def decode(line: bytes) -> Optional[Message]:
    """Return the message in ``line``, or None if the line is not of this protocol.

    Raises:
        ProtocolError: It is of this protocol but of another version, or not understood.
    """
    content = _load(line)
    if content is None:
        return None
    request_id = content.get("id") if is_id(content.get("id")) else None
    version = content[_TAG]
    if version != VERSION or isinstance(version, bool):
        raise ProtocolError(
            f"The two sides of LiverSeg are of different versions (protocol {version!r} and {VERSION}). "
            "Install the same version of LiverSeg on both.",
            request_id=request_id,
        )
    kind = MESSAGES.get(content["type"]) if isinstance(content.get("type"), str) else None
    if kind is None:
        raise ProtocolError(
            f"Unknown message type {content.get('type')!r}. Available: {', '.join(MESSAGES)}.",
            request_id=request_id,
        )
    try:
        message: Message = _build(kind, content)
        if not (isinstance(message, (Log, Bye)) or is_id(message.id) or isinstance(message, Failure)):
            raise ValueError("id: letters, digits, - and _ expected, 64 at most")
        return message
    except ValueError as error:
        raise ProtocolError(
            f"The message {kind.type!r} is not understood: {error}.", request_id=request_id
        ) from error


def is_id(value: Any) -> bool:
    """Whether ``value`` can be a request's id."""
    return isinstance(value, str) and _ID.match(value) is not None


class LineBuffer:
    """Cuts a stream of bytes that arrives in arbitrary pieces into lines; lines over the limit are
    dropped."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._dropping = False

    def feed(self, data: bytes) -> List[bytes]:
        """Take ``data`` in and return the lines that are now complete, each with its line feed."""
        lines: List[bytes] = []
        for piece in _split(data):
            self._rest += piece
            complete = self._rest.endswith(b"\n")
            if len(self._rest) > self._limit:
                self._dropping = True
                self._rest.clear()
            if complete:
                if not self._dropping:
                    lines.append(bytes(self._rest))
                self._rest.clear()
                self._dropping = False
        return lines


def _split(data: bytes) -> List[bytes]:
    """Split after line feeds; ``bytes.splitlines`` would also split at carriage returns."""
    parts = data.split(b"\n")
    pieces = [part + b"\n" for part in parts[:-1]]
    return pieces + ([parts[-1]] if parts[-1] else [])


def _dump(content: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except (TypeError, ValueError) as error:
        raise ProtocolError("A message cannot be written as JSON.", str(error)) from error


def _load(line: bytes) -> Optional[Dict[str, Any]]:
    if len(line) > MAX_LINE_BYTES or not line.lstrip().startswith(b"{"):
        return None
    try:
        content = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and _TAG in content else None


def _build(kind: Type[Any], content: Mapping[str, Any]) -> Any:
    """Make a dataclass from a JSON object, each field checked against its type. Raises ValueError."""
    hints = get_type_hints(kind)
    values: Dict[str, Any] = {}
    for field in fields(kind):
        if field.name in content:
            values[field.name] = _value(hints[field.name], content[field.name], field.name)
        elif field.default is MISSING:
            raise ValueError(f"field {field.name} is missing")
    return kind(**values)


def _value(hint: Any, value: Any, name: str) -> Any:
    """Check and convert one JSON value to the field type ``hint``. Raises ValueError."""
    origin, arguments = getattr(hint, "__origin__", None), getattr(hint, "__args__", ())
    if origin is Union:  # only Optional is used
        return None if value is None else _value(arguments[0], value, name)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"field {name} must be a list")
        return tuple(_value(arguments[0], item, name) for item in value)
    if origin is dict:
        hint = dict
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"field {name} must be an object")
        return _build(hint, value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not abs(value) <= _LARGEST_NUMBER:  # NaN, which Python's JSON reads, fails this too
            raise ValueError(f"field {name} must be a finite number")
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ValueError(f"field {name} must be of type {hint.__name__}, not {type(value).__name__}")
    return value
