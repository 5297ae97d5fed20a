"""The child process that draws: a scene (see ``scene``) on standard input, a PNG on standard output.

Run by ``rendering`` as ``python -m LiverSegLib.surfaces.draw``; exit status 0 means that a picture was
written.
"""

import io
import os
import sys
from typing import IO, TYPE_CHECKING, NamedTuple, Sequence, Tuple

import numpy as np

from .scene import Body, unpacked
from .triangles import triangle_mesh

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer, vtkRenderWindow


class View(NamedTuple):
    """A view of the patient, with superior up.

    Attributes:
        eye: where the eye stands, seen from the centre (LPS).
        letters: the patient's directions at the left, right, top and bottom border.
    """

    eye: Tuple[float, float, float]
    letters: Tuple[str, str, str, str]


VIEWS = (
    View((0.0, -1.0, 0.0), ("R", "L", "S", "I")),
    View((-0.62, -0.72, 0.32), ("RP", "LA", "S", "I")),
)
"""The views, side by side: from the front, and from the front, right and above."""

SUPERSAMPLING = 2
"""The picture is drawn this many times larger and averaged down."""

PNG_LEVEL = 6
"""zlib's level for the picture: the highest takes five times as long and saves 4 % of the bytes."""

MARGIN = 1.07
"""Room around the surfaces, as a factor."""

ENLARGED_MM = 1.2
"""Translucent organs are drawn this much larger, so that a tumour at the surface is seen through an even
layer."""

RIM_SHADER = """//VTK::Light::Impl
  float rim = 1.0 - abs(normalize(normalVCVSOutput).z);
  fragOutput0.a = clamp(fragOutput0.a + 0.55 * rim * rim, 0.0, 1.0);
"""
"""Translucent organs grow opaque towards their outline, as glass does: the shape is read, the inside is
seen."""

LETTER_COLOUR = (0.42, 0.45, 0.50)
"""Grey of the orientation letters."""

LETTER_PLACES = ((0.025, 0.5), (0.975, 0.5), (0.5, 0.965), (0.5, 0.035))
"""Where the letters of a view stand, as parts of its width and height from the lower left."""


def main() -> int:
    """Draw what stands on standard input."""
    output = _claim_stdout()
    bodies, size = unpacked(sys.stdin.buffer.read())
    output.write(draw(bodies, size))
    output.flush()
    return 0


def draw(bodies: Sequence[Body], size: Tuple[int, int]) -> bytes:
    """PNG of surfaces, ``size`` pixels (width, height) large.

    Raises:
        RuntimeError: OpenGL drew nothing.
    """
    from PIL import Image
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    window = _build_window(bodies, size)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ShouldRerenderOff()  # it would draw all of it a second time
    grab.SetInputBufferTypeToRGB()
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1]
    if pixels.min() == pixels.max():
        raise RuntimeError("OpenGL drew an empty picture.")
    small = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "PNG", compress_level=PNG_LEVEL)
    return stream.getvalue()


def _build_window(bodies: Sequence[Body], size: Tuple[int, int]) -> "vtkRenderWindow":
    import vtkmodules.vtkRenderingFreeType  # noqa: F401  (registers the text renderer)
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers OpenGL)
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    # with multisampling, software OpenGL drops translucent surfaces under depth peeling
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(1)
    width, height = (value * SUPERSAMPLING for value in size)
    window.SetSize(width, height)
    actors = [_actor(body) for body in bodies]
    points = np.concatenate([body.points for body in bodies])
    count = len(VIEWS)
    for number, view in enumerate(VIEWS):
        renderer = vtkRenderer()
        renderer.SetViewport(number / count, 0.0, (number + 1) / count, 1.0)
        # a gradient (of one colour) is drawn, a plain background only cleared: edges blend with it otherwise
        renderer.SetBackground(1.0, 1.0, 1.0)
        renderer.SetBackground2(1.0, 1.0, 1.0)
        renderer.GradientBackgroundOn()
        renderer.SetUseDepthPeeling(1)
        renderer.SetMaximumNumberOfPeels(12)
        renderer.SetOcclusionRatio(0.0)
        for actor in actors:
            renderer.AddActor(actor)
        window.AddRenderer(renderer)
        _place_camera(renderer, view, points, width / count / height)
        _add_lights(renderer)
        _add_letters(renderer, view, height)
    return window


def _actor(body: Body) -> "vtkActor":
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    red, green, blue, opacity = body.look.tolist()
    points = body.points
    if opacity < 1.0:
        points = points + ENLARGED_MM * body.normals
    normals = vtkPolyDataNormals()
    normals.SetInputData(triangle_mesh(points, body.triangles))
    normals.SplittingOff()
    normals.ConsistencyOff()
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(normals.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetColor(red, green, blue)
    look.SetOpacity(opacity)
    look.SetAmbient(0.22)
    look.SetDiffuse(0.80)
    look.SetSpecular(0.16)
    look.SetSpecularPower(22.0)
    look.SetInterpolationToPhong()
    if opacity < 1.0:
        look.BackfaceCullingOn()  # only the wall that faces the eye: tumours are covered once, not twice
        actor.GetShaderProperty().AddFragmentShaderReplacement("//VTK::Light::Impl", False, RIM_SHADER, False)
    return actor


def _place_camera(renderer: "vtkRenderer", view: View, points: np.ndarray, aspect: float) -> None:
    """Fit all points, (n, 3) LPS mm, into a parallel view whose width is ``aspect`` times its height."""
    forward = -np.asarray(view.eye) / np.linalg.norm(view.eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    across, along, depth = points @ right, points @ up, points @ forward
    centre = (
        right * (across.min() + across.max()) / 2
        + up * (along.min() + along.max()) / 2
        + forward * (depth.min() + depth.max()) / 2
    )
    distance = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0))) + 1.0
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*centre)
    camera.SetPosition(*(centre - forward * 2 * distance))
    camera.SetViewUp(*up)
    camera.SetParallelScale(0.5 * MARGIN * 1.12 * max(np.ptp(along), np.ptp(across) / aspect, 1.0))
    camera.SetClippingRange(0.5 * distance, 4.0 * distance)


def _add_lights(renderer: "vtkRenderer") -> None:
    """A key light from the upper left of the viewer, a weaker fill from the right, a faint one from below."""
    from vtkmodules.vtkRenderingCore import vtkLight

    for position, intensity in (
        ((-0.6, 0.8, 1.0), 0.80),
        ((0.9, -0.2, 0.8), 0.40),
        ((-0.2, -0.9, 0.6), 0.24),
    ):
        light = vtkLight()
        light.SetLightTypeToCameraLight()
        light.SetPosition(*position)
        light.SetFocalPoint(0.0, 0.0, 0.0)
        light.SetIntensity(intensity)
        renderer.AddLight(light)


def _add_letters(renderer: "vtkRenderer", view: View, height: int) -> None:
    """Write the patient's directions at the four borders of a view, ``height`` pixels high."""
    from vtkmodules.vtkRenderingCore import vtkTextActor

    for letters, (x, y) in zip(view.letters, LETTER_PLACES):
        text = vtkTextActor()
        text.SetInput(letters)
        style = text.GetTextProperty()
        style.SetFontFamilyToArial()
        style.BoldOn()
        style.SetFontSize(max(12, height // 34))
        style.SetColor(*LETTER_COLOUR)
        style.SetJustificationToCentered()
        style.SetVerticalJustificationToCentered()
        text.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        text.SetPosition(x, y)
        renderer.AddViewProp(text)


def _claim_stdout() -> IO[bytes]:
    """Keep standard output for the picture alone: what OpenGL drivers print goes to standard error."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


if __name__ == "__main__":
    sys.exit(main())
