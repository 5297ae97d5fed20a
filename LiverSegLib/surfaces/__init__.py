"""Smooth surfaces of organs and tumours, mesh files and headless pictures. The one room that uses vtk.

vtk is imported inside the functions, so importing this package costs nothing and works where vtk is absent.
"""

from LiverSegLib.surfaces.files import MESH_FORMATS, write_mesh
from LiverSegLib.surfaces.inside import kept_inside
from LiverSegLib.surfaces.meshing import surface, surface_arrays, surface_volume
from LiverSegLib.surfaces.rendering import VIEWS, render
from LiverSegLib.surfaces.seal import grid_hash, refuse_to_replace

__all__ = [
    "MESH_FORMATS",
    "VIEWS",
    "grid_hash",
    "kept_inside",
    "refuse_to_replace",
    "render",
    "surface",
    "surface_arrays",
    "surface_volume",
    "write_mesh",
]
