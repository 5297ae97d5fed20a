"""DICOM folders: geometry, gaps, tilt, choosing the series. All files are made here with pydicom."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid  # noqa: E402

from LiverSegLib.errors import (  # noqa: E402
    ImageGeometryError,
    NotCTError,
    OutOfMemoryError,
    SeriesChoiceError,
    UnreadableImageError,
)
from LiverSegLib.images import facts, list_series, read_scan, unchanged  # noqa: E402

CT, ENHANCED_CT, CAPTURE = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.7",
)
AXIAL, CORONAL = (1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1)


def body(count, rows=32, columns=40):
    """HU of a body in air with noise, int16 (count, rows, columns)."""
    y, x = np.mgrid[:rows, :columns]
    inside = np.hypot((y - rows / 2) / rows, (x - columns / 2) / columns) < 0.4
    plane = np.where(inside, 60, -1000)
    plane[:, columns // 4 : columns // 3] = -100
    noise = np.random.default_rng(5).integers(-15, 16, (count, rows, columns))
    return (plane + noise).astype(np.int16)


def dataset(pixels, position, *, uid, orientation=AXIAL, class_uid=CT, syntax=ExplicitVRLittleEndian, **tags):
    """One slice; pixels int16 HU (rows, columns), stored unsigned with an intercept of -1024."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = class_uid
    data.SOPClassUID = class_uid
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = tags.pop(
        "SOPInstanceUID", generate_uid()
    )
    data.PatientName, data.PatientID = "DOE^JANE", "4711"
    data.Modality = "CT"
    data.SeriesInstanceUID, data.StudyInstanceUID = uid, "1.2.3"
    data.SeriesNumber, data.SeriesDescription = 2, "Abdomen portal"
    data.SeriesDate = "20240131"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.ImagePositionPatient = [float(round(v, 4)) for v in position]
    data.ImageOrientationPatient = [float(v) for v in orientation]
    data.PixelSpacing, data.SliceThickness = [0.9, 0.8], 5
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleIntercept, data.RescaleSlope = -1024, 1
    data.PixelData = (pixels + 1024).clip(0, 4095).astype("<u2").tobytes()
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    return data


def save(data, path):
    if int(pydicom.__version__.split(".")[0]) >= 3:
        pydicom.dcmwrite(str(path), data, enforce_file_format=True)
        return
    data.is_little_endian = True
    data.is_implicit_VR = data.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    pydicom.dcmwrite(str(path), data, write_like_original=False)


def write_series(
    folder, count=12, *, step=(0, 0, 5.0), origin=(-150.0, -120.0, 40.0), prefix="s", skip=(), **tags
):
    """Write a series, file names in no useful order; returns its HU (count, rows, columns) in slice order."""
    folder.mkdir(exist_ok=True, parents=True)
    pixels = body(count)
    uid = tags.pop("uid", None) or generate_uid()
    for index in set(range(count)) - set(skip):
        position = np.array(origin) + index * np.array(step)
        data = dataset(pixels[index], position, uid=uid, InstanceNumber=count - index, **tags)
        save(data, folder / f"{prefix}{(index * 7) % count:03d}.dcm")
    return pixels


def array(scan):
    return sitk.GetArrayViewFromImage(scan.image)


class TestReading:
    def test_slices_are_sorted_by_position_and_in_hu(self, tmp_path):
        pixels = write_series(tmp_path / "ct")
        scan = read_scan(tmp_path / "ct")
        assert np.array_equal(array(scan), pixels.clip(-1024))
        assert scan.image.GetPixelID() == sitk.sitkInt16
        assert scan.image.GetSize() == (40, 32, 12)
        assert scan.image.GetSpacing() == pytest.approx((0.8, 0.9, 5.0))
        assert scan.image.GetOrigin() == pytest.approx((-150, -120, 40))
        assert scan.image.GetDirection() == pytest.approx(np.eye(3).ravel())
        assert (scan.name, scan.modality, scan.warnings) == ("ct", "CT", ())
        assert facts(scan) == "40 × 32 × 12, 0.8 × 0.9 × 5 mm, portal venous phase"

    def test_grid_is_what_simpleitk_makes_of_an_oblique_series(self, tmp_path):
        c, s = np.cos(0.2), np.sin(0.2)
        orientation, normal = (c, s, 0, -s, c, 0), np.array((0, 0, 1.0))
        write_series(tmp_path / "ct", orientation=orientation, step=tuple(4 * normal))
        ours = read_scan(tmp_path / "ct").image
        theirs = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
        assert np.array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))
        for get in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(ours, get)() == pytest.approx(getattr(theirs, get)(), abs=1e-5)

    def test_series_info_tells_nothing_about_the_patient(self, tmp_path):
        write_series(tmp_path / "ct")
        scan = read_scan(tmp_path / "ct")
        assert (scan.series.number, scan.series.date, scan.series.phase_hint) == (2, "20240131", "portal")
        assert len(scan.series.files) == len(scan.files) == 12
        assert "DOE" not in repr(scan.series) and "4711" not in repr(scan.series)
        assert scan.image.GetMetaDataKeys() == ()

    def test_tube_voltage_and_contrast_agent_are_read(self, tmp_path):
        write_series(tmp_path / "plain")
        write_series(tmp_path / "told", KVP="100", ContrastBolusAgent="OMNIPAQUE 350")
        plain, told = (read_scan(tmp_path / name).series for name in ("plain", "told"))
        assert (plain.kvp, plain.contrast) == (None, "")
        assert (told.kvp, told.contrast) == (100.0, "OMNIPAQUE 350")

    def test_a_tube_voltage_that_changes_within_the_series_is_not_known(self, tmp_path):
        write_series(tmp_path / "ct", uid="1.2.9", KVP="120", skip=range(6))
        write_series(tmp_path / "ct", uid="1.2.9", KVP="0", skip=range(6, 12))
        assert read_scan(tmp_path / "ct").series.kvp is None

    def test_fractional_rescale_gives_float(self, tmp_path):
        pixels = write_series(tmp_path / "ct", RescaleSlope=0.5, RescaleIntercept=-512.25)
        scan = read_scan(tmp_path / "ct")
        assert scan.image.GetPixelID() == sitk.sitkFloat32
        assert np.allclose(array(scan), (pixels.clip(-1024) + 1024) * 0.5 - 512.25)

    def test_one_file_stands_for_its_series(self, tmp_path):
        write_series(tmp_path / "ct", SeriesNumber=3)
        write_series(tmp_path / "ct", prefix="t", SeriesNumber=4, origin=(0, 0, 0))
        scan = read_scan(tmp_path / "ct" / "t004.dcm")
        assert (scan.series.number, scan.image.GetSize()[2], scan.name) == (4, 12, "t004")

    def test_nested_folders_extensions_and_strangers(self, tmp_path):
        pixels = write_series(tmp_path / "in", syntax=ImplicitVRLittleEndian)
        for index, path in enumerate(sorted((tmp_path / "in").iterdir())):
            target = tmp_path / "disk" / f"S{index % 3}"
            target.mkdir(parents=True, exist_ok=True)
            shutil.move(str(path), str(target / f"IM{index}"))
        (tmp_path / "disk" / "readme.txt").write_text("hello")
        (tmp_path / "disk" / "DICOMDIR").write_bytes(b"\0" * 200)
        (tmp_path / "disk" / ".hidden.dcm").write_bytes(b"")
        scan = read_scan(tmp_path / "disk")
        assert np.array_equal(array(scan), pixels.clip(-1024))
        assert scan.warnings == ()

    def test_removed_slice_is_noticed_afterwards(self, tmp_path):
        write_series(tmp_path / "ct")
        scan = read_scan(tmp_path / "ct")
        assert unchanged(scan)
        (tmp_path / "ct" / "s003.dcm").unlink()
        assert not unchanged(scan)

    def test_enhanced_multi_frame_ct(self, tmp_path):
        pixels = body(8)
        order = [3, 1, 7, 0, 2, 6, 5, 4]
        data = dataset(pixels[order], (0, 0, 0), uid=generate_uid(), class_uid=ENHANCED_CT, NumberOfFrames=8)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            delattr(data, keyword)
        del data.RescaleIntercept, data.RescaleSlope
        data.PerFrameFunctionalGroupsSequence = Sequence([frame_group((1, 2, 3 + 4.0 * z)) for z in order])
        data.SharedFunctionalGroupsSequence = Sequence([shared_group()])
        save(data, tmp_path / "enhanced.dcm")
        scan = read_scan(tmp_path)
        assert np.array_equal(array(scan), pixels.clip(-1024))
        assert scan.image.GetSpacing() == pytest.approx((0.8, 0.9, 4.0))
        assert scan.image.GetOrigin() == pytest.approx((1, 2, 3))
        assert len(scan.series.files) == 1


class TestBrokenSeries:
    @pytest.mark.parametrize(
        ("skip", "words"), [((5,), "1 slice is missing"), ((3, 7, 8), "3 slices are missing")]
    )
    def test_missing_slices(self, tmp_path, skip, words):
        write_series(tmp_path / "ct", count=13, skip=skip)
        with pytest.raises(ImageGeometryError, match=words):
            read_scan(tmp_path / "ct")

    def test_uneven_spacing(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", count=6, uid=uid)
        write_series(
            tmp_path / "ct", count=6, uid=uid, prefix="t", origin=(-150, -120, 72.0), step=(0, 0, 7.0)
        )
        with pytest.raises(ImageGeometryError, match="unevenly spaced"):
            read_scan(tmp_path / "ct")

    def test_rounded_positions_are_fine(self, tmp_path):
        write_series(tmp_path / "ct", count=30, step=(0, 0, 1.3333))
        for index, path in enumerate(sorted((tmp_path / "ct").iterdir())):
            data = pydicom.dcmread(path)
            x, y, z = data.ImagePositionPatient
            data.ImagePositionPatient = [x, y, round(float(z), 1)]
            save(data, path)
            assert index < 30
        assert read_scan(tmp_path / "ct").image.GetSpacing()[2] == pytest.approx(1.3333, abs=0.01)

    def test_duplicate_positions(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", uid=uid)
        write_series(tmp_path / "ct", uid=uid, count=3, prefix="t")
        with pytest.raises(ImageGeometryError, match="3 duplicate slices"):
            read_scan(tmp_path / "ct")

    def test_second_copies_of_files_count_once(self, tmp_path):
        pixels = write_series(tmp_path / "ct")
        shutil.copytree(tmp_path / "ct", tmp_path / "ct" / "copy")
        scan = read_scan(tmp_path / "ct")
        assert np.array_equal(array(scan), pixels.clip(-1024))
        assert "12 images are stored twice" in scan.warnings[0]

    def test_two_phases_in_one_series_become_two_stacks(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", uid=uid, AcquisitionNumber=1)
        write_series(tmp_path / "ct", uid=uid, prefix="t", AcquisitionNumber=2)
        with pytest.raises(SeriesChoiceError) as caught:
            read_scan(tmp_path / "ct")
        assert [info.uid for info in caught.value.series] == [uid, f"{uid}:2"]
        assert read_scan(tmp_path / "ct", series=f"{uid}:2").image.GetSize()[2] == 12

    def test_impossible_tilt(self, tmp_path):
        write_series(tmp_path / "ct", step=(0, 5, 5))
        with pytest.raises(ImageGeometryError, match="tilted by 45°"):
            read_scan(tmp_path / "ct")

    def test_shifted_half(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", count=6, uid=uid)
        write_series(tmp_path / "ct", count=6, uid=uid, prefix="t", origin=(-130, -120, 70.0))
        with pytest.raises(ImageGeometryError, match="straight row"):
            read_scan(tmp_path / "ct")

    def test_gaps_between_thin_slices_are_a_warning(self, tmp_path):
        write_series(tmp_path / "ct", step=(0, 0, 10.0))
        assert any("5 mm thick but 10 mm apart" in warning for warning in read_scan(tmp_path / "ct").warnings)

    def test_headers_without_position(self, tmp_path):
        write_series(tmp_path / "ct", ImagePositionPatient=None)
        with pytest.raises(ImageGeometryError, match="do not say where"):
            read_scan(tmp_path / "ct")

    @pytest.mark.parametrize("count", [1, 2])
    def test_too_few_slices(self, tmp_path, count):
        write_series(tmp_path / "ct", count=count)
        with pytest.raises(ImageGeometryError, match="single slice|only 2 slices"):
            read_scan(tmp_path / "ct")

    def test_truncated_pixels(self, tmp_path):
        write_series(tmp_path / "ct")
        path = tmp_path / "ct" / "s004.dcm"
        path.write_bytes(path.read_bytes()[:-700])
        with pytest.raises(UnreadableImageError, match="s004.dcm"):
            read_scan(tmp_path / "ct")

    def test_truncated_header_leaves_a_gap(self, tmp_path):
        write_series(tmp_path / "ct")
        path = tmp_path / "ct" / "s004.dcm"
        path.write_bytes(path.read_bytes()[:140])
        with pytest.raises(ImageGeometryError, match="missing"):
            read_scan(tmp_path / "ct")

    def test_only_damaged_files(self, tmp_path):
        (tmp_path / "a.dcm").write_bytes(b"")
        (tmp_path / "b.dcm").write_bytes(b"nonsense" * 100)
        with pytest.raises(UnreadableImageError, match="damaged or empty"):
            read_scan(tmp_path)
        with pytest.raises(UnreadableImageError):
            read_scan(tmp_path / "b.dcm")


class TestChoice:
    def test_other_modality(self, tmp_path):
        write_series(tmp_path / "pet", Modality="PT", class_uid="1.2.840.10008.5.1.4.1.1.128")
        with pytest.raises(NotCTError, match="modality PT"):
            read_scan(tmp_path / "pet")

    def test_scout_reformats_captures_and_other_regions_give_way(self, tmp_path):
        write_series(tmp_path / "1", count=3, SeriesNumber=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        write_series(tmp_path / "2", SeriesNumber=2)
        write_series(tmp_path / "3", SeriesNumber=3, orientation=CORONAL, step=(0, 5, 0))
        write_series(tmp_path / "4", SeriesNumber=4, class_uid=CAPTURE)
        write_series(tmp_path / "5", SeriesNumber=5, SeriesDescription="MIP axial")
        write_series(
            tmp_path / "6", SeriesNumber=6, SeriesDescription="Thorax lung", BodyPartExamined="CHEST"
        )
        write_series(tmp_path / "7", SeriesNumber=7, SeriesDescription="Dose Report")
        write_series(tmp_path / "8", SeriesNumber=8, Modality="PT", class_uid="1.2.840.10008.5.1.4.1.1.128")
        write_series(tmp_path / "9", SeriesNumber=9, SeriesDescription="Premonitoring", step=(0, 0, 0))
        assert read_scan(tmp_path).series.number == 2
        infos = list_series(tmp_path)
        assert [info.number for info in infos] == list(range(1, 10))
        assert [info.number for info in infos if info.suitable] == [2, 6]
        assert all(info.reason for info in infos if not info.suitable)

    def test_equal_series_are_listed(self, tmp_path):
        write_series(tmp_path / "a", SeriesNumber=4, SeriesDescription="Abdomen arterial")
        write_series(tmp_path / "b", SeriesNumber=5, SeriesDescription="Abdomen portal")
        with pytest.raises(
            SeriesChoiceError, match="4: Abdomen arterial, 40 × 32 × 12, 0.8 × 0.9 × 5 mm"
        ) as caught:
            read_scan(tmp_path)
        assert [info.number for info in caught.value.series] == [4, 5]

    def test_series_is_named_by_number_uid_or_description(self, tmp_path):
        write_series(tmp_path / "a", SeriesNumber=4, SeriesDescription="Abdomen arterial", uid="1.2.4")
        write_series(tmp_path / "b", SeriesNumber=5, SeriesDescription="Abdomen portal", uid="1.2.5")
        for name in ("5", "1.2.5", "abdomen PORTAL", "portal"):
            assert read_scan(tmp_path, series=name).series.uid == "1.2.5"
        with pytest.raises(SeriesChoiceError, match="Several series fit 'abdomen'"):
            read_scan(tmp_path, series="abdomen")
        with pytest.raises(SeriesChoiceError, match="no series '77'"):
            read_scan(tmp_path, series="77")

    def test_a_coronal_series_can_be_asked_for(self, tmp_path):
        write_series(tmp_path / "a", SeriesNumber=4)
        write_series(tmp_path / "b", SeriesNumber=5, orientation=CORONAL, step=(0, 5, 0))
        assert read_scan(tmp_path, series="5").series.number == 5

    def test_the_only_ct_is_taken_whatever_it_is_called(self, tmp_path):
        write_series(tmp_path / "a", count=4, SeriesDescription="Cor body dose")
        assert read_scan(tmp_path).image.GetSize()[2] == 4

    def test_scout_inside_the_series_is_left_out(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", uid=uid)
        kind = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        write_series(tmp_path / "ct", uid=uid, count=1, prefix="t", orientation=CORONAL, ImageType=kind)
        assert read_scan(tmp_path / "ct").image.GetSize()[2] == 12

    def test_only_a_scout(self, tmp_path):
        write_series(tmp_path / "ct", count=3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
        with pytest.raises(NotCTError, match="scout"):
            read_scan(tmp_path / "ct")

    def test_colour_capture(self, tmp_path):
        write_series(tmp_path / "ct", SamplesPerPixel=3, PhotometricInterpretation="RGB", class_uid=CAPTURE)
        with pytest.raises(NotCTError, match="color"):
            read_scan(tmp_path / "ct")

    def test_what_segmenting_refuses_is_listed_as_unusable_with_the_same_words(self, tmp_path):
        write_series(tmp_path / "1", SeriesNumber=1, skip=(5,))
        write_series(tmp_path / "2", SeriesNumber=2, step=(0, 4.0, 5.0))
        write_series(tmp_path / "3", SeriesNumber=3, PixelSpacing=[0.01, 0.01])
        write_series(tmp_path / "4", SeriesNumber=4)
        for info in list_series(tmp_path):
            if info.number == 4:
                assert info.suitable and read_scan(tmp_path, series="4").series == info
                continue
            with pytest.raises(ImageGeometryError) as refused:
                read_scan(tmp_path, series=str(info.number))
            assert (info.suitable, info.reason) == (False, str(refused.value))
        assert read_scan(tmp_path).series.number == 4

    def test_list_of_no_folder(self, tmp_path):
        with pytest.raises(UnreadableImageError, match="not a folder"):
            list_series(tmp_path / "nowhere")


def frame_group(position):
    group, plane = Dataset(), Dataset()
    plane.ImagePositionPatient = list(position)
    group.PlanePositionSequence = Sequence([plane])
    return group


def shared_group():
    group, orientation, measures, rescale = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(AXIAL)
    measures.PixelSpacing, measures.SliceThickness = [0.9, 0.8], 4
    rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = -1024, 1, "HU"
    group.PlaneOrientationSequence = Sequence([orientation])
    group.PixelMeasuresSequence = Sequence([measures])
    group.PixelValueTransformationSequence = Sequence([rescale])
    return group


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("ITK ERROR: Failed to allocate memory")])
def test_memory_running_out_in_the_middle_of_a_series_is_no_damaged_file(tmp_path, monkeypatch, error):
    write_series(tmp_path / "ct")

    class Full(sitk.ImageFileReader):
        def Execute(self):  # noqa: N802
            raise error

    monkeypatch.setattr(sitk, "ImageFileReader", Full)
    with pytest.raises(OutOfMemoryError, match="Memory ran out while reading ct"):
        read_scan(tmp_path / "ct")


def test_cancelling_is_asked_for_every_header_and_every_slice(tmp_path):
    write_series(tmp_path / "ct", 12)
    polls = []
    read_scan(tmp_path / "ct", check=lambda: polls.append(1))
    assert len(polls) == 24
