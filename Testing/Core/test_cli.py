"""The ``liverseg`` command: what it writes, says and returns, with a stand-in for the network."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from doubles import unwrapped

import LiverSegLib
from LiverSegLib import errors
from LiverSegLib.api import Result
from LiverSegLib.cli import EXIT_CODES, app, main
from LiverSegLib.cli import segment as segment_command
from LiverSegLib.images import SeriesInfo
from LiverSegLib.measure import measure
from LiverSegLib.review import Review


def make_scan(folder: Path, value: int = 60) -> Path:
    """A 40 x 36 x 20 scan of 4 mm voxels, all of ``value`` HU, as NIfTI."""
    image = sitk.GetImageFromArray(np.full((20, 36, 40), value, np.int16))
    image.SetSpacing((4.0, 4.0, 4.0))
    path = folder / "scan.nii.gz"
    sitk.WriteImage(image, str(path))
    return path


def make_labels(image: sitk.Image) -> sitk.Image:
    """A liver with one tumour, and a spleen."""
    array = np.zeros(sitk.GetArrayViewFromImage(image).shape, np.uint8)
    array[4:14, 8:26, 6:24] = 1
    array[6:10, 12:17, 10:15] = 3
    array[5:12, 20:28, 28:36] = 2
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(image)
    return labels


def make_result(source, **options) -> Result:
    """What a network would have found in ``source``."""
    image = sitk.ReadImage(str(source))
    labels = make_labels(image)
    measurements = measure(labels, image)
    return Result(
        name="scan",
        image=image,
        labels=labels,
        probability=np.full(sitk.GetArrayViewFromImage(labels).shape, 200, np.uint8),
        measurements=measurements,
        provenance={"options": {key: value for key, value in options.items() if not callable(value)}},
        warnings=("The scan is made of one gray.",),
        review=Review(),
    )


@pytest.fixture
def asked(monkeypatch):
    """Replace the network by ``make_result``; the dict holds the arguments it was called with."""
    seen = {}

    def segment(source, **options):
        seen.update(options, source=source)
        options["progress"](0.5, "segment", "Segmenting")
        return make_result(source, **options)

    monkeypatch.setattr(LiverSegLib, "segment", segment, raising=False)
    return seen


@pytest.fixture
def failing(monkeypatch):
    """Make segmenting raise the error that the test names."""

    def fail_with(error):
        def segment(source, **options):
            raise error

        monkeypatch.setattr(LiverSegLib, "segment", segment, raising=False)

    return fail_with


def everything_in(folder: Path):
    return sorted(path.name for path in folder.iterdir())


# --- segment -----------------------------------------------------------------------------------------------


def test_segment_writes_the_results_and_names_them(tmp_path, asked, capsys):
    output = tmp_path / "out"
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(output), "--no-report"]) == 0
    written = ["lesions.csv", "measurements.csv", "measurements.json", "segmentation.nii.gz"]
    assert everything_in(output) == written
    said = capsys.readouterr()
    for name in written:
        assert name in said.out
    assert "Liver" in said.out and "Spleen" in said.out and "Tumor burden" in said.out
    assert "research use only" in said.out.lower()
    assert "one gray" in said.err and "one gray" not in said.out


def test_what_makes_a_lesion_doubtful_stands_beside_it(tmp_path, asked, capsys):
    for value in (60, 300):
        scan = make_scan(tmp_path, value)
        assert main(["segment", str(scan), "-o", str(tmp_path / f"{value}"), "--no-report"]) == 0
        assert ("Mean of 300 HU" in capsys.readouterr().out) == (value == 300)


def test_segment_writes_picture_and_report_unless_told_otherwise(tmp_path, asked):
    output = tmp_path / "out"
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(output), "--highlight", "--quiet"]) == 0
    assert {"report.html", "rendering.png", "highlight.nii.gz"} <= set(everything_in(output))


@pytest.mark.parametrize("label_format", ["nii.gz", "nrrd", "mha", "seg.nrrd"])
def test_segmentation_lies_on_the_scan_in_every_format(tmp_path, asked, label_format):
    scan, output = make_scan(tmp_path), tmp_path / "out"
    assert main(["segment", str(scan), "-o", str(output), "--no-report", "--format", label_format]) == 0
    image, labels = sitk.ReadImage(str(scan)), sitk.ReadImage(str(output / f"segmentation.{label_format}"))
    assert labels.GetSize() == image.GetSize()
    np.testing.assert_allclose(labels.GetOrigin(), image.GetOrigin())
    np.testing.assert_allclose(labels.GetDirection(), image.GetDirection())


def test_segment_hands_every_option_on(tmp_path, asked):
    options = "--device cpu --model mine --series 1.2.3 --mirror --minimum-lesion 0.5".split()
    options += ["--threads", "1", "--no-report", "--tumors", "lesions", "--structures", "aorta, Kidney left"]
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    try:
        assert main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out"), *options]) == 0
        assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == 1
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert asked["device"] == "cpu" and asked["model"] == "mine" and asked["series"] == "1.2.3"
    assert asked["mirror"] is True and asked["minimum_lesion_ml"] == 0.5 and asked["threads"] == 1
    assert asked["tumours"] == "lesions" and asked["structures"] == ("aorta", "Kidney left")


def test_segment_leaves_choices_to_the_library_when_nothing_is_said(tmp_path, asked):
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out"), "--no-report"]) == 0
    assert asked["device"] == "auto" and asked["model"] == "default" and asked["series"] is None
    assert asked["mirror"] is False and asked["minimum_lesion_ml"] is None and asked["threads"] == 0
    assert asked["tumours"] is None and asked["structures"] is None


def test_json_is_exactly_one_object_on_standard_output(tmp_path, asked, capsys):
    output = tmp_path / "out"
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(output), "--no-report", "--json"]) == 0
    written = json.loads((output / "measurements.json").read_text(encoding="utf-8"))
    said = capsys.readouterr()
    content = json.loads(said.out)
    assert said.out.count("\n") == 1
    keys = {"folder", "files", "name", "review", "measurements", "steatosis", "warnings", "provenance"}
    assert set(content) == keys
    assert content["review"] == written["review"] == {"state": "automatic"}
    assert content["folder"] == str(output)
    assert all(Path(path).is_file() for path in content["files"].values())
    assert [organ["key"] for organ in content["measurements"]["organs"]] == ["liver", "spleen", "tumour"]
    assert "one gray" in content["warnings"][0] or any("one gray" in w for w in content["warnings"])


def test_quiet_says_nothing(tmp_path, asked, capsys):
    assert (
        main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "o"), "--no-report", "--quiet"]) == 0
    )
    said = capsys.readouterr()
    assert said.out == "" and said.err == ""


def test_stages_are_lines_where_the_output_is_no_terminal(tmp_path, asked, capsys):
    main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out"), "--no-report"])
    lines = capsys.readouterr().err.splitlines()
    assert any(re.fullmatch(r"\[ 45 %\] Segmenting", line) for line in lines)
    assert any("Writing the results" in line for line in lines)


# --- failures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(errors.ERROR_TYPES))
def test_every_error_has_its_sentence_and_documented_exit_code(tmp_path, failing, capsys, code):
    error = errors.ERROR_TYPES[code]("This went wrong.")
    failing(error)
    status = main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out")])
    assert status == type(error).exit_code and status in EXIT_CODES
    said = capsys.readouterr()
    assert "Traceback" not in said.err and said.out == ""
    assert ("Cancelled; nothing was written." if code == "cancelled" else "This went wrong.") in unwrapped(
        said.err
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("code", ["no-liver", "model", "cancelled"])
def test_errors_are_json_objects_too(tmp_path, failing, capsys, code):
    failing(errors.ERROR_TYPES[code]("This went wrong.", "secret of developers"))
    status = main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out"), "--json"])
    content = json.loads(capsys.readouterr().out)["error"]
    assert content["code"] == code and content["exit_code"] == status
    assert content["message"] and content["details"] == "secret of developers"


def test_choosing_a_series_lists_them(tmp_path, failing, capsys):
    series = SeriesInfo("1.2.3", "portal", "CT", (512, 512, 100), (0.8, 0.8, 2.5), ("a", "b"), number=4)
    failing(errors.SeriesChoiceError("The folder holds two series; choose one.", [series]))
    arguments = ["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out")]
    assert main(arguments) == 3
    said = capsys.readouterr().err
    assert "--series 1.2.3" in said and "portal" in said
    main([*arguments, "--json"])
    listed = json.loads(capsys.readouterr().out)["error"]["series"]
    assert listed[0]["uid"] == "1.2.3" and listed[0]["files"] == 2 and listed[0]["size"] == [512, 512, 100]


def test_unexpected_failure_is_one_sentence_and_debug_tells_more(tmp_path, failing, capsys):
    failing(ZeroDivisionError("no such thing"))
    arguments = ["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out")]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said and "--debug" in said
    assert main(["--debug", *arguments]) == 1
    assert "Traceback" in unwrapped(capsys.readouterr().err)


def test_empty_arguments_do_not_mean_the_current_folder(tmp_path, asked, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for arguments in (["segment", "", "-o", "out"], ["segment", str(make_scan(tmp_path)), "-o", " "]):
        assert main(arguments) == 2
        assert "An argument is empty" in unwrapped(capsys.readouterr().err)
    assert not asked and not (tmp_path / "out").exists()


def test_missing_package_says_what_to_install(tmp_path, failing, capsys):
    failing(ModuleNotFoundError("No module named 'vtkmodules'", name="vtkmodules"))
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out")]) == 1
    assert "pip install vtk" in unwrapped(capsys.readouterr().err)


def test_missing_input_is_told_before_any_work(tmp_path, asked, capsys):
    assert main(["segment", str(tmp_path / "nothing.nii.gz"), "-o", str(tmp_path / "out")]) == 3
    assert "nothing.nii.gz" in unwrapped(capsys.readouterr().err)
    assert not asked and not (tmp_path / "out").exists()


def test_output_that_cannot_be_written_is_told_before_any_work(tmp_path, asked, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "file")]) == 7
    assert not asked and (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment"],
        ["nonsense"],
        ["segment", "x", "-o", "y", "--device", "abacus"],
        ["segment", "x", "-o", "y", "--format", "bmp"],
        ["segment", "x", "-o", "y", "--minimum-lesion", "-1"],
        ["segment", "x", "-o", "y", "--threads", "0"],
        ["segment", "x", "-o", "y", "--nonsense"],
        ["mesh", "x", "-o", "y.stl", "--label", "kidney"],
    ],
)
def test_wrong_options_are_exit_code_2_and_a_sentence(arguments, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and "Error:" in said.err and "--help" in said.err
    assert main([*arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


# --- Ctrl-C ------------------------------------------------------------------------------------------------

DRIVER = """
import sys, time
import LiverSegLib
from LiverSegLib import outputs
from LiverSegLib.cli import main
from LiverSegLib.cli.interrupts import JUDGING, PICTURES, SURFACES
from LiverSegLib.errors import CancelledError
sys.path.insert(0, {tests!r})
from test_cli import make_result

def segment(source, *, progress, cancel, **options):
    print("stage segment", file=sys.stderr, flush=True)
    for step in range({steps}):
        progress(step / 1000, "segment", "Segmenting")
        if {polls} and cancel():
            raise CancelledError("Cancelled.")
        time.sleep(0.02)
    return make_result(source, **options)

def slow_write(result, reservation, **options):
    late = [name for name in (*JUDGING, *PICTURES, *SURFACES) if name not in sys.modules]
    assert not late, f"Ctrl-C could hit these while they load: {{late}}"
    (reservation.staging / "segmentation.nii.gz").write_text("half")
    print("stage write", file=sys.stderr, flush=True)
    for _ in range(1500):  # a signal just before one long sleep would not be noticed until its end
        time.sleep(0.02)

LiverSegLib.segment = segment
outputs.write_results = slow_write
sys.exit(main(sys.argv[1:]))
"""


def start(tmp_path, *, steps: int, polls: bool = True, wait_for: str) -> subprocess.Popen:
    """Start ``liverseg segment`` with a slow stand-in and wait until its standard error says ``wait_for``."""
    arguments = ["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out"), "--quiet"]
    code = DRIVER.format(tests=str(Path(__file__).parent), steps=steps, polls=polls)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=str(Path(__file__).parents[2]),
    )  # fmt: skip
    for line in process.stderr:
        if wait_for in line:
            return process
    raise AssertionError(f"the command ended with {process.wait()} before it came to {wait_for!r}")


def end_of(process, tmp_path):
    """Wait for the end and return exit status and what was said; no output folder may be left."""
    out, err = process.communicate(timeout=30)
    assert out == ""
    assert not (tmp_path / "out").exists()
    return process.returncode, err


@pytest.mark.skipif(os.name == "nt", reason="signals as a POSIX terminal sends them")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_while_segmenting_ends_the_work_with_one_sentence(tmp_path, number):
    process = start(tmp_path, steps=3000, wait_for="stage segment")
    asked_at = time.monotonic()
    process.send_signal(number)
    status, said = end_of(process, tmp_path)
    assert time.monotonic() - asked_at < 20, "the work of a minute went on"
    assert status == 130 and said == "Error: Cancelled; nothing was written.\n"


@pytest.mark.skipif(os.name == "nt", reason="signals as a POSIX terminal sends them")
def test_ctrl_c_while_writing_leaves_nothing_behind(tmp_path):
    process = start(tmp_path, steps=1, wait_for="stage write")
    process.send_signal(signal.SIGINT)
    status, said = end_of(process, tmp_path)
    assert status == 130 and said == "Error: Cancelled; nothing was written.\n"


def test_ctrl_c_after_the_last_file_comes_too_late_and_is_not_called_a_cancellation(
    tmp_path, asked, monkeypatch, capsys
):
    real = segment_command.answer
    monkeypatch.setattr(
        segment_command, "answer", lambda *a: (signal.raise_signal(signal.SIGINT), real(*a))[1]
    )
    assert main(["segment", str(make_scan(tmp_path)), "-o", str(tmp_path / "out"), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files and all(Path(file).is_file() for file in files.values())


@pytest.mark.skipif(os.name == "nt", reason="signals as a POSIX terminal sends them")
def test_second_ctrl_c_ends_work_that_does_not_listen(tmp_path):
    process = start(tmp_path, steps=3000, polls=False, wait_for="stage segment")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    status, _ = end_of(process, tmp_path)
    assert status == 130


# --- the other commands ------------------------------------------------------------------------------------


def test_mesh_writes_the_structure_that_was_asked_for(tmp_path, capsys):
    labels = tmp_path / "labels.nrrd"
    sitk.WriteImage(make_labels(sitk.ReadImage(str(make_scan(tmp_path)))), str(labels))
    assert main(["mesh", str(labels), "-o", str(tmp_path / "spleen.stl"), "--label", "spleen"]) == 0
    assert (tmp_path / "spleen.stl").stat().st_size > 84
    assert "spleen.stl" in capsys.readouterr().out


def test_mesh_of_all_writes_one_file_a_structure(tmp_path, capsys):
    labels = tmp_path / "labels.mha"
    sitk.WriteImage(make_labels(sitk.ReadImage(str(make_scan(tmp_path)))), str(labels))
    assert main(["mesh", str(labels), "-o", str(tmp_path / "case.ply"), "--label", "all", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert {key: Path(path).name for key, path in files.items()} == {
        "liver": "case-liver.ply",
        "spleen": "case-spleen.ply",
        "tumour": "case-tumour.ply",
    }
    assert all(Path(path).is_file() for path in files.values())


def test_mesh_refuses_what_is_no_segmentation(tmp_path, capsys):
    scan = make_scan(tmp_path)
    assert main(["mesh", str(scan), "-o", str(tmp_path / "a.stl")]) == 3
    assert "no segmentation" in unwrapped(capsys.readouterr().err)
    assert main(["mesh", str(tmp_path / "none.nrrd"), "-o", str(tmp_path / "a.stl")]) == 3
    (tmp_path / "text.nrrd").write_text("not an image")
    assert main(["mesh", str(tmp_path / "text.nrrd"), "-o", str(tmp_path / "a.stl")]) == 3
    assert main(["mesh", str(scan), "-o", str(tmp_path / "a.docx")]) == 2
    assert not list(tmp_path.glob("a.*"))


def test_mesh_replaces_its_own_files_of_the_same_scan_only(tmp_path, capsys):
    labels = make_labels(sitk.ReadImage(str(make_scan(tmp_path))))
    moved = sitk.Image(labels)
    moved.SetOrigin([value + 7 for value in labels.GetOrigin()])
    for name, image in (("a", labels), ("b", moved)):
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))

    def mesh(name, output):
        return main(["mesh", str(tmp_path / f"{name}.nrrd"), "-o", str(tmp_path / output)])

    for ending in ("stl", "obj", "ply"):
        path = tmp_path / f"liver.{ending}"
        assert mesh("a", path.name) == 0 and mesh("a", path.name) == 0, "its own file is replaced"
        before = path.read_bytes()
        assert mesh("b", path.name) == 7
        assert (
            "a surface from another scan" in unwrapped(capsys.readouterr().err)
            and path.read_bytes() == before
        )
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        changed = path.read_bytes()
        assert mesh("a", path.name) == 7
        assert "changed since" in unwrapped(capsys.readouterr().err) and path.read_bytes() == changed
    (tmp_path / "mine-spleen.stl").write_text("a print of mine")
    arguments = ["mesh", str(tmp_path / "a.nrrd"), "-o", str(tmp_path / "mine.stl"), "--label", "all"]
    assert main(arguments) == 7
    assert (tmp_path / "mine-spleen.stl").read_text() == "a print of mine"
    assert not (tmp_path / "mine-liver.stl").exists(), "nothing is written where one file is refused"


def test_mesh_says_when_the_structure_is_not_there(tmp_path, capsys):
    labels = make_labels(sitk.ReadImage(str(make_scan(tmp_path)))) == 2
    sitk.WriteImage(labels * 2, str(tmp_path / "spleen.nrrd"))
    assert (
        main(["mesh", str(tmp_path / "spleen.nrrd"), "-o", str(tmp_path / "a.stl"), "--label", "tumour"]) == 3
    )
    assert "no tumour" in unwrapped(capsys.readouterr().err)


def test_series_lists_a_dicom_folder(tmp_path, monkeypatch, capsys):
    found = [
        SeriesInfo("1.2.3", "portal", "CT", (512, 512, 100), (0.8, 0.8, 2.5), ("a", "b"), "portal", number=4),
        SeriesInfo(
            "1.2.4", "scout", "CT", (512, 512, 1), (1.0, 1.0, 1.0), ("c",), suitable=False, reason="one slice"
        ),
    ]
    monkeypatch.setattr("LiverSegLib.images.list_series", lambda folder: found)
    assert main(["series", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "one slice" in said
    assert "--series 1.2.3" in said and "--series 1.2.4" not in said
    assert main(["series", str(tmp_path), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["series"]
    assert [series["suitable"] for series in listed] == [True, False]


def test_series_of_nothing_is_an_error(tmp_path, capsys):
    assert main(["series", str(tmp_path / "none")]) == 3
    assert main(["series", str(tmp_path)]) == 3


def test_models_shows_a_broken_model_and_why(tmp_path, monkeypatch, capsys):
    (tmp_path / "store" / "broken").mkdir(parents=True)
    (tmp_path / "store" / "broken" / "model.json").write_text("{")
    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "store"))
    assert main(["models"]) == 0
    assert "Cannot be used" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    broken = [model for model in listed if model["name"] == "broken"]
    assert broken[0]["error"]["code"] == "model-corrupt" and broken[0]["manifest"] is None


def test_models_shows_licence_training_data_and_measured_accuracy(root, monkeypatch, capsys):
    from dataclasses import replace

    from LiverSegLib.models import Accuracy, load_model

    model = load_model("default")
    rows = ({"case": "one", "liver Dice": 0.9634}, {"case": "two", "liver Dice": None, "note": "no liver"})
    manifest = replace(model.manifest, accuracy=Accuracy("three patients", rows))
    monkeypatch.setattr("LiverSegLib.models.list_models", lambda: [replace(model, manifest=manifest)])
    assert main(["models"]) == 0
    said = capsys.readouterr().out
    assert manifest.licence in said and manifest.training_data[0].name.split(",")[0] in said
    assert "Measured on three patients" in said and "0.963" in said and "no liver" in said
    assert main(["models", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["models"]
    assert listed["sha256"] == model.sha256 and listed["manifest"]["accuracy"]["dataset"] == "three patients"


# --- the command itself ------------------------------------------------------------------------------------


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"liverseg {LiverSegLib.__version__}\n"
    assert main(["segment", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"{code}" in said for code in EXIT_CODES)
    assert main([]) == 0
    assert "segment" in capsys.readouterr().out


def test_exit_codes_are_documented(root):
    documented = (root / "docs" / "terminal.md").read_text(encoding="utf-8")
    for code in EXIT_CODES:
        assert re.search(rf"^\| {code} \|", documented, re.MULTILINE), (
            f"{code} is missing in docs/terminal.md"
        )
    assert {error.exit_code for error in errors.ERROR_TYPES.values()} <= set(EXIT_CODES)


def test_every_option_is_documented(root, capsys):
    documented = (root / "docs" / "terminal.md").read_text(encoding="utf-8")
    for command in (
        "segment",
        "measure",
        "explain",
        "series",
        "fetch",
        "push",
        "mesh",
        "models",
        "networks",
        "doctor",
    ):
        main([command, "--help"])
        for option in set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}:
            assert option in documented, f"{option} of {command} is missing in docs/terminal.md"


def test_help_loads_neither_torch_nor_vtk_nor_scipy():
    code = textwrap.dedent(
        """
        import sys
        from LiverSegLib.cli import main
        main(["--help"])
        loaded = {"torch", "vtk", "vtkmodules", "scipy", "pydicom", "PIL"} & set(sys.modules)
        assert not loaded, loaded
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=str(Path(__file__).parents[2])
    )
    assert run.returncode == 0, run.stderr


def test_output_that_nobody_reads_any_more_ends_silently():
    code = "import sys; from LiverSegLib.cli import main; sys.exit(main(['segment', '--help']))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=str(Path(__file__).parents[2]),
    )
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_module_can_be_run():
    run = subprocess.run(
        [sys.executable, "-m", "LiverSegLib.cli", "--version"], capture_output=True, text=True,
        cwd=str(Path(__file__).parents[2]),
    )  # fmt: skip
    assert run.returncode == 0 and run.stdout.startswith("liverseg ")


def test_bar_shows_stage_and_remaining_time_on_a_terminal():
    from rich.console import Console

    from LiverSegLib.cli.progress import ProgressBar

    console = Console(force_terminal=True, width=100, file=open(os.devnull, "w"), record=True)
    with console.file, ProgressBar(console) as bar:
        bar(0.25, "locate", "Looking for the liver")
        bar._bar.refresh()
        drawn = console.export_text()
    assert "Looking for the liver" in drawn and "25%" in drawn and "--:--" in drawn


def test_as_error_keeps_ours():
    ours = errors.NoLiverError("none")
    assert app.as_error(ours) is ours
