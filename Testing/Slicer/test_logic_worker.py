"""The warm worker: when it starts and ends, what it leaves, and that Slicer has one only."""

import importlib
import os
import signal
import subprocess
import sys
import tempfile

import logic_doubles
import pytest
from logic_doubles import Ending, Told, addVolume, command


@pytest.fixture
def temporaryFolder(host, tmp_path_factory, monkeypatch):
    """Where private folders are made; empty at the end."""
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    host.settle(0.05)
    assert list(place.iterdir()) == []


@pytest.fixture
def worker(temporaryFolder):
    """A worker that is not started yet."""
    from LiverSegSlicer.work.worker_process import WorkerProcess

    worker = WorkerProcess(command())
    yield worker
    worker.quit()


@pytest.fixture
def shared(temporaryFolder, monkeypatch):
    """No shared worker at the beginning, and none at the end."""
    import slicer

    from LiverSegSlicer.work import worker_process

    monkeypatch.setattr(slicer.modules, worker_process.ATTRIBUTE, None, raising=False)
    monkeypatch.setattr(worker_process, "workerCommand", command)
    yield worker_process
    left = getattr(slicer.modules, worker_process.ATTRIBUTE)
    if left is not None:
        left.quit()


def alive(pid):
    from processes import process_exists

    return process_exists(pid)


class TestStarting:
    def test_it_is_started_once_and_says_so(self, host, worker):
        assert not worker.isRunning() and worker.logText() == ""
        child = worker.start()
        assert worker.isRunning() and not worker.isReady()
        assert worker.start() is child
        host.waitFor(worker.isReady)
        assert alive(child.pid)
        assert child.folder.stat().st_mode & 0o777 == 0o700

    def test_it_can_load_a_model_ahead(self, host, worker):
        worker.start("default", "cpu")
        host.waitFor(lambda: "Model default is loaded for device cpu" in worker.logText())

    def test_the_python_of_slicer_runs_it(self, monkeypatch, host):
        from LiverSegSlicer.work import worker_process

        monkeypatch.setattr(worker_process.shutil, "which", lambda name: f"/slicer/bin/{name}")
        assert worker_process.workerCommand() == ["/slicer/bin/PythonSlicer", "-m", "LiverSegLib.server"]
        monkeypatch.setattr(worker_process.shutil, "which", lambda name: None)
        assert worker_process.workerCommand()[0] == sys.executable

    def test_it_finds_the_core_without_help_and_starts_in_no_folder_of_the_users(
        self, host, temporaryFolder, tmp_path, monkeypatch
    ):
        from LiverSegSlicer.work.worker_process import WorkerProcess

        (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("PYTHONPATH", raising=False)
        worker = WorkerProcess()
        worker.start()
        host.waitFor(worker.isReady)
        worker.quit()

    def test_what_a_crashed_slicer_left_is_removed(self, host, worker, temporaryFolder):
        from LiverSegSlicer.places import coreFolder

        code = (
            "import os; from LiverSegLib.worker import scratch; folder = scratch.make_private_folder()\n"
            "(folder / 'voxels.npy').write_text('a patient'); os.kill(os.getpid(), 9)"
        )
        environment = {**os.environ, "PYTHONPATH": str(coreFolder())}
        subprocess.run([sys.executable, "-c", code], env=environment)
        (left,) = temporaryFolder.iterdir()
        assert (left / "voxels.npy").exists()
        child = worker.start()
        assert list(temporaryFolder.iterdir()) == [child.folder]


class TestEnding:
    def test_it_ends_when_asked_and_takes_its_folder_along(self, host, worker):
        child = worker.start()
        host.waitFor(worker.isReady)
        worker.stop()
        assert not worker.isRunning()
        host.waitFor(child.hasEnded, 5)
        assert not child.folder.exists() and not alive(child.pid)
        assert worker.start() is not child

    def test_it_ends_while_it_is_still_starting(self, host, worker):
        child = worker.start()
        worker.stop()
        host.waitFor(child.hasEnded, 10)
        assert not child.folder.exists()

    def test_one_that_does_not_end_is_killed(self, host, temporaryFolder, monkeypatch):
        from LiverSegSlicer.work import worker_process

        monkeypatch.setattr(worker_process, "END_S", 0.3)
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
        worker = worker_process.WorkerProcess(logic_doubles.script(code))
        child = worker.start()
        worker.stop()
        host.waitFor(child.hasEnded, 5)

    def test_it_ends_after_idle_minutes_but_not_in_a_run(self, host, worker):
        from LiverSegSlicer.logic import Logic

        worker.setIdleMinutes(5)
        Logic(worker).segment(addVolume())
        assert worker._idleTimer.isActive() and worker._idleTimer.interval == 5 * 60_000
        worker.occupy(self)
        assert not worker._idleTimer.isActive()
        worker.stopIfIdle()
        assert worker.isRunning()
        worker.release(self)
        worker.setIdleMinutes(0)
        assert not worker._idleTimer.isActive()
        worker.setIdleMinutes(1)
        worker.stopIfIdle()
        assert not worker.isRunning()

    def test_nothing_is_left_when_slicer_exits_in_the_middle_of_a_run(self, host, shared):
        import slicer

        from LiverSegSlicer.logic import Logic

        worker = shared.sharedWorker()
        worker._command = command(pause_at="segment", seconds=60, deaf=True)
        ending, told = Ending(), Told()
        Logic().segmentAsync(addVolume(), progress=told, completed=ending)
        host.waitFor(told.heard("Segmenting"))
        child = worker.start()
        slicer.app.aboutToQuit()
        assert child.hasEnded() and not child.folder.exists() and not alive(child.pid)
        host.waitFor(ending.happened, 2)
        assert ending.only()[1].code == "cancelled"

    def test_a_launcher_between_us_and_the_worker_dies_with_it(self, host, temporaryFolder):
        from LiverSegSlicer.work.worker_process import WorkerProcess

        argv = command(pause_at="segment", seconds=60, deaf=True)
        launcher = logic_doubles.script(f"import subprocess; subprocess.run({argv!r})")
        worker = WorkerProcess(launcher)
        child = worker.start()
        host.waitFor(worker.isReady)
        assert child.pid != int(child._process.processId())
        child.end(child.error)
        host.waitFor(child.hasEnded, 5)
        host.waitFor(lambda: not alive(child.pid), 2)

    def test_it_may_die_while_idle(self, host, worker):
        from LiverSegSlicer.logic import Logic

        child = worker.start()
        host.waitFor(worker.isReady)
        os.kill(child.pid, signal.SIGKILL)
        host.waitFor(lambda: not worker.isRunning(), 5)
        assert "ended unexpectedly" in worker.logText() and not child.folder.exists()
        assert Logic(worker).segment(addVolume()) is not None


class TestSharing:
    def test_all_of_slicer_has_one_and_it_survives_reloading_the_module(self, host, shared):
        import slicer

        from LiverSegSlicer import jobs, logic
        from LiverSegSlicer.work import run

        worker = shared.sharedWorker()
        assert logic.Logic().worker is logic.Logic().worker is worker is shared.sharedWorker()
        worker._command = command(pause_at="segment", seconds=1)
        ending, told = Ending(), Told()
        volumeNode = addVolume()
        logic.Logic().segmentAsync(volumeNode, progress=told, completed=ending)
        host.waitFor(told.heard("Segmenting"))
        for module in (shared, run, jobs, logic):
            importlib.reload(module)
        afresh = logic.Logic()
        assert afresh.worker is worker is getattr(slicer.modules, shared.ATTRIBUTE)
        assert afresh.activeRun().isRunning()
        refused = Ending()
        afresh.segmentAsync(volumeNode, completed=refused)
        host.waitFor(refused.happened, 5)
        assert refused.only()[1].code == "usage"
        host.waitFor(ending.happened)
        assert ending.only()[1] is None
        assert afresh.segment(volumeNode) is not None

    def test_making_a_logic_starts_nothing(self, host, shared):
        from LiverSegSlicer.logic import Logic

        assert Logic().activeRun() is None
        assert not shared.sharedWorker().isRunning()
