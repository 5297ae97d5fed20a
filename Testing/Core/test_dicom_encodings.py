"""DICOM as PACS and media hand it over: compressed, oddly encoded, with a directory, damaged."""

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
if int(pydicom.__version__.split(".")[0]) < 3:
    pytest.skip("these files are made with pydicom 3", allow_module_level=True)
from dicom_encodings import COMPRESSIONS, big_endian, jpeg_2000, near_lossless, rewritten  # noqa: E402
from pydicom.encaps import encapsulate, generate_frames  # noqa: E402
from pydicom.uid import ImplicitVRLittleEndian, generate_uid  # noqa: E402
from test_dicom import array, body, dataset, write_series  # noqa: E402

from LiverSegLib.errors import ImageGeometryError, UnreadableImageError  # noqa: E402
from LiverSegLib.images import list_series, read_scan  # noqa: E402


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_compressed_series_is_the_series(tmp_path, name):
    pixels = write_series(tmp_path / "ct")
    rewritten(tmp_path / "ct", COMPRESSIONS[name])
    scan = read_scan(tmp_path / "ct")
    assert np.array_equal(array(scan), pixels.clip(-1024)) and scan.warnings == ()


@pytest.mark.parametrize("name", ["JPEG 2000", "JPEG-LS", "RLE"])
def test_a_compressed_file_that_ends_too_early_is_named(tmp_path, name):
    write_series(tmp_path / "ct")
    rewritten(tmp_path / "ct", COMPRESSIONS[name])
    path = tmp_path / "ct" / "s004.dcm"
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 6])
    with pytest.raises(UnreadableImageError, match="s004.dcm is incomplete"):
        read_scan(tmp_path / "ct")


def test_a_deflated_file_that_ends_too_early_is_missing(tmp_path):
    """Its header is within what is deflated, so nobody knows which slice it was."""
    write_series(tmp_path / "ct")
    rewritten(tmp_path / "ct", COMPRESSIONS["deflated"])
    path = tmp_path / "ct" / "s004.dcm"
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 5])
    with pytest.raises(ImageGeometryError, match="1 slice is missing .* 1 DICOM files could not be read"):
        read_scan(tmp_path / "ct")
    with pytest.raises(UnreadableImageError, match="without a readable image"):
        read_scan(path)


def test_a_frame_that_was_cut_off_before_it_was_stored(tmp_path):
    def cut(data):
        jpeg_2000(data)
        frame = next(generate_frames(data.PixelData, number_of_frames=1))
        data.PixelData = encapsulate([frame[: len(frame) // 4 * 2]])
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True

    write_series(tmp_path / "ct")
    rewritten(tmp_path / "ct", cut)
    with pytest.raises(UnreadableImageError, match=r"s000.dcm cannot be read: it is damaged"):
        read_scan(tmp_path / "ct")


def test_a_compression_that_cannot_be_decoded_is_named(tmp_path):
    def high_throughput(data):
        jpeg_2000(data)
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"

    write_series(tmp_path / "ct")
    rewritten(tmp_path / "ct", high_throughput)
    for path in (tmp_path / "ct").iterdir():  # pydicom writes no JPEG XL
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.201", b"1.2.840.10008.1.2.4.110"))
    with pytest.raises(UnreadableImageError, match="compressed as JPEG XL, which LiverSeg"):
        read_scan(tmp_path / "ct")


def test_compression_with_loss_is_a_warning(tmp_path):
    pixels = write_series(tmp_path / "near")
    rewritten(tmp_path / "near", near_lossless)
    scan = read_scan(tmp_path / "near")
    assert np.abs(array(scan) - pixels.clip(-1024)).max() == 2
    assert [warning.key for warning in scan.warnings] == ["scan.lossy"]
    write_series(tmp_path / "told", LossyImageCompression="01", LossyImageCompressionRatio="12")
    assert "compressed with loss" in read_scan(tmp_path / "told").warnings[0]


def test_low_values_shown_white_are_the_same_values(tmp_path):
    pixels = write_series(tmp_path / "ct", PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(array(read_scan(tmp_path / "ct")), pixels.clip(-1024))


def test_big_endian(tmp_path):
    pixels, uid = body(12), generate_uid()
    for index, plane in enumerate(pixels):
        data = big_endian(dataset(plane, (-150, -120, 40 + 5.0 * index), uid=uid))
        pydicom.dcmwrite(tmp_path / f"{index}.dcm", data, enforce_file_format=True)
    assert np.array_equal(array(read_scan(tmp_path)), pixels.clip(-1024))


@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble_and_file_meta(tmp_path, implicit):
    pixels = write_series(tmp_path / "ct", syntax=ImplicitVRLittleEndian)
    for path in (tmp_path / "ct").iterdir():
        data = pydicom.dcmread(path)
        del data.file_meta
        pydicom.dcmwrite(path, data, implicit_vr=implicit, little_endian=True)
    assert np.array_equal(array(read_scan(tmp_path / "ct")), pixels.clip(-1024))


def test_the_directory_of_a_medium_stands_for_the_medium(tmp_path):
    pixels = write_series(tmp_path / "IMAGES")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(60))
    assert np.array_equal(array(read_scan(tmp_path / "DICOMDIR")), pixels.clip(-1024))
    assert len(list_series(tmp_path)) == 1


def test_an_archive_that_is_no_zip_is_to_be_unpacked(tmp_path):
    (tmp_path / "study.7z").write_bytes(b"7z")
    with pytest.raises(UnreadableImageError, match="is an archive; unpack it and give the folder"):
        read_scan(tmp_path / "study.7z")
