"""What all tests of the core share."""

import functools
import os
import signal
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""

pytest.register_assert_rewrite("model_fixtures", "dicomweb_trials")  # imported before they are plugins


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell starts what it puts in the background deaf to SIGINT, and so would be the tests of Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def own_model_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the models that the person who runs the tests has installed out of the tests."""
    if "LIVERSEG_MODELS" not in os.environ:
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path_factory.getbasetemp() / "no-user-models"))


@pytest.fixture(scope="session")
def probe_once() -> Callable:
    """`liverseg doctor`'s probes, each tried once: loading PyTorch and drawing takes many seconds."""
    from LiverSegLib.cli.checks import probe

    return functools.lru_cache(maxsize=None)(probe)


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


@pytest.fixture
def empty_temporary_folder(tmp_path_factory, monkeypatch):
    """The system's temporary folder, of the tests and of all processes that they start; empty at the end."""
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []
