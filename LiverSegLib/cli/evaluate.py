"""``liverseg evaluate``: predictions against references, as tables and a page."""

import os
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Tuple

import typer
from rich.table import Table

from ..errors import LiverSegError, UsageError
from .console import Console, files_table, numbers_table
from .interrupts import Interrupts, load
from .options import Json, Quiet
from .packages import require_packages
from .progress import ProgressBar

if TYPE_CHECKING:
    from ..evaluation.case_files import Matched
    from ..evaluation.evaluation_page import PicturedCase
    from ..evaluation.run import Evaluation
    from ..evaluation.score import Settings
    from ..outputs import FileSet, Reservation

PACKAGES = ("matplotlib", "monai", "torch")

FILES = {"cases": "cases.csv", "page": "evaluation.html"}
"""Files beside the index."""

INCOMPLETE = 9
"""Exit code where results are written but some cases took no part."""

SCORED_SHARE = 0.9
"""Part of the work that is done when all cases are scored; pictures and page are the rest."""


def evaluate(
    context: typer.Context,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS", help="Folder of label files or of LiverSeg's results, or a table (CSV)."
        ),
    ],
    references: Annotated[
        Path,
        typer.Argument(
            metavar="REFERENCES", help="Folder of label files (its dataset.json is read), or a table (CSV)."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for tables and page; made if missing."),
    ],
    labels: Annotated[
        Optional[str],
        typer.Option(
            metavar="NAME=VALUES,...",
            help="Label values of the structures [liver=1+3,spleen=2,liver tumour=3], or: liverseg, lits.",
        ),
    ] = None,
    prediction_labels: Annotated[
        Optional[str],
        typer.Option(metavar="NAME=VALUES,...", help="Values in the predictions, where they are others."),
    ] = None,
    structures: Annotated[
        Optional[str],
        typer.Option(metavar="NAME,...", help="Score these structures only, by name."),
    ] = None,
    split: Annotated[
        Optional[str],
        typer.Option(metavar="NAME", help="Only references that dataset.json has in this split."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(metavar="MM", min=0.0, help="Tolerance of the surface Dice in mm.")
    ] = 2.0,
    lits: Annotated[bool, typer.Option("--lits", help="Also score as the LiTS challenge does.")] = False,
    chaos: Annotated[bool, typer.Option("--chaos", help="Also score as the CHAOS challenge does.")] = False,
    images: Annotated[
        Optional[Path],
        typer.Option(metavar="FOLDER", help="Scans for the pictures, where dataset.json names none."),
    ] = None,
    pictures: Annotated[
        int, typer.Option(metavar="N", min=0, help="Worst cases to picture of each structure.")
    ] = 3,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Processes at a time, each with one case in memory.")
    ] = 1,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare predicted labels with references, case by case.

    Overlap, surface distances, volumes, lesions found and missed; a table (CSV), everything (JSON), and a
    page with box plots and pictures of the worst cases.
    """
    require_packages(PACKAGES)
    settings = _settings(labels, prediction_labels, structures, tolerance, lits, chaos)
    matched = _matched(predictions, references, split, images)
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    load("LiverSegLib.evaluation.run", "LiverSegLib.evaluation.evaluation_page", "monai.metrics.surface_dice")
    from ..evaluation.run import evaluate as evaluate_cases
    from ..outputs import reserve

    with Interrupts() as interrupts, ProgressBar(console.aside, shown=not (json_ or quiet)) as bar:

        def tell(done: int, count: int, case: str) -> None:
            bar(SCORED_SHARE * done / count, f"case {case} {done}", f"{case} ({done} of {count} done)")

        with interrupts.at_once(), reserve(output) as reservation:
            _refuse_to_overwrite(reservation)
            evaluation = evaluate_cases(matched, settings, progress=tell, jobs=jobs)
            bar(SCORED_SHARE, "pictures", "Drawing the worst cases")
            worst = _pictures(evaluation, matched, pictures)
            about = _about(predictions, references)
            files = _write(reservation, evaluation, about, worst)
    _answer(console, output, files, evaluation, about)
    if not evaluation.is_complete:
        raise typer.Exit(INCOMPLETE)


def _settings(
    labels: Optional[str],
    prediction_labels: Optional[str],
    names: Optional[str],
    tolerance: float,
    lits: bool,
    chaos: bool,
) -> "Settings":
    from ..evaluation.score import Settings
    from ..evaluation.structures import chosen_structures, parse_structures

    found = chosen_structures(parse_structures(labels, prediction_labels), names)
    is_lits = any(item.name == "liver" for item in found) and any(item.is_lesion for item in found)
    if lits and not is_lits:
        raise UsageError('LiTS\'s scores need the structures "liver" and "liver tumour".')
    return Settings(found, tolerance_mm=tolerance, lits=lits, chaos=chaos)


def _matched(predictions: Path, references: Path, split: Optional[str], images: Optional[Path]) -> "Matched":
    from ..evaluation.case_files import find_cases, find_images, match_cases

    matched = match_cases(find_cases(predictions), find_cases(references, split=split))
    if images is None:
        return matched
    scans = find_images(images)
    pairs = tuple(
        (replace(reference, image=scans.get(reference.case, reference.image)), prediction)
        for reference, prediction in matched.pairs
    )
    return replace(matched, pairs=pairs)


def _pictures(evaluation: "Evaluation", matched: "Matched", count: int) -> List["PicturedCase"]:
    """Pictures of the worst cases of each structure; a case whose files have gone meanwhile has none."""
    from ..evaluation.case_pictures import picture_of
    from ..evaluation.evaluation_page import PicturedCase
    from ..evaluation.summary import summarise

    pairs = {reference.case: (reference, prediction) for reference, prediction in matched.pairs}
    structures = {item.name: item for item in evaluation.settings.structures}
    found: List[PicturedCase] = []
    for summary in summarise(evaluation):
        for case, score in summary.scores[:count]:
            try:
                picture = picture_of(*pairs[case], structures[summary.structure])
            except LiverSegError:
                continue
            if picture is not None:
                found.append(PicturedCase(summary.structure, case, score, picture))
    return found


def _about(predictions: Path, references: Path) -> Dict[str, Any]:
    from LiverSegLib import __version__

    return {
        "title": Path(os.path.abspath(predictions)).name,
        "predictions": os.path.abspath(predictions),
        "references": os.path.abspath(references),
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "liverseg_version": __version__,
    }


def _file_set() -> "FileSet":
    from ..outputs import FileSet

    return FileSet(index="evaluation.json", content="evaluation")


def _refuse_to_overwrite(reservation: "Reservation") -> None:
    """Say before the work that the folder holds files of these names which LiverSeg did not write."""
    from ..outputs.file_set import refuse_to_overwrite

    kind = _file_set()
    names = [kind.index, *FILES.values()]
    refuse_to_overwrite(reservation.folder, names, kind.previous(reservation.folder))


def _write(
    reservation: "Reservation",
    evaluation: "Evaluation",
    about: Mapping[str, Any],
    worst: List["PicturedCase"],
) -> Dict[str, Path]:
    from ..evaluation.evaluation_page import evaluation_page
    from ..evaluation.tables import case_table, to_dict
    from ..outputs import write_file_set

    page, table = evaluation_page(evaluation, about, worst), case_table(evaluation)
    files = {
        "cases": (FILES["cases"], lambda path: path.write_text(table, encoding="utf-8")),
        "page": (FILES["page"], lambda path: path.write_text(page, encoding="utf-8")),
    }
    return write_file_set(reservation, _file_set(), files, to_dict(evaluation, about))


def _answer(
    console: Console,
    output: Path,
    files: Mapping[str, Path],
    evaluation: "Evaluation",
    about: Mapping[str, Any],
) -> None:
    from ..evaluation.summary import sentences, summarise
    from ..evaluation.tables import to_dict
    from ..outputs.file_set import finite

    content = {
        "folder": os.path.abspath(output),
        "files": {key: str(path) for key, path in files.items()},
        **to_dict(evaluation, about),
    }
    console.answer(finite(content))
    console.show(_table(summarise(evaluation)), files_table(files))
    console.warn(sentences(evaluation))


def _table(summaries: Tuple[Any, ...]) -> Table:
    from ..evaluation.html import number
    from ..evaluation.metrics import BY_KEY

    shown = ("dice", "surface_dice", "assd_mm", "hd95_mm", "recall", "precision")
    table = numbers_table("Means over the cases whose reference has the structure")
    for heading in ("", "Cases", *(_heading(BY_KEY[key]) for key in shown)):
        # the widest word of a heading is never cut
        width = max((len(word) for word in heading.split()), default=0)
        table.add_column(heading, justify="right" if heading else "left", min_width=width)
    for summary in summaries:
        means = {metric.key: found for metric, found in summary.metrics}
        cells = [number(means[key].mean, BY_KEY[key].decimals) if key in means else "" for key in shown]
        table.add_row(summary.structure.replace("tumour", "tumor"), str(means["dice"].n), *cells)
    return table


def _heading(metric: Any) -> str:
    from ..evaluation.metrics import LESION_METRICS

    name = str(metric.name).replace("Lesion ", "").capitalize() if metric in LESION_METRICS else metric.name
    return name + (f" ({metric.unit})" if metric.unit else "")
