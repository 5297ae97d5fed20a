"""Keeping: tumours are learnt from labels and other networks, while organs stay those of an older network."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from made_up import content, pack_cases

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.training.augment import Augmentation
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import train
from LiverSegLib.training.methods.keeping import labelled_tumours, organ_distance, soft_tumours
from LiverSegLib.training.methods.registry import make_module
from LiverSegLib.training.pack import read_pack, write_pack
from LiverSegLib.training.pack_samples import PackSamples
from LiverSegLib.training.patches import label_positions, sample_patch, sample_soft_patch
from LiverSegLib.training.recipe import check_recipe, read_recipe
from LiverSegLib.training.run_folder import RunFolder

SHAPE = (6, 8, 8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A made-up patient with complete tumours, one without, and of the second what other networks say."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "soft").mkdir()
    cases = pack_cases(folder)
    label = sitk.ReadImage(str(folder / "b_label.nii.gz"))
    soft = sitk.Cast(label == TUMOUR, sitk.sitkUInt8) * 200
    sitk.WriteImage(soft, str(folder / "soft" / "b.nii.gz"))
    (folder / "dataset.json").write_text(json.dumps({"cases": cases}))
    return folder


@pytest.fixture(scope="module")
def pack(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack.npz"
    write_pack(data, path, soft=data / "soft")
    return path


def small(pack, *changes):
    return read_recipe("bundled-segment", [
        "network.arguments={channels: [4, 8], blocks: [1, 1], fold: 2}", "pack.spacing=4.0",
        "patches.size=[16, 24, 32]", "training.accelerator=cpu", "training.precision=32-true",
        "training.warmup=1", f"data.folder={pack}", *changes,
    ])  # fmt: skip


# --- a pack with what other networks say ---


def test_a_pack_holds_what_other_networks_say_where_the_tumours_are(pack):
    without, case = read_pack(pack, "fine")
    assert without.soft is None and case.soft.shape == case.label.shape
    assert case.soft.dtype == np.uint8 and int(case.soft.max()) == 200
    sure = case.soft > 100
    overlap = 2 * np.count_nonzero(sure & (case.label == TUMOUR))
    assert overlap > 0.9 * (np.count_nonzero(sure) + np.count_nonzero(case.label == TUMOUR))
    assert all(coarse.soft is None for coarse in read_pack(pack, "coarse"))


def test_a_probability_on_another_grid_is_refused(data, tmp_path):
    (tmp_path / "soft").mkdir()
    soft = sitk.ReadImage(str(data / "soft" / "b.nii.gz"))
    sitk.WriteImage(soft[:, :, 1:], str(tmp_path / "soft" / "b.nii.gz"))
    with pytest.raises(InputError, match="grid of the scan b"):
        write_pack(data, tmp_path / "pack.npz", soft=tmp_path / "soft")


def test_what_they_say_is_turned_as_the_patch_is_and_changes_no_other_draw(pack):
    case = read_pack(pack, "fine")[1]
    positions = label_positions(case, np.random.default_rng(0))
    how = Augmentation(centres=(1.0, 0.0, 0.0, 0.0, 0.0), field_of_view=0, lesions=0)
    for seed in range(4):
        options = {"patch": (16, 24, 32), "spacing": 3.0, "augmentation": how}
        image, label, soft = sample_soft_patch(case, positions, rng=np.random.default_rng(seed), **options)
        again, label_again = sample_patch(case, positions, rng=np.random.default_rng(seed), **options)
        assert torch.equal(image, again) and torch.equal(label, label_again)
        inside, outside = float(soft[label == TUMOUR].mean()), float(soft[label != TUMOUR].mean())
        assert inside > 0.5 and outside < inside / 3
        assert float(soft.max()) <= 200 / 255 + 1e-6


def test_a_painted_lesion_is_one_for_certain(pack):
    case = read_pack(pack, "fine")[1]
    positions = label_positions(case, np.random.default_rng(0))
    how = Augmentation(centres=(0.0, 1.0, 0.0, 0.0, 0.0), lesions=1.0, field_of_view=0)
    _, label, soft = sample_soft_patch(
        case, positions, patch=(16, 24, 32), spacing=3.0, rng=np.random.default_rng(1), augmentation=how
    )
    painted = soft == 1
    assert int(painted.sum()) >= 10 and bool((label[painted] == TUMOUR).all())


def test_samples_say_which_scan_they_know_more_of(pack):
    samples = PackSamples(read_pack(pack, "fine"), small(pack), 20)
    drawn = [samples[k] for k in range(12)]
    assert {(item["id"], bool(item["has_soft"])) for item in drawn} == {("a", False), ("b", True)}
    assert all(item["soft"].shape == item["label"].shape[1:] for item in drawn)


# --- the loss ---


def scores(label):
    """Logits (classes, z, y, x) that lean to a label."""
    return torch.nn.functional.one_hot(label.long(), 4).permute(3, 0, 1, 2).float() * 4


def test_organs_may_not_move_but_tumours_may_within_the_liver():
    label = torch.zeros(SHAPE, dtype=torch.uint8)
    label[:, 2:6] = LIVER
    before = scores(label)[None]
    assert float(organ_distance(before, before)) == pytest.approx(0, abs=1e-6)
    tumour = label.clone()
    tumour[:, 3:5] = TUMOUR
    assert float(organ_distance(scores(tumour)[None], before)) == pytest.approx(0, abs=1e-6)
    for value, place in ((SPLEEN, 1), (0, 3), (LIVER, 1)):
        moved = label.clone()
        moved[:, place] = value
        assert float(organ_distance(scores(moved)[None], before)) > 0.1


def test_labelled_tumours_cost_what_is_missed_and_what_is_false():
    label = torch.full(SHAPE, LIVER, dtype=torch.uint8)
    label[:, 2:6, 2:6] = TUMOUR
    right = float(labelled_tumours(scores(label), scores(label), label))
    nothing = float(labelled_tumours(scores(torch.full_like(label, LIVER)), scores(label), label))
    everything = float(labelled_tumours(scores(torch.full_like(label, TUMOUR)), scores(label), label))
    assert right < 0.2 and nothing > right + 0.5 and everything > right + 0.5


def test_other_networks_pull_tumours_and_nothing_pulls_where_they_are_silent():
    label = torch.full(SHAPE, LIVER, dtype=torch.uint8)
    before = scores(label)
    silent = before.clone().requires_grad_()
    soft_tumours(silent, before, label, None).backward()
    assert float(silent.grad.abs().max()) == pytest.approx(0, abs=1e-6)
    told = before.clone().requires_grad_()
    soft = torch.zeros(SHAPE)
    soft[:, :4] = 0.9
    soft_tumours(told, before, label, soft).backward()
    assert bool((told.grad[TUMOUR, :, :4] < 0).all()) and bool((told.grad[TUMOUR, :, 4:] > 0).all())
    known = label.clone()
    known[0] = TUMOUR
    marked = before.clone().requires_grad_()
    soft_tumours(marked, before, known, torch.zeros(SHAPE)).backward()
    assert bool((marked.grad[TUMOUR, 0] < 0).all()), "a tumour that somebody marked is one"


def test_outside_the_older_liver_nothing_is_learnt_of_tumours():
    label = torch.zeros(SHAPE, dtype=torch.uint8)
    before = torch.full((4, *SHAPE), -40.0)
    before[0] = 40.0
    new = before.clone().requires_grad_()
    soft_tumours(new, before, label, torch.ones(SHAPE)).backward()
    assert float(new.grad.abs().max()) < 1e-30


# --- the run ---


def test_a_run_keeps_the_older_network_out_of_it_and_resumes(pack, tmp_path):
    train(small(pack, "training.steps=2"), tmp_path / "older")
    export_run(RunFolder(tmp_path / "older"), tmp_path / "model")
    method = f"method={{name: keeping, teacher: '{tmp_path / 'model'}', weight: 2}}"
    recipe = small(pack, method, "training.steps=3", f"training.start='{tmp_path / 'model'}'")
    train(recipe, tmp_path / "whole")
    asked = iter([True])
    assert train(recipe, tmp_path / "parts", stop=lambda: next(asked, False)).step == 1
    train(recipe, tmp_path / "parts")
    one, other = (
        torch.load(RunFolder(tmp_path / name).last, weights_only=True)["state_dict"]
        for name in ("whole", "parts")
    )
    assert all(name.startswith("network.") for name in one), "the older network is in the checkpoint"
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_recipes_that_do_not_fit_are_refused(pack, tmp_path):
    with pytest.raises(InputError, match="trains on a pack"):
        check_recipe(content(tmp_path, method={"name": "keeping", "teacher": "default"}))
    with pytest.raises(InputError, match="sees .* mm"):
        make_module(small(pack, "method={name: keeping, teacher: default}"))
    with pytest.raises(UsageError, match="liver tumour"):
        make_module(small(pack, "method={name: keeping, teacher: default}", "structures=[liver, spleen]"))
