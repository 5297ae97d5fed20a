"""Which cases a recipe has: chosen, of several data sets, and without the broken ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import pytest
import SimpleITK as sitk
from data_sets import image_array, label_array, project, save

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import DataOptions, SourceOptions, read_cases
from LiverSegLib.training.data.reading import read_case

ALL = ("liver", "spleen", "liver tumour")


def cases_of(folder: Path, **options: Any) -> Dict[str, Case]:
    return {case.id: case for case in read_cases(DataOptions(folder=str(folder), **options)).cases}


def label_of(case: Case, structures: Tuple[str, ...] = ALL) -> np.ndarray:
    return read_case(case, structures)[1]


def image_of(case: Case) -> np.ndarray:
    return sitk.GetArrayFromImage(read_case(case, ALL)[0][0])


# --- this project's own


def test_a_dataset_json_says_patient_split_and_what_is_annotated(tmp_path: Path) -> None:
    project(
        tmp_path,
        {
            "a": {"label": label_array(1, 2), "annotated": ["liver"], "patient": "p", "split": "val"},
            "b": {"annotated": [], "split": "unlabelled"},
            "c": {"annotated": ["liver"], "split": "negative"},
        },
    )
    cases = cases_of(tmp_path)
    assert set(cases) == {"a", "b"}, "scans that only judge are not for training"
    assert (cases["a"].patient, cases["a"].split, cases["a"].annotated) == ("p", "val", ("liver",))
    assert cases["b"].label is None


def test_cases_can_be_chosen_left_out_and_stripped_of_labels(tmp_path: Path) -> None:
    entry = {"label": label_array(1), "annotated": ["liver"]}
    project(tmp_path, {name: dict(entry) for name in "abc"})
    assert set(cases_of(tmp_path, only=("a", "b"))) == {"a", "b"}
    assert set(cases_of(tmp_path, without=("a",))) == {"b", "c"}
    assert {case.label for case in cases_of(tmp_path, labels=False).values()} == {None}
    with pytest.raises(InputError, match="holds no case x"):
        cases_of(tmp_path, only=("x",))


def test_data_sets_together_keep_their_ids_apart(tmp_path: Path) -> None:
    entry = {"label": label_array(1), "annotated": ["liver"]}
    first, second = (project(tmp_path / name, {"a": dict(entry), name: dict(entry)}) for name in "xy")
    data = (second / "dataset.json").read_text(encoding="utf-8").replace("made up", "other")
    (second / "dataset.json").write_text(data, encoding="utf-8")
    more = (SourceOptions(folder=str(second)),)
    assert set(cases_of(first, more=more)) == {"made up-a", "other-a", "x", "y"}
    with pytest.raises(InputError, match="is there twice"):
        cases_of(first, more=(SourceOptions(folder=str(first)),))


# --- wrong folders and broken cases


def test_a_folder_of_no_layout_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match=r"none of the data sets .* holds holiday\.jpg") as found:
        cases_of(tmp_path)
    assert "segmentation-N.nii" in str(found.value.details)


def test_a_stated_layout_that_the_folder_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").mkdir()
    with pytest.raises(InputError, match="holds no case") as found:
        cases_of(tmp_path, layout="lits")
    assert "volume-N.nii" in str(found.value.details)
    with pytest.raises(InputError, match="layout brats is not known"):
        cases_of(tmp_path, layout="brats")
    with pytest.raises(InputError, match="no folder"):
        cases_of(tmp_path / "nowhere")


def broken(folder: Path, how: str) -> None:
    """Make the case "b" of three broken."""
    label = folder / "ct" / "b_label.nii.gz"
    if how == "missing":
        label.unlink()
    elif how == "empty":
        label.write_bytes(b"")
    elif how == "size":
        save(label_array(1)[1:], label)
    elif how == "header":
        label.write_bytes(b"no image at all")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", "is missing"),
        ("empty", "is empty"),
        ("size", "16 x 12 x 7 and 16 x 12 x 8"),
        ("header", "header"),
    ],
)
def test_a_broken_case_is_named_left_out_and_counted(tmp_path: Path, how: str, says: str) -> None:
    project(tmp_path, {name: {"label": label_array(1), "annotated": ["liver"]} for name in "abc"})
    broken(tmp_path, how)
    table = read_cases(DataOptions(folder=str(tmp_path)))
    assert [case.id for case in table.cases] == ["a", "c"]
    assert [name for name, _ in table.broken] == ["b"]
    assert says in table.broken[0][1]
    assert "1 broken" in table.summary


def test_more_than_half_broken_is_an_error(tmp_path: Path) -> None:
    project(tmp_path, {name: {"label": label_array(1), "annotated": ["liver"]} for name in "abc"})
    for name in "ab":
        (tmp_path / "ct" / f"{name}.nii.gz").unlink()
    with pytest.raises(InputError, match="2 of 3 cases"):
        read_cases(DataOptions(folder=str(tmp_path)))


def test_labels_on_another_grid_or_of_unknown_values_are_found_when_read(tmp_path: Path) -> None:
    project(tmp_path, {"a": {"label": label_array(1), "annotated": ["liver"]}})
    case = cases_of(tmp_path)["a"]
    save(label_array(1), tmp_path / "ct" / "a_label.nii.gz", spacing=(1.0, 1.5, 2.0))
    with pytest.raises(InputError, match="another grid"):
        label_of(case)
    save(label_array(1, 9), tmp_path / "ct" / "a_label.nii.gz")
    with pytest.raises(InputError, match="unknown value 9"):
        label_of(case)
    save(label_array(1).astype(np.float32) / 2, tmp_path / "ct" / "a_label.nii.gz")
    with pytest.raises(InputError, match="no whole numbers"):
        label_of(case)


def test_images_without_content_are_refused(tmp_path: Path) -> None:
    project(tmp_path, {"a": {"label": label_array(1), "annotated": ["liver"]}})
    case = cases_of(tmp_path)["a"]
    save(np.zeros_like(image_array()), tmp_path / "ct" / "a.nii.gz")
    with pytest.raises(InputError, match="empty"):
        label_of(case)
    values = image_array().astype(np.float32)
    values[0, 0, 0] = np.nan
    nrrd = save(values, tmp_path / "ct" / "a.nrrd")  # ITK reads 0 for such voxels of NIfTI
    with pytest.raises(InputError, match="finite"):
        label_of(replace(case, images=(nrrd,)))
    (tmp_path / "ct" / "a.nii.gz").write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(InputError):
        label_of(replace(case, label=None))
