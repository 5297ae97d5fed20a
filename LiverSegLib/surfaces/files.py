"""Mesh files: STL, OBJ and PLY, in LPS millimetres, written beside their place and then renamed into it."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Union

from ..errors import OutputError, UsageError
from .seal import UNKNOWN, seal, unsealed

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData
    from vtkmodules.vtkIOGeometry import vtkOBJWriter, vtkSTLWriter
    from vtkmodules.vtkIOPLY import vtkPLYWriter

COORDINATES = "LiverSeg surface; coordinate system LPS (left, posterior, superior positive); unit mm"
"""Written into the file where the format has room for a comment."""

STL_HEADER = "LiverSeg surface; SPACE=LPS; unit mm"
"""The header of an STL file has 80 bytes: this, the grid and the seal."""


def write_mesh(
    path: Union[str, "os.PathLike[str]"], polydata: "Optional[vtkPolyData]", grid: str = UNKNOWN
) -> Path:
    """Write a surface as .stl (binary), .obj or .ply (binary); an existing file is replaced only when all is
    well. The file is sealed, so that ``refuse_to_replace`` knows it again.

    Args:
        path: where to write; the ending chooses the format.
        polydata: a vtkPolyData of triangles in LPS mm, or None, as ``surface`` returns it.
        grid: ``grid_hash`` of the mask that it was made from.

    Returns:
        The path written.

    Raises:
        UsageError: another file name ending, or there is no surface to write.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    write = MESH_FORMATS.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            f'"{path.name}" names no mesh format; use a name that ends in {", ".join(sorted(MESH_FORMATS))}.'
        )
    if polydata is None or not polydata.GetNumberOfPolys():
        raise UsageError("There is no surface to write: the mask is empty.")
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=path.suffix.lower(), dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"The mesh {path} cannot be written.", str(error)) from error
    try:
        write(temporary, polydata, grid)
        seal(temporary)
        _make_readable(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"The mesh {path} cannot be written.", str(error)) from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    return path


def _make_readable(path: str) -> None:
    """Give the file the rights a newly created file has (temporary files are private)."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)


def _write_stl(path: str, polydata: "vtkPolyData", grid: str) -> None:
    from vtkmodules.vtkIOGeometry import vtkSTLWriter

    writer = vtkSTLWriter()
    writer.SetFileTypeToBinary()
    # VTK fills what the text leaves of the header with blanks.
    writer.SetHeader(unsealed(STL_HEADER, grid))
    _run(writer, path, polydata)


def _write_ply(path: str, polydata: "vtkPolyData", grid: str) -> None:
    from vtkmodules.vtkIOPLY import vtkPLYWriter

    writer = vtkPLYWriter()
    writer.SetFileTypeToBinary()
    writer.AddComment(unsealed(COORDINATES, grid))
    _run(writer, path, polydata)


def _write_obj(path: str, polydata: "vtkPolyData", grid: str) -> None:
    from vtkmodules.vtkIOGeometry import vtkOBJWriter

    _run(vtkOBJWriter(), path, polydata)
    body = Path(path).read_bytes()
    Path(path).write_bytes(f"# {unsealed(COORDINATES, grid)}\n".encode("ascii") + body)


def _run(
    writer: "Union[vtkOBJWriter, vtkPLYWriter, vtkSTLWriter]", path: str, polydata: "vtkPolyData"
) -> None:
    """Run a vtk writer, which reports failure by an error code only, and raise OSError in its place."""
    from vtkmodules.vtkCommonCore import vtkCommand

    messages: List[str] = []
    writer.AddObserver(vtkCommand.ErrorEvent, lambda *_: messages.append("vtk reported an error"))
    writer.SetFileName(path)
    writer.SetInputData(polydata)
    succeeded = writer.Write()
    if not succeeded or writer.GetErrorCode() or messages or not os.path.getsize(path):
        raise OSError(f"{writer.GetClassName()} failed with code {writer.GetErrorCode()} {messages}")


MESH_FORMATS: Dict[str, Callable[[str, "vtkPolyData", str], None]] = {
    ".stl": _write_stl,
    ".obj": _write_obj,
    ".ply": _write_ply,
}
"""File name ending -> the function that writes it."""
