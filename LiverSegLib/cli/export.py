"""``liverseg export``: a model of a training run; or a model's graphs, for engines other than PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer

from ..errors import UsageError
from .console import Console, Facts
from .options import Json

if TYPE_CHECKING:
    from ..models import Manifest

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
        str,
        typer.Argument(
            metavar="NAME|FOLDER|RUN",
            help="A model (`liverseg models` lists them), or the folder of a training run.",
        ),
    ],
    target: Annotated[
        Optional[Path],
        typer.Argument(metavar="[MODEL]", help="Of a run: the folder for the model."),
    ] = None,
    output: Folder = None,
    json_: Json = False,
) -> None:
    """Make a model of a training run, or write ONNX graphs of a model's networks.

    With graphs OpenVINO and ONNX Runtime run the model too. Writing them needs PyTorch and onnx.
    """
    console = Console(json=json_, debug=context.obj)
    if (Path(model) / "recipe.yaml").is_file():
        if target is None or output is not None:
            raise UsageError("A model of a run needs a folder: liverseg export RUN MODEL.")
        _export_run(console, Path(model), target)
        return
    if target is not None:
        raise UsageError(f"{model} is no training run; ONNX graphs of a model go to the folder of --output.")
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
    content: Dict[str, Any] = {"folder": str(folder), "files": [str(folder / name) for _, name in graphs]}
    console.answer(content)
    facts = Facts()
    for stage, name in graphs:
        facts.add_row(stage, f"{folder / name} ({(folder / name).stat().st_size / 1e3:.0f} kB)")
    console.show(facts)


def _export_run(console: Console, run: Path, target: Path) -> None:
    """Make a model of a training run."""
    from .train import require_training

    require_training()
    from ..training.export_run import export_models
    from ..training.run_folder import RunFolder

    made = export_models(RunFolder(run), target)
    files = {path: [path / stage.weights for stage in manifest.stages] for path, manifest in made.items()}
    written = [file for path, weights in files.items() for file in (path / "model.json", *weights)]
    console.answer({"folder": str(target.absolute()), "files": [str(file.absolute()) for file in written]})
    for path, manifest in made.items():
        console.show(_model_facts(path, manifest, files[path]))


def _model_facts(target: Path, manifest: "Manifest", files: List[Path]) -> Facts:
    folder = target.absolute()
    facts = Facts()
    facts.add_row("Model", f"{manifest.name} {manifest.version}")
    facts.add_row("Folder", str(folder))
    size = sum(file.stat().st_size for file in files)
    facts.add_row("Weights", f"{size / 1e6:.1f} MB")
    if manifest.accuracy is not None:
        means = {key: value for key, value in manifest.accuracy.table[-1].items() if key != "case"}
        shown = ", ".join(f"{key[6:]} {'–' if value is None else value}" for key, value in means.items())
        facts.add_row("Mean Dice", shown)
    facts.add_row("Use it", f"liverseg segment SCAN --model {target}")
    facts.add_row("Graphs", f"liverseg export {target}")
    return facts
