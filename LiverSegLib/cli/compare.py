"""``liverseg compare``: two results of ``liverseg evaluate`` on the same cases."""

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer
from rich.table import Table
from rich.text import Text

from .console import Console, files_table, numbers_table
from .options import Json
from .packages import require_packages

if TYPE_CHECKING:
    from ..evaluation.compare_results import ResultComparison


def compare(
    context: typer.Context,
    first: Annotated[
        Path,
        typer.Argument(metavar="A", help="Folder, JSON file or table that `liverseg evaluate` wrote."),
    ],
    second: Annotated[
        Path, typer.Argument(metavar="B", help="The other one, on the same cases and references.")
    ],
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for comparison.json and the page."),
    ] = None,
    json_: Json = False,
) -> None:
    """Say whether B is better than A, case by case.

    Paired differences with a bootstrap interval, Wilcoxon's signed-rank test with Holm's correction, effect
    size, limits of agreement of the volumes.
    """
    require_packages(("matplotlib",))
    from LiverSegLib import __version__

    from ..evaluation.compare_results import compare_results
    from ..evaluation.result_files import read_result
    from ..outputs.file_set import finite

    found = compare_results(read_result(first), read_result(second))
    content: Dict[str, Any] = {
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "liverseg_version": __version__,
        "path_a": os.path.abspath(first),
        "path_b": os.path.abspath(second),
        **found.to_dict(),
    }
    files = {} if output is None else _write(output, found, content)
    console = Console(json=json_, debug=context.obj)
    console.answer(
        finite(
            {
                "folder": None if output is None else os.path.abspath(output),
                "files": {key: str(path) for key, path in files.items()},
                **content,
            }
        )
    )
    console.show(*_view(found), files_table(files))
    console.warn(list(found.warnings))


def _write(output: Path, found: "ResultComparison", content: Dict[str, Any]) -> Dict[str, Path]:
    from ..evaluation.compare_page import compare_page
    from ..outputs import FileSet, write_file_set

    page = compare_page(found, content)
    files = {"page": ("comparison.html", lambda path: path.write_text(page, encoding="utf-8"))}
    return write_file_set(output, FileSet(index="comparison.json", content="comparison"), files, content)


def _view(found: "ResultComparison") -> List[Any]:
    cases = len(found.cases)
    parts: List[Any] = [
        Text(f"{cases} case{'s' * (cases != 1)} in both; A is {found.first}, B is {found.second}.")
    ]
    parts += [_table(found, name) for name in dict.fromkeys(item.structure for item in found.metrics)]
    return [*parts, *(Text(sentence) for sentence in found.verdicts)]


def _table(found: "ResultComparison", structure: str) -> Table:
    from ..evaluation.html import number, on_screen

    table = numbers_table(f"{on_screen(structure).capitalize()}: differences above 0 are in favor of B")
    for heading in ("", "A", "B", "Difference", "Better, worse", "p", "corrected"):
        table.add_column(heading, justify="right" if heading else "left")
    for item in found.metrics:
        if item.structure != structure:
            continue
        paired, decimals = item.paired, item.metric.decimals
        unit = f" ({item.metric.unit})" if item.metric.unit else ""
        table.add_row(
            f"{item.name}{unit}",
            number(paired.first_mean, decimals),
            number(paired.second_mean, decimals),
            number(paired.mean, decimals + 1),
            f"{paired.wins}, {paired.losses}",
            number(paired.test.p_value, 3),
            number(item.p_holm, 3),
        )
    return table
