"""Progress of long work on standard error: a bar on a terminal, one line a stage elsewhere, or nothing."""

from types import TracebackType
from typing import Callable, Optional, Type

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LAST_STAGE = "done"
"""What the library calls its end."""


class ProgressBar:
    """A progress callback ``(fraction, stage, text)`` to use in a ``with`` block.

    Args:
        console: Where to draw.
        shown: False: draw nothing.
        remaining: False: draw no time that is left, since the caller's texts say it.
    """

    def __init__(self, console: Console, *, shown: bool = True, remaining: bool = True) -> None:
        self._console = console
        self._shown = shown
        self._stage: Optional[str] = None
        self._bar: Optional[Progress] = None
        if shown and console.is_terminal:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                *((TimeRemainingColumn(compact=True),) if remaining else ()),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("Starting", total=1.0)

    def __call__(self, fraction: float, stage: str, text: str = "") -> None:
        """Show that ``fraction`` (0..1) of the work is done; ``text`` says in words what ``stage`` does."""
        words = text or stage
        if self._bar is not None:
            self._bar.update(self._task, completed=min(max(fraction, 0.0), 1.0), description=words)
        elif self._shown and stage != self._stage:
            self._console.print(Text(f"[{100 * fraction:3.0f} %] {words}"))
        self._stage = stage

    def part(self, share: float) -> Callable[[float, str, str], None]:
        """A callback for the library, whose whole work fills this ``share`` of the bar, and whose end is not
        the command's.
        """

        def progress(fraction: float, stage: str, text: str) -> None:
            if stage != LAST_STAGE:
                self(share * fraction, stage, text)

        return progress

    def __enter__(self) -> "ProgressBar":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
