"""Models of other programs through the real worker: added, listed, segmenting, removed."""

import logic_doubles
import pytest
from logic_doubles import Ending

pytest.importorskip("torch", reason="weights of nnU-Net are read with PyTorch")


@pytest.fixture
def logic(host, scene, tmp_path, monkeypatch):
    """A logic with the real worker, and a user's folder of models that is empty."""
    from LiverSegSlicer.logic import Logic
    from LiverSegSlicer.work.worker_process import WorkerProcess

    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "models"))
    logic = Logic(WorkerProcess())
    yield logic
    logic.worker.quit()
    host.settle(0.02)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained model's folder as nnU-Net leaves it, with two configurations."""
    import nnunet_models

    root = tmp_path_factory.mktemp("trained")
    for configuration in ("3d_fullres", "2d"):
        nnunet_models.make_trained(root, configuration=configuration, labels=LABELS)
    return root


LABELS = {"background": 0, "liver": 1, "liver_tumor": 2, "hepatic_vessel": 3, "colon": 4}


def test_a_model_comes_and_goes(host, logic, trained):
    from LiverSegLib.errors import LiverSegError
    from LiverSegSlicer.work.engines import _isForTorch
    from LiverSegSlicer.work.models import allModels, usualStructures

    name = logic.addModel(trained)  # the usual configuration, of two
    models = allModels()
    model = next(model for model in models if model.name == name)
    assert (model.hasLiver, model.hasTumors, model.isBundled, model.problem) == (True, True, False, "")
    assert [item.key for item in model.structures] == ["hepatic_vessel", "colon"]
    assert usualStructures(name, models) == ("hepatic_vessel",)
    assert _isForTorch(name) and not model.accuracy and model.licence
    with pytest.raises(LiverSegError, match="already; remove it first"):
        logic.addModel(trained)
    ending = Ending()
    logic.removeModelAsync(name, completed=ending)
    host.waitFor(ending.happened, 60)
    assert ending.only() == (name, None)
    assert name not in [model.name for model in allModels()]


def test_what_is_no_model_is_refused_in_words(logic, tmp_path):
    from LiverSegLib.errors import LiverSegError
    from LiverSegSlicer.work.models import allModels

    (tmp_path / "notes.zip").write_bytes(b"PK no archive")
    with pytest.raises(LiverSegError):
        logic.addModel(tmp_path / "notes.zip")
    with pytest.raises(LiverSegError, match="does not exist"):
        logic.addModel(tmp_path / "nothing")
    assert [model.isBundled for model in allModels()] == [True] * len(allModels())


def test_the_bundled_one_stays(host, logic):
    ending = Ending()
    logic.removeModelAsync("default", completed=ending)
    host.waitFor(ending.happened, 60)
    assert ending.only()[1] is not None
    assert logic_doubles.REPOSITORY.joinpath("Resources", "Models", "default", "model.json").exists()
