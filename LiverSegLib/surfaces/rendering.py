"""A picture of the surfaces without a window, drawn in a child process.

OpenGL libraries that are missing or broken can end a process, and it shall not be the caller's. So the
surfaces go to a child through its standard input and the picture comes back through its standard output; no
file is made.
"""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from LiverSegLib.errors import CancelledError, OutputError, UsageError
from LiverSegLib.labels import LABELS
from LiverSegLib.sentences import Sentence
from LiverSegLib.whole_file import write_whole

VIEWS: Dict[str, Tuple[Tuple[float, float, float], Tuple[float, float, float]]] = {
    "anterior": ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
    "posterior": ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "right": ((-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "left": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "superior": ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0)),
    "inferior": ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0)),
    "oblique": ((-0.62, -0.72, 0.32), (0.0, 0.0, 1.0)),
}
"""Name of a view -> where the eye stands seen from the centre, and which way is up (LPS)."""

BACKGROUNDS: Dict[str, Tuple[Tuple[float, float, float], Tuple[float, float, float]]] = {
    "white": ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "dark": ((0.09, 0.10, 0.12), (0.19, 0.21, 0.24)),
}
"""Name -> colour at the bottom and at the top of the picture."""

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


def render(
    surfaces: Mapping[str, Any],
    path: Optional[Union[str, os.PathLike]] = None,
    *,
    size: Tuple[int, int] = (1600, 760),
    views: Sequence[str] = ("anterior", "oblique"),
    background: str = "white",
    cancel: Callable[[], bool] = lambda: False,
) -> bytes:
    """Draw the surfaces and return the picture as PNG; write it to ``path`` as well if that is given.

    Args:
        surfaces: label key ("liver", "spleen", "tumour") -> vtkPolyData in LPS mm; None as a value is left
        out.
        path: where to write the PNG (atomically), or None.
        size: width and height of the whole picture in pixels; the views stand side by side.
        views: names out of VIEWS.
        background: name out of BACKGROUNDS.
        cancel: asked while the picture is drawn; True gives it up at once.

    Raises:
        CancelledError: ``cancel`` said so; nothing was written.
        UsageError: unknown view or background, or nothing to draw.
        OutputError: this machine cannot draw (no OpenGL library, say), or the file cannot be written.
    """
    unknown = [name for name in views if name not in VIEWS]
    if unknown or not views:
        raise UsageError(f"Unknown view {unknown}. Available: {', '.join(VIEWS)}.")
    if background not in BACKGROUNDS:
        raise UsageError(f'Unknown background "{background}". Available: {", ".join(BACKGROUNDS)}.')
    drawn = {key: mesh for key, mesh in surfaces.items() if mesh is not None and mesh.GetNumberOfPolys()}
    if not drawn:
        raise UsageError("There is nothing to draw: every mask is empty.")
    scene = _pack_scene(drawn, size, views, background)
    png = _draw_in_child(scene, cancel)
    if path is not None:
        write_whole(Path(path), png, "write.file")
    return png


def _pack_scene(
    surfaces: Mapping[str, Any], size: Tuple[int, int], views: Sequence[str], background: str
) -> bytes:
    """All that the child needs, as the bytes of an uncompressed .npz."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    colours = {info.key: info.colour for info in LABELS.values()}
    arrays: Dict[str, np.ndarray] = {
        "keys": np.asarray(list(surfaces)),
        "size": np.asarray(size, dtype=np.int64),
        "eyes": np.asarray([VIEWS[name][0] for name in views]),
        "ups": np.asarray([VIEWS[name][1] for name in views]),
        "background": np.asarray(BACKGROUNDS[background]),
    }
    for number, (key, mesh) in enumerate(surfaces.items()):
        arrays[f"points{number}"] = vtk_to_numpy(mesh.GetPoints().GetData())
        arrays[f"normals{number}"] = vtk_to_numpy(mesh.GetPointData().GetNormals())
        arrays[f"triangles{number}"] = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).astype(np.int32)
        arrays[f"colour{number}"] = np.asarray(colours.get(key, (170, 170, 170))) / 255.0
        arrays[f"opacity{number}"] = np.asarray(OPACITY.get(key, 1.0))
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


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


def _feed(pipe: Any, content: bytes) -> None:
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
