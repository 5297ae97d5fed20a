"""The task of a worker: one scan segmented, measured, judged and written, by a model that stays loaded."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Tuple

from ..errors import LiverSegError
from .case import Case, Options
from .work import NoCaseCanError

if TYPE_CHECKING:
    from ..api import Segmenter
    from ..result import Result

_LOADED: Dict[Tuple[Any, ...], "Segmenter"] = {}
"""The segmenter of this process: loaded with its first case, kept for all others."""

_SCAN = "scan"
"""Folder, beside the results, of a scan that came from a server; it does not stay."""


def segment_case(case: Case, options: Options, folder: Path) -> Mapping[str, Any]:
    """Segment a case and write its files into ``folder``; return its row.

    Raises:
        NoCaseCanError: the model or the device cannot be used.
        LiverSegError: this scan cannot be used.
    """
    from ..outputs import write_results
    from ..result import with_assessment
    from .rows import result_row

    segmenter = _segmenter(options)
    with_scan = _fetched(case, folder.with_name(_SCAN))
    result = segmenter.segment(
        with_scan.source,
        mirror=options.mirror,
        minimum_lesion_ml=options.minimum_lesion_ml,
        structures=options.structures,
        series=with_scan.series,
        modality=case.modality or options.modality,
    )
    if options.anonymous:
        result = anonymous(result, case)
    result, steatosis = with_assessment(result)
    files = write_results(
        result,
        folder,
        label_format=options.label_format,
        report=options.report,
        rendering=options.report,
        highlight=options.highlight,
        steatosis=steatosis,
    )
    shutil.rmtree(folder.with_name(_SCAN), ignore_errors=True)
    return result_row(result, steatosis, files)


def anonymous(result: "Result", case: Case) -> "Result":
    """The result under the case's name, without path, date and description of its scan.

    The fingerprint of the voxels stays: who has the scan itself can tell that it is this one.
    """
    source = {**result.provenance.get("input", {}), "name": case.name, "path": None, "series": None}
    return replace(
        result,
        name=case.name,
        provenance={**result.provenance, "input": source},
        facts=replace(result.facts, series=None),
    )


def _segmenter(options: Options) -> "Segmenter":
    """The loaded segmenter.

    Raises:
        NoCaseCanError: it cannot be loaded.
    """
    key = (options.model, options.tumours, options.device, options.engine, options.threads)
    if key not in _LOADED:
        _choose_graphics_card(options)
        try:
            import SimpleITK as sitk

            from ..api import Segmenter

            if options.threads:
                sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
            _LOADED[key] = Segmenter(
                options.model,
                options.device,
                tumours=options.tumours,
                engine=options.engine,
                threads=options.threads,
            )
        except LiverSegError as error:
            raise NoCaseCanError(error) from error
    return _LOADED[key]


def _choose_graphics_card(options: Options) -> None:
    """Let this process see one of the computer's graphics cards, by its number among the workers; before
    PyTorch looks for them."""
    from .cluster import worker_number

    number = worker_number()
    if options.graphics_cards > 1 and number is not None and "CUDA_VISIBLE_DEVICES" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number % options.graphics_cards)


def _fetched(case: Case, folder: Path) -> Case:
    """The case with its scan on this computer.

    Raises:
        LiverSegError: it cannot be fetched.
    """
    if not case.is_remote:
        return case
    from .remote import fetch_case

    fetch_case(case.source, folder)
    return replace(case, source=str(folder), series=None)
