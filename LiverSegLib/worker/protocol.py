"""How the messages between LiverSeg's worker and whoever started it (3D Slicer with QProcess) travel.

The wire
    The parent writes requests to the worker's standard input and reads replies from its standard output. A
    message is one line of JSON (UTF-8, at most ``MAX_LINE_BYTES``, ending in a line feed) with at least::

        {"liverseg": 2, "type": "segment", "id": "s1", ...}

    ``liverseg`` is the protocol's version and tells our lines from stray ones: libraries print to standard
    output when they are imported, so a line that is no JSON object with that field is skipped by both sides.
    The other fields are those of the message's class in ``messages``. Fields that a reader does not know are
    ignored, so fields with a default may be added without a new version; a new version is for everything
    else, and a line of another version raises ``ProtocolError``.

Order
    Requests are worked off one after the other, in order; ``cancel`` and ``shutdown`` act at once.

Arrays
    travel as .npy files in the private folder (mode 0700, holds the file ``owner``, see ``scratch``): the
    parent puts voxels anywhere in it; the worker makes a subfolder for every result and names its files in
    ``result``. Whoever notices the end of the other removes the folder.

A new message is a new class in ``messages`` and in ``MESSAGES``. This module needs the standard library and
numpy only, so that Slicer imports it quickly.
"""

import io
import json
import re
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, Dict, List, Mapping, Optional, Type, Union, get_args, get_origin, get_type_hints

from ..errors import WorkerError
from .correct_messages import CaseOpened, OpenCase, Refine, RefineResult
from .dicom_messages import DicomExported, ExportDicom
from .explain_messages import Explain, Explained
from .followup_messages import CompareDates, DatesCompared
from .given_messages import TakeSegmentation
from .messages import (
    Bye,
    Cancel,
    Failure,
    Hello,
    HelloReply,
    Log,
    Measure,
    MeasureResult,
    Message,
    Progress,
    Report,
    ReportResult,
    Segment,
    SegmentResult,
    Shutdown,
)
from .model_messages import AddModel, ModelAdded, ModelRemoved, RemoveModel
from .server_messages import AskServer, Queued, ServerAnswer

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


MESSAGES: Dict[str, Type[Any]] = {
    kind.type: kind
    for kind in (
        Hello, Segment, Measure, Report, OpenCase, Refine, AddModel, RemoveModel, Explain, ExportDicom,
        CompareDates, Cancel, Shutdown, HelloReply, Progress, SegmentResult, MeasureResult, ReportResult,
        CaseOpened, RefineResult, ModelAdded, ModelRemoved, Explained, DicomExported, DatesCompared,
        AskServer, ServerAnswer, Queued, TakeSegmentation, Failure, Log, Bye,
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
    request_id = content.get("id") if _is_id(content.get("id")) else None
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
        if not (isinstance(message, (Log, Bye)) or _is_id(message.id) or isinstance(message, Failure)):
            raise ValueError("id: letters, digits, - and _ expected, 64 at most")
        return message
    except ValueError as error:
        raise ProtocolError(
            f"The message {kind.type!r} is not understood: {error}.", request_id=request_id
        ) from error


def _is_id(value: Any) -> bool:
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
        for piece in io.BytesIO(data).readlines():  # bytes.splitlines would also split at carriage returns
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
    origin = get_origin(hint)
    if origin is Union:  # only Optional is used
        return None if value is None else _value(get_args(hint)[0], value, name)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"field {name} must be a list")
        return tuple(_value(get_args(hint)[0], item, name) for item in value)
    if origin is dict:
        hint = dict
    if isinstance(hint, type) and is_dataclass(hint):
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
