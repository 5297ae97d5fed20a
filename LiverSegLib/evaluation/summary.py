"""An evaluation in numbers: statistics of each structure over the cases, detection, challenges' scores."""

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .chaos import summarise_chaos
from .lesions import pooled_detection
from .lits import summarise_burden, summarise_lits
from .metrics import LESION_METRICS, METRICS, Metric
from .overlap import Overlap
from .run import Evaluation
from .score import BOTH, EMPTY, FALSE, LESION_IOUS, MISSED, StructureScore


@dataclass(frozen=True)
class Statistics:
    """A metric over the cases whose reference has the structure and where it is defined.

    Attributes:
        n: how many.
        undefined: cases whose reference has the structure, without a value.
        mean, sd, median, q1, q3, minimum, maximum: None without values; the SD (n - 1) with fewer than two.
    """

    n: int
    undefined: int
    mean: Optional[float] = None
    sd: Optional[float] = None
    median: Optional[float] = None
    q1: Optional[float] = None
    q3: Optional[float] = None
    minimum: Optional[float] = None
    maximum: Optional[float] = None

    @classmethod
    def of(cls, values: Sequence[Optional[float]]) -> "Statistics":
        """Summarise values, None where undefined."""
        known = np.asarray([value for value in values if value is not None], dtype=float)
        undefined = len(values) - len(known)
        if not len(known):
            return cls(0, undefined)
        sd = float(known.std(ddof=1)) if len(known) > 1 else None
        q1, median, q3 = (float(value) for value in np.percentile(known, (25, 50, 75)))
        ends = float(known.min()), float(known.max())
        return cls(len(known), undefined, float(known.mean()), sd, median, q1, q3, *ends)


@dataclass(frozen=True)
class StructureSummary:
    """A structure over all cases that annotate it.

    Attributes:
        structure: its name.
        counts: ``BOTH``, ``MISSED``, ``FALSE``, ``EMPTY`` -> cases.
        pooled: volumes in ml of all cases together.
        metrics: metric and its statistics, in the order in which they are shown.
        scores: case and score, worst Dice first; cases with equal Dice by distance, then by name.
    """

    structure: str
    counts: Dict[str, int]
    pooled: Overlap
    metrics: Tuple[Tuple[Metric, Statistics], ...]
    scores: Tuple[Tuple[str, StructureScore], ...]

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        content: Dict[str, Any] = {
            "structure": self.structure,
            "cases": len(self.scores),
            **{f"cases_{presence}": count for presence, count in self.counts.items()},
            "dice_global": self.pooled.dice,
            "reference_ml": self.pooled.reference,
            "prediction_ml": self.pooled.prediction,
            "metrics": {metric.key: asdict(found) for metric, found in self.metrics},
        }
        lesions = [score.lesions for _, score in self.scores if score.lesions]
        if lesions:
            pooled = [pooled_detection(found) for found in zip(*lesions)]
            content["lesions"] = {
                f"iou_above_{least:g}": found.to_dict()
                for least, found in zip(LESION_IOUS, pooled)
                if found is not None
            }
            errors = [score.metrics.get("burden_error") for _, score in self.scores]
            content["burden"] = summarise_burden([error for error in errors if error is not None])
        points = [score.chaos for _, score in self.scores if score.chaos is not None]
        if points:
            content["chaos"] = summarise_chaos(points)
        return content


def summarise(evaluation: Evaluation) -> Tuple[StructureSummary, ...]:
    """Return the summary of each structure that any case annotates, in the order of the settings."""
    found = []
    for structure in evaluation.settings.structures:
        scores = [(case.case, case.of(structure.name)) for case in evaluation.cases]
        known = [(case, score) for case, score in scores if score is not None]
        if known:
            found.append(_summary(structure.name, structure.is_lesion, known))
    return tuple(found)


def lits_summary(evaluation: Evaluation) -> Optional[Dict[str, Any]]:
    """Return LiTS's figures, None if they were not asked for or no case has them."""
    cases = [case.lits for case in evaluation.cases if case.lits is not None]
    return summarise_lits(cases) if cases else None


def _summary(name: str, is_lesion: bool, known: Sequence[Tuple[str, StructureScore]]) -> StructureSummary:
    present = [score for _, score in known if score.presence in (BOTH, MISSED)]
    wanted = [metric for metric in METRICS if any(metric.key in score.metrics for _, score in known)]
    wanted += LESION_METRICS[:-1] if is_lesion else ()
    metrics = tuple(
        (metric, Statistics.of([score.metrics.get(metric.key) for score in present])) for metric in wanted
    )
    counts = {
        presence: sum(score.presence == presence for _, score in known)
        for presence in (BOTH, MISSED, FALSE, EMPTY)
    }
    pooled = sum((score.overlap for _, score in known), Overlap(0.0, 0.0, 0.0))
    return StructureSummary(name, counts, pooled, metrics, tuple(sorted(known, key=_worst_first)))


def _worst_first(item: Tuple[str, StructureScore]) -> Tuple[float, float, str]:
    case, score = item
    dice, distance = score.metrics["dice"], score.metrics["mssd_mm"]
    far = float("inf") if distance is None else distance
    return (1.0 if dice is None else dice), -far, case


def sentences(evaluation: Evaluation) -> List[str]:
    """What the reader must know of cases that took no part, a sentence each."""
    found = [f'"{item.case}" was not scored: {item.reason}' for item in evaluation.failed]
    for cases, what in ((evaluation.missing, "no prediction"), (evaluation.extra, "no reference")):
        if cases:
            count = "1 case has" if len(cases) == 1 else f"{len(cases)} cases have"
            names = ", ".join(f'"{case}"' for case in cases[:8])
            more = f" and {len(cases) - 8} more" if len(cases) > 8 else ""
            found.append(f"{count} {what} and took no part: {names}{more}.")
    return found
