"""Which lesion of the table is seen where in a slice."""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..images.grid import bounding_box
from ..labels import TUMOUR
from ..masks.components import box_within
from ..measure.measurements import Lesion
from .planes import PLANES, PatientView

_CORNERS_3D = np.ones((3, 3, 3))
_CORNERS_2D = np.ones((3, 3))


@dataclass(frozen=True)
class LesionNumbers:
    """Lesion number of each tumour voxel, 0 for none.

    Attributes:
        array: int32 (S, P, L), cut to the labelled part of the scan.
        start: index (S, P, L) of its first voxel.
    """

    array: np.ndarray
    start: Tuple[int, int, int]

    @classmethod
    def of(cls, view: PatientView, lesions: Sequence[Lesion]) -> Optional["LesionNumbers"]:
        """Find each measured lesion among the components of the tumour label; None if there are none."""
        box = bounding_box(view.labels)
        if box is None or not lesions:
            return None
        tumour = view.labels[box] == TUMOUR
        inner = bounding_box(tumour)
        if inner is None:
            return None
        box = box_within(box, inner)
        components, count = ndimage.label(tumour[inner], structure=_CORNERS_3D)
        start = tuple(side.start for side in box)
        voxels = np.nonzero(components)
        owners = components[voxels]
        sizes = np.bincount(owners, minlength=count + 1)[1:]
        sums = [np.bincount(owners, weights=places, minlength=count + 1)[1:] for places in voxels]
        centres = np.stack([total / sizes for total in sums], axis=1) + start
        translation = np.zeros(count + 1, dtype=np.int32)
        spacing = np.asarray(view.spacing[::-1])
        for lesion in lesions:
            wanted = np.asarray(view.index_of(lesion.centre)[::-1])
            apart = np.linalg.norm((centres - wanted) * spacing, axis=1)
            apart = np.where((sizes == lesion.voxels) | (lesion.voxels == 0), apart, apart + 1e4)
            found = int(np.argmin(np.where(translation[1:] == 0, apart, np.inf)))
            if translation[found + 1] == 0:
                translation[found + 1] = lesion.number
        return cls(translation[components], start)

    def in_slice(
        self, mask: np.ndarray, view: PatientView, plane: str, index: int
    ) -> List[Tuple[int, Tuple[int, int]]]:
        """Number of each lesion in a slice and the pixel (row, column) of its largest part that lies
        uppermost right.

        Args:
            mask: the label slice as ``view.cut`` returns it.
            view, plane, index: where it was cut.
        """
        layout = PLANES[plane]
        numbers = np.zeros(mask.shape, dtype=np.int32)
        axis = 2 - layout.normal
        local = index - self.start[axis]
        if not 0 <= local < self.array.shape[axis]:
            return []
        part = self.array.take(local, axis=axis)
        rest = [place for number, place in enumerate(self.start) if number != axis]
        row = mask.shape[0] - rest[0] - part.shape[0] if layout.rows_flipped else rest[0]
        shown = part[::-1] if layout.rows_flipped else part
        numbers[row : row + part.shape[0], rest[1] : rest[1] + part.shape[1]] = shown
        return [(int(number), _upper_right(numbers == number)) for number in np.unique(numbers) if number]


def _upper_right(mask: np.ndarray) -> Tuple[int, int]:
    """Pixel (row, column) of the largest connected part that lies furthest to the upper right."""
    parts, _ = ndimage.label(mask, structure=_CORNERS_2D)
    rows, columns = np.nonzero(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])))
    corner = int(np.argmax(columns - rows))
    return int(rows[corner]), int(columns[corner])
