"""Small made-up data sets in the official form of each layout."""

import json
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SHAPE = (8, 12, 16)
"""Voxels (z, y, x) of every volume here."""
CT_CLASS, MR_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def image_array(seed: int = 0) -> np.ndarray:
    """HU of noise, int16."""
    return np.random.default_rng(seed).integers(-200, 300, SHAPE).astype(np.int16)


def label_array(*values: int) -> np.ndarray:
    """A box of each value beside the other, along x, not symmetric along any axis; uint8."""
    array = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        array[1 : 4 + place, 2:9, 1 + 4 * place : 4 + 4 * place] = value
    return array


def save(array: np.ndarray, path: Path, spacing: Sequence[float] = (1.0, 1.5, 2.5)) -> Path:
    """Write a volume, making its folder."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(step) for step in spacing])
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def save_json(data: Any, path: Path) -> None:
    """Write JSON, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def save_png(plane: np.ndarray, path: Path) -> None:
    """Write a gray picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(plane), str(path))


def save_dicom(
    array: np.ndarray,
    folder: Path,
    *,
    name: str = "i{:04d}.dcm",
    modality: str = "CT",
    downwards: bool = False,
) -> None:
    """Write a series of one file a slice, named in the order of the array.

    Args:
        array: (z, y, x), whole numbers.
        name: of the k-th slice's file.
        downwards: whether the first slice is the uppermost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    for number, plane in enumerate(array):
        place = -2.5 * number if downwards else 2.5 * number
        data = _slice(plane, series, place, modality)
        pydicom.dcmwrite(str(folder / name.format(number)), data, enforce_file_format=True)


def _slice(plane: np.ndarray, series: str, place: float, modality: str) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CT_CLASS if modality == "CT" else MR_CLASS
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.SeriesInstanceUID, data.StudyInstanceUID = modality, series, "1.2.3"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.ImagePositionPatient = [0.0, 0.0, place]
    data.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    data.PixelSpacing, data.SliceThickness = [1.5, 1.0], 2.5
    data.Rows, data.Columns = plane.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    shift = 1024 if modality == "CT" else 0
    if shift:
        data.RescaleIntercept, data.RescaleSlope = -shift, 1
    data.PixelData = (plane.astype(int) + shift).clip(0, 4095).astype("<u2").tobytes()
    return data


def project(folder: Path, cases: Dict[str, Dict[str, Any]], labels: Optional[Dict[str, str]] = None) -> Path:
    """A folder with this project's own dataset.json: id -> fields beside id and image; ``label`` may be an
    array. Every case gets noise for an image.
    """
    entries = []
    for number, (name, more) in enumerate(cases.items()):
        entry = {"id": name, "image": f"ct/{name}.nii.gz", "modality": "CT", **more}
        save(more.get("array", image_array(number)), folder / "ct" / f"{name}.nii.gz")
        entry.pop("array", None)
        if isinstance(more.get("label"), np.ndarray):
            save(more["label"], folder / "ct" / f"{name}_label.nii.gz")
            entry["label"] = f"ct/{name}_label.nii.gz"
        entries.append(entry)
    names = {"0": "background", "1": "liver", "2": "spleen", "3": "liver tumour"}
    save_json({"name": "made up", "labels": labels or names, "cases": entries}, folder / "dataset.json")
    return folder


def shape_of(image: sitk.Image) -> Tuple[int, ...]:
    """Voxels (z, y, x)."""
    return tuple(image.GetSize()[::-1])
