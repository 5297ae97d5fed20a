"""Models of other programs, without those programs: every piece against what nnU-Net itself gave for it."""

import nnunet_pieces as pieces
import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.inference.devices import choose_devices
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.image import resample_image, resampling
from LiverSegLib.inference.foreign.labels import UNSURE, Decision, write_labels
from LiverSegLib.inference.foreign.load import load_foreign
from LiverSegLib.inference.foreign.plan import gaussian_weight, spread_steps
from LiverSegLib.inference.foreign.previous import resample_labels
from LiverSegLib.inference.foreign.stage_run import PLAIN
from LiverSegLib.models.adding import Options, opened_model


@pytest.fixture(scope="module")
def stored():
    with np.load(pieces.STORED) as file:
        return dict(file)


@pytest.fixture
def add_model(tmp_path, monkeypatch):
    """Adds a trained model of a case of nnunet_pieces.MODELS and loads its networks."""

    def add(name):
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "store"))
        with opened_model(pieces.trained(name, tmp_path / name), Options(name="tiny")) as candidate:
            model = candidate.add()
        return load_foreign(model, choose_devices("cpu", engine="torch", precision="float32", threads=1))

    return add


def nothing(*_):
    pass


@pytest.mark.parametrize("name", pieces.IMAGES)
def test_images_are_resampled_as_by_nnunet(stored, name):
    shape, new, order, axis, order_z = pieces.IMAGES[name]
    way = resampling(shape, new, order, axis, order_z)
    found = resample_image(pieces.image(name), way, PLAIN.apply, order, nothing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, stored[f"image {name}"], atol=2e-4)


def test_an_image_resampled_in_many_slabs_is_the_same(stored, monkeypatch):
    monkeypatch.setattr("LiverSegLib.inference.foreign.image.SLAB_VOXELS", 1)
    shape, new, order, axis, order_z = pieces.IMAGES["finer"]
    way = resampling(shape, new, order, axis, order_z)
    found = resample_image(pieces.image("finer"), way, PLAIN.apply, order, nothing)
    np.testing.assert_allclose(found, stored["image finer"], atol=2e-4)


@pytest.mark.parametrize("name", pieces.SCORES)
def test_scores_become_the_labels_that_nnunet_gives(stored, name):
    shape, new, axis = pieces.SCORES[name]
    labels, probability = np.zeros(new, np.uint8), np.zeros(new, np.uint8)
    planes = np.moveaxis(pieces.scores(name).astype(np.float32), 1, 0)
    decision = Decision("softmax", (0, 1, 2, 3))
    write_labels(planes, resampling(shape, new, 1, axis, 0), decision, labels, probability, nothing)
    np.testing.assert_array_equal(labels, stored[f"scores {name}"])
    assert probability.min() >= 63 and probability.max() == 255  # the largest of four is never below 1/4


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_voxels_that_are_left_out_as_sure_would_get_the_same(monkeypatch, activation):
    shape, new, axis = pieces.SCORES["finer"]
    way, found = resampling(shape, new, 1, axis, 0), []
    scores = (pieces.noise(2, (4, *shape), 1.0) * 200).astype(np.float32)
    planes = np.moveaxis(scores, 1, 0)
    decision = Decision(activation, (1, 2, 3, 4) if activation == "sigmoid" else (0, 1, 2, 3))
    assert 0.1 < np.mean(decision.codes(scores) != UNSURE) < 0.9
    for odds in (1 / 510, 0.0):  # with 0 nothing is ever sure
        monkeypatch.setattr("LiverSegLib.inference.foreign.labels.SURE_ODDS", odds)
        labels, probability = np.zeros(new, np.uint8), np.zeros(new, np.uint8)
        write_labels(planes, way, decision, labels, probability, nothing)
        found.append((labels, probability))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


@pytest.mark.parametrize("name", pieces.SCORES)
def test_labels_of_an_earlier_stage_are_resampled_as_by_nnunet(stored, name):
    shape, new, axis = pieces.SCORES[name]
    found = resample_labels(pieces.labels(name), resampling(shape, new, 1, axis, 0), nothing)
    np.testing.assert_array_equal(found, stored[f"labels {name}"])


@pytest.mark.parametrize("size", pieces.TILES)
def test_tiles_are_weighted_as_by_nnunet(stored, size):
    np.testing.assert_allclose(gaussian_weight(size), stored[f"tile {size}"], rtol=2e-3)


@pytest.mark.parametrize("length, tile, step", pieces.STEPS)
def test_tiles_lie_where_nnunet_puts_them(stored, length, tile, step):
    assert spread_steps(length, tile, step) == stored[f"steps {length} {tile} {step}"].tolist()


@pytest.mark.parametrize("name", pieces.MODELS)
def test_whole_models_give_the_labels_of_nnunets_predictor(stored, add_model, name):
    """Networks with weights at random leave many voxels near a tie, which rounding of another library's
    convolutions may tip over: one in a thousand may differ."""
    image, networks = pieces.scan(), add_model(name)
    shares = []
    mirror = pieces.MODELS[name].get("mirror", False)
    found = find_structures(networks, image, shares.append, mirror=mirror)
    labels = found.structures.labels
    assert labels.shape == sitk.GetArrayViewFromImage(image).shape and labels.dtype == np.uint8
    assert np.mean(labels != stored[f"model {name}"]) <= 1e-3
    assert len(np.unique(stored[f"model {name}"])) > 1
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
