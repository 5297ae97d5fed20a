"""Pictures of slices: CT with outlines, and the highlight picture, in radiological orientation and true
proportions."""

import base64
import io
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from ..labels import HIGHLIGHT_GREYS, LIVER, SPLEEN, TUMOUR
from ..measure.measurements import Line
from .drawing import (
    SUPERSAMPLING,
    Mark,
    Stroke,
    canvas_size,
    draw_scale_bar,
    drawn,
    label_colour,
    strokes_along,
    with_marks,
    write_letters,
    write_numbers,
)
from .frame import Box, Frame, body_box
from .lesion_numbers import LesionNumbers
from .outlines import enclosed_area, outlines
from .planes import PatientView

WINDOW = (40.0, 400.0)
"""Level and width in HU: the usual abdominal window."""

JPEG_QUALITY = 86

DIAMETER_COLOUR, DIAMETER_WIDTH = (255, 255, 255), 1.8
"""How diameters are drawn; the width in picture pixels."""


class Style(NamedTuple):
    """How an organ is outlined: width in picture pixels and, for dashed lines, length of dash and gap."""

    values: Tuple[int, ...]
    width: float
    dash: Optional[Tuple[float, float]]


STYLES: Dict[int, Style] = {
    LIVER: Style((LIVER, TUMOUR), 2.6, None),
    SPLEEN: Style((SPLEEN,), 3.0, (12.0, 6.5)),
    TUMOUR: Style((TUMOUR,), 3.6, None),
}
"""Label -> its outline. The styles differ so that they are told apart on a black-and-white print."""


def slice_picture(
    view: PatientView,
    plane: str,
    index: int,
    *,
    width: int,
    box: Optional[Box] = None,
    window: Tuple[float, float] = WINDOW,
    diameters: Sequence[Line] = (),
    marks: Sequence[Mark] = (),
    numbers: Optional[LesionNumbers] = None,
) -> Image.Image:
    """Draw one slice of a scan with the outlines of liver, spleen and tumours.

    Args:
        view: the scan in HU and its mask.
        plane: "axial", "coronal" or "sagittal": the scan's own slices nearest to that.
        index: slice, counted towards superior, posterior or left.
        width: width of the picture in pixels.
        box: part of the plane to show (mm); by default the body.
        window: level and width in HU.
        diameters: lines to draw, as ends in LPS mm.
        marks: closed lines to draw, with names.
        numbers: which lesion each tumour voxel belongs to; by default no numbers are written.

    Returns:
        An RGB picture of this width.
    """
    voxels, mask, spacing = view.cut(plane, index)
    frame = Frame.of(box or body_box(voxels, spacing), width)
    picture = _grey_picture(voxels, spacing, frame, window).convert("RGB")
    picture = drawn(picture, _outline_strokes(mask, spacing, frame))
    ways = [frame.to_pixels(np.asarray([view.place_in(plane, end) for end in ends])) for ends in diameters]
    picture = drawn(picture, [Stroke(way, DIAMETER_COLOUR, DIAMETER_WIDTH) for way in ways])
    picture = with_marks(picture, marks, frame)
    if numbers is not None:
        write_numbers(picture, numbers.in_slice(mask, view, plane, index), spacing, frame)
    write_letters(picture, view.letters(plane))
    draw_scale_bar(picture, frame)
    return picture


def highlight_picture(
    view: PatientView, plane: str, index: int, *, width: int, box: Optional[Box] = None
) -> Image.Image:
    """Draw one slice of the highlight image: liver grey, tumours white, everything else black.

    Arguments and returned value are those of ``slice_picture``.
    """
    voxels, mask, spacing = view.cut(plane, index)
    frame = Frame.of(box or body_box(voxels, spacing), width)
    canvas = Image.new("L", canvas_size(frame.size), 0)
    for label, ground in ((LIVER, 0), (TUMOUR, HIGHLIGHT_GREYS[LIVER])):
        grey = HIGHLIGHT_GREYS[label]
        lines = _outlines_of(mask, label, spacing)
        for line in sorted(lines, key=lambda way: -abs(enclosed_area(way))):
            corners = [(x, y) for x, y in (frame.to_pixels(line) * SUPERSAMPLING).tolist()]
            ImageDraw.Draw(canvas).polygon(corners, fill=grey if enclosed_area(line) > 0 else ground)
    picture = canvas.reduce(SUPERSAMPLING).convert("RGB")
    write_letters(picture, view.letters(plane))
    draw_scale_bar(picture, frame)
    return picture


def to_data_uri(picture: Image.Image) -> str:
    """The picture as a JPEG within a data: address."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _grey_picture(
    voxels: np.ndarray, spacing: Tuple[float, float], frame: Frame, window: Tuple[float, float]
) -> Image.Image:
    """The framed part of a slice (rows, columns; HU) in grey; what lies outside the scan is black."""
    low = window[0] - window[1] / 2
    values = np.nan_to_num(np.asarray(voxels, dtype=np.float32), nan=low)
    greys = (np.clip((values - low) / window[1], 0.0, 1.0) * 255.0).round().astype(np.uint8)
    # Pillow counts from the corner of the first pixel.
    top, left, bottom, right = (value / spacing[axis % 2] + 0.5 for axis, value in enumerate(frame.box))
    source = Image.fromarray(np.ascontiguousarray(greys))
    inner = (max(left, 0.0), max(top, 0.0), min(right, greys.shape[1]), min(bottom, greys.shape[0]))
    picture = Image.new("L", frame.size, 0)
    if inner[2] - inner[0] < 1e-6 or inner[3] - inner[1] < 1e-6:
        return picture
    across, down = frame.size[0] / (right - left), frame.size[1] / (bottom - top)
    x0, x1 = (int(round((value - left) * across)) for value in (inner[0], inner[2]))
    y0, y1 = (int(round((value - top) * down)) for value in (inner[1], inner[3]))
    size = max(1, x1 - x0), max(1, y1 - y0)
    picture.paste(source.resize(size, Image.Resampling.BICUBIC, box=inner), (x0, y0))
    return picture


def _outline_strokes(mask: np.ndarray, spacing: Tuple[float, float], frame: Frame) -> List[Stroke]:
    strokes: List[Stroke] = []
    for label, style in STYLES.items():
        for line in _outlines_of(mask, label, spacing):
            strokes += strokes_along(frame.to_pixels(line), label_colour(label), style.width, style.dash)
    return strokes


def _outlines_of(mask: np.ndarray, label: int, spacing: Tuple[float, float]) -> List[np.ndarray]:
    """The outlines (n, 2), mm (row, column), of a label in a slice of labels; a tumour's do not cross the
    liver's."""
    within = np.isin(mask, STYLES[LIVER].values) if label == TUMOUR else None
    return outlines(np.isin(mask, STYLES[label].values), spacing, within=within)
