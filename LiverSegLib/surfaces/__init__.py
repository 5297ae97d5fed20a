"""Smooth surfaces of organs and tumours, mesh files and headless pictures. The one room that uses vtk.

vtk is imported inside the functions, and the files of this package when something in them is asked for. So
importing the package costs nothing and works where vtk is absent, and the child process that draws, which
starts for every picture, loads neither SimpleITK nor scipy.
"""

import importlib
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
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

_FILES = {
    "MESH_FORMATS": "files",
    "grid_hash": "seal",
    "kept_inside": "inside",
    "refuse_to_replace": "seal",
    "render": "rendering",
    "surface": "meshing",
    "surface_arrays": "meshing",
    "write_mesh": "files",
}
"""Which file of this package has what."""


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)


def __dir__() -> List[str]:
    return sorted(__all__)
