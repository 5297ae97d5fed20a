"""The core as a warm child process: ``python -m LiverSegLib.worker`` reads requests on standard input and
replies on standard output.

``protocol`` describes the messages, ``tasks`` does the work. Three threads:

- the main thread computes, one request after the other, and keeps the last model loaded and the
  last case that is being corrected;
- the reader takes requests in while the main thread computes, so that ``cancel`` and ``shutdown`` act within
  a second;
- the watcher notices that the parent is gone (also one that was killed while a brother of ours holds our
  input open) and ends a worker that does not end by itself in time.

However it ends, short of being killed itself, its private folder is removed. The real standard output is kept
for replies alone: file descriptor 1 leads to standard error, so whatever a library prints cannot damage them.
"""

import os
import platform
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Optional, Set, Tuple, Union

from ..cancelling import while_checking
from ..errors import CancelledError, LiverSegError, explain
from ..sentences import Sentence
from . import protocol, scratch, tasks
from .context import CheckedScans, Elsewhere, OpenCases, RegisteredLivers, Segments, TaskContext
from .failures import failure
from .messages import WORK_REQUESTS, Hello, Message, WorkRequest
from .model_messages import AddModel, RemoveModel

Wanted = Tuple[str, str, str, Optional[str]]
"""Model, device, engine, model for the tumours or None."""
SegmenterFactory = Callable[[str, str, str, Optional[str]], Segments]
"""What is wanted -> a loaded segmenter."""

QueuedRequest = Union[Hello, WorkRequest]
"""A request that waits for its turn; the others act at once."""

GRACE_S = 5.0
"""How long computing may go on after the worker was asked to end, before it is ended the hard way."""

WATCH_S = 0.5
"""How often the watcher looks for the parent."""

PROGRESS_S = 0.05
"""Shortest time between two progress replies of the same stage."""

_READ_BYTES = 1 << 16


def main(
    segmenter_factory: Optional[SegmenterFactory] = None,
    *,
    grace_s: float = GRACE_S,
    servers: Optional[Elsewhere] = None,
) -> int:
    """Run the worker until it is told to shut down, its input closes, its parent vanishes, or SIGTERM or
    SIGINT arrives.

    Args:
        segmenter_factory: Makes segmenters; ``LiverSegLib.Segmenter`` if None.
        grace_s: See ``GRACE_S``.
        servers: The way to servers that compute in this worker's place; None for none.

    Returns:
        The exit status: 0, or 128 + the signal's number.
    """
    channel = Channel.take_standard_streams()
    worker = Worker(channel, segmenter_factory or _load_segmenter, grace_s=grace_s, servers=servers)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: worker.stop(f"signal {signum}", 128 + signum))
    return worker.run()


class Channel:
    """The pipes to and from the parent."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def take_standard_streams(cls) -> "Channel":
        """Keep the real standard input and output for messages; leave an empty input and standard error to
        everyone else."""
        sys.stdout.flush()
        read_fd, write_fd = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        if sys.platform == "win32":
            import msvcrt

            msvcrt.setmode(read_fd, os.O_BINARY)
            msvcrt.setmode(write_fd, os.O_BINARY)
        return cls(read_fd, write_fd)

    def read(self) -> bytes:
        """Wait for bytes from the parent; empty when it has closed its side."""
        try:
            return os.read(self._read_fd, _READ_BYTES)
        except OSError:
            return b""

    def send(self, message: Message) -> None:
        """Write a reply. Nothing happens if nobody listens any more: then the reader and the watcher end the
        worker."""
        line = memoryview(protocol.encode(message))
        with self._lock:
            try:
                while line and not self._closed:
                    line = line[os.write(self._write_fd, line) :]
            except OSError:
                self._closed = True


class Worker:
    """Works off requests from a channel. ``run`` in the main thread; everything else may be called from any
    thread."""

    def __init__(
        self,
        channel: Channel,
        segmenter_factory: SegmenterFactory,
        *,
        grace_s: float = GRACE_S,
        servers: Optional[Elsewhere] = None,
    ) -> None:
        self._channel = channel
        self._make_segmenter = segmenter_factory
        self._grace_s = grace_s
        self._servers = servers
        self._requests: "queue.SimpleQueue[Optional[QueuedRequest]]" = queue.SimpleQueue()
        self._pending: Set[str] = set()
        self._cancelled: Set[str] = set()
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._reason = ""
        self._status = 0
        self._folder: Optional[Path] = None
        self._segmenter: Optional[Tuple[Wanted, Segments]] = None
        self._loading = threading.Lock()
        self._cases = OpenCases()
        self._scans = CheckedScans()
        self._registered = RegisteredLivers()
        self._parent = os.getppid()

    def run(self) -> int:
        """Work until stopped, remove the private folder and return the exit status."""
        for target in (self._read_requests, self._watch):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()
        try:
            while not self._stopping.is_set():
                request = self._requests.get()
                if request is not None:
                    self._handle(request)
        finally:
            self._done.set()
            self._remove_folder()
            self._channel.send(protocol.Bye(self._reason))
        return self._status

    def stop(self, reason: str, status: int = 0) -> None:
        """Cancel what runs and end. Safe in signal handlers; only the first call counts."""
        if not self._stopping.is_set():
            self._reason, self._status = reason, status
            self._stopping.set()
            self._requests.put(None)

    # ---- reader and watcher

    def _read_requests(self) -> None:
        lines = protocol.LineBuffer()
        while not self._stopping.is_set():
            data = self._channel.read()
            if not data:
                self.stop("the parent closed the connection")
                return
            for line in lines.feed(data):
                self._take(line)

    def _take(self, line: bytes) -> None:
        """Act on cancel and shutdown, queue the rest, answer what is not understood."""
        try:
            message = protocol.decode(line)
        except protocol.ProtocolError as error:
            self._channel.send(failure(error.request_id, error))
            return
        if isinstance(message, protocol.Cancel):
            if message.target in self._pending:
                self._cancelled.add(message.target)
        elif isinstance(message, protocol.Shutdown):
            self.stop("shutdown")
        elif isinstance(message, (Hello, *WORK_REQUESTS)):
            self._pending.add(message.id)
            self._requests.put(message)

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_S):
            if os.getppid() != self._parent:
                self.stop("the parent has ended")
        if not self._done.wait(self._grace_s):
            self._remove_folder()
            os._exit(self._status or 1)

    # ---- requests, in the main thread

    def _handle(self, request: QueuedRequest) -> None:
        """Work off one request; whatever goes wrong becomes its error reply."""
        try:
            if isinstance(request, Hello):
                self._hello(request)
            else:
                self._work(request)
        except Exception as error:  # noqa: BLE001 (the worker outlives every request)
            told = explain(error)
            if not isinstance(error, LiverSegError):
                sys.stderr.write(f"{told.details}\n")
                sys.stderr.flush()
            self._send_failure(request.id, told)
        finally:
            self._pending.discard(request.id)
            self._cancelled.discard(request.id)

    def _send_failure(self, request_id: str, error: LiverSegError) -> None:
        """Answer with an error. What comes with it may be beyond JSON (a spacing that is no number): then
        the sentence goes alone, as the answer must not end the worker."""
        try:
            self._channel.send(failure(request_id, error))
        except protocol.ProtocolError as beyond:
            self._channel.send(protocol.Failure(request_id, error.code, str(error), str(beyond)))

    def _hello(self, request: Hello) -> None:
        if request.folder is not None:
            folder = scratch.check_private_folder(request.folder)
            if folder != self._folder:
                self._remove_folder()
                self._folder = folder
        self._channel.send(
            protocol.HelloReply(
                request.id,
                _liverseg_version(),
                platform.python_version(),
                os.getpid(),
                str(self._private_folder()),
            )
        )
        if request.preload is not None:
            wanted = (request.preload, request.device, request.engine, request.tumours)
            self._get_segmenter(wanted, request.id)

    def _work(self, request: WorkRequest) -> None:
        """Work off a request that computes: see ``tasks``."""
        self._check_cancelled(request.id)
        context = TaskContext(
            folder=self._private_folder(),
            progress=self._progress_sender(request.id),
            cancel=lambda: self._is_cancelled(request.id),
            segmenter=lambda *wanted: self._get_segmenter(wanted, request.id),
            cases=self._cases,
            scans=self._scans,
            registered=self._registered,
            servers=self._servers,
        )
        if isinstance(request, (AddModel, RemoveModel)):
            self._segmenter = None  # its name may stand for another model afterwards
        self._channel.send(tasks.work_off(request, context))

    def _is_cancelled(self, request_id: str) -> bool:
        return self._stopping.is_set() or request_id in self._cancelled

    def _check_cancelled(self, request_id: str) -> None:
        if self._is_cancelled(request_id):
            raise CancelledError(Sentence("failed.cancelled"))

    def _progress_sender(self, request_id: str) -> Callable[[float, str, str], None]:
        last_time, last_stage = float("-inf"), ""

        def send(fraction: float, stage: str, text: str) -> None:
            nonlocal last_time, last_stage
            now = time.monotonic()
            if stage == last_stage and now - last_time < PROGRESS_S and fraction < 1:
                return
            last_time, last_stage = now, stage
            bounded = min(1.0, max(0.0, float(fraction)))
            self._channel.send(protocol.Progress(request_id, bounded, str(stage), str(text)))

        return send

    def _get_segmenter(self, wanted: Wanted, request_id: str) -> Segments:
        """The segmenter in memory if it has the same models, device and engine, else a new one after the old
        one is let go. If the request is cancelled meanwhile, the next one finds what was loaded for it."""

        def load() -> Segments:
            if self._segmenter is not None and self._segmenter[0] == wanted:
                return self._segmenter[1]
            self._segmenter = None
            start = time.monotonic()
            segmenter = self._make_segmenter(*wanted)
            self._segmenter = (wanted, segmenter)
            seconds = time.monotonic() - start
            model, device, _, tumours = wanted
            names = model if tumours is None else f"{model} with {tumours}"
            text = f"Model {names} is loaded for device {device} ({seconds:.1f} s)."
            self._channel.send(protocol.Log("info", text))
            return segmenter

        return while_checking(
            lambda ask: load(), lambda: self._check_cancelled(request_id), turn=self._loading
        )

    def _private_folder(self) -> Path:
        if self._folder is None:
            self._folder = scratch.make_private_folder()
        return self._folder

    def _remove_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            scratch.remove_private_folder(folder)


def _load_segmenter(model: str, device: str, engine: str, tumours: Optional[str]) -> Segments:
    from ..api import Segmenter

    return Segmenter(model, device, engine=engine, tumours=tumours)


def _liverseg_version() -> str:
    from .. import __version__

    return __version__
