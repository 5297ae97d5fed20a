"""Zip archives of DICOM series: read like a folder, nothing left behind, what is hostile refused."""

import gc
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("pydicom")
from test_dicom import array, write_series  # noqa: E402

from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.dicom import require_dicom_source  # noqa: E402
from LiverSegLib.errors import (  # noqa: E402
    CancelledError,
    OutputError,
    SeriesChoiceError,
    UnreadableImageError,
)
from LiverSegLib.images import list_series, read_scan, unchanged, unpacking  # noqa: E402
from LiverSegLib.sentences import key_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("empty_temporary_folder")


@pytest.fixture(autouse=True)
def nothing_is_kept(empty_temporary_folder):
    """A scan that a test still holds keeps its files; when it is gone, they are."""
    yield
    gc.collect()


def zipped(folder, path, extra=()):
    """A zip of a folder, and of further members: (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, str(file.relative_to(folder.parent)))
        for name, data in extra:
            archive.writestr(name, data)
    return path


@pytest.fixture
def study(tmp_path):
    """A folder with a series, a directory and a viewer, as a portal packs them."""
    folder = tmp_path / "EXPORT"
    write_series(folder / "DICOM" / "S1")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(60))
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(500))
    return folder


def refused(path, key, error=UnreadableImageError):
    with pytest.raises(error) as caught:
        read_scan(path)
    assert key_of(caught.value.sentence) == key
    return str(caught.value)


def test_an_archive_is_read_like_its_folder_and_nothing_stays(tmp_path, study, empty_temporary_folder):
    path = zipped(study, tmp_path / "anna.zip", [("deep/viewer.zip", b"PK")])
    scan, folder = read_scan(path), read_scan(study)
    assert np.array_equal(array(scan), array(folder)) and scan.fingerprint == folder.fingerprint
    assert (scan.name, scan.path, scan.warnings) == ("anna", str(path), ())
    assert [state[0] for state in scan.files] == [str(path)] and unchanged(scan)
    place = next(empty_temporary_folder.iterdir())
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert len(list(place.iterdir())) == 12 + 1  # the slices and the mark of their owner, no viewer
    files = scan.dicom_files
    del scan
    gc.collect()
    assert all(Path(file).is_file() for file in files.files), "a DICOM export reads them after the run"
    del files
    gc.collect()
    assert not list(empty_temporary_folder.iterdir())


def test_names_of_windows_and_names_that_are_there_twice(tmp_path, study):
    slices = sorted((study / "DICOM" / "S1").iterdir())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, file in enumerate(slices):
            info = zipfile.ZipInfo("x")
            info.filename = f"PAT\\S{number}\\IM:0?.dcm"  # set later: zipfile would turn its backslashes
            archive.writestr(info, file.read_bytes())
    assert np.array_equal(array(read_scan(tmp_path / "a.zip")), array(read_scan(study)))


def test_several_series_are_listed_and_one_is_chosen(tmp_path, study, capsys):
    write_series(study / "DICOM" / "S2", SeriesNumber=7, SeriesDescription="Abdomen arteriell")
    path = zipped(study, tmp_path / "a.zip")
    with pytest.raises(SeriesChoiceError):
        read_scan(path)
    assert read_scan(path, "7").series.phase_hint == "arterial"
    assert len(list_series(path)) == 2
    assert main(["series", str(path)]) == 0
    assert "Abdomen arteriell" in capsys.readouterr().out


def test_an_archive_that_is_read_twice_is_unpacked_once(tmp_path, study, empty_temporary_folder):
    path = zipped(study, tmp_path / "a.zip")
    first, second = read_scan(path), read_scan(path)
    assert first.kept is second.kept and len(list(empty_temporary_folder.iterdir())) == 1


def test_dicom_objects_can_be_made_of_an_archive(tmp_path, study):
    require_dicom_source(zipped(study, tmp_path / "a.zip"))


def test_the_terminal_measures_a_scan_in_an_archive_and_leaves_nothing(tmp_path, study, capsys):
    path = zipped(study, tmp_path / "a.zip")
    labels = np.zeros(array(read_scan(study)).shape, np.uint8)
    labels[3:9, 10:20, 12:24] = 1
    mask = sitk.GetImageFromArray(labels)
    mask.CopyInformation(read_scan(study).image)
    sitk.WriteImage(mask, str(tmp_path / "mask.nii.gz"))
    arguments = ["measure", str(path), str(tmp_path / "mask.nii.gz"), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--no-report"]) == 0
    assert str(path) in (tmp_path / "out" / "measurements.json").read_text(encoding="utf-8")
    capsys.readouterr()


def test_the_folder_is_gone_when_a_process_ends_or_the_next_begins(tmp_path, study, empty_temporary_folder):
    path = zipped(study, tmp_path / "a.zip")
    code = "import os, sys; from LiverSegLib.images import read_scan; scan = read_scan(sys.argv[1]); {end}"
    root = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", code.format(end="pass"), path], check=True, cwd=root)
    assert not list(empty_temporary_folder.iterdir())
    subprocess.run([sys.executable, "-c", code.format(end="os._exit(9)"), path], check=False, cwd=root)
    (left,) = empty_temporary_folder.iterdir()
    scan = read_scan(path)
    assert not left.exists() and scan.series


# ---- what is refused


def flagged(path, offset_local, offset_central, value):
    """Set two bytes of every member's heading in both lists of an archive."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", offset_local), (b"PK\x01\x02", offset_central)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset : at + offset + 2] = value.to_bytes(2, "little")
            at = data.find(mark, at + 4)
    path.write_bytes(data)
    return path


def test_encrypted_and_oddly_packed_archives(tmp_path, study):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.dcm").write_bytes(bytes(128) + b"DICM")
    assert "password" in refused(
        flagged(zipped(tmp_path / "one", tmp_path / "a.zip"), 6, 8, 1), "zip.encrypted"
    )
    refused(flagged(zipped(tmp_path / "one", tmp_path / "b.zip"), 8, 10, 9), "zip.method")


def test_damaged_archives(tmp_path, study):
    path = zipped(study, tmp_path / "a.zip")
    data = path.read_bytes()
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    (tmp_path / "words.zip").write_text("no archive")
    changed = bytearray(data)
    changed[len(data) // 3 : len(data) // 3 + 40] = bytes(40)
    (tmp_path / "changed.zip").write_bytes(changed)
    for name in ("half", "words", "changed"):
        refused(tmp_path / f"{name}.zip", "zip.damaged")


@pytest.mark.parametrize(
    "name", ["../IM1.dcm", "a/../../IM1.dcm", "/etc/IM1.dcm", "C:/IM1.dcm", "C:IM1", "a\\..\\..\\IM1.dcm"]
)
def test_names_that_lead_out(tmp_path, study, name):
    info = zipfile.ZipInfo("x")
    info.filename = name
    refused(zipped(study, tmp_path / "a.zip", [(info, b"x")]), "zip.leads-out")


def test_links(tmp_path, study):
    info = zipfile.ZipInfo("EXPORT/IM99.dcm")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    refused(zipped(study, tmp_path / "a.zip", [(info, b"/etc/passwd")]), "zip.link")


def test_bombs_and_lies(tmp_path, study, monkeypatch):
    bomb = zipped(study, tmp_path / "bomb.zip", [("IM1.dcm", bytes(70 * 1024**2))])
    refused(bomb, "zip.bomb")
    path = zipped(study, tmp_path / "a.zip")
    for limit, key in (("MAX_MEMBERS", "zip.too-many"), ("MAX_BYTES", "zip.too-large")):
        with monkeypatch.context() as patch:
            patch.setattr(unpacking, limit, 3)
            refused(path, key)
    liar = flagged(path, 24, 26, 0)  # the upper half of the unpacked size
    liar = flagged(liar, 22, 24, 400)
    refused(liar, "zip.damaged")


def test_archives_without_dicom(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "notes.txt").write_text("no image")
    refused(zipped(folder, tmp_path / "a.zip"), "zip.no-dicom")
    text = refused(zipped(folder, tmp_path / "b.zip", [("inner\n.zip", b"PK")]), "zip.nested")
    assert "inner\\n.zip" in text


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, study, monkeypatch):
    path = zipped(study, tmp_path / "a.zip")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda place: usage)
    assert "GB free" in refused(path, "zip.no-room", OutputError)


def test_a_disk_that_fills_up_and_a_user_who_stops_leave_nothing(tmp_path, study, monkeypatch):
    path = zipped(study, tmp_path / "a.zip")
    asked = []

    def stop():
        asked.append(1)
        if len(asked) > 20:
            raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        read_scan(path, check=stop)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpacking, "_write", full)
    assert "full" in refused(path, "zip.not-unpacked", OutputError)
