"""What the host asks of the Python interpreter: to tell of exceptions that VTK and Qt only print, and not
to run out of None.
"""

import ctypes
import logging
import sys
import traceback
from contextlib import contextmanager
from typing import Any, Iterator

import vtk

from .recorder import recorder


def record_printed_exceptions() -> None:
    """Notes every exception that VTK's observers, PySide6 and destructors would only print, or that somebody
    logs.
    """
    sys.excepthook = _note
    sys.unraisablehook = _note_unraisable
    logging.getLogger().addHandler(_LoggedExceptions(logging.ERROR))


class _LoggedExceptions(logging.Handler):
    """Notes exceptions that were caught and logged: a user may see a sentence, a test must fail."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            text = "".join(traceback.format_exception(*record.exc_info))
            recorder.note(f"EXCEPTION LOGGED\n{text}")


def _note(kind: type, error: BaseException, trace: Any) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    recorder.note(f"EXCEPTION NOBODY CAUGHT (observer, virtual function)\n{text}")


def _note_unraisable(unraisable: Any) -> None:
    text = "".join(
        traceback.format_exception(unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
    )
    recorder.note(f"EXCEPTION IN {unraisable.object!r}: {unraisable.err_msg}\n{text}")


def keep_none_alive() -> None:
    """Gives None more references: PySide6 6.12 loses one with every call of a static function that returns
    nothing, and
    Python before 3.12 aborts when none is left, after some ten thousand turns of the event loop."""
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40


@contextmanager
def quiet_vtk() -> Iterator[None]:
    """VTK's log is silent: the wheel has no data files, and says so of each when its logics start."""
    before = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtk.vtkLogger.SetStderrVerbosity(before)
