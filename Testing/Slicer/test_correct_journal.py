"""Edits outlive a crash: journals in a private folder, written in short pieces, offered for their scan."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import slicer
from scene_samples import (
    MOVED,
    addScan,
    addTransform,
    fingerprint,
    labelArray,
    paint,
    parts,
    results,
    runOn,
    segments,
    timed,
)

from LiverSegLib.errors import InputError, OutputError
from LiverSegSlicer import acceptance
from LiverSegSlicer.correct import journal as module
from LiverSegSlicer.correct import journal_files, journal_scene
from LiverSegSlicer.correct.journal import Journal, journals, matching, remove, restore
from LiverSegSlicer.scene import automatic, review
from LiverSegSlicer.scene.rejected_lesions import rejectedLesions, rejectLesion
from LiverSegSlicer.work.run import doAtOnce

BLOCK = (0, 1, 0, 1, 0, 1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "recovery"


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def journal(scene, folder, warnings):
    made = Journal(warnings.append, folder=folder, pauseMs=30)
    yield made
    made.close()


@pytest.fixture
def volumeNode(scene):
    return addScan("oblique")


@pytest.fixture
def segmentationNode(volumeNode):
    return results.applyResult(volumeNode, runOn(volumeNode))


def files(folder):
    """The journals on the disk."""
    return sorted(folder.glob("*/*.liverseg-journal"))


def edit(segmentationNode, journal, extent=BLOCK, key="tumour"):
    paint(segmentationNode, key, extent)
    journal.note(segmentationNode)


def crash(journal):
    """Leave everything as a process that dies: the lock ends, nothing is tidied up."""
    journal.removeObservers()
    journal._timer.stop()
    journal._turns.stop()
    journal._lock.file.close()
    journal._session = journal._lock = None
    journal._paths.clear()
    journal._edits.clear()


def leftOver(segmentationNode, journal, folder):
    """Write the journal of a result and crash; returns the entry."""
    journal.note(segmentationNode)
    journal.flush()
    crash(journal)
    (entry,) = journals(folder)
    return entry


# ---- when it is written


def test_an_edit_is_written_when_the_hand_rests(host, journal, folder, segmentationNode):
    edit(segmentationNode, journal)
    assert files(folder) == []
    host.settle(0.1)
    (path,) = files(folder)
    edit(segmentationNode, journal, (2, 3, 0, 1, 0, 1))
    host.settle(0.1)
    assert files(folder) == [path], "one file for a result"
    assert journals_of(path).edits == 2


def journals_of(path):
    return journal_files.readEntry(path)


def test_the_third_edit_is_written_without_a_pause(host, scene, folder, warnings, segmentationNode):
    journal = Journal(warnings.append, folder=folder, pauseMs=100_000)
    for count in range(3):
        edit(segmentationNode, journal, (count, count, 0, 0, 0, 0))
    host.settle(0.1)
    assert journals_of(files(folder)[0]).edits == 3
    edit(segmentationNode, journal, (5, 5, 0, 0, 0, 0))
    host.settle(0.1)
    assert journals_of(files(folder)[0]).edits == 3
    journal.flush()
    assert journals_of(files(folder)[0]).edits == 4
    journal.close()
    assert not any(folder.iterdir())


def test_an_edit_while_it_is_written_is_in_it(
    host, journal, folder, segmentationNode, volumeNode, monkeypatch
):
    monkeypatch.setattr("LiverSegSlicer.scene.placed_masks.slabs.__defaults__", (200,))
    for count in range(3):
        edit(segmentationNode, journal, (count, count, 0, 0, 0, 0))
    for _turn in range(4):
        slicer.app.processEvents()
    assert list(folder.glob("*/*.part")), "it is being written"
    edit(segmentationNode, journal, (9, 9, 0, 0, 0, 0))
    journal.flush()
    entry = journals_of(files(folder)[0])
    assert entry.edits == 4 and not list(folder.glob("*/*.part"))
    index = next(i for i, item in enumerate(entry.segments) if item.segmentID == "tumour")
    voxels = doAtOnce(journal_files.readVoxels(entry, index))
    found = segments.segmentMask(segmentationNode, "tumour")[0]
    assert np.array_equal(voxels, found)


def test_what_is_no_result_is_not_kept(host, journal, folder, scene, segmentationNode):
    foreign = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    for node in (foreign, None):
        journal.note(node)
    scene.RemoveNode(parts.volumeOf(segmentationNode))
    journal.note(segmentationNode)
    host.settle(0.1)
    assert not folder.exists()


def test_folder_and_files_are_private(journal, folder, segmentationNode):
    edit(segmentationNode, journal)
    journal.flush()
    (path,) = files(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_journal_never_holds_the_image(journal, folder, scene):
    labels = np.kron(labelArray(), np.ones((4, 4, 4), np.uint8))
    volumeNode = addScan(labels=labels)
    noise = np.random.default_rng(1).integers(-1000, 1000, labels.shape).astype(np.int16)
    slicer.util.updateVolumeFromArray(volumeNode, noise)
    small = runOn(addScan())
    from LiverSegSlicer.scene.volumes import volumeGrid

    result = results.RunResult("CT", labels, volumeGrid(volumeNode), small.summary)
    segmentationNode = results.applyResult(volumeNode, result)
    edit(segmentationNode, journal)
    journal.flush()
    (path,) = files(folder)
    assert path.stat().st_size < noise.nbytes / 20
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert names == [*(f"segment-{index}" for index in range(6)), "header.json"]
        unpacked = sum(item.file_size for item in archive.infolist() if item.filename != "header.json")
        assert unpacked <= 6 * (labels.size / 8 + labels.shape[0])  # a bit for a voxel of a segment
        header = json.loads(archive.read("header.json"))
    assert set(header) == {
        *("format", "scanName", "segmentationName", "seriesUID", "grid", "checksum", "time", "edits"),
        *("pid", "host", "node", "segments"),
    }
    assert set(header["node"]) <= {
        *(parts.APPLIED, parts.MEASURED, parts.SUMMARY, parts.REVIEW, parts.REJECTED)
    }


# ---- when it goes


def saveScene(host, scene, tmp_path, segmentationNode):
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))


def closeScene(host, scene, tmp_path, segmentationNode):
    host.clear()


def deleteResult(host, scene, tmp_path, segmentationNode):
    scene.RemoveNode(segmentationNode)


def quitSlicer(host, scene, tmp_path, segmentationNode):
    host.application.aboutToQuit.emit()


@pytest.mark.parametrize("end", [saveScene, closeScene, deleteResult, quitSlicer])
@pytest.mark.parametrize("isWritten", [True, False])
def test_it_goes_when_nothing_can_be_lost_any_more(
    host, scene, journal, folder, tmp_path, segmentationNode, end, isWritten
):
    edit(segmentationNode, journal)
    if isWritten:
        journal.flush()
        assert files(folder)
    end(host, scene, tmp_path, segmentationNode)
    host.settle(0.1)
    assert files(folder) == []
    assert journals(folder) == []


def test_another_results_journal_stays(host, scene, journal, folder, volumeNode, segmentationNode):
    other = results.applyResult(volumeNode, runOn(volumeNode))
    for node in (segmentationNode, other):
        edit(node, journal)
    host.settle(0.2)
    assert len(files(folder)) == 2
    scene.RemoveNode(other)
    host.settle(0.1)
    (path,) = files(folder)
    assert journals_of(path).segmentationName == segmentationNode.GetName()
    journal.forget(segmentationNode)
    assert files(folder) == []


def test_after_saving_edits_are_kept_anew(host, scene, journal, folder, tmp_path, segmentationNode):
    edit(segmentationNode, journal)
    saveScene(host, scene, tmp_path, segmentationNode)
    host.settle(0.1)
    edit(segmentationNode, journal, (4, 4, 0, 0, 0, 0))
    host.settle(0.1)
    assert journals_of(files(folder)[0]).edits == 1


# ---- after a crash


def test_journals_of_a_running_slicer_are_not_offered(journal, folder, segmentationNode):
    edit(segmentationNode, journal)
    journal.flush()
    assert files(folder) and journals(folder) == []


def test_what_a_crash_left_is_restored_voxel_by_voxel(host, journal, folder, volumeNode, segmentationNode):
    edit(segmentationNode, journal)
    edit(segmentationNode, journal, (4, 7, 8, 11, 6, 8), "spleen")
    segmentationNode.GetSegmentation().AddEmptySegment("cyst", "Cyst")
    expected = segments.labelsOf(segmentationNode, volumeNode)
    summary = parts.summaryOf(segmentationNode)
    entry = leftOver(segmentationNode, journal, folder)
    assert (entry.scanName, entry.edits) == ("CT of the liver", 3)
    assert entry.segmentationName == segmentationNode.GetName() and entry.pid == os.getpid()
    slicer.mrmlScene.RemoveNode(segmentationNode)
    automatic.removeOrphans()
    assert doAtOnce(matching(volumeNode, folder)) == (entry,)
    restored = restore(entry, volumeNode)
    assert np.array_equal(segments.labelsOf(restored, volumeNode), expected)
    assert tuple(restored.GetSegmentation().GetSegmentIDs()) == ("liver", "spleen", "tumour", "cyst")
    segment = restored.GetSegmentation().GetSegment("tumour")
    assert segment.GetName() == "Liver tumor"
    assert segment.GetColor() == pytest.approx((246 / 255, 223 / 255, 72 / 255))
    assert parts.resultFor(volumeNode) is restored
    assert parts.summaryOf(restored) == summary
    assert review.reviewOf(restored).state == "edited"
    assert fingerprint.editedSinceMeasured(restored)
    assert np.array_equal(segments.labelsOf(automatic.automaticOf(restored), volumeNode), labelArray())
    for key in ("liver", "spleen", "tumour"):
        automatic.revert(restored, key)
    assert np.array_equal(segments.labelsOf(restored, volumeNode), labelArray())
    assert files(folder) == [entry.path]
    assert remove(entry) and journals(folder) == [] and not any(folder.iterdir())
    assert remove(entry), "twice is no harm"


def test_numbers_that_were_measured_after_the_edit_are_up_to_date(
    journal, folder, volumeNode, segmentationNode
):
    paint(segmentationNode, "tumour", BLOCK)
    results.updateMeasurements(segmentationNode, parts.summaryOf(segmentationNode))
    restored = restore(leftOver(segmentationNode, journal, folder), volumeNode)
    assert not fingerprint.editedSinceMeasured(restored)
    assert review.reviewOf(restored).state == "edited"


def test_review_and_rejected_lesions_come_back(journal, folder, volumeNode, segmentationNode):
    rejectLesion(segmentationNode, 1)
    results.updateMeasurements(segmentationNode, parts.summaryOf(segmentationNode))
    acceptance.accept(segmentationNode, "Dr. A")
    paint(segmentationNode, "spleen", BLOCK)
    acceptance.checkReview(segmentationNode)
    before = review.reviewOf(segmentationNode), rejectedLesions(segmentationNode)
    restored = restore(leftOver(segmentationNode, journal, folder), volumeNode)
    assert (review.reviewOf(restored), rejectedLesions(restored)) == before


def test_without_an_automatic_result_the_rest_is_restored(journal, folder, volumeNode, segmentationNode):
    automatic.removeAutomatic(segmentationNode)
    paint(segmentationNode, "tumour", BLOCK)
    expected = segments.labelsOf(segmentationNode, volumeNode)
    restored = restore(leftOver(segmentationNode, journal, folder), volumeNode)
    assert automatic.automaticOf(restored) is None
    assert np.array_equal(segments.labelsOf(restored, volumeNode), expected)


def test_a_scan_under_a_transform(journal, folder, volumeNode, segmentationNode):
    transformNode = addTransform(MOVED)
    for node in (volumeNode, segmentationNode):
        node.SetAndObserveTransformNodeID(transformNode.GetID())
    paint(segmentationNode, "tumour", BLOCK)
    expected = segments.labelsOf(segmentationNode, volumeNode)
    entry = leftOver(segmentationNode, journal, folder)
    volumeNode.SetAndObserveTransformNodeID(None)  # as it is loaded again
    restored = restore(entry, volumeNode)
    assert np.array_equal(segments.labelsOf(restored, volumeNode), expected)
    assert np.array_equal(segments.labelsOf(automatic.automaticOf(restored), volumeNode), labelArray())


def test_each_scan_is_offered_its_own(journal, folder, volumeNode, segmentationNode):
    other = addScan("oblique", name="Another")
    slicer.util.updateVolumeFromArray(other, slicer.util.arrayFromVolume(volumeNode) + 1)
    elsewhere = addScan("axial", name="Elsewhere")
    entry = leftOver(segmentationNode, journal, folder)
    assert doAtOnce(matching(volumeNode, folder)) == (entry,)
    assert doAtOnce(matching(other, folder)) == ()
    assert doAtOnce(matching(elsewhere, folder)) == ()
    count = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="of another scan than Elsewhere"):
        restore(entry, elsewhere)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def cutShort(path):
    path.write_bytes(path.read_bytes()[:-200])


def foreign(path):
    path.write_bytes(b"a shopping list")


def otherArchive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", "[]")


def newerFormat(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", '{"format": "liverseg-slicer-journal-9"}')


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cutShort, foreign, otherArchive, newerFormat, empty])
def test_a_file_that_cannot_be_restored_says_so(journal, folder, volumeNode, segmentationNode, damage):
    damage(leftOver(segmentationNode, journal, folder).path)
    (entry,) = journals(folder)
    assert "cannot be restored" in entry.problem and entry.path.name in entry.problem
    assert doAtOnce(matching(volumeNode, folder)) == ()
    with pytest.raises(InputError, match="cannot be restored"):
        restore(entry, volumeNode)
    assert remove(entry) and journals(folder) == []


def test_voxels_that_were_damaged_are_noticed(journal, folder, volumeNode, segmentationNode):
    entry = leftOver(segmentationNode, journal, folder)
    with zipfile.ZipFile(entry.path) as archive:
        offset = archive.getinfo("segment-1").header_offset
    data = bytearray(entry.path.read_bytes())
    data[offset + 60] ^= 0xFF
    entry.path.write_bytes(data)
    count = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="is damaged"):
        restore(entry, volumeNode)
    entry.path.unlink()
    with pytest.raises(InputError, match="is damaged"):
        restore(entry, volumeNode)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_on_a_disk_without_locks_the_process_is_looked_for(
    journal, folder, volumeNode, segmentationNode, monkeypatch
):
    edit(segmentationNode, journal)
    journal.flush()
    for name in ("is_left_over", "is_held"):
        monkeypatch.setattr(journal_files, name, lambda path: False)
    assert journals(folder) == [], "this process runs"
    (lock,) = folder.glob("*/lock")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    lock.write_text(json.dumps({"pid": ended.pid, "host": "elsewhere"}))
    assert journals(folder) == []
    lock.write_text(json.dumps({"pid": ended.pid, "host": journal_files.platform.node()}))
    assert len(journals(folder)) == (0 if os.name == "nt" else 1)


def test_a_folder_that_is_not_ours_is_left_alone(folder):
    hers = folder / "notes"
    hers.mkdir(parents=True)
    (hers / "letter.txt").write_text("dear")
    (folder / "file").write_text("x")
    assert journals(folder) == []
    assert (hers / "letter.txt").exists()
    assert journals(folder / "missing") == []


def test_a_full_disk_warns_once_and_editing_goes_on(
    host, journal, folder, warnings, segmentationNode, monkeypatch
):
    full = [True]
    original = os.replace

    def replace(*arguments):
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*arguments)

    monkeypatch.setattr(journal_files.os, "replace", replace)
    for count in range(5):
        edit(segmentationNode, journal, (count, count, 0, 0, 0, 0))
        host.settle(0.06)
    host.settle(0.2)
    (warning,) = warnings
    assert isinstance(warning, OutputError)
    assert str(warning).startswith("LiverSeg cannot keep your corrections for recovery, so save the scene:")
    assert "is full" in str(warning)
    assert files(folder) == [] and not list(folder.glob("*/*.part"))
    full[0] = False
    edit(segmentationNode, journal, (9, 9, 0, 0, 0, 0))
    host.settle(0.1)
    assert len(files(folder)) == 1 and len(warnings) == 1
    full[0] = True
    edit(segmentationNode, journal, (9, 9, 1, 1, 0, 0))
    host.settle(0.1)
    assert len(warnings) == 2


def test_a_folder_that_cannot_be_made_warns(host, scene, tmp_path, warnings, segmentationNode):
    (tmp_path / "recovery").write_text("a file")
    journal = Journal(warnings.append, folder=tmp_path / "recovery", pauseMs=10)
    edit(segmentationNode, journal)
    host.settle(0.1)
    assert len(warnings) == 1
    journal.close()


def test_the_users_folder_is_local_data(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVERSEG_RECOVERY", str(tmp_path))
    assert journal_files.recoveryFolder() == tmp_path
    monkeypatch.delenv("LIVERSEG_RECOVERY")
    assert journal_files.recoveryFolder().parts[-2:] == ("LiverSeg", "recovery")
    assert journal_files.recoveryFolder().is_absolute()


CHILD = """
import sys, time
sys.path[:0] = {path!r}
from scene_samples import addScan, paint, results, runOn
import slicer
from LiverSegSlicer.correct.journal import Journal
from pathlib import Path
volumeNode = addScan("oblique")
segmentationNode = results.applyResult(volumeNode, runOn(volumeNode))
journal = Journal(folder=Path({folder!r}), pauseMs=50)
for count in range(4):
    paint(segmentationNode, "tumour", (count, count, 0, 1, 0, 1))
    journal.note(segmentationNode)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.01)
print("edited", flush=True)
while True:
    slicer.app.processEvents()
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.slow
def test_edits_of_a_killed_slicer_are_restored(folder, volumeNode):
    here = Path(__file__).resolve().parent
    code = CHILD.format(path=[str(here), str(here.parent)], folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert any("edited" in line for line in child.stdout)
            assert journals(folder) == [], "it still runs"
        finally:
            child.send_signal(signal.SIGKILL)
    (entry,) = doAtOnce(matching(volumeNode, folder))
    assert entry.edits == 4 and entry.pid == child.pid
    restored = restore(entry, volumeNode)
    expected = labelArray()
    expected[0:2, 0:2, 0:4] = 3
    assert np.array_equal(segments.labelsOf(restored, volumeNode), expected)
    assert remove(entry)


# ---- what it costs


@pytest.mark.parametrize("slices", [110, pytest.param(600, marks=pytest.mark.slow)])
def test_a_journal_takes_short_pieces(journal, folder, scene, slices):
    from test_scene_automatic import large

    labels = large(slices)
    volumeNode = slicer.util.addVolumeFromArray(np.zeros(labels.shape, np.int16))
    segmentationNode = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentationNode.SetNodeReferenceID(parts.VOLUME, volumeNode.GetID())
    segmentationNode.SetAttribute(parts.APPLIED, "1 ")
    labelmap = segments.sharedLabelmap(labels, volumeNode)
    segments.fillSegmentation(segmentationNode.GetSegmentation(), labelmap, {})
    automatic.keepAutomatic(segmentationNode, labelmap)
    seconds = []
    timed(journal._pieces(segmentationNode), seconds)
    (path,) = files(folder)
    reading = []
    timed(journal_scene.restoring(journals_of(path), volumeNode), reading)
    for what, found in (("written", seconds), ("restored", reading)):
        print(
            f"x{slices} {what}: {len(found)} pieces, {sum(found):.2f} s, longest {1000 * max(found):.1f} ms, "
            f"{path.stat().st_size / 1e3:.0f} kB"
        )
        assert sorted(found)[len(found) * 9 // 10] < 0.03
        assert max(found) < 0.1


def test_the_module_offers_what_the_panel_needs():
    for name in module.__all__:
        assert getattr(module, name) is not None
