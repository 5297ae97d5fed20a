"""What augmentation does to CT in HU, whatever the structures, spacing and dimensions."""

import numpy as np
import pytest
import torch
from made_samples import PATCHES, STRUCTURES, WINDOW, build, options, sample
from torch.nn import functional

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.models import Intensity
from LiverSegLib.training.augmentation import AugmentationOptions, build_augmentation
from LiverSegLib.training.augmentation.ct import hu_scale
from LiverSegLib.training.augmentation.options import CtOptions


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


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
def test_an_arterial_spleen_is_mottled_and_nothing_else_changes(patch):
    made = sample(patch, (1.5, 1.5, 1.5))
    hu, spleen = made["image"] * 200 + 40, made["label"] == 2
    for seed in range(4):
        mottled, label = ct(patch, made, mottled_spleen=1.0, seed=seed)
        change = (mottled - hu)[spleen]
        assert torch.equal(label, made["label"]) and change.std() > 2
    pool = functional.max_pool2d if len(patch) == 2 else functional.max_pool3d
    away = pool(spleen[None].float(), 3, 1, 1)[0] == 0
    assert away.any() and torch.allclose(mottled[away], hu[away], atol=1e-3)


@pytest.mark.parametrize("patch", PATCHES, ids=("2D", "3D"))
def test_veins_without_contrast_medium_are_darker_than_the_liver(patch):
    made = sample(patch, (1.5, 1.5, 1.5))
    made["label"].fill_(1)
    made["image"].fill_(0.3)  # 100 HU
    made["image"][..., 12:15] = 0.6
    (hu,), label = ct(patch, made, unfilled_veins=1.0)
    inner = torch.zeros_like(hu, dtype=torch.bool)
    inner[..., 4:-4, 13] = True
    assert hu[inner].median() < 95 and hu[..., 4:-4, 2:10].mean() > 99 and torch.equal(label, made["label"])
    assert torch.equal(ct(patch, made, dark_vessels=1.0)[0][0], ct(patch, made)[0][0]), (
        "that is for unenhanced"
    )
    assert ct(patch, made, unenhanced=1.0, dark_vessels=1.0)[0][0][inner].mean() < (
        ct(patch, made, unenhanced=1.0)[0][0][inner].mean() - 5
    )


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
