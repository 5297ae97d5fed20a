"""Lesions over time: which lesions of all dates are one, how large it is at each, what became of it."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..measure.measurements import Lesion, Vector, vector
from .carrying import centre_of, part_in_view
from .deformation import Deformation
from .matching import Carried, groups, links
from .visits import Visit

MEASURED, ABSENT, NOT_IN_VIEW, NOT_LOOKED = "measured", "absent", "not in view", "not looked for"
NEW, GONE, SPLIT, MERGED, BACK = "new", "gone", "split", "merged", "reappeared"
LEAST_IN_VIEW = 0.5
"""A lesion whose place a scan shows to a smaller part is not in view there."""

Key = Tuple[int, int]


@dataclass(frozen=True)
class AtDate:
    """A lesion at one date.

    Attributes:
        status: MEASURED, ABSENT, NOT_IN_VIEW (its place is outside the scan) or NOT_LOOKED (the model that
            segmented the scan draws no tumors).
        numbers: of its parts in that scan's own table; several if it is in parts.
        volume_ml: of all parts; 0 if it is absent, None if it is not known.
        longest_mm: longest axial diameters of its parts added up (RECIST 1.1, lesions that split); 0 if
            absent.
        perpendicular_mm: None if there are several parts.
        mean_hu: of all parts, by volume; None of MR.
        place: LPS mm in that scan: the middle of the longest diameter of its largest part, or where it
            would be.
        truncated: a part reaches the border of the scan: sizes are lower bounds.
        part_longest_mm: longest diameter of each part, in the order of ``numbers``.
        events: of NEW, GONE, SPLIT, MERGED, BACK, those that came about since the date before.
    """

    status: str
    numbers: Tuple[int, ...]
    volume_ml: Optional[float]
    longest_mm: Optional[float]
    perpendicular_mm: Optional[float]
    mean_hu: Optional[float]
    place: Vector
    truncated: bool = False
    part_longest_mm: Tuple[float, ...] = ()
    events: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Course:
    """A lesion over time.

    Attributes:
        number: from 1: first those of the first date by size, then new ones in the order of their dates.
        dates: one a date.
        targets: numbers of the target lesions among its parts at the first date; usually its one part, or
            none.
    """

    number: int
    dates: Tuple[AtDate, ...]
    targets: Tuple[int, ...] = ()

    @property
    def is_target(self) -> bool:
        """Whether its diameters are part of the sum."""
        return bool(self.targets)

    def diameter_in_sum(self, index: int) -> Optional[float]:
        """Return what it adds to the sum of diameters at a date, mm: at the first date its target lesions,
        later all that became of them; None if it is not known."""
        at = self.dates[index]
        if index or at.status != MEASURED:
            return at.longest_mm
        return sum(mm for number, mm in zip(at.numbers, at.part_longest_mm) if number in self.targets)

    @property
    def first(self) -> int:
        """Index of the date at which it is first seen."""
        return next(index for index, at in enumerate(self.dates) if at.status == MEASURED)

    def change(self, what: str, index: int, *, nadir: bool = False) -> Optional[float]:
        """Return the change of a size in percent.

        Args:
            what: "volume_ml" or "longest_mm".
            index: of the date.
            nadir: since the smallest size before; else since it was first seen.

        Returns:
            None where there is no earlier size, or it is zero or not known.
        """
        values = [getattr(at, what) for at in self.dates[self.first : index]]
        known = [value for value in values if value is not None]
        now = getattr(self.dates[index], what)
        if index <= self.first or now is None or not known:
            return None
        before = min(known) if nadir else known[0]
        return 100.0 * (now - before) / before if before > 0 else None

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data with units in the keys."""
        dates = []
        for index, at in enumerate(self.dates):
            dates.append(
                {
                    "status": at.status,
                    "lesions": list(at.numbers),
                    "events": list(at.events),
                    "volume_ml": at.volume_ml,
                    "longest_diameter_mm": at.longest_mm,
                    "perpendicular_mm": at.perpendicular_mm,
                    "mean_hu": at.mean_hu,
                    "place_lps_mm": list(at.place),
                    "truncated": at.truncated,
                    "volume_change_percent": self.change("volume_ml", index),
                    "volume_change_from_smallest_percent": self.change("volume_ml", index, nadir=True),
                    "diameter_change_percent": self.change("longest_mm", index),
                    "diameter_change_from_smallest_percent": self.change("longest_mm", index, nadir=True),
                }
            )
        return {"number": self.number, "targets_at_first_date": list(self.targets), "dates": dates}


def courses(
    visits: Sequence[Visit], lesions: Sequence[Sequence[Carried]], deformations: Sequence[Deformation]
) -> Tuple[Course, ...]:
    """Return all lesions over time.

    Args:
        visits: by date.
        lesions: of each date, in the common space.
        deformations: from the common space to each scan.
    """
    pairs = _pairs(lesions)
    by_key = {item.key: item for of_date in lesions for item in of_date}
    members = groups(list(by_key), pairs)
    sizes = {
        (index, lesion.number): lesion.volume_ml
        for index, visit in enumerate(visits)
        for lesion in visit.result.measurements.lesions
    }

    def order(group: Tuple[Key, ...]) -> Tuple[float, ...]:
        first = group[0][0]
        return first, -sum(sizes[key] for key in group if key[0] == first), group[0][1]

    members.sort(key=order)
    return tuple(
        Course(number, _dates(group, visits, by_key, deformations))
        for number, group in enumerate(members, start=1)
    )


def _pairs(lesions: Sequence[Sequence[Carried]]) -> List[Tuple[Key, Key]]:
    """Links between each date and what was last seen before it."""
    last: List[Carried] = []
    found: List[Tuple[Key, Key]] = []
    for of_date in lesions:
        linked = links(last, of_date)
        found += [(last[first].key, of_date[second].key) for first, second in linked]
        replaced = {first for first, _ in linked}
        last = [item for index, item in enumerate(last) if index not in replaced] + list(of_date)
    return found


def _dates(
    group: Tuple[Key, ...],
    visits: Sequence[Visit],
    by_key: Dict[Key, Carried],
    deformations: Sequence[Deformation],
) -> Tuple[AtDate, ...]:
    found: List[AtDate] = []
    first = group[0][0]
    for index, visit in enumerate(visits):
        numbers = [number for date, number in group if date == index]
        if numbers:
            at = _measured(visit, numbers)
        else:
            near = max((key[0] for key in group if key[0] < index), default=first)
            known = [by_key[key] for key in group if key[0] == near]
            at = _missing(visit, known, deformations[index])
        found.append(_with_events(at, found, index > first))
    return tuple(found)


def _measured(visit: Visit, numbers: Sequence[int]) -> AtDate:
    parts = [lesion for lesion in visit.result.measurements.lesions if lesion.number in numbers]
    largest = max(parts, key=lambda lesion: lesion.longest_diameter_mm)
    volume = sum(lesion.volume_ml for lesion in parts)
    ends = largest.longest_ends
    return AtDate(
        MEASURED,
        tuple(numbers),
        volume,
        sum(lesion.longest_diameter_mm for lesion in parts),
        parts[0].perpendicular_mm if len(parts) == 1 else None,
        _mean_hu(parts, volume),
        vector((a + b) / 2 for a, b in zip(*ends)),
        any(lesion.truncated for lesion in parts),
        tuple(lesion.longest_diameter_mm for lesion in parts),
    )


def _mean_hu(parts: Sequence[Lesion], volume_ml: float) -> Optional[float]:
    weighted = [lesion.mean_hu * lesion.volume_ml for lesion in parts if lesion.mean_hu is not None]
    return sum(weighted) / volume_ml if len(weighted) == len(parts) and volume_ml else None


def _missing(visit: Visit, known: Sequence[Carried], deformation: Deformation) -> AtDate:
    """A lesion at a date at which nothing is drawn in its place."""
    place = vector(deformation.forward(centre_of(known)[None])[0])
    shares = [part_in_view(item.points, visit, deformation) for item in known]
    if not visit.looks_for_tumours:
        return AtDate(NOT_LOOKED, (), None, None, None, None, place)
    if min(shares) < LEAST_IN_VIEW:
        return AtDate(NOT_IN_VIEW, (), None, None, None, None, place)
    return AtDate(ABSENT, (), 0.0, 0.0, None, None, place)


def _with_events(at: AtDate, before: Sequence[AtDate], seen_before: bool) -> AtDate:
    """What came about since the date before."""
    if not before:
        return at
    events: List[str] = []
    last = next((item for item in reversed(before) if item.status in (MEASURED, ABSENT)), None)
    if at.status == MEASURED:
        if not seen_before:
            events += [NEW] if last is not None else []
        elif last is not None and last.status == ABSENT:
            events.append(BACK)
        elif last is not None and len(at.numbers) > len(last.numbers):
            events.append(SPLIT)
        elif last is not None and len(at.numbers) < len(last.numbers):
            events.append(MERGED)
    elif at.status == ABSENT and last is not None and last.status == MEASURED:
        events.append(GONE)
    return replace(at, events=tuple(events))
