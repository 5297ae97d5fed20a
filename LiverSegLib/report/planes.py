"""A scan and its mask laid out as radiologists look at them, whatever the direction matrix; nothing is
copied.

Slices are those of the scan's own grid that lie nearest to axial, coronal and sagittal: on an oblique scan
the pictures show what was acquired, and the letters at their borders say which way they point.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, NamedTuple, Tuple

import numpy as np
import SimpleITK as sitk

from ..images.grid import Grid, PatientOrder, check_same_grid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Layout(NamedTuple):
    """How a plane is shown. Patient axes: 0 L, 1 P, 2 S; ``rows_flipped``: the picture's top is the axis's
    high end."""

    normal: int
    rows: int
    rows_flipped: bool
    columns: int


PLANES: Dict[str, Layout] = {
    "axial": Layout(normal=2, rows=1, rows_flipped=False, columns=0),
    "coronal": Layout(normal=1, rows=2, rows_flipped=True, columns=0),
    "sagittal": Layout(normal=0, rows=2, rows_flipped=True, columns=1),
}
"""Radiological convention: axial from below with anterior up, coronal from the front, sagittal with anterior
at left."""

LETTER_SHARE = 0.35
"""A second letter is given if the direction has at least this share along another patient axis (20
degrees)."""


@dataclass(frozen=True)
class PatientView:
    """A scan and its mask as arrays whose axes are patient axes.

    Attributes:
        image, labels: views (S, P, L) of the voxels, each axis rising towards superior, posterior, left.
        order: leads from the grid of the images to that of the views.
        sources: the SimpleITK images, held because the arrays are views of their memory.
    """

    image: np.ndarray
    labels: np.ndarray
    order: PatientOrder
    sources: Tuple[sitk.Image, sitk.Image]

    @classmethod
    def of(cls, image: sitk.Image, labels: sitk.Image) -> "PatientView":
        """Lay out a scan and its mask.

        Raises:
            ImageGeometryError: the two do not lie on the same grid.
        """
        order = check_same_grid(labels, image).patient_order
        return cls(
            image=order.apply(sitk.GetArrayViewFromImage(image)),
            labels=order.apply(sitk.GetArrayViewFromImage(labels)),
            order=order,
            sources=(image, labels),
        )

    @property
    def grid(self) -> Grid:
        """The grid of the views; its axes x, y, z follow L, P, S."""
        return self.order.grid

    @property
    def spacing(self) -> Tuple[float, float, float]:
        """Spacing in mm along the patient axes (L, P, S)."""
        return self.grid.spacing

    def cut(self, plane: str, index: int) -> Tuple[np.ndarray, np.ndarray, Tuple[float, float]]:
        """Image slice, mask slice (rows, columns) as shown, and their spacing in mm (rows, columns)."""
        layout = PLANES[plane]
        parts = []
        for array in (self.image, self.labels):
            part = array.take(index, axis=2 - layout.normal)
            parts.append(part[::-1] if layout.rows_flipped else part)
        return parts[0], parts[1], (self.spacing[layout.rows], self.spacing[layout.columns])

    def slices(self, plane: str) -> int:
        """Number of slices in a plane's direction."""
        return self.image.shape[2 - PLANES[plane].normal]

    def file_slice(self, plane: str, index: int) -> int:
        """The slice's number in the scan itself, from 1."""
        mirrored = self.order.flips[PLANES[plane].normal]
        return (self.slices(plane) - 1 - index if mirrored else index) + 1

    def index_of(self, point: "ArrayLike") -> Tuple[float, float, float]:
        """Continuous index along L, P, S of a point in LPS mm."""
        x, y, z = self.grid.indices(np.asarray(point)).tolist()
        return x, y, z

    def place_in(self, plane: str, point: "ArrayLike") -> Tuple[float, float]:
        """Where a point (LPS mm) falls in a plane's picture: mm (row, column) from the centre of the first
        pixel."""
        layout, index = PLANES[plane], self.index_of(point)
        row = index[layout.rows]
        if layout.rows_flipped:
            row = self.image.shape[2 - layout.rows] - 1 - row
        return row * self.spacing[layout.rows], index[layout.columns] * self.spacing[layout.columns]

    def nearest_slice(self, plane: str, point: "ArrayLike") -> int:
        """Index of the slice that passes nearest to a point (LPS mm)."""
        index = int(round(self.index_of(point)[PLANES[plane].normal]))
        return min(max(index, 0), self.slices(plane) - 1)

    def letters(self, plane: str) -> Tuple[str, str, str, str]:
        """Patient directions at the left, right, top and bottom border of a plane's picture."""
        layout = PLANES[plane]
        right, down = self._direction(layout.columns), self._direction(layout.rows)
        if layout.rows_flipped:
            down = -down
        return _letters(-right), _letters(right), _letters(-down), _letters(down)

    def _direction(self, patient_axis: int) -> np.ndarray:
        """Unit vector (LPS) of the grid axis that follows a patient axis, pointing to its high end."""
        step = self.grid.steps[:, patient_axis]
        return step / np.linalg.norm(step)


def _letters(direction: np.ndarray) -> str:
    """Letters of the patient's directions that a unit vector (LPS) points to, the strongest first."""
    names = (("L", "R"), ("P", "A"), ("S", "I"))
    order = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    kept = [axis for place, axis in enumerate(order) if place == 0 or abs(direction[axis]) >= LETTER_SHARE]
    return "".join(names[axis][0 if direction[axis] > 0 else 1] for axis in kept)
