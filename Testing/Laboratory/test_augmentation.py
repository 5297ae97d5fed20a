"""Augmentation: image and label move together, chance is the generator's, each variation does its part."""

import numpy as np
import pytest
import torch
from made_samples import PATCHES, STRUCTURES, WINDOW, build, options, sample

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.training.augmentation import AugmentationOptions, build_augmentation
from LiverSegLib.training.augmentation.geometry import cut_middle
from LiverSegLib.training.augmentation.options import Variation

ALWAYS = {
    "rotation": {"probability": 1.0},
    "tilt": {"probability": 1.0},
    "scaling": {"probability": 1.0},
    "crop": {"probability": 1.0},
    "elastic": {"probability": 1.0, "range": (2.0, 4.0), "cell_mm": 25.0},
}
"""Every movement in every sample."""


def marked(size, at, spacing=(1.0, 1.0, 1.0)):
    """A sample that is empty but for a block, five voxels long, bright in the image, liver in the label."""
    made = sample(size, spacing)
    block = (0, *[slice(c - 2, c + 3) for c in at])
    made["image"], made["label"] = torch.zeros(1, *size), torch.zeros(1, *size, dtype=torch.uint8)
    made["image"][block], made["label"][block] = 1.0, 1
    return made


def centre(values):
    """Centre of mass of (1, spatial axes), in voxels."""
    weights = values[0].double().numpy()
    return np.array([(w * weights).sum() / weights.sum() for w in np.indices(weights.shape)])


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
@pytest.mark.parametrize(
    "changes",
    [
        *[{name: value} for name, value in ALWAYS.items()],
        {"flip_left_right": 1.0},
        {"flip_front_back": 1.0},
        {"flip_head_foot": 1.0},
        {**ALWAYS, "flip_left_right": 0.5, "flip_front_back": 0.5, "flip_head_foot": 0.5},
    ],
    ids=lambda value: "+".join(value) if len(value) < 2 else "all",
)
@pytest.mark.parametrize("spacing", ((1.0, 1.0, 1.0), (0.8, 0.8, 3.0)), ids=("isotropic", "thick"))
def test_image_and_label_move_alike(patch, changes, spacing):
    vary = build(patch, options(**changes), spacing=spacing)
    size = vary.enlarged(patch)
    moved = 0.0
    for seed in range(6):
        before = marked(size, [n // 2 + 3 * (-1) ** (seed + k) for k, n in enumerate(size)], spacing)
        after = vary(before, np.random.default_rng(seed))
        assert after["image"].shape == after["label"].shape == (1, *patch)
        assert set(after["label"].unique().tolist()) == {0, 1}
        # The label is that of the nearest voxel, which is up to half a voxel away.
        assert np.abs(centre(after["image"]) - centre(after["label"])).max() < 0.5
        stayed = centre(cut_middle(before["label"], patch))
        moved = max(moved, float(np.abs(centre(after["label"]) - stayed).max()))
    only_in_volumes = len(patch) == 2 and set(changes) <= {"tilt", "flip_head_foot"}
    assert moved == 0 if only_in_volumes else moved > 0.2


def test_flips_are_along_their_axes():
    made = sample((8, 10, 12))
    for name, axis in (("flip_head_foot", 1), ("flip_front_back", 2), ("flip_left_right", 3)):
        after = build((8, 10, 12), options(**{name: 1.0}))(made, np.random.default_rng(0))
        assert torch.equal(after["image"], made["image"].flip(axis))
        assert torch.equal(after["label"], made["label"].flip(axis))


def test_a_rotation_turns_by_its_angle_in_mm():
    patch, spacing = (41, 41), (1.0, 2.0, 5.0)  # along x a voxel is 1 mm, along y 2 mm
    quarter = options(rotation={"probability": 1.0, "range": (90.0, 90.0)})
    vary = build(patch, quarter, spacing=spacing)
    size = vary.enlarged(patch)
    assert size[1] >= 2 * patch[0]
    middle = [n // 2 for n in size]
    after = vary(marked(size, [middle[0], middle[1] + 20], spacing), np.random.default_rng(0))
    # 20 mm to the right becomes 20 mm up or down, which is 10 voxels.
    assert np.abs(centre(after["label"]) - 20).tolist() == pytest.approx([10.0, 0.0], abs=0.3)


def test_scaling_magnifies():
    twice = build((40, 40), options(scaling={"probability": 1.0, "range": (2.0, 2.0)}))
    assert twice.enlarged((40, 40)) == (40, 40)
    made = marked((40, 40), (20, 20))
    assert int(twice(made, np.random.default_rng(0))["label"].sum()) == 4 * int(made["label"].sum())
    half = build((40, 40), options(scaling={"probability": 1.0, "range": (0.5, 0.5)}))
    assert half.enlarged((40, 40)) == (80, 80)


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
def test_an_enlarged_crop_has_real_voxels_for_every_corner(patch):
    spacing = (0.9, 0.9, 2.5)
    vary = build(patch, options(**ALWAYS), spacing=spacing)
    size = vary.enlarged(patch)
    assert all((n - m) % 2 == 0 and n > m for n, m in zip(size, patch))
    made = sample(size, spacing)
    made["image"][:] = 1.0
    for axis in range(1, len(size) + 1):  # a frame that would show where the crop is too small
        made["image"].narrow(axis, 0, 1).zero_()
        made["image"].narrow(axis, size[axis - 1] - 1, 1).zero_()
    for seed in range(20):
        assert vary(made, np.random.default_rng(seed))["image"].min() == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
def test_all_chance_is_the_generators(patch):
    how = AugmentationOptions.model_validate(
        {**ALWAYS, "noise": {"probability": 1.0}, "ct": {"lesions": 1.0, "noise": 1.0}}
    )
    vary = build(patch, how, intensity=WINDOW)
    made = sample(vary.enlarged(patch))
    kept = {name: made[name].clone() for name in ("image", "label", "annotated")}
    np.random.seed(1)
    torch.manual_seed(1)
    first = vary(made, np.random.default_rng(7))
    np.random.seed(2)
    torch.manual_seed(2)
    again = build(patch, how, intensity=WINDOW)(made, np.random.default_rng(7))
    other = vary(made, np.random.default_rng(8))
    assert torch.equal(first["image"], again["image"]) and torch.equal(first["label"], again["label"])
    assert not torch.equal(first["image"], other["image"])
    assert all(torch.equal(made[name], kept[name]) for name in kept)  # the sample given is not changed
    assert type(first["image"]) is torch.Tensor and first["image"].dtype == torch.float32
    assert type(first["label"]) is torch.Tensor and first["label"].dtype == torch.uint8
    assert first["id"] == "made-up" and torch.equal(first["annotated"], made["annotated"])


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
def test_probability_0_leaves_the_sample_as_it_is(patch):
    vary = build(patch, AugmentationOptions.model_validate("none"))
    assert vary.enlarged(patch) == patch
    larger = sample([n + 4 for n in patch])
    after = vary(larger, np.random.default_rng(0))
    assert torch.equal(after["image"], cut_middle(larger["image"], patch))
    assert torch.equal(after["label"], cut_middle(larger["label"], patch))


def test_left_and_right_are_not_exchanged_unless_asked_for():
    assert AugmentationOptions().flip_left_right == 0
    made = marked((24, 24), (12, 4))
    for seed in range(30):
        moved = centre(build((24, 24), AugmentationOptions())(made, np.random.default_rng(seed))["label"])
        assert moved[1] < 11.5


def test_every_variation_happens_as_often_as_it_should():
    vary = build((8, 8), options(flip_left_right=0.3))
    made, rng = sample((8, 8)), np.random.default_rng(0)
    flipped = [torch.equal(vary(made, rng)["image"], made["image"].flip(2)) for _ in range(1000)]
    assert np.mean(flipped) == pytest.approx(0.3, abs=0.05)


def varied(name, amount, made, seed=0):
    patch = tuple(made["image"].shape[1:])
    how = options(**{name: {"probability": 1.0, "range": (amount, amount)}})
    return build(patch, how)(made, np.random.default_rng(seed))


@pytest.mark.parametrize("size", ((48, 48), (16, 24, 24)), ids=("2D", "3D"))
def test_each_intensity_does_what_its_name_says(size):
    made = sample(size)
    x = made["image"].clone()
    mean, deviation = x.mean().item(), x.std().item()

    noisy = varied("noise", 0.5, made)["image"] - x
    assert noisy.std().item() == pytest.approx(0.5 * deviation, rel=0.05)
    assert abs(noisy.mean().item()) < 0.05 * deviation

    brighter = varied("brightness", 0.3, made)["image"]
    assert torch.allclose(brighter, x + 0.3 * deviation, atol=1e-4)

    flatter = varied("contrast", 0.5, made)["image"]
    assert torch.allclose(flatter, mean + 0.5 * (x - mean), atol=1e-5)
    stronger = varied("contrast", 2.0, made)["image"]
    assert stronger.std() > 1.5 * x.std() and stronger.max() <= x.max() and stronger.min() >= x.min()

    bent = varied("gamma", 2.0, made)["image"]
    assert bent.mean().item() == pytest.approx(mean, abs=1e-4)
    assert bent.std().item() == pytest.approx(deviation, rel=1e-3)
    order = x.flatten().argsort()
    assert (bent.flatten()[order].diff() >= -1e-6).all() and not torch.allclose(bent, x, atol=0.01)

    smooth = varied("blur", 1.0, made)["image"]
    assert smooth.std() < 0.5 * x.std() and smooth.mean().item() == pytest.approx(mean, abs=0.01)

    coarse = varied("low_resolution", 0.5, made)["image"]
    assert coarse.shape == x.shape
    assert coarse.diff(dim=-1).abs().mean() < 0.7 * x.diff(dim=-1).abs().mean()

    for name, amount in (("noise", 0.5), ("brightness", 0.3), ("contrast", 0.5), ("gamma", 2.0),
                         ("blur", 1.0), ("low_resolution", 0.5)):  # fmt: skip
        assert torch.equal(varied(name, amount, made)["label"], made["label"]), name
    assert torch.equal(made["image"], x)  # the sample given is not changed


def test_a_blur_leaves_no_frame():
    made = sample((20, 20))
    made["image"] = torch.full((1, 20, 20), -1.0)
    assert torch.allclose(varied("blur", 1.5, made)["image"], made["image"], atol=1e-3)


def test_channels_vary_alike():
    made = sample((16, 16))
    made["image"] = torch.cat([made["image"], 2 * made["image"]])
    how = options(
        **ALWAYS,
        flip_left_right=0.5,
        contrast={"probability": 1.0, "range": (0.5, 0.9)},
        blur={"probability": 1.0},
    )
    after = build((12, 12), how)(made, np.random.default_rng(3))["image"]
    assert after.shape == (2, 12, 12)
    spread = after[1] - 2 * after[0]  # contrast turns about the mean of both, which adds a constant
    assert spread.std() < 1e-4


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="axes"):
        build_augmentation(AugmentationOptions(), 3, STRUCTURES, (8, 8))
    with pytest.raises(InputError, match="smaller than the patch"):
        build((16, 16), AugmentationOptions())(sample((12, 20)), np.random.default_rng(0))
    for wrong in ({"rotation": {"range": (5, -5)}}, {"scaling": {"range": (0, 1)}}, {"blur": {"sigma": 1}},
                  {"flip": 1}, {"noise": {"probability": 1.5}}):  # fmt: skip
        with pytest.raises(ValueError):
            AugmentationOptions.model_validate(wrong)


def test_every_part_can_be_named_alone():
    how = AugmentationOptions.model_validate({"rotation": {"probability": 0.8, "range": (-10, 10)}, "ct": {}})
    assert how.rotation.probability == 0.8 and how.scaling == AugmentationOptions().scaling
    assert AugmentationOptions.model_validate({"rotation": {"probability": 0.8}}).rotation.range == (-15, 15)
    off = AugmentationOptions.model_validate("none")
    parts = [getattr(off, name) for name in AugmentationOptions.model_fields]
    assert all(not part.probability for part in parts if isinstance(part, Variation)) and off.ct is None
