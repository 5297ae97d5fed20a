"""``liverseg steatosis`` and ``agree``: what they write, say and return, with a stand-in for the network."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from doubles import unwrapped
from fatty_phantom import assessed, fatty_scan
from PIL import Image

import LiverSegLib
from LiverSegLib import api
from LiverSegLib.api import Result, assess_steatosis
from LiverSegLib.cli import EXIT_CODES, main
from LiverSegLib.evaluation.readings import read_readings
from LiverSegLib.images.grid import Grid
from LiverSegLib.measure import measure
from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate
from LiverSegLib.outputs import write_results, write_steatosis
from LiverSegLib.steatosis.assessment import Assessment, CutOffs
from LiverSegLib.worker import protocol, tasks

MANUAL = "case,ratio,liver_hu,spleen_hu\n" + "".join(
    f"{n},{(20 + 4 * n) / 50:.3f},{20 + 4 * n},50\n" for n in range(12)
)


@pytest.fixture(scope="module")
def case():
    return fatty_scan()


@pytest.fixture
def files(tmp_path, case):
    """A scan and its segmentation as files."""
    paths = [tmp_path / "scan.nii.gz", tmp_path / "labels.nii.gz"]
    for image, path in zip(case, paths):
        sitk.WriteImage(image, str(path))
    return [str(path) for path in paths]


@pytest.fixture
def asked(monkeypatch, case):
    """Replace the network; the dict holds the arguments it was called with."""
    seen = {}

    def segment(source, **options):
        seen.update(options, source=source)
        options["progress"](0.5, "segment", "Segmenting")
        return found(*case)

    monkeypatch.setattr(LiverSegLib, "segment", segment, raising=False)
    return seen


def found(image, labels, phase="unenhanced", **facts) -> Result:
    """What a network would have found."""
    return Result(
        name="scan",
        image=image,
        labels=labels,
        probability=np.zeros(image.GetSize()[::-1], np.uint8),
        measurements=measure(labels, image, phase=phase),
        provenance={"input": {"name": "scan"}},
        warnings=("The scan is made up.",),
        facts=ClinicalFacts(PhaseEstimate(phase, 0.9, "told"), **facts),
    )


def names_in(folder: Path):
    return sorted(path.name for path in folder.iterdir())


def table(path: Path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- steatosis ---------------------------------------------------------------------------------------------


def test_a_scan_with_its_segmentation_is_graded_and_written(tmp_path, files, capsys):
    output = tmp_path / "out"
    assert main(["steatosis", files[0], "--labels", files[1], "-o", str(output), "--kvp", "120"]) == 0
    assert names_in(output) == ["rois.csv", "rois.jpg", "steatosis.csv", "steatosis.json"]
    said = capsys.readouterr()
    for words in ("Moderate fatty liver", "95 % interval", "L5", "S5", "rois.csv", "research use only"):
        assert words in said.out
    assert "Because" not in said.out and "Traceback" not in said.err
    content = json.loads((output / "steatosis.json").read_text(encoding="utf-8"))
    assessment = Assessment.from_dict(content["steatosis"])
    assert assessment.grade == "moderate" and assessment.ratio == pytest.approx(0.6, abs=0.03)
    assert assessment.conditions.kvp == 120 and content["provenance"]["labels"]["path"] == files[1]
    rois = table(output / "rois.csv")
    assert [row["roi"] for row in rois] == [f"{organ}{n}" for organ in "LS" for n in range(1, 6)]
    assert all(row["automatic"] == "yes" and float(row["inside_percent"]) == 100 for row in rois)
    assert Image.open(output / "rois.jpg").width > 600


def test_phase_that_the_reader_states_counts_and_is_named(tmp_path, files, asked, capsys):
    for number, given in enumerate((["-l", files[1]], [])):
        output = tmp_path / str(number)
        assert main(["steatosis", files[0], *given, "--phase", "portal", "-o", str(output)]) == 0
        assert "The reader chose the phase: portal venous." in capsys.readouterr().out
        row = table(output / "steatosis.csv")[0]
        assert (row["phase"], row["phase_by_reader"], row["grade"]) == ("portal", "yes", "")
        assert "n = 1676" in row["screening"] and row["disagreement"] == ""
        content = json.loads((output / "steatosis.json").read_text(encoding="utf-8"))["steatosis"]
        assert content["conditions"]["phase_by_reader"] and content["screening"] == row["screening"]
    assert main(["steatosis", files[0], "--phase", "venous"]) == 2


def test_the_case_can_be_named_and_goes_into_agree(tmp_path, files):
    for case in ("one", "two"):
        options = ["--labels", files[1], "-o", str(tmp_path / "all" / case), "--case", case, "--quiet"]
        assert main(["steatosis", files[0], *options]) == 0
    readings = read_readings(tmp_path / "all").by_case
    assert set(readings) == {"one", "two"} and readings["one"].grade == "moderate"
    assert readings["one"].liver_hu == pytest.approx(30, abs=1)


def test_without_a_segmentation_the_scan_is_segmented_first(tmp_path, files, asked, capsys):
    output = tmp_path / "out"
    assert main(["steatosis", files[0], "-o", str(output), "--device", "cpu", "--threads", "1"]) == 0
    assert asked["device"] == "cpu" and asked["threads"] == 1 and str(asked["source"]) == files[0]
    assert "steatosis-segmentation.nii.gz" in names_in(output)
    said = capsys.readouterr()
    assert "Segmenting" in said.err and "made up" in said.err and "Placing and measuring" in said.err


def test_nothing_is_written_without_a_folder(tmp_path, files, capsys):
    before = names_in(tmp_path)
    assert main(["steatosis", files[0], "-l", files[1]]) == 0
    assert names_in(tmp_path) == before and "Files" not in capsys.readouterr().out


def test_json_is_exactly_one_object(tmp_path, files, capsys):
    arguments = ["steatosis", files[0], "-l", files[1], "--json"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    content = json.loads(said.out)
    assert said.out.count("\n") == 1 and content["folder"] is None and content["files"] == {}
    assert content["steatosis"]["grade"] == "moderate" and len(content["steatosis"]["rois"]) == 10
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    content = json.loads(capsys.readouterr().out)
    assert all(Path(path).is_file() for path in content["files"].values())
    written = json.loads((tmp_path / "out" / "steatosis.json").read_text(encoding="utf-8"))
    assert written["steatosis"] == content["steatosis"]


def test_quiet_says_nothing(files, capsys):
    assert main(["steatosis", files[0], "-l", files[1], "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and said.err == ""


def test_rois_and_cut_offs_can_be_chosen(files, capsys):
    options = ["--count", "3", "--side", "12", "--cut-offs", "1.1,0.55,0.3", "--json"]
    assert main(["steatosis", files[0], "-l", files[1], *options]) == 0
    content = json.loads(capsys.readouterr().out)["steatosis"]
    assert len(content["rois"]) == 6 and content["rois"][0]["size_mm"][:2] == [12.0, 12.0]
    assert content["grade"] == "mild" and content["cut_offs"]["moderate_below"] == 0.55


def test_an_enhanced_scan_is_refused_in_words_with_success(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("scan.nrrd", "labels.nrrd")]
    for image, path in zip(fatty_scan(liver=110, spleen=120), paths):
        sitk.WriteImage(image, path)
    assert main(["steatosis", paths[0], "-l", paths[1]]) == 0
    said = capsys.readouterr().out
    assert "Not graded" in said and "Because" in said and "contrast medium" in said
    assert main(["steatosis", paths[0], "-l", paths[1], "--grade-anyway"]) == 0
    said = capsys.readouterr().out
    assert "in spite of" in said and "In spite of" in said and "contrast medium" in said


@pytest.mark.parametrize(
    "options, words",
    [
        (["--count", "0"], "number of ROIs"),
        (["--count", "31"], "number of ROIs"),
        (["--side", "5"], "side of an ROI"),
        (["--cut-offs", "0.5,0.7,1.0"], "in order"),
        (["--cut-offs", "1.0,0.7"], "three numbers"),
        (["--cut-offs", "a,b,c"], "three numbers"),
        (["--cut-offs", "nan,0.7,0.5"], "positive numbers"),
        (["--kvp", "0"], "kvp"),
    ],
)
def test_wrong_options_are_exit_code_2_and_a_sentence(files, capsys, options, words):
    assert main(["steatosis", files[0], "-l", files[1], *options]) == 2
    assert words in unwrapped(capsys.readouterr().err)


def test_what_is_missing_or_wrong_is_told(tmp_path, files, capsys):
    assert main(["steatosis", str(tmp_path / "none.nii"), "-l", files[1]]) == 3
    assert main(["steatosis", files[0], "-l", str(tmp_path / "none.nii")]) == 3
    said = unwrapped(capsys.readouterr().err)
    assert said.count("There is no file or folder") == 2
    assert main(["steatosis", files[0], "-l", files[0]]) == 3
    assert "no segmentation" in unwrapped(capsys.readouterr().err)


def test_an_empty_mask_and_one_of_other_geometry_are_told(tmp_path, files, case, capsys):
    labels = case[1]
    sitk.WriteImage(labels * 0, str(tmp_path / "empty.nrrd"))
    sitk.WriteImage(labels[:, :, 2:], str(tmp_path / "short.nrrd"))
    sitk.WriteImage(sitk.Cast(labels == 2, sitk.sitkUInt8) * 2, str(tmp_path / "spleen.nrrd"))
    codes = {}
    for name in ("empty", "short", "spleen"):
        output = tmp_path / "out"
        arguments = ["steatosis", files[0], "-l", str(tmp_path / f"{name}.nrrd"), "-o", str(output)]
        codes[name] = main(arguments)
        assert not output.exists(), "nothing may be written"
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("Error:") == 1 and "Traceback" not in said.err
    assert codes == {"empty": 4, "short": 3, "spleen": 4} and set(codes.values()) <= set(EXIT_CODES)


def test_a_mask_without_a_spleen_gives_the_liver_alone(tmp_path, files, case, capsys):
    labels = sitk.Cast(case[1] != 2, sitk.sitkUInt8) * case[1]
    sitk.WriteImage(labels, str(tmp_path / "liver.nrrd"))
    assert main(["steatosis", files[0], "-l", str(tmp_path / "liver.nrrd"), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "no spleen" in said and "L1" in said and "S1" not in said
    (row,) = table(tmp_path / "out" / "steatosis.csv")
    assert row["ratio"] == "" and row["grade"] == "" and float(row["liver_hu"]) == pytest.approx(30, abs=1)


def test_files_of_the_user_are_never_overwritten(tmp_path, files, capsys):
    output = tmp_path / "out"
    arguments = ["steatosis", files[0], "-l", files[1], "-o", str(output), "--quiet"]
    assert main(arguments) == 0
    assert main(arguments) == 0, "its own files are replaced"
    (output / "rois.csv").write_text("mine")
    assert main(arguments) == 7
    assert "rois.csv" in unwrapped(capsys.readouterr().err) and (output / "rois.csv").read_text() == "mine"


def test_both_sets_of_files_may_lie_in_one_folder(tmp_path, files, case, asked):
    output = tmp_path / "out"
    write_results(found(*case), output, report=False, rendering=False)
    assert main(["steatosis", files[0], "-o", str(output), "--quiet"]) == 0
    write_results(found(*case), output, report=False, rendering=False)
    assert {"measurements.json", "steatosis.json", "segmentation.nii.gz"} <= set(names_in(output))


def test_without_pillow_only_the_picture_is_missing(tmp_path, case, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "PIL" or "LiverSegLib.report" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    options = {"name": "x", "image": case[0], "labels": case[1], "provenance": {}}
    written, warnings = write_steatosis(assessed(), tmp_path / "out", **options)
    assert set(written) == {"steatosis", "steatosis_csv", "rois_csv"} and "pillow" in warnings[0]


# --- as a part of segment, and from Python -----------------------------------------------------------------


def test_segment_tells_the_grade_and_keeps_the_assessment(tmp_path, files, asked, capsys):
    output = tmp_path / "out"
    assert main(["segment", files[0], "-o", str(output)]) == 0
    assert "Moderate fatty liver, liver/spleen ratio 0." in capsys.readouterr().out
    content = json.loads((output / "measurements.json").read_text(encoding="utf-8"))
    assert Assessment.from_dict(content["steatosis"]).grade == "moderate"
    assert "Moderate fatty liver" in (output / "report.html").read_text(encoding="utf-8")
    assert names_in(output).count("steatosis.json") == 0


def test_an_assessment_that_fails_does_not_cost_the_segmentation(tmp_path, files, asked, monkeypatch, capsys):
    monkeypatch.setattr(api, "assess_steatosis", lambda result: 1 / 0)
    assert main(["segment", files[0], "-o", str(tmp_path / "out"), "--no-report"]) == 0
    assert "Fatty liver was not assessed. An unexpected error occurred (division by zero)." in unwrapped(
        capsys.readouterr().err
    )
    content = json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))
    assert "steatosis" not in content and "segmentation.nii.gz" in names_in(tmp_path / "out")


def test_python_takes_phase_agent_and_voltage_from_the_facts(case):
    assessment = assess_steatosis(found(*case, kvp=100.0, contrast_agent="OMNIPAQUE 350"))
    assert assessment.conditions.phase_reason == "told" and assessment.conditions.kvp == 100.0
    assert assessment.grade is None
    told = " ".join(assessment.reasons_not_to_grade)
    assert "100 kVp" in told and "OMNIPAQUE" in told
    assert assess_steatosis(found(*case, kvp=100.0), kvp=120.0).grade == "moderate"
    assert assess_steatosis(found(*case, phase="portal"), grade_anyway=True).graded_anyway


def test_the_index_of_a_result_without_assessment_has_none(tmp_path, case):
    written = write_results(found(*case), tmp_path / "out", report=False, rendering=False)
    assert "steatosis" not in json.loads(written["measurements"].read_text(encoding="utf-8"))


def test_the_worker_reports_the_reading_that_it_is_handed(tmp_path, case):
    image, labels = case
    reading = assessed(cut_offs=CutOffs(1.1, 0.9, 0.8))
    summary = {
        "name": "x",
        "measurements": measure(labels, image).to_dict(),
        "provenance": {},
        "warnings": [],
        "steatosis": reading.to_dict(),
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    for name, item in (("voxels", image), ("labels", labels)):
        np.save(tmp_path / f"{name}.npy", sitk.GetArrayFromImage(item))
    request = protocol.Report(
        "r", str(tmp_path / "voxels.npy"),
        Grid.of(image),
        str(tmp_path / "labels.npy"), str(tmp_path / "summary.json"), str(tmp_path / "out"), rendering=False,
    )  # fmt: skip
    context = tasks.TaskContext(tmp_path, lambda *_: None, lambda: False, lambda *_: None)
    reply = tasks.report(request, context)
    content = json.loads((tmp_path / "out" / reply.files["measurements"]).read_text(encoding="utf-8"))
    assert Assessment.from_dict(content["steatosis"]) == reading
    page = (tmp_path / "out" / reply.files["report"]).read_text(encoding="utf-8")
    assert "Severe fatty liver" in page


# --- agree -------------------------------------------------------------------------------------------------


@pytest.fixture
def tables(tmp_path):
    """A manual and an automatic table, as files."""
    for library in ("matplotlib", "statsmodels"):
        pytest.importorskip(library)
    paths = [tmp_path / "manual.csv", tmp_path / "automatic.csv"]
    paths[0].write_text(MANUAL + "99,1.0,50,50\n", encoding="utf-8")
    paths[1].write_text(MANUAL.replace(",50\n", ",52\n"), encoding="utf-8")
    return [str(path) for path in paths]


def test_agree_shows_and_writes_how_two_tables_agree(tmp_path, tables, capsys):
    output = tmp_path / "out"
    assert main(["agree", *tables, "-o", str(output)]) == 0
    plots = [f"bland-altman-{name}.svg" for name in ("liver-hu", "ratio", "spleen-hu")]
    assert names_in(output) == ["agreement.json", *plots]
    said = capsys.readouterr()
    for words in (
        "12 cases in both tables",
        "ICC(2,1)",
        "Wilcoxon",
        "Mann-Whitney",
        "Kappa, linear",
        "severe",
    ):
        assert words in said.out
    assert '1 case is in the manual table only and left out: "99"' in said.err
    content = json.loads((output / "agreement.json").read_text(encoding="utf-8"))["agreement"]
    assert content["comparisons"][2]["bland_altman"]["bias"] == 2.0
    assert content["grades"]["agreeing"] == 1.0 and content["manual"] == tables[0]


def test_agree_without_a_folder_writes_nothing(tmp_path, tables, capsys):
    before = names_in(tmp_path)
    assert main(["agree", *tables, "--json"]) == 0
    said = capsys.readouterr()
    content = json.loads(said.out)
    assert said.out.count("\n") == 1 and content["files"] == {} and names_in(tmp_path) == before
    assert content["only_manual"] == ["99"] and content["grades"]["kappa"]["linear"]["value"] == 1.0


def test_agree_names_cases_of_different_grade_and_takes_cut_offs(tmp_path, tables, capsys):
    Path(tables[1]).write_text(MANUAL.replace("11,1.280", "11,0.980"), encoding="utf-8")
    assert main(["agree", *tables]) == 0
    assert "11 (normal, mild)" in capsys.readouterr().out
    assert main(["agree", *tables, "--cut-offs", "1.3,0.7,0.5"]) == 0
    assert "Different" not in capsys.readouterr().out


def test_agree_replaces_its_own_files_only(tmp_path, tables, capsys):
    output = tmp_path / "out"
    assert main(["agree", *tables, "-o", str(output)]) == 0
    for path in tables:
        Path(path).write_text("case,ratio\na,1\nb,0.8\nc,0.5\n", encoding="utf-8")
    assert main(["agree", *tables, "-o", str(output)]) == 0
    assert names_in(output) == ["agreement.json", "bland-altman-ratio.svg"]
    (output / "bland-altman-ratio.svg").write_text("mine")
    assert main(["agree", *tables, "-o", str(output)]) == 7
    assert (output / "bland-altman-ratio.svg").read_text() == "mine"


def test_agree_says_first_which_package_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    assert main(["agree", str(tmp_path / "none.csv"), str(tmp_path / "none.csv")]) == 1
    said = unwrapped(capsys.readouterr().err)
    assert "needs the Python packages matplotlib and statsmodels: pip install matplotlib statsmodels" in said
    assert "extra `agreement`" in said and said.count("Error:") == 1 and "--debug" not in said


@pytest.mark.parametrize(
    "text, code, words",
    [
        ("", 3, "is empty"),
        ("a;b\n1;2\n", 3, 'no column "case"'),
        ("case,ratio\nzz,1\n", 3, "no case in common"),
        ("case,ratio\n0,one\n", 3, "not a number"),
    ],
)
def test_agree_explains_wrong_files_in_a_sentence(tables, capsys, text, code, words):
    Path(tables[1]).write_text(text, encoding="utf-8")
    assert main(["agree", *tables]) == code
    said = capsys.readouterr()
    assert words in unwrapped(said.err) and said.out == "" and said.err.count("Error:") == 1
    assert main(["agree", *tables, "--json"]) == code
    assert words in json.loads(capsys.readouterr().out)["error"]["message"]


def test_agree_says_which_file_is_missing(tables, capsys):
    assert main(["agree", tables[0], tables[1] + "x"]) == 3
    assert f"There is no file {tables[1]}x" in unwrapped(capsys.readouterr().err)
    assert main(["agree", *tables, "--cut-offs", "1,2"]) == 2
