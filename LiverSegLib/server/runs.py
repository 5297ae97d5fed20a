"""One run on a server, from its announcement until its reply has gone out."""

import asyncio
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import AsyncIterator, Optional

from ..worker import protocol
from ..worker.messages import Message, Segment

SENDING, WAITING, RUNNING, DONE, FAILED = "sending", "waiting", "running", "done", "failed"
"""The states of a run, in order; the last two are ends."""

HEARTBEAT_S = 1.0
"""A client that listens hears something at least so often (seconds), so that it can notice a dead server and
a cancel of its own."""


class Run:
    """A run: who wants it, what is wanted, how far it is, and its folder.

    Args:
        run_id: a random name, which only its client knows.
        owner: whose turn it uses.
        request: what is to be segmented; without voxels.
        kind: type of the voxels that are sent.
        folder: its own, made already.
    """

    def __init__(self, run_id: str, owner: str, request: Segment, kind: str, folder: Path) -> None:
        self.id, self.owner, self.kind, self.folder = run_id, owner, kind, folder
        self.request = request
        self.state = SENDING
        self.is_being_sent = False
        self.is_cancelled = False
        self.seen = self.waits_since = time.monotonic()
        self._listeners = 0
        self._last: Optional[Message] = None
        self._changed = asyncio.Event()

    @property
    def voxels(self) -> Path:
        """The file of the scan."""
        return self.folder / "voxels.npy"

    @property
    def result(self) -> Path:
        """The file of the result."""
        return self.folder / "result.zip"

    def work(self) -> Segment:
        """What the worker is asked."""
        return replace(self.request, voxels=str(self.voxels))

    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in (DONE, FAILED)

    def touch(self) -> None:
        """Somebody asked for it."""
        self.seen = time.monotonic()

    def is_left(self, lease_s: float) -> bool:
        """Whether nobody has asked for it for so long (seconds)."""
        busy = self._listeners > 0 or self.is_being_sent
        return not busy and time.monotonic() - self.seen > lease_s

    def tell(self, message: Message) -> None:
        """Let those who listen know."""
        self._last = message
        self._wake()

    def end(self, state: str, message: Message) -> None:
        """The run has ended, and how."""
        self.state = state
        self.voxels.unlink(missing_ok=True)
        self.tell(message)

    def remove(self) -> None:
        """Remove all that is there of it; who still listens hears no more."""
        self.is_cancelled = True
        shutil.rmtree(self.folder, ignore_errors=True)
        self._wake()

    async def messages(self) -> AsyncIterator[Message]:
        """What there is to tell, from now on to the end; at least something each ``HEARTBEAT_S``."""
        self._listeners += 1
        told: Optional[Message] = None
        try:
            while not self.is_cancelled:
                changed = self._changed
                if self._last is not None and self._last is not told:
                    told = self._last
                    yield told
                    continue
                if self.is_over():
                    return
                waiting = asyncio.ensure_future(changed.wait())
                done, _ = await asyncio.wait([waiting], timeout=HEARTBEAT_S)
                waiting.cancel()
                if not done:
                    yield self._last or protocol.Queued(self.id, 0)
        finally:
            self._listeners -= 1
            self.touch()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
