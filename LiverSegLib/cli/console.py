"""How the command speaks: results on standard output, the rest on standard error; or one JSON object."""

import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import LiverSegError, SeriesChoiceError

PLAIN_WIDTH = 120
"""Columns where the output is no terminal: a path in a log should not be folded at 80."""


class Face:
    """Where one run of the command says what it has to say.

    Attributes:
        json: Standard output gets exactly one JSON object.
        quiet: Only errors are said.
        debug: Unexpected errors are shown with their traceback.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, debug: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self.debug = debug

    @property
    def screen(self) -> Console:
        """Standard output as rich sees it now."""
        return _console(sys.stdout)

    @property
    def aside(self) -> Console:
        """Standard error as rich sees it now."""
        return _console(sys.stderr)

    def show(self, *renderables: Any) -> None:
        """Show results to a person; nothing with ``json`` or ``quiet``."""
        if self.json or self.quiet:
            return
        for renderable in renderables:
            self.screen.print(renderable, highlight=False, soft_wrap=isinstance(renderable, Text))

    def answer(self, content: Mapping[str, Any]) -> None:
        """Give a program its one JSON object; nothing without ``json``."""
        if self.json:
            sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
            sys.stdout.flush()

    def warn(self, sentences: List[str]) -> None:
        """Say warnings on standard error; nothing with ``json`` (the object holds them) or ``quiet``."""
        if self.json or self.quiet:
            return
        for sentence in sentences:
            self.aside.print(Text.assemble(("Warning: ", "yellow"), sentence), soft_wrap=True)

    def fail(self, error: LiverSegError, hint: Optional[str] = None) -> None:
        """Say an error: one sentence, then a hint and, with ``debug``, the details."""
        if self.json:
            self.answer({"error": error_content(error)})
            if not self.debug:
                return
        aside = self.aside
        aside.print(Text.assemble(("Error: ", "bold red"), str(error)), soft_wrap=True)
        if isinstance(error, SeriesChoiceError) and not self.json:
            for series in error.series:
                aside.print(Text(f"  --series {series.uid}   {series.line()}"), soft_wrap=True)
        if self.debug and error.details:
            aside.print(Text(error.details.rstrip(), style="dim"), soft_wrap=True)
        elif hint:
            aside.print(Text(hint, style="dim"), soft_wrap=True)


def error_content(error: LiverSegError) -> Dict[str, Any]:
    """An error as JSON-ready data; with the series there are, if one must be chosen."""
    content: Dict[str, Any] = {
        "code": error.code,
        "message": str(error),
        "details": error.details,
        "exit_code": error.exit_code,
    }
    if isinstance(error, SeriesChoiceError):
        content["series"] = [series_content(series) for series in error.series]
    return content


def series_content(series: Any) -> Dict[str, Any]:
    """A ``SeriesInfo`` as JSON-ready data; the files as their number only."""
    return {
        "uid": series.uid,
        "number": series.number,
        "date": series.date,
        "description": series.description,
        "modality": series.modality,
        "size": list(series.size),
        "spacing_mm": list(series.spacing),
        "files": len(series.files),
        "phase_hint": series.phase_hint,
        "suitable": series.suitable,
        "reason": series.reason,
    }


def facts_table(title: Optional[str] = None) -> Table:
    """An empty table of two columns, names and what they are, without a frame."""
    table = Table(title=title, show_header=False, box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def files_table(files: Mapping[str, Path]) -> Table:
    """The table that ends a command: the files written, if any, and what the numbers are not for."""
    table = facts_table("Files" if files else None)
    for key, path in files.items():
        table.add_row(key.replace("_", " "), Text(str(path)))
    table.add_row("", Text("For research use only.", style="dim"))
    return table


def _console(stream: Any) -> Console:
    console = Console(file=stream, soft_wrap=False)
    return console if console.is_terminal else Console(file=stream, width=PLAIN_WIDTH)
