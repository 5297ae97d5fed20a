"""The plain-Python side of the worker: start it, keep it warm, hand it scans, get results, and never leave
anything behind.

    with WorkerClient() as worker:
        answer = worker.segment("ct.nii.gz", progress=print)

Slicer has its own client on QProcess; both speak ``protocol``. This one uses two threads that do nothing but
read the worker's pipes.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Mapping, Optional, Sequence, Tuple, Union
from uuid import uuid4

import numpy as np
import SimpleITK as sitk

from .errors import ERROR_TYPES, CancelledError, LiverSegError, SeriesChoiceError, WorkerError
from .failures import write_failure
from .images.grid import Grid
from .sentences import restored
from .worker import protocol, scratch

if TYPE_CHECKING:
    from .measure import Measurements

START_TIMEOUT_S = 60.0
"""How long the worker may take to say hello: Python and SimpleITK on a cold disk."""

CANCEL_TIMEOUT_S = 10.0
"""A worker that has not obeyed a cancel by then is killed."""

SHUTDOWN_TIMEOUT_S = 3.0
"""A worker that has not ended by then is killed."""

_POLL_S = 0.1
_STDERR_LINES = 200

Progress = Callable[[float, str, str], None]
Cancel = Callable[[], bool]


@dataclass(frozen=True)
class WorkerResult:
    """What the worker made of a scan: the fields of ``LiverSegLib.Result`` without the input image, and with
    surfaces.

    Attributes:
        name: The scan's name.
        labels: uint8 on the input's own grid.
        probability: uint8 (z, y, x), 255 = 1.0, if it was asked for.
        measurements: All numbers.
        provenance: JSON-ready facts on how they came about.
        warnings: Sentences for the user.
        surfaces: Label key -> points float32 (n, 3) in LPS mm and triangles int32 (m, 3), facing outwards.
    """

    name: str
    labels: sitk.Image
    probability: Optional[np.ndarray]
    measurements: "Measurements"
    provenance: Mapping[str, Any]
    warnings: Tuple[str, ...]
    surfaces: Mapping[str, Tuple[np.ndarray, np.ndarray]]


class WorkerClient:
    """Starts a worker when it is first needed and again after it died; a context manager that ends it.

    Not for use from several threads at once.

    Args:
        python: Python to run the worker with.
        preload: Model to load right after the start, while the caller prepares its scan.
        device: Device for ``preload``.
        command: The whole command line instead of ``python -m LiverSegLib.worker``.
        temporary_folder: Where the private folder is made; the system's temporary folder if None.
    """

    def __init__(
        self,
        python: str = sys.executable,
        *,
        preload: Optional[str] = None,
        device: str = "auto",
        command: Optional[Sequence[str]] = None,
        temporary_folder: Optional[Union[str, "os.PathLike[str]"]] = None,
    ) -> None:
        self._command = list(command) if command is not None else [python, "-m", "LiverSegLib.worker"]
        self._preload = preload
        self._device = device
        self._temporary_folder = temporary_folder
        self._child: Optional[_Child] = None

    def __enter__(self) -> "WorkerClient":
        self.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()

    @property
    def pid(self) -> Optional[int]:
        """Process number of the running worker, or None."""
        return self._child.process.pid if self._child is not None else None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> protocol.HelloReply:
        """Start the worker, unless one runs, and shake hands.

        Raises:
            WorkerError: It cannot be started, ends, or does not answer in time.
            OutputError: The private folder cannot be made.
        """
        if self._child is not None and self._child.is_alive():
            return self._child.hello
        self._end()
        child = _Child(self._command, self._temporary_folder)
        try:
            child.hello = self._shake_hands(child, timeout_s)
        except BaseException:
            child.end()
            raise
        self._child = child
        return child.hello

    def segment(
        self,
        source: Union[str, "os.PathLike[str]", sitk.Image],
        *,
        series: Optional[str] = None,
        name: Optional[str] = None,
        model: str = "default",
        device: str = "auto",
        mirror: bool = False,
        minimum_lesion_ml: Optional[float] = None,
        surfaces: bool = True,
        probability: bool = False,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
    ) -> WorkerResult:
        """Segment a scan in the worker; the arguments are those of ``LiverSegLib.segment``.

        Raises:
            CancelledError: ``cancel`` returned True.
            WorkerError: The worker died or broke the protocol; the next call starts a new one.
            LiverSegError: Of the class that was raised in the worker.
        """
        self.start()
        request_id = uuid4().hex[:12]
        try:
            return self._segment(
                request_id,
                source,
                progress,
                cancel,
                series=series,
                name=name,
                model=model,
                device=device,
                mirror=mirror,
                minimum_lesion_ml=minimum_lesion_ml,
                surfaces=surfaces,
                probability=probability,
            )
        except LiverSegError as error:
            if isinstance(error, WorkerError):
                self._end()
            raise
        except (
            BaseException
        ):  # Ctrl-C, or an exception of the caller's progress(): the worker is in the middle of something
            self._end()
            raise

    def close(self) -> None:
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

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _shake_hands(self, child: "_Child", timeout_s: float) -> protocol.HelloReply:
        child.send(protocol.Hello("hello", str(child.folder), self._preload, self._device))
        deadline = time.monotonic() + timeout_s
        while True:
            reply = child.receive(_POLL_S)
            if isinstance(reply, protocol.HelloReply):
                return reply
            if isinstance(reply, protocol.Failure):
                raise _error(reply)
            if time.monotonic() > deadline:
                raise WorkerError(f"The worker did not answer within {timeout_s:.0f} s.", child.stderr_tail())

    def _segment(
        self,
        request_id: str,
        source: Union[str, "os.PathLike[str]", sitk.Image],
        progress: Optional[Progress],
        cancel: Optional[Cancel],
        **options: Any,
    ) -> WorkerResult:
        child = self._child
        assert child is not None  # start() was called
        voxels: Optional[Path] = None
        try:
            if isinstance(source, sitk.Image):
                voxels = child.folder / f"voxels-{request_id}.npy"
                _save_voxels(voxels, source)
                where: Dict[str, Any] = {"voxels": str(voxels), "grid": Grid.of(source)}
            else:
                where = {"path": os.path.abspath(source)}
            child.send(protocol.Segment(request_id, **where, **options))
            return _read_result(self._wait(child, request_id, progress, cancel), child.folder)
        finally:
            if voxels is not None and voxels.exists():
                voxels.unlink()

    def _wait(
        self, child: "_Child", request_id: str, progress: Optional[Progress], cancel: Optional[Cancel]
    ) -> protocol.SegmentResult:
        """Pass progress on until the result or an error arrives; send a cancel once if asked to."""
        deadline: Optional[float] = None
        while True:
            if deadline is None and cancel is not None and cancel():
                child.send(protocol.Cancel(f"{request_id}-cancel", request_id))
                deadline = time.monotonic() + CANCEL_TIMEOUT_S
            if deadline is not None and time.monotonic() > deadline:
                self._end()
                raise CancelledError("Cancelled.", "the worker did not obey in time and was ended")
            reply = child.receive(_POLL_S)
            if reply is None or getattr(reply, "id", None) not in (request_id, None):
                continue
            if isinstance(reply, protocol.Progress):
                if progress is not None:
                    progress(reply.fraction, reply.stage, reply.text)
            elif isinstance(reply, protocol.Failure):
                raise _error(reply)
            elif isinstance(reply, protocol.SegmentResult):
                if deadline is not None:  # it was done before it heard of the cancel
                    scratch.remove_tree(_result_folder(reply, child.folder))
                    raise CancelledError("Cancelled.")
                return reply


class _Child:
    """A running worker process with its pipes, the threads that read them, and its private folder."""

    def __init__(
        self, command: Sequence[str], temporary_folder: Optional[Union[str, "os.PathLike[str]"]]
    ) -> None:
        self.hello: Any = None
        self.folder = scratch.make_private_folder(temporary_folder)
        try:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=_environment(),
                start_new_session=os.name != "nt",  # Ctrl-C in a terminal is the client's business
            )
        except OSError as error:
            scratch.remove_private_folder(self.folder)
            raise WorkerError(
                f"The worker could not be started: {error.strerror or error}.", str(error)
            ) from error
        except BaseException:
            scratch.remove_private_folder(self.folder)
            raise
        self._replies: "queue.Queue[Any]" = queue.Queue()
        self._stderr: Deque[str] = deque(maxlen=_STDERR_LINES)
        # also runs when the program ends or forgets the client, so that neither process nor folder stays
        self.end = weakref.finalize(self, _end_child, self.process, self.folder)
        self._readers = (
            threading.Thread(target=_read_replies, args=(self.process.stdout, self._replies), daemon=True),
            threading.Thread(target=_read_stderr, args=(self.process.stderr, self._stderr), daemon=True),
        )
        for reader in self._readers:
            reader.start()

    def is_alive(self) -> bool:
        """Whether the process runs and its output is open: a killed one closes it a little before it can be
        reaped."""
        return self.process.poll() is None and self._readers[0].is_alive()

    def send(self, message: protocol.Message) -> None:
        """Write a request. Raises WorkerError if the worker has ended."""
        line = memoryview(protocol.encode(message))
        try:
            while line:
                line = line[self.process.stdin.write(line) :]  # type: ignore[union-attr]
        except (OSError, ValueError) as error:
            raise self._death() from error

    def receive(self, timeout_s: float) -> Optional[protocol.Message]:
        """The next reply, None if there is none in time. Raises WorkerError if the worker has ended or is not
        understood."""
        try:
            reply = self._replies.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if reply is _END:
            raise self._death()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def stderr_tail(self) -> str:
        """The last lines that the worker wrote to standard error."""
        return "\n".join(self._stderr)

    def _death(self) -> WorkerError:
        try:
            status: Optional[int] = self.process.wait(SHUTDOWN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = None
        self._readers[1].join(1.0)
        return WorkerError(
            f"The worker process ended unexpectedly ({_status_words(status)}).", self.stderr_tail()
        )


_END = object()


def _read_replies(stream: Any, replies: "queue.Queue[Any]") -> None:
    lines = protocol.LineBuffer()
    for data in iter(lambda: _read_some(stream), b""):
        for line in lines.feed(data):
            try:
                message = protocol.decode(line)
            except protocol.ProtocolError as error:
                replies.put(error)
                continue
            if message is not None:
                replies.put(message)
    replies.put(_END)


def _read_stderr(stream: Any, tail: Deque[str]) -> None:
    rest = b""
    for data in iter(lambda: _read_some(stream), b""):
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-4096:]
        tail.extend(line[-4096:].decode("utf-8", "replace") for line in lines)
    if rest:
        tail.append(rest.decode("utf-8", "replace"))


def _read_some(stream: Any) -> bytes:
    try:
        return stream.read(1 << 16) or b""
    except (OSError, ValueError):
        return b""


def _end_child(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Kill and reap the worker if it still runs, close its pipes, remove its folder."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass  # unsent bytes for a dead process
    scratch.remove_private_folder(folder)


def _environment() -> Dict[str, str]:
    """This process's environment, in which the worker finds this very package."""
    environment = dict(os.environ)
    root = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
    return environment


def _status_words(status: Optional[int]) -> str:
    if status is None:
        return "it closed its output"
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = "; perhaps memory ran out" if name == "SIGKILL" else ""
    return f"{name}{hint}"


def _error(failure: protocol.Failure) -> LiverSegError:
    """The exception that the worker caught, as the class of its code."""
    kind = ERROR_TYPES.get(failure.code, LiverSegError)
    message = restored(failure.sentence) if failure.sentence else failure.message
    if kind is SeriesChoiceError:
        return SeriesChoiceError(message, failure.series, failure.details)
    return kind(message, failure.details)


def _save_voxels(path: Path, image: sitk.Image) -> None:
    try:
        scratch.save_array(path, sitk.GetArrayViewFromImage(image))
    except OSError as error:
        raise write_failure(error, path.parent.parent, "write.scan-over") from error


def _result_folder(reply: protocol.SegmentResult, private_folder: Path) -> Path:
    """The reply's folder, which must lie in the private one: it is going to be removed."""
    folder = Path(reply.folder)
    if folder.parent != private_folder:
        raise WorkerError("The worker's answer names a folder that is not its own.", str(folder))
    return folder


def _read_result(reply: protocol.SegmentResult, private_folder: Path) -> WorkerResult:
    """Read a result's files into memory and remove them."""
    from .measure import Measurements

    folder = _result_folder(reply, private_folder)
    try:
        labels = reply.grid.image(_load(folder, reply.labels))
        summary = restored(json.loads((folder / reply.summary).read_text(encoding="utf-8")))
        return WorkerResult(
            name=summary["name"],
            labels=labels,
            probability=None if reply.probability is None else _load(folder, reply.probability),
            measurements=Measurements.from_dict(summary["measurements"]),
            provenance=summary["provenance"],
            warnings=tuple(summary["warnings"]),
            surfaces={s.key: (_load(folder, s.points), _load(folder, s.triangles)) for s in reply.surfaces},
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WorkerError("The worker's result could not be read.", str(error)) from error
    finally:
        scratch.remove_tree(folder)


def _load(folder: Path, name: str) -> np.ndarray:
    return np.load(folder / name, allow_pickle=False)
