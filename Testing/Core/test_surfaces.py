"""Surfaces enclose what the voxels enclose, without steps, closed and facing outwards; meshes and pictures
come whole."""

import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("vtkmodules")

from PIL import Image  # noqa: E402
from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: E402
from vtkmodules.vtkFiltersCore import vtkFeatureEdges, vtkMassProperties, vtkPolyDataConnectivityFilter  # noqa: E402
from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader  # noqa: E402
from vtkmodules.vtkIOPLY import vtkPLYReader  # noqa: E402

from LiverSegLib import surfaces  # noqa: E402
from LiverSegLib.errors import CancelledError, OutputError, UsageError  # noqa: E402
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR  # noqa: E402
from LiverSegLib.surfaces import rendering  # noqa: E402
from LiverSegLib.surfaces.meshing import volume_of  # noqa: E402

THICK = (0.8, 0.8, 5.0)
VERY_THICK = (1.5, 1.5, 10.0)
OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.5, 0.8).GetMatrix()
LEFT_HANDED = (1, 0, 0, 0, 1, 0, 0, 0, -1)


def ellipsoid(semi_axes, spacing, value=LIVER, direction=None, origin=(0.0, 0.0, 0.0)):
    """Label image of an ellipsoid and its centre in mm along the image's axes."""
    size = [int(2 * semi / step) + 8 for semi, step in zip(semi_axes, spacing)]
    centre = [(n - 1) * step / 2 + 0.13 * step for n, step in zip(size, spacing)]
    z, y, x = np.ogrid[: size[2], : size[1], : size[0]]
    inside = sum(
        ((axis * step - c) / semi) ** 2 for axis, step, c, semi in zip((x, y, z), spacing, centre, semi_axes)
    )
    image = sitk.GetImageFromArray((inside <= 1).astype(np.uint8) * value)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    return image, np.asarray(centre)


def voxel_ml(image, value=LIVER):
    return np.count_nonzero(sitk.GetArrayViewFromImage(image) == value) * np.prod(image.GetSpacing()) / 1000.0


def surface_ml(mesh):
    """Volume enclosed by a closed surface in mm; negative if its triangles face inwards."""
    return volume_of(*surfaces.surface_arrays(mesh)) / 1000.0


def volume_error(mesh, image, value=LIVER):
    return surface_ml(mesh) / voxel_ml(image, value) - 1.0


def loose_edges(mesh):
    """Edges that do not lie between exactly two triangles."""
    edges = vtkFeatureEdges()
    edges.SetInputData(mesh)
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.BoundaryEdgesOn()
    edges.NonManifoldEdgesOn()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells()


def points_of(mesh):
    return vtk_to_numpy(mesh.GetPoints().GetData()).astype(float)


def normal_angles(mesh, outward):
    """Degrees between the surface's normals and the true ones (n, 3)."""
    normals = vtk_to_numpy(mesh.GetPointData().GetNormals())
    outward = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip((normals * outward).sum(axis=1), -1, 1)))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), THICK, VERY_THICK, (5.0, 0.8, 0.8)])
@pytest.mark.parametrize("semi_axes", [(30.0, 30.0, 30.0), (36.0, 18.0, 26.0)])
def test_volume_is_kept_and_the_surface_is_closed(semi_axes, spacing):
    image, _ = ellipsoid(semi_axes, spacing)
    mesh = surfaces.surface(image, (LIVER,))
    assert abs(volume_error(mesh, image)) < 0.005
    assert loose_edges(mesh) == 0


@pytest.mark.parametrize("spacing", [THICK, VERY_THICK])
def test_a_box_keeps_its_volume(spacing):
    labels = np.zeros((12, 80, 90), dtype=np.uint8)
    labels[3:9, 15:60, 20:70] = LIVER
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    mesh = surfaces.surface(image, (LIVER,))
    assert abs(volume_error(mesh, image)) < 0.01
    assert loose_edges(mesh) == 0


@pytest.mark.parametrize("spacing, mean, highest", [(THICK, 4.0, 15.0), (VERY_THICK, 6.0, 22.0)])
def test_thick_slices_leave_no_stair_steps(spacing, mean, highest):
    """Steps have normals along the slice axis and across it: up to 90 degrees away from the ball's own."""
    image, centre = ellipsoid((40.0, 40.0, 40.0), spacing)
    mesh = surfaces.surface(image, (LIVER,))
    radial = points_of(mesh) - centre
    angles = normal_angles(mesh, radial)
    assert angles.mean() < mean
    assert angles.max() < highest
    assert np.abs(np.linalg.norm(radial, axis=1) - 40.0).max() < 0.3 * spacing[2]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), THICK, VERY_THICK])
@pytest.mark.parametrize("voxels", [[(0, 0, 0)], [(0, 0, 0), (0, 0, 1), (0, 1, 0)], [(0, 0, 0), (1, 1, 1)]])
def test_lesions_of_a_few_voxels_have_a_closed_surface_of_their_volume(voxels, spacing):
    labels = np.zeros((6, 9, 9), dtype=np.uint8)
    for z, y, x in voxels:
        labels[2 + z, 3 + y, 3 + x] = TUMOUR
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    mesh = surfaces.surface(image, (TUMOUR,))
    assert loose_edges(mesh) == 0
    assert abs(volume_error(mesh, image, TUMOUR)) < 0.02


def test_each_lesion_keeps_its_own_volume():
    big, _ = ellipsoid((25.0, 25.0, 25.0), THICK, TUMOUR)
    labels = sitk.GetArrayFromImage(big)
    labels[1, 2:4, 2:4] = TUMOUR
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(THICK)
    mesh = surfaces.surface(image, (TUMOUR,))
    parts = vtkPolyDataConnectivityFilter()
    parts.SetInputData(mesh)
    parts.SetExtractionModeToSpecifiedRegions()
    parts.AddSpecifiedRegion(1)
    parts.Update()
    small = vtkMassProperties()
    small.SetInputConnection(parts.GetOutputPort())
    assert small.GetVolume() == pytest.approx(4 * 0.8 * 0.8 * 5.0, rel=0.02)


def test_a_cavity_is_not_filled():
    image, _ = ellipsoid((30.0, 30.0, 30.0), (1.5, 1.5, 1.5))
    labels = sitk.GetArrayFromImage(image)
    middle = [size // 2 for size in labels.shape]
    labels[tuple(slice(m - 9, m + 9) for m in middle)] = TUMOUR
    hollow = sitk.GetImageFromArray(labels)
    hollow.CopyInformation(image)
    shell = surfaces.surface(hollow, (LIVER,))
    whole = surfaces.surface(hollow, (LIVER, TUMOUR))
    assert abs(volume_error(shell, hollow)) < 0.02
    assert surface_ml(whole) > 1.15 * surface_ml(shell)


def test_an_organ_cut_by_the_border_is_closed_there():
    image, _ = ellipsoid((40.0, 40.0, 40.0), (1.5, 1.5, 3.0))
    half = image[:, :, : image.GetSize()[2] // 2]
    mesh = surfaces.surface(half, (LIVER,))
    assert loose_edges(mesh) == 0
    assert abs(volume_error(mesh, half)) < 0.01


@pytest.mark.parametrize("direction", [None, LEFT_HANDED, OBLIQUE, (0, 0, 1, 1, 0, 0, 0, 1, 0)])
def test_surfaces_lie_in_patient_space_and_face_outwards(direction):
    image, centre = ellipsoid(
        (30.0, 20.0, 25.0), (1.0, 1.0, 4.0), SPLEEN, direction, origin=(-120.0, 55.0, 310.0)
    )
    mesh = surfaces.surface(image, (SPLEEN,))
    index = centre / np.asarray(image.GetSpacing())
    middle = np.asarray(image.TransformContinuousIndexToPhysicalPoint(index.tolist()))
    points = points_of(mesh)
    assert surface_ml(mesh) > 0
    np.testing.assert_allclose((points.min(axis=0) + points.max(axis=0)) / 2, middle, atol=1.0)
    away = points - middle
    assert (np.einsum("ij,ij->i", vtk_to_numpy(mesh.GetPointData().GetNormals()), away) > 0).all()
    frame = np.asarray(image.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(np.abs(away @ frame).max(axis=0), (30.0, 20.0, 25.0), atol=1.5)


def test_a_skewed_grid_gives_the_volume_of_its_voxels():
    image, _ = ellipsoid((30.0, 30.0, 30.0), (1.0, 1.0, 4.0))
    shear = np.eye(3)
    shear[1, 2], shear[2, 2] = np.sin(0.3), np.cos(0.3)
    try:
        image.SetDirection(shear.ravel())
    except RuntimeError:
        pytest.skip("this SimpleITK refuses directions that are not orthonormal")
    mesh = surfaces.surface(image, (LIVER,))
    expected = voxel_ml(image) * abs(np.linalg.det(np.asarray(image.GetDirection()).reshape(3, 3)))
    assert surface_ml(mesh) == pytest.approx(expected, rel=0.01)


def test_no_voxel_gives_no_surface():
    image, _ = ellipsoid((10.0, 10.0, 10.0), (1.0, 1.0, 1.0))
    assert surfaces.surface(image, (SPLEEN,)) is None


def test_the_number_of_triangles_is_bounded():
    image, _ = ellipsoid((60.0, 60.0, 60.0), (1.5, 1.5, 3.0))
    assert surfaces.surface(image, (LIVER,)).GetNumberOfPolys() < 100_000


@pytest.fixture(scope="module")
def small_mesh():
    image, _ = ellipsoid((12.0, 9.0, 10.0), (1.0, 1.0, 3.0), origin=(-50.0, 20.0, 5.0))
    return surfaces.surface(image, (LIVER,))


@pytest.mark.parametrize(
    "ending, reader", [(".stl", vtkSTLReader), (".obj", vtkOBJReader), (".PLY", vtkPLYReader)]
)
def test_meshes_are_read_back_as_written(tmp_path, small_mesh, ending, reader):
    path = surfaces.write_mesh(tmp_path / f"liver{ending}", small_mesh)
    read = reader()
    read.SetFileName(str(path))
    read.Update()
    assert read.GetOutput().GetNumberOfPolys() == small_mesh.GetNumberOfPolys()
    np.testing.assert_allclose(read.GetOutput().GetBounds(), small_mesh.GetBounds(), atol=1e-3)
    assert b"LPS" in path.read_bytes()[:400]
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_stl_is_binary(tmp_path, small_mesh):
    path = surfaces.write_mesh(tmp_path / "liver.stl", small_mesh)
    assert path.stat().st_size == 84 + 50 * small_mesh.GetNumberOfPolys()


def test_an_unknown_ending_is_refused(tmp_path, small_mesh):
    with pytest.raises(UsageError, match=".stl"):
        surfaces.write_mesh(tmp_path / "liver.fbx", small_mesh)
    with pytest.raises(UsageError, match="empty"):
        surfaces.write_mesh(tmp_path / "liver.stl", None)


def test_a_missing_folder_is_an_output_error(tmp_path, small_mesh):
    with pytest.raises(OutputError):
        surfaces.write_mesh(tmp_path / "missing" / "liver.stl", small_mesh)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, small_mesh, monkeypatch):
    path = tmp_path / "liver.ply"
    path.write_bytes(b"old")
    from LiverSegLib.surfaces import files

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(files.MESH_FORMATS, ".ply", fail)
    with pytest.raises(OutputError):
        surfaces.write_mesh(path, small_mesh)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def scene():
    liver, _ = ellipsoid((60.0, 40.0, 45.0), (2.0, 2.0, 5.0))
    labels = sitk.GetArrayFromImage(liver)
    z, y, x = (size // 2 for size in labels.shape)
    labels[z - 2 : z + 3, y - 5 : y + 6, x - 5 : x + 6] = TUMOUR
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(liver)
    return {
        "liver": surfaces.surface(image, (LIVER, TUMOUR)),
        "tumour": surfaces.surface(image, (TUMOUR,)),
    }


def test_the_tumour_is_seen_through_the_liver(scene, monkeypatch):
    monkeypatch.setattr(rendering, "SIZE", (640, 240))
    try:
        png = surfaces.render(scene)
    except OutputError as error:
        pytest.skip(f"no OpenGL here: {error.details}")
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert pixels.shape == (240, 640, 3)
    corner, liver, tumour = pixels[2, 2], pixels[120, 215], pixels[120, 160]
    np.testing.assert_array_equal(corner, (255, 255, 255))
    assert liver.sum() < 740
    assert liver[0] - liver[2] < tumour[0] - tumour[2] - 40  # the tumour is the more yellow


def test_nothing_to_draw_is_an_error():
    with pytest.raises(UsageError):
        surfaces.render({})


def test_a_machine_without_opengl_gets_a_clear_error_and_lives(scene, monkeypatch):
    tried = []

    def crash(_scene, environment, _cancel):
        tried.append(environment.get("VTK_DEFAULT_OPENGL_WINDOW"))
        return subprocess.CompletedProcess("draw", -6, b"", b"bad X server connection")

    monkeypatch.setattr(rendering, "_run", crash)
    with pytest.raises(OutputError, match="OpenGL") as caught:
        surfaces.render(scene)
    assert "bad X server" in caught.value.details
    assert len(tried) == len(rendering.WINDOW_CLASSES)


def test_a_driver_that_hangs_is_given_up(scene, monkeypatch):
    monkeypatch.setattr(rendering, "DRAWER", ("-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(rendering, "TIME_LIMIT_S", 0.3)
    with pytest.raises(OutputError) as caught:
        surfaces.render(scene)
    assert caught.value.details.count("timed out") == len(rendering.WINDOW_CLASSES)


def test_drawing_is_given_up_when_cancelled(scene, tmp_path, monkeypatch):
    """Also while the child does not even read what it is to draw."""
    pids = tmp_path / "pids"
    code = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    monkeypatch.setattr(rendering, "DRAWER", ("-c", code))
    started = time.monotonic()
    with pytest.raises(CancelledError):
        surfaces.render(scene, cancel=lambda: pids.exists() and bool(pids.read_text()))
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


def test_importing_surfaces_does_not_import_vtk():
    code = "import sys, LiverSegLib.surfaces; sys.exit(any(name.startswith('vtk') for name in sys.modules))"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=False, env=rendering._child_environment("")
        ).returncode
        == 0
    )
