"""Which voxels of a grid lie within a closed surface."""

import numpy as np

from ..images.grid import Grid


def voxels_inside(points: np.ndarray, triangles: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the voxels, bool (z, y, x), whose centres lie within a closed surface.

    Args:
        points: (n, 3) LPS mm. triangles: (m, 3) indices of points.
        grid: oblique, sheared and left-handed ones too: the surface is looked at in its indices.
    """
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

    from .meshing import triangle_mesh

    result = np.zeros(grid.shape, bool)
    if not len(triangles):
        return result
    indices = grid.indices(np.asarray(points, float))
    low = np.maximum(np.floor(indices.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(indices.max(axis=0)).astype(int) + 1, np.array(grid.size) - 1)
    if (low > high).any():
        return result
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(triangle_mesh(indices, triangles))
    stencil.SetOutputSpacing(1.0, 1.0, 1.0)
    stencil.SetOutputOrigin(0.0, 0.0, 0.0)
    stencil.SetOutputWholeExtent(*(int(edge) for pair in zip(low, high) for edge in pair))
    drawn = vtkImageStencilToImage()
    drawn.SetInputConnection(stencil.GetOutputPort())
    drawn.SetInsideValue(1)
    drawn.SetOutsideValue(0)
    drawn.SetOutputScalarTypeToUnsignedChar()
    drawn.Update()
    image = drawn.GetOutput()
    mask = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    z, y, x = (slice(first, last + 1) for first, last in zip(low[::-1], high[::-1]))
    result[z, y, x] = mask.astype(bool)
    return result
