"""The data pack, its augmentation, partial-label losses, training on a pack, calibration."""

import json
from dataclasses import replace

import numpy as np
import phantom
import pytest
import torch
from made_up import pack_cases
from torch.nn import functional

from LiverSegLib.errors import InputError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.networks import build_network
from LiverSegLib.training import calibrate
from LiverSegLib.training.augment import Augmentation, darken_vessels, mottle_spleen
from LiverSegLib.training.fit import run_weights, train
from LiverSegLib.training.losses.partial import class_groups, dice_loss, partial_loss
from LiverSegLib.training.pack import LEVELS, read_pack, to_levels, write_pack
from LiverSegLib.training.pack_samples import PackSamples, case_weights
from LiverSegLib.training.patches import label_positions, sample_patch
from LiverSegLib.training.recipe import read_recipe
from LiverSegLib.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder with two made-up patients, one of them without complete tumours."""
    folder = tmp_path_factory.mktemp("data")
    cases = pack_cases(folder)
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


SMALL = [
    "network.arguments={channels: [4, 8], blocks: [1, 1], fold: 2}", "pack.spacing=4.0",
    "patches.size=[16, 24, 32]",
    "training.accelerator=cpu", "training.precision=32-true", "training.warmup=1", "training.log_every=5",
]  # fmt: skip


def small_recipe(pack, *changes):
    return read_recipe("bundled-segment", [*SMALL, f"data.folder={pack}", *changes])


def after(steps):
    """A function that asks to stop after so many steps."""
    count = [0]

    def stop():
        count[0] += 1
        return count[0] >= steps

    return stop


def test_training_on_a_pack_learns(pack, tmp_path):
    recipe = small_recipe(pack, "training.steps=60", "training.learning_rate=0.01", "pack.noise=0")
    train(recipe, tmp_path / "run")
    losses = RunFolder(tmp_path / "run").losses()
    assert np.mean(losses[-2:]) < 0.7 * np.mean(losses[:2])


def test_an_interrupted_run_on_a_pack_ends_as_one_that_was_not(pack, tmp_path):
    recipe = small_recipe(pack, "training.steps=4")
    train(recipe, tmp_path / "whole")
    assert train(recipe, tmp_path / "parts", stop=after(2)).step == 2
    assert train(recipe, tmp_path / "parts").step == 4
    whole, parts = (run_weights(RunFolder(tmp_path / name)) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_pack_that_is_missing_or_has_other_structures_is_said(pack, tmp_path):
    with pytest.raises(InputError, match="no pack"):
        train(small_recipe(tmp_path / "nothing.npz"), tmp_path / "run")
    with pytest.raises(InputError, match="A pack has the structures"):
        train(small_recipe(pack, "structures=[spleen, liver]", "loss=ce"), tmp_path / "other")


def test_patients_with_many_series_do_not_dominate(pack):
    case = read_pack(pack, "fine")[1]
    cases = [case] * 4 + [replace(case, patient="other")]
    weights = case_weights(cases)
    assert weights.sum() == pytest.approx(1)
    assert weights[4] == pytest.approx(2 * weights[0])


def test_tumors_count_as_liver_for_a_network_that_does_not_tell_them_apart(pack):
    recipe = read_recipe("bundled-locate", [f"data.folder={pack}", "patches.size=[16, 32, 32]"])
    sample = PackSamples(read_pack(pack, "coarse"), recipe, 10)[0]
    assert int(sample["label"].max()) <= 2 and sample["annotated"].shape == (2,)


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


def test_vessels_of_a_simulated_unenhanced_liver_get_darker_than_it():
    rng = np.random.default_rng(0)
    label = torch.zeros((16, 32, 32), dtype=torch.uint8)
    label[:, 4:28, 4:28] = LIVER
    label[6:10, 6:10, 6:10] = TUMOUR
    hu = torch.from_numpy(60 + rng.normal(0, 4, label.shape)).float()
    vessel = torch.zeros_like(label, dtype=torch.bool)
    vessel[:, 14:18, 14:18] = True
    hu[vessel] += 20
    hu[label == TUMOUR] = 90.0
    before = hu.clone()
    darken_vessels(hu, label, (6, 25), rng)
    inner = torch.zeros_like(vessel)
    inner[:, 15:17, 15:17] = True
    assert float(hu[inner].mean()) < 60 - 5
    liver = (label == LIVER) & (functional.max_pool3d(vessel[None, None].float(), 3, 1, 1)[0, 0] == 0)
    assert abs(float((hu - before)[liver].mean())) < 1
    assert torch.equal(hu[label != LIVER], before[label != LIVER]), "only the liver's own vessels change"


@pytest.mark.parametrize(
    ("unenhanced", "chances", "darker"),
    (
        (0.0, {"unfilled_veins": 1.0}, [(10.0, 50.0)]),
        (0.0, {"dark_vessels": 1.0}, []),
        (1.0, {"dark_vessels": 1.0}, [(6.0, 25.0)]),
        (1.0, {"unfilled_veins": 1.0}, []),
    ),
)
def test_each_kind_of_patch_has_its_own_chance_of_dark_vessels(
    pack, monkeypatch, unenhanced, chances, darker
):
    (case, *_) = read_pack(pack, "fine")
    asked = []
    monkeypatch.setattr("LiverSegLib.training.augment.darken_vessels", lambda *given: asked.append(given[2]))
    how = Augmentation(unenhanced=unenhanced, **chances)
    positions = label_positions(case, np.random.default_rng(0))
    sample_patch(
        case, positions, patch=(16, 16, 16), spacing=3.0, rng=np.random.default_rng(0), augmentation=how
    )
    assert asked == darker


def test_an_arterial_spleen_has_bright_and_dark_bands():
    label = torch.zeros((32, 40, 40), dtype=torch.uint8)
    label[8:24, 8:32, 8:32] = SPLEEN
    inner = torch.zeros_like(label, dtype=torch.bool)
    inner[10:22, 10:30, 10:30] = True
    roughness = []
    for seed in range(8):
        hu = torch.full(label.shape, 100.0)
        mottle_spleen(hu, label, np.array([1.5, 1.5, 1.5]), np.random.default_rng(seed))
        neighbors = (hu[:, :, 1:] - hu[:, :, :-1])[inner[:, :, 1:]]
        assert 5 < float(hu[inner].std()) < 40
        roughness.append(float(neighbors.std() / hu[inner].std()))
        assert torch.equal(hu[:6], torch.full_like(hu[:6], 100.0)), "nothing else changes"
    assert np.mean(roughness) < 0.9, "bands are wide; noise has 1.4"
    hu = torch.full(label.shape, 100.0)
    mottle_spleen(hu, torch.zeros_like(label), np.array([1.5, 1.5, 1.5]), np.random.default_rng(0))
    assert bool((hu == 100).all())


def test_a_patch_with_hardly_any_liver_keeps_its_vessels():
    label = torch.zeros((8, 8, 8), dtype=torch.uint8)
    label[0, :4, :4] = LIVER
    hu = torch.full((8, 8, 8), 60.0)
    hu[0, 0, 0] = 200.0
    before = hu.clone()
    darken_vessels(hu, label, (6, 25), np.random.default_rng(0))
    assert torch.equal(hu, before)


def test_what_is_said_to_be_free_of_tumors_teaches_that_there_are_none(pack):
    cases = read_pack(pack, "fine")
    recipe = small_recipe(pack, "pack.tumour_free=[b]")
    samples = PackSamples(cases, recipe, 40)
    known = {item["id"]: bool(item["annotated"][2]) for item in map(samples.__getitem__, range(40))}
    assert known == {"a": True, "b": True}
    plain = PackSamples(cases, small_recipe(pack), 40)
    assert not any(bool(plain[i]["annotated"][2]) for i in range(40) if plain[i]["id"] == "b")
    with pytest.raises(InputError, match="no case c, which the recipe says is free of tumors"):
        PackSamples(cases, small_recipe(pack, "pack.tumour_free=[c]"), 1)
