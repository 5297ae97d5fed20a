"""DICOM Segmentations and label images as masks on a scan's grid: exactly, or with a sentence."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pydicom = pytest.importorskip("pydicom")
from segmentation_files import FRAME, LIVER, NEOPLASM, SERIES, SPLEEN, place_of, write_seg  # noqa: E402
from test_dicom import write_series  # noqa: E402

from LiverSegLib.errors import ImageGeometryError, InputError, UnreadableImageError, UsageError  # noqa: E402
from LiverSegLib.images import read_scan  # noqa: E402
from LiverSegLib.images.grid import Grid  # noqa: E402
from LiverSegLib.segmentations import read_mask, read_mask_alone  # noqa: E402

SEGMENTS = [(1, "Organ", LIVER, None), (2, "Organ 2", SPLEEN, None), (3, "Spot", NEOPLASM, LIVER)]
STUDY = {
    "StudyID": "1", "StudyDate": "20240131", "StudyTime": "120000", "AccessionNumber": "", "PatientSex": "",
    "PatientBirthDate": "", "ReferringPhysicianName": "",
}  # fmt: skip
"""What writers of Segmentations want to find in a series."""


def keys(given):
    return [warning.key for warning in given.warnings]


def voxels(given):
    return sitk.GetArrayFromImage(given.labels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("ct")
    write_series(made, uid=SERIES, FrameOfReferenceUID=FRAME, **STUDY)
    return made


@pytest.fixture(scope="module")
def scan(folder):
    return read_scan(folder)


@pytest.fixture(scope="module")
def truth():
    """Liver with a tumor in it, spleen; uint8 (12, 32, 40)."""
    labels = np.zeros((12, 32, 40), np.uint8)
    labels[2:9, 6:25, 5:22] = 1
    labels[3:7, 10:20, 28:36] = 2
    labels[4:6, 10:14, 8:13] = 3
    return labels


def frames_of(truth, overlapping=True):
    """Frames of each segment, without empty ones, those of the liver with the tumor in it."""
    masks = {1: np.isin(truth, (1, 3)) if overlapping else truth == 1, 2: truth == 2, 3: truth == 3}
    return [
        (n, place_of(z), plane) for n, mask in masks.items() for z, plane in enumerate(mask) if plane.any()
    ]


class TestSegmentation:
    def test_segments_by_code_that_overlap_without_empty_frames(self, tmp_path, scan, truth):
        given = read_mask(write_seg(tmp_path / "a.dcm", frames_of(truth)[::-1], SEGMENTS), scan)
        assert np.array_equal(voxels(given), truth)
        assert given.used == (("Organ", "liver"), ("Organ 2", "spleen"), ("Spot", "tumour"))
        assert given.warnings == () and Grid.of(given.labels).coincides(Grid.of(scan.image))

    def test_segments_by_name(self, tmp_path, scan, truth):
        names = [(1, "Leber", None, None), (2, "Milz", None, None), (3, "Läsion 1", None, None)]
        frames = frames_of(truth)
        more = [(4, "Niere Tumor", None, None), (5, "liver vessels", None, None)]
        path = write_seg(tmp_path / "a.dcm", frames, names + more)
        given = read_mask(path, scan)
        assert np.array_equal(voxels(given), truth)
        assert given.left_out == ("Niere Tumor", "liver vessels")

    def test_the_users_word_comes_first(self, tmp_path, scan, truth):
        names = [(1, "A", None, None), (2, "B", SPLEEN, None), (3, "C", None, None)]
        path = write_seg(tmp_path / "a.dcm", frames_of(truth), names)
        with pytest.raises(
            InputError, match=r"No segment of a.dcm is known as the liver.* It has: A, B, C\."
        ):
            read_mask(path, scan)
        given = read_mask(path, scan, segments={"a": "liver", "2": "none", "C": "tumor"})
        assert np.array_equal(voxels(given), np.where(truth == 2, 0, truth)) and given.left_out == ("B",)
        with pytest.raises(UsageError, match="no segment D; there are: A, B, C"):
            read_mask(path, scan, segments={"D": "liver"})
        with pytest.raises(UsageError, match="no structure kidney"):
            read_mask(path, scan, segments={"A": "kidney"})

    def test_a_tumor_of_another_organ_is_none_of_the_livers(self, tmp_path, scan, truth):
        kidney = ("SCT", "64033007")
        segments = [SEGMENTS[0], SEGMENTS[1], (3, "Spot", NEOPLASM, kidney)]
        given = read_mask(write_seg(tmp_path / "a.dcm", frames_of(truth), segments), scan)
        assert given.left_out == ("Spot",) and not (voxels(given) == 3).any()

    def test_fractional_takes_half_and_more(self, tmp_path, scan, truth):
        shares = np.where(truth == 1, 50, np.where(truth == 3, 49, 0))
        frames = [(1, place_of(z), plane) for z, plane in enumerate(shares)]
        given = read_mask(write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:1], kind="FRACTIONAL"), scan)
        assert np.array_equal(voxels(given), truth == 1) and keys(given) == ["segmentation.fractional"]

    def test_label_map(self, tmp_path, scan, truth):
        frames = [(None, place_of(z), plane) for z, plane in enumerate(truth)]
        given = read_mask(write_seg(tmp_path / "a.dcm", frames, SEGMENTS, kind="LABELMAP"), scan)
        assert np.array_equal(voxels(given), truth)

    def test_a_part_of_the_scan_in_another_order_of_pixels(self, tmp_path, scan, truth):
        """The frames are a crop, mirrored in both directions, as for a scan turned by 180 degrees."""
        liver = np.isin(truth, (1, 3))
        part = liver[:, 4:28, 3:30][:, ::-1, ::-1]
        frames = [(1, place_of(z, 27, 29), plane) for z, plane in enumerate(part) if plane.any()]
        orientation = (-1, 0, 0, 0, -1, 0)
        path = write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:1], orientation=orientation)
        assert np.array_equal(voxels(read_mask(path, scan)), liver)

    def test_coronal_frames_lie_on_the_scans_voxels_too(self, tmp_path, scan, truth):
        liver = np.isin(truth, (1, 3))
        frames = [(1, place_of(11, row), liver[::-1, row]) for row in range(32) if liver[:, row].any()]
        change = {"orientation": (1, 0, 0, 0, 0, -1), "spacing": [5.0, 0.8]}
        path = write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:1], **change)
        given = read_mask(path, scan)
        assert np.array_equal(voxels(given), liver) and given.warnings == ()

    def test_other_voxels_are_resampled_with_a_warning(self, tmp_path, scan, truth):
        fine = np.repeat(np.repeat(np.isin(truth, (1, 3)), 2, axis=1), 2, axis=2)
        frames = [(1, np.array(place_of(z)) - (0.2, 0.225, 0), plane) for z, plane in enumerate(fine)]
        path = write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:1], spacing=[0.45, 0.4])
        given = read_mask(path, scan)
        assert keys(given) == ["segmentation.resampled"]
        assert np.array_equal(voxels(given), np.isin(truth, (1, 3)))

    def test_irregular_planes_that_are_not_the_scans_are_refused(self, tmp_path, scan, truth):
        frames = [(1, (-150, -120, 41 + z * z), truth[3] == 1) for z in range(1, 5)]
        with pytest.raises(InputError, match="do not lie at regular distances"):
            read_mask(write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:1]), scan)

    def test_what_lies_outside_the_scan_is_left_out_with_a_warning(self, tmp_path, scan, truth):
        frames = [(1, place_of(z), truth[3] == 1) for z in range(8, 16)]
        given = read_mask(write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:1]), scan)
        assert keys(given) == ["segmentation.outside"] and "50 % of a.dcm" in given.warnings[0]
        away = [(1, place_of(z), truth[3] == 1) for z in range(30, 34)]
        with pytest.raises(InputError, match="does not lie within the scan"):
            read_mask(write_seg(tmp_path / "b.dcm", away, SEGMENTS[:1]), scan)

    def test_liver_and_spleen_that_overlap(self, tmp_path, scan, truth):
        liver = np.isin(truth, (1, 3))
        frames = [(n, place_of(z), plane) for n in (1, 2) for z, plane in enumerate(liver)]
        given = read_mask(write_seg(tmp_path / "a.dcm", frames, SEGMENTS[:2]), scan)
        assert keys(given) == ["segmentation.overlap"] and not (voxels(given) == 2).any()

    @pytest.mark.parametrize(
        ("series", "frame", "expected"),
        [(SERIES, "1.2.9", []), ("1.2.8", FRAME, ["segmentation.other-series"]), (None, FRAME, [])],
    )
    def test_whose_it_is(self, tmp_path, scan, truth, series, frame, expected):
        path = write_seg(tmp_path / "a.dcm", frames_of(truth), SEGMENTS, series=series, frame=frame)
        assert keys(read_mask(path, scan)) == expected

    def test_another_scans_is_refused(self, tmp_path, scan, truth):
        path = write_seg(tmp_path / "a.dcm", frames_of(truth), SEGMENTS, series="1.2.8", frame="1.2.9")
        with pytest.raises(InputError, match="a.dcm belongs to another scan than .*: its frame of reference"):
            read_mask(path, scan)

    def test_beside_a_scan_that_is_no_dicom_it_cannot_be_checked(self, tmp_path, scan, truth):
        path = write_seg(tmp_path / "a.dcm", frames_of(truth), SEGMENTS)
        given = read_mask(path, replace(scan, series=None))
        assert keys(given) == ["segmentation.cannot-check"] and np.array_equal(voxels(given), truth)

    def test_damaged_files(self, tmp_path, scan, truth, folder):
        path = write_seg(tmp_path / "a.dcm", frames_of(truth), SEGMENTS)
        whole = path.read_bytes()
        for name, content in (("short", whole[:-300]), ("head", whole[:900]), ("start", whole[:200])):
            (tmp_path / f"{name}.dcm").write_bytes(content)
            with pytest.raises(InputError, match=f"{name}.dcm"):
                read_mask(tmp_path / f"{name}.dcm", scan)
        (tmp_path / "empty.dcm").write_bytes(b"")
        with pytest.raises(UnreadableImageError, match="empty.dcm cannot be read as an image or a DICOM"):
            read_mask(tmp_path / "empty.dcm", scan)
        with pytest.raises(UnreadableImageError, match="of modality CT, neither a Segmentation nor"):
            read_mask(next(folder.iterdir()), scan)
        with pytest.raises(UnreadableImageError, match="exactly one DICOM file"):
            read_mask(folder, scan)
        (tmp_path / "own").mkdir()
        shutil.copy(path, tmp_path / "own")
        assert np.array_equal(voxels(read_mask(tmp_path / "own", scan)), truth)

    def test_without_a_scan_it_has_the_grid_of_its_frames(self, tmp_path, truth):
        frames = [frame for frame in frames_of(truth) if frame[1] != place_of(5)]
        given = read_mask_alone(write_seg(tmp_path / "a.dcm", frames, SEGMENTS))
        expected = truth.copy()
        expected[5] = 0
        assert np.array_equal(voxels(given), expected[2:9])
        assert given.labels.GetOrigin() == pytest.approx(place_of(2))

    def test_what_highdicom_writes(self, tmp_path, scan, truth, folder):
        hd = pytest.importorskip("highdicom")
        from highdicom.sr.coding import CodedConcept

        sources = sorted(
            (pydicom.dcmread(p) for p in folder.iterdir()), key=lambda d: d.ImagePositionPatient[2]
        )
        anatomy = CodedConcept("123037004", "SCT", "Anatomical Structure")
        described = [
            hd.seg.SegmentDescription(
                number,
                label,
                anatomy,
                CodedConcept(value, scheme, label),
                hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            )
            for number, label, (scheme, value), _ in SEGMENTS
        ]
        pixels = np.stack([np.isin(truth, (1, 3)), truth == 2, truth == 3], axis=-1)
        for kind in ("BINARY", "FRACTIONAL"):
            seg = hd.seg.Segmentation(
                sources, pixels.astype(np.uint8 if kind == "BINARY" else np.float32), kind, described,
                hd.UID(), 9, hd.UID(), 1, "a", "b", "1", "2",
            )  # fmt: skip
            seg.save_as(tmp_path / f"{kind}.dcm")
            assert np.array_equal(voxels(read_mask(tmp_path / f"{kind}.dcm", scan)), truth)

    def test_what_dcmqi_writes(self, tmp_path, scan, truth, folder):
        program = Path(sys.executable).parent / "itkimage2segimage"
        if not program.exists():
            pytest.skip("dcmqi is not installed: pip install dcmqi")

        def coded(scheme, value, meaning):
            return {"CodingSchemeDesignator": scheme, "CodeValue": value, "CodeMeaning": meaning}

        meta = {
            "ContentCreatorName": "x", "SeriesDescription": "x", "SeriesNumber": "9", "InstanceNumber": "1",
            "segmentAttributes": [[
                {
                    "labelID": number, "SegmentDescription": label, "SegmentAlgorithmType": "MANUAL",
                    "SegmentedPropertyCategoryCodeSequence": coded("SCT", "123037004", "Structure"),
                    "SegmentedPropertyTypeCodeSequence": coded(*type_code, label),
                }
                for number, label, type_code, _ in SEGMENTS
            ]],
        }  # fmt: skip
        (tmp_path / "meta.json").write_text(json.dumps(meta))
        image = Grid.of(scan.image).image(truth)
        sitk.WriteImage(image, str(tmp_path / "labels.nrrd"))
        subprocess.run(
            [program, "--inputImageList", tmp_path / "labels.nrrd", "--inputDICOMDirectory", folder,
             "--inputMetadata", tmp_path / "meta.json", "--outputDICOM", tmp_path / "a.dcm"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        given = read_mask(tmp_path / "a.dcm", scan)
        assert np.array_equal(voxels(given), truth) and keys(given) == ["segmentation.liver-without-tumors"]


class TestLabelImage:
    def test_our_own_values(self, tmp_path, scan, truth):
        sitk.WriteImage(Grid.of(scan.image).image(truth), str(tmp_path / "a.nii.gz"))
        given = read_mask(tmp_path / "a.nii.gz", scan)
        assert np.array_equal(voxels(given), truth) and not given.is_named

    def test_other_values_as_told(self, tmp_path, scan, truth):
        path = tmp_path / "a.nrrd"
        other = np.choose(truth, (0, 5, 1, 7)).astype(np.uint16)
        sitk.WriteImage(Grid.of(scan.image).image(other), str(path))
        with pytest.raises(InputError, match="values that are no labels: 5, 7"):
            read_mask(path, scan)
        given = read_mask(path, scan, segments={"5": "liver", "7": "tumor", "1": "spleen"})
        assert np.array_equal(voxels(given), truth)
        given = read_mask(path, scan, segments={"5": "liver"})  # and 1, which is none of ours here, nothing
        assert np.array_equal(voxels(given), truth == 1) and given.left_out == ("1", "7")

    @pytest.mark.parametrize("layers", [1, 2])
    def test_a_segmentation_of_3d_slicer_names_its_segments(self, tmp_path, scan, truth, layers):
        """Its tumor overlaps the liver in a second layer."""
        grid = Grid.of(scan.image)
        if layers == 1:
            image = grid.image(np.choose(truth, (0, 4, 2, 1)).astype(np.uint8))
        else:
            first = np.choose(truth, (0, 4, 2, 4)).astype(np.uint8)
            image = sitk.Compose(grid.image(first), grid.image((truth == 3).astype(np.uint8)))
        entry = (
            "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure"
            "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
        )
        header = {
            "Segment0_Name": "Segment_1", "Segment0_LabelValue": "4", "Segment0_Layer": "0",
            "Segment0_Tags": f"TerminologyEntry:{entry}|Segmentation.Status:inprogress|",
            "Segment1_Name": "Spleen", "Segment1_LabelValue": "2", "Segment1_Layer": "0",
            "Segment2_Name": "Tumor", "Segment2_LabelValue": "1", "Segment2_Layer": str(layers - 1),
        }  # fmt: skip
        for key, value in header.items():
            image.SetMetaData(key, value)
        sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
        assert np.array_equal(voxels(read_mask(tmp_path / "a.seg.nrrd", scan)), truth)

    def test_a_crop_is_put_where_it_lies(self, tmp_path, scan, truth):
        image = Grid.of(scan.image).image(truth)[4:38, 3:30, 1:10]
        sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
        assert np.array_equal(voxels(read_mask(tmp_path / "a.nrrd", scan)), truth)

    def test_another_grid_is_refused(self, tmp_path, scan, truth):
        image = Grid.of(scan.image).image(truth)
        image.SetSpacing((1.0, 1.0, 5.0))
        sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
        with pytest.raises(ImageGeometryError, match="do not lie in the same place"):
            read_mask(tmp_path / "a.nrrd", scan)

    def test_no_segmentations(self, tmp_path, scan):
        sitk.WriteImage(scan.image, str(tmp_path / "ct.nrrd"))
        with pytest.raises(InputError, match="no segmentation|no labels"):
            read_mask(tmp_path / "ct.nrrd", scan)
        (tmp_path / "a.nrrd").write_text("no image")
        with pytest.raises(UnreadableImageError, match="a.nrrd cannot be read as an image"):
            read_mask(tmp_path / "a.nrrd", scan)
