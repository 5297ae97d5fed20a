"""What cleaning changed in a mask, rule by rule."""

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Tuple


@dataclass(frozen=True)
class CleanupStep:
    """What one rule changed.

    Attributes:
        rule: "liver-pieces", "tumour-outside", "spleen-pieces", "spleen-implausible", "liver-holes",
            "spleen-holes", "small-tumours", "narrow-tumours", "doubtful-tumours",
            "unlikely-tumours", "grown-tumours", "spikes-of-tumours" or "tumour-beyond".
        text: what happened, as a sentence.
        voxels: number of voxels changed.
        volume_ml: their volume.
    """

    rule: str
    text: str
    voxels: int
    volume_ml: float


@dataclass(frozen=True)
class CleanupReport:
    """What cleaning changed, a step for each rule that changed something, and the thresholds it used (ml)."""

    steps: Tuple[CleanupStep, ...]
    minimum_lesion_ml: float
    maximum_hole_ml: float

    def step(self, rule: str) -> Optional[CleanupStep]:
        """Return the step of this rule, or None if it changed nothing."""
        return next((step for step in self.steps if step.rule == rule), None)

    def to_dict(self) -> Dict[str, Any]:
        """Return plain dicts, lists, numbers and strings, with units in the keys."""
        return {
            "minimum_lesion_ml": self.minimum_lesion_ml,
            "maximum_hole_ml": self.maximum_hole_ml,
            "steps": [asdict(step) for step in self.steps],
        }
