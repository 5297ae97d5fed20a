"""Smooth surfaces of organs and tumours, mesh files and headless pictures. The one room that uses vtk.

vtk is imported inside the functions, so importing this package costs nothing and works where vtk is absent.
"""

from .files import MESH_FORMATS, write_mesh
from .inside import kept_inside
from .meshing import surface, surface_arrays
from .rendering import render
from .seal import grid_hash, refuse_to_replace

__all__ = [
    "MESH_FORMATS",
    "grid_hash",
    "kept_inside",
    "refuse_to_replace",
    "render",
    "surface",
    "surface_arrays",
    "write_mesh",
]
