"""A run becomes a model, and the product finds with it what the trainer's own validation found."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from made_up import content, data_folder

from LiverSegLib.api import Segmenter
from LiverSegLib.errors import InputError
from LiverSegLib.inference.devices import choose_devices
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.load import load_foreign
from LiverSegLib.models import load_model
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import run_weights, train
from LiverSegLib.training.loaders import load_data
from LiverSegLib.training.module import SegmentationModule
from LiverSegLib.training.recipe import check_recipe
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.validation import Validator, keep_largest

PLANAR = {
    "name": "PlainConvUNet",
    "arguments": {
        "features_per_stage": [8, 16], "kernel_sizes": [[3, 3]] * 2, "strides": [[1, 1], [2, 2]],
        "n_conv_per_stage": [1, 1], "n_conv_per_stage_decoder": [1],
    },
}  # fmt: skip
TRAINED = {"steps": 60, "batch": 2, "learning_rate": 0.01, "log_every": 30, "accelerator": "cpu"}
ZSCORE = {"scheme": "zscore", "clip": [-200, 300]}

KINDS = {
    "3d-window": {"training": {**TRAINED, "average": 0.8}},
    "2d-zscore": {
        "network": PLANAR, "patches": {"size": [24, 24]},
        "preparation": {"spacing": None, "intensity": ZSCORE}, "training": {**TRAINED, "batch": 8},
    },
    "sigmoid": {"activation": "sigmoid", "loss": "bce + dice", "training": TRAINED},
    "nnunet-way": {
        "preparation": {"way": "nnunet", "orientation": "RAS",
                        "intensity": {"scheme": "ct-percentile", "clip": [-160, 240], "mean": 40, "std": 90}},
        "training": TRAINED,
    },
    "nonzero-crop": {
        "preparation": {"crop": "nonzero"}, "patches": {"size": [16, 24, 24]}, "training": TRAINED,
    },
}  # fmt: skip
"""Sections of recipes, each of which goes another way from a scan to labels."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_folder(tmp_path_factory.mktemp("data") / "made-up", shape=(17, 36, 33))


def trained(data, folder, **sections):
    recipe = check_recipe(content(data, **sections))
    return recipe, train(recipe, folder).run


def validator_of(recipe, run):
    module = SegmentationModule(recipe)
    module.network.load_state_dict(run_weights(run))
    return Validator(recipe, module.network.eval(), torch.device("cpu"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_product_finds_what_the_validation_found(data, tmp_path, kind):
    recipe, run = trained(data, tmp_path / "run", **KINDS[kind])
    export_run(run, tmp_path / "model")
    model = load_model(str(tmp_path / "model"))
    networks = load_foreign(model, choose_devices("cpu", precision="float32"))
    case = load_data(recipe, run).validation[0]
    expected = validator_of(recipe, run).labels(case["image"].numpy())

    path = data / "c3.nii.gz"
    found = find_structures(networks, sitk.ReadImage(str(path)), lambda share: None).structures.labels
    if recipe.preparation.orientation == "RAS":
        found = found[:, ::-1, ::-1]
    assert found.shape == expected.shape
    assert (found != expected).mean() < 1e-4
    livers = [row["liver"] for row in json.loads(run.validation.read_text())["cases"]]
    assert min(livers) > 0.5, "a network that finds nothing proves nothing"

    result = Segmenter(model=str(tmp_path / "model"), device="cpu").segment(str(path))
    liver = np.isin(expected[:, ::-1, ::-1] if recipe.preparation.orientation == "RAS" else expected, (1, 3))
    drawn = np.isin(sitk.GetArrayFromImage(result.labels), (1, 3))
    assert drawn.any() and (drawn & ~liver).mean() < 0.02, "clean-up fills holes, and adds nothing else"


def test_another_spacing_than_the_networks_comes_back_to_the_scans_voxels(data, tmp_path):
    recipe, run = trained(data, tmp_path / "run", preparation={"spacing": [7.0, 6.0, 9.0]},
                          training=TRAINED)  # fmt: skip
    export_run(run, tmp_path / "model")
    networks = load_foreign(load_model(str(tmp_path / "model")), choose_devices("cpu", precision="float32"))
    scan = sitk.ReadImage(str(data / "c3.nii.gz"))
    turned = sitk.PermuteAxes(sitk.Flip(scan, (True, False, False)), (2, 0, 1))
    labels = []
    for image in (scan, turned):
        found = find_structures(networks, image, lambda share: None).structures.labels
        assert found.shape == image.GetSize()[::-1]
        mask = sitk.GetImageFromArray(found)
        mask.CopyInformation(image)
        labels.append(sitk.GetArrayFromImage(sitk.DICOMOrient(mask, "LPS")))
    assert (labels[0] == labels[1]).all()
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(data / "c3_label.nii.gz")))
    mine, theirs = np.isin(labels[0], (1, 3)), np.isin(truth, (1, 3))
    assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.6


def test_the_card_is_filled_from_the_run(data, tmp_path):
    about = {
        "name": "made-up-liver", "version": "2.1.0", "licence": "CC BY 4.0", "modality": "CT",
        "training_data": [{"name": "made-up", "licence": "CC0", "citation": "nobody"}], "weights": "float16",
    }  # fmt: skip
    recipe, run = trained(data, tmp_path / "run", training={**TRAINED, "steps": 3}, export=about)
    manifest = export_run(run, tmp_path / "model")
    written = json.loads((tmp_path / "model" / "model.json").read_text())
    assert (manifest.name, manifest.version, manifest.pipeline) == ("made-up-liver", "2.1.0", "laboratory")
    assert [(d.name, d.cases, d.licence) for d in manifest.training_data] == [("made-up", 3, "CC0")]
    assert written["stages"][0]["training"]["steps"] == 3
    assert written["recipe"]["data"]["folder"] == data.name and str(data.parent) not in json.dumps(written)
    assert written["recipe"]["seed"] == recipe.seed and set(written["made_with"]) >= {
        "torch",
        "monai",
        "lightning",
    }
    rows = manifest.accuracy.table
    assert [row["case"] for row in rows] == ["c3", "c4", "mean"]
    means = [row["Dice, liver"] for row in rows]
    assert means[2] == pytest.approx((means[0] + means[1]) / 2, abs=1e-4)
    weights = load_model(str(tmp_path / "model")).state_dict("segment")
    assert {str(value.dtype) for value in weights.values()} == {"torch.float16"}


def test_averaged_weights_are_exported_where_the_recipe_averages(data, tmp_path):
    _, run = trained(data, tmp_path / "run", training={**TRAINED, "steps": 5, "average": 0.9})
    export_run(run, tmp_path / "model")
    state = torch.load(run.last, weights_only=True)
    found = load_model(str(tmp_path / "model")).state_dict("segment")
    for name, value in found.items():
        assert torch.equal(value, state["state_dict"][f"network.{name}"])
    assert any(not torch.equal(v, state["current_model_state"][f"network.{n}"]) for n, v in found.items())


def test_what_cannot_be_exported_is_said(data, tmp_path):
    with pytest.raises(InputError, match="no training run"):
        export_run(RunFolder(tmp_path), tmp_path / "model")
    run = RunFolder(tmp_path / "run")
    recipe = check_recipe(content(data, preparation={"spacing": [None, 5.0, 8.0]}))
    run.begin(recipe)
    with pytest.raises(InputError, match="no checkpoint yet"):
        export_run(run, tmp_path / "model")
    train(recipe.changed(training=recipe.training.changed(steps=1)), run.path)
    with pytest.raises(InputError, match="keep the scan's spacing along z alone"):
        export_run(run, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_largest_part_is_kept():
    labels = np.zeros((3, 4, 9), np.uint8)
    labels[:, :2, :2] = labels[2, 2, 2] = 1  # touches at a corner
    labels[0, 0, 5:7] = 1
    labels[1, 3, 7] = 2
    keep_largest(labels, [1])
    assert (labels == 1).sum() == 13 and (labels == 2).sum() == 1


def test_a_liver_counts_with_its_tumors_and_what_is_not_annotated_not_at_all(data, tmp_path):
    recipe = check_recipe(content(data))
    validator = Validator(recipe, torch.nn.Identity(), torch.device("cpu"))
    truth = np.array([[[1, 1, 3, 2, 0, 0]]], np.uint8)
    found = np.array([[[1, 3, 1, 0, 0, 0]]], np.uint8)
    batch = {"id": "x", "label": torch.from_numpy(truth[None]), "annotated": torch.tensor([True, True, True])}
    assert validator.compare(found, batch).dice == {"liver": 1.0, "spleen": 0.0, "liver tumour": 0.0}
    partly = {**batch, "annotated": torch.tensor([True, False, False])}
    assert validator.compare(found, partly).dice == {"liver": 1.0, "spleen": None, "liver tumour": None}
