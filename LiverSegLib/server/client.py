"""A run on a server, from here: announced, sent, listened to, fetched; broken connections are made anew."""

import contextlib
import time
from dataclasses import dataclass
from typing import Callable, Iterator, Tuple, TypeVar
from urllib.parse import quote

import numpy as np

from ..errors import ERROR_TYPES, LiverSegError, ServerError
from ..progress import Progress
from ..sentences import Sentence, restored
from ..worker import protocol
from ..worker.messages import Failure, Message, Segment, SegmentResult
from ..worker.server_messages import Queued, ServerAddress, ServerAnswer
from . import parcels
from .addresses import Address
from .exchange import LISTEN_S, Answer, Busy, Forgotten, Http, Interrupted
from .voxels import packed, pieces

TRIES = 4
"""How often the same is tried where a connection breaks."""

PAUSE_S = 0.5
"""Before the second try, in seconds; twice as long before each further one."""

PATIENCE_S = 1800.0
"""How long (seconds) it is tried again where the server's queue is full."""

WHOLE_RUNS = 3
"""How often a run is begun anew where the server has forgotten it."""

SENT, COMPUTED = 0.08, 0.92
"""Shares of the progress at which the scan is sent, and computed."""

QUEUE = "queue"
"""Key of the stage of waiting; the number of runs before this one follows after a hyphen."""

_T = TypeVar("_T")

_LONGEST_LINE = protocol.MAX_LINE_BYTES + 64


@dataclass(frozen=True)
class Work:
    """What a run is: the request without voxels, and the voxels, int16 or float32 (z, y, x)."""

    request: Segment
    voxels: np.ndarray


def silent(fraction: float, stage: str, text: str) -> None:
    """Progress that nobody wants to know."""


def unhurried() -> None:
    """A check that never cancels."""


class Client:
    """The way to one server; for a thread in which waiting harms nobody.

    Args:
        server: where it is.
        tell: called with fraction, stage and text.
        check: called between any two pieces of work; raises to cancel.
    """

    def __init__(
        self, server: ServerAddress, tell: Progress = silent, check: Callable[[], None] = unhurried
    ) -> None:
        self._http = Http(server)
        self._tell, self._check = tell, check

    @property
    def address(self) -> Address:
        """Where the server is."""
        return self._http.address

    def about(self) -> ServerAnswer:
        """Who the server is.

        Raises:
            ServerError: it cannot be reached, does not know the token, or is no LiverSeg.
        """
        found = self._http.ask("GET", "/v1/about").message(self._http.address)
        if not isinstance(found, ServerAnswer):
            raise ServerError(Sentence("server.not-liverseg", address=str(self._http.address)))
        return found

    def compute(self, work: Work) -> parcels.Parcel:
        """Have a scan segmented.

        Raises:
            CancelledError: ``check`` said so; the server then stops too.
            ServerError: the server cannot be reached or used.
            LiverSegError: as the server's worker failed.
        """
        self._tell(0.0, "send", "Sending the scan to the server")
        body = packed(work.voxels)
        self._check()
        for _ in range(WHOLE_RUNS - 1):
            with contextlib.suppress(Forgotten):
                return self._compute(work, body)
        return self._compute(work, body)

    def _compute(self, work: Work, body: bytes) -> parcels.Parcel:
        run = self._announced(work, len(body))
        try:
            self._again(lambda: self._send(run, body))
            self._listen(run)
            data = self._again(lambda: self._fetch(run, _shape(work)))
        except BaseException:
            with contextlib.suppress(LiverSegError):
                self._http.ask("DELETE", f"/v1/runs/{run}", timeout=2.0)
            raise
        return parcels.unpack(data, _shape(work))

    def _announced(self, work: Work, count: int) -> str:
        """The name of a run that the server has taken in; waits where its queue is full."""
        end = time.monotonic() + PATIENCE_S
        line = protocol.encode(work.request)
        path = f"/v1/runs?type={work.voxels.dtype.name}&bytes={count}"
        while True:
            try:
                answer = self._again(lambda: self._http.ask("POST", path, line), tries=2)
                taken = answer.message(self._http.address)
                if isinstance(taken, Queued):
                    return quote(taken.id, safe="")
                raise ServerError(Sentence("server.not-liverseg", address=str(self._http.address)))
            except Busy as busy:
                if time.monotonic() > end:
                    raise
                self._tell(0.0, QUEUE, "The server is busy; waiting")
                self._wait(busy.retry_after)

    def _send(self, run: str, body: bytes) -> Answer:
        return self._http.ask(
            "PUT",
            f"/v1/runs/{run}/scan",
            self._told(body),
            length=len(body),
            kind="application/octet-stream",
            timeout=LISTEN_S,
        )

    def _told(self, body: bytes) -> Iterator[bytes]:
        """The pieces of the body, with progress."""
        sent = 0
        for piece in pieces(body):
            self._check()
            yield piece
            sent += len(piece)
            self._tell(SENT * sent / len(body), "send", "Sending the scan to the server")

    def _listen(self, run: str) -> None:
        """Wait for the end of a run, telling how far it is.

        Raises:
            LiverSegError: it failed.
        """
        broken = 0
        while True:
            try:
                for message in self._events(run):
                    broken = 0
                    if isinstance(message, SegmentResult):
                        return
                    if isinstance(message, Failure):
                        raise _error(message)
                    self._pass_on(message)
                raise Interrupted(Sentence("server.unknown-run"))  # it ended its answer before the run
            except Interrupted:
                broken += 1
                if broken >= TRIES:
                    raise
                self._wait(PAUSE_S * 2**broken)

    def _events(self, run: str) -> Iterator[Message]:
        """What the server says of a run, as it says it."""
        with self._http.open("GET", f"/v1/runs/{run}/events", timeout=LISTEN_S) as response:
            while True:
                line = response.readline(_LONGEST_LINE)
                self._check()
                if not line:
                    return
                if line.startswith(b"data:"):
                    yield Answer(response.status, line[5:].strip()).message(self._http.address)

    def _pass_on(self, message: Message) -> None:
        if isinstance(message, Queued):
            words = f"Waiting on the server; runs before this one: {message.place}"
            self._tell(SENT, f"{QUEUE}-{message.place}", words)
        elif isinstance(message, protocol.Progress):
            self._tell(SENT + (COMPUTED - SENT) * message.fraction, message.stage, message.text)

    def _fetch(self, run: str, shape: Tuple[int, int, int]) -> bytes:
        self._tell(COMPUTED, "fetch", "Fetching the result from the server")
        longest = parcels.most_bytes(shape)
        return self._http.ask("GET", f"/v1/runs/{run}/result", longest=longest, timeout=LISTEN_S).body

    def _again(self, step: Callable[[], _T], tries: int = TRIES) -> _T:
        """Do a step, again where the connection breaks."""
        for number in range(tries - 1):
            try:
                return step()
            except Interrupted:
                self._wait(PAUSE_S * 2**number)
        return step()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._check()
            time.sleep(0.05)


def _shape(work: Work) -> Tuple[int, int, int]:
    z, y, x = work.voxels.shape
    return z, y, x


def _error(failure: Failure) -> LiverSegError:
    said = restored(failure.sentence) if failure.sentence else failure.message
    return ERROR_TYPES.get(failure.code, LiverSegError)(said)
