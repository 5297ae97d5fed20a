"""Pictures of each lesion at all dates, side by side at the same place, in the same size."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..images.grid import Box, Grid
from ..images.modality import CT
from ..images.signal import like_hu
from ..labels import TUMOUR
from ..measure.measurements import Line
from ..report.drawing import Mark
from ..report.figures import LESION_FIELD_MM, Figure
from ..report.frame import box_around
from ..report.key_slices import largest_liver_slices
from ..report.lesion_numbers import LesionNumbers
from ..report.outlines import outlines
from ..report.pictures import slice_picture, to_data_uri
from ..report.planes import PatientView
from .carrying import label_at, lesion_numbers
from .comparison import FollowUp
from .courses import MEASURED, NOT_IN_VIEW, AtDate, Course
from .visits import Visit

LESION_WIDTH = 620
OVERVIEW_WIDTH = 800
MOST_COURSES = 10
"""Lesions that get pictures: the targets, then new ones, then by size."""


@dataclass(frozen=True)
class _Shown:
    """A date as it is drawn."""

    visit: Visit
    view: PatientView
    numbers: Optional[LesionNumbers]
    lesions: Tuple[np.ndarray, Box]


def shown_courses(found: FollowUp) -> Sequence[Course]:
    """Return the lesions that get pictures, in the table's order."""

    def key(course: Course) -> Tuple[bool, float]:
        return not course.is_target, -max(at.volume_ml or 0.0 for at in course.dates)

    chosen = sorted(found.courses, key=key)[:MOST_COURSES]
    return sorted(chosen, key=lambda course: course.number)


def build_pictures(found: FollowUp) -> Tuple[List[Figure], Dict[int, List[Figure]]]:
    """Draw the pictures.

    Returns:
        One of the whole liver for each date; and number of a lesion -> one picture for each date.
    """
    dates = [_shown(visit, index, found.courses) for index, visit in enumerate(found.visits)]
    overview = [_overview(found, dates, index) for index in range(len(dates))]
    lesions = {}
    for course in shown_courses(found):
        wide = _field_mm(course)
        lesions[course.number] = [_picture(found, dates, course, index, wide) for index in range(len(dates))]
    return overview, lesions


def _shown(visit: Visit, index: int, courses: Sequence[Course]) -> _Shown:
    image, labels = visit.result.image, visit.result.labels
    if visit.result.measurements.modality != CT:
        image = Grid.of(image).image(like_hu(sitk.GetArrayViewFromImage(image)))
    view = PatientView.of(image, labels)
    numbers = LesionNumbers.of(view, visit.result.measurements.lesions)
    if numbers is not None:
        renamed = np.zeros(int(numbers.array.max()) + 1, np.int32)
        for course in courses:
            for number in course.dates[index].numbers:
                if number < len(renamed):
                    renamed[number] = course.number
        numbers = LesionNumbers(renamed[numbers.array], numbers.start)
    return _Shown(visit, view, numbers, lesion_numbers(visit))


def _field_mm(course: Course) -> float:
    longest = max(max(at.part_longest_mm, default=0.0) for at in course.dates)
    return next((mm for mm in LESION_FIELD_MM if mm >= 3.0 * longest), LESION_FIELD_MM[-1])


def _overview(found: FollowUp, dates: Sequence[_Shown], index: int) -> Figure:
    """The axial slice through the place where the first date's liver is largest."""
    first = dates[0].view
    slices = largest_liver_slices(first).slices
    middle = first.grid.points([[slices["sagittal"], slices["coronal"], slices["axial"]]])
    place = found.registrations[index].deformation.forward(middle)[0]
    view = dates[index].view
    cut = view.nearest_slice("axial", place)
    picture = slice_picture(view, "axial", cut, width=OVERVIEW_WIDTH, numbers=dates[index].numbers)
    title = dates[index].visit.title
    caption = f"{title}. Slice {view.file_slice('axial', cut)} of {view.slices('axial')}."
    alt = f"Axial slice of {title} at the same place of the liver."
    return Figure(to_data_uri(picture), alt, caption, picture.width / picture.height)


def _picture(found: FollowUp, dates: Sequence[_Shown], course: Course, index: int, wide: float) -> Figure:
    shown, at = dates[index], course.dates[index]
    title = shown.visit.title
    view = shown.view
    cut = view.nearest_slice("axial", at.place)
    box = box_around(view.place_in("axial", at.place), 0.75 * wide, wide)
    if at.status == MEASURED:
        marks: List[Mark] = []
        words = _sizes(at)
    else:
        marks = _carried_marks(found, dates, course, index, cut)
        words = "outside this scan" if at.status == NOT_IN_VIEW else "nothing is drawn here"
        words += "; dashed: its outline at the nearest other date" if marks else ""
    picture = slice_picture(
        view,
        "axial",
        cut,
        box=box,
        width=LESION_WIDTH,
        diameters=_lines(shown.visit, at, cut, view),
        marks=marks,
        numbers=shown.numbers,
    )
    caption = f"{title}: {words}. Slice {view.file_slice('axial', cut)} of {view.slices('axial')}."
    alt = f"Axial close-up of lesion {course.number} on {title}: {words}."
    return Figure(to_data_uri(picture), alt, caption)


def _sizes(at: AtDate) -> str:
    if len(at.numbers) > 1:
        return f"{at.longest_mm:.0f} mm in {len(at.numbers)} parts"
    return f"{at.longest_mm:.0f} × {at.perpendicular_mm:.0f} mm"


def _lines(visit: Visit, at: AtDate, cut: int, view: PatientView) -> List[Line]:
    """The diameters of those parts that were measured in this slice."""
    found: List[Line] = []
    for lesion in visit.result.measurements.lesions:
        middle = np.mean(lesion.longest_ends, axis=0)
        if lesion.number in at.numbers and view.nearest_slice("axial", middle) == cut:
            found += [lesion.longest_ends, lesion.perpendicular_ends]
    return found


def _carried_marks(
    found: FollowUp, dates: Sequence[_Shown], course: Course, index: int, cut: int
) -> List[Mark]:
    """The outline of a lesion as it is at the nearest other date, carried into a slice of this one."""
    seen = [number for number, at in enumerate(course.dates) if at.status == MEASURED]
    other = min(seen, key=lambda number: (abs(number - index), number))
    view = dates[index].view
    rows, columns = view.image.shape[1:]
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    indices = np.column_stack([places, np.full(len(places), cut)])
    deformations = [registration.deformation for registration in found.registrations]
    here = view.grid.points(indices)
    near = np.linalg.norm(here - course.dates[index].place, axis=1) < LESION_FIELD_MM[-1]
    there = deformations[other].forward(deformations[index].inverse(here[near]))
    mask = np.zeros(len(places), bool)
    mask[near] = np.isin(
        label_at(dates[other].visit, dates[other].lesions, there), course.dates[other].numbers
    )
    spacing = (view.spacing[1], view.spacing[0])
    lines = outlines(mask.reshape(rows, columns), spacing) if mask.any() else []
    return [Mark(line, str(course.number), TUMOUR, dashed=True) for line in lines[:3]]
