"""What the worker does for a request: take the arrays that were handed over, call the core, write what goes
back.

Each task takes the request and a :class:`TaskContext` and returns the reply. Whatever it raises becomes the
error reply; what it had written by then is removed.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import SimpleITK as sitk

from ..cancelling import while_checking
from ..errors import UsageError
from ..images.grid import Grid
from ..images.metadata import with_header
from ..review import Review
from ..sentences import Sentence, with_identity
from ..structures import Structures
from . import corrections, dicom_tasks, explain_tasks, followup_tasks, model_tasks, scratch
from .context import Segments, TaskContext, result_folder
from .correct_messages import OpenCase, Refine
from .dicom_messages import ExportDicom
from .explain_messages import Explain
from .followup_messages import CompareDates
from .given_messages import TakeSegmentation
from .given_tasks import take
from .handed import read_image, read_labels, read_structures, read_summary
from .measuring import SUMMARY, measure
from .messages import (
    STRUCTURE,
    Measure,
    Report,
    ReportResult,
    Segment,
    SegmentResult,
    SurfaceFiles,
    WorkReply,
    WorkRequest,
)
from .model_messages import AddModel, RemoveModel
from .server_messages import AskServer

if TYPE_CHECKING:
    from ..api import Result
    from ..measure.structures import StructureVolume


def work_off(request: WorkRequest, context: TaskContext) -> WorkReply:
    """Do what a request asks for and return the reply to it."""
    if isinstance(request, OpenCase):
        return corrections.open_case(request, context)
    if isinstance(request, Refine):
        return corrections.refine(request, context)
    if isinstance(request, AddModel):
        return model_tasks.add(request, context)
    if isinstance(request, RemoveModel):
        return model_tasks.remove(request, context)
    if isinstance(request, Explain):
        return explain_tasks.explain(request, context)
    if isinstance(request, ExportDicom):
        return dicom_tasks.export(request, context)
    if isinstance(request, CompareDates):
        return followup_tasks.compare_dates(request, context)
    if isinstance(request, AskServer):
        return context.elsewhere().ask(request)
    if isinstance(request, Segment):
        return segment(request, context)
    if isinstance(request, Measure):
        return measure(request, context)
    if isinstance(request, TakeSegmentation):
        return take_segmentation(request, context)
    return report(request, context)


def segment(request: Segment, context: TaskContext) -> SegmentResult:
    """Segment one scan."""
    source = while_checking(lambda ask: _source(request), context.check)
    result = _segmenter(request, context).segment(
        source,
        mirror=request.mirror,
        minimum_lesion_ml=request.minimum_lesion_ml,
        structures=request.structures,
        series=request.series,
        modality=request.modality,
        contrast=request.contrast,
        progress=context.progress,
        cancel=context.cancel,
    )
    with result_folder(context, request.id) as folder:
        return _write_result(result, folder, request, context)


def take_segmentation(request: TakeSegmentation, context: TaskContext) -> SegmentResult:
    """Measure a segmentation that others made."""
    result = take(request, context)
    with result_folder(context, request.id) as folder:
        return _write_result(result, folder, request, context)


def _segmenter(request: Segment, context: TaskContext) -> Segments:
    """What segments: the models in memory, or the server that was asked for."""
    if request.server is not None:
        return context.elsewhere().segmenter(request.server, request.model, request.tumours)
    return context.segmenter(request.model, request.device, request.engine, request.tumours)


def report(request: Report, context: TaskContext) -> ReportResult:
    """Write the files of a case into the folder that the user chose."""
    from ..api import Result
    from ..measure import Measurements
    from ..measure.facts import ClinicalFacts
    from ..measure.structures import StructureVolume
    from ..outputs import write_results
    from ..steatosis.assessment import Assessment

    context.report_progress(0.0, "read", "Reading the scan")
    summary = read_summary(request.summary)
    image = read_image(request.voxels, request.grid)
    labels = read_labels(request.labels, image)
    volumes = tuple(StructureVolume.from_dict(item) for item in summary.get("structures") or ())
    result = Result(
        name=summary["name"],
        image=image,
        labels=labels,
        probability=np.broadcast_to(np.uint8(0), image.GetSize()[::-1]),  # no file of a case holds it
        measurements=Measurements.from_dict(summary["measurements"]),
        provenance=dict(summary["provenance"]),
        warnings=tuple(summary["warnings"]),
        facts=ClinicalFacts.from_dict(summary.get("facts")),
        review=Review.from_dict(summary.get("review")),
        structures=_structures(request, volumes, image),
        structure_volumes=volumes,
    )
    steatosis = summary.get("steatosis")  # what the user accepted, if it was assessed
    context.report_progress(0.2, "write", "Writing the report")
    files = write_results(
        result,
        request.folder,
        label_format=request.label_format,
        highlight=request.highlight,
        rendering=request.rendering,
        steatosis=None if steatosis is None else Assessment.from_dict(steatosis),
        cancel=context.cancel,
    )
    names = {key: path.name for key, path in files.items()}
    return ReportResult(request.id, str(next(iter(files.values())).parent), names)


def _structures(
    request: Report, volumes: "Sequence[StructureVolume]", image: sitk.Image
) -> Optional[Structures]:
    """The mask of further structures that was handed over, with its table; None if there is none."""
    if request.structures is None:
        return None
    mask = read_structures(request.structures, image.GetSize()[::-1])
    return Structures(mask, tuple(item.structure for item in volumes))


def _source(request: Segment) -> Union[str, sitk.Image]:
    """What to segment: the request's path, or an image made of its voxels and grid."""
    if request.path is not None and request.voxels is None:
        return request.path
    if request.path is not None or request.voxels is None:
        raise UsageError(Sentence("handed.nothing"))
    if request.grid is None:
        raise UsageError(Sentence("handed.no-grid"))
    image = read_image(request.voxels, request.grid)
    return with_header(image, request.kvp, request.contrast_agent, request.description)


# --- what goes back --------------------------------------------------------------------------------


def _write_result(
    result: "Result", folder: Path, request: Union[Segment, TakeSegmentation], context: TaskContext
) -> SegmentResult:
    """Write a result's files into ``folder`` and return the reply that names them."""
    labels = result.labels
    scratch.save_array(folder / "labels.npy", sitk.GetArrayViewFromImage(labels))
    probability = None
    if request.probability and result.probability is not None:
        probability = "probability.npy"
        scratch.save_array(folder / probability, np.asarray(result.probability, dtype=np.uint8))
    summary: Dict[str, Any] = {
        "name": request.name or result.name,
        "measurements": result.measurements.to_dict(),
        "facts": result.facts.to_dict(),
        "provenance": result.provenance,
        "warnings": list(result.warnings),
    }
    structures = None
    if result.structures is not None:
        structures = "structures.npy"
        scratch.save_array(folder / structures, result.structures.labels)
    if result.structure_volumes:
        summary["structures"] = [volume.to_dict() for volume in result.structure_volumes]
    if result.review is not None:
        summary["review"] = result.review.to_dict()
    (folder / SUMMARY).write_text(json.dumps(with_identity(summary)), encoding="utf-8")
    return SegmentResult(
        request.id,
        str(folder),
        labels="labels.npy",
        grid=Grid.of(labels),
        summary=SUMMARY,
        surfaces=_write_surfaces(result, folder, context) if request.surfaces else (),
        probability=probability,
        structures=structures,
    )


def _write_surfaces(result: "Result", folder: Path, context: TaskContext) -> Tuple[SurfaceFiles, ...]:
    """Write the surfaces of the organs, and of further structures that are wanted."""
    from ..surfaces.organs import organ_surfaces

    meshes: Dict[str, Any] = while_checking(
        lambda ask: organ_surfaces(result.labels, cancel=context.in_thread(ask).cancel), context.check
    )
    files = [_write_surface(key, key, mesh, folder) for key, mesh in meshes.items()]
    if result.structures is not None:
        files += _structure_surfaces(result.structures, Grid.of(result.labels), folder, context)
    return tuple(files)


def _structure_surfaces(
    structures: Structures, grid: Grid, folder: Path, context: TaskContext
) -> List[SurfaceFiles]:
    """Write the surface of each structure that has voxels; its key begins with ``STRUCTURE``."""
    from ..surfaces import surface

    image, files = grid.image(structures.labels), []
    for number, item in enumerate(structures.table):
        context.check()
        mesh = surface(image, (item.value,))
        if mesh is not None and mesh.GetNumberOfPolys():
            # a key is another program's word: no name for a file
            files.append(_write_surface(STRUCTURE + item.key, f"{STRUCTURE}{number}", mesh, folder))
    return files


def _write_surface(key: str, name: str, mesh: Any, folder: Path) -> SurfaceFiles:
    from ..surfaces import surface_arrays

    points, triangles = surface_arrays(mesh)
    names = (f"{name}-points.npy", f"{name}-triangles.npy")
    scratch.save_array(folder / names[0], points.astype(np.float32))
    scratch.save_array(folder / names[1], triangles.astype(np.int32))
    return SurfaceFiles(key, *names)
