"""Prepared cases on disk, broken cases found on the way, and the split by patient."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np
import pytest
import torch
from data_samples import HU, STRUCTURES, cases_of, same, samples, three_patients
from data_sets import image_array, label_array, project, save

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import (
    IntensityOptions,
    PreparationOptions,
    SplitOptions,
    split_cases,
    whole_case,
)
from LiverSegLib.training.data.cache import CaseStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return three_patients(tmp_path / "set")


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
    cases = many(tmp_path)
    split = split_cases(cases, SplitOptions(val=0.2, test=0.1))
    people = [{case.patient for case in part} for part in (split.train, split.val, split.test)]
    assert [len(part) for part in people] == [7, 2, 1]
    assert not people[0] & people[1]
    assert not people[2] & (people[0] | people[1])
    assert sum(map(len, (split.train, split.val, split.test))) == 30
    assert split_cases(cases, SplitOptions(val=0.2, test=0.1)) == split
    assert split_cases(cases, SplitOptions(val=0.2, test=0.1, seed=1)) != split


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


def test_a_data_set_that_states_no_split_is_divided_beside_one_that_does(tmp_path: Path) -> None:
    stated = tuple(case_like(f"a{k}", "a", "val" if k < 2 else "train") for k in range(6))
    silent = tuple(case_like(f"b{k}", "b", None) for k in range(10))
    split = split_cases((*stated, *silent), SplitOptions(val=0.2, test=0.1))
    assert [case.id for case in split.val if case.dataset == "a"] == ["a0", "a1"]
    assert sum(case.dataset == "b" for case in split.val) == 2
    assert [case.dataset for case in split.test] == ["b"], "what is stated to train stays there"


def case_like(name: str, dataset: str, split: Optional[str]) -> Case:
    """A labelled case of a patient of its own; its files are never read."""
    return Case(name, name, (Path(name),), Path(name), ("liver",), ((1, "liver"),), "CT", dataset, split)


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
