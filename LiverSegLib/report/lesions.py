"""The report's lesions: the table with its warnings and pictures, and the lesions that a reader rejected."""

from html import escape
from typing import Sequence, Tuple

from ..images.modality import CT
from ..measure.measurements import Lesion, Measurements
from ..measure.warnings import lesion_numbers, warnings_of_lesions
from .figures import MOST_LESIONS, Figure
from .pieces import NONE, figure_element, plain, section, table, volume, warning_lines

HEADS = (
    "No.", "Slice", "Volume (ml)", "Longest axial diameter (mm)", "Perpendicular (mm)", "Mean ± SD (HU)",
    "Distance to liver surface (mm)", "Mean network probability (%)",
)  # fmt: skip
HU_COLUMN = 5
"""Where the attenuation stands."""
REJECTED_HEADS = ("Slice", "Volume (ml)", "Longest axial diameter (mm)", "Perpendicular (mm)", "Mean (HU)")


def lesions_section(measurements: Measurements, figures: Sequence[Figure], left_out: Sequence[str]) -> str:
    """Return the lesions as HTML.

    Args:
        measurements: the lesions, and where their warnings stand otherwise.
        figures: pictures of the largest lesions.
        left_out: sentences on lesions that were found but not kept.
    """
    lesions, has_hu = measurements.lesions, measurements.modality == CT
    if not measurements.organ("tumour").segmented:
        said = "This model does not segment liver tumors, so no lesions were looked for."
        return section("Lesions", f'<p class="empty">{said}</p>')
    if not lesions:
        said = "No lesion was found. Small or faint lesions can be missed; this does not rule out disease."
        if left_out:
            at_volume = measurements.organ("tumour").warnings
            said = " ".join(["No lesion was kept.", *(text for text in left_out if text not in at_volume)])
        return section("Lesions", f'<p class="empty">{escape(said)}</p>')
    numbers = table(
        "Largest first. Diameters as in RECIST 1.1: the longest in an axial slice, and the longest at right "
        "angles to it.",
        _of_ct(HEADS, has_hu),
        [_of_ct(_row(lesion), has_hu) for lesion in lesions],
    )
    more = ""
    if len(lesions) > MOST_LESIONS:
        more = f'<p class="note">Pictures show the {MOST_LESIONS} largest of {len(lesions)} lesions.</p>'
    columns = "two" if len(lesions) == 1 else "four"
    pictures = "".join(figure_element(figure) for figure in figures)
    grid = f'<div class="grid {columns} after-table">{pictures}</div>'
    return section("Lesions", f"{numbers}{_warnings(measurements)}{more}{grid}")


def rejected_section(lesions: Sequence[Lesion]) -> str:
    """Return the rejected lesions, which are in no other number, as HTML; empty without any."""
    if not lesions:
        return ""
    caption = "Not counted in volumes, burden and lesions; their voxels are liver. Numbers from before."
    rows = [_rejected_row(lesion) for lesion in lesions]
    return section("Rejected by the reader", table(caption, REJECTED_HEADS, rows, row_heads=False))


def _of_ct(cells: Tuple[str, ...], has_hu: bool) -> Tuple[str, ...]:
    """The cells of a row; without that of attenuation if there are no HU."""
    return cells if has_hu else (*cells[:HU_COLUMN], *cells[HU_COLUMN + 1 :])


def _row(lesion: Lesion) -> Tuple[str, ...]:
    return (
        str(lesion.number),
        str(lesion.slice_index + 1),
        ("≥ " if lesion.truncated else "") + volume(lesion.volume_ml),
        plain(lesion.longest_diameter_mm, 1),
        plain(lesion.perpendicular_mm, 1),
        f"{plain(lesion.mean_hu, 0)}\u00a0±\u00a0{plain(lesion.sd_hu, 0)}",
        plain(lesion.surface_distance_mm, 1),
        NONE if lesion.probability is None else plain(100.0 * lesion.probability, 0),
    )


def _rejected_row(lesion: Lesion) -> Tuple[str, ...]:
    return (
        str(lesion.slice_index + 1),
        volume(lesion.volume_ml),
        plain(lesion.longest_diameter_mm, 1),
        plain(lesion.perpendicular_mm, 1),
        plain(lesion.mean_hu, 0),
    )


def _warnings(measurements: Measurements) -> str:
    """Each sentence on lesions once, under the table, with their numbers."""
    organs = [text for organ in measurements.organs for text in organ.warnings]
    found = warnings_of_lesions(measurements.lesions, [*organs, *measurements.warnings])
    return warning_lines(f"{lesion_numbers(numbers)}: {text}" for text, numbers in found)
