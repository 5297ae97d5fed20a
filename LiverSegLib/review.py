"""Who drew a result, and who had the last word on it: it is automatic, given, was edited, or was accepted.

The standard library only, so that 3D Slicer loads it quickly.
"""

import datetime
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from .errors import UsageError
from .sentences import Sentence

AUTOMATIC, GIVEN, EDITED, ACCEPTED = "automatic", "given", "edited", "accepted"
STATES = (AUTOMATIC, GIVEN, EDITED, ACCEPTED)
"""The states of a result; "given": LiverSeg did not draw it, and only measured what it was given."""

MANUAL, SEMIAUTOMATIC = "manual", "semiautomatic"
WAYS = {
    MANUAL: "by hand",
    AUTOMATIC: "by a program",
    SEMIAUTOMATIC: "by a program, corrected by hand",
}
"""How a segmentation that LiverSeg did not make may have been made, and that in words."""


@dataclass(frozen=True)
class Given:
    """A segmentation that LiverSeg did not make, as a result's provenance tells of it.

    Attributes:
        name: of its file or node.
        kind: what it was, such as "DICOM Segmentation".
        made: one of ``WAYS``; empty if nobody said.
        segments: name of each segment that was taken -> key of its label.
        left_out: names of the others.
    """

    name: str
    kind: str = ""
    made: str = ""
    segments: Tuple[Tuple[str, str], ...] = ()
    left_out: Tuple[str, ...] = ()

    @classmethod
    def of(cls, provenance: Optional[Mapping[str, Any]]) -> "Optional[Given]":
        """Return what a provenance says of such a segmentation; None if LiverSeg drew the result.

        >>> Given.of({"labels": {"path": "/a/rt.dcm", "kind": "DICOM RT Structure Set"}}).name
        'rt.dcm'
        """
        labels = (provenance or {}).get("labels")
        if not isinstance(labels, Mapping):
            return None
        name = str(labels.get("name") or os.path.basename(str(labels.get("path") or "")) or "?")
        made, segments = labels.get("made"), labels.get("segments")
        taken = segments.items() if isinstance(segments, Mapping) else ()
        return cls(
            name,
            str(labels.get("kind") or ""),
            made if made in WAYS else "",
            tuple((str(segment), str(key)) for segment, key in taken),
            tuple(str(segment) for segment in labels.get("left_out") or ()),
        )


@dataclass(frozen=True)
class SegmentChange:
    """How a segment differs from the automatic one.

    Attributes:
        key: of the label, see ``LiverSegLib.labels``.
        volume_ml: its volume now minus that of the automatic one, ml; None if it is not known.
        dice: overlap of both, 0 to 1; None where neither has a voxel, or it is not known.
    """

    key: str
    volume_ml: Optional[float] = None
    dice: Optional[float] = None


@dataclass(frozen=True)
class Review:
    """The state of a result.

    Attributes:
        state: one of ``STATES``.
        by: who accepted it.
        at: when, ISO 8601 with the zone ("2026-11-29T17:40:00+01:00").
        changes: the segments that are not as they were computed.

    Raises:
        UsageError: there is no such state, or the time is none.

    >>> Review("accepted", "Dr. Weber", "2026-11-29T17:40:05+01:00").in_words()
    'Accepted by Dr. Weber on 2026-11-29 at 17:40'
    """

    state: str = AUTOMATIC
    by: Optional[str] = None
    at: Optional[str] = None
    changes: Tuple[SegmentChange, ...] = ()

    def __post_init__(self) -> None:
        if self.state not in STATES or (self.at is not None and _moment(self.at) is None):
            raise UsageError(Sentence("result.review"), f"state {self.state!r}, at {self.at!r}")

    def in_words(self) -> str:
        """Return the state as people read it, with the time in its own zone."""
        if self.state == AUTOMATIC:
            return "Automatic result, not reviewed"
        if self.state == GIVEN:
            return "Given segmentation, not reviewed"
        if self.state == EDITED:
            return "Edited, not accepted"
        moment = None if self.at is None else _moment(self.at)
        by = f" by {self.by}" if self.by else ""
        return f"Accepted{by}" + ("" if moment is None else f" on {moment:%Y-%m-%d} at {moment:%H:%M}")

    def zone(self) -> str:
        """Return the zone of the time in words ("UTC+01:00"); empty without a time."""
        moment = None if self.at is None else _moment(self.at)
        return "" if moment is None else datetime.timezone(moment.utcoffset() or _NONE).tzname(None)

    def to_dict(self) -> Dict[str, Any]:
        """Return the review for JSON; what is not known is left out.

        >>> Review().to_dict()
        {'state': 'automatic'}
        """
        content = {"state": self.state, "by": self.by, "at": self.at}
        plain: Dict[str, Any] = {key: value for key, value in content.items() if value is not None}
        if self.changes:
            plain["changes"] = [dict(vars(change)) for change in self.changes]
        return plain

    @classmethod
    def from_dict(cls, content: Any) -> "Optional[Review]":
        """Return the review that JSON holds; None where there is none, as in results of older versions.

        Raises:
            UsageError: it cannot be understood.
        """
        if content is None:
            return None
        try:
            changes = tuple(
                SegmentChange(str(item["key"]), _number(item.get("volume_ml")), _number(item.get("dice")))
                for item in content.get("changes") or ()
            )
            return cls(content["state"], _text(content.get("by")), _text(content.get("at")), changes)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(Sentence("result.review"), repr(error)) from error


_NONE = datetime.timedelta(0)


def _moment(at: str) -> Optional[datetime.datetime]:
    """An ISO time with its zone, to the second; None if it is none. Python 3.9 reads neither "Z" nor "+0100"
    nor any fraction of a second."""
    whole = re.sub(r"\.\d+", "", re.sub(r"Z$", "+00:00", at))
    text = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", whole)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _text(value: Any) -> Optional[str]:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"no text: {value!r}")
    return value or None


def _number(value: Any) -> Optional[float]:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"no number: {value!r}")
    return float(value)
