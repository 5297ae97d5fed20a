"""Results as DICOM objects: voxels, geometry, references, tracking, who accepted. Series are made here."""

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import dicom_series
import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from dicom_programs import errors_of_dciodvfy, said_by_dciodvfy, segments_by_dcmqi

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom", reason="pip install highdicom")

import LiverSegLib  # noqa: E402
from LiverSegLib import networks  # noqa: E402
from LiverSegLib.api import assess_steatosis  # noqa: E402
from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.dicom import (  # noqa: E402
    MEASUREMENTS_DCM,
    SEGMENTATION_DCM,
    write_dicom,
    write_report,
    write_segmentation,
    writing,  # noqa: E402
)
from LiverSegLib.dicom.color import cielab  # noqa: E402
from LiverSegLib.dicom.equipment import person_name  # noqa: E402
from LiverSegLib.dicom.source import in_source_order, read_source  # noqa: E402
from LiverSegLib.errors import ImageGeometryError, InputError, LiverSegError, UnreadableImageError  # noqa: E402
from LiverSegLib.images.grid import Grid  # noqa: E402
from LiverSegLib.images.scan import DicomFiles  # noqa: E402
from LiverSegLib.outputs import write_results  # noqa: E402
from LiverSegLib.review import Review, SegmentChange  # noqa: E402
from LiverSegLib.sentences import key_of  # noqa: E402
from LiverSegLib.steatosis.assessment import Acceptance  # noqa: E402

ACCEPTED = Review("accepted", "Dr. Änne Weber", "2026-11-29T17:40:05+01:00")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """An axial series, its accepted result, and both objects written."""
    folder = tmp_path_factory.mktemp("case")
    result = dicom_series.result_of(folder / "ct", dicom_series.write_series(folder / "ct"), review=ACCEPTED)
    assessment = dataclasses.replace(
        assess_steatosis(result),
        accepted=Acceptance("Dr. Änne Weber", "2026-11-29T17:39:00+01:00", "automatic"),
    )
    (folder / "out").mkdir()
    write_dicom(result, folder / "out", steatosis=assessment)
    return SimpleNamespace(
        folder=folder,
        result=result,
        assessment=assessment,
        segmentation=pydicom.dcmread(folder / "out" / SEGMENTATION_DCM),
        report=pydicom.dcmread(folder / "out" / MEASUREMENTS_DCM),
    )


def frames_of(segmentation, number):
    """The frames of a segment: (position, bool (rows, columns), source instance or None) each."""
    pixels = segmentation.pixel_array
    found = []
    for index, group in enumerate(segmentation.PerFrameFunctionalGroupsSequence):
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
            source = group.DerivationImageSequence[0].SourceImageSequence[0]
            position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
            found.append((position, pixels[index] > 0, source))
    return found


def wanted_mask(labels, number):
    """The mask of each segment, by its number, of the labels of ``dicom_series``."""
    large = np.zeros_like(labels, bool)
    large[6:9, 9:14, 10:16] = True
    return [(labels == 1) | (labels == 3), labels == 2, (labels == 3) & large, (labels == 3) & ~large][
        number - 1
    ]


class TestSegmentation:
    def test_segments_are_liver_with_tumors_spleen_and_each_lesion(self, case):
        found = [
            (int(item.SegmentNumber), item.SegmentLabel, item.SegmentedPropertyTypeCodeSequence[0].CodeValue)
            for item in case.segmentation.SegmentSequence
        ]
        assert found == [
            (1, "Liver", "10200004"),
            (2, "Spleen", "78961009"),
            (3, "Lesion 1", "108369006"),
            (4, "Lesion 2", "108369006"),
        ]
        assert case.segmentation.SegmentsOverlap == "YES"
        liver = sum(mask.sum() for _, mask, _ in frames_of(case.segmentation, 1))
        ml = case.result.measurements.organ("liver").volume_ml
        assert liver * Grid.of(case.result.labels).voxel_ml == pytest.approx(ml)

    @pytest.mark.parametrize(
        ("way", "state", "kind", "name"),
        [
            ("manual", "given", "MANUAL", None),
            ("automatic", "given", "AUTOMATIC", "Not LiverSeg; made by a program"),
            ("", "given", "SEMIAUTOMATIC", "Not LiverSeg; made in an unknown way"),
            ("manual", "edited", "SEMIAUTOMATIC", "Not LiverSeg; corrected with LiverSeg"),
        ],
    )
    def test_a_segmentation_that_was_given_is_not_a_model_s(self, case, tmp_path, way, state, kind, name):
        labels = {"name": "Hers", "made": way, "kind": "a kind", "segments": {}, "left_out": []}
        provenance = {"labels": labels, "input": case.result.provenance.get("input")}
        result = dataclasses.replace(case.result, provenance=provenance, review=Review(state))
        write_dicom(result, tmp_path)
        segmentation = pydicom.dcmread(tmp_path / SEGMENTATION_DCM)
        for item in segmentation.SegmentSequence:
            assert (item.SegmentAlgorithmType, item.get("SegmentAlgorithmName")) == (kind, name)
            assert "SegmentationAlgorithmIdentificationSequence" not in item
        words = "given, not reviewed" if state == "given" else "edited, not accepted"
        assert words in segmentation.SeriesDescription and words in segmentation.ContentDescription
        names = {item.TextValue for item in items(pydicom.dcmread(tmp_path / MEASUREMENTS_DCM), "111001")}
        assert len(names) == 1 and names.pop().startswith("Not LiverSeg; made ")

    @pytest.mark.parametrize("layout", dicom_series.LAYOUTS)
    def test_each_frame_lies_on_its_source_slice_and_has_its_voxels(self, tmp_path, layout):
        labels = dicom_series.write_series(tmp_path / "ct", layout)
        result = dicom_series.result_of(tmp_path / "ct", labels)
        made = write_segmentation(result, tmp_path / "seg.dcm")
        headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "ct").iterdir()]
        by_uid = {header.SOPInstanceUID: header for header in headers}
        step = np.array(dicom_series.LAYOUTS[layout][2], float)
        orientation = made.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        for number in (1, 2, 3, 4):
            wanted = wanted_mask(labels, number)
            frames = frames_of(made, number)
            assert len(frames) == wanted.any(axis=(1, 2)).sum()
            for position, mask, source in frames:
                header = by_uid[source.ReferencedSOPInstanceUID]
                assert list(position) == list(header.ImagePositionPatient)
                assert list(orientation.ImageOrientationPatient) == list(header.ImageOrientationPatient)
                index = int(np.rint((position - dicom_series.ORIGIN) @ step / (step @ step)))
                assert np.array_equal(mask, wanted[index])

    @pytest.mark.parametrize("layout", [name for name in dicom_series.LAYOUTS if "tilted" not in name])
    def test_dcmqi_reads_the_very_voxels(self, tmp_path, layout):
        """Not for a tilted gantry, whose axes are not perpendicular: dcmqi's images cannot have such."""
        labels = dicom_series.write_series(tmp_path / "ct", layout)
        result = dicom_series.result_of(tmp_path / "ct", labels)
        write_segmentation(result, tmp_path / "seg.dcm")
        assert_dcmqi_reads(result, tmp_path)

    def test_a_multi_frame_source(self, tmp_path):
        result = dicom_series.result_of(tmp_path / "ct", dicom_series.write_multi_frame(tmp_path / "ct"))
        made = write_segmentation(result, tmp_path / "seg.dcm")
        source = pydicom.dcmread(tmp_path / "ct" / "enhanced.dcm", stop_before_pixels=True)
        for position, _, reference in frames_of(made, 1):
            frame = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
            assert list(frame.PlanePositionSequence[0].ImagePositionPatient) == list(position)
        assert_dcmqi_reads(result, tmp_path)
        assert errors_of_dciodvfy(tmp_path / "seg.dcm") == []

    def test_of_a_multi_frame_source_with_two_phases_the_frames_of_the_one_are_named(self, tmp_path):
        labels = dicom_series.write_multi_frame(tmp_path / "one")
        dicom_series.write_multi_frame(tmp_path / "both", phases=2)
        result = dicom_series.result_of(tmp_path / "one", labels)
        assert result.source is not None
        source = DicomFiles(
            (str(tmp_path / "both" / "enhanced.dcm"),), tuple(2 * frame + 1 for frame in result.source.frames)
        )
        made = write_segmentation(dataclasses.replace(result, source=source), tmp_path / "seg.dcm")
        numbers = [int(reference.ReferencedFrameNumber) for _, _, reference in frames_of(made, 1)]
        assert numbers and all(number % 2 == 0 for number in numbers)  # from 1: the second of each pair
        assert_dcmqi_reads(result, tmp_path)

    def test_every_source_instance_is_referred_to(self, case):
        series = case.segmentation.ReferencedSeriesSequence
        assert len(series) == 1
        named = {item.ReferencedSOPInstanceUID for item in series[0].ReferencedInstanceSequence}
        files = [pydicom.dcmread(path) for path in (case.folder / "ct").iterdir()]
        assert named == {file.SOPInstanceUID for file in files}
        assert series[0].SeriesInstanceUID == files[0].SeriesInstanceUID

    def test_patient_and_study_are_the_source_series_own(self, case):
        source = pydicom.dcmread(next((case.folder / "ct").iterdir()), stop_before_pixels=True)
        for made in (case.segmentation, case.report):
            for name in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex",
                         "AccessionNumber", "StudyID", "StudyDate", "StudyTime"):  # fmt: skip
                assert made[name].value == source[name].value, name
            assert made.SeriesInstanceUID != source.SeriesInstanceUID
            assert int(made.SeriesNumber) > 99_999
        assert case.segmentation.FrameOfReferenceUID == source.FrameOfReferenceUID
        assert case.segmentation.SeriesNumber != case.report.SeriesNumber

    def test_what_drew_it_stands_in_each_segment(self, case):
        for segment in case.segmentation.SegmentSequence:
            algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
            assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("LiverSeg, model fake", "1.2")
            assert "sha256=ab" in algorithm.AlgorithmParameters
            assert segment.SegmentAlgorithmType == "AUTOMATIC"
        assert case.segmentation.SoftwareVersions

    def test_the_second_model_is_named_beside_the_lesions(self, case, tmp_path):
        second = {**case.result.provenance, "tumour_model": {"name": "hunter", "version": ""}}
        made = write_segmentation(dataclasses.replace(case.result, provenance=second), tmp_path / "seg.dcm")
        names = [
            (item.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName,
             item.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion)
            for item in made.SegmentSequence
        ]  # fmt: skip
        assert names == [("LiverSeg, model fake", "1.2")] * 2 + [("LiverSeg, model hunter", "unknown")] * 2

    @pytest.mark.parametrize(
        ("review", "content", "creator", "types"),
        [
            (None, "automatic, not reviewed", "LiverSeg", "AAAA"),
            (Review(), "automatic, not reviewed", "LiverSeg", "AAAA"),
            (Review("edited"), "edited, not accepted", "LiverSeg", "CCCC"),
            (
                Review("edited", changes=(SegmentChange("spleen"),)),
                "edited, not accepted",
                "LiverSeg",
                "ACAA",
            ),
            (
                Review("edited", changes=(SegmentChange("tumour"),)),
                "edited, not accepted",
                "LiverSeg",
                "CACC",
            ),
            (ACCEPTED, "accepted", "Dr. Änne Weber", "AAAA"),
            (
                dataclasses.replace(ACCEPTED, changes=(SegmentChange("liver"),)),
                "accepted",
                "Dr. Änne Weber",
                "CAAA",
            ),
        ],
    )
    def test_who_had_the_last_word(self, case, tmp_path, review, content, creator, types):
        write_segmentation(dataclasses.replace(case.result, review=review), tmp_path / "seg.dcm")
        made = pydicom.dcmread(tmp_path / "seg.dcm")
        assert made.ContentDescription == f"Liver, spleen, 2 lesions; {content}"
        assert str(made.ContentCreatorName) == creator
        letters = {"AUTOMATIC": "A", "SEMIAUTOMATIC": "C"}
        assert "".join(letters[item.SegmentAlgorithmType] for item in made.SegmentSequence) == types
        assert made.SeriesDescription == f"LiverSeg segmentation, {content.replace(', not reviewed', '')}"

    def test_what_is_absent_has_no_segment(self, tmp_path):
        labels = np.where(dicom_series.write_series(tmp_path / "ct") == 1, 1, 0).astype(np.uint8)
        result = dicom_series.result_of(tmp_path / "ct", labels)
        made = write_segmentation(result, tmp_path / "seg.dcm")
        assert [item.SegmentLabel for item in made.SegmentSequence] == ["Liver"]
        assert made.ContentDescription == "Liver; automatic, not reviewed"

    def test_hundreds_of_lesions(self, tmp_path):
        labels = np.where(dicom_series.write_series(tmp_path / "ct") > 0, 1, 0).astype(np.uint8)
        places = np.argwhere(labels == 1)
        for z, y, x in places[(places % 2 == 0).all(axis=1)]:
            labels[z, y, x] = 3
        result = dicom_series.result_of(tmp_path / "ct", labels)
        count = len(result.measurements.lesions)
        assert count > 255
        made = write_segmentation(result, tmp_path / "seg.dcm")
        assert len(made.SegmentSequence) == count + 1
        assert len(frames_of(made, count + 1)) == 1


def assert_dcmqi_reads(result, folder):
    """dcmqi makes of seg.dcm, segment by segment, the masks of the result's labels, in the same places."""
    grid, labels = Grid.of(result.labels), sitk.GetArrayFromImage(result.labels)
    total = np.zeros_like(labels)
    for number, path in enumerate(segments_by_dcmqi(folder / "seg.dcm", folder / "dcmqi"), start=1):
        image = sitk.ReadImage(str(path))
        z, y, x = np.nonzero(sitk.GetArrayViewFromImage(image))
        indices = grid.indices(Grid.of(image).points(np.stack([x, y, z], axis=1)))
        nearest = np.rint(indices).astype(int)
        assert np.abs(indices - nearest).max() < 0.01
        at = tuple(nearest[:, ::-1].T)
        if number <= 2:
            wanted = np.isin(labels, (1, 3)) if number == 1 else labels == 2
            mask = np.zeros_like(wanted)
            mask[at] = True
            assert np.array_equal(mask, wanted)
        else:
            total[at] += 1
    assert np.array_equal(total == 1, labels == 3) and total.max() <= 1


class TestAgain:
    def test_the_same_result_is_tracked_by_the_same_uids_in_new_instances(self, case, tmp_path):
        again = write_segmentation(case.result, tmp_path / "seg.dcm")
        first = case.segmentation
        assert tracked(again) == tracked(first) and len(set(tracked(first))) == 4
        for name in ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
            assert again[name].value != first[name].value, name
        assert all(len(uid) <= 64 and pydicom.uid.UID(uid).is_valid for _, uid in tracked(first))

    def test_a_lesion_that_stays_keeps_its_uid_when_another_goes_and_numbers_change(self, tmp_path):
        labels = dicom_series.write_series(tmp_path / "ct")
        both = tracked(
            write_segmentation(dicom_series.result_of(tmp_path / "ct", labels), tmp_path / "a.dcm")
        )
        labels[6:9, 9:14, 10:16] = 1
        one = tracked(write_segmentation(dicom_series.result_of(tmp_path / "ct", labels), tmp_path / "b.dcm"))
        assert [name for name, _ in one] == ["Liver", "Spleen", "Lesion 1"]
        assert one[2][1] == both[3][1]  # it was lesion 2

    def test_an_edited_lesion_is_another_region(self, tmp_path):
        labels = dicom_series.write_series(tmp_path / "ct")
        before = tracked(
            write_segmentation(dicom_series.result_of(tmp_path / "ct", labels), tmp_path / "a.dcm")
        )
        labels[9, 10, 12] = 3
        after = tracked(
            write_segmentation(dicom_series.result_of(tmp_path / "ct", labels), tmp_path / "b.dcm")
        )
        assert before[2][1] != after[2][1] and before[3] == after[3]


def tracked(segmentation):
    return [(item.TrackingID, item.TrackingUID) for item in segmentation.SegmentSequence]


def groups_of(report):
    """The measurement groups of an SR: tracking identifier -> its groups' content items."""
    found = {}
    for container in items(report, "125007"):
        name = next(i.TextValue for i in container.ContentSequence if code(i) == "112039")
        found.setdefault(name, []).append(list(container.ContentSequence))
    return found


def code(item):
    return item.ConceptNameCodeSequence[0].CodeValue


def items(item, value):
    """All content items below one whose name has this code."""
    found = []
    for child in item.get("ContentSequence", ()):
        found += ([child] if code(child) == value else []) + items(child, value)
    return found


def numbers_of(group):
    """(name's code, derivation's code or None) -> value and unit of the measurements of a group."""
    found = {}
    for item in group:
        if item.ValueType == "NUM":
            derivation = [i.ConceptCodeSequence[0].CodeValue for i in item.get("ContentSequence", ())
                          if code(i) == "121401"]  # fmt: skip
            measured = item.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            found[code(item), derivation[0] if derivation else None] = (float(measured.NumericValue), unit)
    return found


def comments(group):
    return [item.TextValue for item in group if code(item) == "121106"]


class TestReport:
    def test_it_is_a_tid_1500_report_with_a_group_of_each_thing(self, case):
        assert case.report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
        assert case.report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        groups = groups_of(case.report)
        rois = [f"ROI {roi.name} of the {roi.organ}" for roi, _ in case.assessment.rois]
        assert len(rois) >= 2
        assert list(groups) == ["Result", "Liver", "Spleen", "Lesion 1", "Lesion 2", "Fatty liver", *rois]
        assert [len(groups[name]) for name in ("Liver", "Lesion 1")] == [1, 2]

    def test_volumes_and_attenuation_are_the_measurements(self, case):
        groups, measurements = groups_of(case.report), case.result.measurements
        for key, name, hu in (("liver", "Liver", "PARENCHYMA-HU"), ("spleen", "Spleen", "112031")):
            organ = measurements.organ(key)
            numbers = numbers_of(groups[name][0])
            assert numbers["118565006", None] == (pytest.approx(organ.volume_ml), "cm3")
            assert numbers[hu, "373098007"] == (pytest.approx(organ.mean_hu), "[hnsf'U]")
            assert numbers[hu, "386136009"] == (pytest.approx(organ.sd_hu), "[hnsf'U]")
        burden = numbers_of(groups["Result"][0])["TUMOR-BURDEN", None]
        assert burden == (pytest.approx(measurements.tumour_burden_percent), "%")

    def test_lesions_have_diameters_with_their_ends_in_the_frame_of_reference(self, case):
        groups = groups_of(case.report)
        for lesion in case.result.measurements.lesions:
            region, lines = groups[f"Lesion {lesion.number}"]
            assert numbers_of(region)["118565006", None][0] == pytest.approx(lesion.volume_ml)
            assert numbers_of(region)["112031", "373098007"][0] == pytest.approx(lesion.mean_hu)
            numbers = numbers_of(lines)
            assert numbers["103339001", None] == (pytest.approx(lesion.longest_diameter_mm), "mm")
            assert numbers["103340004", None] == (pytest.approx(lesion.perpendicular_mm), "mm")
            drawn = [i.ContentSequence[0] for i in lines if i.ValueType == "NUM"]
            for item, ends in zip(drawn, (lesion.longest_ends, lesion.perpendicular_ends)):
                assert (item.ValueType, item.GraphicType) == ("SCOORD3D", "POLYLINE")
                assert item.ReferencedFrameOfReferenceUID == case.segmentation.FrameOfReferenceUID
                assert np.reshape(item.GraphicData, (2, 3)) == pytest.approx(np.array(ends), abs=1e-3)
                length = np.linalg.norm(np.diff(np.reshape(item.GraphicData, (2, 3)), axis=0))
                assert length == pytest.approx(numbers[code(lines_item(lines, item)), None][0], abs=1e-3)

    def test_groups_refer_to_the_segments_and_are_tracked_by_the_same_uids(self, case):
        groups = groups_of(case.report)
        for number, (name, uid) in enumerate(tracked(case.segmentation), start=1):
            for group in groups[name]:
                assert [item.UID for item in group if code(item) == "112040"] == [uid]
            reference = next(item for item in groups[name][0] if code(item) == "121191")
            instance = reference.ReferencedSOPSequence[0]
            assert instance.ReferencedSOPInstanceUID == case.segmentation.SOPInstanceUID
            assert instance.ReferencedSegmentNumber == number
        evidence = [
            item.ReferencedSOPInstanceUID
            for sequence in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
            for study in case.report.get(sequence, ())
            for series in study.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence
        ]
        files = {pydicom.dcmread(path).SOPInstanceUID for path in (case.folder / "ct").iterdir()}
        assert set(evidence) == files | {case.segmentation.SOPInstanceUID}

    def test_who_accepted_and_that_liverseg_measured(self, case):
        people = [item.PersonName for item in items(case.report, "121008")]
        assert [str(name) for name in people] == ["Dr. Änne Weber"]
        assert [item.TextValue for item in items(case.report, "121013")] == ["LiverSeg"]
        result = groups_of(case.report)["Result"][0]
        state = next(item for item in result if code(item) == "REVIEW")
        assert state.ConceptCodeSequence[0].CodeValue == "ACCEPTED"
        assert comments(result)[0] == "Accepted by Dr. Änne Weber on 2026-11-29 at 17:40 (UTC+01:00)"
        assert (case.report.CompletionFlag, case.report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
        assert case.report.PreliminaryFlag == "FINAL"

    def test_an_automatic_result_names_no_person_and_is_preliminary(self, case, tmp_path):
        automatic = dataclasses.replace(case.result, review=Review())
        made = write_report(automatic, tmp_path / "sr.dcm", case.segmentation)
        assert items(made, "121008") == []
        assert made.PreliminaryFlag == "PRELIMINARY"
        assert comments(groups_of(made)["Result"][0])[0] == "Automatic result, not reviewed"
        assert "Fatty liver" not in groups_of(made)

    def test_rois_are_boxes_with_their_attenuation(self, case):
        groups = groups_of(case.report)
        for roi, values in case.assessment.rois:
            group = groups[f"ROI {roi.name} of the {roi.organ}"][0]
            assert numbers_of(group)["112031", "373098007"][0] == pytest.approx(values.mean_hu)
            faces = [np.reshape(i.GraphicData, (5, 3)) for i in group if i.ValueType == "SCOORD3D"]
            assert len(faces) == 2
            corners = np.concatenate(faces)
            assert corners.min(0) == pytest.approx(np.array(roi.centre) - np.array(roi.size) / 2, abs=1e-3)
            assert corners.max(0) == pytest.approx(np.array(roi.centre) + np.array(roi.size) / 2, abs=1e-3)
            for face in faces:
                assert np.array_equal(face[0], face[-1]) and len(set(face[:, 2])) == 1

    def test_ratio_grade_and_what_the_grade_rests_on(self, case):
        assessment, group = case.assessment, groups_of(case.report)["Fatty liver"][0]
        numbers = numbers_of(group)
        assert numbers["LS-RATIO", None] == (pytest.approx(assessment.ratio), "{ratio}")
        assert numbers["LS-DIFFERENCE", None] == (pytest.approx(assessment.difference), "[hnsf'U]")
        grade = next(item for item in group if code(item) == "197321007").ConceptCodeSequence[0]
        assert (assessment.grade, grade.CodeMeaning) == ("normal", "Normal")
        assert any("normal above 1, moderate below 0.7" in text for text in comments(group))
        assert any("accepted by Dr. Änne Weber at 2026-11-29T17:39" in text for text in comments(group))

    def test_without_a_grade_the_reasons_are_there(self, case, tmp_path):
        reasons = assess_steatosis(case.result, phase="portal")
        assert reasons.grade is None and reasons.reasons_not_to_grade
        made = write_report(case.result, tmp_path / "sr.dcm", case.segmentation, steatosis=reasons)
        group = groups_of(made)["Fatty liver"][0]
        grade = next(item for item in group if code(item) == "197321007").ConceptCodeSequence[0]
        assert grade.CodeMeaning == "Undetermined"
        assert set(reasons.reasons_not_to_grade) <= set(comments(group))
        assert any("not accepted" in text for text in comments(group))

    def test_of_an_mr_there_is_no_attenuation(self, case, tmp_path):
        facts = dataclasses.replace(case.result.facts, modality="MR")
        measurements = dataclasses.replace(
            case.result.measurements,
            organs=tuple(
                dataclasses.replace(o, mean_hu=None, sd_hu=None) for o in case.result.measurements.organs
            ),
        )
        made = write_report(
            dataclasses.replace(case.result, facts=facts, measurements=measurements),
            tmp_path / "sr.dcm",
            case.segmentation,
        )
        assert list(numbers_of(groups_of(made)["Spleen"][0])) == [("118565006", None)]
        procedure = items(made, "121058")[0].ConceptCodeSequence[0]
        assert procedure.CodeMeaning == "MRI unspecified body region"


def lines_item(lines, drawn):
    """The measurement that a line was drawn for."""
    return next(i for i in lines if i.ValueType == "NUM" and i.ContentSequence[0] is drawn)


class TestValidity:
    def test_dciodvfy_finds_no_error_and_warns_only_of_what_we_mean(self, case):
        for name in (SEGMENTATION_DCM, MEASUREMENTS_DCM):
            said = said_by_dciodvfy(case.folder / "out" / name)
            expected = (
                # our own concepts: the standards have none for a tumor burden or a state of review
                "Unrecognized defined term <99LIVERSEG> for value 1 of attribute <Coding Scheme Designator>",
                # a reader's name as she typed it: what of it is the family name is not known
                "Retired Person Name form",
            )
            rest = [line for line in said if not any(words in line for words in expected)]
            assert rest in (["Segmentation"], ["Comprehensive3DSR"]), rest

    @pytest.mark.parametrize("layout", ["oblique", "tilted gantry", "slices from the head down"])
    def test_odd_geometry_is_valid_too(self, tmp_path, layout):
        result = dicom_series.result_of(tmp_path / "ct", dicom_series.write_series(tmp_path / "ct", layout))
        write_dicom(result, tmp_path)
        assert errors_of_dciodvfy(tmp_path / SEGMENTATION_DCM) == []
        assert errors_of_dciodvfy(tmp_path / MEASUREMENTS_DCM) == []

    def test_anonymised_headers_that_lack_what_may_be_empty(self, tmp_path):
        names = ("PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyTime",
                 "ReferringPhysicianName", "SpecificCharacterSet")  # fmt: skip
        incomplete = pydicom.Dataset()
        incomplete.CodeValue, incomplete.CodeMeaning = "6500572", "CT of the abdomen"  # of which scheme?
        lacking = {**dict.fromkeys(names), "ProcedureCodeSequence": [incomplete]}
        labels = dicom_series.write_series(tmp_path / "ct", **lacking)
        write_dicom(dicom_series.result_of(tmp_path / "ct", labels), tmp_path)
        assert errors_of_dciodvfy(tmp_path / SEGMENTATION_DCM) == []
        assert errors_of_dciodvfy(tmp_path / MEASUREMENTS_DCM) == []

    def test_highdicom_reads_both_back(self, case):
        import highdicom

        read = highdicom.seg.segread(str(case.folder / "out" / SEGMENTATION_DCM))
        assert read.number_of_segments == 4
        report = highdicom.sr.srread(str(case.folder / "out" / MEASUREMENTS_DCM))
        groups = report.content.get_volumetric_roi_measurement_groups(
            tracking_uid=tracked(case.segmentation)[2][1]
        )
        assert len(groups) == 1 and groups[0].tracking_identifier == "Lesion 1"


class TestRefusals:
    def refused(self, result, folder, kind=InputError):
        with pytest.raises(kind) as caught:
            write_dicom(result, folder)
        assert list(folder.glob("*.dcm*")) == []
        return key_of(caught.value.sentence)

    def test_a_scan_that_did_not_come_from_dicom(self, case, tmp_path):
        assert self.refused(dataclasses.replace(case.result, source=None), tmp_path) == "dicom-out.no-source"

    def test_a_header_without_a_frame_of_reference_or_study(self, tmp_path):
        labels = dicom_series.write_series(tmp_path / "ct", FrameOfReferenceUID=None, StudyInstanceUID=None)
        result = dicom_series.result_of(tmp_path / "ct", labels)
        with pytest.raises(InputError, match="StudyInstanceUID, FrameOfReferenceUID"):
            write_dicom(result, tmp_path)

    def test_a_file_that_is_gone(self, case, tmp_path):
        shutil.copytree(case.folder / "ct", tmp_path / "ct")
        files = tuple(str(tmp_path / "ct" / Path(path).name) for path in case.result.source.files)
        Path(files[3]).unlink()
        moved = dataclasses.replace(case.result, source=DicomFiles(files))
        assert self.refused(moved, tmp_path, UnreadableImageError) == "dicom-out.file-gone"

    def test_files_of_two_series(self, case, tmp_path):
        dicom_series.write_series(tmp_path / "other")
        files = (*case.result.source.files[1:], str(next((tmp_path / "other").iterdir())))
        mixed = dataclasses.replace(case.result, source=DicomFiles(files))
        assert self.refused(mixed, tmp_path) == "dicom-out.several-series"

    def test_several_multi_frame_files(self, tmp_path):
        labels = dicom_series.write_multi_frame(tmp_path / "ct")
        result = dicom_series.result_of(tmp_path / "ct", labels)
        twice = DicomFiles(result.source.files * 2, result.source.frames)
        assert (
            self.refused(dataclasses.replace(result, source=twice), tmp_path)
            == "dicom-out.several-multi-frame"
        )

    @pytest.mark.parametrize("change", ["moved", "cropped", "turned", "resampled"])
    def test_a_mask_that_does_not_lie_on_the_slices(self, case, tmp_path, change):
        image, labels = sitk.Image(case.result.image), sitk.Image(case.result.labels)
        for volume in (image, labels):
            if change == "moved":
                volume.SetOrigin((-59.0, -40.0, 30.0))
            elif change == "turned":
                volume.SetDirection((0.96, -0.28, 0, 0.28, 0.96, 0, 0, 0, 1))
            elif change == "resampled":
                volume.SetSpacing((3.0, 2.5, 5.5))
        if change == "cropped":
            image, labels = image[:, :, 1:], labels[:, :, 1:]
        other = dataclasses.replace(case.result, image=image, labels=labels)
        assert self.refused(other, tmp_path, ImageGeometryError) == "dicom-out.other-grid"

    def test_nothing_segmented(self, case, tmp_path):
        empty = case.result.labels * 0
        none = dataclasses.replace(case.result.measurements, lesions=())
        result = dataclasses.replace(case.result, labels=sitk.Cast(empty, sitk.sitkUInt8), measurements=none)
        assert self.refused(result, tmp_path) == "dicom-out.nothing"

    def test_lesions_that_changed_since_they_were_measured(self, case, tmp_path):
        labels = sitk.Image(case.result.labels)
        labels[40, 30, 3] = 3
        assert (
            self.refused(dataclasses.replace(case.result, labels=labels), tmp_path)
            == "dicom-out.other-lesions"
        )

    def test_headers_that_are_not_as_the_standard_wants_them(self, tmp_path):
        labels = dicom_series.write_multi_frame(tmp_path / "ct")
        result = dicom_series.result_of(tmp_path / "ct", labels)
        data = pydicom.dcmread(tmp_path / "ct" / "enhanced.dcm")
        del data.PerFrameFunctionalGroupsSequence[4].PlanePositionSequence
        writing.save(data, tmp_path / "ct" / "enhanced.dcm")
        assert self.refused(result, tmp_path) == "dicom-out.refused"

    def test_without_highdicom(self, case, tmp_path, monkeypatch):
        monkeypatch.setattr(writing, "find_spec", lambda name: None)
        assert self.refused(case.result, tmp_path, LiverSegError) == "dicom-out.no-highdicom"

    def test_a_write_that_fails_leaves_no_part_of_a_file(self, case, tmp_path, monkeypatch):
        monkeypatch.setattr(writing.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            writing.save(case.segmentation, tmp_path / "seg.dcm")
        assert list(tmp_path.iterdir()) == []


class TestPlacing:
    """A mask that 3D Slicer hands over may have its slices in the other order, or its axes permuted."""

    @pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
    @pytest.mark.parametrize("flips", [(False, False, False), (False, False, True), (True, True, False)])
    def test_any_order_of_axes_gives_the_same_planes(self, case, order, flips):
        source = read_source(case.result.source)
        plain = in_source_order(
            sitk.GetArrayViewFromImage(case.result.labels), Grid.of(case.result.labels), source
        )
        other = sitk.Flip(sitk.PermuteAxes(case.result.labels, order), flips)
        found = in_source_order(sitk.GetArrayViewFromImage(other), Grid.of(other), source)
        assert np.array_equal(found, plain) and found.any()

    def test_files_in_any_order_give_planes_in_theirs(self, case):
        files = case.result.source.files
        source = read_source(DicomFiles((*files[5:], *files[:5])))
        array, grid = sitk.GetArrayViewFromImage(case.result.labels), Grid.of(case.result.labels)
        found = in_source_order(array, grid, source)
        assert np.array_equal(np.concatenate([found[-5:], found[:-5]]), array)


class TestResultsFolder:
    def test_the_objects_are_part_of_the_set(self, case, tmp_path):
        quick = {"report": False, "rendering": False}
        files = write_results(case.result, tmp_path, dicom=True, steatosis=case.assessment, **quick)
        assert files["dicom_segmentation"].name == "segmentation.dcm"
        assert files["dicom_measurements"].name == "measurements.dcm"
        assert pydicom.dcmread(files["dicom_segmentation"]).Modality == "SEG"
        assert "Fatty liver" in groups_of(pydicom.dcmread(files["dicom_measurements"]))
        files = write_results(case.result, tmp_path, **quick)
        assert not (tmp_path / "segmentation.dcm").exists()

    def test_a_set_that_cannot_be_complete_is_not_written(self, case, tmp_path):
        result = dataclasses.replace(case.result, source=None)
        with pytest.raises(InputError, match="did not come from DICOM"):
            write_results(result, tmp_path, dicom=True, report=False, rendering=False)
        assert [path.name for path in tmp_path.iterdir()] == []


class TestCommand:
    def test_the_command_writes_both_beside_the_other_files(self, case, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(LiverSegLib, "segment", lambda source, **_: case.result)
        ct, out = str(case.folder / "ct"), str(tmp_path / "out")
        assert main(["segment", ct, "-o", out, "--dicom", "--no-report", "--json"]) == 0
        files = json.loads(capsys.readouterr().out)["files"]
        assert Path(files["dicom_segmentation"]).name == SEGMENTATION_DCM
        report = pydicom.dcmread(files["dicom_measurements"])
        assert "Fatty liver" in groups_of(report)

    def test_a_nifti_is_refused_before_the_work(self, tmp_path, monkeypatch, capsys, sample_scan):
        monkeypatch.setattr(LiverSegLib, "segment", lambda *_, **__: pytest.fail("work began"))
        assert main(["segment", str(sample_scan), "-o", str(tmp_path / "out"), "--dicom"]) == 3
        assert "did not come from DICOM" in " ".join(capsys.readouterr().err.split())
        assert not (tmp_path / "out").exists()

    def test_a_missing_highdicom_is_told_before_the_work(self, case, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(LiverSegLib, "segment", lambda *_, **__: pytest.fail("work began"))
        monkeypatch.setattr(writing, "find_spec", lambda name: None)
        assert main(["segment", str(case.folder / "ct"), "-o", str(tmp_path / "out"), "--dicom"]) == 1
        assert 'pip install "liverseg[dicom]"' in " ".join(capsys.readouterr().err.split())


def test_a_run_on_a_dicom_folder_knows_its_files(tmp_path, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    files = dicom_series.write_image(tmp_path / "ct", phantom.patient()[0])
    model = phantom.write_phantom_model(tmp_path / "model")
    result = LiverSegLib.segment(tmp_path / "ct", model=str(model), device="cpu")
    assert result.source is not None and set(result.source.files) == set(files.values())
    made = write_segmentation(result, tmp_path / "seg.dcm")
    assert made.SegmentSequence[0].SegmentLabel == "Liver"


def test_a_reader_s_name_is_a_person_name():
    assert person_name("Weber^Anna=\\x") == "Weber Anna x"
    assert len(person_name("x" * 100)) == 64


def test_colors_are_cielab():
    import highdicom

    red = cielab((255, 0, 0))  # L* 54.29, a* 80.81, b* 69.89 under D50
    assert np.abs(np.array(red) - highdicom.color.CIELabColor(54.29, 80.81, 69.89).value).max() < 40
