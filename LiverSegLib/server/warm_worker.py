"""The one child process that computes for a server: kept warm, started anew when it dies."""

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from pathlib import Path
from typing import Callable, Deque, Optional, Sequence

from ..errors import ERROR_TYPES, CancelledError, LiverSegError, ServerError
from ..sentences import Sentence, restored
from ..worker import protocol, scratch
from ..worker.messages import Message, Segment, SegmentResult

START_S = 120.0
"""How long a worker may take to say hello (seconds)."""

OBEY_S = 5.0
"""A worker that has not obeyed a cancel by then (seconds) is killed."""

END_S = 3.0
"""A worker that was asked to end and has not by then (seconds) is killed."""

_LOOK_S = 0.2

_READ_BYTES = 1 << 16


class TookTooLong(ServerError):
    """A run was ended as it computed longer than it may."""


class WorkerEnded(ServerError):
    """The worker died during a run."""


class WarmWorker:
    """A worker process; all methods are for the event loop of the server.

    Args:
        scratch_folder: where the private folder of the worker is made; the system's temporary folder if None.
        command: program and arguments; ``python -m LiverSegLib.worker`` if None.
        device, engine: what it computes with.
        on_start: called at each start.
    """

    def __init__(
        self,
        scratch_folder: Optional[Path] = None,
        *,
        command: Optional[Sequence[str]] = None,
        device: str = "auto",
        engine: str = "auto",
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._scratch = scratch_folder
        self._command = list(command or (sys.executable, "-m", "LiverSegLib.worker"))
        self._device, self._engine = device, engine
        self._on_start = on_start
        self._process: Optional[asyncio.subprocess.Process] = None
        self._reader: Optional["asyncio.Task[None]"] = None
        self._replies: Deque[Message] = deque()
        self._arrived = asyncio.Event()
        self.folder: Optional[Path] = None

    @property
    def pid(self) -> Optional[int]:
        """The number of the process; None if there is none."""
        return None if self._process is None else self._process.pid

    def is_there(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process, unless it runs, and have it load the default model.

        Raises:
            ServerError: it cannot be started or does not answer.
            OutputError: its folder cannot be made.
        """
        if self.is_there():
            return
        await self.kill()
        self.folder = scratch.make_private_folder(self._scratch)
        self._replies.clear()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=os.name != "nt",  # Ctrl-C in a terminal is the server's business
            )
        except OSError as error:
            await self.kill()
            raise ServerError(Sentence("server.worker-not-started"), str(error)) from error
        self._on_start()
        self._reader = asyncio.ensure_future(self._read(self._process))
        hello = protocol.Hello("hello", str(self.folder), "default", self._device, engine=self._engine)
        await self._send(hello)
        if not await self._said_hello(time.monotonic() + START_S):
            await self.kill()
            raise ServerError(Sentence("server.worker-not-started"))

    async def segment(
        self,
        request: Segment,
        on_progress: Callable[[protocol.Progress], None],
        is_cancelled: Callable[[], bool],
        longest_s: float,
    ) -> SegmentResult:
        """Have a scan segmented, starting the worker first if need be.

        Raises:
            CancelledError: ``is_cancelled`` said so.
            TookTooLong: it took longer than ``longest_s`` seconds.
            WorkerEnded: the worker died; the next run gets a new one.
            LiverSegError: as the worker failed.
        """
        await self.start()
        await self._send(request)
        end, give_up = time.monotonic() + longest_s, float("inf")
        stopped: Optional[LiverSegError] = None
        while True:
            message = await self._next()
            now = time.monotonic()
            if stopped is None and (is_cancelled() or now > end):
                stopped = CancelledError(Sentence("failed.cancelled"))
                if not is_cancelled():
                    stopped = TookTooLong(Sentence("server.took-too-long", seconds=longest_s))
                give_up = now + OBEY_S
                await self._send(protocol.Cancel(f"{request.id[:60]}-c", request.id))
            if message is None and self._has_ended():
                await self.kill()
                raise stopped or WorkerEnded(Sentence("server.worker-ended"))
            if now > give_up:
                await self.kill()
                raise stopped or CancelledError(Sentence("failed.cancelled"))
            if message is None or getattr(message, "id", None) != request.id:
                continue
            if isinstance(message, protocol.Progress):
                on_progress(message)
            elif isinstance(message, protocol.Failure):
                raise stopped or told(message)
            elif isinstance(message, SegmentResult):
                if stopped is not None:  # it was done before it heard of the cancel
                    scratch.remove_tree(message.folder)
                    raise stopped
                return message

    async def close(self) -> None:
        """Ask the worker to end, make sure that it does, and remove its folder."""
        process = self._process
        if process is not None and process.returncode is None:
            await self._send(protocol.Shutdown("shutdown"))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), END_S)
        await self.kill()

    async def kill(self) -> None:
        """End the process at once and remove its folder."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
        folder, self.folder = self.folder, None
        if folder is not None:
            scratch.remove_private_folder(folder)

    async def _send(self, message: Message) -> None:
        """Write a request; one that has died is noticed where its replies are read."""
        pipe = None if self._process is None else self._process.stdin
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.write(protocol.encode(message))
                await pipe.drain()

    async def _next(self) -> Optional[Message]:
        """The next reply; None if there is none for a moment."""
        if not self._replies:
            self._arrived.clear()
            waiting = asyncio.ensure_future(self._arrived.wait())
            await asyncio.wait([waiting], timeout=_LOOK_S)
            waiting.cancel()
        return self._replies.popleft() if self._replies else None

    def _has_ended(self) -> bool:
        """Whether the process has ended and all that it said was taken out."""
        return not self._replies and (self._reader is None or self._reader.done())

    async def _said_hello(self, end: float) -> bool:
        while time.monotonic() < end:
            message = await self._next()
            if isinstance(message, protocol.HelloReply):
                return True
            if isinstance(message, protocol.Failure) or (message is None and self._has_ended()):
                return False
        return False

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Take in what the worker says until it ends."""
        lines = protocol.LineBuffer()
        while process.stdout is not None:
            data = await process.stdout.read(_READ_BYTES)
            if not data:
                break
            for line in lines.feed(data):
                with contextlib.suppress(protocol.ProtocolError):
                    message = protocol.decode(line)
                    if message is not None:
                        self._replies.append(message)
                        self._arrived.set()
        await process.wait()
        self._arrived.set()


def told(failure: protocol.Failure) -> LiverSegError:
    """The error that a message tells of, as the class of its code."""
    said = restored(failure.sentence) if failure.sentence else failure.message
    error = ERROR_TYPES.get(failure.code, LiverSegError)(said)
    error.details = failure.details
    return error
