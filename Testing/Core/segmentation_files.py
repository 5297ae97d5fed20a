"""DICOM Segmentations and RT structure sets, made with pydicom alone, of test_dicom's series."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from test_dicom import AXIAL, save

SEG, LABEL_MAP, STRUCTURES = (
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
    "1.2.840.10008.5.1.4.1.1.481.3",
)
SERIES, FRAME = "1.2.826.0.1.1", "1.2.826.0.1.2"
ORIGIN, STEP, ACROSS = (-150.0, -120.0, 40.0), 5.0, (0.8, 0.9)
"""Of the scan: LPS mm of its first voxel, mm between slices, mm between columns and rows."""
LIVER, SPLEEN, NEOPLASM = ("SCT", "10200004"), ("SCT", "78961009"), ("SCT", "108369006")


def item(**values):
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def one(**values):
    return Sequence([item(**values)])


def code(scheme, value):
    return one(CodingSchemeDesignator=scheme, CodeValue=value, CodeMeaning="x")


def started(class_uid, modality, series, frame):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = class_uid
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.SeriesInstanceUID, data.StudyInstanceUID = modality, generate_uid(), "1.2.3"
    if frame:
        data.FrameOfReferenceUID = frame
    if series and modality == "SEG":
        data.ReferencedSeriesSequence = one(SeriesInstanceUID=series)
    return data


def place_of(slice_number, row=0, column=0):
    """LPS mm of a pixel of the scan."""
    return [ORIGIN[0] + column * ACROSS[0], ORIGIN[1] + row * ACROSS[1], ORIGIN[2] + slice_number * STEP]


def write_seg(path, frames, segments, *, kind="BINARY", series=SERIES, frame=FRAME, most=100, **changes):
    """Write a Segmentation.

    Args:
        frames: (segment number or None, position LPS mm, pixels (rows, columns)): bool, or shares up to
            ``most`` of a fractional one, or segment numbers of a label map.
        segments: (number, label, type code or None, region code or None).
        changes: of the shared groups: orientation, spacing (rows, columns), between.
    """
    data = started(LABEL_MAP if kind == "LABELMAP" else SEG, "SEG", series, frame)
    data.SegmentationType, data.SegmentSequence = kind, Sequence()
    for number, label, type_code, region in segments:
        made = item(SegmentNumber=number, SegmentLabel=label, SegmentAlgorithmType="MANUAL")
        if type_code:
            made.SegmentedPropertyTypeCodeSequence = code(*type_code)
        if region:
            made.AnatomicRegionSequence = code(*region)
        data.SegmentSequence.append(made)
    stack = np.stack([pixels for _, _, pixels in frames])
    data.NumberOfFrames, data.Rows, data.Columns = stack.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    if kind == "BINARY":
        data.BitsAllocated = data.BitsStored = 1
        data.PixelData = np.packbits(stack.astype(bool).ravel(), bitorder="little").tobytes()
    else:
        data.BitsAllocated = data.BitsStored = 8
        data.PixelData = stack.astype(np.uint8).tobytes()
    data.HighBit = data.BitsStored - 1
    data.PixelData += b"\0" * (len(data.PixelData) % 2)
    data["PixelData"].VR = "OB"
    if kind == "FRACTIONAL":
        data.MaximumFractionalValue, data.SegmentationFractionalType = most, "PROBABILITY"
    measures = item(PixelSpacing=changes.get("spacing", [0.9, 0.8]), SliceThickness=STEP)
    if "between" in changes:
        measures.SpacingBetweenSlices = changes["between"]
    orientation = one(ImageOrientationPatient=[float(v) for v in changes.get("orientation", AXIAL)])
    shared = item(PixelMeasuresSequence=Sequence([measures]), PlaneOrientationSequence=orientation)
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for number, position, _ in frames:
        group = item(PlanePositionSequence=one(ImagePositionPatient=[float(v) for v in position]))
        if number is not None:
            group.SegmentIdentificationSequence = one(ReferencedSegmentNumber=number)
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = Sequence(groups)
    save(data, path)
    return path


def write_structures(path, structures, *, series=SERIES, frame=FRAME, codes=None):
    """Write an RT Structure Set: name -> contours, each points (n, 3) LPS mm, or (kind, points)."""
    data = started(STRUCTURES, "RTSTRUCT", None, None)
    data.StructureSetROISequence, data.ROIContourSequence = Sequence(), Sequence()
    data.RTROIObservationsSequence = Sequence()
    study = item(RTReferencedSeriesSequence=one(SeriesInstanceUID=series)) if series else item()
    data.ReferencedFrameOfReferenceSequence = one(
        FrameOfReferenceUID=frame, RTReferencedStudySequence=Sequence([study])
    )
    for number, (name, contours) in enumerate(structures.items(), 1):
        data.StructureSetROISequence.append(
            item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=frame)
        )
        made = Sequence()
        for contour in contours:
            kind, points = contour if isinstance(contour, tuple) else ("CLOSED_PLANAR", contour)
            numbers = [round(float(value), 4) for value in np.ravel(points)]
            made.append(
                item(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=numbers)
            )
        data.ROIContourSequence.append(item(ReferencedROINumber=number, ContourSequence=made))
        if codes and name in codes:
            data.RTROIObservationsSequence.append(
                item(ObservationNumber=number, ReferencedROINumber=number,
                     RTROIIdentificationCodeSequence=code(*codes[name]))
            )  # fmt: skip
    save(data, path)
    return path
