"""Runs on the worker: whatever happens in between, ``completed`` is called once with a sentence, the scene is
as it was, nothing of the patient is left on the disk, and the next run works."""

import errno
import os
import signal
import tempfile
import time

import logic_doubles
import numpy as np
import pytest
from logic_doubles import HANDING_OVER, PUTTING, SEGMENTING, STARTING, Ending, Told, addVolume, command

PAUSE = {"pause_at": "segment", "seconds": 0.5}
"""A worker that rests in the middle of segmenting, but comes to an end."""


@pytest.fixture(scope="module")
def pool(slicerSession, tmp_path_factory):
    """plan -> a worker that the tests share, as starting one takes a second. In the end nothing is left of
    them on the disk."""
    place = tmp_path_factory.mktemp("temporary")
    workers = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        patch.setattr(tempfile, "tempdir", str(place))
        yield workers
        for worker in workers.values():
            worker.quit()
    assert list(place.iterdir()) == []


@pytest.fixture
def make(host, scene, pool):
    """A worker's plan, or the command line of another program -> a Logic."""
    from LiverSegSlicer.logic import Logic
    from LiverSegSlicer.work.worker_process import WorkerProcess

    used = []

    def makeLogic(argv=None, **plan):
        argv = argv if argv is not None else command(**plan)
        worker = pool.setdefault(tuple(argv), WorkerProcess(argv))
        used.append(worker)
        return Logic(worker)

    yield makeLogic
    for worker in used:
        if worker.occupant is not None:  # the next test shall not find it at work
            worker.quit()
            host.settle(0.02)
            pytest.fail(f"the worker is still at work: {worker.logText()}")
        if worker.isRunning():
            assert logic_doubles.leftFiles(worker) == set()
    host.settle(0.02)


def finish(host, run, ending, seconds=60):
    """Wait for the end of a run and return its one call."""
    host.waitFor(ending.happened, seconds)
    host.settle(0.05)
    assert not run.isRunning()
    return ending.only()


def worksAgain(host, logic, volumeNode):
    """Whether another run puts a result into the scene."""
    ending = Ending()
    node, error = finish(host, logic.segmentAsync(volumeNode, completed=ending), ending)
    assert error is None
    return node is not None and node.GetSegmentation().GetNumberOfSegments() == 3


class TestSegmenting:
    def test_in_the_background(self, host, make):
        import doubles

        from LiverSegSlicer.scene import parts, segments

        logic, volumeNode, ending, told = make(), addVolume(), Ending(), Told()
        logic.worker.quit()
        run = logic.segmentAsync(volumeNode, progress=told, completed=ending)
        assert run.isRunning() and logic.activeRun() is run
        node, error = finish(host, run, ending)
        assert error is None and logic.activeRun() is None
        assert np.array_equal(segments.labelsOf(node, volumeNode), doubles.labels_array())
        assert parts.summaryOf(node)["name"] == "CT"
        assert told.texts[0] == HANDING_OVER and STARTING in told.texts and told.texts[-1] == PUTTING
        assert told.fractions == sorted(told.fractions) and 0 <= told.fractions[0] and told.fractions[-1] <= 1

    def test_blocking_without_a_window(self, make):
        told = Told()
        node = make().segment(addVolume(), progress=told)
        assert node.GetSegmentation().GetNumberOfSegments() == 3
        assert told.texts[-1] == PUTTING

    def test_blocking_with_a_window_keeps_it_alive_and_refuses_a_second_run(self, host, make, monkeypatch):
        import qt
        import slicer

        from LiverSegLib.errors import UsageError

        monkeypatch.setattr(slicer.util, "mainWindow", lambda **_: object())
        logic, volumeNode, refused, beats = make(**PAUSE), addVolume(), [], []
        timer = qt.QTimer()
        timer.setInterval(20)
        timer.connect("timeout()", lambda: beats.append(time.monotonic()))
        timer.start()

        def segmentToo():
            try:
                logic.segment(volumeNode)
            except UsageError as error:
                refused.append(str(error))

        told = Told(SEGMENTING, lambda: qt.QTimer.singleShot(0, segmentToo))
        assert logic.segment(volumeNode, progress=told) is not None
        timer.stop()
        assert refused == ["LiverSeg is still at work; wait until it is done, or cancel it."]
        assert len(beats) > 10
        assert logic_doubles.nodeCounts()["vtkMRMLSegmentationNode"] == 1

    def test_a_warm_worker_loads_no_model_again(self, host, make):
        from LiverSegSlicer.scene.parts import summaryOf

        logic, volumeNode = make(warm="for this test alone"), addVolume()
        pids = {summaryOf(logic.segment(volumeNode))["provenance"]["pid"] for _ in range(2)}
        assert len(pids) == 1
        assert logic.worker.logText().count("Model default is loaded") == 1
        assert logic.worker.isReady()
        assert logic.worker.isWarmFor("default", "auto") and not logic.worker.isWarmFor("other", "auto")

    def test_options_reach_the_worker(self, make):
        from LiverSegSlicer.scene.parts import summaryOf

        node = make().segment(addVolume(), mirror=True, minimumLesionMl=0.5, structures=["aorta"])
        options = summaryOf(node)["provenance"]["options"]
        wanted = {
            "mirror": True, "minimum_lesion_ml": 0.5, "series": None, "structures": ["aorta"],
            "contrast": None,
        }  # fmt: skip
        wanted["modality"] = None
        assert options == wanted

    def test_structures_come_as_segments_with_surfaces(self, make):
        from LiverSegSlicer.scene.parts import summaryOf

        node = make(structures=["aorta", "a/b c"]).segment(addVolume())
        segmentation = node.GetSegmentation()
        assert list(segmentation.GetSegmentIDs())[3:] == ["structure-aorta", "structure-a/b c"]
        for key in ("structure-aorta", "structure-a/b c"):
            assert node.GetClosedSurfaceInternalRepresentation(key).GetNumberOfPoints() > 0
        before = summaryOf(node)["structures"]
        make().measure(node)
        assert summaryOf(node)["structures"] == before

    def test_structures_are_in_the_report(self, make, tmp_path):
        import SimpleITK as sitk

        logic = make(structures=["aorta", "colon"], draw=False)
        report = logic.report(logic.segment(addVolume()), tmp_path / "report")
        names = {path.name for path in report.parent.iterdir()}
        assert {"structures.nii.gz", "structures.csv"} <= names
        assert "Colon" in report.read_text(encoding="utf-8")
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(report.parent / "structures.nii.gz")))
        assert set(mask.ravel()) == {0, 1, 2}

    def test_two_models_are_loaded_and_kept_warm(self, make):
        logic, volumeNode = make(warm="for this test alone, too"), addVolume()
        logic.segment(volumeNode, tumors="lesions")
        assert "Model default with lesions is loaded" in logic.worker.logText()
        assert logic.worker.isWarmFor("default", "auto", "lesions")
        assert not logic.worker.isWarmFor("default", "auto")

    @pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int32", "uint32", "float32", "float64"])
    def test_every_type_of_voxels(self, make, kind):
        import slicer

        volumeNode = addVolume()
        array = np.maximum(slicer.util.arrayFromVolume(volumeNode), 0).astype(kind)
        slicer.util.updateVolumeFromArray(volumeNode, array)
        assert make().segment(volumeNode) is not None

    def test_a_rerun_replaces_an_untouched_result_unless_asked_not_to(self, make):
        import slicer

        logic, volumeNode = make(), addVolume()
        first = logic.segment(volumeNode)
        second = logic.segment(volumeNode, replaceUntouched=False)
        assert second is not first
        assert logic.segment(volumeNode) is second
        array = slicer.util.arrayFromSegmentBinaryLabelmap(second, "liver", volumeNode)
        array[5:8, 5:8, 5:8] = 1 - array[5:8, 5:8, 5:8]
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, second, "liver", volumeNode)
        assert logic.segment(volumeNode) not in (first, second)
        assert logic_doubles.nodeCounts()["vtkMRMLSegmentationNode"] == 3


class TestCancelling:
    @pytest.mark.parametrize("text", [HANDING_OVER, STARTING, "Checking the scan", SEGMENTING, PUTTING])
    def test_at_every_stage(self, host, make, text):
        logic, volumeNode, ending = make(**PAUSE), addVolume(), Ending()
        if text == STARTING:
            logic.worker.quit()
        before = logic_doubles.nodeCounts()
        cancelled = []

        def cancel():
            cancelled.append(time.monotonic())
            run.cancel()
            run.cancel()

        told = Told(text, cancel)
        run = logic.segmentAsync(volumeNode, progress=told, completed=ending)
        node, error = finish(host, run, ending)
        assert (node, str(error), error.code) == (None, "Cancelled.", "cancelled")
        assert cancelled
        assert logic_doubles.nodeCounts() == before
        run.cancel()
        assert worksAgain(host, logic, volumeNode)
        assert len(ending.calls) == 1

    def test_before_the_first_turn(self, host, make):
        logic, ending = make(), Ending()
        run = logic.segmentAsync(addVolume(), completed=ending)
        run.cancel()
        assert finish(host, run, ending)[1].code == "cancelled"

    def test_while_the_result_is_being_put_in_is_too_late(self, host, make):
        import slicer

        logic, volumeNode, ending = make(), addVolume(), Ending()
        run = logic.segmentAsync(volumeNode, completed=ending)
        tag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, lambda *_: run.cancel())
        node, error = finish(host, run, ending)
        slicer.mrmlScene.RemoveObserver(tag)
        assert error is None and node is not None

    def test_a_worker_that_does_not_listen_is_replaced_by_a_new_one(self, host, make):
        logic, ending, told = make(pause_at="segment", seconds=30, deaf=True), Ending(), Told()
        run = logic.segmentAsync(addVolume(), progress=told, completed=ending)
        host.waitFor(told.heard(SEGMENTING))
        folder = run.child.folder
        run.cancel()
        assert finish(host, run, ending)[1].code == "cancelled"
        host.waitFor(lambda: not folder.exists(), 5)
        assert logic.worker.isRunning()
        host.waitFor(logic.worker.isReady)
        host.waitFor(lambda: logic.worker.logText().count("is loaded") == 2)

    def test_from_the_progress_of_a_blocking_run(self, make):
        from LiverSegLib.errors import CancelledError

        logic = make(**PAUSE)
        told = Told(SEGMENTING, lambda: logic.activeRun().cancel())
        with pytest.raises(CancelledError):
            logic.segment(addVolume(), progress=told)


class TestTheWorkerFails:
    def test_killed_in_mid_run(self, host, make):
        logic, volumeNode, ending, told = make(**PAUSE), addVolume(), Ending(), Told()
        run = logic.segmentAsync(volumeNode, progress=told, completed=ending)
        host.waitFor(told.heard(SEGMENTING))
        folder = run.child.folder
        os.kill(run.child.pid, signal.SIGKILL)
        node, error = finish(host, run, ending)
        assert node is None and error.code == "worker"
        assert str(error).startswith("LiverSeg's worker ended unexpectedly (it crashed, was killed")
        assert not folder.exists()
        assert worksAgain(host, logic, volumeNode)

    def test_killed_while_the_scan_is_handed_over(self, host, make, monkeypatch):
        from LiverSegSlicer.work import files as handover

        monkeypatch.setattr(handover, "SLAB_BYTES", 1024)
        monkeypatch.setattr(handover, "TURN_S", 0.0)
        logic, volumeNode, ending = make(), addVolume(), Ending()
        logic.worker.start()
        host.waitFor(logic.worker.isReady)
        pid = logic.worker.start().pid
        told = Told(HANDING_OVER, lambda: (os.kill(pid, signal.SIGKILL), time.sleep(0.2)))
        node, error = finish(host, logic.segmentAsync(volumeNode, progress=told, completed=ending), ending)
        assert node is None and error.code == "worker"
        assert worksAgain(host, logic, volumeNode)

    @pytest.mark.parametrize("blocking", [False, pytest.param(True, marks=pytest.mark.slow)])
    @pytest.mark.parametrize(
        "argv, sentence",
        [
            (["/nowhere/PythonSlicer"], "LiverSeg's worker could not be started."),
            (logic_doubles.script("import sys; sys.exit(3)"), "ended unexpectedly (exit status 3)"),
            (
                # as the launcher of Slicer ends when the interpreter that it launched was killed
                logic_doubles.script("import sys; sys.exit('[python-real] exit abnormally - Report it.')"),
                "ended unexpectedly (it crashed, was killed, or memory ran out)",
            ),
            (
                logic_doubles.script(
                    """print('{"liverseg": 9, "type": "hello-reply", "id": "hello"}', flush=True); input()"""
                ),
                "are of different versions",
            ),
            (
                logic_doubles.script("import os\nwhile True: os.write(1, b'garbage \\xff\\n' * 999)"),
                "is not LiverSeg's worker",
            ),
            (logic_doubles.script("import time; time.sleep(60)"), "did not start within"),
        ],
        ids=["no such program", "ends at once", "crashed launched", "another version", "garbage", "hangs"],
    )  # fmt: skip
    def test_programs_that_are_no_worker(self, host, make, monkeypatch, argv, sentence, blocking):
        from LiverSegLib.errors import WorkerError
        from LiverSegSlicer.work import worker_process

        monkeypatch.setattr(worker_process, "START_S", 1.0 if "did not start" in sentence else 20.0)
        logic, volumeNode, ending = make(argv), addVolume(), Ending()
        if blocking:
            with pytest.raises(WorkerError) as caught:
                logic.segment(volumeNode)
            error = caught.value
        else:
            error = finish(host, logic.segmentAsync(volumeNode, completed=ending), ending)[1]
        assert sentence in str(error) and error.code == "worker"
        assert logic.activeRun() is None
        monkeypatch.setattr(worker_process, "START_S", 60.0)  # the next one may take its time
        monkeypatch.setattr(logic.worker, "_command", command())
        assert worksAgain(host, logic, volumeNode)
        logic.worker.quit()

    def test_a_worker_that_hangs_at_its_start_can_be_cancelled(self, host, make):
        logic, ending, told = make(logic_doubles.script("import time; time.sleep(60)")), Ending(), Told()
        run = logic.segmentAsync(addVolume(), progress=told, completed=ending)
        host.waitFor(told.heard(STARTING), 5)
        run.cancel()
        assert finish(host, run, ending, 1)[1].code == "cancelled"

    def test_stray_text_on_its_output_is_skipped_and_logged(self, host, make):
        argv = command()
        code = f"import os, sys; print('a greeting', flush=True); os.execv({argv[0]!r}, {argv!r})"
        logic = make(logic_doubles.script(code))
        assert logic.segment(addVolume()) is not None
        assert "a greeting" in logic.worker.logText()

    @pytest.mark.parametrize(
        "kind, code, sentence",
        [
            ("no liver", "no-liver", "No liver was found in this scan."),
            ("MemoryError", "out-of-memory", "Memory ran out."),
            ("bug", "error", "LiverSeg failed unexpectedly (ZeroDivisionError)."),
        ],
    )
    def test_what_it_reports_is_the_error(self, host, make, kind, code, sentence):
        logic, ending = make(raise_at="locate", error=kind), Ending()
        before = logic_doubles.nodeCounts()
        for _ in range(2):
            ending.calls.clear()
            error = finish(host, logic.segmentAsync(addVolume("x"), completed=ending), ending)[1]
            assert error.code == code and str(error).startswith(sentence)
        assert logic_doubles.nodeCounts() == {**before, "vtkMRMLScalarVolumeNode": 2}

    def test_its_disk_is_full(self, host, make):
        logic, ending = make(file_limit=2000), Ending()
        error = finish(host, logic.segmentAsync(addVolume(), completed=ending), ending)[1]
        assert error.code == "output" and "is full" in str(error)

    def test_a_result_that_is_not_there(self, host, make, monkeypatch):
        from LiverSegSlicer import jobs

        wrong = lambda folder, name: jobs.Path(folder) / "nothing.npy"  # noqa: E731
        monkeypatch.setattr(jobs, "resultFile", wrong)
        logic, ending = make(), Ending()
        error = finish(host, logic.segmentAsync(addVolume(), completed=ending), ending)[1]
        assert (error.code, str(error)) == ("worker", "The worker's result could not be read.")


class TestTheDiskIsFull:
    def test_before_the_scan_is_handed_over(self, host, make, monkeypatch):
        from LiverSegSlicer.work import files as handover

        monkeypatch.setattr(handover, "SPARE_BYTES", 10**18)
        logic, ending = make(), Ending()
        error = finish(host, logic.segmentAsync(addVolume(), completed=ending), ending)[1]
        assert error.code == "output" and "is nearly full" in str(error)
        monkeypatch.undo()
        assert worksAgain(host, logic, addVolume())

    def test_while_the_scan_is_handed_over(self, host, make, monkeypatch):
        from LiverSegSlicer.work import files as handover

        def full(_shape, _bytes):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(handover, "_slabs", full)
        logic, ending = make(), Ending()
        error = finish(host, logic.segmentAsync(addVolume(), completed=ending), ending)[1]
        assert error.code == "output" and "hand the scan to the worker" in str(error)

    def test_no_private_folder_can_be_made(self, host, make, monkeypatch):
        from LiverSegLib.errors import OutputError
        from LiverSegLib.worker import scratch

        def full(*_):
            raise OutputError("The disk is full.")

        logic, ending = make(), Ending()
        logic.worker.quit()
        monkeypatch.setattr(scratch, "make_private_folder", full)
        assert finish(host, logic.segmentAsync(addVolume(), completed=ending), ending)[1].code == "output"
        monkeypatch.undo()


class TestTheInputChanges:
    def during(self, host, logic, volumeNode, change, text=SEGMENTING, **options):
        """Do ``change`` in the middle of a run and return how the run ended."""
        ending, told = Ending(), Told(text, change)
        run = logic.segmentAsync(volumeNode, progress=told, completed=ending, **options)
        return finish(host, run, ending)

    @pytest.mark.parametrize("text", [HANDING_OVER, SEGMENTING, PUTTING])
    def test_the_volume_is_deleted(self, host, make, scene, text):
        logic, volumeNode = make(**PAUSE), addVolume()
        node, error = self.during(host, logic, volumeNode, lambda: scene.RemoveNode(volumeNode), text)
        assert node is None and error.code == "input-changed"
        assert str(error) == "The scan was removed from the scene; nothing was changed."
        assert logic_doubles.nodeCounts()["vtkMRMLSegmentationNode"] == 0
        assert worksAgain(host, logic, addVolume())

    @pytest.mark.parametrize("how", ["voxels", "image", "spacing", "transform"])
    def test_the_volume_is_changed(self, host, make, how):
        import slicer
        import vtk

        logic, volumeNode = make(**PAUSE), addVolume()

        def change():
            if how == "voxels":
                slicer.util.arrayFromVolume(volumeNode)[:] += 1
                slicer.util.arrayFromVolumeModified(volumeNode)
            elif how == "image":
                volumeNode.SetAndObserveImageData(vtk.vtkImageData())
            elif how == "spacing":
                volumeNode.SetSpacing(1, 1, 1)
            else:
                matrix = vtk.vtkTransform()
                matrix.Translate(1, 2, 3)
                volumeNode.ApplyTransform(matrix)

        node, error = self.during(host, logic, volumeNode, change)
        assert node is None and error.code == "input-changed"
        assert str(error) == "The scan was changed during the work; please run again."

    def test_renaming_windowing_and_moving_it_do_no_harm(self, host, make, scene):
        logic, volumeNode = make(**PAUSE), addVolume()

        def change():
            volumeNode.SetName("renamed")
            volumeNode.CreateDefaultDisplayNodes()
            volumeNode.GetDisplayNode().SetWindowLevel(400, 40)
            transformNode = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
            volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
            volumeNode.GetImageData().GetScalarRange()

        node, error = self.during(host, logic, volumeNode, change)
        assert error is None
        assert node.GetTransformNodeID() == volumeNode.GetTransformNodeID() is not None

    @pytest.mark.parametrize("text", [HANDING_OVER, SEGMENTING, PUTTING])
    def test_the_scene_is_closed(self, host, make, scene, text):
        logic, volumeNode = make(**PAUSE), addVolume()
        node, error = self.during(host, logic, volumeNode, lambda: scene.Clear(0), text)
        assert node is None and str(error) == "The scene was closed; the work was stopped."
        assert sum(logic_doubles.nodeCounts().values()) == 0
        assert worksAgain(host, logic, addVolume())

    def test_the_segmentation_to_replace_is_deleted(self, host, make, scene):
        logic, volumeNode = make(**PAUSE), addVolume()
        first = logic.segment(volumeNode)
        node, error = self.during(
            host, logic, volumeNode, lambda: scene.RemoveNode(first), replaceUntouched=True
        )
        assert error is None and node is not first
        assert logic_doubles.nodeCounts()["vtkMRMLSegmentationNode"] == 1

    def test_a_volume_that_is_none(self, host, make):
        logic, ending = make(), Ending()
        error = finish(host, logic.segmentAsync(None, completed=ending), ending)[1]
        assert error.code in ("input", "usage") and str(error)


class TestTwoAtOnce:
    def test_the_second_is_refused_and_the_first_goes_on(self, host, make):
        from LiverSegLib.errors import UsageError

        logic, volumeNode, first, second, told = make(**PAUSE), addVolume(), Ending(), Ending(), Told()
        run = logic.segmentAsync(volumeNode, progress=told, completed=first)
        other = logic.segmentAsync(volumeNode, completed=second)
        assert isinstance(finish(host, other, second)[1], UsageError)
        with pytest.raises(UsageError, match="still at work"):
            logic.segment(volumeNode)
        assert finish(host, run, first)[1] is None

    def test_completed_may_start_the_next_run(self, host, make):
        logic, volumeNode, ending, next_ = make(), addVolume(), Ending(), Ending()

        def completed(node, error):
            ending(node, error)
            logic.segmentAsync(volumeNode, completed=next_)

        logic.segmentAsync(volumeNode, completed=completed)
        host.waitFor(next_.happened)
        assert ending.only()[1] is None and next_.only()[1] is None


class TestCallbacks:
    def test_an_exception_in_progress_ends_the_run(self, host, make):
        def progress(_fraction, text):
            if text == SEGMENTING:
                raise ValueError("a bug in a script")

        logic, ending = make(**PAUSE), Ending()
        error = finish(host, logic.segmentAsync(addVolume(), progress=progress, completed=ending), ending)[1]
        assert "ValueError" in str(error) and "a bug in a script" in error.details
        assert worksAgain(host, logic, addVolume())

    @pytest.mark.parametrize("where", ["in progress", "while waiting"])
    def test_ctrl_c_in_a_blocking_run_leaves_nothing_running(self, host, make, monkeypatch, where):
        from LiverSegLib.errors import CancelledError

        def interrupt(*_):
            raise KeyboardInterrupt

        logic, volumeNode, told = make(**PAUSE), addVolume(), Told(SEGMENTING)
        if where == "in progress":
            told = Told(SEGMENTING, interrupt)
        else:
            told = Told(SEGMENTING, lambda: monkeypatch.setattr(logic.worker, "pump", interrupt))
        with pytest.raises((KeyboardInterrupt, CancelledError)):
            logic.segment(volumeNode, progress=told)
        monkeypatch.undo()
        assert logic.activeRun() is None
        assert worksAgain(host, logic, volumeNode)
