"""Cancelling that acts at once: work runs in a thread while its caller looks whether the user cancelled.

Between two steps of a computation it can be asked whether to go on, but a single step of a library (one layer
of a network on a slow CPU, one compressed file) may take longer than the second in which cancelling has to
act. Such steps let other Python threads run, so the caller keeps watch. Work that was cancelled cannot be
stopped from outside: its caller is free at once, and it ends at its own next question.

Only for the core's own processes, the terminal and the worker: never in Slicer's.
"""

import atexit
import queue
import threading
import time
from typing import Any, Callable, Generic, List, Optional, Protocol, TypeVar

from .errors import CancelledError
from .sentences import Sentence

POLL_S = 0.05
"""Time (seconds) between two looks at whether the user cancelled."""
EXIT_WAIT_S = 20.0
"""How long (seconds) the interpreter waits at its end for cancelled work: a library that still computes while
Python is taken down may crash."""

_left: "List[threading.Thread]" = []
"""Threads of work that was cancelled and may still run."""

T = TypeVar("T")


class Ask(Protocol):
    """What work gets to reach its caller: calls a function in the caller's thread and returns its value.

    Raises:
        CancelledError: nobody waits for the work any more.
    """

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


def while_checking(
    work: Callable[[Ask], T],
    check: Callable[[], None],
    *,
    interval: float = POLL_S,
    turn: Optional[threading.Lock] = None,
    awaited: bool = True,
) -> T:
    """Run work in a thread of its own, and ``check`` in this one until it is done.

    The work may take as long as it likes over a step. Once ``check`` raises, or Ctrl-C arrives, that is
    raised here at once; the work gets a CancelledError at its next ``ask``, and what it returns is dropped.
    So it must neither write files nor change what is used afterwards; what belongs to it alone, like the
    memory of a network, is guarded by ``turn``.

    Args:
        work: gets a function with which it calls others in this thread, above all to report progress and to
            be told that it was cancelled.
        check: called about every ``interval`` seconds; raises to cancel.
        turn: held while the work runs, so that it waits for earlier work that was cancelled and still runs.
        awaited: whether the program's end waits for the work if it was cancelled; False only for work that
            does nothing but wait for another computer.

    Returns:
        What the work returned.

    Raises:
        Exception: what ``check``, the work, or what it asked for, raised.

    Example:
        >>> while_checking(lambda ask: ask(max, 2, 3) + 1, lambda: None)
        4
    """
    job: "_Job[T]" = _Job(work, turn, awaited)
    job.start()
    try:
        looked = time.monotonic()
        while True:
            step = job.next_step(interval)
            if step is None or time.monotonic() - looked >= interval:
                check()
                looked = time.monotonic()
            if step is not None and step():
                return job.result()
    except BaseException:
        job.abandon()
        raise


def wait_for_cancelled(seconds: float = EXIT_WAIT_S) -> None:
    """Wait until the work that was cancelled has ended, at most so long: the last thing that a program does.

    At the interpreter's own end it would be too late for what a library, still being loaded, wants done then.
    """
    end = time.monotonic() + seconds
    for thread in list(_left):
        thread.join(max(0.0, end - time.monotonic()))


class _Job(Generic[T]):
    """Work in a thread, and the steps that it has for its caller."""

    def __init__(self, work: Callable[[Ask], T], turn: Optional[threading.Lock], awaited: bool) -> None:
        self._work, self._turn, self._awaited = work, turn, awaited
        self._steps: "queue.SimpleQueue[Callable[[], bool]]" = queue.SimpleQueue()
        self._abandoned = threading.Event()
        self._value: List[T] = []
        self._error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="while_checking", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next_step(self, seconds: float) -> Optional[Callable[[], bool]]:
        """What to do next in the caller's thread; it returns whether the work is done. None: nothing."""
        try:
            return self._steps.get(timeout=seconds)
        except queue.Empty:
            return None

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self._error is not None:
            error, self._error = self._error, None  # a frame in its traceback holds this object
            raise error
        return self._value[0]

    def abandon(self) -> None:
        """Wait no longer."""
        self._abandoned.set()
        if not self._awaited:
            return
        atexit.unregister(wait_for_cancelled)
        atexit.register(wait_for_cancelled)
        _left[:] = [thread for thread in (*_left, self._thread) if thread.is_alive()]

    # ---- in the thread

    def _run(self) -> None:
        try:
            if self._turn is None:
                self._value.append(self._work(self._ask))
            else:
                with self._turn:
                    self._go_on()
                    self._value.append(self._work(self._ask))
        except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
            self._error = error
        finally:
            if self._abandoned.is_set():
                self._value.clear()
                self._error = None
            self._steps.put(lambda: True)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._go_on()
        answer: List[Any] = []
        answered = threading.Event()

        def step() -> bool:
            answer.append(function(*arguments))
            answered.set()
            return False

        self._steps.put(step)
        while not answered.wait(POLL_S):  # a caller that gave up answers no more
            self._go_on()
        return answer[0]

    def _go_on(self) -> None:
        if self._abandoned.is_set():
            raise CancelledError(Sentence("failed.cancelled"))
