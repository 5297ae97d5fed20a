"""What is drawn over a picture: lines with a dark rim, letters, names, lesion numbers, a scale bar."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..labels import LABELS, TUMOUR
from .frame import Frame
from .outlines import dashes

SUPERSAMPLING = 3
"""Lines are drawn this many times larger and averaged down, which makes them smooth."""

TEXT_COLOUR = (240, 240, 240)

MARK_WIDTH = 2.6
MARK_DASH = (5.0, 4.0)
"""How marks are drawn: width, and length of dash and gap, in picture pixels."""

SCALE_BARS_MM = (5, 10, 20, 50, 100)
"""Lengths of a scale bar; the longest is taken that is at most a quarter of the picture wide."""

Colour = Tuple[int, int, int]
"""sRGB, 0..255."""

Rectangle = Tuple[float, float, float, float]
"""Left, top, right, bottom in picture pixels."""


class Stroke(NamedTuple):
    """A line to draw: ``way`` (x, y) in picture pixels, (n, 2); ``width`` in picture pixels."""

    way: np.ndarray
    colour: Colour
    width: float


class Mark(NamedTuple):
    """A closed line to draw in a slice, and the name beside it.

    ``outline``: mm (row, column) in the plane, (n, 2), the first point repeated at the end; ``label``: whose
    colour it has.
    """

    outline: np.ndarray
    name: str
    label: int
    dashed: bool = False


def label_colour(label: int) -> Colour:
    """The colour of a label at full brightness, to stand out on grey."""
    colour = LABELS[label].colour
    red, green, blue = (int(round(255 * value / max(colour))) for value in colour)
    return red, green, blue


def strokes_along(
    way: np.ndarray, colour: Colour, width: float, dash: Optional[Tuple[float, float]] = None
) -> List[Stroke]:
    """The strokes of a line (x, y), (n, 2): one, or one a dash."""
    return [Stroke(piece, colour, width) for piece in (dashes(way, *dash) if dash else [way])]


def canvas_size(size: Tuple[int, int]) -> Tuple[int, int]:
    """The size of a canvas to draw on that will be averaged down to ``size``."""
    return SUPERSAMPLING * size[0], SUPERSAMPLING * size[1]


def drawn(picture: Image.Image, strokes: Sequence[Stroke]) -> Image.Image:
    """The picture with lines on a thin dark rim, which sets them off from bright and dark tissue alike."""
    if not strokes:
        return picture
    rims = Image.new("L", canvas_size(picture.size), 0)
    inks: Dict[Colour, Image.Image] = {}
    for way, colour, width in strokes:
        # The outlines' points lie so close that corners need no joints.
        points = [(x, y) for x, y in (way * SUPERSAMPLING).tolist()]
        inner = max(1, int(round(width * SUPERSAMPLING)))
        if colour not in inks:
            inks[colour] = Image.new("L", canvas_size(picture.size), 0)
        ImageDraw.Draw(rims).line(points, fill=120, width=inner + 2 * SUPERSAMPLING)
        ImageDraw.Draw(inks[colour]).line(points, fill=255, width=inner)
    result = picture.copy()
    result.paste((0, 0, 0), mask=rims.reduce(SUPERSAMPLING))
    for colour, ink in inks.items():
        result.paste(colour, mask=ink.reduce(SUPERSAMPLING))
    return result


def with_marks(picture: Image.Image, marks: Sequence[Mark], frame: Frame) -> Image.Image:
    """The picture with marks, and their names where these cover neither each other nor a mark."""
    ways = [frame.to_pixels(mark.outline) for mark in marks]
    strokes: List[Stroke] = []
    for mark, way in zip(marks, ways):
        strokes += strokes_along(
            way, label_colour(mark.label), MARK_WIDTH, MARK_DASH if mark.dashed else None
        )
    result = drawn(picture, strokes)
    size = letter_size(picture)
    squares = [_bounds(way) for way in ways]
    taken = list(squares)
    for mark, square in zip(marks, squares):
        name = name_place(square, (0.65 * size * len(mark.name), size), taken, picture.size)
        taken.append(name)
        _write(result, name[:2], mark.name, "lt", size, label_colour(mark.label))
    return result


def _bounds(way: np.ndarray) -> Rectangle:
    """The rectangle around a line (x, y), (n, 2)."""
    (left, top), (right, bottom) = way.min(axis=0), way.max(axis=0)
    return left, top, right, bottom


def name_place(
    square: Rectangle, size: Tuple[float, float], taken: Sequence[Rectangle], picture: Tuple[int, int]
) -> Rectangle:
    """The first place at a corner of ``square`` for a text of ``size`` (width, height) that meets nothing
    ``taken`` and keeps off the letters at the borders of a ``picture`` of that width and height, else the
    first place."""
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


def letter_size(picture: Image.Image) -> int:
    """Small pictures stand beside each other on the page, so their letters are larger in proportion."""
    return picture.width // 20 if picture.width < 650 else picture.width // 30


def write_letters(picture: Image.Image, letters: Tuple[str, str, str, str]) -> None:
    """Write the patient's directions at the left, right, top and bottom border."""
    size = letter_size(picture)
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


def write_numbers(
    picture: Image.Image,
    places: Sequence[Tuple[int, Tuple[int, int]]],
    spacing: Tuple[float, float],
    frame: Frame,
) -> None:
    """Write each lesion's number at the upper right of its outline.

    Args:
        picture: is drawn on.
        places: number and pixel (row, column) of the slice.
        spacing: mm (rows, columns) of the slice.
        frame: what the picture shows.
    """
    size = letter_size(picture)
    for number, (row, column) in places:
        corner = ((row - 0.5) * spacing[0], (column + 0.5) * spacing[1])
        x, y = frame.to_pixels(np.asarray([corner]))[0]
        if not (0 <= x <= picture.width and 0 <= y <= picture.height):
            continue  # the lesion lies beside the picture
        x, y = min(x, picture.width - 1.4 * size), max(y, 1.2 * size)
        _write(picture, (x, y), str(number), "lb", size, label_colour(TUMOUR))


def draw_scale_bar(picture: Image.Image, frame: Frame) -> None:
    """Draw a bar of known length at the lower right."""
    lengths = [mm for mm in SCALE_BARS_MM if mm * frame.scale <= picture.width / 4]
    if not lengths:
        return
    mm = lengths[-1]
    size = letter_size(picture)
    right, bottom = picture.width - size * 0.8, picture.height - size * 0.8
    left = right - mm * frame.scale
    draw = ImageDraw.Draw(picture)
    thick = max(2, size // 7)
    draw.rectangle((left - 1, bottom - thick - 1, right + 1, bottom + 1), fill=(0, 0, 0))
    draw.rectangle((left, bottom - thick, right, bottom), fill=TEXT_COLOUR)
    text = f"{mm // 10} cm" if mm >= 10 else f"{mm} mm"
    _write(picture, ((left + right) / 2, bottom - thick - size * 0.25), text, "mb", int(size * 0.8))


def _write(
    picture: Image.Image,
    at: Tuple[float, float],
    text: str,
    anchor: str,
    size: int,
    colour: Colour = TEXT_COLOUR,
) -> None:
    """Write in Pillow's own font; without FreeType that has one size and neither anchor nor rim."""
    draw = ImageDraw.Draw(picture)
    try:
        font = ImageFont.load_default(size=size)
    except (TypeError, ImportError, OSError):  # TypeError: before Pillow 10.1
        font = ImageFont.load_default()
    if isinstance(font, ImageFont.FreeTypeFont):
        rim = max(1, size // 10)
        draw.text(at, text, colour, font, anchor, stroke_width=rim, stroke_fill=(0, 0, 0))
    else:
        draw.text(at, text, colour, font)
