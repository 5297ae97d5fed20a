"""Volumes of what a model finds beyond liver, spleen and tumours, up to a thousand structures in one pass."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from ..errors import InputError
from ..images.grid import Grid
from ..labels import LIVER
from ..sentences import Sentence
from ..structures import Structure, Structures


@dataclass(frozen=True)
class StructureVolume:
    """How large a structure is.

    Attributes:
        structure: what it is.
        voxels: how many it has; 0 if it was not found.
        volume_ml: voxels times voxel volume.
        liver_percent: its share of the liver with its tumours, of a part of the liver; None for others.
        truncated: it reaches the border of the scan: the volume is a lower bound.
    """

    structure: Structure
    voxels: int
    volume_ml: float
    liver_percent: Optional[float] = None
    truncated: bool = False

    def to_dict(self) -> Dict[str, Any]:
        """Return it as JSON-ready data, with units in the keys."""
        return {
            **self.structure.to_dict(),
            "voxels": self.voxels,
            "volume_ml": self.volume_ml,
            "liver_percent": self.liver_percent,
            "truncated": self.truncated,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "StructureVolume":
        """Return what :meth:`to_dict` made JSON of.

        Raises:
            InputError: a part is missing or of the wrong kind.
        """
        try:
            share = data["liver_percent"]
            return cls(
                Structure.from_dict(dict(data)),
                int(data["voxels"]),
                float(data["volume_ml"]),
                None if share is None else float(share),
                bool(data["truncated"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(Sentence("result.measurements-incomplete"), details=repr(error)) from error


def measure_structures(structures: Structures, grid: Grid, liver_ml: float) -> Tuple[StructureVolume, ...]:
    """Measure the volume of each structure of a table, found or not, in the table's order.

    Args:
        structures: a mask on the grid, and its table.
        grid: of the scan.
        liver_ml: volume of the liver with its tumours, of which parts of it are a share.

    >>> left = Structure(2, "kidney_left", "Kidney left", (200, 80, 80))
    >>> mask = np.zeros((3, 4, 5), np.uint8)
    >>> mask[1, 1:3, 1:4] = 2
    >>> grid = Grid((5, 4, 3), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))
    >>> measure_structures(Structures(mask, (left,)), grid, 0.0)[0].volume_ml
    6.0
    """
    labels = structures.labels
    most = max((item.value for item in structures.table), default=0)
    counts, at_border = _counts(labels, most), np.zeros(most + 1, np.int64)
    for axis in range(3):
        for side in (0, -1):
            at_border += _counts(labels.take(side, axis)[None], most)
    parts = []
    for item in structures.table:
        voxels = int(counts[item.value])
        ml = voxels * grid.voxel_ml
        share = 100.0 * ml / liver_ml if item.label == LIVER and liver_ml > 0 else None
        parts.append(StructureVolume(item, voxels, ml, share, bool(at_border[item.value])))
    return tuple(parts)


def _counts(labels: np.ndarray, most: int) -> np.ndarray:
    """Voxels of each value 0..most of a mask (z, y, x); by slices, as bincount makes 64-bit copies."""
    total = np.zeros(most + 1, np.int64)
    for plane in labels:
        total += np.bincount(plane.ravel(), minlength=most + 1)[: most + 1]
    return total
