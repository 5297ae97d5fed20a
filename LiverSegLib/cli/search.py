"""``liverseg search``: many short trainings that tell which values of a recipe are best."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional

import typer
from rich.text import Text

from ..errors import UsageError
from .console import Console, Facts, numbers_table
from .interrupts import Interrupts
from .options import Json
from .progress import ProgressBar
from .train import RUNS, require_training

if TYPE_CHECKING:
    from ..training.search import SearchOutcome, TrialRow
    from ..training.search_options import SearchOptions

NOTE = "The validation cases chose the best recipe: judge it on cases that took no part in the search."
SHOWN = 12
"""Trials in the terminal's table; all are in the CSV."""


def search(
    context: typer.Context,
    file: Annotated[
        Optional[str],
        typer.Argument(metavar="SEARCH", help="A .yaml file, or the name of a ready search (--list)."),
    ] = None,
    changes: Annotated[
        Optional[List[str]],
        typer.Argument(metavar="[KEY=VALUE]...", help="Changes of the recipe, such as data.folder=scans."),
    ] = None,
    run: Annotated[
        Optional[Path],
        typer.Option(
            "--run", metavar="FOLDER", help="Folder of the search; one that was stopped goes on [runs/NAME]."
        ),
    ] = None,
    trials: Annotated[
        Optional[int],
        typer.Option("--trials", metavar="N", min=1, help="How many trials, in place of the search's own."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the ready searches.")] = False,
    json_: Json = False,
) -> None:
    """Search the best values of a recipe's keys by short trainings.

    Ctrl-C stops, and the same command goes on, with the trial that was running too.
    """
    require_training("optuna")
    console = Console(json=json_, debug=context.obj)
    from ..training.search_options import base_content, read_search

    if list_:
        _list(console)
        return
    if file is None:
        raise UsageError("Please name a search; `liverseg search --list` names the ready ones.")
    options = read_search(file)
    if trials is not None:
        options = options.changed(trials=trials)
    content = base_content(options, changes or ())
    folder = run or RUNS / options.name
    outcome = _search(console, options, content, folder)
    console.answer(_answer(outcome))
    console.show(_table(options, outcome), *_next(outcome, file, changes or []))


def _list(console: Console) -> None:
    from ..training.search_options import read_search, ready_searches

    found = {name: read_search(name).description for name in ready_searches()}
    console.answer({"searches": [{"name": name, "description": text} for name, text in found.items()]})
    facts = Facts()
    for name, text in found.items():
        facts.add_row(name, text)
    console.show(facts)


def _search(
    console: Console, options: "SearchOptions", content: Mapping[str, Any], folder: Path
) -> "SearchOutcome":
    from ..training.search import search as find

    place = [1, options.trials]

    def begin(number: int, wanted: int, values: Mapping[str, Any]) -> None:
        place[:] = number, wanted
        console.show(Text(f"Trial {number} of {wanted}: {_values(values)}"))

    with Interrupts() as interrupts, ProgressBar(console.aside, shown=not console.json) as bar:

        def report(step: int, steps: int, loss: float) -> None:
            share = (place[0] - 1 + step / steps) / place[1]
            bar(share, f"trial {place[0]}", f"Trial {place[0]} of {place[1]}, step {step}, loss {loss:.3f}")

        return find(options, content, folder, stop=interrupts.requested, begin=begin, report=report)


def _table(options: "SearchOptions", outcome: "SearchOutcome") -> Any:
    table = numbers_table(f"Trials of {options.name}")
    for name in ("Trial", "Dice", "Step"):
        table.add_column(name, justify="right")
    table.add_column("State")
    table.add_column("Values")
    for row in outcome.rows[:SHOWN]:
        dice = "–" if row.dice is None else f"{row.dice:.3f}"
        words = "; ".join(part for part in (_values(row.values), row.note) if part)
        table.add_row(str(row.number), dice, str(row.step), row.state, words)
    return table


def _values(values: Mapping[str, Any]) -> str:
    """Values by the last word of their keys."""
    shown = {key.rpartition(".")[2]: value for key, value in values.items()}
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())


def _next(outcome: "SearchOutcome", file: str, changes: List[str]) -> List[Any]:
    facts = Facts()
    facts.add_row("Trials", f"{len(outcome.rows)} of {outcome.wanted}")
    if outcome.stopped:
        facts.add_row("Go on", " ".join(["liverseg search", file, *changes]))
    facts.add_row("Table", str(outcome.folder / "results.csv"))
    if outcome.best is not None:
        facts.add_row("Best recipe", str(outcome.best))
        facts.add_row("Train it", f"liverseg train {outcome.best}")
        facts.add_row("", NOTE)
    facts.add_row("", Text("For research use only.", style="dim"))
    return [facts]


def _answer(outcome: "SearchOutcome") -> Dict[str, Any]:
    return {
        "folder": str(outcome.folder.absolute()),
        "best": None if outcome.best is None else str(outcome.best.absolute()),
        "wanted": outcome.wanted,
        "stopped": outcome.stopped,
        "trials": [_content(row) for row in outcome.rows],
    }


def _content(row: "TrialRow") -> Dict[str, Any]:
    return {
        "trial": row.number,
        "state": row.state,
        "dice": row.dice,
        "step": row.step,
        "seconds": row.seconds,
        "values": dict(row.values),
        "run": row.run,
        "note": row.note,
    }
