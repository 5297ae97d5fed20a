"""Several stacks in one series or one enhanced file: told apart, chosen, and the others named."""

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import generate_uid  # noqa: E402
from test_dicom import (  # noqa: E402
    AXIAL,
    CORONAL,
    ENHANCED_CT,
    array,
    body,
    dataset,
    frame_group,
    save,
    shared_group,
    write_series,
)

from LiverSegLib.errors import ImageGeometryError, SeriesChoiceError  # noqa: E402
from LiverSegLib.images import list_series, read_scan  # noqa: E402

SPACING_MM = 5.0


def one(**values):
    """A sequence of one item with these values."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])


def write_enhanced(path, pixels, places, frames=None, rescaling=((1, -1024),), **tags):
    """An enhanced CT, frames as listed: HU (n, rows, columns), z in slices, further groups of each frame."""
    data = dataset(
        pixels, (0, 0, 0), uid=tags.pop("uid", None) or generate_uid(), class_uid=ENHANCED_CT, **tags
    )
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(data, keyword)
    del data.RescaleIntercept, data.RescaleSlope
    data.NumberOfFrames, data.BitsStored, data.HighBit = len(pixels), 16, 15
    stored, groups = [], []
    for number, (plane, place) in enumerate(zip(pixels, places)):
        slope, intercept = rescaling[number % len(rescaling)]
        stored.append(np.rint((plane.clip(-1024) - intercept) / slope).astype("<u2"))
        group = frame_group((1, 2, 3 + SPACING_MM * place))
        group.PixelValueTransformationSequence = one(
            RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="HU"
        )
        for keyword, values in (frames[number] if frames else {}).items():
            setattr(group, keyword, one(**values))
        groups.append(group)
    data.PixelData = np.stack(stored).tobytes()
    data.PerFrameFunctionalGroupsSequence = Sequence(groups)
    shared = shared_group()
    del shared.PixelValueTransformationSequence
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    save(data, path)


class TestEnhanced:
    @pytest.mark.parametrize("rescaling", [((1, -1024), (1, -1500)), ((1, -1024), (0.5, -1100), (2, -1024))])
    def test_each_frame_has_a_rescaling_of_its_own(self, tmp_path, rescaling):
        pixels, order = body(8) // 2 * 2, [3, 1, 7, 0, 2, 6, 5, 4]
        write_enhanced(tmp_path / "a.dcm", pixels[order], order, rescaling=rescaling)
        assert np.array_equal(array(read_scan(tmp_path)), pixels.clip(-1024))

    def test_stacks_of_one_file(self, tmp_path):
        pixels = body(18)
        frames = [{"FrameContentSequence": {"StackID": str(n // 9 + 1)}} for n in range(18)]
        places = [*range(9), *(4.5 + n for n in range(9))]
        write_enhanced(tmp_path / "a.dcm", pixels, places, frames)
        with pytest.raises(SeriesChoiceError, match=r"2: Abdomen portal \(stack 1\).*2:2: .*\(stack 2\)"):
            read_scan(tmp_path)
        scan = read_scan(tmp_path, series="2:2")
        assert np.array_equal(array(scan), pixels[9:].clip(-1024))
        assert scan.image.GetOrigin()[2] == 3 + SPACING_MM * 4.5
        assert [warning.key for warning in scan.warnings] == ["scan.other-stack"]
        assert "which was not read: 2: Abdomen portal (stack 1)" in scan.warnings[0]

    def test_time_points_of_one_file(self, tmp_path):
        pixels = body(16)
        frames = [{"FrameContentSequence": {"TemporalPositionIndex": n % 2 + 1}} for n in range(16)]
        write_enhanced(tmp_path / "a.dcm", pixels, [n // 2 for n in range(16)], frames)
        found = list_series(tmp_path)
        assert [info.part for info in found] == ["time point 1", "time point 2"]
        assert np.array_equal(array(read_scan(tmp_path, series=found[1].uid)), pixels[1::2].clip(-1024))

    def test_a_localizer_among_the_frames(self, tmp_path):
        pixels = body(9)
        kinds = [{"CTImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "AXIAL"]}}] * 8
        kinds.append({"CTImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}})
        write_enhanced(tmp_path / "a.dcm", pixels, range(9), kinds)
        scan = read_scan(tmp_path)
        assert np.array_equal(array(scan), pixels[:8].clip(-1024)) and scan.warnings == ()

    def test_what_the_header_says_in_sequences(self, tmp_path):
        agent = one(CodeValue="C-B0322", CodingSchemeDesignator="SRT", CodeMeaning="Iohexol")
        frames = [{"CTXRayDetailsSequence": {"KVP": 100.0}}] * 8
        write_enhanced(tmp_path / "a.dcm", body(8), range(8), frames, ContrastBolusAgentSequence=agent)
        scan = read_scan(tmp_path)
        assert (scan.series.kvp, scan.series.contrast) == (100.0, "Iohexol")

    def test_fewer_frames_than_the_header_says(self, tmp_path):
        write_enhanced(tmp_path / "a.dcm", body(8), range(8))
        path = tmp_path / "a.dcm"
        path.write_bytes(path.read_bytes()[: -40 * 32 * 2 * 3])
        with pytest.raises(Exception, match="a.dcm is incomplete: it ends before its last pixel"):
            read_scan(tmp_path)

    def test_frames_in_several_files_read_each_file_once(self, tmp_path, monkeypatch):
        from LiverSegLib.images import stack

        pixels, uid, read = body(8), generate_uid(), []
        write_enhanced(tmp_path / "a.dcm", pixels[::2], range(0, 8, 2), uid=uid)
        write_enhanced(tmp_path / "b.dcm", pixels[1::2], range(1, 8, 2), uid=uid)
        once = stack.read_file
        monkeypatch.setattr(stack, "read_file", lambda slices: read.append(slices[0].path) or once(slices))
        assert np.array_equal(array(read_scan(tmp_path)), pixels.clip(-1024))
        assert len(read) == 2


class TestSeveralInOneSeries:
    def test_of_two_kernels_the_soft_one_is_read_and_the_other_named(self, tmp_path):
        uid = generate_uid()
        soft = write_series(tmp_path / "ct", uid=uid, ConvolutionKernel="B30f")
        write_series(tmp_path / "ct", uid=uid, prefix="t", ConvolutionKernel="B70f")
        scan = read_scan(tmp_path / "ct")
        assert np.array_equal(array(scan), soft.clip(-1024)) and scan.series.part == "kernel B30F"
        assert (
            "another stack of slices, which was not read: 2:2: Abdomen portal (kernel B70F)"
            in scan.warnings[0]
        )

    def test_overlapping_acquisitions_at_other_places(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", uid=uid, AcquisitionNumber=1)
        write_series(tmp_path / "ct", uid=uid, prefix="t", AcquisitionNumber=2, origin=(-150.0, -120.0, 82.5))
        with pytest.raises(SeriesChoiceError, match=r"\(acquisition 1\).*\(acquisition 2\)"):
            read_scan(tmp_path / "ct")
        assert read_scan(tmp_path / "ct", series="2:2").image.GetOrigin()[2] in (40.0, 82.5)

    def test_acquisitions_with_a_gap_between_are_one_series_that_lacks_slices(self, tmp_path):
        """As the rotations of a sequential scan are: no part of it is a scan of its own."""
        uid = generate_uid()
        write_series(tmp_path / "ct", count=6, uid=uid, AcquisitionNumber=1)
        write_series(
            tmp_path / "ct", count=6, uid=uid, prefix="t", AcquisitionNumber=2, origin=(-150.0, -120.0, 75.0)
        )
        with pytest.raises(ImageGeometryError, match="1 slice is missing in the series"):
            read_scan(tmp_path / "ct")

    def test_slices_at_one_place_that_nothing_tells_apart_are_refused(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", uid=uid)
        write_series(tmp_path / "ct", uid=uid, prefix="t", skip=range(1, 12))
        with pytest.raises(ImageGeometryError, match="holds 1 duplicate slices"):
            read_scan(tmp_path / "ct")

    def test_captures_and_scouts_beside_are_not_told(self, tmp_path):
        uid = generate_uid()
        write_series(tmp_path / "ct", uid=uid)
        scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        write_series(
            tmp_path / "ct", 4, uid=uid, prefix="t", orientation=CORONAL, step=(0, 5, 0), ImageType=scout
        )
        capture = "1.2.840.10008.5.1.4.1.1.7"
        write_series(tmp_path / "ct", 4, uid=uid, prefix="u", class_uid=capture, orientation=AXIAL)
        assert read_scan(tmp_path / "ct").warnings == ()
