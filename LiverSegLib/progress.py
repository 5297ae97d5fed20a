"""Progress, cancellation and timing of one run over a scan."""

import contextlib
import time
from typing import Any, Callable, Dict, Iterator, Optional, Sequence, Tuple

from .cancelling import Ask
from .errors import CancelledError, OutOfMemoryError, is_out_of_memory
from .sentences import Sentence

Progress = Callable[[float, str, str], None]
"""Called with the fraction done (0 to 1), a stage's key and a text for people."""
Cancel = Callable[[], bool]

STAGES: Tuple[Tuple[str, float, str], ...] = (
    ("read", 0.00, "Reading and checking the scan"),
    ("locate", 0.10, "Looking for the liver"),
    ("segment", 0.20, "Segmenting"),
    ("clean", 0.85, "Cleaning up the mask"),
    ("measure", 0.92, "Measuring"),
    ("done", 1.00, "Done"),
)
"""Key, fraction at which it begins, and text of every stage of a run with one model."""
TWO_MODELS: Tuple[Tuple[str, float, str], ...] = (
    *STAGES[:3],
    ("tumours", 0.52, "Segmenting tumors"),
    *STAGES[3:],
)
"""The same of a run whose tumours a second model draws."""

_MEMORY_SENTENCES = {
    "read": Sentence("failed.memory-reading-scan"),
    "locate": Sentence("failed.memory-segmenting"),
    "segment": Sentence("failed.memory-segmenting"),
    "tumours": Sentence("failed.memory-segmenting"),
    "clean": Sentence("failed.memory-cleaning"),
    "measure": Sentence("failed.memory-measuring"),
}
"""What to say when memory runs out in a stage."""


class Stages:
    """Reports how far a run has come and asks whether the user cancelled.

    Attributes:
        seconds: how long each stage that ended took.
    """

    def __init__(
        self,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
        stages: Sequence[Tuple[str, float, str]] = STAGES,
    ) -> None:
        self._progress, self._cancel, self._stages = progress, cancel, tuple(stages)
        self._stage, self._furthest = "", 0.0
        self.seconds: Dict[str, float] = {}

    @classmethod
    def asking(
        cls,
        ask: Ask,
        progress: Optional[Progress],
        cancel: Optional[Cancel],
        stages: Sequence[Tuple[str, float, str]] = STAGES,
    ) -> "Stages":
        """For work in a thread of its own: the user's functions are called in the caller's thread."""
        return cls(_asked(ask, progress), _asked(ask, cancel), stages)

    @contextlib.contextmanager
    def stage(self, key: str) -> Iterator[None]:
        """A stage, timed, from its report at the start to its end.

        Raises:
            CancelledError: the user cancelled.
            OutOfMemoryError: memory ran out in the stage, whatever the library says that noticed it.
        """
        started = time.monotonic()
        self._stage = key
        self.tick(0.0)
        with memory_errors(_MEMORY_SENTENCES[key]):
            yield
        self.seconds[key] = round(time.monotonic() - started, 3)

    def done(self) -> None:
        """Report the end.

        Raises:
            CancelledError: the user cancelled.
        """
        self._stage = "done"
        self.tick(0.0)

    def check(self) -> None:
        """Raise CancelledError if the user cancelled."""
        if self._cancel is not None and self._cancel():
            raise CancelledError(Sentence("failed.cancelled"))

    def tick(self, share: float) -> None:
        """Report the share (0 to 1) of the stage that is done.

        Raises:
            CancelledError: the user cancelled.
        """
        self.check()
        if self._progress is None:
            return
        index = [key for key, _, _ in self._stages].index(self._stage)
        start, text = self._stages[index][1:]
        end = self._stages[min(index + 1, len(self._stages) - 1)][1]
        fraction = start + (end - start) * min(1.0, max(0.0, share))
        self._furthest = max(self._furthest, fraction)  # a second look at a larger box begins anew
        self._progress(self._furthest, self._stage, text)


@contextlib.contextmanager
def memory_errors(sentence: Sentence) -> Iterator[None]:
    """Turn running out of memory, in any dialect, into an OutOfMemoryError that says when it happened."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error) or isinstance(error, OutOfMemoryError):
            raise
        raise OutOfMemoryError(sentence, str(error)) from error


def _asked(ask: Ask, function: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
    return None if function is None else lambda *arguments: ask(function, *arguments)
