"""A picture of the surfaces without a window, drawn in a child process.

OpenGL libraries that are missing or broken can end a process, and it shall not be the caller's. So the
surfaces go to a child through its standard input and the picture comes back through its standard output; no
file is made.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Callable, Dict, List, Mapping

import numpy as np

from ..errors import CancelledError, OutputError, UsageError
from ..labels import LABELS
from ..sentences import Sentence
from .meshing import surface_arrays
from .scene import Body, packed

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

SIZE = (1600, 760)
"""Width and height of the picture in pixels; the views of ``draw`` stand side by side in it."""

TIME_LIMIT_S = 120.0
"""A picture takes one or two seconds; a driver that hangs is given up after this."""
CANCEL_EVERY_S = 0.1
"""So often it is asked whether to go on."""
DRAWER = ("-m", "LiverSegLib.surfaces.draw")
"""What the child runs."""

WINDOW_CLASSES = ("", "vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")
"""Kinds of OpenGL tried in this order: vtk's own choice, EGL (GPU or Mesa), OSMesa (software)."""

OPACITY = {"liver": 0.42, "spleen": 1.0, "tumour": 1.0}
"""The liver is translucent so that tumours inside it are seen."""


def render(surfaces: "Mapping[str, vtkPolyData]", *, cancel: Callable[[], bool] = lambda: False) -> bytes:
    """Draw the surfaces and return the picture as PNG.

    Args:
        surfaces: label key ("liver", "spleen", "tumour") -> vtkPolyData in LPS mm, as ``organ_surfaces``
            returns them.
        cancel: asked while the picture is drawn; True gives it up at once.

    Raises:
        CancelledError: ``cancel`` said so.
        UsageError: there is nothing to draw.
        OutputError: this machine cannot draw (no OpenGL library, say).
    """
    if not surfaces:
        raise UsageError("There is nothing to draw: every mask is empty.")
    return _draw_in_child(packed((_body(key, mesh) for key, mesh in surfaces.items()), SIZE), cancel)


def _body(key: str, mesh: "vtkPolyData") -> Body:
    """A surface with the colour and opacity of its label."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    colour = next((info.colour for info in LABELS.values() if info.key == key), (170, 170, 170))
    points, triangles = surface_arrays(mesh)
    normals = vtk_to_numpy(mesh.GetPointData().GetNormals())
    look = np.append(np.asarray(colour) / 255.0, OPACITY.get(key, 1.0))
    return Body(points, normals, triangles.astype(np.int32), look)


def _draw_in_child(scene: bytes, cancel: Callable[[], bool]) -> bytes:
    """Try one kind of OpenGL after the other until a child returns a PNG."""
    complaints: List[str] = []
    for window_class in WINDOW_CLASSES:
        try:
            result = _run(scene, _child_environment(window_class), cancel)
        except (OSError, subprocess.TimeoutExpired) as error:
            complaints.append(f"{window_class or 'default'}: {error}")
            continue
        if result.returncode == 0 and result.stdout.startswith(b"\x89PNG"):
            return result.stdout
        tail = result.stderr.decode("utf-8", "replace").strip()[-600:]
        complaints.append(f"{window_class or 'default'}: exit status {result.returncode}; {tail}")
    raise OutputError(Sentence("write.no-opengl"), "\n".join(complaints))


def _run(
    scene: bytes, environment: Mapping[str, str], cancel: Callable[[], bool]
) -> "subprocess.CompletedProcess[bytes]":
    """Run the child to its end; it is killed when it takes too long or ``cancel`` says so."""
    process = subprocess.Popen(
        [sys.executable, *DRAWER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
    )
    # fed by a thread: communicate, called again after a timeout, sends no more of what was to be sent
    pipe, process.stdin = process.stdin, None
    threading.Thread(target=_feed, args=(pipe, scene), daemon=True).start()
    end = time.monotonic() + TIME_LIMIT_S
    with process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=CANCEL_EVERY_S)
                    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
                except subprocess.TimeoutExpired:
                    if cancel():
                        raise CancelledError(Sentence("failed.cancelled")) from None
                    if time.monotonic() > end:
                        raise
        finally:
            process.kill()  # without effect on one that has ended


def _feed(pipe: IO[bytes], content: bytes) -> None:
    try:
        with pipe:
            pipe.write(content)
    except OSError:
        pass  # the child has ended, which its exit status tells


def _child_environment(window_class: str) -> Dict[str, str]:
    """This process's environment, in which the child finds this package and uses one kind of window."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
    if window_class:
        environment["VTK_DEFAULT_OPENGL_WINDOW"] = window_class
    return environment
