"""The figures of a report: picture, alternative text and caption, ready for the page."""

from typing import List, NamedTuple, Optional

from ..measure.measurements import Lesion, Measurements
from .frame import box_around
from .key_slices import largest_liver_slices, middle_of, shown_lesions
from .lesion_numbers import LesionNumbers
from .pictures import highlight_picture, slice_picture, to_data_uri
from .planes import PatientView

OVERVIEW_WIDTH = 1000
LESION_WIDTH = 620
HIGHLIGHT_WIDTH = 700

MOST_LESIONS = 6
"""Lesions that get pictures of their own."""

LESION_FIELD_MM = (90.0, 110.0, 150.0, 200.0, 280.0)
"""Widths of a close-up; the first is taken that is three times as wide as the lesion."""


class Figure(NamedTuple):
    """One picture on the page. ``source`` is a data: address, ``alt`` and ``caption`` are plain text.

    ``aspect`` is width by height.
    """

    source: str
    alt: str
    caption: str
    aspect: float = 1.0


class Figures(NamedTuple):
    """All pictures of slices in a report, and the angle by which the slices are tilted in the patient."""

    overview: List[Figure]
    lesions: List[Figure]
    highlight: List[Figure]
    tilt_degrees: float


def build_figures(view: PatientView, measurements: Measurements) -> Figures:
    """Draw the pictures of a case."""
    numbers = LesionNumbers.of(view, measurements.lesions)
    key = largest_liver_slices(view)
    overview = [
        _overview(view, plane, key.slices[plane], numbers, key.has_liver, measurements.modality)
        for plane in ("axial", "coronal", "sagittal")
    ]
    lesions: List[Figure] = []
    for lesion in shown_lesions(measurements.lesions, MOST_LESIONS):
        lesions += _lesion_pair(view, lesion, numbers)
    largest = shown_lesions(measurements.lesions, 1)
    highlight = [
        _highlight(view, plane, key.slices[plane], largest[0] if largest else None)
        for plane in ("axial", "coronal")
        if key.has_liver
    ]
    return Figures(overview, lesions, highlight, view.grid.tilt_degrees)


def _overview(
    view: PatientView,
    plane: str,
    index: int,
    numbers: Optional[LesionNumbers],
    has_liver: bool,
    modality: str,
) -> Figure:
    picture = slice_picture(view, plane, index, width=OVERVIEW_WIDTH, numbers=numbers)
    where = "largest liver area" if has_liver else "middle of the scan"
    caption = f"{plane.capitalize()}, {where}. {_slice_name(view, plane, index)}"
    content = "with the outlines that were found" if has_liver else "without any outline"
    alt = f"{plane.capitalize()} {modality} slice at the {where}, {content}."
    return Figure(to_data_uri(picture), alt, caption, picture.width / picture.height)


def _lesion_pair(view: PatientView, lesion: Lesion, numbers: Optional[LesionNumbers]) -> List[Figure]:
    """Axial close-up with both diameters, and coronal close-up."""
    point = middle_of(lesion)
    wide = next((mm for mm in LESION_FIELD_MM if mm >= 3.0 * lesion.longest_diameter_mm), LESION_FIELD_MM[-1])
    figures = []
    for plane in ("axial", "coronal"):
        index = view.nearest_slice(plane, point)
        picture = slice_picture(
            view,
            plane,
            index,
            box=box_around(view.place_in(plane, point), 0.75 * wide, wide),
            width=LESION_WIDTH,
            diameters=(lesion.longest_ends, lesion.perpendicular_ends) if plane == "axial" else (),
            numbers=numbers,
        )
        sizes = (
            f"{lesion.longest_diameter_mm:.0f} × {lesion.perpendicular_mm:.0f} mm. "
            if plane == "axial"
            else ""
        )
        caption = f"Lesion {lesion.number}, {plane}. {sizes}{_slice_name(view, plane, index)}"
        alt = f"{plane.capitalize()} close-up of lesion {lesion.number} with its outline"
        alt += " and its two diameters." if plane == "axial" else "."
        figures.append(Figure(to_data_uri(picture), alt, caption))
    return figures


def _highlight(view: PatientView, plane: str, index: int, lesion: Optional[Lesion]) -> Figure:
    if lesion is not None:
        index = view.nearest_slice(plane, middle_of(lesion))
    picture = highlight_picture(view, plane, index, width=HIGHLIGHT_WIDTH)
    where = "largest liver area" if lesion is None else f"through lesion {lesion.number}"
    caption = f"{plane.capitalize()}, {where}. {_slice_name(view, plane, index)}"
    return Figure(
        to_data_uri(picture), f"{plane.capitalize()} highlight image: liver gray, tumors white.", caption
    )


def _slice_name(view: PatientView, plane: str, index: int) -> str:
    return f"Slice {view.file_slice(plane, index)} of {view.slices(plane)}."
