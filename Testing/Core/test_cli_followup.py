"""``liverseg followup``: what it writes, says and refuses, with stand-ins for network and registration."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from doubles import unwrapped
from followup_patients import grid, patient

import LiverSegLib
from LiverSegLib.cli import main
from LiverSegLib.followup import comparison, page
from LiverSegLib.followup.registration import same_scan
from LiverSegLib.images import read_scan
from LiverSegLib.measure import measure
from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate
from LiverSegLib.outputs import write_results

pydicom = pytest.importorskip("pydicom")
from dicom_series import write_image  # noqa: E402

FIRST, LATER = [((-20, 0, 0), 8), ((0, -20, 5), 6)], [((-20, 0, 0), 12)]
SMALL = grid((3.0, 3.0, 4.0))


def case(lesions, name):
    return patient(lesions, SMALL, name=name, phase="portal").result


class FakeSegmenter:
    """Finds the mask of the made-up patient whose scan it is given."""

    asked: list = []
    masks: dict = {}

    def __init__(self, **how):
        self.how = how

    def segment(self, source, *, series, modality, progress, cancel):
        FakeSegmenter.asked.append({"source": Path(source), "series": series, **self.how})
        progress(0.5, "segment", "Segmenting")
        scan = read_scan(source, series)
        labels = self.masks[int(sitk.GetArrayViewFromImage(scan.image).astype(int).sum())]
        labels = sitk.Image(labels)
        labels.CopyInformation(scan.image)
        facts = ClinicalFacts(PhaseEstimate("portal", 1.0, "said"))
        measured = measure(labels, scan.image, phase="portal")
        return replace(
            self.like, name=scan.name, image=scan.image, labels=labels, measurements=measured, facts=facts
        )


@pytest.fixture(scope="module")
def cases():
    return [case(FIRST, "march"), case(LATER, "june")]


@pytest.fixture
def real_page():
    """The function that draws the page."""
    return page.followup_page


@pytest.fixture(autouse=True)
def no_pictures(real_page, monkeypatch):
    """Pictures take most of the time."""
    monkeypatch.setattr(page, "followup_page", lambda *a: "page")


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, cases):
    """Scans are segmented at once, and livers lie on each other already."""
    known = {int(sitk.GetArrayFromImage(item.image).astype(int).sum()): item.labels for item in cases}
    monkeypatch.setattr(FakeSegmenter, "masks", known)
    monkeypatch.setattr(FakeSegmenter, "like", cases[0], raising=False)
    monkeypatch.setattr(FakeSegmenter, "asked", [])
    monkeypatch.setattr(LiverSegLib, "Segmenter", FakeSegmenter, raising=False)
    monkeypatch.setattr(comparison, "register", lambda fixed, moving, tell, check: same_scan(fixed))


@pytest.fixture
def scans(tmp_path, cases):
    """Two NIfTI files."""
    paths = [tmp_path / f"{item.name}.nii.gz" for item in cases]
    for item, path in zip(cases, paths):
        sitk.WriteImage(item.image, str(path))
    return [str(path) for path in paths]


def write_result(folder, result, scan):
    """What `liverseg segment` writes of a scan, without its report."""
    source = {"path": str(scan), "sha256": read_scan(scan).fingerprint}
    write_results(replace(result, provenance={"input": source}), folder, report=False, rendering=False)
    return str(folder)


def run(tmp_path, *arguments):
    return main(["followup", *arguments, "-o", str(tmp_path / "out")])


def refused(tmp_path, capsys, status, *arguments):
    """The sentence with which a call is refused; nothing may be written, and nothing segmented."""
    assert run(tmp_path, *arguments) == status
    said = capsys.readouterr()
    assert said.out == "" and "Traceback" not in said.err and said.err.count("Error:") == 1
    assert not (tmp_path / "out").exists()
    return unwrapped(said.err)


# ---- what it writes and says


def test_two_scans_become_a_page_a_table_and_json(tmp_path, scans, real_page, monkeypatch, capsys):
    monkeypatch.setattr(page, "followup_page", real_page)
    assert run(tmp_path, *scans, "--dates", "2026-03-01,2026-06-01") == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["followup.csv", "followup.html", "followup.json"]
    said = capsys.readouterr()
    shown = unwrapped(said.out)
    assert "2026-03-01" in shown and "2026-06-01" in shown and "followup.html" in shown
    assert "absent, gone" in shown and "RECIST 1.1 asks a reader" in shown
    assert "SD" in shown and "neither 30 % below" in shown
    content = json.loads((tmp_path / "out" / "followup.json").read_text(encoding="utf-8"))
    assert [item["days"] for item in content["dates"]] == [0, 92]


def test_json_is_one_object_with_the_paths_of_the_files(tmp_path, scans, capsys):
    options = ["--json", "--device", "cpu", "--engine", "openvino", "--model", "mine"]
    assert run(tmp_path, *scans, *options) == 0
    said = capsys.readouterr()
    content = json.loads(said.out)
    assert said.out.count("\n") == 1
    assert all(Path(path).is_file() for path in content["files"].values()) and len(content["files"]) == 3
    assert [item["name"] for item in content["dates"]] == ["march", "june"]
    assert "order in which they were given" in " ".join(content["warnings"])
    how = FakeSegmenter.asked[0]
    assert (how["device"], how["engine"], how["model"], how["threads"]) == ("cpu", "openvino", "mine", 0)


def test_an_earlier_comparison_is_replaced_and_quiet_says_nothing(tmp_path, scans, capsys):
    for _ in range(2):
        assert run(tmp_path, *scans, "--dates", "2026-03-01,2026-06-01", "--quiet") == 0
        said = capsys.readouterr()
        assert (said.out, said.err) == ("", "")


def test_results_are_taken_as_they_are_and_scans_beside_them_segmented(tmp_path, cases, scans, capsys):
    folder = write_result(tmp_path / "result", cases[0], scans[0])
    assert run(tmp_path, folder, scans[1], "--json") == 0
    assert [item["source"].name for item in FakeSegmenter.asked] == ["june.nii.gz"]
    assert len(json.loads(capsys.readouterr().out)["lesions"]) == 2


def test_a_moved_scan_is_told_and_a_mask_that_was_edited_is_said(tmp_path, cases, scans, capsys):
    folder = write_result(tmp_path / "result", cases[0], scans[0])
    sitk.WriteImage(cases[1].labels, str(Path(folder) / "segmentation.nii.gz"))
    os.rename(scans[0], tmp_path / "moved.nii.gz")
    text = refused(tmp_path, capsys, 3, folder, scans[1])
    assert f"--scan {folder}=PATH" in text
    assert run(tmp_path, folder, scans[1], "--scan", f"{folder}={tmp_path / 'moved.nii.gz'}") == 0
    assert "was changed since it was written" in unwrapped(capsys.readouterr().err)


# ---- series of a DICOM folder


@pytest.fixture
def export(tmp_path, cases):
    """A folder with the series of both dates."""
    folder = tmp_path / "an export"
    for number, item in enumerate(cases, start=4):
        write_image(folder / item.name, item.image)
        for path in (folder / item.name).iterdir():
            data = pydicom.dcmread(path)
            data.SeriesNumber, data.SeriesDate = number, f"20260{number}01"
            data.save_as(path)
    return str(folder)


def test_two_series_of_one_folder_are_two_dates(tmp_path, export, capsys):
    chosen = ["--series", f"{export}=5", "--series", f"{export}=4"]
    assert run(tmp_path, export, export, *chosen, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert [item["date"] for item in content["dates"]] == ["2026-04-01", "2026-05-01"]
    assert len({item["series"] for item in FakeSegmenter.asked}) == 2


def test_a_folder_with_several_series_lists_them_with_the_option_to_copy(tmp_path, export, scans, capsys):
    text = refused(tmp_path, capsys, 3, export, scans[0])
    assert f"Choose one of {export} with --series" in text
    assert text.count(f"--series '{export}=1.2.") == 2


def test_series_that_cannot_be_meant_are_refused(tmp_path, cases, scans, export, capsys):
    folder = write_result(tmp_path / "result", cases[0], scans[0])
    assert "FOLDER=UID" in refused(tmp_path, capsys, 2, export, scans[0], "--series", "4")
    text = refused(tmp_path, capsys, 2, *scans, "--series", f"{export}=4")
    assert "more often than that is among the inputs" in text
    twice = ["--series", f"{export}=4", "--series", f"{export}=5"]
    assert "more often than" in refused(tmp_path, capsys, 2, export, scans[0], *twice)
    assert "is a result" in refused(tmp_path, capsys, 2, folder, scans[1], "--series", f"{folder}=4")
    assert "no series '9'" in refused(tmp_path, capsys, 3, export, scans[0], "--series", f"{export}=9")
    assert not FakeSegmenter.asked


# ---- bad input


@pytest.mark.parametrize(
    "options, words",
    [
        (["--dates", "2026-02-30,2026-03-01"], '"2026-02-30" is no date'),
        (["--dates", "March,June"], "write it as 2026-11-30"),
        (["--dates", "2026-03-01"], "There are 2 scans, but 1 dates"),
        (["--scan", "nonsense"], "as RESULT=SCAN does"),
        (["--scan", "nowhere=scan.nii.gz"], "nowhere more often than that is among"),
    ],
)
def test_wrong_options_are_refused_before_any_work(tmp_path, scans, capsys, options, words):
    assert words in refused(tmp_path, capsys, 2, *scans, *options)
    assert not FakeSegmenter.asked


def test_one_scan_a_missing_one_and_the_same_twice_are_refused(tmp_path, scans, capsys):
    assert "at least two dates" in refused(tmp_path, capsys, 2, scans[0])
    assert "none.nii.gz" in refused(tmp_path, capsys, 3, scans[0], str(tmp_path / "none.nii.gz"))
    assert "are the same scan" in refused(tmp_path, capsys, 3, scans[0], scans[0])


def test_a_folder_that_is_no_result_and_a_scan_that_changed_are_refused(tmp_path, cases, scans, capsys):
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(tmp_path, capsys, 3, scans[0], str(tmp_path / "empty"))
    folder = Path(write_result(tmp_path / "result", cases[0], scans[0]))
    sitk.WriteImage(cases[0].image + 1, scans[0])
    assert "is not the scan from which" in refused(tmp_path, capsys, 3, str(folder), scans[1])
    (folder / "measurements.json").write_text("{}")
    assert "holds no result of liverseg segment" in refused(tmp_path, capsys, 3, str(folder), scans[1])


def test_another_patient_is_said_by_id_and_refused_by_shape(tmp_path, cases, monkeypatch, capsys):
    for item in cases:
        write_image(tmp_path / item.name, item.image)
    for path in (tmp_path / "june").iterdir():
        data = pydicom.dcmread(path)
        data.PatientID = "815"
        data.save_as(path)
    folders = [str(tmp_path / item.name) for item in cases]
    assert run(tmp_path, *folders) == 0
    assert "have different patient IDs" in unwrapped(capsys.readouterr().err)
    assert not any("815" in path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())

    def unlike(fixed, moving, tell, check):
        found = same_scan(fixed)
        return replace(found, quality=replace(found.quality, rigid_dice=0.6))

    monkeypatch.setattr(comparison, "register", unlike)
    arguments = ["followup", *folders, "-o", str(tmp_path / "other")]
    assert main(arguments) == 3
    assert "do not fit onto each other" in unwrapped(capsys.readouterr().err)
    assert not (tmp_path / "other").exists()
    assert main([*arguments, "--anyway"]) == 0
    assert "as was asked" in unwrapped(capsys.readouterr().err)


def test_files_of_others_and_a_folder_that_cannot_be_written_are_told_before_any_work(
    tmp_path, scans, capsys
):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "followup.csv").write_text("mine")
    assert main(["followup", *scans, "-o", str(mine)]) == 7
    (tmp_path / "file").write_text("in the way")
    assert main(["followup", *scans, "-o", str(tmp_path / "file")]) == 7
    assert not FakeSegmenter.asked and os.listdir(mine) == ["followup.csv"]
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="for root and Windows no folder is closed")
def test_a_closed_folder_is_told_before_any_work(tmp_path, scans, capsys):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o500)
    assert main(["followup", *scans, "-o", str(closed / "out")]) == 7
    assert not FakeSegmenter.asked


def test_a_full_disk_is_told_before_any_work_and_while_writing(tmp_path, scans, monkeypatch, capsys):
    from LiverSegLib.followup import files

    with monkeypatch.context() as patch:
        patch.setattr(files, "EXPECTED_BYTES", 1 << 60)
        assert "disk" in refused(tmp_path, capsys, 7, *scans)
        assert not FakeSegmenter.asked

    def full(path, text):
        path.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_text", full)
    assert "full" in refused(tmp_path, capsys, 7, *scans)


# ---- Ctrl-C

DRIVER = """
import sys, time
sys.path.insert(0, {tests!r})
from LiverSegLib.cli import main
from LiverSegLib.followup import comparison, page

def slow(fixed, moving, tell, check):
    print("registering", file=sys.stderr, flush=True)
    while True:
        check()
        time.sleep(0.02)

comparison.register = slow
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as a POSIX terminal sends them")
def test_ctrl_c_while_registering_ends_the_work_with_one_sentence(tmp_path, cases, scans):
    folders = [write_result(tmp_path / item.name, item, scan) for item, scan in zip(cases, scans)]
    code = DRIVER.format(tests=str(Path(__file__).parent))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "followup", *folders, "-o", str(tmp_path / "out"), "--quiet"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=str(Path(__file__).parents[2]),
    )  # fmt: skip
    assert any("registering" in line for line in process.stderr)
    asked_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert time.monotonic() - asked_at < 10
    assert (process.returncode, out, said) == (130, "", "Error: Cancelled; nothing was written.\n")
    assert not (tmp_path / "out").exists()
