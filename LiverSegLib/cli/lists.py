"""``liverseg models``, ``liverseg series`` and ``liverseg doctor``: what there is, as tables or JSON."""

from pathlib import Path
from typing import Any, Dict, List, Mapping

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..cancelling import while_checking
from ..errors import UnreadableImageError
from .checks import FAILED, OK, Check, examine, healthy
from .console import Console, Facts, error_content, numbers_table, series_choice, series_content

MARKS = {OK: ("✓", "green"), FAILED: ("✗", "bold red")}
"""Outcome of a check -> its mark and colour; anything else is a warning."""
WARNING_MARK = ("!", "yellow")


def run_models(console: Console) -> None:
    """List all models with licence, training data and measured accuracy.

    Raises:
        ModelError: A folder of models cannot be read.
    """
    from ..models import list_models

    models = list_models()
    console.answer({"models": [_model_content(model) for model in models]})
    if not models:
        console.show("No model is installed; `liverseg doctor` says where models are looked for.")
    for model in models:
        console.show(_model_view(model))


def run_series(folder: Path, console: Console) -> None:
    """List the DICOM series in a folder.

    Raises:
        UnreadableImageError: No such folder, or no DICOM images in it.
    """
    from ..images import list_series

    if not folder.is_dir():
        raise UnreadableImageError(f"There is no folder {folder}.")
    found = while_checking(lambda ask: list_series(folder), lambda: None)  # so that Ctrl-C acts at once
    if not found:
        raise UnreadableImageError(f"There are no DICOM images in {folder}.")
    console.answer({"series": [series_content(series) for series in found]})
    usable = [series for series in found if series.suitable]
    console.show(_series_table(found), *(line for series in usable for line in series_choice(series)))


def run_doctor(console: Console) -> bool:
    """Show what works on this machine; return whether LiverSeg can segment here."""
    checks = examine()
    console.answer({"ok": healthy(checks), "checks": [check.to_dict() for check in checks]})
    console.show(_doctor_table(checks), _verdict(checks))
    return healthy(checks)


def _model_content(model: Any) -> Dict[str, Any]:
    manifest = model.manifest
    return {
        "name": model.name,
        "origin": model.origin,
        "folder": str(model.path),
        "size_bytes": model.size_bytes,
        "sha256": None if manifest is None else model.sha256,
        "manifest": None if manifest is None else manifest.to_dict(),
        "error": None if model.error is None else error_content(model.error),
    }


def _model_view(model: Any) -> Group:
    manifest = model.manifest
    heading = Text.assemble(
        (model.name, "bold"), "" if manifest is None else f" {manifest.version}", f" ({model.origin})"
    )
    facts = Facts(indent=2)
    if model.error is not None:
        facts.add_row("Cannot be used", Text(str(model.error), style="red"))
    if manifest is not None:
        facts.add_row("What", manifest.description)
        facts.add_row("Licence", manifest.licence)
        for data in manifest.training_data:
            facts.add_row("Trained on", f"{data.name}, {data.cases} cases, {data.licence}. {data.citation}")
        for title, text in (
            ("For", manifest.intended_use),
            ("Limits", manifest.limitations),
            ("Cite", manifest.citation),
        ):
            if text:
                facts.add_row(title, text)
    facts.add_row("Where", f"{model.path} ({model.size_bytes / 1e6:.1f} MB)")
    parts: List[Any] = [heading, facts]
    if manifest is not None and manifest.accuracy is not None:
        parts.append(Padding(_accuracy_table(manifest.accuracy), (0, 0, 1, 2)))
    return Group(*parts)


def _accuracy_table(accuracy: Any) -> Table:
    """The manifest's rows with the columns in the order in which they first appear."""
    table = Table(title=f"Measured on {accuracy.dataset}", title_justify="left")
    columns = list(dict.fromkeys(column for row in accuracy.table for column in row))
    for column in columns:
        table.add_column(column)
    for row in accuracy.table:
        table.add_row(*(_cell(row, column) for column in columns))
    return table


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _series_table(found: List[Any]) -> Table:
    table = numbers_table("Series")
    for heading in ("No.", "Description", "Kind", "Size", "Spacing (mm)", "Phase", "Usable"):
        table.add_column(heading, overflow="fold")
    for series in found:
        table.add_row(
            "" if series.number is None else str(series.number),
            Text(series.description),
            series.modality,
            "x".join(str(n) for n in series.size),
            "x".join(f"{s:.2f}".rstrip("0").rstrip(".") for s in series.spacing),
            series.phase_hint or "",
            Text("yes" if series.suitable else series.reason or "no"),
        )
    return table


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
