"""What a manifest says of growing drawn lesions to their borders."""

from dataclasses import dataclass, field
from typing import Any, Mapping

from LiverSegLib.models.fields import JsonObject, Rule, is_number, ruled

EVIDENCE = Rule("a number from 0 to 100", lambda value: is_number(value) and 0 <= value <= 100)
BETWEEN = Rule("a number above 0 and below 1", lambda value: is_number(value) and 0 < value < 1)
REACH = Rule("a number of mm above 0, at most 20", lambda value: is_number(value) and 0 < value <= 20)
REACH_SHARE = Rule("a number above 0, at most 10", lambda value: is_number(value) and 0 < value <= 10)


@dataclass(frozen=True)
class LesionGrowth(JsonObject):
    """How far lesions grow that the model draws too small; ``masks.lesion_growth`` says what each is."""

    evidence: float = ruled(EVIDENCE, read=float)
    least: float = ruled(BETWEEN, read=float)
    reach_mm: float = ruled(REACH, read=float)
    reach_share: float = ruled(REACH_SHARE, read=float)
    extra: Mapping[str, Any] = field(default_factory=dict)
