"""Two or more dates of one patient compared: registered, lesions matched, sizes and response over time."""

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from ..cancelling import Ask, while_checking
from ..errors import CancelledError, InputError
from ..images.modality import CT
from ..progress import Cancel, Progress
from ..result import Result, assess_steatosis
from ..sentences import Sentence
from ..steatosis.assessment import Assessment
from .carrying import COMMON_MM, MOST_VOXELS, carried
from .courses import Course, courses
from .known import KnownRegistrations
from .livers import LiverView, liver_view
from .recist import Response, responses, sum_of_diameters, with_targets
from .registration import Registration, register, same_scan
from .visits import Visit, days_between, in_order

FORMAT = "liverseg-followup-1"
"""Name and version of the dict that :meth:`FollowUp.to_dict` makes."""
TEXTS = {
    "prepare": "Looking at the livers",
    "register": "Registering the livers",
    "match": "Matching the lesions",
    "fat": "Measuring liver fat",
    "done": "Done",
}
"""Stage -> what it does, for people."""
PREPARE_SHARE, REGISTER_SHARE, MATCH_SHARE = 0.05, 0.8, 0.9
"""The share of the work that is done when these stages end."""


@dataclass(frozen=True)
class FollowUp:
    """What a comparison yields.

    Attributes:
        visits: by date; the first is the baseline, in whose space lesions are matched.
        registrations: one a visit, from the first scan to it; the first one's changes nothing.
        courses: the lesions over time.
        responses: RECIST 1.1 of the liver, one for each visit after the first.
        warnings: sentences.
    """

    visits: Tuple[Visit, ...]
    registrations: Tuple[Registration, ...]
    courses: Tuple[Course, ...]
    responses: Tuple[Response, ...]
    warnings: Tuple[str, ...]

    @property
    def sums_mm(self) -> Tuple[Optional[float], ...]:
        """Sum of diameters at each date, mm; None where it is not known."""
        targets = [course for course in self.courses if course.is_target]
        return tuple(sum_of_diameters(targets, index) for index in range(len(self.visits)))

    @property
    def has_dates(self) -> bool:
        """Whether all dates are known."""
        return all(visit.date is not None for visit in self.visits)

    def to_dict(self) -> Dict[str, Any]:
        """Return plain dicts, lists, numbers and strings, unrounded, with units in the keys."""
        first = self.visits[0].date
        dates = []
        for visit, registration, total in zip(self.visits, self.registrations, self.sums_mm):
            about = {"days": days_between(first, visit.date), "sum_of_diameters_mm": total}
            dates.append({**_visit_to_dict(visit), **about, "registration": registration.quality.to_dict()})
        return {
            "format": FORMAT,
            "dates": dates,
            "lesions": [course.to_dict() for course in self.courses],
            "responses": [response.to_dict() for response in self.responses],
            "response_note": Sentence("recist.of-liver"),
            "warnings": list(self.warnings),
        }


def compare(
    visits: Sequence[Union[Visit, Result]],
    *,
    anyway: bool = False,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
    known: Optional[KnownRegistrations] = None,
) -> FollowUp:
    """Compare two or more scans of one patient.

    Args:
        visits: what ``segment`` returned, or that with its date (:class:`Visit`), or a scan with a mask
            (:func:`visit_of`). They are put in the order of their dates if all are known.
        anyway: compare livers that do not fit onto each other, too; the warnings say so.
        progress: called with the share that is done, a stage's key and a text, in the caller's thread.
        cancel: asked often, in the caller's thread; True stops the work.
        known: what earlier comparisons registered, which is used and added to.

    Raises:
        UsageError: there are fewer than two scans.
        InputError: two are the same, one has no liver, or the livers do not fit onto each other.
        CancelledError: ``cancel`` said so.
    """

    def check() -> None:
        if cancel is not None and cancel():
            raise CancelledError(Sentence("failed.cancelled"))

    before = KnownRegistrations() if known is None else known
    return while_checking(lambda ask: _compare(visits, anyway, before, _Run(ask, progress, check)), check)


class _Run:
    """How far the work has come, told in the caller's thread."""

    def __init__(self, ask: Ask, progress: Optional[Progress], check: Callable[[], None]) -> None:
        self._ask, self._progress, self._check = ask, progress, check

    def check(self) -> None:
        self._ask(self._check)

    def tell(self, share: float, stage: str) -> None:
        self.check()
        if self._progress is not None:
            self._ask(self._progress, share, stage, TEXTS[stage])


def _compare(
    given: Sequence[Union[Visit, Result]], anyway: bool, known: KnownRegistrations, run: _Run
) -> FollowUp:
    visits, said = in_order(given)
    warnings: List[str] = [text for visit in visits for text in visit.warnings]
    warnings += said
    run.tell(0.0, "prepare")
    views = []
    for visit in visits:
        views.append(_view(visit))
        run.check()
    registrations = _registered(visits, views, anyway, known, run)
    for visit, registration in zip(visits[1:], registrations[1:]):
        warnings += _doubts(visits[0], visit, registration)
    run.tell(REGISTER_SHARE, "match")
    common = views[0].grid.axis_aligned(COMMON_MM, most=MOST_VOXELS)
    deformations = [registration.deformation for registration in registrations]
    lesions = []
    for index, (visit, deformation) in enumerate(zip(visits, deformations)):
        lesions.append(carried(index, visit, deformation, common))
        run.check()
    found = with_targets(courses(visits, lesions, deformations), visits[0])
    doubtful = [registration.quality.is_doubtful for registration in registrations]
    judged = responses(found, visits, doubtful)
    visits = _with_fat(visits, run)
    run.tell(1.0, "done")
    return FollowUp(visits, tuple(registrations), found, judged, tuple(dict.fromkeys(warnings)))


def _view(visit: Visit) -> LiverView:
    result = visit.result
    return liver_view(result.image, result.labels, result.measurements.organ("liver").truncated)


def _registered(
    visits: Sequence[Visit],
    views: Sequence[LiverView],
    anyway: bool,
    known: KnownRegistrations,
    run: _Run,
) -> List[Registration]:
    """Each scan registered with the first.

    Raises:
        InputError: one does not fit, and is not to be compared ``anyway``.
    """
    found = [same_scan(views[0])]
    part = (REGISTER_SHARE - PREPARE_SHARE) / (len(visits) - 1)
    for index, visit in enumerate(visits[1:], start=1):
        begin = PREPARE_SHARE + part * (index - 1)

        def tell(share: float, begin: float = begin) -> None:
            run.tell(begin + part * share, "register")

        registration = known.find(views[0], views[index])
        if registration is None:
            registration = register(views[0], views[index], tell=tell, check=run.check)
            known.keep(views[0], views[index], registration)
        if not registration.quality.is_one_patient and not anyway:
            said = Sentence("followup.not-registered", **_overlap(visits[0], visit, registration))
            raise InputError(said, str(registration.quality))
        found.append(registration)
    return found


def _doubts(first: Visit, visit: Visit, registration: Registration) -> Sequence[str]:
    """Sentences on what makes it doubtful that a scan fits the first one."""
    if registration.quality.is_one_patient:
        return registration.quality.doubts(visit.name)
    return (Sentence("followup.compared-anyway", **_overlap(first, visit, registration)),)


def _overlap(first: Visit, visit: Visit, registration: Registration) -> Dict[str, Any]:
    return {"name": first.name, "other": visit.name, "dice": registration.quality.rigid_dice}


def _with_fat(visits: Sequence[Visit], run: _Run) -> Tuple[Visit, ...]:
    """The visits with their fatty-liver assessments, where they are CT."""
    found = []
    for index, visit in enumerate(visits):
        run.tell(MATCH_SHARE + (1.0 - MATCH_SHARE) * index / len(visits), "fat")
        has_hu = visit.result.measurements.modality == CT
        if visit.steatosis is None and has_hu and visit.result.facts.modality == CT:
            visit = replace(visit, steatosis=assess_steatosis(visit.result))
        found.append(visit)
    return tuple(found)


def _visit_to_dict(visit: Visit) -> Dict[str, Any]:
    measurements, source = visit.result.measurements, visit.result.provenance.get("input") or {}
    organs = {key: measurements.organ(key) for key in ("liver", "spleen", "tumour")}
    return {
        "name": visit.name,
        "date": visit.date,
        "modality": measurements.modality,
        "phase": visit.phase,
        "slice_spacing_mm": visit.grid.slice_spacing,
        "review": None if visit.result.review is None else visit.result.review.to_dict(),
        "scan_sha256": source.get("sha256"),
        "liver_ml": organs["liver"].volume_ml,
        "spleen_ml": organs["spleen"].volume_ml if organs["spleen"].segmented else None,
        "tumour_ml": organs["tumour"].volume_ml if organs["tumour"].segmented else None,
        "tumour_burden_percent": measurements.tumour_burden_percent,
        "lesions": len(measurements.lesions),
        "liver_truncated": organs["liver"].truncated,
        "spleen_truncated": organs["spleen"].truncated,
        "liver_mean_hu": organs["liver"].mean_hu,
        "spleen_mean_hu": organs["spleen"].mean_hu,
        "fat": None if visit.steatosis is None else _fat(visit.steatosis),
    }


def _fat(found: Assessment) -> Dict[str, Any]:
    return {
        "grade": found.grade,
        "grade_text": found.grade_text,
        "reasons_not_to_grade": list(found.reasons_not_to_grade),
        "ratio": found.ratio,
        "liver_mean_hu": found.liver_mean,
        "spleen_mean_hu": found.spleen_mean,
        "difference_hu": found.difference,
    }
