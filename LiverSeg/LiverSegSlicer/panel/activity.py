"""What is running now: at most one thing, with its progress, its end and its cancelling."""

from typing import Any, Callable, Optional

from LiverSegLib.errors import CancelledError

from .. import slots
from ..sentences import sentence
from .message_line import MessageLine
from .run_bar import SegmentSection


class Activity:
    """Runs one asynchronous piece of work at a time and shows it.

    Args:
        section: shows the progress.
        message: shows how it ended, unless it ended well.
        onChanged: called without arguments after something has started or ended.
    """

    def __init__(self, section: SegmentSection, message: MessageLine, onChanged: Callable[[], None]) -> None:
        self._section = section
        self._message = message
        self._onChanged = onChanged
        self._run: Any = None
        self._ticket: Optional[object] = None

    def isRunning(self) -> bool:
        """Whether something has been started and has not ended."""
        return self._ticket is not None

    def start(self, stage: str, launch: Callable[..., Any], done: Callable[[Any], None]) -> None:
        """Start something; nothing happens if something runs already.

        Args:
            stage: the first words shown.
            launch: called as ``launch(progress, completed)``, returns an object with ``cancel()``; it may
                raise anything and may call ``completed(result, error)`` before it returns.
            done: called with the result after success.
        """
        if self.isRunning():
            return
        ticket = self._ticket = object()

        def progress(fraction: float, text: str) -> None:
            if self._ticket is ticket:
                self._section.showProgress(fraction, text)

        def completed(result: Any, error: Optional[BaseException]) -> None:
            if self._ticket is ticket:
                self._end(result, error, done)

        try:
            self._message.clear()
            self._section.showRunning(stage)
            self._onChanged()
            run = launch(progress, completed)
        except Exception as error:  # noqa: BLE001 (shown, whatever it is)
            completed(None, error)
            return
        if self._ticket is ticket:
            self._run = run

    def cancel(self) -> None:
        """Ask what runs to stop; it ends a little later."""
        if self._run is not None:
            self._section.showCancelling()
            self._run.cancel()

    def close(self) -> None:
        """Let go of what runs: cancel it and ignore what it still says."""
        run, self._run, self._ticket = self._run, None, None
        if run is not None:
            run.cancel()

    def _end(self, result: Any, error: Optional[BaseException], done: Callable[[Any], None]) -> None:
        self._ticket = self._run = None
        try:
            if error is None:
                done(result)
            elif isinstance(error, CancelledError):
                self._message.note(sentence(error.sentence))
            else:
                self._message.fail(slots.explained(error))
        except Exception as failure:  # noqa: BLE001 (shown, whatever it is)
            self._message.fail(slots.explained(failure))
        finally:
            self._section.showIdle("")
            self._onChanged()
