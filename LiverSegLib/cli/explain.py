"""``liverseg explain``: why a model draws something in a place, as volumes and a picture."""

import json
import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Tuple

import typer

from ..cancelling import while_checking
from ..errors import InputError, UnreadableImageError, UsageError
from ..labels import LABELS
from ..sentences import Sentence
from .console import Console, files_table
from .interrupts import Interrupts
from .mesh import read_segmentation
from .options import (
    Device,
    DeviceName,
    Json,
    Modality,
    ModalityName,
    Model,
    Quiet,
    Series,
    Source,
    Threads,
)
from .progress import ProgressBar
from .segment import limit_threads

if TYPE_CHECKING:
    import numpy as np

    from ..explain import Target
    from ..images import Scan

Lesions = List[Tuple[int, Tuple[float, float, float]]]
"""Number and centre (LPS mm) of lesions."""

SEGMENT_SHARE = 0.5
"""Share of the progress bar that segmenting gets, where there is no result yet."""


DEFAULT = "default"
"""The model where none is named."""


class StructureName(str, Enum):
    """What ``--structure`` takes."""

    liver = "liver"
    spleen = "spleen"
    tumor = "tumor"


KEYS = {StructureName.liver: "liver", StructureName.spleen: "spleen", StructureName.tumor: "tumour"}

At = Annotated[
    Optional[str],
    typer.Option(
        metavar="X,Y,Z",
        help="The place: mm in RAS, as 3D Slicer shows coordinates (to the right, front and head).",
    ),
]
LesionNumber = Annotated[
    Optional[int],
    typer.Option("--lesion", metavar="N", min=1, help="The lesion of this number in the table."),
]
ResultFolder = Annotated[
    Optional[Path],
    typer.Option(
        "--result",
        metavar="FOLDER",
        help="An earlier result on the scan, which --lesion means; without it the scan is segmented first.",
    ),
]
Output = Annotated[
    Optional[Path],
    typer.Option(
        "--output", "-o", metavar="FOLDER", help="Folder for the files; by default that of --result."
    ),
]
Structure = Annotated[StructureName, typer.Option(help="Why there is this structure is explained.")]
LayerName = Annotated[
    str,
    typer.Option(
        metavar="encoder|decoder|NAME",
        help="Layer whose features Grad-CAM weighs: the coarsest, the last before the scores, or by name.",
    ),
]


def explain(
    context: typer.Context,
    source: Source,
    at: At = None,
    lesion: LesionNumber = None,
    result: ResultFolder = None,
    output: Output = None,
    structure: Structure = StructureName.tumor,
    layer: LayerName = "decoder",
    series: Series = None,
    modality: Modality = ModalityName.auto,
    device: Device = DeviceName.auto,
    model: Model = DEFAULT,
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show why a model draws something in a place.

    Two volumes for 3D Slicer: Grad-CAM (where the network's features speak for the structure) and guided
    backpropagation (on which voxels that depends). They are no proof that the model is right. Needs PyTorch.
    """
    if (at is None) == (lesion is None):
        raise UsageError("Say what is to be explained: either --at X,Y,Z or --lesion N.")
    folder = output or result
    if folder is None:
        raise UsageError("Say where the files go: --output FOLDER, or --result FOLDER of an earlier result.")
    if not source.exists():
        raise UnreadableImageError(f"There is no file or folder {source}.")
    point = None if at is None else parse_point(at)
    from ..explain import explain as explained
    from ..explain.writing import write_explanation
    from ..images import read_scan
    from ..measure.facts import header_facts
    from ..outputs import ScanIdentity, reserve
    from ..outputs.scan_identity import refuse_another_scan
    from ..provenance import input_of, made_now

    console = Console(json=json_, quiet=quiet, debug=context.obj)
    label = next(value for value, info in LABELS.items() if info.key == KEYS[structure])
    how: Dict[str, Any] = {"model": model, "device": device.value, "threads": threads or 0}
    if model == DEFAULT and result is not None:
        how["model"] = model_of_result(result, structure)
    with Interrupts() as interrupts, reserve(folder) as reservation:
        with ProgressBar(console.aside, shown=not quiet) as bar:
            bar(0.0, "read", "Reading the scan")
            limit_threads(threads)
            said = modality.value
            scan = while_checking(lambda ask: read_scan(source, series, modality=said), interrupts.check)
            how["modality"] = scan.kind
            refuse_another_scan(folder, lambda: ScanIdentity(scan.name, scan.fingerprint))
            begin = SEGMENT_SHARE if result is None and point is None else 0.0
            target, labels = _target(scan, point, lesion or 0, result, label, how, bar, interrupts)
            found = explained(
                scan.image,
                target,
                layer=layer,
                labels=labels,
                progress=lambda part, key, text: bar(begin + (1 - begin) * 0.95 * part, key, text),
                cancel=interrupts.requested,
                **how,
            )
            with interrupts.at_once():
                provenance = {**made_now(), "input": input_of(scan, header_facts(scan.series))}
                files = write_explanation(reservation, found, scan.image, scan.name, provenance)
            bar(1.0, "done", "Done")
    console.answer(_answer(folder, files))
    console.show(str(found.guide), "", files_table(files))


def parse_point(text: str) -> Tuple[float, float, float]:
    """Return the point of "X,Y,Z".

    Raises:
        UsageError: not three numbers.

    >>> parse_point("-60.5, 12, 30")
    (-60.5, 12.0, 30.0)
    """
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f'The place "{text}" is not three numbers such as 60.5,-12,30 (mm, RAS).') from None
    return x, y, z


def _target(
    scan: "Scan",
    point: Optional[Tuple[float, float, float]],
    number: int,
    result: Optional[Path],
    label: int,
    how: Mapping[str, Any],
    bar: ProgressBar,
    interrupts: Interrupts,
) -> "Tuple[Target, Optional[np.ndarray]]":
    """What is asked about, and the labels of the scan if they are known."""
    from ..explain import at_lesion, at_point
    from ..images.grid import Grid

    grid = Grid.of(scan.image)
    if point is not None and result is None:
        return at_point(grid, point, label), None
    if result is not None:
        labels, lesions = earlier_result(result, scan)
    else:
        labels, lesions = _segmented(scan, how, bar, interrupts)
    if point is not None:
        return at_point(grid, point, label), labels
    centre = next((place for found, place in lesions if found == number), None)
    if centre is None:
        raise InputError(Sentence("explain.no-such-lesion", number=number, count=len(lesions)))
    return at_lesion(labels, grid, centre, number, label), labels


def earlier_result(folder: Path, scan: "Scan") -> "Tuple[np.ndarray, Lesions]":
    """The labels (z, y, x) of an earlier result on a scan, and number and centre (LPS mm) of its lesions.

    Raises:
        UnreadableImageError: there is no result. ImageGeometryError: it is on another grid.
    """
    import SimpleITK as sitk

    from ..images.grid import check_same_grid

    try:
        content = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
        name = next(name for name in content["files"] if name.startswith("segmentation."))
        found: Lesions = []
        for lesion in content["measurements"]["lesions"]:
            x, y, z = (float(value) for value in lesion["centre_lps_mm"])
            found.append((int(lesion["number"]), (x, y, z)))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        text = f"There is no result of liverseg segment in {folder}."
        raise UnreadableImageError(text, repr(error)) from error
    labels = read_segmentation(folder / Path(name).name)
    check_same_grid(labels, scan.image)
    return sitk.GetArrayFromImage(labels), found


def model_of_result(folder: Path, structure: StructureName) -> str:
    """Name of the model that drew a structure of an earlier result; "default" where the result does not say.

    >>> model_of_result(Path("nowhere"), StructureName.tumor)
    'default'
    """
    try:
        provenance = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))["provenance"]
        second = provenance.get("tumour_model") if structure == StructureName.tumor else None
        return str((second or provenance["model"])["name"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return DEFAULT


def _segmented(
    scan: "Scan", how: Mapping[str, Any], bar: ProgressBar, interrupts: Interrupts
) -> "Tuple[np.ndarray, Lesions]":
    """Segment the scan; its labels and lesions as in ``earlier_result``."""
    import SimpleITK as sitk

    import LiverSegLib

    progress, cancel = bar.part(SEGMENT_SHARE), interrupts.requested
    result = LiverSegLib.segment(scan.image, progress=progress, cancel=cancel, **how)
    lesions = [(lesion.number, lesion.centre) for lesion in result.measurements.lesions]
    return sitk.GetArrayFromImage(result.labels), lesions


def _answer(folder: Path, files: Mapping[str, Path]) -> Dict[str, Any]:
    """The JSON object: explain.json as it was written, with the files' paths."""
    content = json.loads(files["explanation"].read_text(encoding="utf-8"))
    paths = {key: str(path) for key, path in files.items()}
    kept = {key: content[key] for key in ("name", "explanation", "provenance")}
    return {"folder": os.path.abspath(folder), "files": paths, **kept}
