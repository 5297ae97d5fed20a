"""What a manifest says of a second look at each lesion that the model draws."""

from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from LiverSegLib.models.fields import NUMBER, JsonObject, Rule, is_list, is_number, ruled

FEATURES = ("log_volume", "probability", "peak", "contrast", "brighter", "border", "elongation")
"""What a lesion is judged by; ``measure.second_look`` says what each is."""
WEIGHTS = Rule(
    f"an object of features ({', '.join(FEATURES)}), each with mean, standard deviation above 0, weight",
    lambda value: (
        isinstance(value, dict)
        and 0 < len(value)
        and set(value) <= set(FEATURES)
        and all(is_list(each, is_number, 3) and each[1] > 0 for each in value.values())
    ),
)
SHARE = Rule("a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)


@dataclass(frozen=True)
class SecondLook(JsonObject):
    """A logistic regression on features of a lesion (FEATURES): lesions less likely
    than ``least`` are left out unless the user sets the smallest lesion. ``weights`` maps a feature to its
    mean, its standard deviation and its weight.
    """

    weights: Mapping[str, Tuple[float, float, float]] = ruled(
        WEIGHTS, read=lambda value: {name: tuple(map(float, each)) for name, each in value.items()},
        write=lambda value: {name: list(each) for name, each in value.items()},
    )  # fmt: skip
    bias: float = ruled(NUMBER, read=float)
    least: float = ruled(SHARE, read=float)
    extra: Mapping[str, Any] = field(default_factory=dict)
