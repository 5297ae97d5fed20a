"""``liverseg segment``: from a scan to a folder of results, and the table that names them."""

import json
import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from rich.table import Table
from rich.text import Text

from ..cancelling import while_checking
from ..errors import UnreadableImageError, reason_of
from ..measure.warnings import lesion_numbers, warnings_of_lesions
from ..sentences import Sentence, key_of
from .console import Console, Facts, files_table, numbers_table
from .interrupts import JUDGING, PICTURES, SURFACES, Interrupts, load
from .progress import ProgressBar
from .steatosis_view import summary_line

if TYPE_CHECKING:
    from ..outputs import ScanIdentity
    from ..steatosis.assess import Assessment
    from .steatosis import SteatosisOptions

WORK_SHARE = 0.9
"""Share of the progress bar that segmenting gets; drawing and writing get the rest."""

DENSE = re.compile(r"lesion\.(only-one|one|several)-dense")
"""Sentences on dense lesions in sum: not shown, as each such lesion's own stands under the table."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentOptions:
    """What ``liverseg segment`` was asked to do; volumes in ml."""

    source: Path
    folder: Path
    series: Optional[str] = None
    device: str = "auto"
    model: str = "default"
    label_format: str = "nii.gz"
    mirror: bool = False
    report: bool = True
    highlight: bool = False
    minimum_lesion_ml: Optional[float] = None
    threads: Optional[int] = None

    @property
    def outputs(self) -> Dict[str, Any]:
        """The keyword arguments of ``outputs.write_results``. Without a report there is no picture either."""
        return {
            "label_format": self.label_format,
            "report": self.report,
            "rendering": self.report,
            "highlight": self.highlight,
        }


def run_segment(options: SegmentOptions, console: Console) -> None:
    """Segment a scan, write the results and show them.

    The output folder is held from before the work until the end: one that cannot be written to is told
    at once.

    Raises:
        LiverSegError: Anything that went wrong; nothing was written then.
    """
    if not options.source.exists():
        raise UnreadableImageError(f"There is no file or folder {options.source}.")
    from ..outputs import check_output_folder, reserve, write_results

    with Interrupts() as interrupts:
        with reserve(options.folder) as reservation:
            check_output_folder(reservation, **options.outputs, scan=lambda: identity(options))
            with ProgressBar(console.aside, shown=not console.quiet) as bar:
                result = _segment(options, interrupts, bar)
                load(*JUDGING, *(PICTURES + SURFACES if options.report else ()))
                with interrupts.at_once():
                    result, steatosis = while_checking(lambda ask: _assessed(result), interrupts.check)
                    bar(
                        WORK_SHARE,
                        "write",
                        "Drawing and writing the results" if options.report else "Writing the results",
                    )
                    files = write_results(result, reservation, steatosis=steatosis, **options.outputs)
                bar(1.0, "done", "Done")
        # Written: a request to stop that comes now is too late, and ends nothing.
        content = json.loads(files["measurements"].read_text(encoding="utf-8"))
        console.answer(_answer(options.folder, files, content))
        console.show(*_summary(result.measurements, steatosis, files))
        console.warn(_not_beside_a_lesion(content["warnings"], result.measurements.warnings))


def identity(options: "Union[SegmentOptions, SteatosisOptions]") -> "ScanIdentity":
    """Read the scan that was asked for and return who it is.

    Raises:
        InputError: It cannot be read or is no CT: told before any work.
    """
    from ..images import read_scan
    from ..outputs import ScanIdentity

    scan = while_checking(lambda ask: read_scan(options.source, options.series), lambda: None)
    return ScanIdentity(scan.name, scan.fingerprint)


def _segment(options: SegmentOptions, interrupts: Interrupts, bar: ProgressBar) -> Any:
    bar(0.0, "start", "Starting")
    import SimpleITK as sitk

    import LiverSegLib

    if options.threads is not None:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
    return LiverSegLib.segment(
        options.source,
        model=options.model,
        device=options.device,
        mirror=options.mirror,
        minimum_lesion_ml=options.minimum_lesion_ml,
        series=options.series,
        threads=options.threads or 0,
        progress=bar.part(WORK_SHARE),
        cancel=interrupts.requested,
    )


def _assessed(result: Any) -> "Tuple[Any, Optional[Assessment]]":
    """The result and its fatty-liver assessment; if that fails, the result with a warning and None: masks and
    volumes do not need it."""
    import LiverSegLib

    try:
        return result, LiverSegLib.assess_steatosis(result)
    except Exception as error:  # noqa: BLE001 (whatever it is, it must not cost the segmentation)
        warning = Sentence("fat.not-assessed", reason=reason_of(error))
        _log.warning(warning, exc_info=error)
        return replace(result, warnings=(*result.warnings, warning)), None


def _answer(folder: Path, files: Mapping[str, Path], content: Mapping[str, Any]) -> Dict[str, Any]:
    """The JSON object: measurements.json as it was written, with the files' paths instead of their hashes."""
    paths = {key: str(path) for key, path in files.items()}
    keys = ("name", "measurements", "steatosis", "warnings", "provenance")
    kept = {key: content[key] for key in keys if key in content}
    return {"folder": os.path.abspath(folder), "files": paths, **kept}


def _not_beside_a_lesion(warnings: List[str], measured: Sequence[str]) -> List[str]:
    """The warnings but those of ``measured`` whose content stands under the table of lesions."""
    shown = {str(text) for text in measured if DENSE.match(key_of(text) or "")}
    return [text for text in warnings if text not in shown]


def _summary(measurements: Any, steatosis: "Optional[Assessment]", files: Mapping[str, Path]) -> List[Any]:
    parts: List[Any] = [_organ_table(measurements)]
    if measurements.lesions:
        parts += ["", _lesion_table(measurements)]
        said = warnings_of_lesions(measurements.lesions, measurements.warnings)
        parts += [Text(f"{lesion_numbers(numbers)}: {text}") for text, numbers in said]
    if steatosis is not None:
        fatty = Facts()
        fatty.add_row("Fatty liver", summary_line(steatosis))
        parts += ["", fatty]
    return [*parts, "", files_table(files)]


def _organ_table(measurements: Any) -> Table:
    table = numbers_table("Measurements")
    table.add_column("Structure")
    for heading in ("Volume\n(ml)", "Mean\n(HU)", "SD\n(HU)"):
        table.add_column(heading, justify="right")
    table.add_column("Note")
    for organ in measurements.organs:
        numbers = (f"{organ.volume_ml:.1f}", _number(organ.mean_hu), _number(organ.sd_hu))
        table.add_row(organ.name, *numbers, _organ_note(organ))
    burden = measurements.tumour_burden_percent
    if burden is not None:
        table.add_section()
        table.add_row("Tumor burden", f"{burden:.1f} %", "", "", "of the liver's volume")
    return table


def _organ_note(organ: Any) -> str:
    if not organ.voxels:
        return "none found" if organ.reliable else "none found, see warnings"
    if organ.truncated:
        return "cut off by the scan: a lower bound"
    return "" if organ.reliable else "unreliable, see warnings"


def _lesion_table(measurements: Any) -> Table:
    table = numbers_table("Lesions")
    for heading in (
        "No.", "Volume\n(ml)", "Longest\n(mm)", "Perpendicular\n(mm)", "Mean\n(HU)", "Probability",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for lesion in measurements.lesions:
        table.add_row(
            str(lesion.number),
            f"{lesion.volume_ml:.2f}",
            f"{lesion.longest_diameter_mm:.1f}",
            f"{lesion.perpendicular_mm:.1f}",
            _number(lesion.mean_hu),
            "" if lesion.probability is None else f"{lesion.probability:.2f}",
        )
    return table


def _number(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.1f}"
