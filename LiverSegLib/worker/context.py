"""What a task of the worker works with: where to write, whom to tell, whether to stop, what stays open."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Protocol, Tuple

import numpy as np

from ..cancelling import Ask
from ..errors import CancelledError, CaseNotOpenError, WorkerError, write_failure
from ..sentences import Sentence
from . import scratch
from .server_messages import AskServer, ServerAddress, ServerAnswer

if TYPE_CHECKING:
    from ..api import Result
    from ..correct import Case
    from ..followup.known import KnownRegistrations


class OpenCases:
    """The cases that the worker has open: one, the last."""

    def __init__(self) -> None:
        self._name: Optional[str] = None
        self._case: Optional["Case"] = None

    def keep(self, name: str, case: "Case") -> None:
        """Keep a case and let go of the one before: no array of that is mapped any more."""
        self._name, self._case = name, case

    def named(self, name: str) -> "Case":
        """Return an open case.

        Raises:
            CaseNotOpenError: it is not open.
        """
        if self._case is None or self._name != name:
            raise CaseNotOpenError(Sentence("correct.not-open"))
        return self._case


@dataclass(frozen=True, eq=False)
class CheckedScan:
    """What reading and checking a scan found.

    Attributes:
        state: what tells the scan from others.
        name: of the scan.
        warnings: sentences on what makes it doubtful.
        kind: int16 or float32, the type in which its HU are exact.
    """

    state: Tuple[Any, ...]
    name: str
    warnings: Tuple[str, ...]
    kind: np.dtype


class CheckedScans:
    """What is known of the scan that was checked last, so that it need not be read anew for each edit."""

    def __init__(self) -> None:
        self._last: Optional[CheckedScan] = None

    def keep(self, scan: CheckedScan) -> None:
        """Keep what was found."""
        self._last = scan

    def of(self, state: Tuple[Any, ...]) -> Optional[CheckedScan]:
        """Return what was found of the scan of this state; None if it was not the last."""
        return self._last if self._last is not None and self._last.state == state else None


class RegisteredLivers:
    """The registrations of this worker's comparisons, so that none is made twice."""

    def __init__(self) -> None:
        self._known: Optional["KnownRegistrations"] = None

    def known(self) -> "KnownRegistrations":
        """Return them; the first call loads what registers."""
        if self._known is None:
            from ..followup.known import KnownRegistrations

            self._known = KnownRegistrations()
        return self._known


class Segments(Protocol):
    """What segments a scan: ``api.Segmenter``, or a server in its place."""

    @property
    def segment(self) -> Callable[..., "Result"]:
        """As ``api.Segmenter.segment``."""


class Elsewhere(Protocol):
    """The way to servers, which this room does not know."""

    def segmenter(self, server: ServerAddress, model: str, tumours: Optional[str]) -> Segments:
        """What has a server segment with models of these names."""

    def ask(self, request: AskServer) -> ServerAnswer:
        """Look whether a server can be used."""


@dataclass(frozen=True)
class TaskContext:
    """What a task works with.

    Attributes:
        folder: The private folder.
        progress: Called with the fraction done, a stage's key and a text for people.
        cancel: Whether the request was cancelled.
        segmenter: (model, device, engine, model for the tumours or None) -> a loaded segmenter.
        cases: Where the case stays that is being corrected.
        scans: Where it is kept what checking the last scan found.
        registered: Where it is kept how livers lie upon each other.
        servers: The way to servers; None in a worker that has none.
    """

    folder: Path
    progress: Callable[[float, str, str], None]
    cancel: Callable[[], bool]
    segmenter: Callable[[str, str, str, Optional[str]], Segments]
    cases: OpenCases = field(default_factory=OpenCases)
    scans: CheckedScans = field(default_factory=CheckedScans)
    registered: RegisteredLivers = field(default_factory=RegisteredLivers)
    servers: Optional[Elsewhere] = None

    def elsewhere(self) -> Elsewhere:
        """Return the way to servers.

        Raises:
            WorkerError: this worker has none.
        """
        if self.servers is None:
            raise WorkerError(Sentence("server.not-from-here"))
        return self.servers

    def check(self) -> None:
        """Raise CancelledError if the request was cancelled."""
        if self.cancel():
            raise CancelledError(Sentence("failed.cancelled"))

    def report_progress(self, fraction: float, stage: str, text: str) -> None:
        """Report progress, unless the request was cancelled: then raise CancelledError."""
        self.check()
        self.progress(fraction, stage, text)

    def in_thread(self, ask: Ask) -> "TaskContext":
        """Return the same for work in a thread of its own, see ``cancelling``."""
        return replace(
            self, progress=lambda *facts: ask(self.progress, *facts), cancel=lambda: ask(self.cancel)
        )


@contextmanager
def result_folder(context: TaskContext, request_id: str) -> Iterator[Path]:
    """A new subfolder for a result; removed if the block fails or the request is cancelled meanwhile."""
    context.check()
    folder = context.folder / f"result-{request_id}"
    scratch.remove_tree(folder)
    try:
        folder.mkdir(mode=0o700)
        yield folder
        context.check()
    except BaseException as error:
        scratch.remove_tree(folder)
        if isinstance(error, OSError):
            raise write_failure(error, context.folder.parent, "write.result-over") from error
        raise
