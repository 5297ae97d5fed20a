"""The ways LiverSeg can refuse or fail, each with a sentence for the user and an exit code for programs."""

from typing import Optional, Sequence, Tuple


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
    """A DICOM folder holds several suitable series and the caller must choose; ``series`` lists them."""

    code = "choose-series"

    def __init__(self, message: str, series: Sequence[object] = (), details: Optional[str] = None) -> None:
        super().__init__(message, details)
        self.series: Tuple[object, ...] = tuple(series)


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


class CancelledError(LiverSegError):
    """The user cancelled."""

    exit_code = 130
    code = "cancelled"


ERROR_TYPES = {
    cls.code: cls
    for cls in (
        LiverSegError, UsageError, InputError, UnreadableImageError, NotCTError, ImageGeometryError,
        SeriesChoiceError, InputChangedError, NoLiverError, ModelError, ModelNotFoundError, ModelCorruptError,
        ModelVersionError, DeviceError, OutOfMemoryError, OutputError, WorkerError, CancelledError,
    )
}  # fmt: skip
"""Error code -> class, so that the other side of the worker can raise what the worker caught."""
