"""``liverseg models``: the models there are, as text or JSON."""

from typing import TYPE_CHECKING, Any, Dict, List, Mapping

import typer
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .console import Console, Facts, error_content
from .options import Json

if TYPE_CHECKING:
    from ..models import Accuracy, Model


def models(context: typer.Context, json_: Json = False) -> None:
    """List the models.

    With their licence, what they were trained on and how accurate they were measured to be.
    """
    from ..models import list_models

    found = list_models()
    console = Console(json=json_, debug=context.obj)
    console.answer({"models": [_model_content(model) for model in found]})
    if not found:
        console.show("No model is installed; `liverseg doctor` says where models are looked for.")
    for model in found:
        console.show(_model_view(model))


def _model_content(model: "Model") -> Dict[str, Any]:
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


def _model_view(model: "Model") -> Group:
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


def _accuracy_table(accuracy: "Accuracy") -> Table:
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
