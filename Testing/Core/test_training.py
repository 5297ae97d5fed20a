"""The data pack, augmentation, partial-label losses, and a trainer that resumes."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
import torch

from LiverSegLib.errors import InputError, ModelError
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.models import load_model
from LiverSegLib.networks import build_network
from LiverSegLib.training import calibrate
from LiverSegLib.training import train as trainer_module
from LiverSegLib.training.augment import Augmentation
from LiverSegLib.training.export import export_model
from LiverSegLib.training.losses.partial import class_groups, dice_loss, partial_loss
from LiverSegLib.training.pack import LEVELS, read_pack, to_levels, write_pack
from LiverSegLib.training.patches import label_positions, sample_patch
from LiverSegLib.training.recipes import RECIPES, Recipe
from LiverSegLib.training.train import Trainer, case_weights, train


def test_training_needs_nothing_but_torch_and_numpy():
    program = (
        "import sys\n"
        "for name in ('SimpleITK', 'scipy', 'pydicom', 'vtk', 'PIL', 'typer', 'rich', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "import LiverSegLib.training.train\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with two made-up patients, one of them without complete tumours."""
    folder = tmp_path_factory.mktemp("data")
    cases = []
    for name, annotated in (("a", ["liver", "spleen", "liver tumour"]), ("b", ["liver"])):
        image, truth = phantom.patient((80, 60, 18), (4.0, 4.0, 10.0))
        label = sitk.GetImageFromArray(truth)
        label.CopyInformation(image)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
        sitk.WriteImage(label, str(folder / f"{name}_label.nii.gz"))
        cases.append({"id": name, "patient": name, "split": "train", "image": f"{name}.nii.gz",
                      "label": f"{name}_label.nii.gz", "annotated": annotated})  # fmt: skip
    cases.append({**cases[0], "id": "held-out", "patient": "c", "split": "val"})
    (folder / "dataset.json").write_text(json.dumps({"cases": cases}))
    return folder


@pytest.fixture(scope="module")
def pack(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "pack.npz"
    assert write_pack(data, path) == path.stat().st_size
    return path


def test_a_pack_holds_the_training_cases_only(pack):
    assert [case.id for case in read_pack(pack, "fine")] == ["a", "b"]
    assert [case.id for case in read_pack(pack, "coarse", patients=["b"])] == ["b"]
    assert list(pack.parent.iterdir()) == [pack]


def test_a_pack_keeps_labels_and_grey_levels(pack):
    case = read_pack(pack, "fine")[0]
    assert case.spacing[:2] == (1.5, 1.5)
    liver = case.image[case.label == 1]
    assert abs(float(np.median(liver)) - float(to_levels(np.array(60.0)))) <= 1
    assert case.annotated == (1, 2, 3)
    expected_ml = 4 / 3 * np.pi * np.prod(phantom.SPLEEN_RADII) / 1000
    assert (case.label == 2).sum() * np.prod(case.spacing) / 1000 == pytest.approx(expected_ml, rel=0.08)


def test_grey_levels_span_the_window():
    assert to_levels(np.array([-1000.0, -160, 40, 240, 3000])).tolist() == [0, 0, LEVELS // 2, LEVELS, LEVELS]


def test_a_folder_without_data_set_is_refused(tmp_path):
    with pytest.raises(InputError, match="dataset.json"):
        write_pack(tmp_path, tmp_path / "pack.npz")
    (tmp_path / "dataset.json").write_text('{"cases": []}')
    with pytest.raises(InputError, match="no labelled case"):
        write_pack(tmp_path, tmp_path / "pack.npz")


EVERYTHING = Augmentation(
    mirror_x=1, thick_slices=1, unenhanced=1, arterial=0.5, fatty=0.5, organ_shift=1, bright_contents=1,
    contrast=1, kernel=1, noise=1, field_of_view=1,
)  # fmt: skip


@pytest.mark.parametrize(
    "augmentation", [None, Augmentation(), EVERYTHING, replace(EVERYTHING, elsewhere=1.0)]
)
def test_patches_have_their_shape_and_range_and_repeat_from_the_seed(pack, augmentation):
    case = read_pack(pack, "fine")[0]
    positions = label_positions(case, np.random.default_rng(0))

    def draw(seed):
        return sample_patch(case, positions, patch=(16, 24, 32), spacing=3.0, rng=np.random.default_rng(seed),
                            augmentation=augmentation)  # fmt: skip

    for seed in range(6):
        (image, label), (again, label_again) = draw(seed), draw(seed)
        assert image.shape == (1, 1, 16, 24, 32) and label.shape == (16, 24, 32)
        assert -1 <= float(image.min()) and float(image.max()) <= 1 and torch.isfinite(image).all()
        assert set(label.unique().tolist()) <= {0, 1, 2, 3}
        assert torch.equal(image, again) and torch.equal(label, label_again)
        if augmentation is not None and augmentation.elsewhere == 1.0 and not label.any():
            break


def test_a_plain_patch_shows_the_scan_as_it_is(pack):
    case = read_pack(pack, "fine")[0]
    positions = {3: np.array([[n // 2 for n in case.label.shape]])}
    image, label = sample_patch(
        case, positions, patch=(8, 16, 16), spacing=1.5, rng=np.random.default_rng(1), augmentation=None
    )
    means = {
        value: float(image[0, 0][label == value].mean())
        for value in label.unique().tolist()
        if value in (1, 3)
    }
    for value, name in ((1, "liver"), (3, "tumour")):
        if value in means:
            assert means[value] == pytest.approx((phantom.HU[name] - 40) / 200, abs=0.06)


def test_groups_follow_what_is_annotated():
    assert class_groups((1, 2, 3), 4) == ([[0], [1], [2], [3]], [0, 1, 2, 3])
    assert class_groups((1, 2), 4) == ([[0], [1, 3], [2]], [0, 1, 2, 1])
    assert class_groups((1,), 4) == ([[0, 2], [1, 3]], [0, 1, 0, 1])
    assert class_groups((2,), 4) == ([[0, 1, 3], [2]], [0, 0, 1, 0])
    assert class_groups((1,), 3) == ([[0, 2], [1]], [0, 1, 0])


def confident(label):
    """Logits that are sure of ``label``."""
    return (
        torch.nn.functional.one_hot(label.long(), 4).permute(3, 0, 1, 2)[None].float() * 30
    ).requires_grad_()


def test_a_right_answer_costs_nothing_and_a_wrong_one_does():
    label = torch.randint(0, 4, (8, 8, 8), generator=torch.Generator().manual_seed(0))
    assert partial_loss(confident(label), label, (1, 2, 3)).item() < 1e-3
    assert partial_loss(confident((label + 1) % 4), label, (1, 2, 3)).item() > 1


def test_what_is_not_annotated_is_neither_rewarded_nor_punished():
    label = torch.zeros((8, 8, 8), dtype=torch.uint8)
    label[:4] = 1
    spleen_found, tumour_found = label.clone(), label.clone()
    spleen_found[6:] = 2
    tumour_found[:2] = 3
    reference = float(partial_loss(confident(label), label, (1,)))
    assert float(partial_loss(confident(spleen_found), label, (1,))) == pytest.approx(reference, abs=1e-3)
    assert float(partial_loss(confident(tumour_found), label, (1,))) == pytest.approx(reference, abs=1e-3)
    assert float(partial_loss(confident(tumour_found), label, (1, 3))) > reference + 0.3


def test_a_known_tumour_counts_even_where_others_may_be_missing():
    label = torch.ones((8, 8, 8), dtype=torch.uint8)
    label[:2] = 3
    found, missed = confident(label), confident(torch.ones_like(label))
    assert float(partial_loss(missed, label, (1,))) > float(partial_loss(found, label, (1,))) + 1


def test_dice_loss_counts_tumours_as_liver_too():
    label = torch.ones((8, 8, 8), dtype=torch.uint8)
    label[:4] = 3
    log_p = torch.log_softmax(confident(torch.ones_like(label))[0], 0)
    assert float(dice_loss(log_p, label, (1,))) < 1e-3
    assert float(dice_loss(log_p, label, (1, 3))) > 0.3


def small_recipe(**changes):
    arguments = {
        "in_channels": 1,
        "out_channels": 4,
        "channels": [4, 8],
        "blocks": [1, 1],
        "dimensions": 3,
        "fold": 2,
    }
    recipe = Recipe(
        version="fine",
        spacing=4.0,
        patch=(16, 24, 32),
        network="ResidualUNet",
        arguments=arguments,
        steps=6,
        warmup=1,
    )
    return replace(recipe, **changes)


def test_training_learns(pack):
    trainer = Trainer(
        small_recipe(steps=60, learning_rate=1e-2, augmentation=Augmentation(noise=0)),
        read_pack(pack, "fine"),
    )
    losses = [trainer.train_step() for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_an_interrupted_run_ends_as_one_that_was_not(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "CHECKPOINT_EVERY", 2)
    cases = read_pack(pack, "fine")
    whole = train(small_recipe(), cases, tmp_path / "whole")
    first = Trainer(small_recipe(), cases)
    for _ in range(4):
        first.train_step()
    (tmp_path / "broken").mkdir()
    first.save(tmp_path / "broken" / "checkpoint.pt")
    resumed = train(small_recipe(), cases, tmp_path / "broken")
    assert resumed.step == whole.step == 6
    for a, b in zip(whole.average.parameters(), resumed.average.parameters()):
        assert torch.equal(a, b)


def test_training_stops_on_time_with_a_checkpoint(pack, tmp_path):
    stopped = train(small_recipe(steps=10_000), read_pack(pack, "fine"), tmp_path, stop_after_s=0.0)
    assert stopped.step == 1
    assert (tmp_path / "checkpoint.pt").is_file()


def test_training_can_begin_with_a_trained_network(pack, tmp_path):
    cases = read_pack(pack, "fine")
    trained = Trainer(small_recipe(), cases)
    trained.train_step()
    weights = trained.network.state_dict()
    begun = train(small_recipe(steps=0), cases, tmp_path / "new", start=weights)
    assert all(torch.equal(begun.average.state_dict()[key], value) for key, value in weights.items())
    with pytest.raises(ModelError, match="do not fit"):
        train(small_recipe(), cases, tmp_path / "other", start={"no": torch.zeros(1)})


def test_the_learning_rate_warms_up_stays_and_falls():
    trainer = Trainer(small_recipe(steps=100, warmup=10), [])
    rates = []
    for trainer.step in range(100):
        rates.append(trainer.learning_rate())
    assert rates[0] < rates[9] == rates[50] == small_recipe().learning_rate
    assert rates[99] < rates[80] < rates[50]


def test_patients_with_many_series_do_not_dominate(pack):
    case = read_pack(pack, "fine")[1]
    cases = [case] * 4 + [replace(case, patient="other")]
    weights = case_weights(cases)
    assert weights.sum() == pytest.approx(1)
    assert weights[4] == pytest.approx(2 * weights[0])


def test_checkpoints_become_a_model_that_loads(pack, tmp_path):
    for stage in ("locate", "segment"):
        recipe = RECIPES[stage]
        arguments = {**recipe.arguments, "channels": [4, 8], "blocks": [1, 1]}
        (tmp_path / stage).mkdir()
        Trainer(replace(recipe, arguments=arguments), []).save(tmp_path / stage / "checkpoint.pt")
    card = {"name": "small", "version": "1", "description": "for tests", "licence": "none"}
    manifest = export_model(tmp_path, tmp_path / "small", card)
    model = load_model(str(tmp_path / "small"))
    for stage in manifest.stages:
        network = build_network(stage.network.name, stage.network.arguments)
        network.load_state_dict(model.state_dict(stage.name))
    assert manifest.stage("locate").output.channel_labels == (0, 1, 2)
    with pytest.raises(InputError, match="checkpoint"):
        export_model(tmp_path / "nothing", tmp_path / "other", card)


# --- calibration ---


def test_shifting_the_liver_changes_the_logits_of_liver_and_tumour_only():
    arguments = {"channels": [4, 8], "out_channels": 4, "fold": 2}
    torch.manual_seed(0)
    network = build_network("ResidualUNet", arguments).eval()
    image = torch.rand(1, 1, 16, 16, 16)
    before = network(image)
    network.load_state_dict(calibrate.shift_liver(network.state_dict(), 0.75, 4))
    moved = (before - network(image)).amax((0, 2, 3, 4)), (before - network(image)).amin((0, 2, 3, 4))
    for change in moved:
        assert change.tolist() == pytest.approx([0.0, 0.75, 0.0, 0.75], abs=1e-5)


def shift_found(cases, leaning, monkeypatch):
    """Calibrate a network that knows the truth but for noise, and leans towards the liver."""

    class Leaning(torch.nn.Module):
        label = None

        def forward(self, image):
            noise = torch.randn(image.shape[2:], generator=torch.Generator().manual_seed(0))
            liver = (self.label == LIVER) | (self.label == TUMOUR)
            margin = torch.where(liver, 1.5, -1.5) + 2.0 * noise + leaning
            nothing = torch.zeros_like(margin)
            return torch.stack([nothing, margin, nothing - 99, nothing - 99])[None]

    network = Leaning()

    def remembering(*args, **kwargs):
        image, network.label = sample_patch(*args, **kwargs)
        return image, network.label

    monkeypatch.setattr(calibrate, "sample_patch", remembering)
    margins = calibrate.liver_margins(network, cases, (32, 32, 32), 3.0)
    return calibrate.unbiased_shift(margins), margins


def test_a_network_that_leans_more_is_shifted_by_as_much_more(pack, monkeypatch):
    cases = read_pack(pack, "fine")
    upright, _ = shift_found(cases, 0.0, monkeypatch)
    leaning, _ = shift_found(cases, 0.7, monkeypatch)
    assert leaning - upright == pytest.approx(0.7, abs=0.05)


def test_after_the_shift_as_much_liver_is_found_as_is_labelled(pack, monkeypatch):
    shift, margins = shift_found(read_pack(pack, "fine")[:1], 0.4, monkeypatch)
    ((predicted, labelled),) = margins
    assert np.interp(shift, calibrate.shifts(), predicted) == pytest.approx(labelled, rel=0.01)


def test_scans_without_an_annotated_liver_are_left_out(pack, monkeypatch):
    cases = [replace(case, annotated=(2,)) for case in read_pack(pack, "fine")]
    assert calibrate.liver_margins(torch.nn.Identity(), cases, (32, 32, 32), 3.0) == []


def test_a_patch_may_lie_beyond_the_scan(pack, monkeypatch):
    (case, *_) = read_pack(pack, "fine")
    monkeypatch.setattr("LiverSegLib.training.patches.ABOVE_MM", (900.0, 901.0))
    how = Augmentation(centres=(0.0, 0.0, 0.0, 0.0, 1.0))
    positions = label_positions(case, np.random.default_rng(0))
    for seed in range(12):
        rng = np.random.default_rng(seed)
        image, label = sample_patch(
            case, positions, patch=(16, 16, 16), spacing=3.0, rng=rng, augmentation=how
        )
        assert image.shape == (1, 1, 16, 16, 16) and torch.isfinite(image).all()
        assert label.shape == (16, 16, 16)
