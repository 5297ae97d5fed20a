"""Points and triangles as vtk's data; apart from ``meshing`` for the child process that draws, which needs no
SimpleITK and starts sooner without it."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData


def triangle_mesh(points: np.ndarray, triangles: np.ndarray) -> "vtkPolyData":
    """vtkPolyData of points (n, 3), kept as float32, and triangles (m, 3); both are copied."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    locations = vtkPoints()
    locations.SetData(numpy_to_vtk(points.astype(np.float32), deep=True))
    cells = vtkCellArray()
    offsets = np.arange(0, 3 * len(triangles) + 1, 3, dtype=np.int64)
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_to_vtkIdTypeArray(np.ascontiguousarray(triangles, dtype=np.int64).ravel(), deep=True),
    )
    polydata = vtkPolyData()
    polydata.SetPoints(locations)
    polydata.SetPolys(cells)
    return polydata
