"""A date of a patient: a segmented and measured scan, with what is known of when and whose it is."""

import datetime
import re
from dataclasses import dataclass, replace
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, UsageError
from ..images.grid import Grid
from ..images.modality import CT
from ..measure import measure
from ..measure.facts import NOTHING_KNOWN, ClinicalFacts
from ..result import Result
from ..review import Review
from ..sentences import Sentence
from ..steatosis.assessment import Assessment


@dataclass(frozen=True)
class Visit:
    """One date.

    Attributes:
        result: the segmented scan.
        date: ISO date ("2026-11-30"); None if it is not known.
        patient: tells patients apart without naming any, see ``reading.patient_key``; empty if not known.
        steatosis: the fatty-liver assessment of the scan, if there is one.
        warnings: sentences on how it was read.
    """

    result: Result
    date: Optional[str] = None
    patient: str = ""
    steatosis: Optional[Assessment] = None
    warnings: Tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The scan's name."""
        return self.result.name

    @property
    def grid(self) -> Grid:
        """The scan's grid."""
        return Grid.of(self.result.image)

    @property
    def phase(self) -> str:
        """The contrast phase, "unknown" if it is not known."""
        return self.result.measurements.phase or "unknown"

    @property
    def looks_for_tumours(self) -> bool:
        """Whether lesions were segmented."""
        return self.result.measurements.organ("tumour").segmented

    @property
    def title(self) -> str:
        """The date, or the name where there is none."""
        return self.date or self.name


def visit_of(
    image: sitk.Image,
    labels: sitk.Image,
    *,
    name: str,
    date: Optional[str] = None,
    facts: ClinicalFacts = NOTHING_KNOWN,
    review: Optional[Review] = None,
    provenance: Optional[Any] = None,
) -> Visit:
    """Measure a scan that is segmented already.

    Args:
        image: CT in HU, or MR.
        labels: its mask, values of ``LiverSegLib.labels``, on the same grid.
        name: of the scan.
        date: "2026-11-30" or "20261130"; None if it is not known.
        facts: what is known of the scan.
        review: who had the last word on the mask.
        provenance: of an earlier result.

    Raises:
        ImageGeometryError: mask and scan do not lie on the same grid.
        InputError: the mask holds values that are no labels.
        UsageError: the date is none.
    """
    found = measure(labels, image, **facts.for_measuring())
    result = Result(
        name, image, sitk.Cast(labels, sitk.sitkUInt8), np.zeros((0, 0, 0), np.uint8), found,
        dict(provenance or {}), found.warnings, facts, review,
    )  # fmt: skip
    return Visit(result, None if date is None else iso_date(date))


def iso_date(text: str) -> str:
    """Return a date as ISO 8601.

    Raises:
        UsageError: it is none.

    >>> iso_date("19980816"), iso_date("1998-08-16")
    ('1998-08-16', '1998-08-16')
    """
    found = re.match(r"^(\d{4})-?(\d\d)-?(\d\d)$", text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return datetime.date(*(int(part) for part in found.groups())).isoformat()
    except ValueError as error:
        raise UsageError(Sentence("followup.date", date=text), str(error)) from error


def days_between(first: Optional[str], second: Optional[str]) -> Optional[int]:
    """Return the days from one ISO date to another; None where one is not known."""
    if first is None or second is None:
        return None
    return (datetime.date.fromisoformat(second) - datetime.date.fromisoformat(first)).days


def in_order(visits: Sequence[Union[Visit, Result]]) -> Tuple[Tuple[Visit, ...], Tuple[str, ...]]:
    """Return visits by date, and what makes their order or comparison doubtful.

    Where a date is not known, the order stays as given.

    Raises:
        UsageError: there are fewer than two.
        InputError: two are the same scan, or one has no liver.
    """
    found = [item if isinstance(item, Visit) else Visit(item) for item in visits]
    if len(found) < 2:
        raise UsageError(Sentence("followup.too-few"))
    for number, visit in enumerate(found):
        _refuse(visit, found[:number])
    said: List[str] = []
    undated = [visit for visit in found if visit.date is None]
    if undated:
        said.append(Sentence("followup.no-dates", name=undated[0].name))
    else:
        found.sort(key=lambda visit: visit.date or "")
        for first, second in zip(found, found[1:]):
            if first.date == second.date:
                said.append(Sentence("followup.same-date", name=first.name, other=second.name))
    return _with_own_names(found), (*said, *_differences(found))


def _refuse(visit: Visit, earlier: Sequence[Visit]) -> None:
    if not visit.result.measurements.organ("liver").voxels:
        raise InputError(Sentence("followup.no-liver", name=visit.name))
    for other in earlier:
        if _is_same(visit.result, other.result):
            raise InputError(Sentence("followup.twice", name=other.name, other=visit.name))


def _is_same(first: Result, second: Result) -> bool:
    if not Grid.of(first.image).coincides(Grid.of(second.image)):
        return False
    voxels, others = (sitk.GetArrayViewFromImage(item.image) for item in (first, second))
    return bool(np.array_equal(voxels, others))


def _with_own_names(visits: Sequence[Visit]) -> Tuple[Visit, ...]:
    """The visits; where two share a name, each gets its number beside it."""
    names = [visit.name for visit in visits]
    if len(set(names)) == len(names):
        return tuple(visits)
    numbered = enumerate(visits, start=1)
    return tuple(
        replace(visit, result=replace(visit.result, name=f"{visit.name} ({number})"))
        for number, visit in numbered
    )


def _differences(visits: Sequence[Visit]) -> Tuple[str, ...]:
    """Sentences on how the scans differ in what a comparison depends on."""
    said: List[str] = []
    for visit in visits[1:]:
        if visit.patient and visits[0].patient and visit.patient != visits[0].patient:
            said.append(Sentence("followup.patients", name=visits[0].name, other=visit.name))
    if len({visit.result.measurements.modality for visit in visits}) > 1:
        said.append(Sentence("followup.modalities"))
    phases = [visit.phase for visit in visits if visit.result.measurements.modality == CT]
    known = list(dict.fromkeys(phase for phase in phases if phase != "unknown"))
    if len(known) > 1:
        said.append(Sentence("followup.phases", phases=", ".join(known)))
    slices = [visit.grid.slice_spacing for visit in visits]
    if max(slices) > 1.5 * min(slices):
        said.append(Sentence("followup.slices", least=min(slices), most=max(slices)))
    said += [
        Sentence("followup.no-tumours", name=visit.name) for visit in visits if not visit.looks_for_tumours
    ]
    return tuple(said)
