"""Pictures of slices: CT with outlines, and the highlight picture, in radiological orientation and true
proportions."""

import base64
import io
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from ..errors import UsageError
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from .lesion_numbers import LesionNumbers
from .outlines import dashes, enclosed_area, outlines
from .planes import PLANES, PatientView

WINDOW = (40.0, 400.0)
"""Level and width in HU: the usual abdominal window."""

SUPERSAMPLING = 3
"""Lines are drawn this many times larger and averaged down, which makes them smooth."""

JPEG_QUALITY = 86
BODY_HU = -350.0
"""Above this is body; the picture is cut to it."""

CLIPPED_AIR_HU = 20.0
BODY_MARGIN_MM = 8.0

HIGHLIGHT_LIVER, HIGHLIGHT_TUMOUR = 128, 255
"""Greys of the highlight picture, as in the highlight image."""

Box = Tuple[float, float, float, float]
"""Part of a plane in mm: top, left, bottom, right, from the centre of the first pixel."""

Line = Tuple[Tuple[float, float, float], Tuple[float, float, float]]
"""The two ends of a straight line in LPS mm."""


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


class Mark(NamedTuple):
    """A closed line to draw in a slice, and the name beside it.

    ``outline``: mm (row, column) in the plane, (n, 2), the first point repeated at the end; ``label``: whose
    colour it has.
    """

    outline: np.ndarray
    name: str
    label: int
    dashed: bool = False


MARK_WIDTH = 2.6
MARK_DASH = (5.0, 4.0)
"""How marks are drawn: width, and length of dash and gap, in picture pixels."""


class Frame(NamedTuple):
    """The part of a plane that a picture shows, and its scale."""

    box: Box
    scale: float  # picture pixels per mm
    size: Tuple[int, int]  # width, height in pixels

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Picture coordinates (x, y), (n, 2), of plane positions in mm (row, column), (n, 2)."""
        return (np.asarray(points, dtype=float)[:, ::-1] - (self.box[1], self.box[0])) * self.scale


def slice_picture(
    image: sitk.Image,
    labels: sitk.Image,
    *,
    plane: str = "axial",
    index: Optional[int] = None,
    through: Optional[Sequence[float]] = None,
    box: Optional[Box] = None,
    width: int = 900,
    window: Tuple[float, float] = WINDOW,
    contours: bool = True,
    diameters: Sequence[Line] = (),
    marks: Sequence[Mark] = (),
    view: Optional[PatientView] = None,
    numbers: Optional[LesionNumbers] = None,
) -> Image.Image:
    """Draw one slice of a scan with the outlines of liver, spleen and tumours.

    Args:
        image, labels: the scan in HU and its mask on the same grid.
        plane: "axial", "coronal" or "sagittal": the scan's own slices nearest to that.
        index: slice, counted towards superior, posterior or left; by default the middle.
        through: a point in LPS mm that the slice shall pass through, in place of ``index``.
        box: part of the plane to show (mm); by default the body.
        width: width of the picture in pixels.
        window: level and width in HU.
        contours: whether outlines are drawn.
        diameters: lines to draw, as ends in LPS mm.
        marks: closed lines to draw, with names.
        view: the laid-out scan, if the caller has it already.
        numbers: which lesion each tumour voxel belongs to; by default no numbers are written.

    Raises:
        UsageError: no such plane or slice.
    """
    view = view or PatientView.of(image, labels)
    index = _slice_index(view, plane, index, through)
    voxels, mask, spacing = view.cut(plane, index)
    frame = _frame(voxels, spacing, box, width)
    picture = _grey_picture(voxels, spacing, frame, window).convert("RGB")
    if contours:
        picture = _with_outlines(picture, mask, spacing, frame)
    if diameters:
        picture = _with_diameters(picture, view, plane, diameters, frame)
    if marks:
        picture = _with_marks(picture, marks, frame)
    if numbers is not None:
        _write_numbers(picture, numbers.in_slice(mask, view, plane, index), spacing, frame)
    _write_letters(picture, view.letters(plane))
    _draw_scale_bar(picture, frame)
    return picture


def highlight_picture(
    image: sitk.Image,
    labels: sitk.Image,
    *,
    plane: str = "axial",
    index: Optional[int] = None,
    through: Optional[Sequence[float]] = None,
    box: Optional[Box] = None,
    width: int = 900,
    view: Optional[PatientView] = None,
) -> Image.Image:
    """Draw one slice of the highlight image: liver grey, tumours white, everything else black.

    The arguments are those of ``slice_picture``.
    """
    view = view or PatientView.of(image, labels)
    index = _slice_index(view, plane, index, through)
    voxels, mask, spacing = view.cut(plane, index)
    frame = _frame(voxels, spacing, box, width)
    size = tuple(SUPERSAMPLING * value for value in frame.size)
    canvas = Image.new("L", size, 0)
    for label, grey, ground in ((LIVER, HIGHLIGHT_LIVER, 0), (TUMOUR, HIGHLIGHT_TUMOUR, HIGHLIGHT_LIVER)):
        lines = _outlines_of(mask, label, spacing)
        for line in sorted(lines, key=lambda way: -abs(enclosed_area(way))):
            corners = [tuple(point) for point in frame.to_pixels(line) * SUPERSAMPLING]
            ImageDraw.Draw(canvas).polygon(corners, fill=grey if enclosed_area(line) > 0 else ground)
    picture = canvas.reduce(SUPERSAMPLING).convert("RGB")
    _write_letters(picture, view.letters(plane))
    _draw_scale_bar(picture, frame)
    return picture


def to_data_uri(picture: Image.Image) -> str:
    """The picture as a JPEG within a data: address."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def body_box(voxels: np.ndarray, spacing: Sequence[float]) -> Box:
    """The part of a slice (rows, columns; HU) that the body takes up, in mm; the whole slice if there is no
    body."""
    whole = (-0.5 * spacing[0], -0.5 * spacing[1]) + tuple(
        (size - 0.5) * step for size, step in zip(voxels.shape, spacing)
    )
    steps = [max(1, int(2.0 / step)) for step in spacing]
    coarse = voxels[:: steps[0], :: steps[1]]
    # In scans whose air was clipped, e.g. to -160 HU, body is what is brighter than that.
    body = ndimage.binary_opening(
        coarse > max(BODY_HU, float(coarse.min()) + CLIPPED_AIR_HU)
    )  # the table is thin
    parts, count = ndimage.label(body)
    if not count:
        return whole
    largest = ndimage.find_objects(parts)[int(np.argmax(np.bincount(parts.ravel())[1:]))]
    ends = []
    for side, step, axis in zip(largest, steps, range(2)):
        low = side.start * step * spacing[axis] - BODY_MARGIN_MM
        high = (side.stop * step - 1) * spacing[axis] + BODY_MARGIN_MM
        ends.append((max(low, whole[axis]), min(high, whole[axis + 2])))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def box_around(place: Tuple[float, float], height: float, width: float) -> Box:
    """A box of the given size (mm) around a place (row, column) in a plane."""
    return place[0] - height / 2, place[1] - width / 2, place[0] + height / 2, place[1] + width / 2


def _slice_index(
    view: PatientView, plane: str, index: Optional[int], through: Optional[Sequence[float]]
) -> int:
    if plane not in PLANES:
        raise UsageError(f'Unknown plane "{plane}". Available: {", ".join(PLANES)}.')
    if through is not None:
        return view.nearest_slice(plane, through)
    index = view.slices(plane) // 2 if index is None else int(index)
    if not 0 <= index < view.slices(plane):
        raise UsageError(f"There is no {plane} slice {index}; this scan has 0 to {view.slices(plane) - 1}.")
    return index


def _frame(voxels: np.ndarray, spacing: Sequence[float], box: Optional[Box], width: int) -> Frame:
    top, left, bottom, right = box if box is not None else body_box(voxels, spacing)
    scale = width / (right - left)
    return Frame((top, left, bottom, right), scale, (width, max(1, int(round((bottom - top) * scale)))))


def _grey_picture(
    voxels: np.ndarray, spacing: Sequence[float], frame: Frame, window: Tuple[float, float]
) -> Image.Image:
    """The framed part in grey; what lies outside the scan is black."""
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
    part = source.resize((max(1, x1 - x0), max(1, y1 - y0)), Image.BICUBIC, box=inner)
    picture.paste(part, (x0, y0))
    return picture


def _with_outlines(
    picture: Image.Image, mask: np.ndarray, spacing: Sequence[float], frame: Frame
) -> Image.Image:
    strokes = []
    for label, style in STYLES.items():
        for line in _outlines_of(mask, label, spacing):
            way = frame.to_pixels(line)
            pieces = dashes(way, *style.dash) if style.dash else [way]
            strokes += [(piece, _bright(LABELS[label].colour), style.width) for piece in pieces]
    return _stroked(picture, strokes)


def _outlines_of(mask: np.ndarray, label: int, spacing: Sequence[float]) -> List[np.ndarray]:
    """The outlines of a label in a slice of labels; a tumour's do not cross the liver's."""
    within = _in_label(mask, LIVER) if label == TUMOUR else None
    return outlines(_in_label(mask, label), spacing, within=within)


def _in_label(mask: np.ndarray, label: int) -> np.ndarray:
    """The part of a label slice that a label's outline goes round."""
    return np.isin(mask, STYLES[label].values)


def _with_diameters(
    picture: Image.Image, view: PatientView, plane: str, diameters: Sequence[Line], frame: Frame
) -> Image.Image:
    strokes = []
    for ends in diameters:
        way = frame.to_pixels(np.asarray([view.place_in(plane, end) for end in ends]))
        strokes.append((way, (255, 255, 255), 1.8))
    return _stroked(picture, strokes)


def _with_marks(picture: Image.Image, marks: Sequence[Mark], frame: Frame) -> Image.Image:
    strokes = []
    for mark in marks:
        way = frame.to_pixels(mark.outline)
        pieces = dashes(way, *MARK_DASH) if mark.dashed else [way]
        strokes += [(piece, _bright(LABELS[mark.label].colour), MARK_WIDTH) for piece in pieces]
    result = _stroked(picture, strokes)
    size = _letter_size(picture)
    taken = [_bounds(frame.to_pixels(mark.outline)) for mark in marks]
    for mark, square in zip(marks, list(taken)):
        name = _name_place(square, (0.65 * size * len(mark.name), size), taken, picture.size)
        taken.append(name)
        _write(result, name[:2], mark.name, "lt", size, _bright(LABELS[mark.label].colour))
    return result


def _bounds(way: np.ndarray) -> Tuple[float, ...]:
    """Left, top, right, bottom of a line (x, y), (n, 2)."""
    return (*way.min(axis=0), *way.max(axis=0))


def _name_place(
    square: Tuple[float, ...],
    size: Tuple[float, float],
    taken: Sequence[Tuple[float, ...]],
    picture: Tuple[int, int],
) -> Tuple[float, ...]:
    """The first place at a corner of ``square`` for a text of ``size`` (width, height) that meets nothing
    ``taken`` and keeps off the letters at the borders, else the first. Left, top, right, bottom."""
    left, top, right, bottom = square
    width, height = size
    edge = 2 * height
    places = [
        (x, y, x + width, y + height)
        for y in (top - height - 2, bottom + 2)
        for x in (right + 2, left - width - 2)
    ]
    for place in places:
        inside = (
            edge <= place[0] and place[2] <= picture[0] - edge and 0 <= place[1] and place[3] <= picture[1]
        )
        free = not any(
            place[0] < other[2] and other[0] < place[2] and place[1] < other[3] and other[1] < place[3]
            for other in taken
        )
        if inside and free:
            return place
    return places[0]


def _stroked(
    picture: Image.Image, strokes: Sequence[Tuple[np.ndarray, Tuple[int, int, int], float]]
) -> Image.Image:
    """The picture with lines on a thin dark rim, which sets them off from bright and dark tissue alike."""
    if not strokes:
        return picture
    size = tuple(SUPERSAMPLING * value for value in picture.size)
    rims = Image.new("L", size, 0)
    inks: Dict[Tuple[int, int, int], Image.Image] = {}
    for way, colour, width in strokes:
        # The outlines' points lie so close that corners need no joints.
        points = [tuple(point) for point in (way * SUPERSAMPLING).tolist()]
        inner = max(1, int(round(width * SUPERSAMPLING)))
        if colour not in inks:
            inks[colour] = Image.new("L", size, 0)
        ImageDraw.Draw(rims).line(points, fill=120, width=inner + 2 * SUPERSAMPLING)
        ImageDraw.Draw(inks[colour]).line(points, fill=255, width=inner)
    result = picture.copy()
    result.paste((0, 0, 0), mask=rims.reduce(SUPERSAMPLING))
    for colour, ink in inks.items():
        result.paste(colour, mask=ink.reduce(SUPERSAMPLING))
    return result


def _bright(colour: Tuple[int, int, int]) -> Tuple[int, int, int]:
    """The colour at full brightness, to stand out on grey."""
    strongest = max(colour)
    return tuple(int(round(255 * value / strongest)) for value in colour)


def _font(size: int) -> ImageFont.ImageFont:
    """Pillow's own font; before Pillow 10.1, or without FreeType, it has one size."""
    try:
        return ImageFont.load_default(size=size)
    except (TypeError, ImportError, OSError):
        return ImageFont.load_default()


def _write(
    picture: Image.Image, at: Tuple[float, float], text: str, anchor: str, size: int, colour=None
) -> None:
    font = _font(size)
    draw = ImageDraw.Draw(picture)
    options = {"fill": colour or (240, 240, 240), "font": font}
    if isinstance(font, ImageFont.FreeTypeFont):
        options.update(anchor=anchor, stroke_width=max(1, size // 10), stroke_fill=(0, 0, 0))
    draw.text(at, text, **options)


def _letter_size(picture: Image.Image) -> int:
    """Small pictures stand beside each other on the page, so their letters are larger in proportion."""
    return picture.width // 20 if picture.width < 650 else picture.width // 30


def _write_letters(picture: Image.Image, letters: Tuple[str, str, str, str]) -> None:
    size = _letter_size(picture)
    gap = size // 2
    width, height = picture.size
    places = (
        ((gap, height / 2), "lm"),
        ((width - gap, height / 2), "rm"),
        ((width / 2, gap), "mt"),
        ((width / 2, height - gap), "mb"),
    )
    for text, (at, anchor) in zip(letters, places):
        _write(picture, at, text, anchor, size)


def _write_numbers(
    picture: Image.Image,
    places: Sequence[Tuple[int, Tuple[int, int]]],
    spacing: Sequence[float],
    frame: Frame,
) -> None:
    """Write each lesion's number at the upper right of its outline; ``places`` are pixels (row, column) of
    the slice."""
    size = _letter_size(picture)
    for number, (row, column) in places:
        corner = ((row - 0.5) * spacing[0], (column + 0.5) * spacing[1])
        x, y = frame.to_pixels(np.asarray([corner]))[0]
        if not (0 <= x <= picture.width and 0 <= y <= picture.height):
            continue  # the lesion lies beside the picture
        x, y = min(x, picture.width - 1.4 * size), max(y, 1.2 * size)
        _write(picture, (x, y), str(number), "lb", size, _bright(LABELS[TUMOUR].colour))


def _draw_scale_bar(picture: Image.Image, frame: Frame) -> None:
    """A bar of 1, 2, 5 or 10 cm at the lower right, at most a quarter of the picture wide."""
    lengths: List[int] = [mm for mm in (5, 10, 20, 50, 100) if mm * frame.scale <= picture.width / 4]
    if not lengths:
        return
    mm = lengths[-1]
    size = _letter_size(picture)
    right, bottom = picture.width - size * 0.8, picture.height - size * 0.8
    left = right - mm * frame.scale
    draw = ImageDraw.Draw(picture)
    thick = max(2, size // 7)
    draw.rectangle((left - 1, bottom - thick - 1, right + 1, bottom + 1), fill=(0, 0, 0))
    draw.rectangle((left, bottom - thick, right, bottom), fill=(240, 240, 240))
    text = f"{mm // 10} cm" if mm >= 10 else f"{mm} mm"
    _write(picture, ((left + right) / 2, bottom - thick - size * 0.25), text, "mb", int(size * 0.8))
