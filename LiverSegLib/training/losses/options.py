"""The section ``loss`` of a recipe, and the text of a mix of losses: ``0.3 ce + 0.7 dice``."""

import difflib
import re
from typing import Any, Dict, Optional, Tuple

from pydantic import Field, field_validator, model_validator

from LiverSegLib.errors import UsageError
from LiverSegLib.training.options import Options

NAMES = (
    "ce", "weighted_ce", "distance_ce", "bce", "focal", "dice", "generalised_dice", "tversky", "exp_log",
    "boundary", "hausdorff", "partial",
)  # fmt: skip
"""The losses that a mix may name."""

_TERM = re.compile(r"(?:(?P<weight>\d+\.?\d*(?:e-?\d+)?|\.\d+(?:e-?\d+)?)\s*\*?\s*)?(?P<name>[A-Za-z]\w*)")

Term = Tuple[float, str]
"""Weight and name of a loss in a mix."""


class LossOptions(Options):
    """The loss of a recipe; its text alone may stand there too: ``loss: 0.3 ce + 0.7 dice``."""

    mix: str = "ce + dice"
    """Losses by name, each with a weight before it if that is not 1."""
    class_weights: Optional[Tuple[float, ...]] = None
    """For ``ce`` and ``weighted_ce``, one for each channel (with softmax the background comes first). None:
    ``ce`` weighs all alike, ``weighted_ce`` by the inverse frequency in the batch."""
    include_background: bool = False
    """Whether the background counts as a structure in the losses of overlap and distance (softmax only)."""
    batch_dice: bool = False
    """Whether ``dice``, ``tversky`` and ``generalised_dice`` sum over the whole batch before they divide."""
    smooth: float = Field(default=1e-5, gt=0)
    """Voxels added to both sides of the fractions of ``dice``, ``tversky`` and ``generalised_dice``."""
    focal_gamma: float = Field(default=2.0, ge=0)
    tversky_alpha: float = Field(default=0.3, ge=0)
    """Weight of false positives."""
    tversky_beta: float = Field(default=0.7, ge=0)
    """Weight of false negatives."""
    exp_log_gamma: float = Field(default=0.3, gt=0)
    """Exponent of both logarithms."""
    exp_log_weights: Tuple[float, float] = (0.8, 0.2)
    """Weights of the Dice part and of the cross-entropy part of ``exp_log``."""
    hausdorff_alpha: float = Field(default=2.0, gt=0)
    """Exponent of the distances."""
    distance_weight: float = Field(default=10.0, ge=0)
    """How much more a voxel at a boundary weighs in ``distance_ce``."""
    distance_sigma: float = Field(default=5.0, gt=0)
    """Distance over which that falls to 61 %, in voxels, or in mm if ``spacing`` is given."""
    spacing: Optional[Tuple[float, ...]] = None
    """Spacing (x, y[, z]) in mm for the distances of ``boundary`` and ``distance_ce``; None counts voxels."""
    level_weights: Optional[Tuple[float, ...]] = None
    """Weights of deep supervision's levels, finest first; None halves them from level to level. They are
    scaled to a sum of 1."""
    level_labels: str = Field(default="nearest", pattern="^(nearest|max)$")
    """How labels come to a coarser level's size: "nearest" takes the voxel at the middle, "max" the highest
    value, so that small structures that stand last in ``structures`` stay."""
    parts: Dict[str, str] = {"liver tumour": "liver"}
    """Structure -> the structure as which it is labelled where it is not annotated; others are labelled as
    background. With sigmoid a structure's channel holds its parts too."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"mix": value} if isinstance(value, str) else value

    @field_validator("mix")
    @classmethod
    def _known_losses(cls, mix: str) -> str:
        parse_mix(mix)
        return mix


def parse_mix(text: str) -> Tuple[Term, ...]:
    """The losses of a mix with their weights, in their order.

    >>> parse_mix("0.3 ce + 0.7 dice")
    ((0.3, 'ce'), (0.7, 'dice'))

    Args:
        text: names of losses, each with a weight before it if that is not 1, joined by plus signs.

    Raises:
        UsageError: the text is no such mix, or a name is not known; it says which name is nearest.
    """
    terms = [_term(part.strip(), text) for part in text.split("+")]
    if len({name for _, name in terms}) < len(terms):
        raise UsageError(f'The loss "{text}" names a loss twice.')
    if not any(weight for weight, _ in terms):
        raise UsageError(f'The loss "{text}" weighs nothing.')
    return tuple(terms)


def _term(part: str, text: str) -> Term:
    match = _TERM.fullmatch(part)
    if match is None:
        raise UsageError(f'The loss "{text}" cannot be read at "{part}". Write it as 0.3 ce + 0.7 dice.')
    name = match["name"].lower()
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1, 0.4)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise UsageError(f'There is no loss "{name}".{hint}', "Losses: " + ", ".join(NAMES))
    return float(match["weight"] or 1), name
