"""Pictures of the cases that went worst: the slice with most error, outlines of reference and prediction.

By matplotlib; slices are shown as radiologists look at them, axial from below with anterior up.
"""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import LiverSegError
from ..images.grid import Grid, PatientOrder, bounding_box, grow_box
from .case_files import CaseFile
from .label_images import on_grid, one_volume, read_any, read_labels
from .structures import Structure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN_MM = 45.0
"""So much is shown around the structure in the slice."""
SMALLEST_MM = 140.0
"""A picture shows at least this width and height, where the image has it."""
WINDOW_HU = (-160.0, 240.0)
"""The usual abdominal window; images of other kinds are shown between their 1st and 99.5th percentile."""
PIXELS = 460
"""Longer side of a picture."""

REFERENCE_COLOUR, PREDICTION_COLOUR = "#3fd0f5", "#ffa43a"
"""Outlines of reference and prediction, told apart by color-blind readers and, by the dash, without color."""
LACKING_COLOUR, EXTRA_COLOUR = (0.25, 0.82, 0.96, 0.30), (1.0, 0.55, 0.15, 0.30)
"""What only the reference, and only the prediction, has."""


class Picture(NamedTuple):
    """A picture for the page: a data URI, and in words what is on it."""

    source: str
    caption: str


@dataclass(frozen=True)
class Slice:
    """A slice in patient order: rows to posterior, columns to left.

    Attributes:
        reference, prediction: bool (y, x).
        image: float32 (y, x), or None.
        spacing: mm (x, y).
        place: number of the slice in patient order, from inferior, and how many there are.
    """

    reference: np.ndarray
    prediction: np.ndarray
    image: Optional[np.ndarray]
    spacing: Tuple[float, float]
    place: Tuple[int, int]


def picture_of(
    reference: CaseFile, prediction: CaseFile, structure: Structure, image: Optional[str] = None
) -> Optional[Picture]:
    """Draw the slice of a case in which prediction and reference differ most.

    Args:
        reference, prediction: the files; read again, one case at a time.
        structure: which.
        image: path of the scan; by default the one that the data set names. Without a scan, or where it
            cannot be read, the outlines stand on gray.

    Returns:
        The picture, or None where both masks are empty.

    Raises:
        LiverSegError: the labels cannot be read.
    """
    truth = read_labels(reference.path)
    found, _ = on_grid(read_labels(prediction.path), truth.grid)
    order = truth.grid.patient_order
    masks = (
        order.apply(structure.mask(truth.array)),
        order.apply(structure.mask(found.array, prediction=True)),
    )
    z = key_slice(*masks)
    if z is None:
        return None
    path = image or reference.image
    voxels = None if path is None else _voxels(path, truth.grid, order, z)
    shown = _cropped(Slice(masks[0][z], masks[1][z], voxels, order.grid.spacing[:2], (z + 1, len(masks[0]))))
    return Picture(_drawn(shown), _caption(masks, order, z))


def key_slice(reference: np.ndarray, prediction: np.ndarray) -> Optional[int]:
    """Return the slice with most voxels in only one of two masks (z, y, x); where they agree everywhere, the
    slice with most of them; None where both are empty."""
    wrong = np.count_nonzero(reference ^ prediction, axis=(1, 2))
    if wrong.any():
        return int(wrong.argmax())
    area = np.count_nonzero(reference, axis=(1, 2))
    return int(area.argmax()) if area.any() else None


def _caption(masks: Tuple[np.ndarray, np.ndarray], order: PatientOrder, z: int) -> str:
    reference, prediction = masks[0][z], masks[1][z]
    area = order.grid.spacing[0] * order.grid.spacing[1] / 100.0
    lacking = np.count_nonzero(reference & ~prediction) * area
    extra = np.count_nonzero(prediction & ~reference) * area
    return f"Slice {z + 1} of {len(masks[0])}: {lacking:.1f} cm² lacking, {extra:.1f} cm² too much."


def _voxels(path: object, grid: Grid, order: PatientOrder, z: int) -> Optional[np.ndarray]:
    """A slice of the scan on the labels' grid, float32 (y, x) in patient order; None if it cannot be read."""
    from pathlib import Path

    try:
        image = one_volume(read_any(Path(str(path))), Path(str(path)))
    except LiverSegError:
        return None
    if image.GetNumberOfComponentsPerPixel() != 1:
        return None
    if not grid.coincides(Grid.of(image)):
        image = sitk.Resample(
            image, grid.size, sitk.Transform(), sitk.sitkLinear, grid.origin, grid.spacing, grid.direction,
            float(sitk.GetArrayViewFromImage(image).min()), image.GetPixelID(),
        )  # fmt: skip
    array = order.apply(sitk.GetArrayViewFromImage(image))
    low, high = WINDOW_HU
    if array.min() >= 0:  # no CT in HU
        low, high = (float(value) for value in np.percentile(array, (1, 99.5)))
    return np.clip((array[z].astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)


def _cropped(shown: Slice) -> Slice:
    box = bounding_box((shown.reference | shown.prediction)[None])
    if box is None:
        return shown
    per_mm = (1.0, 1.0 / shown.spacing[1], 1.0 / shown.spacing[0])
    margins = [MARGIN_MM * value for value in per_mm]
    least = [SMALLEST_MM * value for value in per_mm]
    _, y, x = grow_box(box, margins, (1, *shown.reference.shape), least)
    image = None if shown.image is None else shown.image[y, x]
    return Slice(shown.reference[y, x], shown.prediction[y, x], image, shown.spacing, shown.place)


def _drawn(shown: Slice) -> str:
    """The slice as the data URI of a JPEG picture."""
    from matplotlib.figure import Figure

    rows, columns = shown.reference.shape
    width, height = columns * shown.spacing[0], rows * shown.spacing[1]
    scale = PIXELS / max(width, height) / 100
    figure = Figure(figsize=(width * scale, height * scale), dpi=150, facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    extent = (0, width, height, 0)
    ground = np.full(shown.reference.shape, 0.22) if shown.image is None else shown.image
    axes.imshow(ground, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="bilinear")
    for only, colour in (
        (shown.reference & ~shown.prediction, LACKING_COLOUR),
        (shown.prediction & ~shown.reference, EXTRA_COLOUR),
    ):
        axes.imshow(only[..., None] * np.asarray(colour), extent=extent, interpolation="nearest")
    _outline(axes, shown.reference, shown.spacing, REFERENCE_COLOUR, "solid")
    _outline(axes, shown.prediction, shown.spacing, PREDICTION_COLOUR, "dashed")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    _letters_and_bar(axes, width, height)
    file = io.BytesIO()
    figure.savefig(file, format="jpg", pil_kwargs={"quality": 88})
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _outline(axes: "Axes", mask: np.ndarray, spacing: Tuple[float, float], colour: str, style: str) -> None:
    if not mask.any():
        return
    padded = np.pad(mask, 1).astype(float)
    x = (np.arange(padded.shape[1]) - 0.5) * spacing[0]
    y = (np.arange(padded.shape[0]) - 0.5) * spacing[1]
    axes.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=1.3, linestyles=style)


def _letters_and_bar(axes: "Axes", width: float, height: float) -> None:
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=2, foreground="black")]
    for text, x, y in (("R", 0.03, 0.5), ("L", 0.97, 0.5), ("A", 0.5, 0.96), ("P", 0.5, 0.04)):
        axes.text(
            x, y, text, transform=axes.transAxes, color="white", fontsize=9, weight="bold", ha="center",
            va="center", path_effects=rim,
        )  # fmt: skip
    length = 50.0 if width > 150 else 20.0
    right, bottom = width * 0.96, height * 0.95
    axes.plot([right - length, right], [bottom, bottom], color="white", linewidth=2, path_effects=rim)
    axes.text(
        right - length / 2, bottom - 0.015 * height, f"{length / 10:.0f} cm", color="white", fontsize=8,
        ha="center", va="bottom", path_effects=rim,
    )  # fmt: skip
