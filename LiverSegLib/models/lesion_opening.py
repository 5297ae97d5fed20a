"""What a manifest says of lesions that are drawn with spikes."""

from dataclasses import dataclass, field
from typing import Any, Mapping

from LiverSegLib.models.fields import JsonObject, Rule, is_number, ruled

RADIUS = Rule("a number of mm above 0, at most 20", lambda value: is_number(value) and 0 < value <= 20)
SHARE = Rule("a number above 0 and below 1", lambda value: is_number(value) and 0 < value < 1)


@dataclass(frozen=True)
class LesionOpening(JsonObject):
    """How large a ball reaches the parts of a lesion that stay; ``masks.lesion_opening`` has the rule."""

    radius_mm: float = ruled(RADIUS, read=float)
    radius_share: float = ruled(SHARE, read=float)
    extra: Mapping[str, Any] = field(default_factory=dict)
