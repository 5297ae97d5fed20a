"""Every ready recipe end to end on made-up scans: it learns, resumes exactly, is exported, and segments.

Networks and patches are made small; all else is as the recipe has it. `make recipes` runs all of them.
"""

from typing import Dict, List

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from made_up import data_folder

from LiverSegLib.inference.devices import choose_devices
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.load import load_foreign
from LiverSegLib.labels import TUMOUR
from LiverSegLib.models import load_model
from LiverSegLib.training.export import bundled_stage
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import run_weights, train
from LiverSegLib.training.loaders import load_data
from LiverSegLib.training.methods.painting import write_painted
from LiverSegLib.training.methods.registry import method_of
from LiverSegLib.training.module import SegmentationModule
from LiverSegLib.training.pack import write_pack
from LiverSegLib.training.recipe import Recipe, read_recipe, ready_recipes
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.validation import Validator, keep_largest

STEPS = 60
SMALL: Dict[str, List[str]] = {
    "UNet": ["network.arguments={channels: [4, 8, 8, 16, 16]}"],
    "ModifiedUNet": ["network.arguments={features: [4, 8, 16]}"],
    "DenseUNet65": ["patches.size=[32, 32]"],
    "DenseUNet167": ["patches.size=[32, 32]"],
    "VNet": ["network.arguments={features: [4, 8], encoder_convolutions: [1, 1], decoder_convolutions: [1]}"],
    "UNet3D": ["network.arguments={channels: [8, 16]}"],
    "BlockUNet": ["network.arguments={channels: [4, 8]}"],
    "ResidualUNet": ["network.arguments={channels: [4, 8], blocks: [1, 1], fold: 2}"],
}  # fmt: skip
"""Network -> changes that make it quick; the dense ones are what they are, on small patches."""
WINDOW = "{scheme: window, window: [-160, 240], scale: [-1, 1]}"
SMALL_METHOD: Dict[str, List[str]] = {
    "gan": ["method.unlabelled=0", "method.begin=1"],
    "cgan": [],
    "cyclegan": [
        "data.more=[]", "method.source=CT", "method.target=CT",
        f"method.source_preparation={{spacing: null, intensity: {WINDOW}}}",
        "method.generator={name: BlockUNet, arguments: {channels: [4, 8]}}",
    ],
}  # fmt: skip
"""Method -> changes: the made-up scans are all labelled, and all CT."""
QUICK = "unet3d-subvolumes"
"""The recipe that is tried with the other tests."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = data_folder(tmp_path_factory.mktemp("data") / "made-up", shape=(17, 36, 33))
    data_folder(folder.parent / "bare", shape=(17, 36, 33), train=2, val=0, first=10)
    data_folder(folder.parent / "mr", shape=(17, 36, 33), train=2, val=1, first=20, modality="MR")
    write_pack(folder, folder / "pack.npz")
    return folder


MORE = {
    "mean-teacher": "[{{folder: {0}/bare, labels: false}}]",
    "modalities": "[{{folder: {0}/mr}}]",
}
"""Method -> the data sets that it needs beside the labelled CT."""


def small(name, data, *more) -> Recipe:
    """A ready recipe on made-up scans of 5 mm, with a small network."""
    recipe = read_recipe(name)
    changes = [
        f"training.steps={STEPS}", "training.learning_rate=0.01", "training.accelerator=cpu",
        "training.log_every=5", "training.warmup=0", "training.precision=32-true", "training.batch=2",
    ]  # fmt: skip
    if recipe.training.average is not None:
        changes.append("training.average=0.9")
    if recipe.pack is not None:
        changes += [f"data.folder={data / 'pack.npz'}", "pack.spacing=6.0", "patches.size=[16, 32, 32]"]
        changes.append("pack.tumour_free=[]")  # the made-up scans have other names
    else:
        size = "[32, 32]" if recipe.dimensions == 2 else "[16, 16, 16]"
        changes += [f"data.folder={data}", "data.layout=project", f"patches.size={size}", "data.without=[]"]
        spacing = "null" if recipe.dimensions == 2 else "[5.0, 5.0, 8.0]"
        changes += [f"preparation.spacing={spacing}", f"preparation.intensity={WINDOW}", "validation.cases=1"]
    if recipe.method.name in MORE:
        changes.append(f"data.more={MORE[recipe.method.name].format(data.parent)}")
    if recipe.method.name in SMALL_METHOD:
        changes += [*SMALL_METHOD[recipe.method.name], "method.discriminator={channels: 4, layers: 2}"]
    return read_recipe(name, [*changes, *SMALL[recipe.network.name], *more])


def stop_after(steps):
    count = [0]

    def stop():
        count[0] += 1
        return count[0] >= steps

    return stop


@pytest.mark.timeout(1200)  # DenseUNet-167 takes some minutes beside other work
@pytest.mark.parametrize(
    "name", [QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in sorted(ready_recipes()) if n != QUICK)]
)
def test_a_ready_recipe_learns_resumes_is_exported_and_segments(name, data, tmp_path):
    begun = begin_with(name, data, tmp_path / "before")
    recipe = small(name, data, *begun)
    found = train(recipe, tmp_path / "whole")
    run = RunFolder(tmp_path / "whole")
    losses = run.losses()
    assert found.step == STEPS <= 200
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:2]), "the loss does not fall"

    short = small(name, data, *begun, "training.steps=3")
    train(short, tmp_path / "unbroken")
    assert train(short, tmp_path / "broken", stop=stop_after(1)).step == 1
    train(short, tmp_path / "broken")
    weights = [
        torch.load(RunFolder(tmp_path / part).last, weights_only=True)["state_dict"]
        for part in ("unbroken", "broken")
    ]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())

    if recipe.method.name == "lesions":  # a stage of the bundled model, and no model by itself
        assert bundled_stage("lesions", recipe)["output"]["labels"] == {"liver tumour": TUMOUR}
        return
    if not method_of(recipe).segments:
        assert len(write_painted(run, tmp_path / "painted", 2)) == 2
        return
    cases = {case["id"]: case for case in load_data(recipe, run).validation}
    for part in method_of(recipe).models(recipe):
        manifest = export_run(run, tmp_path / f"model{part.modality}", part.modality)
        assert manifest.modality == part.recipe.export.modality
        if recipe.pack is not None:
            assert manifest.pipeline == "liverseg"
            return
        id, folder = ("c22", "mr") if part.modality == "MR" else ("c3", "made-up")
        scan = sitk.ReadImage(str(data.parent / folder / f"{id}.nii.gz"))
        model = load_model(str(tmp_path / f"model{part.modality}"))
        labels = find_structures(
            load_foreign(model, choose_devices("cpu", precision="float32")), scan, lambda share: None
        ).structures.labels
        module = SegmentationModule(part.recipe)
        module.network.load_state_dict(part.weights(run_weights(run)))
        validator = Validator(part.recipe, module.network.eval(), torch.device("cpu"))
        expected = validator.labels(cases[id]["image"].numpy())
        for structure in recipe.validation.largest_component:
            keep_largest(labels, validator.values_of(structure))
        assert (labels != expected).mean() < 1e-4


def begin_with(name, data, folder) -> List[str]:
    """What makes a recipe begin with another network where it wants one: a run of the recipe named."""
    start = read_recipe(name).training.start
    if start is None:
        return []
    first = {"default": "bundled-segment"}.get(start.weights, start.weights.rpartition("/")[2])
    train(small(first, data, "training.steps=2"), folder)
    return [f"training.start={folder}"]
