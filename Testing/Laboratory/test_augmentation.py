"""Augmentation: image and label move together, chance is the generator's, each variation does its part."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from LiverSegLib.errors import InputError, OutputError, UsageError
from LiverSegLib.models import Intensity
from LiverSegLib.training.augmentation import AugmentationOptions, build_augmentation
from LiverSegLib.training.augmentation.ct import hu_scale
from LiverSegLib.training.augmentation.geometry import cut_middle
from LiverSegLib.training.augmentation.options import CtOptions, Variation, nothing_varies
from LiverSegLib.training.augmentation.picture import WithOriginal, show_augmentation

STRUCTURES = ("liver", "spleen", "liver tumour")
WINDOW = Intensity(scheme="window", window=(-160.0, 240.0), scale=(-1.0, 1.0))
PATCHES = ((32, 40), (24, 32, 28))
ALWAYS = {
    "rotation": {"probability": 1.0},
    "tilt": {"probability": 1.0},
    "scaling": {"probability": 1.0},
    "crop": {"probability": 1.0},
    "elastic": {"probability": 1.0, "range": (2.0, 4.0), "cell_mm": 25.0},
}
"""Every movement in every sample."""


def options(**changes):
    """Nothing varies but what is named."""
    return AugmentationOptions.model_validate({**nothing_varies(), **changes})


def build(patch, how, **more):
    return build_augmentation(how, len(patch), STRUCTURES, patch, **more)


def sample(size, spacing=(1.0, 1.0, 1.0), seed=0):
    """A patient of noise about 50 HU, prepared with WINDOW; liver, spleen and a tumour are blocks of it."""
    generator = torch.Generator().manual_seed(seed)
    hu = 50 + 10 * torch.randn(1, *size, generator=generator)
    label = torch.zeros(1, *size, dtype=torch.uint8)
    inside = [slice(n // 6, -(n // 6)) for n in size[:-1]]
    label[(0, *inside, slice(2, size[-1] // 2))] = 1
    label[(0, *inside, slice(size[-1] // 2 + 2, -2))] = 2
    label[(0, *[slice(n // 2, n // 2 + 3) for n in size[:-1]], slice(6, 9))] = 3
    return {
        "image": (hu - 40) / 200, "label": label, "annotated": torch.tensor([True, True, False]),
        "spacing": torch.tensor(spacing), "id": "made-up",
    }  # fmt: skip


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


def ct(patch, made, seed=0, spacing=(1.5, 1.5, 1.5), intensity=WINDOW, structures=STRUCTURES, **chances):
    """A sample varied by CT variations alone; its image in HU."""
    off = dict.fromkeys(CtOptions.model_fields, 0.0)
    how = options(ct={**off, **chances})
    vary = build_augmentation(how, len(patch), structures, patch, intensity=intensity)
    after = vary(made, np.random.default_rng(seed))
    return hu_scale(intensity).to_hu(after["image"]), after["label"]


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
def test_ct_variations_change_the_organs_they_name(patch):
    made = sample(patch, (1.5, 1.5, 1.5))
    hu, label = made["image"] * 200 + 40, made["label"]
    same, _ = ct(patch, made)
    assert torch.allclose(same, hu, atol=1e-3)

    fatty, after = ct(patch, made, fatty=1.0)
    assert (fatty - hu)[label == 1].mean() < -10 and (fatty - hu)[label == 2].mean().abs() < 3
    assert torch.equal(after, label)

    made["image"] = made["image"] + 0.5  # enhanced: 150 HU
    unenhanced, _ = ct(patch, made, unenhanced=1.0)
    assert unenhanced.mean() < 130

    arterial, _ = ct(patch, made, arterial=1.0, seed=1)
    assert (arterial - made["image"] * 200 - 40)[label == 2].mean() > 2

    smooth, _ = ct(patch, made, kernel=1.0, seed=1)
    assert not torch.equal(smooth, made["image"] * 200 + 40)

    cut, after = ct(patch, made, field_of_view=1.0)
    gone = cut[0] <= -159.9
    assert gone.any() and not after[0][gone].any() and after[0][~gone].any()


def test_thick_slices_are_averaged_along_z():
    made = sample((32, 16, 16), (1.0, 1.0, 1.0))
    thick, _ = ct((32, 16, 16), made, thick_slices=1.0)
    hu = made["image"] * 200 + 40
    assert thick.diff(dim=1).std() < 0.6 * hu.diff(dim=1).std()
    flat = sample((32, 32))
    assert torch.allclose(ct((32, 32), flat, thick_slices=1.0)[0], flat["image"] * 200 + 40, atol=1e-3)


@pytest.mark.parametrize("size", ((64, 64), (40, 48, 48)), ids=("2D", "3D"))
def test_lesions_are_painted_into_the_liver_and_labelled(size):
    made = sample(size, (1.0, 1.0, 1.0))
    made["label"][made["label"] == 3] = 1
    hu = made["image"] * 200 + 40
    found = 0
    for seed in range(5):
        after, label = ct(size, made, seed=seed, lesions=1.0)
        lesion = label == 3
        assert (made["label"][lesion] == 1).all() and torch.equal(label[~lesion], made["label"][~lesion])
        found += int(lesion.any())
        if lesion.any():
            assert (after - hu)[lesion].abs().mean() > (after - hu)[made["label"] == 2].abs().mean()
        others = {"left kidney": 0.0}
        unlabelled = ct(size, made, seed=seed, lesions=1.0, structures=("liver", "spleen", *others))
        assert torch.equal(unlabelled[1], made["label"]) and torch.equal(unlabelled[0], after)
    assert found >= 4
    made["annotated"] = torch.tensor([False, True, False])
    assert torch.equal(ct(size, made, lesions=1.0)[1], made["label"])


def test_lesions_are_as_round_where_slices_are_thick():
    size = (20, 90, 90)
    made = sample(size, (1.0, 1.0, 5.0))
    made["label"][:] = 1
    ratios = []
    for seed in range(12):
        label = ct(size, made, seed=seed, lesions=1.0)[1][0]
        places = (label == 3).nonzero().float()
        if len(places) > 500:
            spread = places.std(0) * torch.tensor([5.0, 1.0, 1.0])
            ratios.append(float(spread[0] / spread[2]))
    assert len(ratios) >= 4 and 0.6 < np.median(ratios) < 1.6


def test_structures_in_another_order_keep_their_values():
    made = sample((16, 16, 16))
    made["label"] = torch.tensor([0, 3, 1, 2], dtype=torch.uint8)[made["label"].long()]
    order = ("spleen", "liver tumour", "liver")
    made["annotated"] = torch.tensor([True, True, True])
    hu = made["image"] * 200 + 40
    fatty, label = ct((16, 16, 16), made, fatty=1.0, structures=order)
    assert torch.equal(label, made["label"])
    assert (fatty - hu)[label == 3].mean() < -10 and (fatty - hu)[label == 1].mean().abs() < 3


@pytest.mark.parametrize(
    "intensity",
    [
        WINDOW,
        Intensity(scheme="window", window=(-100.0, 300.0)),
        Intensity(scheme="ct-percentile", clip=(-50.0, 200.0), mean=90.0, std=30.0),
        Intensity(scheme="none"),
    ],
    ids=("window", "window 0 to 1", "ct-percentile", "none"),
)
def test_hu_come_back_from_prepared_values(intensity):
    from LiverSegLib.inference.foreign.intensity import scale_for

    hu = np.linspace(-400, 600, 64, dtype=np.float32).reshape(4, 4, 4)
    prepared = torch.from_numpy(scale_for(intensity, hu, lambda: None).apply(hu, (slice(None),) * 3))
    scale = hu_scale(intensity)
    low, high = scale.low or -1e9, scale.high or 1e9
    assert torch.allclose(scale.to_hu(prepared), torch.from_numpy(hu).clamp(low, high), atol=0.01)
    assert torch.allclose(scale.from_hu(torch.from_numpy(hu)), prepared, atol=1e-4)


def test_ct_variations_without_hu_are_refused():
    for intensity in (None, Intensity(scheme="zscore")):
        with pytest.raises(UsageError, match="augmentation.ct"):
            build((8, 8), AugmentationOptions(ct={}), intensity=intensity)
    two = sample((8, 8))
    two["image"] = torch.cat([two["image"]] * 2)
    with pytest.raises(InputError, match="one channel"):
        ct((8, 8), two)


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


class Shown:
    """Three samples of the bundled scan, with their originals; blocks stand for labels."""

    def __init__(self, vary, size):
        path = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "hcc013-portal.nii.gz"
        hu = torch.from_numpy(sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32))
        room = [int(n) - m for n, m in zip(hu.shape[3 - len(size) :], size)]
        assert min(room) >= 0
        hu = hu[hu.shape[0] // 2] if len(size) == 2 else hu
        self.image = cut_middle(((hu.clamp(-160, 240) - 40) / 200)[None], size)
        self.vary = vary

    def __len__(self):
        return 3

    def __getitem__(self, index):
        made = {**sample(self.image.shape[1:]), "image": self.image, "id": f"case {index}"}
        return self.vary(made, np.random.default_rng(index))


@pytest.mark.parametrize("patch", ((64, 80), (8, 48, 64)), ids=("2D", "3D"))
def test_a_picture_shows_patches_before_and_after(patch, tmp_path):
    from matplotlib.image import imread

    vary = WithOriginal(build(patch, options(flip_left_right=1.0)))
    shown = Shown(vary, vary.enlarged(patch))
    first = shown[0]
    assert torch.equal(first["original_image"].flip(len(patch)), first["image"])
    path = show_augmentation(shown, tmp_path / "new" / "samples.png", 5, structures=STRUCTURES)
    picture = imread(path)[..., :3]
    assert picture.shape[1] > 3 * 300 and picture.max() > 0.9
    liver = np.array([221, 130, 101]) / 255
    assert (np.abs(picture - liver).max(2) < 0.02).sum() > 500  # outlines in the label's color
    assert [each.name for each in path.parent.iterdir()] == ["samples.png"]


def test_a_picture_that_cannot_be_written_says_so(tmp_path):
    vary = WithOriginal(build((16, 16), options()))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        show_augmentation(Shown(vary, (16, 16)), tmp_path / "file" / "a.png", 1, structures=STRUCTURES)
    with pytest.raises(UsageError):
        show_augmentation(Shown(vary, (16, 16)), tmp_path / "a.png", 0, structures=STRUCTURES)
