"""Where a result comes from: written from typed data at the end of a run, never read back."""

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import LiverSegLib

from .images import Scan
from .images.modality import CT
from .masks.cleanup_report import CleanupReport
from .measure.facts import ClinicalFacts
from .measure.lesions import MINIMUM_LESION_MM
from .models import Model

if TYPE_CHECKING:
    from .inference.devices import Device


@dataclass(frozen=True)
class Origin:
    """What a result was made from, and how.

    Attributes:
        scan: as it was read.
        model, device, engine_version: what computed, and with what in the end.
        facts: what is known of the scan beyond its voxels.
        cleanup: what cleaning changed.
        seconds: per stage.
        mirror: whether tiles were mirrored.
        asked_minimum_ml: the least lesion that the user asked for; None for the defaults.
        notes, fallbacks, warnings: sentences.
        tumour_model: the second model, that drew the tumours; None if the first did.
    """

    scan: Scan
    model: Model
    device: "Device"
    engine_version: str
    facts: ClinicalFacts
    cleanup: CleanupReport
    seconds: Mapping[str, float]
    mirror: bool
    asked_minimum_ml: Optional[float]
    notes: Tuple[str, ...]
    fallbacks: Tuple[str, ...]
    warnings: Tuple[str, ...]
    tumour_model: Optional[Model] = None

    def to_dict(self) -> Dict[str, Any]:
        """Return the provenance as plain JSON-ready data, with units in the keys."""
        scan, facts, device = self.scan, self.facts, self.device
        second = {} if self.tumour_model is None else {"tumour_model": model_of(self.tumour_model)}
        return {
            **made_now(),
            "model": model_of(self.model),
            **second,
            "engine": {"name": device.engine, "version": self.engine_version},
            "device": device.kind,
            "device_name": device.name,
            "precision": device.precision,
            "threads": device.threads,
            "seconds": {**self.seconds, "total": round(sum(self.seconds.values()), 3)},
            "input": input_of(scan, facts),
            "phase": facts.to_dict()["phase"],
            "options": {
                "mirror": self.mirror,
                "minimum_lesion_ml": self.cleanup.minimum_lesion_ml,
                "minimum_lesion_mm": MINIMUM_LESION_MM if self.asked_minimum_ml is None else None,
            },
            "cleanup": self.cleanup.to_dict(),
            "left_out": list(facts.left_out),
            "notes": list(self.notes),
            "fallbacks": list(self.fallbacks),
            "warnings": list(self.warnings),
        }


def model_of(model: Model) -> Dict[str, Any]:
    """Return which model computed: name, version, hash and licence."""
    manifest = model.manifest
    return {
        "name": model.name,
        "version": manifest.version if manifest else "",
        "sha256": model.sha256,
        "licence": manifest.licence if manifest else "",
    }


def made_now() -> Dict[str, Any]:
    """Return which LiverSeg made something, and when: now, in UTC."""
    created = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"liverseg_version": LiverSegLib.__version__, "created": created}


def input_of(scan: Scan, facts: ClinicalFacts) -> Dict[str, Any]:
    """Return which scan something was made from, with what its header says; the modality of MR only."""
    modality = {"modality": scan.kind} if scan.kind != CT else {}
    return {
        **modality,
        "path": scan.path,
        "name": scan.name,
        "sha256": scan.fingerprint,
        "size": list(scan.image.GetSize()),
        "spacing": list(scan.image.GetSpacing()),
        "series": facts.series,
        "kvp": facts.kvp,
        "contrast_agent": facts.contrast_agent,
    }
