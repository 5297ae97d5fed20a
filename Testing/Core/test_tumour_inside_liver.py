"""A tumour at the liver's edge: its smooth outlines and surface stay within the liver's."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial import cKDTree

pytest.importorskip("vtkmodules")

from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy  # noqa: E402
from vtkmodules.vtkCommonCore import vtkDoubleArray  # noqa: E402
from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance  # noqa: E402

from LiverSegLib import surfaces  # noqa: E402
from LiverSegLib.labels import LIVER, TUMOUR  # noqa: E402
from LiverSegLib.report.outlines import enclosed_area, outlines  # noqa: E402
from LiverSegLib.surfaces import surface, surface_arrays  # noqa: E402
from LiverSegLib.surfaces.meshing import volume_of  # noqa: E402
from LiverSegLib.surfaces.organs import organ_surfaces  # noqa: E402

OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.5, 0.8).GetMatrix()
LEFT_HANDED = (1, 0, 0, 0, 1, 0, 0, 0, -1)
GRIDS = [
    ((1.0, 1.0, 1.0), None),
    ((0.8, 0.8, 5.0), OBLIQUE),
    ((1.5, 1.5, 10.0), None),
    ((5.0, 0.8, 0.8), OBLIQUE),
    ((0.8, 0.8, 2.5), LEFT_HANDED),
]
"""Spacing in mm (x, y, z) and direction."""
SEMI_AXES = (36.0, 28.0, 24.0)
"""Of the liver (mm), which has a dent of DENT_MM radius."""
DENT_MM = 12.0


def patient(spacing, direction):
    """Label image of a liver with a dent, and tumours cut off by its side, its dent and its top."""
    size = [int(2 * semi / step) + 10 for semi, step in zip(SEMI_AXES, spacing)]
    centre = [(n - 1) * step / 2 + 0.13 * step for n, step in zip(size, spacing)]
    z, y, x = np.ogrid[: size[2], : size[1], : size[0]]
    at = [axis * step - c for axis, step, c in zip((x, y, z), spacing, centre)]

    def ball(middle, radius):
        return sum((place - c) ** 2 for place, c in zip(at, middle)) <= radius**2

    liver = sum((place / semi) ** 2 for place, semi in zip(at, SEMI_AXES)) <= 1
    liver &= ~ball((0, -31, 0), DENT_MM)
    labels = liver.astype(np.uint8) * LIVER
    for middle in ((33, 0, 0), (9, -21, 0), (0, 0, 23)):
        labels[liver & ball(middle, 9)] = TUMOUR
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    if direction is not None:
        image.SetDirection(direction)
    return image


def distances(mesh, points):
    """Distance (mm) of points from a closed surface, negative inside; of those close to it only."""
    points = points[cKDTree(surface_arrays(mesh)[0]).query(points, distance_upper_bound=5.0)[0] < 5.0]
    distance, values = vtkImplicitPolyDataDistance(), vtkDoubleArray()
    distance.SetInput(mesh)
    distance.FunctionValue(numpy_to_vtk(np.ascontiguousarray(points)), values)
    found = vtk_to_numpy(values).copy()
    for number in np.flatnonzero(found < 0) if np.count_nonzero(found < 0) < 20 else ():
        found[number] *= 1 if winding(mesh, points[number]) > 0.5 else -1  # VTK errs at folded triangles
    return found


def winding(mesh, point):
    """How often a closed surface goes round a point: 1 inside, 0 outside (van Oosterom and Strackee 1983)."""
    points, triangles = surface_arrays(mesh)
    a, b, c = (points[triangles[:, corner]].astype(float) - point for corner in range(3))
    x, y, z = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    below = x * y * z + (a * b).sum(1) * z + (b * c).sum(1) * x + (c * a).sum(1) * y
    return np.arctan2((a * np.cross(b, c)).sum(1), below).sum() / (2 * np.pi)


def all_over(mesh):
    """The points of a surface and eight more in each triangle, (n, 3) in mm."""
    points, triangles = surface_arrays(mesh)
    weights = np.random.default_rng(0).dirichlet((1, 1, 1), 8)
    inner = np.einsum("sk,tkc->tsc", weights, points[triangles].astype(float))
    return np.concatenate([points.astype(float), inner.reshape(-1, 3)])


@pytest.mark.parametrize(
    "spacing, direction",
    [pytest.param(*grid, marks=pytest.mark.slow if grid[0][0] < 1 else ()) for grid in GRIDS[:3]]
    + [pytest.param(*grid, marks=pytest.mark.slow) for grid in GRIDS[3:]],
)
def test_no_point_of_the_tumours_surface_lies_outside_the_livers(spacing, direction):
    labels = patient(spacing, direction)
    meshes = organ_surfaces(labels)
    assert distances(meshes["liver"], all_over(meshes["tumour"])).max() < 0
    assert distances(meshes["tumour"], all_over(meshes["liver"])).min() > 0
    alone = surface(labels, (TUMOUR,))
    assert distances(meshes["liver"], all_over(alone)).max() > 0.1  # what it was needed for
    voxels = np.count_nonzero(sitk.GetArrayViewFromImage(labels) == TUMOUR)
    assert volume_of(*surface_arrays(meshes["tumour"])) / 1000 == pytest.approx(
        voxels * np.prod(spacing) / 1000, rel=0.01
    )


def test_a_tumour_in_the_middle_of_the_liver_is_left_as_it_was():
    labels = sitk.GetImageFromArray(np.full((30, 30, 30), LIVER, np.uint8))
    labels[12:18, 12:18, 12:18] = TUMOUR
    alone = surface(labels, (TUMOUR,))
    assert surfaces.kept_inside(alone, surface(labels, (LIVER, TUMOUR))) is alone


def test_the_tumours_surface_is_the_same_without_the_livers_being_wanted():
    labels = patient((0.8, 0.8, 5.0), OBLIQUE)
    (mesh,) = organ_surfaces(labels, keys=["tumour"]).values()
    assert np.array_equal(surface_arrays(mesh)[0], surface_arrays(organ_surfaces(labels)["tumour"])[0])


def test_a_liver_that_is_all_tumour_keeps_both_surfaces():
    labels = sitk.GetImageFromArray(np.zeros((20, 20, 20), np.uint8))
    labels[5:15, 5:15, 5:15] = TUMOUR
    meshes = organ_surfaces(labels)
    assert distances(meshes["liver"], all_over(meshes["tumour"])).max() < 0
    assert volume_of(*surface_arrays(meshes["tumour"])) == pytest.approx(1000.0, rel=0.05)


# ---- outlines in slices


def inside(points, lines):
    """Whether points (n, 2) lie inside closed lines, holes left out: bool (n,), by counting crossings."""
    crossings = np.zeros(len(points), int)
    for line in lines:
        for (row, column), (to_row, to_column) in zip(line[:-1], line[1:]):
            spans = (row > points[:, 0]) != (to_row > points[:, 0])
            if row != to_row:
                at = column + (points[:, 0] - row) / (to_row - row) * (to_column - column)
                crossings += spans & (points[:, 1] < at)
    return crossings % 2 == 1


def along(lines):
    """The corners of lines and the middles between them, (n, 2)."""
    return np.concatenate([part for line in lines for part in (line, (line[1:] + line[:-1]) / 2)])


@pytest.mark.parametrize("spacing, direction", GRIDS)
@pytest.mark.parametrize("plane", ["axial", "coronal"])
def test_no_outline_of_the_tumour_crosses_the_livers(spacing, direction, plane):
    labels = sitk.GetArrayFromImage(patient(spacing, direction))
    mask = labels[len(labels) // 2] if plane == "axial" else labels[:, labels.shape[1] // 2]
    pixel = (spacing[1], spacing[0]) if plane == "axial" else (spacing[2], spacing[0])
    tumour, liver = mask == TUMOUR, mask > 0
    around = outlines(liver, pixel)
    lines = outlines(tumour, pixel, within=liver)
    assert inside(along(lines), around).all()
    assert not inside(along(outlines(tumour, pixel)), around).all()  # what it was needed for
    area = sum(enclosed_area(line) for line in lines)
    assert area == pytest.approx(np.count_nonzero(tumour) * np.prod(pixel), rel=0.15)


def test_a_tumour_between_two_parts_of_the_liver_in_a_slice_keeps_its_outline_within_them():
    liver = np.zeros((40, 60), bool)
    liver[5:35, 5:25] = liver[5:35, 35:55] = True
    tumour = liver.copy()
    tumour[:, :18] = tumour[:, 42:] = False
    lines = outlines(tumour, (1.0, 1.0), within=liver)
    assert len(lines) == 2
    assert inside(along(lines), outlines(liver, (1.0, 1.0))).all()
