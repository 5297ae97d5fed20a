"""Results on the disk: what is in the files, and that a folder holds a whole set or the one before."""

import csv
import errno
import gzip
import json
import os
import time
from pathlib import Path

import doubles
import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib import locks, surfaces
from LiverSegLib.errors import OutputError, UsageError
from LiverSegLib.images.integrity import read_header
from LiverSegLib.labels import LABELS
from LiverSegLib.measure import Measurements
from LiverSegLib.outputs import (
    LABEL_FORMATS,
    atomic,
    check_output_folder,
    reserve,
    results,
    write_labels,
    write_results,
)
from LiverSegLib.outputs.label_files import segment_metadata

PNG = b"\x89PNG, as it were"
DIRECTIONS = {
    "usual": np.eye(3),
    "oblique": np.reshape(doubles.OBLIQUE, (3, 3)),
    "left-handed": np.diag([1.0, 1.0, -1.0]),
    "left-handed oblique": np.reshape(doubles.OBLIQUE, (3, 3)) @ np.diag([1.0, -1.0, 1.0]),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "half a turn": np.diag([-1.0, -1.0, 1.0]),
    "half a turn about x": np.diag([1.0, -1.0, -1.0]),
}


@pytest.fixture(scope="module")
def result():
    return doubles.result()


@pytest.fixture(autouse=True)
def quick_picture(monkeypatch):
    monkeypatch.setattr(surfaces, "render", lambda *_, **__: PNG)


def hidden(place: Path):
    return sorted(entry.name for entry in place.iterdir() if entry.name.startswith("."))


def contents(place: Path):
    return {entry.name: entry.read_bytes() for entry in place.iterdir() if entry.is_file()}


class TestLabelFiles:
    @pytest.mark.parametrize("label_format", LABEL_FORMATS)
    @pytest.mark.parametrize("name", list(DIRECTIONS))
    def test_voxels_and_grid_come_back(self, tmp_path, name, label_format):
        image = doubles.scan(DIRECTIONS[name].ravel().tolist())
        labels = doubles.result(image).labels
        path = tmp_path / f"mask.{label_format}"
        write_labels(path, labels, label_format)
        back = sitk.ReadImage(str(path))
        assert back.GetPixelID() == sitk.sitkUInt8
        assert np.array_equal(sitk.GetArrayViewFromImage(back), sitk.GetArrayViewFromImage(labels))
        for get in ("GetOrigin", "GetSpacing", "GetDirection"):
            assert getattr(back, get)() == pytest.approx(getattr(labels, get)(), abs=1e-5)

    def test_a_sheared_grid_is_kept_in_nifti(self, tmp_path):
        matrix = np.array([[1.0, 0.2, 0.0], [0.0, np.sqrt(1 - 0.04), 0.0], [0.0, 0.0, 1.0]])
        labels = doubles.result(doubles.scan(matrix.ravel().tolist())).labels
        write_labels(tmp_path / "mask.nii.gz", labels, "nii.gz")
        header = read_header(str(tmp_path / "mask.nii.gz"))
        flip = np.diag([-1.0, -1.0, 1.0])
        assert header.is_sheared
        assert header.affine[:3, :3] == pytest.approx(flip @ matrix * labels.GetSpacing(), abs=1e-5)
        assert header.affine[:3, 3] == pytest.approx(flip @ labels.GetOrigin())

    def test_nifti_is_the_same_bytes_every_time(self, tmp_path, result):
        for name in ("a", "b"):
            write_labels(tmp_path / f"{name}.nii.gz", result.labels, "nii.gz")
        assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
        assert len(gzip.decompress((tmp_path / "a.nii.gz").read_bytes())) == 352 + 26 * 22 * 14

    def test_slicer_finds_its_fields_in_seg_nrrd(self, tmp_path, result):
        write_labels(tmp_path / "mask.seg.nrrd", result.labels, "seg.nrrd")
        head = (tmp_path / "mask.seg.nrrd").read_bytes().split(b"\n\n")[0].decode()
        assert "space: left-posterior-superior" in head
        assert "dimension: 3" in head
        fields = dict(line.split(":=", 1) for line in head.splitlines() if ":=" in line)
        assert fields["Segmentation_SourceRepresentation"] == "Binary labelmap"
        assert fields["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
        for index, info in enumerate(LABELS.values()):
            assert fields[f"Segment{index}_ID"] == info.key
            assert fields[f"Segment{index}_Name"] == info.name
            assert fields[f"Segment{index}_LabelValue"] == str(info.value)
            assert fields[f"Segment{index}_Layer"] == "0"
            colour = [float(channel) for channel in fields[f"Segment{index}_Color"].split()]
            assert colour == pytest.approx([channel / 255 for channel in info.colour], abs=1e-5)
        assert fields["Segment0_Tags"] == (
            "TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
            "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^"
            "~Anatomic codes - DICOM master list~^^~^^|"
        )
        assert (
            "SCT^108369006^Neoplasm~^^~Anatomic codes - DICOM master list~SCT^10200004^Liver~^^|"
            in (fields["Segment2_Tags"])
        )

    def test_extents_are_bounding_boxes_in_voxels_x_y_z(self):
        array = np.zeros((5, 6, 7), np.uint8)
        array[1:3, 2:5, 3:7] = 1
        fields = segment_metadata(sitk.GetImageFromArray(array))
        assert fields["Segment0_Extent"] == "3 6 2 4 1 2"
        assert fields["Segment1_Extent"] == "0 -1 0 -1 0 -1"

    def test_a_long_scan_is_written_in_moments(self, tmp_path):
        array = np.zeros((600, 512, 512), np.uint8)
        array[200:400, 150:350, 100:300] = 1
        labels = sitk.GetImageFromArray(array)
        start = time.process_time()
        write_labels(tmp_path / "mask.nii.gz", labels, "nii.gz")
        assert time.process_time() - start < 1.5


class TestTheSet:
    def test_all_files_are_there_and_agree(self, tmp_path, result):
        files = write_results(result, tmp_path / "deep" / "out", highlight=True)
        assert {key: path.name for key, path in files.items()} == {
            "segmentation": "segmentation.nii.gz",
            "measurements": "measurements.json",
            "measurements_csv": "measurements.csv",
            "lesions_csv": "lesions.csv",
            "rendering": "rendering.png",
            "report": "report.html",
            "highlight": "highlight.nii.gz",
        }
        assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == {
            p.name for p in files.values()
        }
        content = json.loads(files["measurements"].read_text(encoding="utf-8"))
        assert Measurements.from_dict(content["measurements"]) == result.measurements
        assert content["provenance"] == result.provenance
        assert content["warnings"] == list(result.warnings)
        with open(files["lesions_csv"], newline="", encoding="utf-8") as file:
            assert len(list(csv.reader(file))) == 1 + len(result.measurements.lesions)
        assert files["rendering"].read_bytes() == PNG
        greys = sitk.GetArrayFromImage(sitk.ReadImage(str(files["highlight"])))
        assert set(np.unique(greys[doubles.labels_array() == 3])) == {255}
        assert "research use only" in files["report"].read_text(encoding="utf-8").lower()

    @pytest.mark.parametrize("label_format", LABEL_FORMATS)
    def test_the_format_is_the_file_name_ending(self, tmp_path, result, label_format):
        files = write_results(result, tmp_path, label_format=label_format, report=False, rendering=False)
        assert sorted(path.name for path in files.values()) == [
            "lesions.csv", "measurements.csv", "measurements.json", f"segmentation.{label_format}",
        ]  # fmt: skip

    def test_an_unknown_format_is_named_with_what_there_is(self, tmp_path, result):
        with pytest.raises(UsageError, match=r'Unknown format "dcm". Available: nii.gz, nrrd, mha, seg.nrrd'):
            write_results(result, tmp_path / "out", label_format="dcm")
        assert not (tmp_path / "out").exists()

    def test_a_picture_that_cannot_be_drawn_is_a_warning(self, tmp_path, result, monkeypatch):
        def fail(*_, **__):
            raise OutputError(
                "The 3-D picture could not be drawn because no OpenGL library works on this machine."
            )

        monkeypatch.setattr(surfaces, "render", fail)
        files = write_results(result, tmp_path)
        assert "rendering" not in files and not (tmp_path / "rendering.png").exists()
        warnings = json.loads(files["measurements"].read_text())["warnings"]
        assert warnings[0] == "A warning."
        assert "no OpenGL library" in warnings[1]

    def test_numbers_that_json_lacks_become_null(self, tmp_path):
        odd = doubles.result(odd=float("nan"))
        files = write_results(odd, tmp_path, report=False, rendering=False)
        assert json.loads(files["measurements"].read_text())["provenance"]["odd"] is None


class TestRunningAgain:
    def test_a_new_set_replaces_the_old_one_whole(self, tmp_path, result):
        write_results(result, tmp_path)
        files = write_results(result, tmp_path, label_format="nrrd", report=False, rendering=False)
        assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files.values()}

    def test_other_files_are_not_touched(self, tmp_path, result):
        (tmp_path / "notes.txt").write_text("mine")
        (tmp_path / "sub").mkdir()
        write_results(result, tmp_path, report=False, rendering=False)
        write_results(result, tmp_path, report=False, rendering=False)
        assert (tmp_path / "notes.txt").read_text() == "mine"
        assert (tmp_path / "sub").is_dir()

    def test_a_file_that_was_edited_since_is_not_overwritten(self, tmp_path, result):
        files = write_results(result, tmp_path, report=False, rendering=False)
        files["segmentation"].write_bytes(b"corrected by hand")
        before = contents(tmp_path)
        for attempt in (check_output_folder, lambda place: write_results(result, place)):
            with pytest.raises(
                OutputError, match="holds a segmentation.nii.gz that LiverSeg did not write or"
            ):
                attempt(tmp_path)
        assert contents(tmp_path) == before

    def test_an_edited_file_without_successor_stays(self, tmp_path, result):
        files = write_results(result, tmp_path, report=False, rendering=False)
        files["segmentation"].write_bytes(b"corrected by hand")
        write_results(result, tmp_path, label_format="mha", report=False, rendering=False)
        assert files["segmentation"].read_bytes() == b"corrected by hand"

    def test_somebody_elses_file_of_the_same_name_is_not_overwritten(self, tmp_path, result):
        (tmp_path / "report.html").write_text("another program's")
        with pytest.raises(OutputError, match="holds a report.html"):
            write_results(result, tmp_path)
        assert contents(tmp_path) == {"report.html": b"another program's"}
        write_results(result, tmp_path, report=False, rendering=False)
        assert (tmp_path / "report.html").read_text() == "another program's"

    @pytest.mark.parametrize("damage", ["", "[]", '{"liverseg": 1}', '{"liverseg": {"content": "results"}}'])
    def test_a_damaged_measurements_file_counts_as_somebody_elses(self, tmp_path, result, damage):
        (tmp_path / "measurements.json").write_text(damage)
        with pytest.raises(OutputError, match="holds a measurements.json"):
            write_results(result, tmp_path, report=False, rendering=False)


class TestCheckingBefore:
    def test_a_report_without_pillow_is_refused_before_the_work(self, tmp_path, monkeypatch):
        monkeypatch.setattr(results, "find_spec", lambda name: None)
        with pytest.raises(OutputError, match="pip install pillow"):
            check_output_folder(tmp_path)
        check_output_folder(tmp_path, report=False)

    def test_a_check_leaves_nothing_behind(self, tmp_path):
        check_output_folder(tmp_path / "new" / "folder")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "there").mkdir()
        check_output_folder(tmp_path / "there")
        assert list((tmp_path / "there").iterdir()) == []

    @pytest.mark.parametrize("inside", ["", "sub", "sub/sub"])
    def test_a_file_is_no_folder(self, tmp_path, inside):
        (tmp_path / "file").write_text("x")
        with pytest.raises(OutputError, match="is a file, not a folder"):
            check_output_folder(tmp_path / "file" / inside)

    def test_a_nearly_full_disk_is_told_before_the_work(self, tmp_path, monkeypatch):
        usage = type("Usage", (), {"free": 1_000_000})()
        monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(OutputError, match="nearly full: 1 MB free, results may take 32 MB"):
            check_output_folder(tmp_path / "out")
        assert not (tmp_path / "out").exists()

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where even root cannot write")
    def test_a_place_that_nobody_can_write_to(self):
        with pytest.raises(OutputError, match="LiverSeg could not make the folder /proc/out/a"):
            check_output_folder("/proc/out/a")


class TestLock:
    def test_the_second_run_is_told_at_once_and_the_first_goes_on(self, tmp_path, result):
        with reserve(tmp_path / "out") as reservation:
            with pytest.raises(OutputError, match=r"Another run \(process \d+ on .*\) is writing into"):
                write_results(result, tmp_path / "out")
            with pytest.raises(OutputError, match="is writing into"):
                check_output_folder(tmp_path / "out")
            write_results(result, reservation, report=False, rendering=False)
        assert (tmp_path / "out" / "measurements.json").exists()
        assert hidden(tmp_path / "out") == []

    def test_a_reservation_without_results_leaves_no_folder(self, tmp_path):
        with pytest.raises(ZeroDivisionError):
            with reserve(tmp_path / "a" / "b"):
                raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("text", ['{"pid": 1, "host": "another-computer"}', "{", ""])
    def test_a_lock_that_nobody_holds_is_taken_over(self, tmp_path, result, text):
        (tmp_path / atomic.LOCK_NAME).write_text(text)
        write_results(result, tmp_path, report=False, rendering=False)
        assert hidden(tmp_path) == []

    def test_a_lock_ends_with_its_process(self, tmp_path):
        pid = os.fork()
        if pid == 0:
            reservation = reserve(tmp_path)
            reservation.__enter__()
            os.kill(os.getpid(), 9)
        os.waitpid(pid, 0)
        assert atomic.LOCK_NAME in hidden(tmp_path)
        check_output_folder(tmp_path)
        assert hidden(tmp_path) == []

    @pytest.mark.parametrize("text", ['{"pid": 1, "host": "another-computer"}', "{", ""])
    def test_a_held_lock_that_cannot_be_judged_is_respected_and_named(self, tmp_path, text):
        held = locks.hold(tmp_path / atomic.LOCK_NAME)
        (tmp_path / atomic.LOCK_NAME).write_text(text)
        with pytest.raises(OutputError, match="If none is running, delete .*liverseg-lock"):
            check_output_folder(tmp_path)
        assert (tmp_path / atomic.LOCK_NAME).read_text() == text
        held.release()
        check_output_folder(tmp_path)

    def test_it_works_on_disks_without_locks(self, tmp_path, monkeypatch):
        def no_locks(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(locks.fcntl, "flock", no_locks)
        check_output_folder(tmp_path)
        assert hidden(tmp_path) == []

    def test_a_lock_that_was_removed_in_between_is_made_anew(self, tmp_path, monkeypatch):
        """Another run opened its file, and its holder removed it before the lock was free."""
        lock, real, calls = tmp_path / "lock", locks._lock, []

        def removed_in_between(file):
            calls.append(file)
            if len(calls) == 1:
                lock.unlink()
            return real(file)

        monkeypatch.setattr(locks, "_lock", removed_in_between)
        held = locks.hold(lock)
        assert len(calls) == 2 and not locks.is_left_over(lock)
        assert locks.is_held(lock)
        held.release()
        assert not lock.exists() and not locks.is_held(lock)
        lock.write_text("left over")
        assert locks.is_left_over(lock) and not locks.is_held(lock)


class TestSwap:
    """Stopping the moment when the new set takes the old one's place, at every step of it."""

    def stop_at(self, monkeypatch, step, error):
        """Make the ``step``-th renaming raise; returns the counter."""
        real, count = os.replace, [0]

        def replace(source, target):
            count[0] += 1
            if count[0] == step:
                raise error
            real(source, target)

        monkeypatch.setattr(atomic.os, "replace", replace)
        return count

    @pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
    def test_a_renaming_that_fails_puts_the_old_set_back(self, tmp_path, result, monkeypatch, error):
        write_results(result, tmp_path, label_format="nrrd", report=False, rendering=False)
        before = contents(tmp_path)
        for step in range(1, 50):
            with monkeypatch.context() as patch:
                count = self.stop_at(patch, step, error)
                try:
                    write_results(result, tmp_path, report=False, rendering=False)
                except (OutputError, KeyboardInterrupt):
                    assert contents(tmp_path) == before
                    assert hidden(tmp_path) == []
                else:
                    assert count[0] < step
                    break
        assert (
            step == 10
        )  # the journal, four old files aside, four new ones in place, and one that was not reached

    @pytest.mark.parametrize("step", range(1, 10))
    def test_after_kill_9_in_the_middle_the_next_run_puts_the_old_set_back(self, tmp_path, result, step):
        write_results(result, tmp_path, report=False, rendering=False)
        before = contents(tmp_path)
        new = doubles.result(name="new")
        pid = os.fork()
        if pid == 0:  # the child is gone in the middle of a renaming, without any clean-up
            real, count = os.replace, [0]

            def replace(source, target):
                count[0] += 1
                if count[0] == step:
                    os._exit(9)
                real(source, target)

            atomic.os.replace = replace
            write_results(new, tmp_path, report=False, rendering=False)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        assert atomic.LOCK_NAME in hidden(tmp_path)
        check_output_folder(tmp_path)
        assert contents(tmp_path) == before
        assert hidden(tmp_path) == []

    def test_a_finished_swap_is_not_undone_by_the_next_run(self, tmp_path, result, monkeypatch):
        write_results(result, tmp_path, report=False, rendering=False)
        with monkeypatch.context() as patch:
            patch.setattr(atomic.Reservation, "end", lambda _: None)  # killed right after the last renaming
            write_results(doubles.result(name="new"), tmp_path, report=False, rendering=False)
        (tmp_path / atomic.LOCK_NAME).unlink()
        check_output_folder(tmp_path)
        assert json.loads((tmp_path / "measurements.json").read_text())["name"] == "new"
        assert hidden(tmp_path) == []
