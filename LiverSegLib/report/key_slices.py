"""The key slices of a case: where the liver is largest, and through each of the largest lesions."""

from typing import Dict, NamedTuple, Sequence

import numpy as np

from ..images.grid import bounding_box
from ..labels import LIVER, TUMOUR
from ..measure.measurements import Lesion
from .planes import PLANES, PatientView


class KeySlices(NamedTuple):
    """Slice indices by plane name.

    Attributes:
        slices: plane -> index.
        has_liver: whether there is any liver; without, the slices are the middle ones.
    """

    slices: Dict[str, int]
    has_liver: bool


def largest_liver_slices(view: PatientView) -> KeySlices:
    """In each plane the slice with the largest area of liver (tumours included)."""
    middle = {plane: view.slices(plane) // 2 for plane in PLANES}
    box = bounding_box(view.labels)
    if box is None:
        return KeySlices(middle, False)
    part = view.labels[box]
    # One pass over slabs keeps the temporary arrays small.
    areas = [np.zeros(size, dtype=np.int64) for size in part.shape]
    for number, slab in enumerate(part):
        liver = (slab == LIVER) | (slab == TUMOUR)
        areas[0][number] = np.count_nonzero(liver)
        areas[1] += liver.sum(axis=1)
        areas[2] += liver.sum(axis=0)
    if not areas[0].any():
        return KeySlices(middle, False)
    return KeySlices(
        {
            plane: int(np.argmax(areas[2 - layout.normal])) + box[2 - layout.normal].start
            for plane, layout in PLANES.items()
        },
        True,
    )


def middle_of(lesion: Lesion) -> np.ndarray:
    """Middle (3,) of the lesion's longest diameter, LPS mm: it lies in the slice that was measured."""
    return np.asarray(lesion.longest_ends, dtype=float).mean(axis=0)


def shown_lesions(lesions: Sequence[Lesion], most: int) -> Sequence[Lesion]:
    """The largest lesions, at most so many, in the table's order."""
    return sorted(lesions, key=lambda lesion: lesion.number)[:most]
