"""How the command speaks: results on standard output, the rest on standard error; or one JSON object."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, Optional, TextIO, Tuple, Union

from rich import box
from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import ConsoleOptions
from rich.table import Table
from rich.text import Text

from ..errors import LiverSegError, SeriesChoiceError

if TYPE_CHECKING:
    from ..images import SeriesInfo

PLAIN_WIDTH = 80
"""Columns where the output is no terminal. Only a path may be longer: it is never broken."""
MINIMUM_WIDTH = 20
"""Columns that text gets at least, on the narrowest terminal."""


class Console:
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
    def screen(self) -> RichConsole:
        """Standard output as rich sees it now."""
        return _console(sys.stdout)

    @property
    def aside(self) -> RichConsole:
        """Standard error as rich sees it now."""
        return _console(sys.stderr)

    def show(self, *renderables: Any) -> None:
        """Show results to a person; nothing with ``json`` or ``quiet``."""
        if self.json or self.quiet:
            return
        for renderable in renderables:
            text = Lines([renderable]) if isinstance(renderable, (str, Text)) else renderable
            self.screen.print(text, highlight=False, crop=False)

    def answer(self, content: Mapping[str, Any]) -> None:
        """Give a program its one JSON object; nothing without ``json``."""
        if self.json:
            sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
            sys.stdout.flush()

    def warn(self, sentences: List[str]) -> None:
        """Say warnings, each once, on standard error; nothing with ``json`` (the object holds them) or
        ``quiet``.
        """
        if self.json or self.quiet:
            return
        for sentence in dict.fromkeys(sentences):
            self._say(Text.assemble(("Warning: ", "yellow"), sentence))

    def fail(self, error: LiverSegError, hint: Optional[str] = None) -> None:
        """Say an error: one sentence, then a hint and, with ``debug``, the details."""
        if self.json:
            self.answer({"error": error_content(error)})
            if not self.debug:
                return
        self._say(Text.assemble(("Error: ", "bold red"), str(error)))
        if isinstance(error, SeriesChoiceError) and not self.json:
            for series in error.series:
                self._say(*series_choice(series, error.folder))
        if self.debug and error.details:
            self.aside.print(Text(error.details.rstrip(), style="dim"), soft_wrap=True)
        elif hint:
            self._say(Text(hint, style="dim"))

    def _say(self, *lines: Text) -> None:
        self.aside.print(Lines(lines), highlight=False, crop=False)


class Lines:
    """Texts wrapped between words; a path that is longer than a line is not broken.

    Args:
        texts: what to show, one below the other.
        indent: columns left empty before each line but those that a single word overfills.
    """

    def __init__(self, texts: Iterable[Union[str, Text]], *, indent: int = 0) -> None:
        self._texts = [Text(text) if isinstance(text, str) else text for text in texts]
        self._indent = indent

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> Iterator[Text]:
        for text in self._texts:
            for line in _wrapped(text, options.max_width - self._indent):
                fits = line.cell_len <= options.max_width - self._indent
                yield _whole(Text(" " * self._indent * fits).append_text(line))


class Facts:
    """A table of two columns, names and what they are, without a frame; paths in it are not broken.

    Args:
        title: a line above, or None.
        indent: columns left empty before each line.
        style: of the names.
    """

    def __init__(self, title: Optional[str] = None, *, indent: int = 0, style: str = "dim") -> None:
        self._title, self._indent, self._style = title, indent, style
        self._rows: List[Tuple[Text, Text]] = []

    def add_row(self, name: Union[str, Text], text: Union[str, Text]) -> None:
        """Add a name and what it is."""
        name = Text(name, style=self._style) if isinstance(name, str) else name
        self._rows.append((name, Text(text) if isinstance(text, str) else text))

    def __rich_console__(self, console: RichConsole, options: ConsoleOptions) -> Iterator[Text]:
        if self._title:
            yield _whole(Text(self._title, style="bold"))
        start = self._indent + max((name.cell_len for name, _ in self._rows), default=0) + 2
        width = max(options.max_width - start, MINIMUM_WIDTH)
        for name, text in self._rows:
            head = Text(" " * self._indent).append_text(name)
            for line in _wrapped(text, width):
                if line.cell_len > width and head.cell_len + 2 + line.cell_len > options.max_width:
                    if head.plain.strip():
                        yield _whole(head)
                    yield _whole(line)  # a path, alone
                else:
                    head.append(" " * (start - head.cell_len))
                    yield _whole(head.append_text(line))
                head = Text("")


def _wrapped(text: Text, width: int) -> List[Text]:
    """The lines of a text, broken between words; one that is longer than ``width`` is a single word.

    rich's own wrapping breaks or cuts long words.
    """
    lines: List[Text] = []
    for paragraph in text.split(allow_blank=True):
        breaks, used = [], 0
        for word in re.finditer(r"\S+\s*", paragraph.plain):
            if used and used + cell_len(word.group().rstrip()) > width:
                breaks.append(word.start())
                used = 0
            used += cell_len(word.group())
        lines += paragraph.divide(breaks)
    for line in lines:
        line.rstrip()
    return lines or [Text("")]


def _whole(line: Text) -> Text:
    """The line as it is, whatever the width."""
    line.rstrip()
    line.no_wrap, line.overflow = True, "ignore"
    return line


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


def series_content(series: "SeriesInfo") -> Dict[str, Any]:
    """A ``SeriesInfo`` as JSON-ready data; the files as their number only."""
    return {
        "uid": series.uid,
        "number": series.number,
        "date": series.date,
        "description": series.description,
        "part": series.part,
        "modality": series.modality,
        "size": list(series.size),
        "spacing_mm": list(series.spacing),
        "files": len(series.files),
        "phase_hint": series.phase_hint,
        "suitable": series.suitable,
        "reason": series.reason,
    }


def numbers_table(title: str) -> Table:
    """An empty table for numbers, narrow: a rule under its headings, no other lines."""
    return Table(
        title=title, title_justify="left", title_style="bold",
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False,
    )  # fmt: skip


def series_choice(series: "SeriesInfo", folder: str = "") -> List[Text]:
    """A series in words, and the option that chooses it on a line of its own, so that it can be copied.

    Args:
        series: the series.
        folder: where it is, for a command that takes several.
    """
    chosen = shlex.quote(f"{folder}={series.uid}") if folder else series.uid
    return [Text(series.line()), Text(f"  --series {chosen}")]


def files_table(files: Mapping[str, Path]) -> Facts:
    """The table that ends a command: the files written, if any, and what the numbers are not for."""
    table = Facts("Files" if files else None)
    for key, path in files.items():
        table.add_row(key.replace("_", " "), str(path))
    table.add_row("", Text("For research use only.", style="dim"))
    return table


def _console(stream: TextIO) -> RichConsole:
    console = RichConsole(file=stream, soft_wrap=False)
    return console if console.is_terminal else RichConsole(file=stream, width=PLAIN_WIDTH)
