"""``liverseg measure``, and what other commands make of a DICOM segmentation: numbers, grade, sentences."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

pydicom = pytest.importorskip("pydicom")
from fatty_phantom import ORIGIN, SPACING, fatty_scan  # noqa: E402
from segmentation_files import FRAME, LIVER, NEOPLASM, SERIES, SPLEEN, write_seg  # noqa: E402
from test_dicom import dataset, save  # noqa: E402

import LiverSegLib  # noqa: E402
from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.errors import UsageError  # noqa: E402
from LiverSegLib.measure import measure  # noqa: E402


@pytest.fixture(scope="module")
def case():
    return fatty_scan()


def write_scan(folder, image, **tags):
    folder.mkdir()
    for z, plane in enumerate(sitk.GetArrayFromImage(image)):
        told = {"FrameOfReferenceUID": FRAME, "PixelSpacing": list(SPACING[:2]), "SliceThickness": SPACING[2]}
        position = (*ORIGIN[:2], ORIGIN[2] + z * SPACING[2])
        save(dataset(plane, position, uid=SERIES, **{**told, **tags}), folder / f"{z}.dcm")
    return str(folder)


def write_mask(path, labels, **changes):
    """The mask as a Segmentation whose liver holds the tumor."""
    array = sitk.GetArrayFromImage(labels)
    masks = {1: np.isin(array, (1, 3)), 2: array == 2, 3: array == 3}
    frames = [
        (number, (*ORIGIN[:2], ORIGIN[2] + z * SPACING[2]), plane)
        for number, mask in masks.items()
        for z, plane in enumerate(mask)
        if plane.any()
    ]
    segments = [(1, "Leber", LIVER, None), (2, "Milz", SPLEEN, None), (3, "Herd", NEOPLASM, LIVER)]
    return str(write_seg(path, frames, segments, spacing=list(SPACING[:2]), **changes))


@pytest.fixture(scope="module")
def files(tmp_path_factory, case):
    """An unenhanced DICOM series of 120 kV and its Segmentation."""
    room = tmp_path_factory.mktemp("case")
    ct = write_scan(room / "ct", case[0], KVP="120", SeriesDescription="Abdomen nativ")
    return ct, write_mask(room / "seg.dcm", case[1])


@pytest.mark.slow
def test_the_report_of_a_dicom_segmentation(tmp_path, files):
    pytest.importorskip("vtk")
    assert main(["measure", *files, "-o", str(tmp_path / "out"), "--quiet"]) == 0
    assert "Tumor burden" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_dicom_segmentation_is_measured_like_one_that_liverseg_drew(tmp_path, files, case, capsys):
    assert main(["measure", *files, "-o", str(tmp_path / "out"), "--no-report"]) == 0
    content = json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))
    expected = measure(case[1], case[0], phase="unenhanced").to_dict()
    assert content["measurements"]["lesions"] == expected["lesions"] and len(expected["lesions"]) == 1
    assert content["measurements"]["organs"] == expected["organs"]
    assert content["provenance"]["labels"]["kind"] == "DICOM Segmentation"
    assert content["provenance"]["labels"]["segments"] == {
        "Leber": "liver",
        "Milz": "spleen",
        "Herd": "tumour",
    }
    assert content["steatosis"]["grade"] == "moderate"
    written = sitk.ReadImage(str(tmp_path / "out" / "segmentation.nii.gz"))
    assert np.array_equal(sitk.GetArrayFromImage(written), sitk.GetArrayFromImage(case[1]))
    assert "Leber" not in (said := capsys.readouterr().out) and "Moderate fatty liver" in said


def test_the_tube_voltage_reaches_the_grade_and_its_reason(tmp_path, case):
    ct = write_scan(tmp_path / "ct", case[0], KVP="100")
    seg = write_mask(tmp_path / "seg.dcm", case[1])
    for command in (["measure", ct, seg, "--no-report"], ["steatosis", ct, "--labels", seg]):
        assert main([*command, "-o", str(tmp_path / command[0]), "--quiet"]) == 0
        name = {"measure": "measurements.json", "steatosis": "steatosis.json"}[command[0]]
        content = json.loads((tmp_path / command[0] / name).read_text(encoding="utf-8"))["steatosis"]
        assert content["grade"] is None
        assert any("100 kV" in reason for reason in content["reasons_not_to_grade"]), content


@pytest.mark.parametrize(
    ("tags", "phase", "words"),
    [
        ({"SeriesDescription": "Leber portalvenös"}, "unknown", "speaks of contrast"),
        ({"SeriesDescription": "Abdomen", "ContrastBolusAgent": "IOMERON 400"}, "unknown", "IOMERON 400"),
        ({"SeriesDescription": "Abdomen", "ContrastBolusAgent": "ohne"}, "unenhanced", None),
    ],
)
def test_contrast_in_the_header_reaches_phase_and_grade(tmp_path, case, tags, phase, words):
    ct = write_scan(tmp_path / "ct", case[0], KVP="120", **tags)
    result = LiverSegLib.measure_segmentation(ct, write_mask(tmp_path / "seg.dcm", case[1]))
    assert result.facts.phase.phase == phase
    assessment = LiverSegLib.assess_steatosis(result)
    assert (assessment.grade is None) == (words is not None)
    said = [result.facts.phase.reason, *assessment.reasons_not_to_grade]
    assert words is None or any(words in text for text in said), said


def test_segments_that_only_the_user_knows(tmp_path, files, case, capsys):
    labels = str(tmp_path / "labels.nrrd")
    array = np.choose(sitk.GetArrayFromImage(case[1]), (0, 40, 41, 42)).astype(np.uint8)
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(case[1])
    sitk.WriteImage(image, labels)
    out = str(tmp_path / "out")
    assert main(["measure", files[0], labels, "-o", out]) == 3
    assert "values that are no labels: 40, 41, 42" in capsys.readouterr().err
    told = [part for text in ("40=liver", "42=tumor") for part in ("--segment", text)]
    assert main(["measure", files[0], labels, "-o", out, "--no-report", *told]) == 0
    content = json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))
    assert content["facts"]["not_segmented"] == ["spleen"]
    assert content["provenance"]["labels"]["left_out"] == ["41"]
    assert main(["measure", files[0], labels, "-o", out, "--segment", "liver"]) == 2
    assert "NAME=STRUCTURE" in capsys.readouterr().err


def test_another_scans_segmentation_is_refused_and_nothing_written(tmp_path, files, case, capsys):
    other = write_mask(tmp_path / "other.dcm", case[1], series="1.2.8", frame="1.2.9")
    assert main(["measure", files[0], other, "-o", str(tmp_path / "out")]) == 3
    assert "other.dcm belongs to another scan than ct" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["measure", files[0], str(tmp_path / "none.dcm"), "-o", str(tmp_path / "out")]) == 3


def test_surfaces_of_a_dicom_segmentation(tmp_path, files):
    pytest.importorskip("vtk")
    assert main(["mesh", files[1], "-o", str(tmp_path / "spleen.stl"), "--label", "spleen"]) == 0
    assert (tmp_path / "spleen.stl").stat().st_size > 1000


def test_python_has_the_same(files, case):
    result = LiverSegLib.measure_segmentation(*files)
    assert result.measurements.organ("liver").volume_ml == measure(*case[::-1]).organ("liver").volume_ml
    assert result.facts.kvp == 120 and result.facts.phase.phase == "unenhanced" and len(result.warnings) == 1
    with pytest.raises(UsageError, match="There is no segment Niere"):
        LiverSegLib.measure_segmentation(*files, segments={"Niere": "none"})
