"""A folder belongs to one scan: the wrong things that a tired person does with ``-o``."""

import os

import doubles
import numpy as np
import pytest
import SimpleITK as sitk
from doubles import unwrapped
from fatty_phantom import fatty_scan

import LiverSegLib
from LiverSegLib.api import Result
from LiverSegLib.cli import main
from LiverSegLib.errors import OutputError
from LiverSegLib.images import read_scan
from LiverSegLib.measure import measure
from LiverSegLib.outputs import write_results

OUTPUT_ERROR = OutputError.exit_code


@pytest.fixture(scope="module")
def case():
    return fatty_scan()


@pytest.fixture
def scans(tmp_path, case):
    """Scan A, its mask, and scan B of another patient who got the same mask."""
    image, labels = case
    for name, picture in (("a", image), ("b", image + 1), ("mask", labels)):
        sitk.WriteImage(sitk.Cast(picture, image.GetPixelID()), str(tmp_path / f"{name}.nii.gz"))
    return {name: str(tmp_path / f"{name}.nii.gz") for name in ("a", "b", "mask")}


@pytest.fixture
def segmented(monkeypatch, case):
    """Replace the network; the list holds the scans that it was asked for."""
    asked = []

    def segment(source, **options):
        asked.append(str(source))
        scan = read_scan(source, options.get("series"))
        facts = {"input": {"name": scan.name, "sha256": scan.fingerprint}, "phase": {"phase": "unenhanced"}}
        probability = np.zeros(scan.image.GetSize()[::-1], np.uint8)
        return Result(scan.name, scan.image, case[1], probability, measure(case[1], scan.image), facts, ())

    monkeypatch.setattr(LiverSegLib, "segment", segment, raising=False)
    return asked


def contents(folder):
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def steatosis(scans, scan, output):
    return main(["steatosis", scans[scan], "-l", scans["mask"], "-o", str(output), "--quiet"])


def segment(scans, scan, output):
    return main(["segment", scans[scan], "-o", str(output), "--no-report", "--quiet"])


@pytest.mark.parametrize("first", [steatosis, segment])
@pytest.mark.parametrize("second", [steatosis, segment])
def test_folder_of_another_scan_is_refused_before_any_work(
    tmp_path, scans, segmented, capsys, monkeypatch, first, second
):
    monkeypatch.setenv("COLUMNS", "80")
    output = tmp_path / "out"
    assert first(scans, "a", output) == 0
    before, asked = contents(output), len(segmented)
    assert second(scans, "b", output) == OUTPUT_ERROR
    said = unwrapped(capsys.readouterr().err)
    assert said == f"Error: {output} holds the results of another scan (a); choose another folder."
    assert contents(output) == before and len(segmented) == asked


def test_same_scan_replaces_its_files_and_adds_the_other_set(tmp_path, scans, segmented):
    output = tmp_path / "out"
    for command in (steatosis, segment, steatosis, segment):
        assert command(scans, "a", output) == 0
    assert {"measurements.json", "steatosis.json"} <= set(contents(output))


def test_same_scan_under_another_name_is_the_same_scan(tmp_path, scans, segmented):
    output = tmp_path / "out"
    assert segment(scans, "a", output) == 0
    os.rename(scans["a"], tmp_path / "renamed.nii.gz")
    assert segment({"a": str(tmp_path / "renamed.nii.gz")}, "a", output) == 0


def test_python_refuses_the_folder_of_another_scan_too(tmp_path):
    first, second = (doubles.result(name=name, input={"sha256": name}) for name in ("one", "two"))
    plain = {"report": False, "rendering": False}
    write_results(first, tmp_path, **plain)
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"the results of another scan \(one\)") as refused:
        write_results(second, tmp_path, **plain)
    assert refused.value.args[0].key == "folder.another-scan"
    assert contents(tmp_path) == before
    write_results(first, tmp_path, **plain)


def test_index_that_the_user_broke_is_no_reason_to_overwrite(tmp_path, scans, segmented, capsys):
    output = tmp_path / "out"
    assert segment(scans, "a", output) == 0
    (output / "measurements.json").write_text("{}")
    before = contents(output)
    assert segment(scans, "b", output) == OUTPUT_ERROR
    assert "LiverSeg did not write or that was changed since" in unwrapped(capsys.readouterr().err)
    assert contents(output) == before


@pytest.mark.parametrize("command", [steatosis, segment])
def test_file_in_place_of_the_folder_stays(tmp_path, scans, segmented, capsys, command):
    output = tmp_path / "out"
    output.write_text("a letter")
    assert command(scans, "a", output) == OUTPUT_ERROR
    assert "is a file, not a folder" in unwrapped(capsys.readouterr().err)
    assert output.read_text() == "a letter" and segmented == []
