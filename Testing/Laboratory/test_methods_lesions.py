"""Lesions alone: what the network is shown and taught, and that a run of it becomes a stage of the model."""

import json

import numpy as np
import pytest
import torch
from made_up import content, pack_cases

from LiverSegLib.cli import main
from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import load_model
from LiverSegLib.training.export import export_bundled
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import train
from LiverSegLib.training.methods.lesions import (
    LESION_OUTPUT,
    dilated,
    lesion_loss,
    rough_liver,
    shown,
    taught,
)
from LiverSegLib.training.methods.registry import make_module
from LiverSegLib.training.pack import write_pack
from LiverSegLib.training.recipe import check_recipe, dump_recipe, read_recipe
from LiverSegLib.training.run_folder import RunFolder

SPACING = 2.0


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A pack of two made-up patients, one of them without complete tumours."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "dataset.json").write_text(json.dumps({"cases": pack_cases(folder)}))
    write_pack(folder, folder / "pack.npz")
    return folder / "pack.npz"


def small(name, pack, *changes):
    return read_recipe(f"bundled-{name}", [
        "network.arguments={channels: [4, 8], blocks: [1, 1], fold: 2}", "pack.spacing=4.0",
        "patches.size=[16, 24, 32]", "training.accelerator=cpu", "training.precision=32-true",
        "training.warmup=1", f"data.folder={pack}", *changes,
    ])  # fmt: skip


def lesions(pack, *changes):
    return small("lesions", pack, "pack.tumour_free=[]", "training.start=null", *changes)


def patch():
    """Image (z, y, x) in -1..1 and label of a liver at 60 HU with a lesion at 30 at its border."""
    label = torch.zeros((20, 24, 24), dtype=torch.uint8)
    label[2:18, 2:22, 2:22] = LIVER
    label[6:12, 2:10, 6:14] = TUMOUR
    label[2:8, 22:, 2:8] = SPLEEN
    hu = torch.full(label.shape, -90.0)
    for value, level in ((LIVER, 60.0), (TUMOUR, 30.0), (SPLEEN, 110.0)):
        hu[label == value] = level
    return (hu - 40) / 200, label


def test_it_is_shown_what_the_product_shows():
    image, label = patch()
    channels = shown(image, label, np.random.default_rng(0), SPACING)
    assert channels.shape == (3, *label.shape) and channels.dtype == torch.float32
    assert torch.equal(channels[0], image)
    assert float(channels[1][label == TUMOUR].mean()) == pytest.approx(-0.5, abs=0.35)
    assert float(channels[1].min()) == pytest.approx(-2)
    assert set(channels[2].unique().tolist()) == {0.0, 1.0}


def test_the_liver_it_is_told_is_often_a_little_wrong_and_never_much():
    _, label = patch()
    whole = (label == LIVER) | (label == TUMOUR)
    seen = [rough_liver(whole, label == TUMOUR, np.random.default_rng(seed), SPACING) for seed in range(40)]
    right = sum(torch.equal(one, whole) for one in seen)
    assert 4 <= right <= 30
    missing = [int(((label == TUMOUR) & ~one).sum()) for one in seen]
    assert max(missing) > 0.5 * int((label == TUMOUR).sum()), "a lesion at the border is never left out"
    near = dilated(label == TUMOUR, 2) | ~dilated(~whole, 1)
    for one in seen:
        assert not bool((whole & ~one & ~near & ~(dilated(~whole, 2))).any()), (
            "the liver has a hole elsewhere"
        )


def batch(label, annotated, soft=None):
    """One patch as samples of a pack give it."""
    told = {} if soft is None else {"soft": soft[None], "has_soft": torch.tensor([True])}
    return {"label": label[None, None], "annotated": torch.tensor([annotated]), **told}


def test_a_patch_without_annotated_tumours_teaches_only_what_is_certain():
    _, label = patch()
    target, weight = taught(batch(label, [True, True, False]), 0, 3, 0.5)
    assert float(weight[label == LIVER].max()) == 0
    assert float(weight[label == TUMOUR].min()) == 1 and float(target[label == TUMOUR].min()) == 1
    assert float(weight[2, 22, 10]) == 1 and float(target[2, 22, 10]) == 0, "beside the liver there is none"
    target, weight = taught(batch(label, [True, True, True]), 0, 3, 0.5)
    assert float(weight[label == LIVER].min()) == 1 and float(target[label == LIVER].max()) == 0


def test_far_from_the_liver_nothing_is_taught():
    _, label = patch()
    label[:, :, 12:] = 0
    _, weight = taught(batch(label, [True, True, True]), 0, 3, 0.5)
    assert float(weight[:, :, 15:].max()) == 0 and float(weight[4, 4, 14]) == 1


def test_other_networks_teach_where_nobody_annotated():
    _, label = patch()
    soft = torch.zeros(label.shape)
    soft[14:16] = 0.8
    target, weight = taught(batch(label, [True, True, False], soft), 0, 3, 0.5)
    liver = label == LIVER
    assert float(weight[liver].min()) == 0.5 == float(weight[liver].max())
    assert float(target[15, 15, 15]) == pytest.approx(0.8) and float(target[10, 15, 15]) == 0
    assert float(target[label == TUMOUR].min()) == 1


def test_the_loss_is_least_for_the_truth():
    _, label = patch()
    truth = (label == TUMOUR).float()
    weight = torch.ones_like(truth)
    right, nothing, everything = (
        float(lesion_loss(scores, truth, weight))
        for scores in ((truth - 0.5) * 12, torch.full_like(truth, -6), torch.full_like(truth, 6))
    )
    assert right < 0.05 and nothing > right + 0.5 and everything > right + 0.5
    assert float(lesion_loss(torch.full_like(truth, 6), truth, torch.zeros_like(truth))) == pytest.approx(0)


def test_a_mask_grows_by_a_box():
    mask = torch.zeros((7, 7, 7), dtype=torch.bool)
    mask[3, 3, 3] = True
    grown = dilated(mask, 2)
    assert int(grown.sum()) == 125 and bool(grown[1, 1, 1]) and not bool(grown[0, 3, 3])


def test_a_run_resumes_exactly_and_becomes_a_stage_of_the_model(pack, tmp_path):
    runs = tmp_path / "runs"
    recipe = lesions(pack, "training.steps=3")
    train(recipe, runs / "lesions")
    asked = iter([True])
    assert train(recipe, tmp_path / "parts", stop=lambda: next(asked, False)).step == 1
    train(recipe, tmp_path / "parts")
    one, other = (
        torch.load(RunFolder(folder).last, weights_only=True)["state_dict"]
        for folder in (runs / "lesions", tmp_path / "parts")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    for name in ("locate", "segment"):
        train(small(name, pack, "training.steps=1"), runs / name)
    card = {"name": "tiny", "version": "0.0.1", "description": "x", "licence": "CC0"}
    manifest = export_bundled(runs, tmp_path / "model", card)
    assert [stage.name for stage in manifest.stages] == ["locate", "segment", "lesions"]
    stage = manifest.stage("lesions")
    assert stage.network.arguments["in_channels"] == 3 and stage.network.arguments["out_channels"] == 2
    assert stage.output.to_dict() == LESION_OUTPUT and stage.spacing == (4.0, 4.0, 4.0)
    written = load_model(str(tmp_path / "model")).state_dict("lesions")
    assert torch.equal(written["head.bias"], one["network.head.bias"].half())
    kept = export_bundled(tmp_path / "none", tmp_path / "model", {**card, "version": "0.0.2"})
    assert kept.stage("lesions").sha256 == stage.sha256


def test_such_a_run_is_no_model_by_itself(pack, tmp_path, capsys):
    dump_recipe(lesions(pack, "training.steps=1"), tmp_path / "lesions.yaml")
    assert main(["train", str(tmp_path / "lesions.yaml"), "--run", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "LiverSegLib.training.export" in said and "paint" not in said and "liverseg export" not in said
    with pytest.raises(InputError, match="a stage of the bundled model"):
        export_run(RunFolder(tmp_path / "run"), tmp_path / "model")


def test_recipes_that_do_not_fit_are_refused(pack, tmp_path):
    with pytest.raises(InputError, match="trains on a pack"):
        check_recipe(content(tmp_path, method={"name": "lesions"}))
    with pytest.raises(UsageError, match="liver tumour"):
        make_module(lesions(pack, "structures=[liver, spleen]"))
