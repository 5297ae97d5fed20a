"""Stores and trained models of nnU-Net for the tests of adding: good ones, and such to be spoilt."""

import os
import shutil

import pytest
from nnunet_models import make_trained

from LiverSegLib.errors import ModelError
from LiverSegLib.models import Options, add_model, opened_model


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The user's folder of models, empty."""
    folder = tmp_path / "store"
    monkeypatch.setenv("LIVERSEG_MODELS", str(folder))
    return folder


@pytest.fixture
def empty_store(tmp_path, monkeypatch):
    """The user's folder of models, which must stay empty, whatever a test adds."""
    folder = tmp_path / "store"
    monkeypatch.setenv("LIVERSEG_MODELS", str(folder))
    yield folder
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A trained model with two folds; not to be changed."""
    return make_trained(tmp_path_factory.mktemp("results"), folds=("0", "1"))


def described(source, **options):
    """The manifest that a source would get."""
    with opened_model(source, Options(**options)) as candidate:
        return candidate.manifest


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """A trained model with one fold; not to be changed."""
    return make_trained(tmp_path_factory.mktemp("results"))


@pytest.fixture
def folder(tmp_path, original):
    """A copy of a good trained model, to be spoilt."""
    copy = tmp_path / "Dataset901_Tiny" / original.name
    shutil.copytree(original, copy)
    return copy


def checkpoint(folder):
    """The file with the weights of a trained model."""
    return folder / "fold_0" / "checkpoint_final.pth"


def refused(source, kind=ModelError, match="."):
    """The sentence with which a source is refused."""
    with pytest.raises(kind, match=match) as caught:
        add_model(source)
    sentence = str(caught.value)
    assert sentence.isprintable() and len(sentence) < 600 and sentence.endswith(".")
    return sentence


class Payload:
    """Writes a file when a pickle with it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)
