"""Fault drills: what can go wrong at the worst moment does, and nothing half-written, no stray file and no
process stays.

The drills use made-up results, so that they test the ways out, not the computing.
"""

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import doubles
import pytest
import SimpleITK as sitk
from processes import process_exists
from worker_client import WorkerClient

from LiverSegLib import errors, surfaces
from LiverSegLib.outputs import atomic, check_output_folder, reserve, results, write_results
from LiverSegLib.worker import scratch

MEMORY_ERRORS = ("MemoryError", "numpy", "torch on the CPU", "torch on a GPU", "ITK")


pytestmark = pytest.mark.usefixtures("empty_temporary_folder")


@pytest.fixture(autouse=True)
def quick_picture(monkeypatch):
    monkeypatch.setattr(surfaces, "render", lambda *_, **__: b"\x89PNG, as it were")


@pytest.fixture
def quick_report(monkeypatch):
    monkeypatch.setattr("LiverSegLib.report.page.build_report", lambda **_: "<html></html>")


@pytest.fixture(scope="module")
def result():
    return doubles.result()


@pytest.fixture
def old_set(tmp_path, result, quick_report):
    """An output folder with the results of an earlier run and a file of the user's."""
    place = tmp_path / "out"
    write_results(result, place, label_format="nrrd")
    (place / "notes.txt").write_text("mine")
    return place


@pytest.fixture
def scan_file(tmp_path):
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(doubles.scan(), str(path))
    return path


def contents(place):
    """All that is in a folder, hidden files and subfolders too."""
    return {
        str(path.relative_to(place)): path.read_bytes() if path.is_file() else None
        for path in place.rglob("*")
    }


# ---- disks

_fault = {"place": None, "step": 0, "count": 0, "error": None}


def _hook(event, arguments):
    """Fail the chosen one of all system calls that write below a folder: opening for writing, making,
    renaming, linking."""
    if _fault["place"] is None or event not in ("open", "os.mkdir", "os.rename", "os.link"):
        return
    if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    if not str(arguments[0]).startswith(_fault["place"]):
        return
    _fault["count"] += 1
    if _fault["step"] in (0, _fault["count"]):
        raise OSError(_fault["error"], os.strerror(_fault["error"]), str(arguments[0]))


sys.addaudithook(_hook)


@contextmanager
def failing_disk(place, error, step=0):
    """Let the ``step``-th write below ``place`` fail, or every one (0)."""
    _fault.update(place=str(place), step=step, count=0, error=error)
    try:
        yield
    finally:
        _fault["place"] = None


OPTIONS = {"label_format": "nii.gz", "highlight": True}


def test_a_full_disk_at_each_write_keeps_the_old_set(old_set, result):
    before, count = contents(old_set), 0
    for step in range(1, 100):
        with failing_disk(old_set, errno.ENOSPC, step):
            try:
                write_results(result, old_set, **OPTIONS)
            except errors.OutputError as failure:
                count += 1
                assert str(failure) == (
                    f"LiverSeg could not write the results: the disk that holds {old_set} is full."
                )
                assert contents(old_set) == before, step
                continue
        if _fault["count"] < step:  # all writes have had their turn
            break
        assert "segmentation.nrrd" not in contents(
            old_set
        )  # there was another way: a lock without a hard link
        write_results(result, old_set, label_format="nrrd")
        before = contents(old_set)
    # the lock, the staging folder, seven files, the journal, six old files aside, seven new ones in place
    assert count >= 24
    assert {"segmentation.nii.gz", "highlight.nii.gz", "notes.txt"} < set(contents(old_set))
    assert "segmentation.nrrd" not in contents(old_set)


def test_a_full_disk_at_each_write_into_a_new_folder_leaves_no_folder(tmp_path, result, quick_report):
    count = 0
    for step in range(1, 100):
        place = tmp_path / str(step)
        place.mkdir()
        with failing_disk(place, errno.ENOSPC, step):
            try:
                write_results(result, place / "new" / "out", **OPTIONS)
            except errors.OutputError as failure:
                count += 1
                assert str(failure).endswith("is full.")
                assert contents(place) == {}, step
        if _fault["count"] < step:
            break
    assert count >= 18


LIMITED = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import doubles
from LiverSegLib import surfaces
from LiverSegLib.errors import OutputError
from LiverSegLib.outputs import write_results
surfaces.render = lambda *_, **__: b"PNG"
import LiverSegLib.measure.tables, LiverSegLib.report
result = doubles.result()
for limit in (10, 200, 400, 3000):
    doubles.limit_file_size_softly(limit)
    for label_format in ("nii.gz", "nrrd", "mha", "seg.nrrd"):
        try:
            write_results(result, {out!r}, label_format=label_format)
        except OutputError as error:
            print(error)
        else:
            print("written")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_within_a_file_is_noticed_in_c_libraries_too(old_set):
    before = contents(old_set)
    tests = str(Path(__file__).parent)
    code = LIMITED.format(root=str(doubles.ROOT), tests=tests, out=str(old_set))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    sentences = done.stdout.splitlines()
    assert len(sentences) == 16
    assert all(
        line.startswith(("LiverSeg could not write the results", "segmentation.")) for line in sentences
    )
    assert contents(old_set) == before


@pytest.mark.parametrize(
    "error, reason", [(errno.EROFS, "is on a read-only disk"), (errno.EACCES, "does not allow writing")]
)
def test_a_read_only_folder_is_told_before_the_work(tmp_path, error, reason):
    place = tmp_path / "there"
    place.mkdir()
    for target in (place, place / "new" / "folder"):
        with failing_disk(tmp_path, error):
            with pytest.raises(errors.OutputError, match=rf"{place} {reason}\.$"):
                check_output_folder(target)
    assert contents(tmp_path) == {"there": None}


def test_a_folder_that_becomes_read_only_while_the_work_runs(old_set, result):
    before = contents(old_set)
    with pytest.raises(errors.OutputError, match="is on a read-only disk"):
        with reserve(old_set) as reservation:
            with failing_disk(old_set, errno.EROFS):
                write_results(result, reservation)
    assert contents(old_set) == before


def test_a_disk_that_is_full_for_the_workers_answer(empty_temporary_folder):
    with WorkerClient(command=doubles.command("worker", {"file_limit": 2000})) as worker:
        pid = worker.pid
        with pytest.raises(
            errors.OutputError, match="could not hand the result over: the disk that holds .* is full"
        ):
            worker.segment(doubles.scan())
        assert worker.pid == pid
        (private,) = empty_temporary_folder.iterdir()
        assert [entry.name for entry in private.iterdir()] == [scratch.OWNER_FILE]


def test_a_disk_that_is_full_for_the_scan_on_its_way_to_the_worker(empty_temporary_folder):
    with WorkerClient(command=doubles.command("worker")) as worker:
        with failing_disk(empty_temporary_folder, errno.ENOSPC):
            with pytest.raises(errors.OutputError, match="could not hand the scan to the worker: the disk"):
                worker.segment(doubles.scan())
        assert worker.segment(doubles.scan(), surfaces=False).name == "case"


def test_a_full_temporary_folder_is_told_when_the_worker_starts(empty_temporary_folder):
    with failing_disk(empty_temporary_folder, errno.ENOSPC):
        with pytest.raises(errors.OutputError, match="could not make a temporary folder: the disk"):
            WorkerClient(command=doubles.command("worker")).start()


@pytest.mark.parametrize(
    "error, kind, sentence",
    [
        (OSError(errno.EDQUOT, "x"), errors.OutputError, "the disk that holds /out is full."),
        (
            RuntimeError("ITK ERROR: No space left on device"),
            errors.OutputError,
            "the disk that holds /out is full.",
        ),
        (
            OSError(errno.EIO, "Input/output error"),
            errors.OutputError,
            "into /out failed (Input/output error).",
        ),
        (
            RuntimeError("ITK ERROR: something"),
            errors.OutputError,
            "LiverSeg could not write the results: writing into",
        ),
        (OSError(errno.ENOMEM, "x"), errors.OutOfMemoryError, "Memory ran out."),
        (KeyError("x"), errors.LiverSegError, "LiverSeg failed unexpectedly (KeyError)."),
        (errors.UsageError("as it is"), errors.UsageError, "as it is"),
    ],
)
def test_a_failed_write_in_words(error, kind, sentence):
    failure = errors.write_failure(error, "/out")
    assert type(failure) is kind
    assert sentence in str(failure)


@pytest.mark.parametrize(
    "error, kind, sentence",
    [
        (KeyboardInterrupt(), errors.CancelledError, "Cancelled."),
        (OSError(errno.ENOSPC, "x"), errors.OutputError, "The disk is full."),
        (RuntimeError("CUDA error: out of memory"), errors.OutOfMemoryError, "Memory ran out."),
        (RuntimeError("shapes differ"), errors.LiverSegError, "LiverSeg failed unexpectedly (RuntimeError)."),
    ],
)
def test_any_failure_in_words(error, kind, sentence):
    failure = errors.explain(error)
    assert type(failure) is kind
    assert str(failure).startswith(sentence)
    assert failure.details


# ---- memory


@pytest.mark.parametrize("stage", ["read", "locate", "segment", "clean", "measure", "hand over"])
def test_out_of_memory_in_the_worker_is_one_sentence_and_the_worker_lives_on(stage):
    error = MEMORY_ERRORS[hash_of(stage) % len(MEMORY_ERRORS)]
    with WorkerClient(command=doubles.command("worker", {"raise_at": stage, "error": error})) as worker:
        pid = worker.pid
        with pytest.raises(errors.OutOfMemoryError, match="^Memory ran out"):
            worker.segment(doubles.scan())
        assert worker.pid == pid and process_exists(pid)


def hash_of(text):
    return sum(text.encode())


@pytest.mark.parametrize(
    "site, error",
    [("write_labels", error) for error in MEMORY_ERRORS]
    + [(site, "MemoryError") for site in ("_write_highlight", "_write_report", "_write_json", "outdated")],
)
def test_out_of_memory_at_each_step_of_writing_keeps_the_old_set(old_set, result, monkeypatch, site, error):
    before = contents(old_set)
    monkeypatch.setattr(results, site, lambda *_: raise_(doubles.ERRORS[error]()))
    with pytest.raises(errors.OutOfMemoryError, match="^Memory ran out"):
        write_results(result, old_set, **OPTIONS)
    assert contents(old_set) == before


def raise_(error):
    raise error


def test_out_of_memory_while_drawing_costs_the_picture_only(old_set, result, monkeypatch):
    monkeypatch.setattr(surfaces, "render", lambda *_, **__: raise_(MemoryError()))
    files = write_results(result, old_set)
    assert "rendering" not in files
    assert "There is no 3-D picture. Memory ran out." in files["measurements"].read_text()


# ---- Ctrl-C and SIGTERM


def run_cli(plan, *arguments):
    return subprocess.run(
        doubles.command("cli", plan, *map(str, arguments)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "stage",
    ["read", *(pytest.param(stage, marks=pytest.mark.slow) for stage in ("segment", "done", "write"))],
)
def test_ctrl_c_at_each_stage_of_the_command(old_set, scan_file, stage):
    before = contents(old_set)
    done = run_cli({"signal_at": stage}, "segment", scan_file, "-o", old_set)
    assert done.returncode == errors.CancelledError.exit_code
    assert "Cancelled; nothing was written." in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(old_set) == before


@pytest.mark.parametrize("stage", ["locate", "write"])
def test_sigterm_ends_the_command_as_cleanly(tmp_path, scan_file, stage):
    run_cli({"signal_at": stage, "signal": int(signal.SIGTERM)}, "segment", scan_file, "-o", tmp_path / "new")
    assert contents(tmp_path).keys() == {"ct.nrrd"}


@pytest.mark.parametrize("number, kind", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
@pytest.mark.parametrize("site", ["write_labels", "_draw", "_write_report", "_write_json", "outdated"])
def test_a_signal_at_each_step_of_writing_keeps_the_old_set(old_set, result, monkeypatch, site, number, kind):
    before = contents(old_set)
    real = getattr(results, site)
    monkeypatch.setattr(results, site, lambda *a: (signal.raise_signal(number), real(*a))[1])
    with pytest.raises(kind):
        write_results(result, old_set)
    assert contents(old_set) == before
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_during_the_last_renamings_waits_until_the_new_set_is_whole(old_set, result, monkeypatch):
    real = atomic._swap
    monkeypatch.setattr(atomic, "_swap", lambda *a: (signal.raise_signal(signal.SIGINT), real(*a)))
    with pytest.raises(KeyboardInterrupt):
        write_results(result, old_set, **OPTIONS)
    assert "segmentation.nrrd" not in contents(old_set)
    assert set(contents(old_set)) == {
        "highlight.nii.gz", "lesions.csv", "measurements.csv", "measurements.json", "notes.txt",
        "rendering.png", "report.html", "segmentation.nii.gz",
    }  # fmt: skip


def test_ctrl_c_while_waiting_for_the_worker_ends_it():
    with WorkerClient(command=doubles.command("worker", {"pause_at": "segment"})) as worker:
        pid = worker.pid
        with pytest.raises(KeyboardInterrupt):
            worker.segment(doubles.scan(), cancel=lambda: signal.raise_signal(signal.SIGINT))
        assert not process_exists(pid)


# ---- kill -9


@pytest.mark.parametrize("stage", ["loading", *doubles.STAGES])
def test_kill_9_of_the_worker_at_each_stage(stage):
    plan = {"loading_s": 30} if stage == "loading" else {"pause_at": stage}
    with WorkerClient(command=doubles.command("worker", plan)) as worker:
        pid = worker.pid

        def kill(*facts):
            if stage in facts or stage == "loading":
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(errors.WorkerError, match="ended unexpectedly .SIGKILL; perhaps memory ran out"):
            worker.segment(doubles.scan(), progress=kill, cancel=kill)
        assert not process_exists(pid)
        assert worker.pid is None


def test_after_kill_9_the_next_scan_gets_a_new_worker():
    with WorkerClient(command=doubles.command("worker")) as worker:
        pid = worker.pid
        os.kill(pid, signal.SIGKILL)
        doubles.wait_until(lambda: not worker._child.is_alive())
        assert worker.segment(doubles.scan(), surfaces=False).provenance["pid"] == worker.pid != pid


def test_kill_9_of_the_command_while_it_writes_is_put_right_by_the_next_run(old_set, scan_file):
    before = contents(old_set)
    plan = {"signal_at": "write", "signal": int(signal.SIGKILL)}
    done = run_cli(plan, "segment", scan_file, "-o", old_set, "--format", "nrrd")
    assert done.returncode == -signal.SIGKILL
    left = contents(old_set)
    assert {name: left[name] for name in before} == before
    check_output_folder(old_set, label_format="nrrd")
    assert contents(old_set) == before


def test_kill_9_of_the_client_ends_the_worker_and_its_folder(empty_temporary_folder):
    code = (
        "import sys\n"
        f"sys.path[:0] = [{str(doubles.ROOT)!r}, {str(Path(__file__).parent)!r}]\n"
        "import doubles, os, signal\n"
        "from worker_client import WorkerClient\n"
        f"worker = WorkerClient(command={doubles.command('worker', {'pause_at': 'segment'})!r})\n"
        "worker.start()\n"
        "print(worker.pid, flush=True)\n"
        "def progress(fraction, stage, text):\n"
        "    if stage == 'segment':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "worker.segment(doubles.scan(), progress=progress)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    doubles.wait_until(lambda: not process_exists(int(done.stdout)))
    assert list(empty_temporary_folder.iterdir()) == []


# ---- other people


def test_an_input_that_changes_meanwhile_writes_nothing(old_set, scan_file):
    before = contents(old_set)
    done = run_cli({"raise_at": "measure", "error": "changed"}, "segment", scan_file, "-o", old_set)
    assert done.returncode == errors.InputChangedError.exit_code
    assert "case was changed while it was being segmented; please run again." in done.stderr
    assert contents(old_set) == before


def test_two_runs_into_one_folder(old_set, scan_file):
    with reserve(old_set):
        before = contents(old_set)
        done = run_cli({"pause_at": "read"}, "segment", scan_file, "-o", old_set)
        assert done.returncode == errors.OutputError.exit_code
        assert f"Another run (process {os.getpid()} on " in done.stderr.replace("\n", " ")
        assert contents(old_set) == before
