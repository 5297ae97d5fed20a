"""A tilted gantry: slices are moved by whole pixels into a rectangular grid; sizes are right, masks go
back."""

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("pydicom")
from dicom_series import result_of, write_image  # noqa: E402
from dicom_series import write_series as write_organs  # noqa: E402

from LiverSegLib.images import read_scan  # noqa: E402
from LiverSegLib.images.grid import Grid  # noqa: E402
from LiverSegLib.images.lean import Lean  # noqa: E402
from LiverSegLib.labels import LIVER, TUMOUR  # noqa: E402
from LiverSegLib.measure import measure  # noqa: E402
from LiverSegLib.outputs import write_nifti  # noqa: E402
from LiverSegLib.segmentations import read_mask  # noqa: E402
from LiverSegLib.sentences import key_of  # noqa: E402


def leaning(degrees, axis="y", spacing=(1.0, 1.0, 3.0), size=(96, 100, 32), down=False):
    """The grid of slices that a gantry tilted about x (or y) makes while the table moves along z."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x = (1, 0, 0) if axis == "y" else (cosine, 0, sine)
    y = (0, cosine, sine) if axis == "y" else (0, 1, 0)
    axes = np.column_stack([x, y, (0, 0, -1.0 if down else 1.0)])
    origin = -(axes * spacing) @ ((np.array(size) - 1) / 2)
    return Grid(size, spacing, tuple(origin.tolist()), tuple(axes.ravel().tolist()))


def points_of(grid):
    z, y, x = np.indices(grid.shape).reshape(3, -1)
    return grid.points(np.column_stack([x, y, z]))


def ball_in(grid, radius, inside=200, centre=(2.0, -3.0, 1.0)):
    """HU of a ball in fat, in air, int16 on a grid."""
    away = np.linalg.norm(points_of(grid) - centre, axis=1)
    return np.select([away < radius, away < radius + 8], [inside, -90], -1000).astype(np.int16)


def read(folder, grid, hu):
    write_image(folder, grid.image(hu.reshape(grid.shape)))
    return read_scan(folder)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("degrees", [5, 15, -25])
@pytest.mark.parametrize("down", [False, True])
def test_each_voxel_is_moved_by_half_a_pixel_at_most_and_none_is_lost(degrees, axis, down):
    source = leaning(degrees, axis, (0.8, 0.9, 5.0), (20, 16, 12), down)
    lean = Lean.of(source)
    assert lean.degrees == pytest.approx(abs(degrees))
    axes = np.reshape(lean.grid.direction, (3, 3))
    assert np.allclose(axes.T @ axes, np.eye(3)) and axes[2, 2] * (-1 if down else 1) > 0
    numbers = np.arange(1, 20 * 16 * 12 + 1).reshape(source.shape)
    moved = lean.straightened(numbers)
    assert np.array_equal(lean.leaning(moved), numbers)
    places = points_of(lean.grid)[moved.ravel() > 0]
    order = np.argsort(moved[moved > 0])
    off = (places[order] - points_of(source)) @ axes
    assert np.all(np.abs(off) <= np.array([0.4, 0.45, 1e-6]) + 1e-6)


@pytest.mark.parametrize(("degrees", "axis", "down"), [(15, "y", False), (-25, "y", True), (15, "x", False)])
def test_a_ball_is_a_ball_again(tmp_path, degrees, axis, down):
    radius = 30.0
    source = leaning(degrees, axis, down=down)
    scan = read(tmp_path / "ct", source, ball_in(source, radius))
    assert [key_of(text) for text in scan.warnings] == ["scan.tilted"]
    assert f"{abs(degrees)}.0°" in scan.warnings[0]
    array = sitk.GetArrayViewFromImage(scan.image)
    assert np.array_equal(np.unique(array), (-1000, -90, 200)), "no value is changed"
    ball = array == 200
    labels = Grid.of(scan.image).image(np.where(ball, LIVER, 0).astype(np.uint8))
    liver = measure(labels, scan.image).organ("liver")
    assert liver.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.02)
    places = Grid.of(scan.image).points(np.argwhere(ball)[:, ::-1])
    assert np.abs(places.mean(axis=0) - (2.0, -3.0, 1.0)).max() < 0.5
    for direction in (*np.eye(3), *np.reshape(scan.image.GetDirection(), (3, 3)).T):
        along = places @ direction
        assert along.max() - along.min() == pytest.approx(2 * radius, abs=max(source.spacing))
    lesion = np.where(ball, TUMOUR, 0).astype(np.uint8)
    (found,) = measure(Grid.of(scan.image).image(lesion), scan.image).lesions
    assert found.longest_diameter_mm == pytest.approx(2 * radius, abs=1.0)
    assert found.perpendicular_mm == pytest.approx(2 * radius, abs=1.0)


def test_a_real_ct_that_is_sheared_by_15_degrees_is_read_as_the_straight_one(tmp_path, thick_scan):
    straight = sitk.ReadImage(str(thick_scan))
    own = Grid.of(straight)
    tilted = leaning(15, spacing=own.spacing, size=own.size)
    shift = own.points([(np.array(own.size) - 1) / 2])[0] - tilted.points([(np.array(own.size) - 1) / 2])[0]
    tilted = Grid(
        tilted.size, tilted.spacing, tuple((np.array(tilted.origin) + shift).tolist()), tilted.direction
    )

    def on(image, grid):
        return sitk.Resample(
            image,
            grid.size,
            sitk.Transform(),
            sitk.sitkLinear,
            grid.origin,
            grid.spacing,
            grid.direction,
            -1024,
        )

    scan = read(tmp_path / "ct", tilted, sitk.GetArrayFromImage(on(straight, tilted)))
    grid = Grid.of(scan.image)
    ours, truth = (sitk.GetArrayFromImage(item).astype(float) for item in (scan.image, on(straight, grid)))
    off = np.abs(ours - truth)[(truth > -300) & (ours > -300)].mean()
    upright = Grid(tilted.size, tilted.spacing, tilted.origin, grid.direction)  # as if nothing leaned
    careless = sitk.GetArrayFromImage(on(straight, upright)).astype(float)
    leant = sitk.GetArrayFromImage(on(straight, tilted)).astype(float)
    both = (careless > -300) & (leant > -300)
    assert off < 12 and off < 0.25 * np.abs(careless - leant)[both].mean()
    within = scan.lean.straightened(np.ones(tilted.shape, np.uint8)) > 0
    assert (ours[within] > -300).sum() == pytest.approx((truth[within] > -300).sum(), rel=0.01)


def test_the_lowest_value_lies_beside_the_slices(tmp_path):
    source = leaning(20, size=(40, 40, 12))
    hu = ball_in(source, 12)
    scan = read(tmp_path / "ct", source, hu)
    beside = scan.lean.straightened(np.ones(source.shape, np.uint8)) == 0
    assert beside.any() and (sitk.GetArrayViewFromImage(scan.image)[beside] == hu.min()).all()


def test_the_mask_goes_back_onto_the_slices_and_comes_in_again(tmp_path):
    pytest.importorskip("highdicom")
    from LiverSegLib.dicom import write_segmentation

    labels = write_organs(tmp_path / "ct", "tilted gantry")
    result = result_of(tmp_path / "ct", labels)
    assert (np.unique(sitk.GetArrayViewFromImage(result.labels), return_counts=True)[1][1:]).tolist() == [
        int((labels == value).sum()) for value in (1, 2, 3)
    ]
    write_segmentation(result, tmp_path / "seg.dcm")
    scan = read_scan(tmp_path / "ct")
    back = read_mask(tmp_path / "seg.dcm", scan)
    assert np.array_equal(sitk.GetArrayFromImage(back.labels), sitk.GetArrayFromImage(result.labels))
    assert back.warnings == ()
    # a mask that another program drew on the leaning slices
    leant = scan.lean.leaning(sitk.GetArrayFromImage(result.labels))
    sitk.WriteImage(scan.lean.source.image(leant), str(tmp_path / "leaning.nrrd"))
    given = read_mask(tmp_path / "leaning.nrrd", scan)
    assert np.array_equal(sitk.GetArrayFromImage(given.labels), sitk.GetArrayFromImage(result.labels))


def test_every_program_can_read_the_written_mask(tmp_path):
    result = result_of(tmp_path / "ct", write_organs(tmp_path / "ct", "tilted gantry"))
    write_nifti(tmp_path / "mask.nii.gz", result.labels)
    read_back = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))  # ITK refuses axes that lean
    assert Grid.of(read_back).coincides(Grid.of(result.image))
