"""The way from a place in one scan of a patient to the same place in another, and back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import Grid

INVERSE_STEPS = 30
"""Steps of the inverse at most; deformations that are sane end after about ten."""
INVERSE_MM = 0.05
"""The inverse has come close enough, mm."""


@dataclass(frozen=True)
class Deformation:
    """A displacement at each voxel of a coarse grid; between voxels it is linear, beyond the grid as at its
    edge.

    Attributes:
        grid: along the patient's axes, in the reference scan's space.
        displacement: mm (LPS) to go from a place of the reference to the same place of the other scan,
            float (z, y, x, 3).
    """

    grid: Grid
    displacement: np.ndarray

    @classmethod
    def none(cls, grid: Grid) -> "Deformation":
        """Return the deformation that leaves each place where it is."""
        return cls(grid, np.zeros((*grid.shape, 3)))

    @classmethod
    def of(cls, transform: sitk.Transform, grid: Grid) -> "Deformation":
        """Return a transform, from points of the reference to those of the other scan, sampled on a grid."""
        field = sitk.TransformToDisplacementField(
            transform, sitk.sitkVectorFloat64, grid.size, grid.origin, grid.spacing, grid.direction
        )
        return cls(grid, sitk.GetArrayFromImage(field))

    def forward(self, points: npt.ArrayLike) -> np.ndarray:
        """Return where points of the reference, LPS mm (n, 3), lie in the other scan."""
        places = np.asarray(points, dtype=float).reshape(-1, 3)
        indices = self.grid.indices(places).T[::-1]
        moved = [
            ndimage.map_coordinates(self.displacement[..., axis], indices, order=1, mode="nearest")
            for axis in range(3)
        ]
        return places + np.stack(moved, axis=1)

    def inverse(self, points: npt.ArrayLike) -> np.ndarray:
        """Return where points of the other scan, LPS mm (n, 3), lie in the reference.

        By fixed-point iteration (Chen et al., Med Phys 2008;35:81-88, doi:10.1118/1.2816107).
        """
        wanted = np.asarray(points, dtype=float).reshape(-1, 3)
        found = wanted.copy()
        for _ in range(INVERSE_STEPS):
            away = wanted - self.forward(found)
            found += away
            if not len(away) or np.abs(away).max() < INVERSE_MM:
                break
        return found

    def transform(self) -> sitk.Transform:
        """Return the deformation as SimpleITK's resampling takes it."""
        field = sitk.GetImageFromArray(self.displacement, isVector=True)
        field.SetSpacing(self.grid.spacing)
        field.SetOrigin(self.grid.origin)
        field.SetDirection(self.grid.direction)
        return sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))

    def volume_change(self) -> np.ndarray:
        """Return the determinant of the Jacobian at each voxel, float (z, y, x): how many times as large a
        bit of tissue there is in the other scan; zero or less where the deformation folds."""
        steps = self.grid.spacing[::-1]
        jacobian = np.empty((*self.grid.shape, 3, 3))
        for component in range(3):
            slopes = np.gradient(self.displacement[..., component], *steps)
            for axis in range(3):  # slopes run along z, y, x
                jacobian[..., component, axis] = slopes[2 - axis] + (component == axis)
        return np.linalg.det(jacobian)
