"""The tests' side of the worker: start it, keep it warm, hand it scans, get results, leave nothing behind.

    with WorkerClient() as worker:
        answer = worker.segment("ct.nii.gz", progress=print)

3D Slicer has a client of its own, on QProcess; both speak ``LiverSegLib.worker.protocol``.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import (
    ERROR_TYPES,
    CancelledError,
    LiverSegError,
    SeriesChoiceError,
    WorkerError,
    write_failure,
)
from LiverSegLib.images.grid import Grid
from LiverSegLib.measure import Measurements
from LiverSegLib.sentences import restored
from LiverSegLib.worker import protocol, scratch

START_TIMEOUT_S = 60.0
"""How long the worker may take to say hello: Python and SimpleITK on a cold disk."""
CANCEL_TIMEOUT_S = 10.0
"""A worker that has not obeyed a cancel by then is killed."""
SHUTDOWN_TIMEOUT_S = 3.0
"""A worker that has not ended by then is killed."""

_ROOT = str(Path(__file__).resolve().parents[2])
_POLL_S = 0.1
_END = object()


class WorkerClient:
    """Starts a worker when it is first needed and again after it died; a context manager that ends it.

    Args:
        python: Python to run the worker with.
        command: The whole command line instead of ``python -m LiverSegLib.worker``.
        preload, device: Model to load right after the start, while the caller prepares its scan.
    """

    def __init__(self, python=sys.executable, *, command=None, preload=None, device="auto"):
        self._command = command or [python, "-m", "LiverSegLib.worker"]
        self._preload = preload
        self._device = device
        self._child = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        """Process number of the running worker, or None."""
        return self._child.process.pid if self._child is not None else None

    def start(self, timeout_s=START_TIMEOUT_S):
        """Start the worker, unless one runs, and return its hello.

        Raises:
            WorkerError: It cannot be started, ends, or does not answer in time.
            OutputError: The private folder cannot be made.
        """
        if self._child is None or not self._child.is_alive():
            self._end()
            child = _Child(self._command)
            try:
                child.hello = self._shake_hands(child, timeout_s)
            except BaseException:
                child.end()
                raise
            self._child = child
        return self._child.hello

    def segment(self, source, *, progress=None, cancel=None, **options):
        """Segment a path or an image in the worker; options are the fields of ``protocol.Segment``.

        Returns:
            ``name``, ``labels``, ``probability``, ``measurements``, ``provenance``, ``warnings``,
            ``review`` and ``surfaces``: label key -> points float32 (n, 3) in LPS mm, triangles int32 (m, 3).

        Raises:
            CancelledError: ``cancel`` returned True.
            WorkerError: The worker died or broke the protocol; the next call starts a new one.
            LiverSegError: Of the class that was raised in the worker.
        """
        self.start()
        child, request_id = self._child, uuid4().hex[:12]
        try:
            if isinstance(source, sitk.Image):
                grid = Grid.of(source)
                where = {"voxels": str(_save_voxels(child.folder, source)), "grid": grid}
            else:
                where = {"path": os.path.abspath(source)}
            child.send(protocol.Segment(request_id, **where, **options))
            return _read_result(self._wait(child, request_id, progress, cancel), child.folder)
        except BaseException as error:  # an exception of progress(), too: the worker is in the middle of it
            if isinstance(error, WorkerError) or not isinstance(error, LiverSegError):
                self._end()
            raise
        finally:
            for voxels in child.folder.glob("voxels-*.npy"):
                voxels.unlink()

    def close(self):
        """Ask the worker to end, make sure that it does, and remove its folder. May be called again."""
        if self._child is None:
            return
        try:
            self._child.send(protocol.Shutdown("shutdown"))
            self._child.process.wait(SHUTDOWN_TIMEOUT_S)
        except (WorkerError, subprocess.TimeoutExpired):
            pass  # dead already, or deaf: _end kills it
        finally:
            self._end()

    def _end(self):
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _shake_hands(self, child, timeout_s):
        child.send(protocol.Hello("hello", str(child.folder), self._preload, self._device))
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            reply = child.receive()
            if isinstance(reply, protocol.HelloReply):
                return reply
            if isinstance(reply, protocol.Failure):
                raise raised(reply)
        raise WorkerError(f"The worker did not answer within {timeout_s:.0f} s.", child.stderr_tail())

    def _wait(self, child, request_id, progress, cancel):
        """Pass progress on until the result or an error arrives; send a cancel once if asked to."""
        deadline = None
        while True:
            if deadline is None and cancel is not None and cancel():
                child.send(protocol.Cancel(f"{request_id}-cancel", request_id))
                deadline = time.monotonic() + CANCEL_TIMEOUT_S
            if deadline is not None and time.monotonic() > deadline:
                self._end()
                raise CancelledError("Cancelled.", "the worker did not obey in time and was ended")
            reply = child.receive()
            if reply is None or getattr(reply, "id", None) not in (request_id, None):
                continue
            if isinstance(reply, protocol.Progress) and progress is not None:
                progress(reply.fraction, reply.stage, reply.text)
            elif isinstance(reply, protocol.Failure):
                raise raised(reply)
            elif isinstance(reply, protocol.SegmentResult):
                if deadline is not None:  # it was done before it heard of the cancel
                    scratch.remove_tree(Path(reply.folder))
                    raise CancelledError("Cancelled.")
                return reply


class _Child:
    """A running worker process with its pipes, the threads that read them, and its private folder."""

    def __init__(self, command):
        self.hello = None
        self.folder = scratch.make_private_folder()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([_ROOT, os.environ.get("PYTHONPATH", "")])},
                start_new_session=os.name != "nt",  # Ctrl-C in a terminal is the client's business
            )
        except OSError as error:
            scratch.remove_private_folder(self.folder)
            raise WorkerError(f"The worker could not be started: {error.strerror}.") from error
        self._replies = queue.Queue()
        self._stderr = deque(maxlen=200)
        # also runs when the program ends or forgets the client, so that neither process nor folder stays
        self.end = weakref.finalize(self, _end_child, self.process, self.folder)
        self._readers = (
            threading.Thread(target=_read_replies, args=(self.process.stdout, self._replies), daemon=True),
            threading.Thread(target=_read_stderr, args=(self.process.stderr, self._stderr), daemon=True),
        )
        for reader in self._readers:
            reader.start()

    def is_alive(self):
        """Whether the process runs and its output is open: a killed one closes it before it can be
        reaped."""
        return self.process.poll() is None and self._readers[0].is_alive()

    def send(self, message):
        """Write a request. Raises WorkerError if the worker has ended."""
        line = memoryview(protocol.encode(message))
        try:
            while line:
                line = line[self.process.stdin.write(line) :]
        except (OSError, ValueError) as error:
            raise self._death() from error

    def receive(self):
        """The next reply, None if there is none yet. Raises WorkerError if the worker has ended or is not
        understood."""
        try:
            reply = self._replies.get(timeout=_POLL_S)
        except queue.Empty:
            return None
        if reply is _END:
            raise self._death()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def stderr_tail(self):
        """The last lines that the worker wrote to standard error."""
        return "".join(self._stderr)

    def _death(self):
        try:
            status = self.process.wait(SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            words = "it closed its output"
        else:
            words = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
        self._readers[1].join(1.0)
        hint = "; perhaps memory ran out" if words == "SIGKILL" else ""
        return WorkerError(f"The worker process ended unexpectedly ({words}{hint}).", self.stderr_tail())


def raised(failure):
    """The exception that the worker caught, as the class of its code."""
    kind = ERROR_TYPES.get(failure.code, LiverSegError)
    message = restored(failure.sentence) if failure.sentence else failure.message
    if kind is SeriesChoiceError:
        return SeriesChoiceError(message, failure.series, failure.details)
    return kind(message, failure.details)


def _read_replies(stream, replies):
    lines = protocol.LineBuffer()
    for data in _pieces(stream):
        for line in lines.feed(data):
            try:
                message = protocol.decode(line)
            except protocol.ProtocolError as error:
                message = error
            if message is not None:
                replies.put(message)
    replies.put(_END)


def _read_stderr(stream, tail):
    for data in _pieces(stream):
        tail.append(data.decode("utf-8", "replace"))


def _pieces(stream):
    try:
        yield from iter(lambda: stream.read(1 << 16), b"")
    except (OSError, ValueError):
        pass  # closed by _end_child


def _end_child(process, folder):
    """Kill and reap the worker if it still runs, close its pipes, remove its folder."""
    process.kill()  # does nothing to one that was reaped
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    scratch.remove_private_folder(folder)


def _save_voxels(folder, image):
    path = folder / f"voxels-{uuid4().hex}.npy"
    try:
        scratch.save_array(path, sitk.GetArrayViewFromImage(image))
    except OSError as error:
        raise write_failure(error, folder.parent, "write.scan-over") from error
    return path


def _read_result(reply, private_folder):
    """Read a result's files into memory and remove them."""
    folder = Path(reply.folder)
    assert folder.parent == private_folder

    def load(name):
        return np.load(folder / name, allow_pickle=False)

    labels = sitk.GetImageFromArray(load(reply.labels))
    labels.SetOrigin(reply.grid.origin)
    labels.SetSpacing(reply.grid.spacing)
    labels.SetDirection(reply.grid.direction)
    summary = restored(json.loads((folder / reply.summary).read_text(encoding="utf-8")))
    result = SimpleNamespace(
        name=summary["name"],
        labels=labels,
        probability=None if reply.probability is None else load(reply.probability),
        measurements=Measurements.from_dict(summary["measurements"]),
        provenance=summary["provenance"],
        warnings=tuple(summary["warnings"]),
        review=summary.get("review"),
        surfaces={surface.key: (load(surface.points), load(surface.triangles)) for surface in reply.surfaces},
    )
    scratch.remove_tree(folder)
    return result
