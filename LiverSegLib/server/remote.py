"""A segmenter that lets a server compute: a scan in, the same ``Result`` out.

The scan is read and checked here. What travels: voxels, grid, modality, whether the DICOM header names a
contrast agent, and the options. Names, dates, paths and all else of the header stay here and are put into
the result afterwards.
"""

import os
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Sequence, Tuple

import SimpleITK as sitk

from ..api import Result, Source
from ..cancelling import Ask, while_checking
from ..errors import InputChangedError, ServerError, UsageError
from ..images import Scan, read_scan, unchanged
from ..images.grid import Grid
from ..images.modality import said_modality
from ..measure import Measurements, measure
from ..measure.facts import ClinicalFacts, header_facts
from ..measure.structures import StructureVolume
from ..progress import Cancel, Progress, Stages
from ..provenance import input_of
from ..review import AUTOMATIC, Review
from ..sentences import Sentence
from ..structures import Structures
from ..worker.messages import Segment
from ..worker.server_messages import ServerAddress
from .client import Client, Work, silent
from .parcels import Parcel


@dataclass(frozen=True)
class RemoteSegmenter:
    """As ``api.Segmenter``, but a server computes.

    Attributes:
        server: where it is.
        model, tumours: names of models of the server.
    """

    server: ServerAddress
    model: str = "default"
    tumours: Optional[str] = None

    def segment(
        self,
        source: Source,
        *,
        mirror: bool = False,
        minimum_lesion_ml: Optional[float] = None,
        structures: Optional[Sequence[str]] = None,
        series: Optional[str] = None,
        modality: Optional[str] = None,
        contrast: Optional[bool] = None,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
    ) -> Result:
        """Segment and measure one CT or MR; arguments as ``api.Segmenter.segment`` has them.

        Raises:
            ServerError: the server cannot be reached or used.
            LiverSegError: as ``api.Segmenter.segment``.
        """
        for name in filter(None, (self.model, self.tumours)):
            if os.sep in name or "/" in name or os.path.isdir(name):
                raise UsageError(Sentence("server.model-name", name=name))
        options: Dict[str, Any] = {
            "model": self.model,
            "tumours": self.tumours,
            "mirror": mirror,
            "minimum_lesion_ml": minimum_lesion_ml,
            "structures": None if structures is None else tuple(structures),
        }

        def work(ask: Ask) -> Result:
            run = Stages.asking(ask, None, cancel)
            tell = silent if progress is None else lambda *facts: ask(progress, *facts)
            scan = read_scan(source, series, modality=said_modality(modality), check=run.check)
            said = header_facts(scan.series).says_contrast
            told = contrast if said is None else said
            client = Client(self.server, tell, run.check)
            request = Segment(
                "run", grid=Grid.of(scan.image), modality=scan.modality, contrast=told, surfaces=False,
                probability=True, **options,
            )  # fmt: skip
            parcel = client.compute(Work(request, sitk.GetArrayViewFromImage(scan.image)))
            result = _result(scan, parcel, str(client.address))
            tell(1.0, "done", "Done")
            return result

        return while_checking(work, Stages(cancel=cancel).check)


def _result(scan: Scan, parcel: Parcel, address: str) -> Result:
    """What came back, with what is known here of the scan.

    Raises:
        ServerError: it is not of this scan, or cannot be read.
        InputChangedError: the scan's files changed meanwhile.
    """
    try:
        summary = parcel.summary
        labels = Grid.of(scan.image).image(parcel.labels)
        facts = _facts(scan, ClinicalFacts.from_dict(summary["facts"]))
        provenance = {**summary["provenance"], "input": input_of(scan, facts), "server": address}
        theirs = Measurements.from_dict(summary["measurements"])
        came = summary["provenance"]["input"]["sha256"]
        volumes = tuple(StructureVolume.from_dict(item) for item in summary.get("structures") or ())
        said = tuple(summary["warnings"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServerError(Sentence("server.damaged-result"), repr(error)) from error
    if came != scan.fingerprint:
        raise ServerError(Sentence("server.other-scan"))
    if parcel.probability is None:
        raise ServerError(Sentence("server.damaged-result"), "no probability")
    if not unchanged(scan):
        raise InputChangedError(Sentence("run.changed", name=scan.name))
    measurements = measure(labels, scan.image, probability=parcel.probability, **facts.for_measuring())
    said = tuple(text for text in said if text not in theirs.warnings)
    warnings = _once(scan.warnings, said, measurements.warnings)
    structures = None
    if parcel.structures is not None:
        structures = Structures(parcel.structures, tuple(volume.structure for volume in volumes))
    return Result(
        scan.name,
        scan.image,
        labels,
        parcel.probability,
        measurements,
        {**provenance, "warnings": list(warnings)},
        warnings,
        facts,
        Review(AUTOMATIC),
        structures,
        volumes,
    )


def _facts(scan: Scan, found: ClinicalFacts) -> ClinicalFacts:
    """What the header says here, and what was found there."""
    return replace(
        header_facts(scan.series),
        phase=found.phase,
        left_out=found.left_out,
        modality=scan.kind,
        not_segmented=found.not_segmented,
    )


def _once(*groups: Sequence[str]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(text for group in groups for text in group))
