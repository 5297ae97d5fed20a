"""The report's list of lesions that a reader rejected: they are in none of its other numbers."""

from html import escape
from typing import Sequence

from ..measure.measurements import Lesion
from .pieces import plain, volume


def rejected_section(lesions: Sequence[Lesion]) -> str:
    """Return the section as HTML; empty without rejected lesions."""
    if not lesions:
        return ""
    heads = ("Slice", "Volume (ml)", "Longest axial diameter (mm)", "Perpendicular (mm)", "Mean (HU)")
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    rows = "".join(_row(lesion) for lesion in lesions)
    said = "Not counted in volumes, burden and lesions; their voxels are liver. Numbers from before."
    return (
        f'<section><h2>Rejected by the reader</h2><div class="scroll"><table><caption>{said}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(lesion: Lesion) -> str:
    cells = (
        str(lesion.slice_index + 1),
        volume(lesion.volume_ml),
        plain(lesion.longest_diameter_mm, 1),
        plain(lesion.perpendicular_mm, 1),
        plain(lesion.mean_hu, 0),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
