"""The fatty-liver benchmark runs, and its digital patient is what it says."""

import os
import runpy
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk


@pytest.fixture
def phantom_module(root):
    return runpy.run_path(str(root / "Testing" / "Benchmarks" / "steatosis_phantom.py"))


def run(root, *arguments):
    command = [sys.executable, str(root / "Testing" / "Benchmarks" / "steatosis.py"), *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=str(root),
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_the_digital_patient_holds_the_attenuation_and_noise_asked_for(phantom_module):
    tissue = phantom_module["Tissue"](liver=45.0)
    phantom = phantom_module["make_phantom"](tissue, pixel_mm=2.0, slice_mm=5.0)
    labels = sitk.GetArrayViewFromImage(phantom.labels)
    clean = (labels == 1) & (phantom.blood == 0)
    assert np.median(phantom.hu[clean]) == pytest.approx(45.0)
    assert np.median(phantom.hu[labels == 2]) == pytest.approx(50.0)
    assert tissue.ratio == pytest.approx(0.9)
    assert 0.02 < phantom.blood[labels == 1].mean() < 0.1
    for blur in (0.0, 1.5):
        noise = sitk.GetArrayFromImage(phantom.scan(15.0, 1, blur_mm=blur)) - phantom.hu
        assert noise.std() == pytest.approx(15.0, rel=0.01)


def test_a_folder_without_labelled_scans_is_refused(root, tmp_path):
    result = run(root, str(tmp_path))
    assert result.returncode == 2 and "dataset.json" in result.stderr
    assert run(root, "--only", "real").returncode == 2


@pytest.mark.slow
def test_the_benchmark_prints_its_tables(root):
    result = run(root, "--only", "phantom", "--draws", "2")
    assert result.returncode in (0, 1), result.stderr
    for words in (
        "Digital patients",
        "Vessels: automatic ROIs against",
        "Seconds on large scans",
        "Targets:",
    ):
        assert words in result.stdout
