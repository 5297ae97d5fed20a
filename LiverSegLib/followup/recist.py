"""Response of the liver by RECIST 1.1 (Eisenhauer et al., Eur J Cancer 2009;45:228-247,
doi:10.1016/j.ejca.2008.10.026), with the rule that led to it in words.

Target lesions are the largest of the first date, at most two of one organ, that are at least 10 mm long, or
twice the distance of slices that lie more than 5 mm apart. Their longest axial diameters are added up at each
date: those of parts if a lesion split, the one diameter if lesions merged. It is the liver's response alone,
by automatic measurements: see the sentence ``recist.of-liver``.
"""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..images.grid import are_thick_slices
from ..sentences import Sentence, in_commas
from .courses import ABSENT, MEASURED, NEW, NOT_IN_VIEW, NOT_LOOKED, Course
from .visits import Visit

MOST_TARGETS = 2
"""RECIST 1.1 takes at most two lesions of one organ."""
MEASURABLE_MM = 10.0
"""A lesion is measurable from this longest diameter on, on slices of at most 5 mm."""
RESPONSE_PERCENT = 30.0
PROGRESSION_PERCENT = 20.0
PROGRESSION_MM = 5.0
_ROUNDING = 1e-9

CR, PR, SD, PD, NE, NON_TARGET = "CR", "PR", "SD", "PD", "NE", "non-CR/non-PD"
IN_WORDS = {
    CR: "complete response",
    PR: "partial response",
    SD: "stable disease",
    PD: "progressive disease",
    NE: "not evaluable",
    NON_TARGET: "neither complete response nor progression",
}


@dataclass(frozen=True)
class Response:
    """The response at one date after the first.

    Attributes:
        category: CR, PR, SD, PD, NE or NON_TARGET; None if there is nothing to judge.
        reasons: sentences: the rule, with its numbers.
        sum_mm: sum of diameters; None if it is not known or there are no targets.
        change_percent: since the first date; from_nadir_percent: since the smallest sum so far.
        nadir_mm: the smallest sum before this date, the first included.
        new: numbers of the lesions that are new and count as progression, of all dates so far.
        doubtful_new: numbers of those that look new, but do not count.
    """

    category: Optional[str]
    reasons: Tuple[str, ...]
    sum_mm: Optional[float] = None
    change_percent: Optional[float] = None
    from_nadir_percent: Optional[float] = None
    nadir_mm: Optional[float] = None
    new: Tuple[int, ...] = ()
    doubtful_new: Tuple[int, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data."""
        words = None if self.category is None else IN_WORDS[self.category]
        return {
            "category": self.category,
            "category_in_words": words,
            "reasons": list(self.reasons),
            "sum_of_diameters_mm": self.sum_mm,
            "change_from_first_percent": self.change_percent,
            "change_from_smallest_percent": self.from_nadir_percent,
            "smallest_sum_before_mm": self.nadir_mm,
            "new_lesions": list(self.new),
            "doubtful_new_lesions": list(self.doubtful_new),
        }


def measurable_mm(slice_spacing: float) -> float:
    """Return from which diameter on, mm, a lesion is measurable on slices so far apart (mm).

    >>> measurable_mm(2.5), measurable_mm(5.0), measurable_mm(10.0)
    (10.0, 10.0, 20.0)
    """
    return 2.0 * slice_spacing if are_thick_slices(slice_spacing) else MEASURABLE_MM


def with_targets(found: Sequence[Course], visit: Visit) -> Tuple[Course, ...]:
    """Return the courses; those of the target lesions say so.

    Args:
        found: all courses.
        visit: the first date.
    """
    limit = measurable_mm(visit.grid.slice_spacing) - _ROUNDING
    lesions = visit.result.measurements.lesions
    measurable = [lesion for lesion in lesions if lesion.longest_diameter_mm >= limit]
    measurable.sort(key=lambda lesion: (-lesion.longest_diameter_mm, lesion.number))
    chosen = {lesion.number for lesion in measurable[:MOST_TARGETS]}
    return tuple(
        replace(course, targets=tuple(number for number in course.dates[0].numbers if number in chosen))
        for course in found
    )


def sum_of_diameters(targets: Sequence[Course], index: int) -> Optional[float]:
    """Return the sum of diameters at a date, mm; None without targets, or if one is not known."""
    sizes = [course.diameter_in_sum(index) for course in targets]
    known = [size for size in sizes if size is not None]
    return sum(known) if targets and len(known) == len(sizes) else None


def responses(
    found: Sequence[Course], visits: Sequence[Visit], doubtful: Sequence[bool]
) -> Tuple[Response, ...]:
    """Return the response at each date after the first.

    Args:
        found: all courses, with targets.
        visits: by date.
        doubtful: of each date, whether its registration is.
    """
    targets = [course for course in found if course.is_target]
    sums = [sum_of_diameters(targets, index) for index in range(len(visits))]
    answers: List[Response] = []
    new: Tuple[int, ...] = ()
    for index in range(1, len(visits)):
        fresh, unsure = _new(found, visits, index, doubtful[index])
        new += tuple(number for number, _ in fresh)
        answers.append(_response(found, visits, sums, index, new, unsure))
    return tuple(answers)


def _new(
    found: Sequence[Course], visits: Sequence[Visit], index: int, is_doubtful: bool
) -> Tuple[List[Tuple[int, Sequence[str]]], List[Tuple[int, Sequence[str]]]]:
    """The lesions that are new at a date: those that count, and those that do not, with why."""
    sure: List[Tuple[int, Sequence[str]]] = []
    unsure: List[Tuple[int, Sequence[str]]] = []
    limit = measurable_mm(visits[index].grid.slice_spacing)
    phase, earlier = visits[index].phase, {visit.phase for visit in visits[:index]}
    for course in found:
        first_seen = next((at for at in course.dates[: index + 1] if NEW in at.events), None)
        if first_seen is None or course.dates[index].status != MEASURED:
            continue
        why: List[str] = []
        if (course.dates[index].longest_mm or 0.0) < limit - _ROUNDING:
            why.append(Sentence("recist.reason-small", mm=limit))
        if phase not in earlier and "unknown" not in earlier | {phase}:
            why.append(Sentence("recist.reason-phase"))
        if is_doubtful:
            why.append(Sentence("recist.reason-registration"))
        (unsure if why else sure).append((course.number, why))
    return sure, unsure


def _response(
    found: Sequence[Course],
    visits: Sequence[Visit],
    sums: Sequence[Optional[float]],
    index: int,
    new: Tuple[int, ...],
    unsure: Sequence[Tuple[int, Sequence[str]]],
) -> Response:
    fresh = tuple(dict.fromkeys(new))
    doubts = tuple(number for number, _ in unsure if number not in fresh)
    said = [
        Sentence("recist.new-doubtful", lesions=str(number), reasons=in_commas(why))
        for number, why in unsure
        if number in doubts
    ]
    if not visits[index].looks_for_tumours:
        return Response(NE, (Sentence("recist.not-looked"),))
    category, reasons = _judged(found, visits[0], sums, index)
    if fresh:
        category = PD
        reasons = [Sentence("recist.new", lesions=in_commas([str(number) for number in fresh])), *reasons]
    now, first = sums[index], sums[0]
    nadir = min((value for value in sums[:index] if value is not None), default=None)
    return Response(
        category, (*reasons, *said), now, _percent(now, first), _percent(now, nadir), nadir, fresh, doubts
    )


def _judged(
    found: Sequence[Course], first: Visit, sums: Sequence[Optional[float]], index: int
) -> Tuple[Optional[str], List[str]]:
    """Category and rule by the lesions of the first date, new ones aside."""
    old = [course for course in found if course.dates[0].status == MEASURED]
    targets = [course for course in old if course.is_target]
    others = [course for course in old if not course.is_target]
    if not old:
        any_lesion = any(course.dates[index].status == MEASURED for course in found)
        key = "recist.nothing-before" if any_lesion else "recist.no-lesion"
        return None, [Sentence(key)]
    if not targets:
        return _non_targets(others, first, index)
    now, baseline = sums[index], sums[0]
    nadir = min(value for value in sums[:index] if value is not None) if baseline is not None else None
    if now is None or baseline is None or nadir is None:
        return NE, [Sentence("recist.ne")]
    return _by_sum(now, baseline, nadir, targets, others, index)


def _by_sum(
    now: float,
    baseline: float,
    nadir: float,
    targets: Sequence[Course],
    others: Sequence[Course],
    index: int,
) -> Tuple[str, List[str]]:
    grown = now - nadir
    is_larger = nadir == 0 or 100.0 * grown / nadir >= PROGRESSION_PERCENT - _ROUNDING
    if grown >= PROGRESSION_MM - _ROUNDING and is_larger:
        if nadir == 0:
            return PD, [Sentence("recist.pd-after-none", sum=now)]
        numbers = {"sum": now, "mm": grown, "nadir": nadir, "percent": 100.0 * grown / nadir}
        return PD, [Sentence("recist.pd", **numbers)]
    if all(course.dates[index].status == ABSENT for course in targets):
        return _all_targets_gone(others, index)
    if 100.0 * (baseline - now) / baseline >= RESPONSE_PERCENT - _ROUNDING:
        percent = 100.0 * (baseline - now) / baseline
        return PR, [Sentence("recist.pr", sum=now, percent=percent, baseline=baseline)]
    return SD, [Sentence("recist.sd", sum=now, baseline=baseline, nadir=nadir)]


def _all_targets_gone(others: Sequence[Course], index: int) -> Tuple[str, List[str]]:
    states = {course.dates[index].status for course in others}
    if MEASURED in states:
        return PR, [Sentence("recist.cr-targets")]
    if states & {NOT_IN_VIEW, NOT_LOOKED}:
        return NE, [Sentence("recist.non-target-ne")]
    return CR, [Sentence("recist.cr")]


def _non_targets(others: Sequence[Course], first: Visit, index: int) -> Tuple[str, List[str]]:
    states = {course.dates[index].status for course in others}
    limit = measurable_mm(first.grid.slice_spacing)
    if MEASURED in states:
        return NON_TARGET, [Sentence("recist.non-target", mm=limit)]
    if states & {NOT_IN_VIEW, NOT_LOOKED}:
        return NE, [Sentence("recist.non-target-ne")]
    return CR, [Sentence("recist.non-target-cr", mm=limit)]


def _percent(now: Optional[float], before: Optional[float]) -> Optional[float]:
    return 100.0 * (now - before) / before if now is not None and before else None
