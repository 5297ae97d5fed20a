"""``liverseg models add`` and ``remove``: models of other programs in the user's folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Dict, List, Optional

import typer

from ..errors import CancelledError, UsageError
from ..sentences import Sentence
from .console import Console, Facts
from .interrupts import CANCELLED
from .models import Name, add_manifest_rows, model_content, structures_table
from .options import Json

if TYPE_CHECKING:
    from ..models import Manifest

MOST_ROWS = 20
"""Structures that are listed one by one before a model is added."""

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        help="A trained model of nnU-Net v2 or TotalSegmentator: its folder, "
        "a folder of several, or a zip archive.",
    ),
]
NewName = Annotated[
    Optional[str], typer.Option("--name", metavar="NAME", help="Its name here; else made of its own.")
]
Configuration = Annotated[
    Optional[str],
    typer.Option(
        metavar="NAME",
        help="Which one, where there are several: nnU-Net's configuration or TotalSegmentator's task.",
    ),
]
Folds = Annotated[
    Optional[List[str]],
    typer.Option("--fold", metavar="FOLD", help="Use only this fold, as 0 or all; may be given again."),
]
Labels = Annotated[
    Optional[List[str]],
    typer.Option(
        "--label", metavar="STRUCTURE=LABEL",
        help="Count a structure as liver, spleen, tumor or none; may be given again.",
    ),
]  # fmt: skip
Licence = Annotated[
    Optional[str], typer.Option(metavar="TEXT", help="Licence of the weights, if their files do not say it.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def add(
    context: typer.Context,
    source: Source,
    name: NewName = None,
    configuration: Configuration = None,
    fold: Folds = None,
    label: Labels = None,
    licence: Licence = None,
    yes: Yes = False,
    json_: Json = False,
) -> None:
    """Add a model of another program.

    Shows what it segments and its licence, asks, and copies its weights into your folder of models.
    """
    from ..models import Options, opened_model

    console = Console(json=json_, debug=context.obj)
    if json_ and not yes:
        raise UsageError(Sentence("add.json-needs-yes"))
    options = Options(name, configuration, fold or None, chosen_labels(label or []), licence)
    with opened_model(source, options) as candidate:
        manifest = candidate.manifest
        console.show(_preview(manifest))
        if len([name for stage in manifest.result_stages for name in stage.output.channels]) <= MOST_ROWS:
            console.show(structures_table(manifest))
        if not any(stage.output.labels for stage in manifest.result_stages):
            console.warn([Sentence("add.no-liver-label")])
        if not yes and not typer.confirm(f"Add it as {manifest.name}?", err=True):
            raise CancelledError(CANCELLED)
        model = candidate.add()
    console.answer({"model": model_content(model)})
    console.show(f"Added: liverseg segment SCAN -o FOLDER --model {model.name}")


def remove(context: typer.Context, name: Name, yes: Yes = False, json_: Json = False) -> None:
    """Delete a model that was added; those that came with LiverSeg stay."""
    from ..models import remove_model

    console = Console(json=json_, debug=context.obj)
    if json_ and not yes:
        raise UsageError(Sentence("add.json-needs-yes"))
    if not yes and not typer.confirm(f"Delete the model {name}?", err=True):
        raise CancelledError(CANCELLED)
    folder = remove_model(name)
    console.answer({"removed": str(folder)})
    console.show(f"Removed {folder}")


def chosen_labels(words: List[str]) -> Dict[str, str]:
    """What was given as STRUCTURE=LABEL.

    Raises:
        UsageError: it was given in another way.
    """
    chosen: Dict[str, str] = {}
    for word in words:
        structure, sign, label = word.rpartition("=")
        if not sign or not structure.strip() or not label.strip():
            raise UsageError(Sentence("add.label-option", given=word))
        chosen[structure.strip()] = label.strip()
    return chosen


def _preview(manifest: "Manifest") -> Facts:
    facts = Facts(manifest.name)
    add_manifest_rows(facts, manifest)
    return facts
