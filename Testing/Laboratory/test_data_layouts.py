"""Data sets in their official layouts: which cases there are, what their labels mean, what is broken."""

import shutil
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import pytest
import SimpleITK as sitk
from data_sets import image_array, label_array, save, save_dicom, save_json, save_png

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import DataOptions, read_cases
from LiverSegLib.training.data.reading import read_case

ALL = ("liver", "spleen", "liver tumour")


def cases_of(folder: Path, **options: Any) -> Dict[str, Case]:
    return {case.id: case for case in read_cases(DataOptions(folder=str(folder), **options)).cases}


def label_of(case: Case, structures: Tuple[str, ...] = ALL) -> np.ndarray:
    return read_case(case, structures)[1]


def image_of(case: Case) -> np.ndarray:
    return sitk.GetArrayFromImage(read_case(case, ALL)[0][0])


# --- LiTS


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    for batch, number in ((1, 0), (1, 1), (2, 28)):
        folder = tmp_path / f"Training Batch {batch}"
        save(image_array(number), folder / f"volume-{number}.nii")
        save(label_array(1, 2), folder / f"segmentation-{number}.nii")
    save(image_array(9), tmp_path / "Test" / "test-volume-0.nii")
    return tmp_path


def test_lits_has_a_case_for_each_volume_of_both_batches(lits: Path) -> None:
    cases = cases_of(lits)
    assert set(cases) == {"volume-0", "volume-1", "volume-28", "test-volume-0"}
    assert cases["volume-28"].annotated == ("liver", "liver tumour")
    assert cases["volume-28"].modality == "CT"
    assert cases["test-volume-0"].label is None
    assert cases["test-volume-0"].split == "unlabelled"


def test_lits_volumes_of_one_patient_stay_together(lits: Path) -> None:
    cases = cases_of(lits)
    assert cases["volume-0"].patient == cases["volume-1"].patient != cases["volume-28"].patient
    assert cases["test-volume-0"].patient != cases["volume-0"].patient


def test_a_tumor_is_liver_to_a_network_that_learns_no_tumors(lits: Path) -> None:
    case = cases_of(lits)["volume-28"]
    both = label_array(1, 2)
    assert np.array_equal(label_of(case, ("liver",)), (both > 0).astype(np.uint8))
    assert np.array_equal(label_of(case, ALL), np.where(both == 2, 3, both))


# --- Medical Segmentation Decathlon


def decathlon(folder: Path, task: str, name: str, labels: Dict[str, str], values: Tuple[int, ...]) -> Path:
    root = folder / task
    training = []
    for number in (0, 2, 10):
        save(image_array(number), root / "imagesTr" / f"{name}_{number}.nii.gz")
        save(label_array(*values), root / "labelsTr" / f"{name}_{number}.nii.gz")
        files = {k: f"./{k}sTr/{name}_{number}.nii.gz" for k in ("image", "label")}
        training.append(files)
    save(image_array(7), root / "imagesTs" / f"{name}_7.nii.gz")
    save_json(
        {
            "name": name,
            "modality": {"0": "CT"},
            "labels": labels,
            "training": training,
            "test": [f"./imagesTs/{name}_7.nii.gz"],
        },
        root / "dataset.json",
    )
    return root


def test_the_decathlons_liver_has_tumors_under_our_name(tmp_path: Path) -> None:
    root = decathlon(
        tmp_path, "Task03_Liver", "liver", {"0": "background", "1": "liver", "2": "cancer"}, (1, 2)
    )
    cases = cases_of(root)
    assert list(cases) == ["liver_0", "liver_2", "liver_10", "liver_7"]
    assert cases["liver_2"].annotated == ("liver", "liver tumour")
    assert cases["liver_2"].dataset == "MSD Task03_Liver"
    assert set(np.unique(label_of(cases["liver_2"]))) == {0, 1, 3}
    assert cases["liver_7"].label is None


def test_the_decathlons_spleen_annotates_the_spleen_alone(tmp_path: Path) -> None:
    root = decathlon(tmp_path, "Task09_Spleen", "spleen", {"0": "background", "1": "spleen"}, (1,))
    case = cases_of(root)["spleen_2"]
    assert case.annotated == ("spleen",)
    assert set(np.unique(label_of(case))) == {0, 2}


# --- CHAOS


def test_chaos_ct_pairs_slices_and_pictures_by_their_names(tmp_path: Path) -> None:
    """The first file is the uppermost slice, so the stack runs against the names."""
    hu, mask = image_array(), label_array(1)
    patient = tmp_path / "Train_Sets" / "CT" / "5"
    save_dicom(hu, patient / "DICOM_anon", name="i{:04d},0000b.dcm", downwards=True)
    for number, plane in enumerate(mask):
        save_png(plane * 255, patient / "Ground" / f"liver_GT_{number:03d}.png")
    case = cases_of(tmp_path, layout="auto")["CT-5"]
    assert case.annotated == ("liver",)
    assert case.modality == "CT"
    assert np.array_equal(image_of(case), hu[::-1])
    assert np.array_equal(label_of(case), mask[::-1])


@pytest.fixture
def chaos_mr(tmp_path: Path) -> Path:
    codes = label_array(63, 126, 189, 252)[:, :, :16]
    for number in (1, 13):
        patient = tmp_path / "Train_Sets" / "MR" / str(number)
        for place, phase in enumerate(("InPhase", "OutPhase")):
            folder = patient / "T1DUAL" / "DICOM_anon" / phase
            save_dicom(image_array(place) + 300, folder, name="IMG-0004-{:05d}.dcm", modality="MR")
        save_dicom(
            image_array(5) + 300, patient / "T2SPIR" / "DICOM_anon", name="IMG-0002-{:05d}.dcm", modality="MR"
        )
        for sequence, prefix in (("T1DUAL", "IMG-0004"), ("T2SPIR", "IMG-0002")):
            for k, plane in enumerate(codes):
                save_png(plane, patient / sequence / "Ground" / f"{prefix}-{k:05d}.png")
    return tmp_path


def test_chaos_mr_gives_the_series_asked_for_with_its_gray_codes(chaos_mr: Path) -> None:
    cases = cases_of(chaos_mr, series=("T1-in", "T1-out", "T2"))
    assert set(cases) == {f"MR-{n}-{s}" for n in (1, 13) for s in ("T1-in", "T1-out", "T2")}
    case = cases["MR-13-T1-out"]
    assert case.modality == "MR"
    assert case.patient == cases["MR-13-T2"].patient
    assert np.array_equal(image_of(case), image_array(1) + 300)
    structures = ("liver", "right kidney", "left kidney", "spleen")
    assert set(case.annotated) == set(structures)
    codes = label_array(63, 126, 189, 252)
    expected = sum((codes == code) * (k + 1) for k, code in enumerate((63, 126, 189, 252)))
    assert np.array_equal(label_of(case, structures), expected)


def test_chaos_mr_takes_codes_beside_the_exact_ones_and_no_others(chaos_mr: Path) -> None:
    ground = chaos_mr / "Train_Sets" / "MR" / "1" / "T1DUAL" / "Ground"
    path = ground / "IMG-0004-00002.png"
    plane = label_array(63, 126, 189, 252)[2].copy()
    plane[plane == 63] = 57
    save_png(plane, path)
    case = cases_of(chaos_mr)["MR-1-T1-in"]
    assert np.array_equal(label_of(case, ("liver",)), (label_array(63) > 0).astype(np.uint8))
    plane[0, 0] = 90
    save_png(plane, path)
    with pytest.raises(InputError, match="unknown value 90"):
        label_of(case)


def test_chaos_with_ct_and_mr_in_one_folder_asks_which(chaos_mr: Path) -> None:
    save_dicom(image_array(), chaos_mr / "Train_Sets" / "CT" / "2" / "DICOM_anon")
    for number, plane in enumerate(label_array(255)):
        save_png(plane, chaos_mr / "Train_Sets" / "CT" / "2" / "Ground" / f"liver_GT_{number:03d}.png")
    with pytest.raises(InputError, match="chaos-ct or as chaos-mr"):
        cases_of(chaos_mr)
    assert set(cases_of(chaos_mr, layout="chaos-ct")) == {"CT-2"}


# --- 3D-IRCADb


def ircadb(folder: Path, masks: Dict[str, np.ndarray]) -> Path:
    patient = folder / "3Dircadb1.4"
    save_dicom(image_array(), patient / "PATIENT_DICOM", name="image_{}", downwards=True)
    for name, mask in masks.items():
        save_dicom(mask.astype(int) * 255, patient / "MASKS_DICOM" / name, name="image_{}", downwards=True)
    return patient


@pytest.fixture
def ircadb_masks() -> Dict[str, np.ndarray]:
    organ = label_array(1) > 0
    inner = organ.copy()
    inner[:, 5:] = False
    return {"liver": organ, "livertumor01": inner, "leftkidney": label_array(0, 0, 1) > 0}


@pytest.mark.parametrize("zipped", [False, True])
def test_ircadb_puts_tumors_into_the_liver(
    tmp_path: Path, ircadb_masks: Dict[str, np.ndarray], zipped: bool
) -> None:
    patient = ircadb(tmp_path, ircadb_masks)
    if zipped:
        for part in ("PATIENT_DICOM", "MASKS_DICOM"):
            shutil.make_archive(str(patient / part), "zip", patient, part)
            shutil.rmtree(patient / part)
    case = cases_of(tmp_path)["3Dircadb1.4"]
    assert set(case.annotated) == {"liver", "liver tumour", "left kidney"}
    organ, tumor = ircadb_masks["liver"][::-1], ircadb_masks["livertumor01"][::-1]
    assert np.array_equal(label_of(case), np.where(tumor, 3, organ))
    assert np.array_equal(image_of(case), image_array()[::-1])
    kidneys = label_of(case, ("left kidney",))
    assert np.array_equal(kidneys, ircadb_masks["leftkidney"][::-1])


def test_ircadb_knows_that_a_liver_without_a_mask_of_tumors_has_none(
    tmp_path: Path, ircadb_masks: Dict[str, np.ndarray]
) -> None:
    ircadb(tmp_path, {"liver": ircadb_masks["liver"]})
    assert cases_of(tmp_path)["3Dircadb1.4"].annotated == ("liver", "liver tumour")


def test_a_mask_with_other_slices_than_the_image_is_refused(
    tmp_path: Path, ircadb_masks: Dict[str, np.ndarray]
) -> None:
    patient = ircadb(tmp_path, ircadb_masks)
    (patient / "MASKS_DICOM" / "liver" / "image_3").unlink()
    with pytest.raises(InputError, match="mask liver has other slices"):
        label_of(cases_of(tmp_path)["3Dircadb1.4"])


# --- TotalSegmentator


def test_totalsegmentator_reads_masks_and_its_own_split(tmp_path: Path) -> None:
    for name in ("s0001", "s0002"):
        save(image_array(), tmp_path / name / "ct.nii.gz")
        for mask, array in (("liver", label_array(1)), ("kidney_left", label_array(0, 1))):
            save(array, tmp_path / name / "segmentations" / f"{mask}.nii.gz")
    (tmp_path / "meta.csv").write_text(
        "image_id;age;split\ns0001;60;train\ns0002;61;test\n", encoding="utf-8"
    )
    cases = cases_of(tmp_path)
    assert {name: case.split for name, case in cases.items()} == {"s0001": "train", "s0002": "test"}
    assert set(cases["s0001"].annotated) == {"liver", "left kidney"}
    assert np.array_equal(label_of(cases["s0001"], ("left kidney", "liver")), label_array(2, 1))


# --- nnU-Net


def nnunet(folder: Path, labels: Dict[str, Any]) -> Path:
    root = folder / "Dataset007_Livers"
    for channel in (0, 1):
        save(image_array(channel), root / "imagesTr" / f"case_a_{channel:04d}.nrrd")
        save(image_array(channel), root / "imagesTs" / f"case_z_{channel:04d}.nrrd")
    save(label_array(1, 2), root / "labelsTr" / "case_a.nrrd")
    names = {"0": "T1", "1": "T2"}
    save_json(
        {"channel_names": names, "labels": labels, "numTraining": 1, "file_ending": ".nrrd"},
        root / "dataset.json",
    )
    return root


def test_nnunet_folders_have_a_file_for_each_channel(tmp_path: Path) -> None:
    cases = cases_of(nnunet(tmp_path, {"background": 0, "liver": 1, "tumor": 2}))
    images, label = read_case(cases["case_a"], ALL)
    assert [sitk.GetArrayFromImage(image)[0, 0, 0] for image in images] == [
        image_array(channel)[0, 0, 0] for channel in (0, 1)
    ]
    assert set(np.unique(label)) == {0, 1, 3}
    assert cases["case_a"].modality == "MR"
    assert cases["case_z"].split == "unlabelled"


def test_a_value_of_several_regions_belongs_to_the_smallest(tmp_path: Path) -> None:
    case = cases_of(nnunet(tmp_path, {"background": 0, "liver": [1, 2], "tumor": [2]}))["case_a"]
    assert case.values == ((0, "background"), (1, "liver"), (2, "liver tumour"))


def test_labels_to_ignore_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ignore"):
        cases_of(nnunet(tmp_path, {"background": 0, "liver": 1, "ignore": 2}))


# --- PNG slices


def test_slices_of_one_patient_stay_together_and_stacks_are_for_testing(tmp_path: Path) -> None:
    for number in range(40):
        save_png(image_array(number)[0].astype(np.uint8), tmp_path / "train" / "Data" / f"{number:03d}.png")
        save_png(label_array(200)[2], tmp_path / "train" / "Ground" / f"{number:03d}.png")
    for number, plane in enumerate(label_array(63, 126)):
        save_png(
            image_array()[number].astype(np.uint8), tmp_path / "test" / "patient01" / "Data" / f"{number}.png"
        )
        save_png(plane, tmp_path / "test" / "patient01" / "Ground" / f"{number}.png")
    cases = cases_of(tmp_path)
    patients = [case.patient for case in cases.values() if case.split is None]
    assert len(patients) == 40
    assert patients == sorted(patients)
    assert len(set(patients)) == 2
    assert cases["train-007"].annotated == ("liver",)
    test = cases["test-patient01"]
    assert test.split == "test"
    assert np.array_equal(label_of(test, ("liver", "right kidney")), label_array(1, 2))


def test_half_a_pixel_of_an_interpolated_mask_is_liver(tmp_path: Path) -> None:
    mask = np.zeros((12, 16), np.uint8)
    mask[3, :4] = 3, 127, 128, 255
    save_png(image_array()[0].astype(np.uint8), tmp_path / "train" / "Data" / "000.png")
    save_png(mask, tmp_path / "train" / "Ground" / "000.png")
    assert label_of(cases_of(tmp_path)["train-000"])[0, 3, :4].tolist() == [0, 0, 1, 1]
