"""Patches to train on: where they lie, what they say, that they repeat."""

import pickle
from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np
import pytest
import torch
from data_samples import HU, STRUCTURES, cases_of, same, samples, three_patients
from data_sets import image_array, label_array
from torch.utils.data import DataLoader

from LiverSegLib.errors import UsageError
from LiverSegLib.training.data import (
    IntensityOptions,
    PatchOptions,
    PreparationOptions,
    whole_case,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_patients(tmp_path / "set")


# --- items


def test_an_item_has_what_the_trainer_expects(folder: Path) -> None:
    item = samples(folder)[0]
    assert item["image"].shape == item["label"].shape == (1, 4, 6, 6)
    assert (item["image"].dtype, item["label"].dtype) == (torch.float32, torch.uint8)
    assert item["annotated"].dtype == torch.bool
    assert torch.allclose(item["spacing"], torch.tensor([1.0, 1.5, 2.5]))


def test_an_item_depends_on_seed_and_number_alone(folder: Path, tmp_path: Path) -> None:
    one, other = samples(folder), samples(folder, tmp_path / "cache")
    backwards = [other[k] for k in reversed(range(10))][::-1]
    assert all(same(one[k], item) for k, item in enumerate(backwards))
    assert not all(same(one[k], samples(folder, seed=4)[k]) for k in range(5))
    assert len({one[k]["image"].sum().item() for k in range(10)}) > 5


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_the_same_items(folder: Path, tmp_path: Path, workers: int) -> None:
    wanted = samples(folder, length=12)
    loader = DataLoader(samples(folder, tmp_path / "cache", length=12), batch_size=None, num_workers=workers)
    assert all(same(wanted[k], item) for k, item in enumerate(loader))


def test_a_set_that_was_used_can_be_sent_to_another_process(folder: Path, tmp_path: Path) -> None:
    used = samples(folder, tmp_path / "cache")
    first = used[0]
    sent = pickle.dumps(used)
    assert len(sent) < 20_000, "maps of files must not travel"
    assert same(pickle.loads(sent)[0], first)


def test_patients_have_the_same_chance_however_many_series_they_have(folder: Path) -> None:
    items = samples(folder, length=400)
    ids = [items[k]["id"] for k in range(400)]
    assert 150 < ids.count("b") < 250


def test_image_and_label_of_a_patch_come_from_one_place(folder: Path) -> None:
    array, label = image_array(0), label_array(1, 2)
    items = samples(folder, cases=[cases_of(folder)[0]])
    for k in range(20):
        patch, found = items[k]["image"][0].numpy(), items[k]["label"][0].numpy()
        windows = np.lib.stride_tricks.sliding_window_view(array, (4, 6, 6))
        place = np.argwhere((windows == patch).all(axis=(3, 4, 5)))
        assert len(place) == 1
        z, y, x = place[0]
        assert np.array_equal(found, label[z : z + 4, y : y + 6, x : x + 6])


def test_patches_are_centred_on_the_structure_asked_for(folder: Path) -> None:
    case = [cases_of(folder)[0]]
    how = PatchOptions(size=(3, 3, 3), centres={"spleen": 1}, jitter=0)
    items = samples(folder, cases=case, patches=how)
    assert all(items[k]["label"][0, 1, 1, 1] == 2 for k in range(40))
    mixed = samples(
        folder,
        cases=case,
        patches=PatchOptions(size=(1, 1, 1), centres={"liver": 3, "spleen": 1}),
        length=400,
    )
    found = [int(mixed[k]["label"].item()) for k in range(400)]
    assert 260 < found.count(1) < 340
    assert found.count(1) + found.count(2) == 400


def test_a_case_without_the_structure_gives_its_chance_to_the_other_places(folder: Path) -> None:
    case = [case for case in cases_of(folder) if case.id == "b"]
    how = PatchOptions(size=(1, 1, 1), centres={"spleen": 9, "liver": 1})
    items = samples(folder, cases=case, patches=how)
    assert all(items[k]["label"].item() == 1 for k in range(40))
    nothing = samples(folder, cases=case, patches=PatchOptions(size=(1, 1, 1), centres={"spleen": 1}))
    assert {int(nothing[k]["label"].item()) for k in range(40)} == {0, 1}, "anywhere, where nothing else is"


def test_centres_must_be_structures(folder: Path) -> None:
    with pytest.raises(UsageError, match="kidney"):
        samples(folder, patches=PatchOptions(size=(4, 4, 4), centres={"kidney": 1}))


def test_a_patch_larger_than_the_image_shows_what_lies_beyond(folder: Path) -> None:
    window = PreparationOptions(intensity=IntensityOptions(window=(-160, 240), scale=(-1, 1)))
    items = samples(folder, preparation=window, patches=PatchOptions(size=(12, 20, 16)))
    image, label = items[0]["image"][0].numpy(), items[0]["label"][0].numpy()
    assert (image[:2] == -1).all()
    assert (image[:, :4] == -1).all()
    assert (label[:2] == 0).all()
    inner = np.clip(image_array(["a1", "a2", "a3", "b"].index(items[0]["id"])), -160, 240)
    assert np.allclose(image[2:10, 4:16], (inner + 160) / 200 - 1, atol=1e-5)


def test_slices_of_a_volume_and_the_share_of_empty_ones(folder: Path) -> None:
    flat = samples(folder, patches=PatchOptions(size=(6, 6), centres={"anywhere": 1}, empty=0.1), length=300)
    assert flat[0]["image"].shape == (1, 6, 6)
    empty = sum(not flat[k]["label"].any() for k in range(300))
    assert empty < 60
    free = samples(folder, patches=PatchOptions(size=(6, 6), centres={"anywhere": 1}), length=300)
    assert sum(not free[k]["label"].any() for k in range(300)) > 100


class Enlarges:
    """Asks for two voxels more on each side, and cuts them off again after adding chance."""

    def enlarged(self, patch: Sequence[int]) -> Sequence[int]:
        return [length + 4 for length in patch]

    def __call__(self, sample: Dict[str, Any], rng: np.random.Generator) -> Dict[str, Any]:
        assert sample["image"].shape[1:] == (8, 10, 10)
        inner = (slice(None), *(slice(2, -2),) * 3)
        image = sample["image"][inner] + float(rng.normal())
        return {**sample, "image": image, "label": sample["label"][inner]}


def test_augmentation_gets_the_larger_crop_and_the_items_own_chance(folder: Path) -> None:
    items = samples(folder, augmentation=Enlarges())
    assert items[0]["image"].shape == (1, 4, 6, 6)
    assert same(items[5], samples(folder, augmentation=Enlarges())[5])


def test_the_larger_crop_has_the_chosen_voxel_in_its_middle(folder: Path) -> None:
    """Even where it hangs over the image on all sides, as most crops do in an image this small."""
    how = PatchOptions(size=(3, 3, 3), centres={"spleen": 1}, jitter=0)
    items = samples(folder, cases=[cases_of(folder)[0]], patches=how, augmentation=Keeps())
    for k in range(40):
        assert items[k]["label"].shape == (1, 11, 11, 11)
        assert items[k]["label"][0, 5, 5, 5] == 2


class Keeps(Enlarges):
    """Asks for four voxels more on each side, and keeps them."""

    def enlarged(self, patch: Sequence[int]) -> Sequence[int]:
        return [length + 8 for length in patch]

    def __call__(self, sample: Dict[str, Any], rng: np.random.Generator) -> Dict[str, Any]:
        return sample


# --- what is annotated


def test_only_what_is_annotated_is_said_to_be(folder: Path) -> None:
    cases = {case.id: case for case in cases_of(folder)}
    assert whole_case(cases["a1"], STRUCTURES, HU)["annotated"].tolist() == [True, True, False]
    assert whole_case(cases["b"], STRUCTURES, HU)["annotated"].tolist() == [True, False, False]


def test_an_unlabelled_case_has_an_empty_label_that_says_nothing(folder: Path) -> None:
    case = next(case for case in cases_of(folder) if case.label is None)
    whole = whole_case(case, STRUCTURES, HU)
    assert not whole["label"].any()
    assert not whole["annotated"].any()
    item = samples(folder, cases=[case])[0]
    assert item["image"].shape == (1, 4, 6, 6)
