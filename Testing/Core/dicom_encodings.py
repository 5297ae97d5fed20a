"""DICOM files of test_dicom's series in other encodings: compressed, deflated, big endian."""

import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)


def rewritten(folder, change):
    """Every file of a folder changed by ``change(dataset)``."""
    for path in sorted(folder.iterdir()):
        data = pydicom.dcmread(path)
        change(data)
        data.save_as(path, enforce_file_format=True)


def jpeg_2000(data, ratios=None):
    """Compress with OpenJPEG alone, as the package that brings it to pydicom is not among ours."""
    from openjpeg.utils import encode_array

    frames = np.frombuffer(data.PixelData, "<u2").reshape(-1, data.Rows, data.Columns)
    more = {"compression_ratios": ratios} if ratios else {}
    data.PixelData = encapsulate([encode_array(f, bits_stored=data.BitsStored, **more) for f in frames])
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless


def deflated(data):
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


COMPRESSIONS = {
    "JPEG 2000": jpeg_2000,
    "JPEG-LS": lambda data: data.compress(JPEGLSLossless),
    "RLE": lambda data: data.compress(RLELossless),
    "deflated": deflated,
}


def near_lossless(data):
    data.compress(JPEGLSNearLossless, jls_error=2)


def big_endian(data):
    """A data set that was made here, as bytes of a file in big endian."""
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()
    data["PixelData"].VR = "OW"
    return data
