"""DICOM series made here, with results on them: oblique, flipped, tilted, in any order, of one file."""

from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from LiverSegLib.dicom.writing import save
from LiverSegLib.images import read_scan
from LiverSegLib.images.scan import DicomFiles
from LiverSegLib.measure import measure
from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate
from LiverSegLib.result import Result
from LiverSegLib.review import Review

CT, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
ROWS, COLUMNS, SLICES = 40, 52, 14
ORIGIN = np.array([-60.0, -40.0, 30.0])
"""LPS mm of the first voxel of slice 0."""
SPACING = (2.5, 3.0)
"""Distance between rows and between columns, mm."""

OBLIQUE_X, OBLIQUE_Y = np.array([0.8, 0.6, 0.0]), np.array([-0.6, 0.8, 0.0])
TURNED = np.array([[0.96, 0.0, 0.28], [0.0, 1.0, 0.0], [-0.28, 0.0, 0.96]])
"""A turn about the patient's y axis."""

LAYOUTS: Dict[str, Tuple[Sequence[float], Sequence[float], Sequence[float]]] = {
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 5)),
    "slices from the head down": ((1, 0, 0), (0, 1, 0), (0, 0, -5)),
    "columns and rows flipped": ((-1, 0, 0), (0, -1, 0), (0, 0, 5)),
    "one axis flipped": ((-1, 0, 0), (0, 1, 0), (0, 0, 5)),
    "turned in the plane": (tuple(OBLIQUE_X), tuple(OBLIQUE_Y), (0, 0, 5)),
    "oblique": (tuple(TURNED @ OBLIQUE_X), tuple(TURNED @ OBLIQUE_Y), tuple(TURNED @ [0.0, 0.0, 5.0])),
    "tilted gantry": ((1, 0, 0), (0, np.cos(0.2), np.sin(0.2)), (0, 0, 5)),
}
"""Name -> direction of columns and of rows, and the way from slice to slice in mm."""


def labels_array(shape: Tuple[int, int, int] = (SLICES, ROWS, COLUMNS)) -> np.ndarray:
    """A liver with two lesions, one at its border, and a spleen, uint8 (z, y, x); mirrored it is another."""
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    labels = np.zeros(shape, np.uint8)
    labels[((z - 7) / 5) ** 2 + ((y - 18) / 14) ** 2 + ((x - 17) / 14) ** 2 < 1] = 1
    labels[((z - 6) / 4) ** 2 + ((y - 24) / 8) ** 2 + ((x - 43) / 7) ** 2 < 1] = 2
    labels[6:9, 9:14, 10:16] = 3
    labels[5:7, 20:23, 20:25] = 3
    return labels


def header(class_uid: str, series_uid: str, study_uid: str, **tags: Any) -> Dataset:
    """The attributes that all slices share, of a patient whose name is not ASCII."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPClassUID, data.SOPInstanceUID = class_uid, generate_uid()
    data.file_meta.MediaStorageSOPClassUID = class_uid
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = study_uid, series_uid
    data.FrameOfReferenceUID = tags.pop("frame_of_reference", "1.2.826.7.7")
    data.PatientName, data.PatientID = "Müller^Änne", "4711"
    data.PatientBirthDate, data.PatientSex = "19500102", "F"
    data.StudyDate, data.StudyTime, data.SeriesDate = "20240131", "101500", "20240131"
    data.AccessionNumber, data.StudyID, data.ReferringPhysicianName = "A1", "S1", "Doc^A"
    data.Modality, data.SeriesNumber, data.SeriesDescription = "CT", 3, "Abdomen portal"
    data.ImageType, data.Manufacturer = ["ORIGINAL", "PRIMARY", "AXIAL"], "Maker"
    data.Rows, data.Columns, data.SamplesPerPixel = ROWS, COLUMNS, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    for keyword, value in tags.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    return data


def stored(values: np.ndarray) -> bytes:
    """HU as they are stored, with an intercept of -1024."""
    return bytes((values + 1024).clip(0, 4095).astype("<u2").tobytes())


def voxels(labels: np.ndarray) -> np.ndarray:
    """HU of a body with these organs, int16."""
    noise = np.random.default_rng(5).integers(-6, 7, labels.shape)
    return (np.choose(labels, [-60, 60, 50, 30]) + noise).astype(np.int16)


def write_series(folder: Path, layout: str = "axial", **tags: Any) -> np.ndarray:
    """Write a series of one file a slice, names and instance numbers in no useful order; returns the labels
    (slices, rows, columns) that belong to it, in the order in which ``LAYOUTS`` walks."""
    folder.mkdir(parents=True, exist_ok=True)
    columns, rows, step = (np.array(item, dtype=float) for item in LAYOUTS[layout])
    labels, series_uid, study_uid = labels_array(), generate_uid(), generate_uid()
    pixels = voxels(labels)
    for index in range(SLICES):
        data = header(CT, series_uid, study_uid, **tags)
        data.InstanceNumber = (index * 5) % SLICES + 1
        data.ImagePositionPatient = [round(float(v), 5) for v in ORIGIN + index * step]
        data.ImageOrientationPatient = [round(float(v), 7) for v in (*columns, *rows)]
        data.PixelSpacing, data.SliceThickness = list(SPACING), 5.0
        data.RescaleIntercept, data.RescaleSlope = -1024, 1
        data.PixelData = stored(pixels[index])
        save(data, folder / f"i{(index * 3) % SLICES:02d}.dcm")
    return labels


def write_image(folder: Path, image: sitk.Image) -> Dict[str, str]:
    """Write a series of the slices of an image; returns SOP instance UID -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    series_uid, study_uid, files = generate_uid(), generate_uid(), {}
    array, (columns, rows, slices) = sitk.GetArrayFromImage(image), image.GetSize()
    direction = np.reshape(image.GetDirection(), (3, 3))
    for index in range(slices):
        data = header(CT, series_uid, study_uid, Rows=rows, Columns=columns, InstanceNumber=index + 1)
        data.ImagePositionPatient = list(image.TransformIndexToPhysicalPoint((0, 0, index)))
        data.ImageOrientationPatient = [float(v) for v in (*direction[:, 0], *direction[:, 1])]
        data.PixelSpacing = [image.GetSpacing()[1], image.GetSpacing()[0]]
        data.SliceThickness = image.GetSpacing()[2]
        data.RescaleIntercept, data.RescaleSlope = -1024, 1
        data.PixelData = stored(array[index])
        save(data, folder / f"{index:03d}.dcm")
        files[str(data.SOPInstanceUID)] = str(folder / f"{index:03d}.dcm")
    return files


def write_multi_frame(folder: Path, phases: int = 1) -> np.ndarray:
    """Write an enhanced CT of one file, frames in no useful order; returns labels as ``write_series``.

    Args:
        folder: where it goes.
        phases: so many frames lie in each place, told apart by their temporal position.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labels = labels_array()
    pixels = voxels(labels)
    order = [(index * 5) % SLICES for index in range(SLICES)]
    places = [(index, phase) for index in order for phase in range(phases)]
    data = header(ENHANCED_CT, generate_uid(), generate_uid(), NumberOfFrames=len(places))
    measures, orientation, values = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING), 5.0
    orientation.ImageOrientationPatient = [float(v) for v in (*OBLIQUE_X, *OBLIQUE_Y)]
    values.RescaleIntercept, values.RescaleSlope, values.RescaleType = -1024, 1, "HU"
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence = [values]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = [_frame(index, phase) for index, phase in places]
    data.PixelData = b"".join(stored(pixels[index] + 40 * phase) for index, phase in places)
    save(data, folder / "enhanced.dcm")
    return labels


def _frame(index: int, phase: int) -> Dataset:
    position, content, group = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-60.0, -40.0, 30.0 + 5.0 * index]
    content.StackID, content.InStackPositionNumber = "1", index + 1
    content.TemporalPositionIndex = phase + 1
    content.DimensionIndexValues = [index + 1]
    group.PlanePositionSequence, group.FrameContentSequence = [position], [content]
    return group


def result_of(
    folder: Path,
    labels: np.ndarray,
    *,
    review: Optional[Review] = None,
    frames: Optional[Sequence[int]] = None,
) -> Result:
    """The result of reading a series and drawing these labels, (slices, rows, columns) in the order of the
    layout, into it: placed by the patient's coordinates of each slice."""
    scan = read_scan(folder)
    assert scan.series is not None
    image = scan.image
    origin = image.GetOrigin() if scan.lean is None else scan.lean.source.origin
    in_image = labels_in(origin, labels, scan.series.files)
    in_image = in_image if scan.lean is None else scan.lean.straightened(in_image)
    mask = sitk.GetImageFromArray(in_image)
    mask.CopyInformation(image)
    probability = np.where(in_image > 0, 230, 0).astype(np.uint8)
    measurements = measure(mask, image, probability=probability, phase="unenhanced")
    facts = ClinicalFacts(PhaseEstimate("unenhanced", 0.9, "told"), kvp=120.0)
    provenance = {"liverseg_version": "0", "model": {"name": "fake", "version": "1.2", "sha256": "ab"}}
    source = DicomFiles(scan.series.files, scan.series.frames if frames is None else tuple(frames))
    return Result(
        "case", image, mask, probability, measurements, provenance, (), facts, review or Review(),
        source=source,
    )  # fmt: skip


def labels_in(origin: Sequence[float], labels: np.ndarray, files: Sequence[str]) -> np.ndarray:
    """Labels in the order of an image's slices: a series' own order is known by where slice 0 lies."""
    first = pydicom.dcmread(files[0], stop_before_pixels=True)
    if "PerFrameFunctionalGroupsSequence" in first:
        return labels
    return labels if np.linalg.norm(np.array(origin) - ORIGIN) < 1e-3 else labels[::-1]
