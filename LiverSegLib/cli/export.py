"""``liverseg export``: a model with ONNX graphs of its networks, for engines other than PyTorch."""

from pathlib import Path
from typing import Annotated, Any, Dict, Optional

import typer

from .console import Console, Facts
from .options import Json

Folder = Annotated[
    Optional[Path],
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        help="Folder for a copy of the model with its graphs; by default they are added to the model itself.",
    ),
]


def export(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="NAME|FOLDER", help="The model; `liverseg models` lists them.")
    ],
    output: Folder = None,
    json_: Json = False,
) -> None:
    """Write ONNX graphs of a model's networks.

    With them OpenVINO and ONNX Runtime run the model too. Writing them needs PyTorch and onnx.
    """
    from ..inference.engines.export import export_model
    from ..models import load_model

    found = load_model(model)
    manifest = export_model(found, output)
    folder = found.path if output is None else output.absolute()
    graphs = [
        (stage.name, fold.graph.file)
        for stage in manifest.stages
        for fold in stage.folds
        if fold.graph is not None
    ]
    console = Console(json=json_, debug=context.obj)
    content: Dict[str, Any] = {"folder": str(folder), "files": [str(folder / name) for _, name in graphs]}
    console.answer(content)
    facts = Facts()
    for stage, name in graphs:
        facts.add_row(stage, f"{folder / name} ({(folder / name).stat().st_size / 1e6:.1f} MB)")
    console.show(facts)
