"""The child process that draws: a scene (.npz) on standard input, a PNG on standard output.

Run by ``rendering`` as ``python -m LiverSegLib.surfaces.draw``; exit status 0 means that a picture was
written.
"""

import io
import os
import sys
from typing import Any, List, Tuple

import numpy as np

SUPERSAMPLING = 2
"""The picture is drawn this many times larger and averaged down."""

MARGIN = 1.07
"""Room around the surfaces, as a factor."""

VEIL_GAP_MM = 1.2
"""Translucent organs are drawn this much larger, so that a tumour at the surface is seen through an even
veil."""

RIM_SHADER = """//VTK::Light::Impl
  float rim = 1.0 - abs(normalize(normalVCVSOutput).z);
  fragOutput0.a = clamp(fragOutput0.a + 0.55 * rim * rim, 0.0, 1.0);
"""
"""Translucent organs grow opaque towards their outline, as glass does: the shape is read, the inside is
seen."""

MARKER_COLOUR = (0.42, 0.45, 0.50)
"""Grey of the orientation letters: legible on white and on dark."""


def main() -> int:
    """Draw what stands on standard input."""
    output = _claim_stdout()
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as scene:
        picture = draw(scene)
    output.write(picture)
    output.flush()
    return 0


def draw(scene: Any) -> bytes:
    """PNG of a scene as ``rendering`` packs it."""
    from PIL import Image
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

    window = _build_window(scene)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.SetInputBufferTypeToRGB()
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1]
    if pixels.min() == pixels.max():
        raise RuntimeError("OpenGL drew an empty picture.")
    size = tuple(int(value) for value in scene["size"])
    small = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _build_window(scene: Any) -> Any:
    import vtkmodules.vtkRenderingFreeType  # noqa: F401  (registers the text renderer)
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers OpenGL)
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(
        0
    )  # with multisampling, software OpenGL drops translucent surfaces under depth peeling
    window.SetAlphaBitPlanes(1)
    width, height = (int(value) * SUPERSAMPLING for value in scene["size"])
    window.SetSize(width, height)
    actors, bounds = _actors(scene)
    count = len(scene["eyes"])
    for number in range(count):
        renderer = vtkRenderer()
        renderer.SetViewport(number / count, 0.0, (number + 1) / count, 1.0)
        bottom, top = scene["background"]
        renderer.SetBackground(*bottom)
        renderer.SetBackground2(*top)
        renderer.GradientBackgroundOn()
        renderer.SetUseDepthPeeling(1)
        renderer.SetMaximumNumberOfPeels(12)
        renderer.SetOcclusionRatio(0.0)
        for actor in actors:
            renderer.AddActor(actor)
        window.AddRenderer(renderer)
        aspect = width / count / height
        right, up = _place_camera(renderer, scene["eyes"][number], scene["ups"][number], bounds, aspect)
        _add_lights(renderer)
        _add_letters(renderer, right, up, height)
    return window


def _actors(scene: Any) -> Tuple[List[Any], np.ndarray]:
    """One actor for each surface, and all points' convex hull candidates (n, 3) for framing."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    actors, clouds = [], []
    for number in range(len(scene["keys"])):
        points = scene[f"points{number}"]
        triangles = scene[f"triangles{number}"].astype(np.int64)
        clouds.append(points)
        opacity = float(scene[f"opacity{number}"])
        if opacity < 1.0:
            points = (points + VEIL_GAP_MM * scene[f"normals{number}"]).astype(np.float32)
        locations = vtkPoints()
        locations.SetData(numpy_to_vtk(points, deep=True))
        cells = vtkCellArray()
        cells.SetData(
            numpy_to_vtkIdTypeArray(np.arange(0, len(triangles) + 1, 3, dtype=np.int64), deep=True),
            numpy_to_vtkIdTypeArray(triangles, deep=True),
        )
        mesh = vtkPolyData()
        mesh.SetPoints(locations)
        mesh.SetPolys(cells)
        normals = vtkPolyDataNormals()
        normals.SetInputData(mesh)
        normals.SplittingOff()
        normals.ConsistencyOff()
        mapper = vtkPolyDataMapper()
        mapper.SetInputConnection(normals.GetOutputPort())
        mapper.ScalarVisibilityOff()
        actor = vtkActor()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetColor(*scene[f"colour{number}"])
        look.SetOpacity(opacity)
        look.SetAmbient(0.22)
        look.SetDiffuse(0.80)
        look.SetSpecular(0.16)
        look.SetSpecularPower(22.0)
        look.SetInterpolationToPhong()
        if opacity < 1.0:
            look.BackfaceCullingOn()  # only the wall that faces the eye: tumours are veiled once, not twice
            actor.GetShaderProperty().AddFragmentShaderReplacement(
                "//VTK::Light::Impl", False, RIM_SHADER, False
            )
        actors.append(actor)
    return actors, np.concatenate(clouds)


def _place_camera(
    renderer: Any, eye: np.ndarray, up: np.ndarray, points: np.ndarray, aspect: float
) -> Tuple[np.ndarray, np.ndarray]:
    """Fit all points into a parallel view; return the picture's right and up directions (LPS)."""
    forward = -np.asarray(eye) / np.linalg.norm(eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    across, along, depth = points @ right, points @ up, points @ forward
    centre = (
        right * (across.min() + across.max()) / 2
        + up * (along.min() + along.max()) / 2
        + forward * (depth.min() + depth.max()) / 2
    )
    reach = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0))) + 1.0
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*centre)
    camera.SetPosition(*(centre - forward * 2 * reach))
    camera.SetViewUp(*up)
    camera.SetParallelScale(0.5 * MARGIN * 1.12 * max(np.ptp(along), np.ptp(across) / aspect, 1.0))
    camera.SetClippingRange(0.5 * reach, 4.0 * reach)
    return right, up


def _add_lights(renderer: Any) -> None:
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


def _add_letters(renderer: Any, right: np.ndarray, up: np.ndarray, height: int) -> None:
    """R, L, A, P, S, I at the four borders of the view."""
    from vtkmodules.vtkRenderingCore import vtkTextActor

    places = (((0.975, 0.5), right), ((0.025, 0.5), -right), ((0.5, 0.965), up), ((0.5, 0.035), -up))
    for (x, y), direction in places:
        text = vtkTextActor()
        text.SetInput(orientation_letter(direction))
        style = text.GetTextProperty()
        style.SetFontFamilyToArial()
        style.BoldOn()
        style.SetFontSize(max(12, height // 34))
        style.SetColor(*MARKER_COLOUR)
        style.SetJustificationToCentered()
        style.SetVerticalJustificationToCentered()
        text.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        text.SetPosition(x, y)
        renderer.AddViewProp(text)


def orientation_letter(direction: np.ndarray) -> str:
    """Letters of the patient's directions that ``direction`` (LPS) points to, the strongest first."""
    names = (("L", "R"), ("P", "A"), ("S", "I"))
    order = np.argsort(-np.abs(direction))
    strongest = abs(direction[order[0]])
    return "".join(
        names[k][0 if direction[k] > 0 else 1] for k in order if abs(direction[k]) > 0.5 * strongest
    )


def _claim_stdout() -> Any:
    """Keep standard output for the picture alone: what OpenGL drivers print goes to standard error."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


if __name__ == "__main__":
    sys.exit(main())
