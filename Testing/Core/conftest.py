"""What all tests of the core share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


@pytest.fixture(autouse=True)
def own_model_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the models that the person who runs the tests has installed out of the tests."""
    if "LIVERSEG_MODELS" not in os.environ:
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path_factory.getbasetemp() / "no-user-models"))


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def sample_scan() -> Path:
    """The portal venous CT of a validation patient that ships in the repository."""
    return ROOT / "Resources" / "SampleData" / "hcc013-portal.nii.gz"


@pytest.fixture
def thick_scan() -> Path:
    """A part of the same patient's unenhanced CT with 10 mm slices."""
    return ROOT / "Testing" / "Data" / "hcc013-unenhanced-10mm.nii.gz"
