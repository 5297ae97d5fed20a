"""The pixels of one DICOM file in HU: whole, decoded by GDCM, rescaled as each frame's header says."""

import os
import tempfile
import warnings
from typing import Any, BinaryIO, List, Sequence, Union

import numpy as np
import SimpleITK as sitk

from ..errors import UnreadableImageError, is_out_of_memory
from ..sentences import Sentence
from .dicom import PARSE_ERRORS, Slice

_INVERTED = "MONOCHROME1"
"""Shown with low values white; what is stored, and so HU, is as in any other image. GDCM turns it over."""
_RESCALING = ("RescaleSlope", "RescaleIntercept", "RescaleType", "PixelValueTransformationSequence")
_UNKNOWN_TO_GDCM = {
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
    "1.2.840.10008.1.2.4.110": "JPEG XL",
    "1.2.840.10008.1.2.4.111": "JPEG XL",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "deflated frames",
}
"""Transfer syntax -> its name; those that not every GDCM or pydicom knows."""


def read_file(slices: Sequence[Slice]) -> np.ndarray:
    """Return all frames of one file in HU, (frames, y, x).

    Args:
        slices: those of the stack that lie in this file.

    Raises:
        UnreadableImageError: it is truncated, damaged, or compressed in a way that cannot be decoded.
    """
    first = slices[0]
    name = os.path.basename(first.path)
    if not has_all_pixels(first.path):
        raise UnreadableImageError(Sentence("dicom.incomplete", name=name))
    rescalings = {(item.slope, item.intercept) for item in slices}
    try:
        if first.photometric != _INVERTED and (len(rescalings) == 1 or first.frame is None):
            return _decoded(first.path)
        return _rescaled(_stored(first.path), slices)
    except RuntimeError as error:
        if is_out_of_memory(error):  # a healthy file: read_scan says what happened
            raise
        raise UnreadableImageError(_why_not(first.path, name), str(error)) from error
    except PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(Sentence("dicom.damaged", name=name), repr(error)) from error


def has_all_pixels(path: Union[str, BinaryIO]) -> bool:
    """Whether uncompressed pixel data is as long as the header says; older GDCM reads less without a word."""
    import pydicom

    keywords = ["PixelData", "BitsAllocated", "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, force=True, specific_tags=keywords)
            syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
            if "PixelData" not in data:
                return False
            if syntax is not None and (str(syntax) in _UNKNOWN_TO_GDCM or syntax.is_compressed):
                return True  # the decoder notices
            expected = (data.BitsAllocated // 8) * data.Rows * data.Columns
            expected *= _count(data, "SamplesPerPixel") * _count(data, "NumberOfFrames")
            return len(data.PixelData) >= expected
    except PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        return False


def _count(data: Any, keyword: str) -> int:
    return int(getattr(data, keyword, None) or 1)


def _decoded(path: str) -> np.ndarray:
    """The frames as GDCM decodes and rescales them, with the rescaling of the first frame."""
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    array = sitk.GetArrayFromImage(reader.Execute())
    return array[np.newaxis] if array.ndim == 2 else array


def _stored(path: str) -> np.ndarray:
    """The frames as they are stored, (frames, y, x): decoded from a copy without rescaling."""
    import pydicom

    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="liverseg-") as folder:
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(path, force=True)
        groups: List[Any] = [data]
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            groups += getattr(data, keyword, None) or []
        for group in groups:
            for keyword in _RESCALING:
                if keyword in group:
                    delattr(group, keyword)
        data.PhotometricInterpretation = "MONOCHROME2"
        copy = os.path.join(folder, "stored.dcm")
        data.save_as(copy)
        return _decoded(copy)


def _rescaled(stored: np.ndarray, slices: Sequence[Slice]) -> np.ndarray:
    """Stored frames in HU, float32 (frames, y, x): each by its own slope and intercept."""
    result = stored.astype(np.float32)
    for item in slices:
        result[item.frame or 0] = stored[item.frame or 0] * item.slope + item.intercept
    return result


def _why_not(path: str, name: str) -> str:
    """What to say of a file that GDCM does not decode."""
    import pydicom

    data = pydicom.dcmread(path, force=True, specific_tags=["Rows"])
    syntax = str(getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", ""))
    if syntax in _UNKNOWN_TO_GDCM:
        return Sentence("dicom.compression", name=name, compression=_UNKNOWN_TO_GDCM[syntax])
    return Sentence("dicom.damaged", name=name)
