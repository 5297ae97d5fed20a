"""Measuring an edited segmentation anew, and writing the report, in the worker."""

import json
import tempfile

import logic_doubles
import pytest
from logic_doubles import Ending, Told, addVolume, command

FILES = {
    "report.html", "rendering.png", "segmentation.nii.gz",
    "measurements.json", "measurements.csv", "lesions.csv",
}  # fmt: skip


@pytest.fixture(scope="module")
def worker(slicerSession, tmp_path_factory):
    """One worker for all tests here; nothing of it is left in the end."""
    from LiverSegSlicer.work.worker_process import WorkerProcess

    place = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        patch.setattr(tempfile, "tempdir", str(place))
        worker = WorkerProcess(command(draw=False))
        yield worker
        worker.quit()
    assert list(place.iterdir()) == []


@pytest.fixture
def logic(host, scene, worker):
    from LiverSegSlicer.logic import Logic

    yield Logic(worker)
    assert logic_doubles.leftFiles(worker) == set()


@pytest.fixture
def case(logic):
    """The segmentation of a volume."""
    return logic.segment(addVolume())


def edit(segmentationNode):
    """Remove the upper half of the tumour by hand."""
    import slicer

    from LiverSegSlicer.scene.parts import volumeOf

    volumeNode = volumeOf(segmentationNode)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, "tumour", volumeNode)
    array[7:] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentationNode, "tumour", volumeNode)


def volumeMl(segmentationNode, key):
    from LiverSegSlicer.scene.parts import summaryOf

    organs = summaryOf(segmentationNode)["measurements"]["organs"]
    return next(organ["volume_ml"] for organ in organs if organ["key"] == key)


class TestMeasuring:
    def test_an_edited_segmentation_gets_its_own_numbers(self, logic, case):
        from LiverSegSlicer.scene.fingerprint import editedSinceMeasured, isUntouched
        from LiverSegSlicer.scene.parts import summaryOf

        before = volumeMl(case, "tumour")
        edit(case)
        assert editedSinceMeasured(case) and volumeMl(case, "tumour") == before
        assert logic.measure(case) is case
        assert volumeMl(case, "tumour") == pytest.approx(before / 3)
        assert not editedSinceMeasured(case) and not isUntouched(case)
        summary = summaryOf(case)
        assert summary["warnings"][0].startswith("The segmentation was changed by hand")
        assert "A warning." in summary["warnings"] and "edited" in summary["provenance"]
        assert summary["provenance"]["model"]["name"] == "fake"

    def test_what_nobody_edited_is_not_called_edited(self, logic, case):
        from LiverSegSlicer.scene.parts import summaryOf

        before = summaryOf(case)["measurements"]["organs"]
        logic.measure(case)
        summary = summaryOf(case)
        assert summary["measurements"]["organs"] == before
        assert "edited" not in summary["provenance"]

    def test_in_the_background(self, host, logic, case):
        edit(case)
        ending, told = Ending(), Told()
        logic.measureAsync(case, completed=ending, progress=told)
        host.waitFor(ending.happened)
        assert ending.only() == (case, None)
        assert "Measuring" in told.texts

    @pytest.mark.parametrize("event", ["edit", "delete", "delete volume", "close", "cancel"])
    def test_what_happens_meanwhile_ends_it_and_leaves_the_numbers(self, host, logic, case, scene, event):
        from LiverSegSlicer.scene.parts import summaryOf, volumeOf

        edit(case)
        before, ending = summaryOf(case), Ending()
        happenings = {
            "edit": lambda: edit(case),
            "delete": lambda: scene.RemoveNode(case),
            "delete volume": lambda: scene.RemoveNode(volumeOf(case)),
            "close": lambda: scene.Clear(0),
            "cancel": lambda: run.cancel(),
        }
        run = logic.measureAsync(case, completed=ending, progress=Told("Measuring", happenings[event]))
        host.waitFor(ending.happened)
        host.settle(0.05)
        error = ending.only()[1]
        assert error.code == ("cancelled" if event == "cancel" else "input-changed")
        assert str(error).endswith(".")
        if event in ("edit", "cancel", "delete volume"):
            assert summaryOf(case) == before

    def test_a_segmentation_of_somebody_else_is_refused(self, logic, scene):
        from LiverSegLib.errors import InputError, UsageError

        other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        for node in (other, None):
            with pytest.raises(UsageError, match="Choose a segmentation that LiverSeg has made."):
                logic.measure(node)
        volumeNode = addVolume()
        mine = logic.segment(volumeNode)
        scene.RemoveNode(volumeNode)
        with pytest.raises(InputError, match="is no longer in the scene"):
            logic.measure(mine)


class TestReporting:
    def test_all_files_are_written(self, logic, case, tmp_path):
        path = logic.report(case, tmp_path / "new" / "folder")
        assert path == tmp_path / "new" / "folder" / "report.html"
        assert {entry.name for entry in path.parent.iterdir()} == FILES
        assert "LiverSeg report" in path.read_text(encoding="utf-8")

    def test_what_was_edited_is_measured_first(self, logic, case, tmp_path):
        edit(case)
        logic.report(case, tmp_path)
        written = json.loads((tmp_path / "measurements.json").read_text(encoding="utf-8"))
        organs = {organ["key"]: organ["volume_ml"] for organ in written["measurements"]["organs"]}
        assert organs["tumour"] == volumeMl(case, "tumour") == pytest.approx(9 * 80 / 1000)
        assert any("changed by hand" in text for text in written["warnings"])

    def test_a_rejected_lesion_is_told_in_the_report_and_counts_nowhere(self, logic, case, tmp_path):
        from LiverSegSlicer.scene.fingerprint import isUntouched
        from LiverSegSlicer.scene.rejected_lesions import rejectLesion, restoreLesion

        before = volumeMl(case, "liver"), volumeMl(case, "tumour")
        rejectLesion(case, 1)
        page = logic.report(case, tmp_path / "rejected").read_text(encoding="utf-8")
        assert "Rejected by the reader" in page and "changed by hand" in page
        written = json.loads((tmp_path / "rejected" / "measurements.json").read_text(encoding="utf-8"))
        assert [lesion["number"] for lesion in written["measurements"]["rejected_lesions"]] == [1]
        assert written["measurements"]["lesions"] == [] and volumeMl(case, "tumour") == 0
        assert volumeMl(case, "liver") == before[0], "its voxels are liver"
        restoreLesion(case, 0)
        page = logic.report(case, tmp_path / "again").read_text(encoding="utf-8")
        assert "Rejected by the reader" not in page
        assert (volumeMl(case, "liver"), volumeMl(case, "tumour")) == before and isUntouched(case)

    def test_it_may_be_written_again_but_not_over_the_users_files(self, host, logic, case, tmp_path):
        logic.report(case, tmp_path)
        logic.report(case, tmp_path, labelFormat="seg.nrrd", highlight=True)
        names = {entry.name for entry in tmp_path.iterdir()}
        assert names == FILES - {"segmentation.nii.gz"} | {"segmentation.seg.nrrd", "highlight.nii.gz"}
        (tmp_path / "report.html").write_text("notes of the user's")
        ending = Ending()
        logic.writeReport(case, tmp_path, completed=ending)
        host.waitFor(ending.happened)
        path, error = ending.only()
        assert path is None and error.code == "output" and "did not write or that was changed" in str(error)
        assert (tmp_path / "report.html").read_text() == "notes of the user's"

    @pytest.mark.parametrize("stage", ["Handing the scan over", "Writing the report"])
    def test_cancelled_it_leaves_the_folder_as_it_was(self, host, logic, case, tmp_path, stage):
        ending = Ending()
        run = logic.writeReport(case, tmp_path, completed=ending, progress=Told(stage, lambda: run.cancel()))
        host.waitFor(ending.happened)
        assert ending.only()[1].code == "cancelled"
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_a_file(self, logic, case, tmp_path):
        from LiverSegLib.errors import OutputError

        (tmp_path / "file").write_text("x")
        with pytest.raises(OutputError, match="is a file, not a folder"):
            logic.report(case, tmp_path / "file")

    def test_the_scene_stays_as_it_is(self, logic, case, tmp_path):
        before = logic_doubles.nodeCounts()
        logic.report(case, tmp_path)
        assert logic_doubles.nodeCounts() == before
