"""The scans that the cohort's benchmark derives from real ones are still scans of the same patients."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Benchmarks"))
from cohort_scans import derived, make_scans, source_scans  # noqa: E402

sys.path.pop(0)


@pytest.fixture
def scan():
    """40 x 40 x 30 voxels of air with a bright ball."""
    array = np.full((30, 40, 40), -1000, np.int16)
    z, y, x = np.ogrid[:30, :40, :40]
    array[(z - 14) ** 2 + (y - 17) ** 2 + (x - 24) ** 2 < 25] = 300
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((2.0, 2.0, 3.0))
    return image


def middle_of(image: sitk.Image) -> np.ndarray:
    """Where the bright ball is, LPS mm."""
    places = np.argwhere(sitk.GetArrayFromImage(image) > 0)
    points = [image.TransformIndexToPhysicalPoint([int(v) for v in place[::-1]]) for place in places]
    return np.mean(points, axis=0)


@pytest.mark.parametrize("number", range(9))
def test_a_derived_scan_shows_the_patient_where_he_lies(scan, number):
    found = derived(scan, number, 64)
    assert found.GetSize()[0] == 64 and found.GetPixelID() == scan.GetPixelID()
    assert middle_of(found) - 10.0 * number == pytest.approx(middle_of(scan), abs=2.5)
    assert derived(scan, number, 0).GetNumberOfPixels() <= scan.GetNumberOfPixels()


def test_no_two_scans_are_alike_and_all_sources_take_part(scan, tmp_path):
    sources = [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"]
    for number, path in enumerate(sources):
        sitk.WriteImage(scan + number, str(path))
    sitk.WriteImage(scan, str(tmp_path / "a_label.nii.gz"))
    assert source_scans(tmp_path, tmp_path) == sources
    (tmp_path / "made").mkdir()
    made = make_scans(tmp_path / "made", sources, 6, 0)
    images = [sitk.ReadImage(str(path)) for path in made]
    assert len({(image.GetOrigin(), image.GetDirection(), image.GetSize()) for image in images}) == 6
    assert {int(sitk.GetArrayViewFromImage(image).max()) for image in images} == {300, 301}
