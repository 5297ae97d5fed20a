"""A network learns from the very images that the product will show it; options out of range are refused."""

from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import pytest
import SimpleITK as sitk
from data_samples import HU, cases_of, samples, three_patients
from data_sets import SHAPE, image_array, label_array, save_png
from pydantic import ValidationError

from LiverSegLib.images.grid import Grid
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.inference.foreign.intensity import scale_for
from LiverSegLib.inference.foreign.laboratory import laboratory_image, laboratory_region
from LiverSegLib.inference.resample import NetworkRegion, normalise, to_network
from LiverSegLib.models import Intensity
from LiverSegLib.training.data import (
    DataOptions,
    IntensityOptions,
    PatchOptions,
    PreparationOptions,
    SplitOptions,
    whole_case,
)
from LiverSegLib.training.data.prepare import oriented, prepare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_patients(tmp_path / "set")


# --- the very image that the product makes


def real(direction: np.ndarray, spacing: Sequence[float] = (1.2, 1.2, 3.0)) -> sitk.Image:
    """A smooth CT on a grid of some direction."""
    z, y, x = np.mgrid[:20, :30, :26]
    array = (200 * np.sin(x / 4) + 150 * np.cos(y / 5) + 90 * np.sin(z / 2) + 30).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(step) for step in spacing])
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((-40.0, 12.0, 99.0))
    return image


def turned(degrees: float) -> np.ndarray:
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])


DIRECTIONS = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "oblique": turned(12),
}
SCHEMES = {
    "window": {"scheme": "window", "window": (-160, 240), "scale": (-1, 1)},
    "percentile": {"scheme": "ct-percentile", "clip": (-100, 200), "mean": 40.0, "std": 60.0},
    "zscore": {"scheme": "zscore"},
}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (4.0, 3.0, 6.0)])
def test_the_networks_image_is_that_of_the_products_own_models(
    direction: str, scheme: str, spacing: Tuple[float, float, float]
) -> None:
    image = real(DIRECTIONS[direction])
    intensity = IntensityOptions.model_validate(SCHEMES[scheme])
    how = PreparationOptions(spacing=spacing, intensity=intensity)
    made = prepare([image], np.zeros(image.GetSize()[::-1], np.uint8), how, structures=1, crop=False)
    scan = patient_order(image)
    region = NetworkRegion.over(scan.grid, scan.grid.box, spacing)
    product = normalise(to_network(scan, region), intensity.for_manifest())
    if scheme == "zscore":  # nnU-Net's deviation is that of the voxels, LiverSeg's own that of a sample
        product *= np.sqrt(product.size / (product.size - 1))
    assert np.allclose(made.image[0], product, rtol=1e-6, atol=2e-6)
    assert made.spacing == spacing


def test_an_mr_of_high_values_is_seen_as_one_of_low_values() -> None:
    """Values of MR have no unit: none is cut off as those beyond the range of CT are."""
    low = sitk.Clamp(real(np.eye(3)), sitk.sitkFloat32, -100, 300)
    how = PreparationOptions(spacing=(4.0, 3.0, 6.0), intensity=IntensityOptions(scheme="zscore"))
    label = np.zeros(low.GetSize()[::-1], np.uint8)
    seen = [prepare([image], label, how, structures=1, crop=False).image for image in (low, low * 40)]
    assert np.allclose(*seen, atol=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_intensities_are_those_of_models_of_other_programs(scheme: str) -> None:
    image = real(np.eye(3))
    intensity = IntensityOptions.model_validate(SCHEMES[scheme])
    array = sitk.GetArrayFromImage(image)
    for way in ("liverseg", "nnunet"):
        how = PreparationOptions(intensity=intensity).changed(way=way)
        made = prepare([image], np.zeros(array.shape, np.uint8), how, structures=1, crop=False)
        scale = scale_for(intensity.for_manifest(), array, lambda: None)
        assert np.array_equal(made.image[0], scale.apply(array, Grid.of(image).box))


@pytest.mark.parametrize("way", ["liverseg", "nnunet"])
@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_however_an_image_is_stored_the_network_sees_the_same(way: Any, orientation: Any) -> None:
    first = real(np.eye(3))
    label = sitk.GetImageFromArray((sitk.GetArrayFromImage(first) > 100).astype(np.uint8))
    label.CopyInformation(first)
    how = PreparationOptions(spacing=(2.0, 2.0, 2.0), orientation=orientation, way=way)
    wanted = prepare([first], sitk.GetArrayFromImage(label), how, structures=1, crop=False)
    for code in ("RAS", "PIR", "SLA"):
        image, mask = (sitk.DICOMOrient(each, code) for each in (first, label))
        made = prepare([image], sitk.GetArrayFromImage(mask), how, structures=1, crop=False)
        assert np.allclose(made.image, wanted.image, atol=1e-5)
        assert np.array_equal(made.label, wanted.label)


def test_orientations_mirror_each_other_and_stored_stays(folder: Path) -> None:
    image = real(DIRECTIONS["sagittal"])
    lps, ras, stored = (oriented(image, name).array for name in ("LPS", "RAS", "stored"))
    assert np.array_equal(lps[:, ::-1, ::-1], ras)
    assert np.array_equal(stored, sitk.GetArrayFromImage(image))


@pytest.mark.parametrize("way", ["liverseg", "nnunet"])
def test_a_label_is_resampled_onto_the_images_grid(way: Any) -> None:
    """A bright box, labelled: its label must lie where it is bright."""
    array = np.zeros((20, 30, 26), np.int16)
    array[4:12, 8:20, 6:18] = 200
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.2, 1.2, 3.0))
    how = HU.changed(spacing=(1.7, 1.7, 1.7), way=way)
    made = prepare([image], (array > 0).astype(np.uint8) * 2, how, structures=2, crop=False)
    assert made.image.shape[1:] == made.label.shape
    differing = (made.image[0] > 100) != (made.label == 2)
    assert differing.mean() < 0.01
    assert set(np.unique(made.label)) == {0, 2}


def test_null_keeps_the_images_own_spacing() -> None:
    image = real(np.eye(3))
    zeros = np.zeros(image.GetSize()[::-1], np.uint8)
    made = prepare([image], zeros, HU.changed(spacing=(2.4, 2.4, None)), structures=1, crop=False)
    assert made.spacing == (2.4, 2.4, 3.0)
    assert made.image.shape == (1, 20, 15, 13)


def test_training_images_are_cut_to_their_labels_and_a_margin(folder: Path) -> None:
    how = HU.changed(crop="labels", margin_mm=(1.0, 1.5, 2.5))
    label = label_array(0, 1)
    made = prepare([_image(image_array())], label, how, structures=1, crop=True)
    assert made.label.shape == (6, 9, 5)
    assert made.label.sum() == label.astype(bool).sum()
    whole = prepare([_image(image_array())], label, how, structures=1, crop=False)
    assert whole.label.shape == SHAPE
    cut = samples(
        folder, preparation=how, cases=[cases_of(folder)[3]], patches=PatchOptions(size=(8, 12, 16))
    )
    assert (cut[0]["image"][0, 0] == cut[0]["image"].min()).all(), "beyond the cut, nothing is seen"


def _image(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.5, 2.5))
    return image


def test_a_picture_is_a_volume_of_one_slice(tmp_path: Path) -> None:
    save_png(image_array()[0].astype(np.uint8), tmp_path / "train" / "Data" / "000.png")
    save_png(label_array(200)[2], tmp_path / "train" / "Ground" / "000.png")
    whole = whole_case(
        cases_of(tmp_path)[0], ["liver"], PreparationOptions(intensity=IntensityOptions(scheme="zscore"))
    )
    assert whole["image"].shape == whole["label"].shape == (1, 1, 12, 16)
    assert abs(whole["image"].mean()) < 1e-5


# --- options


@pytest.mark.parametrize(
    "wrong",
    [
        {"scheme": "window", "window": (240, -160)},
        {"scheme": "ct-percentile", "clip": (-100, 200)},
        {"scheme": "zscore", "window": (0, 1)},
    ],
)
def test_an_intensity_must_fit_its_scheme(wrong: Dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntensityOptions.model_validate(wrong)


def test_options_out_of_range_are_refused() -> None:
    for kind, values in (
        (PatchOptions, {"size": (4,)}),
        (PatchOptions, {"size": (4, 4), "centres": {"liver": -1}}),
        (SplitOptions, {"val": 0.6, "test": 0.5}),
        (PreparationOptions, {"spacing": (0, 1, 1)}),
        (DataOptions, {"folder": "x", "unknown": 1}),
    ):
        with pytest.raises(ValidationError):
            kind.model_validate(values)


def test_values_of_mr_are_not_cut_off_as_hu_are():
    values = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4) * 500  # up to 15,500
    image = sitk.GetImageFromArray(values)
    how = PreparationOptions(intensity=IntensityOptions(scheme="zscore"))
    prepared = prepare([image], np.zeros(values.shape, np.uint8), how, structures=1, crop=False).image[0]
    assert np.allclose(prepared, (values - values.mean()) / values.std(), atol=1e-4)
    region = laboratory_region(values.shape, (1, 1, 1), (1, 1, 1))
    found, _ = laboratory_image(values, region, Intensity("zscore"), lambda: None)
    assert np.allclose(found, prepared, atol=1e-5)
