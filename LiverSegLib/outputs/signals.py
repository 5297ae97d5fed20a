"""Ctrl-C and SIGTERM while files are moved: they wait until that is done, and then let clean-up run."""

import signal
import threading
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

Handler = Callable[[int, Optional[FrameType]], Any]
"""What Python calls when a signal arrived."""


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM act only after the block. In other threads than the main one they never
    interrupt anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: List[Tuple[int, Optional[FrameType]]] = []
    previous: Dict[int, Handler] = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):  # SIG_DFL and SIG_IGN have nothing to defer
            previous[number] = handler
            signal.signal(number, lambda signum, frame: arrived.append((signum, frame)))
    try:
        yield
    finally:
        for deferred, handler in previous.items():
            signal.signal(deferred, handler)
    for deferred, frame in arrived:
        previous[deferred](deferred, frame)


@contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Turn SIGTERM into ``SystemExit`` so that clean-up runs, in the main thread and where the program left
    SIGTERM at its default."""
    applies = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    )
    if applies:
        signal.signal(signal.SIGTERM, _raise_exit)
    try:
        yield
    finally:
        if applies:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise_exit(number: int, _frame: Optional[FrameType]) -> None:
    raise SystemExit(128 + number)
