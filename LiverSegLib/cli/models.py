"""``liverseg models``: the models there are, as text or JSON; how they are shown wherever they are."""

from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping

import typer
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..labels import LABELS
from .console import Console, Facts, error_content
from .options import Json

if TYPE_CHECKING:
    from ..models import Accuracy, Manifest, Model

Name = Annotated[str, typer.Argument(metavar="NAME", help="A model; `liverseg models list` lists them.")]


def models(context: typer.Context, json_: Json = False) -> None:
    """List, show, add and remove models; lists them if nothing else is said."""
    if context.invoked_subcommand is None:
        list_(context, json_)


def list_(context: typer.Context, json_: Json = False) -> None:
    """List the models.

    With their licence, what they were trained on and how accurate they were measured to be.
    """
    from ..models import list_models

    found = list_models()
    console = Console(json=json_, debug=context.obj)
    console.answer({"models": [model_content(model) for model in found]})
    if not found:
        console.show("No model is installed; `liverseg doctor` says where models are looked for.")
    for model in found:
        console.show(model_view(model))


def show(context: typer.Context, name: Name, json_: Json = False) -> None:
    """Show one model: what it segments, its licence and accuracy, where it comes from and where it lies."""
    from ..models import load_model

    model = load_model(name)
    console = Console(json=json_, debug=context.obj)
    console.answer({"model": model_content(model)})
    console.show(model_view(model))
    if model.manifest is not None:
        console.show(structures_table(model.manifest))


def model_content(model: "Model") -> Dict[str, Any]:
    """A model as JSON-ready data."""
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


def model_view(model: "Model") -> Group:
    """A model as a person sees it."""
    manifest = model.manifest
    heading = Text.assemble(
        (model.name, "bold"), "" if manifest is None else f" {manifest.version}", f" ({model.origin})"
    )
    facts = Facts(indent=2)
    if model.error is not None:
        facts.add_row("Cannot be used", Text(str(model.error), style="red"))
    if manifest is not None:
        add_manifest_rows(facts, manifest)
    facts.add_row("Where", f"{model.path} ({model.size_bytes / 1e6:.1f} MB)")
    parts: List[Any] = [heading, facts]
    if manifest is not None and manifest.accuracy is not None:
        parts.append(Padding(_accuracy_table(manifest.accuracy), (0, 0, 1, 2)))
    return Group(*parts)


def add_manifest_rows(facts: Facts, manifest: "Manifest") -> None:
    """What a model's description says, as rows."""
    facts.add_row("What", manifest.description)
    facts.add_row("Licence", manifest.licence)
    if manifest.modality != "CT":
        other = "LiverSeg reads CT and MR only, and cannot run it"
        facts.add_row("Images", "MR" if manifest.modality == "MR" else f"{manifest.modality}: {other}")
    for data in manifest.training_data:
        facts.add_row("Trained on", f"{data.name}, {data.cases} cases, {data.licence}. {data.citation}")
    if manifest.source is not None:
        source = manifest.source
        details = [source.program, source.configuration, source.trainer]
        details.append(f"{source.epochs} epochs" if source.epochs else None)
        facts.add_row("From", f"{source.file} ({', '.join(filter(None, details))}), added {source.added}")
    for title, text in (
        ("For", manifest.intended_use),
        ("Limits", manifest.limitations),
        ("Cite", manifest.citation),
    ):
        if text:
            facts.add_row(title, text)


def structures_table(manifest: "Manifest") -> Facts:
    """What a model segments, and which of it counts as liver, spleen or tumor."""
    table = Facts("Structures")
    for stage in manifest.result_stages:
        output = stage.output
        for name, label in zip(output.channels, output.channel_labels):
            if name != "background":
                counted = LABELS[label].name.lower() if label in LABELS else "a structure of its own"
                table.add_row(name, counted)
    return table


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
