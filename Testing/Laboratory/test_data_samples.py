"""Patches, whole cases, their cache, and that a network learns from what the product will show it."""

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from data_sets import SHAPE, image_array, label_array, project, save, save_png
from pydantic import ValidationError
from torch.utils.data import DataLoader

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.images.grid import Grid
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.inference.foreign.intensity import scale_for
from LiverSegLib.inference.resample import NetworkRegion, normalise, to_network
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import (
    DataOptions,
    IntensityOptions,
    PatchOptions,
    PreparationOptions,
    SampleSet,
    SplitOptions,
    read_cases,
    split_cases,
    whole_case,
)
from LiverSegLib.training.data.cache import CaseStore
from LiverSegLib.training.data.prepare import oriented, prepare

STRUCTURES = ("liver", "spleen", "liver tumour")
HU = PreparationOptions(intensity=IntensityOptions(scheme="none"))
PATCH = PatchOptions(size=(4, 6, 6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three patients; "a" has three series, with liver and spleen, "b" a liver alone, "c" no label."""
    both = {"label": label_array(1, 2), "annotated": ["liver", "spleen"], "patient": "pa"}
    return project(
        tmp_path / "set",
        {
            "a1": both,
            "a2": both,
            "a3": both,
            "b": {"label": label_array(1), "annotated": ["liver"], "patient": "pb"},
            "c": {"annotated": [], "patient": "pc"},
        },
    )


def cases_of(folder: Path) -> Tuple[Case, ...]:
    return read_cases(DataOptions(folder=str(folder))).cases


def samples(folder: Path, cache: Any = None, **changes: Any) -> SampleSet:
    arguments: Dict[str, Any] = {
        "cases": [case for case in cases_of(folder) if case.label is not None],
        "structures": STRUCTURES,
        "preparation": HU,
        "patches": PATCH,
        "augmentation": None,
        "seed": 3,
        "length": 40,
        "cache": cache,
    }
    return SampleSet(**{**arguments, **changes})


def same(one: Dict[str, Any], other: Dict[str, Any]) -> bool:
    keys = ("image", "label", "annotated", "spacing")
    return one["id"] == other["id"] and all(torch.equal(one[key], other[key]) for key in keys)


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


# --- the cache


def test_a_cached_case_equals_a_fresh_one(folder: Path, tmp_path: Path) -> None:
    how = PreparationOptions(spacing=(2.0, 2.0, 2.0))
    case = cases_of(folder)[0]
    fresh = whole_case(case, STRUCTURES, how)
    made = whole_case(case, STRUCTURES, how, tmp_path / "cache")
    read = whole_case(case, STRUCTURES, how, tmp_path / "cache")
    assert same(fresh, made)
    assert same(fresh, read)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_cache_is_used(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = cases_of(folder)[0]
    whole_case(case, STRUCTURES, HU, tmp_path / "cache")

    def fail(*_: Any) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("LiverSegLib.training.data.cache.read_case", fail)
    whole_case(case, STRUCTURES, HU, tmp_path / "cache")


@pytest.mark.parametrize("what", ["image", "label"])
def test_a_changed_file_is_read_again(folder: Path, tmp_path: Path, what: str) -> None:
    case = cases_of(folder)[0]
    before = whole_case(case, STRUCTURES, HU, tmp_path / "cache")
    path = case.images[0] if what == "image" else case.label
    assert path is not None
    save(image_array(99) if what == "image" else label_array(2, 1), path)
    after = whole_case(case, STRUCTURES, HU, tmp_path / "cache")
    assert not torch.equal(before[what], after[what])


@pytest.mark.parametrize(
    "other",
    [
        {"spacing": (2.0, 2.0, 2.0)},
        {"intensity": IntensityOptions(scheme="zscore")},
        {"orientation": "RAS"},
    ],
)
def test_another_preparation_is_another_entry(folder: Path, tmp_path: Path, other: Dict[str, Any]) -> None:
    case = cases_of(folder)[0]
    store = CaseStore(tmp_path, STRUCTURES, HU, crop=True)
    changed = CaseStore(tmp_path, STRUCTURES, HU.changed(**other), crop=True)
    fewer = CaseStore(tmp_path, STRUCTURES[:1], HU, crop=True)
    assert len({s.key(case) for s in (store, changed, fewer)}) == 3


def test_values_that_mean_something_else_are_another_entry(folder: Path, tmp_path: Path) -> None:
    case = cases_of(folder)[0]
    swapped = replace(case, values=((1, "spleen"), (2, "liver")))
    before = whole_case(case, STRUCTURES, HU, tmp_path)
    assert not torch.equal(before["label"], whole_case(swapped, STRUCTURES, HU, tmp_path)["label"])


def test_a_damaged_entry_is_made_anew(folder: Path, tmp_path: Path) -> None:
    case = cases_of(folder)[0]
    fresh = whole_case(case, STRUCTURES, HU, tmp_path / "cache")
    entry = next((tmp_path / "cache").iterdir())
    (entry / "image.npy").write_bytes(b"damaged")
    assert same(fresh, whole_case(case, STRUCTURES, HU, tmp_path / "cache"))


def test_half_precision_halves_the_cache_and_changes_little(folder: Path, tmp_path: Path) -> None:
    how = PreparationOptions(intensity=IntensityOptions(window=(-160, 240), scale=(-1, 1)))
    case = cases_of(folder)[0]
    exact = whole_case(case, STRUCTURES, how)["image"]
    rounded = whole_case(case, STRUCTURES, how.changed(storage="float16"), tmp_path / "cache")["image"]
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 5e-4
    assert (next((tmp_path / "cache").iterdir()) / "image.npy").stat().st_size < exact.numel() * 3


def test_nothing_in_the_cache_is_unpickled(folder: Path, tmp_path: Path) -> None:
    whole_case(cases_of(folder)[0], STRUCTURES, HU, tmp_path / "cache")
    for path in next((tmp_path / "cache").iterdir()).iterdir():
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
        else:
            assert path.name == "facts.json"


# --- broken cases


def test_training_goes_on_without_a_broken_case(folder: Path, tmp_path: Path) -> None:
    cases = [case for case in cases_of(folder) if case.label is not None]
    label = cases[3].label
    assert label is not None
    save(label_array(7), label)
    items = samples(folder, tmp_path / "cache", cases=cases)
    assert "b" not in {items[k]["id"] for k in range(40)}
    assert [name for name, _ in items.broken] == ["b"]
    assert "unknown value 7" in items.broken[0][1]
    other = samples(folder, tmp_path / "cache", cases=cases)
    assert other.broken == items.broken, "what a worker found, all know"


def test_a_broken_case_that_was_mended_is_used_again(folder: Path, tmp_path: Path) -> None:
    case = cases_of(folder)[3]
    assert case.label is not None
    save(label_array(7), case.label)
    with pytest.raises(InputError):
        whole_case(case, STRUCTURES, HU, tmp_path)
    save(label_array(1), case.label)
    os.utime(case.label)
    assert whole_case(case, STRUCTURES, HU, tmp_path)["label"].any()
    assert samples(folder, tmp_path).broken == ()


def test_more_than_half_broken_stops_the_training(folder: Path) -> None:
    cases = [case for case in cases_of(folder) if case.label is not None]
    for case in cases[:3]:
        assert case.label is not None
        save(label_array(7), case.label)
    items = samples(folder, cases=cases, length=1000)
    with pytest.raises(InputError, match="3 of 4 cases"):
        for k in range(1000):
            items[k]


def test_no_case_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="no case"):
        samples(folder, cases=[])


# --- the split


def many(folder: Path) -> Tuple[Case, ...]:
    entry = {"label": label_array(1), "annotated": ["liver"]}
    cases = {f"{p}{s}": {**entry, "patient": f"p{p}"} for p in range(10) for s in "xyz"}
    return cases_of(project(folder, cases))


def test_a_split_never_divides_a_patient_and_has_the_shares_asked_for(tmp_path: Path) -> None:
    split = split_cases(many(tmp_path), SplitOptions(val=0.2, test=0.1))
    people = [{case.patient for case in part} for part in (split.train, split.val, split.test)]
    assert [len(part) for part in people] == [7, 2, 1]
    assert not people[0] & people[1]
    assert not people[2] & (people[0] | people[1])
    assert sum(map(len, (split.train, split.val, split.test))) == 30
    assert split_cases(many(tmp_path), SplitOptions(val=0.2, test=0.1)) == split
    assert split_cases(many(tmp_path), SplitOptions(val=0.2, test=0.1, seed=1)) != split


def test_a_saved_split_is_followed_and_a_changed_data_set_noticed(tmp_path: Path) -> None:
    cases, file = many(tmp_path / "set"), tmp_path / "run" / "split.json"
    split = split_cases(cases, SplitOptions(), file)
    assert split_cases(cases[::-1], SplitOptions(), file).val == split.val[::-1]
    with pytest.raises(InputError, match="1 are gone"):
        split_cases(cases[1:], SplitOptions(), file)
    with pytest.raises(InputError, match="1 cases are new"):
        split_cases((*cases, replace(cases[0], id="new")), SplitOptions(), file)
    with pytest.raises(InputError, match="1 belong to another patient"):
        split_cases((replace(cases[0], patient="other"), *cases[1:]), SplitOptions(), file)
    with pytest.raises(InputError, match="other options"):
        split_cases(cases, SplitOptions(val=0.4), file)
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="holds no split"):
        split_cases(cases, SplitOptions(), file)


def test_a_split_that_the_data_set_states_is_followed(tmp_path: Path) -> None:
    entry = {"label": label_array(1), "annotated": ["liver"]}
    project(
        tmp_path,
        {
            "t": {**entry, "split": "train"},
            "v": {**entry, "split": "val", "patient": "pv"},
            "u": {"annotated": [], "split": "unlabelled"},
            "w": {"annotated": [], "split": "unlabelled", "patient": "pv"},
        },
    )
    split = split_cases(cases_of(tmp_path), SplitOptions())
    parts = {
        name: [case.id for case in getattr(split, name)] for name in ("train", "val", "test", "unlabelled")
    }
    assert parts == {"train": ["t"], "val": ["v"], "test": [], "unlabelled": ["u"]}, "w would give v away"


# --- the very image that the product makes


def real(direction: np.ndarray, spacing: Sequence[float] = (1.2, 1.2, 3.0)) -> sitk.Image:
    """A smooth CT on a grid of some direction."""
    z, y, x = np.mgrid[:20, :30, :26]
    array = (200 * np.sin(x / 4) + 150 * np.cos(y / 5) + 90 * np.sin(z / 2) + 30).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(step) for step in spacing])
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((-40.0, 12.0, 99.0))
    return image


def turned(degrees: float) -> np.ndarray:
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])


DIRECTIONS = {
    "LPS": np.eye(3),
    "RAS": np.diag([-1.0, -1.0, 1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "oblique": turned(12),
}
SCHEMES = {
    "window": {"scheme": "window", "window": (-160, 240), "scale": (-1, 1)},
    "percentile": {"scheme": "ct-percentile", "clip": (-100, 200), "mean": 40.0, "std": 60.0},
    "zscore": {"scheme": "zscore"},
}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (4.0, 3.0, 6.0)])
def test_the_networks_image_is_that_of_the_products_own_models(
    direction: str, scheme: str, spacing: Tuple[float, float, float]
) -> None:
    image = real(DIRECTIONS[direction])
    intensity = IntensityOptions.model_validate(SCHEMES[scheme])
    how = PreparationOptions(spacing=spacing, intensity=intensity)
    made = prepare([image], np.zeros(image.GetSize()[::-1], np.uint8), how, structures=1, crop=False)
    scan = patient_order(image)
    region = NetworkRegion.over(scan.grid, scan.grid.box, spacing)
    product = normalise(to_network(scan, region), intensity.for_manifest())
    if scheme == "zscore":  # nnU-Net's deviation is that of the voxels, LiverSeg's own that of a sample
        product *= np.sqrt(product.size / (product.size - 1))
    assert np.allclose(made.image[0], product, rtol=1e-6, atol=2e-6)
    assert made.spacing == spacing


@pytest.mark.parametrize("scheme", SCHEMES)
def test_intensities_are_those_of_models_of_other_programs(scheme: str) -> None:
    image = real(np.eye(3))
    intensity = IntensityOptions.model_validate(SCHEMES[scheme])
    array = sitk.GetArrayFromImage(image)
    for way in ("liverseg", "nnunet"):
        how = PreparationOptions(intensity=intensity).changed(way=way)
        made = prepare([image], np.zeros(array.shape, np.uint8), how, structures=1, crop=False)
        scale = scale_for(intensity.for_manifest(), array, lambda: None)
        assert np.array_equal(made.image[0], scale.apply(array, Grid.of(image).box))


@pytest.mark.parametrize("way", ["liverseg", "nnunet"])
@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_however_an_image_is_stored_the_network_sees_the_same(way: Any, orientation: Any) -> None:
    first = real(np.eye(3))
    label = sitk.GetImageFromArray((sitk.GetArrayFromImage(first) > 100).astype(np.uint8))
    label.CopyInformation(first)
    how = PreparationOptions(spacing=(2.0, 2.0, 2.0), orientation=orientation, way=way)
    wanted = prepare([first], sitk.GetArrayFromImage(label), how, structures=1, crop=False)
    for code in ("RAS", "PIR", "SLA"):
        image, mask = (sitk.DICOMOrient(each, code) for each in (first, label))
        made = prepare([image], sitk.GetArrayFromImage(mask), how, structures=1, crop=False)
        assert np.allclose(made.image, wanted.image, atol=1e-5)
        assert np.array_equal(made.label, wanted.label)


def test_orientations_mirror_each_other_and_stored_stays(folder: Path) -> None:
    image = real(DIRECTIONS["sagittal"])
    lps, ras, stored = (oriented(image, name).array for name in ("LPS", "RAS", "stored"))
    assert np.array_equal(lps[:, ::-1, ::-1], ras)
    assert np.array_equal(stored, sitk.GetArrayFromImage(image))


@pytest.mark.parametrize("way", ["liverseg", "nnunet"])
def test_a_label_is_resampled_onto_the_images_grid(way: Any) -> None:
    """A bright box, labelled: its label must lie where it is bright."""
    array = np.zeros((20, 30, 26), np.int16)
    array[4:12, 8:20, 6:18] = 200
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.2, 1.2, 3.0))
    how = HU.changed(spacing=(1.7, 1.7, 1.7), way=way)
    made = prepare([image], (array > 0).astype(np.uint8) * 2, how, structures=2, crop=False)
    assert made.image.shape[1:] == made.label.shape
    differing = (made.image[0] > 100) != (made.label == 2)
    assert differing.mean() < 0.01
    assert set(np.unique(made.label)) == {0, 2}


def test_null_keeps_the_images_own_spacing() -> None:
    image = real(np.eye(3))
    zeros = np.zeros(image.GetSize()[::-1], np.uint8)
    made = prepare([image], zeros, HU.changed(spacing=(2.4, 2.4, None)), structures=1, crop=False)
    assert made.spacing == (2.4, 2.4, 3.0)
    assert made.image.shape == (1, 20, 15, 13)


def test_training_images_are_cut_to_their_labels_and_a_margin(folder: Path) -> None:
    how = HU.changed(crop="labels", margin_mm=(1.0, 1.5, 2.5))
    label = label_array(0, 1)
    made = prepare([_image(image_array())], label, how, structures=1, crop=True)
    assert made.label.shape == (6, 9, 5)
    assert made.label.sum() == label.astype(bool).sum()
    whole = prepare([_image(image_array())], label, how, structures=1, crop=False)
    assert whole.label.shape == SHAPE
    cut = samples(
        folder, preparation=how, cases=[cases_of(folder)[3]], patches=PatchOptions(size=(8, 12, 16))
    )
    assert (cut[0]["image"][0, 0] == cut[0]["image"].min()).all(), "beyond the cut, nothing is seen"


def _image(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.5, 2.5))
    return image


def test_a_picture_is_a_volume_of_one_slice(tmp_path: Path) -> None:
    save_png(image_array()[0].astype(np.uint8), tmp_path / "train" / "Data" / "000.png")
    save_png(label_array(200)[2], tmp_path / "train" / "Ground" / "000.png")
    whole = whole_case(
        cases_of(tmp_path)[0], ["liver"], PreparationOptions(intensity=IntensityOptions(scheme="zscore"))
    )
    assert whole["image"].shape == whole["label"].shape == (1, 1, 12, 16)
    assert abs(whole["image"].mean()) < 1e-5


# --- options


@pytest.mark.parametrize(
    "wrong",
    [
        {"scheme": "window", "window": (240, -160)},
        {"scheme": "ct-percentile", "clip": (-100, 200)},
        {"scheme": "zscore", "window": (0, 1)},
    ],
)
def test_an_intensity_must_fit_its_scheme(wrong: Dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntensityOptions.model_validate(wrong)


def test_options_out_of_range_are_refused() -> None:
    for kind, values in (
        (PatchOptions, {"size": (4,)}),
        (PatchOptions, {"size": (4, 4), "centres": {"liver": -1}}),
        (SplitOptions, {"val": 0.6, "test": 0.5}),
        (PreparationOptions, {"spacing": (0, 1, 1)}),
        (DataOptions, {"folder": "x", "unknown": 1}),
    ):
        with pytest.raises(ValidationError):
            kind.model_validate(values)
