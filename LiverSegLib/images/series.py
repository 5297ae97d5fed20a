"""Which series of a DICOM folder to segment: judged one by one, chosen if only one remains, else listed."""

import re
from collections import Counter
from dataclasses import replace
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ImageGeometryError, SeriesChoiceError
from ..sentences import Sentence
from .checks import check_grid
from .dicom import Slice
from .grouping import normal, repeats
from .modality import CT, MR
from .phase_words import phase_in_words
from .scan import SeriesInfo
from .stack import nominal_spacing, stack_geometry

Stack = Tuple[SeriesInfo, List[Slice]]
"""A judged series with its sorted slices."""

_CT_CLASSES = ("", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""CT, Enhanced CT and Legacy Converted Enhanced CT Image Storage; anonymisers sometimes blank the class."""

_MR_CLASSES = ("", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
"""MR, Enhanced MR and Legacy Converted Enhanced MR Image Storage."""

_CLASSES = {CT: _CT_CLASSES, MR: _MR_CLASSES}

_PARTS = (
    ("stack", "series.part-stack"),
    ("acquisition", "series.part-acquisition"),
    ("temporal", "series.part-time-point"),
    ("kernel", "series.part-kernel"),
    ("time", "series.part-time"),
)
"""What may tell the stacks of a series apart -> the words for it."""

_MINIMUM_HEIGHT_MM = 30.0
_THICKEST_MM = 12.0
_AXIAL_COSINE = 0.8

_NO_IMAGE_TYPES = (
    "localizer",
    "mip",
    "maximum",
    "minip",
    "screen save",
    "dose",
    "vrt",
    "3d",
    "projection image",
    "perfusion",
)
"""Image types of what is no CT volume, as a sentence names them."""

_DESCRIPTIONS = (
    (r"\b(scout|topogram|surview|scano(gram)?|locali[sz]er|survey|scanogramme)\b", "series.scout"),
    (r"\bdose\b|protocol", "series.dose"),
    (r"\b(mip|minip|vrt|3d|volume rendering)\b", "series.rendering"),
    (r"monitoring|bolus|smart ?prep|tracker|care ?bolus|\btest bolus", "series.bolus"),
    (r"\b(cor|coronal|koronar|sag|sagittal)\b", "series.reformat"),
)

_ELSEWHERE = re.compile(
    r"\b(head|brain|skull|neck|cervical|thorax|chest|lung|knee|hip|ankle|foot|hand|shoulder|kopf|hals|lunge)\b"
)
_ABDOMEN = re.compile(r"abd|liver|leber|hepat|pelv|trunk|body|tap|cap\b|whole")
_SHARP = re.compile(r"lung|bone|sharp|lunge|knochen|^b[67-9]\d|^br?[67-9]\d|^bl\d\d|^fc5\d|^yd")


def judge(stacks: Sequence[List[Slice]], modality: str = CT) -> List[Stack]:
    """Describe every stack and say whether it can be an abdominal CT, or MR if that is wanted; sorted by
    series number, best known first.
    """
    seen: Counter = Counter()
    result: List[Stack] = []
    for slices in sorted(stacks, key=lambda item: -len(item)):
        uid = slices[0].uid
        seen[uid] += 1
        others = [other for other in stacks if other is not slices and other[0].uid == uid]
        info = _describe(slices, uid if seen[uid] == 1 else f"{uid}:{seen[uid]}")
        info = replace(info, part=_part(slices, others))
        reason = wrong_kind(slices, modality) or _unsuitable(info, slices)
        result.append((replace(info, suitable=not reason, reason=reason), slices))
    return sorted(result, key=lambda pair: (pair[0].number is None, pair[0].number or 0, pair[0].uid))


def choose(stacks: Sequence[Stack], series: Optional[str] = None) -> Stack:
    """Choose a stack: by UID, series number or description, or by itself where exactly one suits.

    Among several that suit, those whose description, body part or kernel speak of another region or of lung
    and bone give way to those that do not, and series of a few slices to one with more than four times their
    height.

    Raises:
        SeriesChoiceError: Several suit, none suits, or ``series`` names none or several; ``error.series``
        lists them.
    """
    if series is not None:
        return _named(stacks, str(series).strip())
    suitable = [pair for pair in stacks if pair[0].suitable]
    if len(suitable) > 1:
        plain = [pair for pair in suitable if not _second_choice(pair[1][0])]
        suitable = plain or suitable
    if len(suitable) > 1:
        tallest = max(_height(info) for info, _ in suitable)
        suitable = [pair for pair in suitable if 4 * _height(pair[0]) > tallest]
    if len(suitable) == 1:
        return suitable[0]
    if not suitable:
        are_mr = bool(stacks) and all(info.modality == MR for info, _ in stacks)
        raise _choice("series.none-suits-mr" if are_mr else "series.none-suits", stacks, with_reasons=True)
    raise _choice("series.several-suit", suitable, count=len(suitable))


def others_of_series(stacks: Sequence[Stack], chosen: Stack) -> List[SeriesInfo]:
    """The other stacks of the chosen one's series that are volumes too, and so might have been meant."""
    first = chosen[1][0]
    return [
        info
        for info, slices in stacks
        if slices is not chosen[1]
        and slices[0].uid == first.uid
        and len(slices) >= 3
        and not wrong_kind(slices, first.modality)
    ]


def _part(slices: List[Slice], others: Sequence[List[Slice]]) -> str:
    """What tells a stack from the others of its series, in words; empty if nothing simple does."""
    for attribute, key in _PARTS:
        own = {getattr(item, attribute) for item in slices}
        theirs = {getattr(item, attribute) for other in others for item in other}
        if others and len(own) == 1 and not own & theirs and any(own):
            return Sentence(key, value=str(own.pop()))
    return ""


def _describe(slices: List[Slice], uid: str) -> SeriesInfo:
    first = slices[0]
    return SeriesInfo(
        uid=uid,
        description=first.description,
        modality=first.modality,
        size=(first.size[0], first.size[1], len(slices)),
        spacing=nominal_spacing(slices),
        files=tuple(dict.fromkeys(item.path for item in slices)),
        phase_hint=phase_in_words(first.description),
        number=first.number,
        date=first.date,
        kvp=first.kvp if len({item.kvp for item in slices}) == 1 else None,
        contrast=next((item.contrast for item in slices if item.contrast), ""),
        frames=tuple(item.frame for item in slices if item.frame is not None),
    )


def wrong_kind(slices: List[Slice], modality: str = CT) -> str:
    """Why the stack is no CT volume, or no MR volume if that is wanted, whatever it is called and wherever it
    lies; or an empty string.
    """
    first = slices[0]
    if first.modality != modality:
        if modality == MR:
            return Sentence("series.modality-mr", modality=first.modality or "?")
        key = "series.modality" if first.modality else "series.no-modality"
        return Sentence(key, modality=first.modality)
    if first.class_uid not in _CLASSES[modality] or first.samples > 1:
        return Sentence("series.secondary")
    for kind in _NO_IMAGE_TYPES:
        if kind.upper() in first.image_type:
            return Sentence("series.scout" if kind == "localizer" else "series.derived", kind=kind)
    return ""


def _unsuitable(info: SeriesInfo, slices: List[Slice]) -> str:
    """Why the stack, a CT or MR, should not be chosen among others, or an empty string."""
    description = info.description.lower()
    if info.modality == MR:
        description = re.sub(r"\b3d\b", "", description)  # so MR sequences are called that excite a volume
    for pattern, key in _DESCRIPTIONS:
        if re.search(pattern, description):
            return Sentence(key)
    return _unsuitable_geometry(info, slices)


def _unsuitable_geometry(info: SeriesInfo, slices: List[Slice]) -> str:
    axis = normal(slices[0])
    if len(slices) < 3:
        return Sentence("series.few-slices")
    if axis is None:
        return Sentence("series.no-orientation")
    if abs(axis[2]) < _AXIAL_COSINE:
        return Sentence("series.not-axial")
    if repeats(slices) >= len(slices) - 2:
        return Sentence("series.one-place")
    if info.spacing[2] > _THICKEST_MM:
        return Sentence("series.far-apart", mm=info.spacing[2])
    if _height(info) < _MINIMUM_HEIGHT_MM:
        return Sentence("series.low", mm=_height(info))
    return unreadable(slices)


def unreadable(slices: List[Slice]) -> str:
    """Why segmenting would refuse the stack for where its slices lie, or an empty string.

    The sentences are those of reading, so that a listing and the command that reads agree.
    """
    try:
        geometry = stack_geometry(slices)
        grid = geometry.grid
        check_grid(grid.size, grid.spacing, grid.origin, grid.direction)
    except ImageGeometryError as error:
        return error.sentence
    return ""


def _second_choice(first: Slice) -> bool:
    words = f"{first.description} {first.body_part}".lower().replace("_", " ")
    if _ELSEWHERE.search(words) and not _ABDOMEN.search(words):
        return True
    return bool(_SHARP.search(first.kernel.lower()) or re.search(r"\b(lung|bone|lunge|knochen)\b", words))


def _height(info: SeriesInfo) -> float:
    return float(np.abs(info.spacing[2]) * info.size[2])


def _named(stacks: Sequence[Stack], series: str) -> Stack:
    tests = (
        lambda info: info.uid == series,
        lambda info: str(info.number) == series,
        lambda info: info.name == series,
        lambda info: info.description.casefold() == series.casefold(),
        lambda info: bool(series) and series.casefold() in info.description.casefold(),
    )
    for test in tests:
        matches = [pair for pair in stacks if test(pair[0])]
        if len(matches) == 1:
            return matches[0]
        fitting = [pair for pair in matches if pair[0].suitable]
        if len(fitting) == 1:
            return fitting[0]
        if matches:
            raise _choice("series.several-fit", matches, with_uids=True, series=series)
    raise _choice("series.unknown", stacks, series=series)


def _choice(
    key: str, stacks: Sequence[Stack], with_reasons: bool = False, with_uids: bool = False, **arguments: Any
) -> SeriesChoiceError:
    """The error whose sentence ends in a list of these series, which is plain text: it may have thousands."""
    lines = []
    for info, _ in stacks:
        line = info.line()
        line += f" ({info.reason})" if with_reasons and info.reason else ""
        line += f" [{info.uid}]" if with_uids else ""
        lines.append(line)
    listed = "; ".join(lines) if lines else Sentence("series.none")
    return SeriesChoiceError(Sentence(key, listed=listed, **arguments), [info for info, _ in stacks])
