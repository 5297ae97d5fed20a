"""``liverseg doctor``: what works on this machine, as text or JSON."""

from typing import List

import typer
from rich.text import Text

from .checks import FAILED, OK, Check, examine, healthy
from .console import Console, Facts
from .options import Json

MARKS = {OK: ("✓", "green"), FAILED: ("✗", "bold red")}
"""Outcome of a check -> its mark and colour; anything else is a warning."""
WARNING_MARK = ("!", "yellow")


def doctor(context: typer.Context, json_: Json = False) -> None:
    """Say what works on this machine.

    And what to do about what does not. It takes some seconds and changes nothing.
    """
    checks = examine()
    console = Console(json=json_, debug=context.obj)
    console.answer({"ok": healthy(checks), "checks": [check.to_dict() for check in checks]})
    console.show(_doctor_table(checks), _verdict(checks))
    if not healthy(checks):
        raise typer.Exit(1)


def _doctor_table(checks: List[Check]) -> Facts:
    table = Facts()
    for check in checks:
        mark, colour = MARKS.get(check.outcome, WARNING_MARK)
        text = Text(check.text)
        if check.advice:
            text.append(f"\n→ {check.advice}", style=colour)
        table.add_row(Text.assemble((mark, colour), "  ", (check.name, "bold")), text)
    return table


def _verdict(checks: List[Check]) -> Text:
    if not healthy(checks):
        return Text("LiverSeg cannot segment on this machine yet; see the lines marked ✗.", style="bold red")
    if all(check.outcome == OK for check in checks):
        return Text("Everything works.", style="green")
    return Text(
        "LiverSeg can segment on this machine; the lines marked ! say what is missing.", style="yellow"
    )
