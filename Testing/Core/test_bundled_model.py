"""The model that ships, on the scan that ships: of a patient whom training never saw."""

import numpy as np
import pytest
import SimpleITK as sitk

import LiverSegLib
from LiverSegLib.labels import LIVER
from LiverSegLib.models import load_model

pytestmark = pytest.mark.timeout(900)  # a busy machine needs minutes for a scan

REFERENCE_ML = {"liver": 1570.1, "spleen": 971.6}
"""Volumes of the project's own annotation of the sample scan."""


@pytest.fixture(scope="module")
def segmenter():
    return LiverSegLib.Segmenter("default", "cpu")


@pytest.fixture(scope="module")
def sample(root_folder, segmenter):
    return segmenter.segment(root_folder / "Resources" / "SampleData" / "hcc013-portal.nii.gz")


@pytest.fixture(scope="module")
def root_folder():
    from conftest import ROOT

    return ROOT


def test_the_bundled_model_is_whole_small_and_says_where_it_comes_from():
    model = load_model("default")
    model.verify()
    assert all(path.stat().st_size <= 8_000_000 for path in model.path.iterdir())
    manifest = model.manifest
    assert manifest.licence and manifest.limitations and manifest.accuracy is not None
    assert sum(data.cases for data in manifest.training_data) == 41
    assert all(data.licence and data.citation for data in manifest.training_data)


def test_the_model_for_mr_is_whole_small_and_says_what_it_was_tried_on():
    model = load_model("mr")
    model.verify()
    assert all(path.stat().st_size <= 8_000_000 for path in model.path.iterdir())
    manifest = model.manifest
    assert (manifest.modality, manifest.stage("segment").output.channel_labels) == ("MR", (LIVER,))
    assert manifest.licence and manifest.limitations and manifest.citation
    dice = {row["case"]: row["liver dice"] for row in manifest.accuracy.table}
    assert dice.pop("mean") == pytest.approx(sum(dice.values()) / len(dice), abs=1e-3) and len(dice) == 4


@pytest.mark.parametrize("organ", ["liver", "spleen"])
def test_volumes_of_the_sample_come_out_as_annotated(sample, organ):
    # A tenth: whether the right thing was found. How well is for Testing/Benchmarks/accuracy.py to say.
    assert sample.measurements.organ(organ).volume_ml == pytest.approx(REFERENCE_ML[organ], rel=0.1)


def test_the_phase_of_the_sample_is_recognised(sample):
    assert sample.provenance["phase"]["phase"] == "portal"


@pytest.mark.slow
def test_a_scan_stored_in_another_order_gives_the_same_mask(sample, segmenter):
    turned = sitk.PermuteAxes(sitk.Flip(sample.image, [True, False, True], False), [1, 2, 0])
    back = sitk.DICOMOrient(segmenter.segment(turned).labels, "LPS")
    straight = sitk.DICOMOrient(sample.labels, "LPS")
    assert np.array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(straight))


@pytest.mark.slow
def test_unenhanced_10_mm_slices(thick_scan, segmenter):
    result = segmenter.segment(thick_scan)
    assert result.measurements.organ("liver").volume_ml > 500
    assert result.provenance["phase"]["phase"] == "unenhanced"
    assert any("slices" in warning for warning in result.warnings)
