"""Small pictures of cases: the 3-D picture of one that is done, middle slices of one that failed."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from .case import Case, Options

if TYPE_CHECKING:
    from PIL import Image

SIZE = 300
"""Pixels of a small picture's longer side."""
WINDOW = (-160.0, 240.0)
"""HU that are black and white."""


def scan_picture(case: Case, options: Options) -> "Image.Image":
    """The middle axial and coronal slices of a scan, side by side.

    Raises:
        LiverSegError: it cannot be read.
        ImportError: Pillow is not installed.
    """
    import SimpleITK as sitk
    from PIL import Image

    from ..images import read_scan

    scan = read_scan(case.source, case.series, modality=case.modality or options.modality)
    image = sitk.DICOMOrient(scan.image, "LPS")
    array, (x, y, z) = sitk.GetArrayViewFromImage(image), image.GetSpacing()
    axial = _gray(array[array.shape[0] // 2], scan.kind == "MR")
    coronal = _gray(array[::-1, array.shape[1] // 2], scan.kind == "MR")
    parts = [_scaled(Image.fromarray(axial), x, y), _scaled(Image.fromarray(coronal), x, z)]
    picture = Image.new("L", (2 * SIZE + 8, SIZE))
    for number, part in enumerate(parts):
        picture.paste(part, (number * (SIZE + 8) + (SIZE - part.width) // 2, (SIZE - part.height) // 2))
    return picture


def _gray(plane: np.ndarray, is_mr: bool) -> np.ndarray:
    """A slice (rows, columns) as gray levels: HU in a window, of an MR its own range."""
    values = np.asarray(plane, dtype=np.float32)
    low, high = np.percentile(values, (1, 99)) if is_mr else WINDOW
    return (np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def _scaled(picture: "Image.Image", across: float, down: float) -> "Image.Image":
    """The picture at its true proportions, its longer side SIZE pixels; mm of a pixel are given."""
    width, height = picture.width * across, picture.height * down
    factor = SIZE / max(width, height)
    return picture.resize((max(1, round(width * factor)), max(1, round(height * factor))))


def small_picture(path: Path) -> Optional[str]:
    """The picture in a file, made small, as a data: address; None if there is none, or no Pillow."""
    try:
        from PIL import Image

        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (ImportError, OSError, ValueError):
        return None
    small.thumbnail((2 * SIZE, SIZE))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
