"""What all tests of the laboratory share; they need the extra ``train``."""

import os
from pathlib import Path
from typing import Iterator

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""


@pytest.fixture(autouse=True)
def own_model_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the models that the person who runs the tests has installed out of the tests."""
    if "LIVERSEG_MODELS" not in os.environ:
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path_factory.getbasetemp() / "no-user-models"))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other take long where tests run in as many processes as processors."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
