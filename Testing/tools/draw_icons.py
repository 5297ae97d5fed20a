"""Draw Resources/Icons: the module's icon, and the sample scan's picture for Slicer's Sample Data module.

    python Testing/tools/draw_icons.py

The icon is a liver with a marked tumour, drawn large and scaled down, so that it stays clear at 24 pixels.
The sample's picture is one axial slice of the bundled scan in the abdomen window.
"""

import sys
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFilter
from scipy.interpolate import splev, splprep

ROOT = Path(__file__).resolve().parents[2]
ICONS = ROOT / "Resources" / "Icons"
SAMPLE = ROOT / "Resources" / "SampleData" / "hcc013-portal.nii.gz"

SIZE = 128
SCALE = 8
"""The icon is drawn this many times larger than it is saved."""

LIVER_OUTLINE = (
    (8, 66), (10, 44), (22, 27), (42, 19), (61, 22), (78, 30), (98, 31), (114, 35), (122, 44), (114, 57),
    (98, 67), (82, 73), (72, 80), (60, 93), (44, 107), (27, 113), (15, 106), (10, 88),
)  # fmt: skip
"""Points on the border of the liver seen from the front, in pixels of the finished icon."""
LIGAMENT = ((75, 30), (74, 44), (76, 60), (74, 77))
"""The border between the lobes."""
TUMOUR_CENTRE, TUMOUR_RADIUS = (42, 63), 15
TOP, BOTTOM, EDGE = (226, 118, 88), (158, 58, 44), (110, 34, 28)
TUMOUR, TUMOUR_EDGE = (255, 222, 74), (92, 52, 8)

SLICE_MM = -95.0
"""Where the sample's picture is cut, LPS z in mm: through liver, stomach and spleen."""
WINDOW = (-160.0, 240.0)
PICTURE = (300, 225)

Points = Sequence[Tuple[float, float]]


def icon() -> Image.Image:
    """The module's icon, RGBA."""
    size = (SIZE * SCALE, SIZE * SCALE)
    border = smooth(LIVER_OUTLINE, closed=True)
    inside = Image.new("L", size)
    ImageDraw.Draw(inside).polygon(border, fill=255)

    down = np.linspace(0, 1, size[1])[:, None, None]
    shade = np.array(TOP) * (1 - down) + np.array(BOTTOM) * down
    liver = Image.fromarray(np.broadcast_to(shade, (*size, 3)).astype(np.uint8))
    liver = Image.composite(Image.new("RGB", size, (255, 214, 190)), liver, _gleam(size))
    draw = ImageDraw.Draw(liver)
    draw.line(smooth(LIGAMENT, closed=False), fill=(128, 44, 34), width=3 * SCALE, joint="curve")
    _tumour(draw)

    drawn = Image.new("RGBA", size)
    drawn.paste(liver, mask=inside)
    ImageDraw.Draw(drawn).line([*border, *border[:2]], fill=(*EDGE, 255), width=4 * SCALE, joint="curve")
    return drawn.resize((SIZE, SIZE), Image.LANCZOS)


def smooth(points: Points, *, closed: bool) -> List[Tuple[float, float]]:
    """A smooth curve through points given in pixels of the icon, in pixels of the drawing."""
    array = np.array(points, dtype=float) * SCALE
    if closed:
        array = np.vstack([array, array[:1]])
    spline, _parameter = splprep(array.T, s=0, per=closed)
    x, y = splev(np.linspace(0, 1, 600), spline)
    return list(zip(x.tolist(), y.tolist()))


def _gleam(size: Tuple[int, int]) -> Image.Image:
    """A soft light from the upper left, as a mask."""
    gleam = Image.new("L", size)
    ImageDraw.Draw(gleam).ellipse([c * SCALE for c in (14, 24, 70, 58)], fill=130)
    return gleam.filter(ImageFilter.GaussianBlur(9 * SCALE))


def _tumour(draw: ImageDraw.ImageDraw) -> None:
    (x, y), radius = TUMOUR_CENTRE, TUMOUR_RADIUS
    for grow, colour in ((3, TUMOUR_EDGE), (0, TUMOUR)):
        r = radius + grow
        draw.ellipse([c * SCALE for c in (x - r, y - r, x + r, y + r)], fill=colour)
    draw.ellipse([c * SCALE for c in (x - 9, y - 10, x + 1, y - 1)], fill=(255, 242, 170))


def sample_picture() -> Image.Image:
    """An axial slice of the sample, radiological orientation, cropped to the body."""
    scan = sitk.ReadImage(str(SAMPLE))
    index = round((SLICE_MM - scan.GetOrigin()[2]) / scan.GetSpacing()[2])
    hu = sitk.GetArrayViewFromImage(scan)[index].astype(np.float32)
    grey = np.clip((hu - WINDOW[0]) / (WINDOW[1] - WINDOW[0]), 0, 1) * 255
    picture = Image.fromarray(grey.astype(np.uint8))
    body = Image.fromarray(((hu > -300) * 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(5))
    picture = picture.crop(_with_ratio(body.getbbox(), PICTURE[0] / PICTURE[1]))
    return picture.resize(PICTURE, Image.LANCZOS)


def _with_ratio(box: Tuple[int, int, int, int], ratio: float) -> Tuple[int, int, int, int]:
    """The box grown about its centre to a ratio of width to height."""
    left, top, right, bottom = box
    width, height = max(right - left, (bottom - top) * ratio), max(bottom - top, (right - left) / ratio)
    x, y = (left + right) / 2, (top + bottom) / 2
    return round(x - width / 2), round(y - height / 2), round(x + width / 2), round(y + height / 2)


def main() -> int:
    """Write both pictures; returns the exit status."""
    ICONS.mkdir(parents=True, exist_ok=True)
    icon().save(ICONS / "LiverSeg.png", optimize=True)
    sample_picture().save(ICONS / "LiverSegSample.png", optimize=True)
    for path in sorted(ICONS.glob("*.png")):
        print(f"{path.name}: {path.stat().st_size / 1024:.1f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
