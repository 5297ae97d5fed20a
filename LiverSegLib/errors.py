"""The ways LiverSeg can refuse or fail, each with a sentence for the user and an exit code for programs.

That memory or disk ran out is said differently by Python, numpy, ITK, PyTorch and CUDA. The outermost rooms
(terminal, worker, output folder) pass whatever they catch through :func:`explain` or :func:`write_failure`,
which return one of the errors of this file.
"""

import errno
import shutil
import traceback
from typing import Any, Optional, Sequence, Tuple

from .sentences import Sentence


class LiverSegError(Exception):
    """Base of all errors that LiverSeg raises on purpose.

    ``str(error)`` is one sentence that a radiologist understands; ``details`` holds what a developer needs.
    ``sentence`` is the same sentence with its identity, if it was raised with a ``sentences.Sentence``.
    """

    exit_code = 1
    code = "error"

    def __init__(self, message: str, details: Optional[str] = None) -> None:
        super().__init__(message)
        self.details = details

    @property
    def sentence(self) -> str:
        """The sentence as it was given: a ``Sentence`` can be made in another language."""
        return self.args[0]


class UsageError(LiverSegError):
    """An option or argument does not make sense."""

    exit_code = 2
    code = "usage"


class InputError(LiverSegError):
    """The given scan cannot be used."""

    exit_code = 3
    code = "input"


class UnreadableImageError(InputError):
    """The file or folder is missing, truncated, or not an image."""

    code = "unreadable"


class NotCTError(InputError):
    """The image is no CT in Hounsfield units: MR, colour, vector, a label map, non-finite."""

    code = "not-ct"


class ImageGeometryError(InputError):
    """Size, spacing or direction cannot be worked with: one slice, absurd spacing, gaps between slices."""

    code = "geometry"


class SeriesChoiceError(InputError):
    """A DICOM folder holds several suitable series and the caller must choose; ``series`` lists them, as
    ``images.SeriesInfo``, which this room does not know. ``folder`` names the one of several folders in which
    they are; empty where there is one only.
    """

    code = "choose-series"

    def __init__(self, message: str, series: Sequence[Any] = (), details: Optional[str] = None) -> None:
        super().__init__(message, details)
        self.series: Tuple[Any, ...] = tuple(series)
        self.folder = ""


class InputChangedError(InputError):
    """The input file was changed or removed while the work ran."""

    code = "input-changed"


class NoLiverError(LiverSegError):
    """No liver lies in the field of view."""

    exit_code = 4
    code = "no-liver"


class ModelError(LiverSegError):
    """A model cannot be used."""

    exit_code = 5
    code = "model"


class ModelNotFoundError(ModelError):
    """No model of that name or folder."""

    code = "model-not-found"


class ModelCorruptError(ModelError):
    """Manifest or weights are damaged, truncated, hostile, or do not match their checksum."""

    code = "model-corrupt"


class ModelVersionError(ModelError):
    """The model is in a newer format than this LiverSeg reads."""

    code = "model-newer"


class DeviceError(LiverSegError):
    """The chosen device does not exist, or PyTorch is missing."""

    exit_code = 6
    code = "device"


class OutOfMemoryError(DeviceError):
    """Memory ran out even after falling back to smaller batches and the CPU."""

    code = "out-of-memory"


class OutputError(LiverSegError):
    """Results cannot be written: full disk, read-only folder, folder in use."""

    exit_code = 7
    code = "output"


class WorkerError(LiverSegError):
    """The worker process died, could not be started or broke the protocol."""

    exit_code = 8
    code = "worker"


class ServerError(LiverSegError):
    """Another computer cannot be reached, is not trusted, refuses, or does not answer as it should."""

    exit_code = 8
    code = "server"


class CaseNotOpenError(LiverSegError):
    """The worker does not have the scan open that is to be corrected: it was started again, or has opened
    another one since. Who opens it again and repeats the request loses nothing."""

    code = "case-not-open"


class CancelledError(LiverSegError):
    """The user cancelled."""

    exit_code = 130
    code = "cancelled"


ERROR_TYPES = {
    cls.code: cls
    for cls in (
        LiverSegError, UsageError, InputError, UnreadableImageError, NotCTError, ImageGeometryError,
        SeriesChoiceError, InputChangedError, NoLiverError, ModelError, ModelNotFoundError, ModelCorruptError,
        ModelVersionError, DeviceError, OutOfMemoryError, OutputError, WorkerError, ServerError,
        CaseNotOpenError, CancelledError,
    )
}  # fmt: skip
"""Error code -> class, so that the other side of the worker can raise what the worker caught."""

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_FULL_WORDS = ("no space left", "file too large", "quota exceeded", "disk full")
_MEMORY_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to allocate memory",
    "unable to allocate",
    "bad_alloc",
    "bad allocation",
    "insufficient memory",
    "alloc_failed",
    "cannot allocate memory",
)
_NO_ROOM_BYTES = 1 << 16
"""A disk with less than this free counts as full when a library failed to write and does not say why."""


def explain(error: BaseException) -> LiverSegError:
    """Return the LiverSeg error for ``error``; one of ours is returned as it is.

    ``details`` of the returned error hold the traceback. Interrupts (Ctrl-C) become a ``CancelledError``.
    """
    if isinstance(error, LiverSegError):
        return error
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, KeyboardInterrupt):
        return CancelledError(Sentence("failed.cancelled"), details)
    if is_out_of_memory(error):
        return OutOfMemoryError(Sentence("failed.memory"), details)
    if isinstance(error, OSError) and error.errno in _FULL:
        return OutputError(Sentence("failed.disk-full"), details)
    return LiverSegError(Sentence("failed.unexpectedly", kind=type(error).__name__), details)


def reason_of(error: BaseException) -> str:
    """Return a sentence on why something that nothing else needs did not work; with the error's own words."""
    if isinstance(error, LiverSegError) or is_out_of_memory(error):
        return explain(error).sentence
    return Sentence("failed.with", error=str(error) or type(error).__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` means that memory ran out, in the words of Python, numpy, ITK, PyTorch or CUDA."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)


def write_failure(
    error: BaseException, folder: object, key: str = "write.results", **names: str
) -> LiverSegError:
    """Return the error for a failed write into ``folder``.

    Args:
        error: What was raised: an ``OSError``, or a ``RuntimeError`` of ITK or VTK, which hide the reason in
            their text.
        folder: The folder that was written to, as the user knows it.
        key: The sentence that says what could not be done, "LiverSeg could not ...: {reason}".
        **names: What else its template asks for.
    """
    if isinstance(error, LiverSegError) or is_out_of_memory(error):
        return explain(error)
    if not isinstance(error, (OSError, RuntimeError)):
        return explain(error)
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return OutputError(Sentence(key, reason=_write_reason(error, str(folder)), **names), details)


def _write_reason(error: BaseException, folder: str) -> str:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error).lower()
    if (
        number in _FULL
        or any(words in text for words in _FULL_WORDS)
        or (number is None and _no_room(folder))
    ):
        return Sentence("write.disk-full", folder=folder)
    if number == errno.EROFS:
        return Sentence("write.read-only", folder=folder)
    if number in _FORBIDDEN:
        return Sentence("write.forbidden", folder=folder)
    reason: Optional[str] = error.strerror if isinstance(error, OSError) else None
    if reason:
        return Sentence("write.failed-because", folder=folder, reason=reason)
    return Sentence("write.failed", folder=folder)


def _no_room(folder: str) -> bool:
    try:
        return shutil.disk_usage(folder).free < _NO_ROOM_BYTES
    except OSError:
        return False
