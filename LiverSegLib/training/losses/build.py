"""A loss of a recipe: a weighted mix of losses by name, over the levels of deep supervision."""

from typing import Callable, Dict, List, Sequence, Tuple, Union

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.networks.architecture import Scores
from LiverSegLib.training.losses import distances, overlap, voxels
from LiverSegLib.training.losses.compared import Compared, compare, parents
from LiverSegLib.training.losses.options import LossOptions, parse_mix
from LiverSegLib.training.losses.partial import partial_loss

Loss = Callable[[Compared, LossOptions], Tensor]

LOSSES: Dict[str, Loss] = {
    "ce": voxels.cross_entropy,
    "weighted_ce": voxels.weighted_cross_entropy,
    "distance_ce": voxels.distance_weighted_cross_entropy,
    "bce": voxels.cross_entropy,
    "focal": voxels.focal,
    "dice": overlap.dice,
    "generalised_dice": overlap.generalised_dice,
    "tversky": overlap.tversky,
    "exp_log": overlap.exponential_logarithmic,
    "boundary": distances.boundary,
    "hausdorff": distances.hausdorff,
}
"""Name -> loss; ``partial`` is beside them, for it has rules of its own about what is annotated."""

PARTIAL_STRUCTURES = ("liver", "spleen", "liver tumour")
"""The structures that ``partial`` knows, with the labels 1, 2 and 3; the third may be missing."""


def build_loss(
    options: Union[LossOptions, str],
    activation: str,
    structures: Sequence[str],
    deep_supervision: bool = False,
) -> "MixedLoss":
    """Return the loss that a recipe describes.

    Args:
        options: the section ``loss`` of a recipe, or its mix alone: ``0.3 ce + 0.7 dice``.
        activation: "softmax": channel 0 is the background, the others are the structures; "sigmoid": a
            channel for each structure.
        structures: names in the order of the label's values, from 1.
        deep_supervision: whether the coarser levels of a list of scores count; else only the finest does.

    Raises:
        UsageError: a name is not known, or a loss cannot be used with this activation or these structures.
    """
    chosen = LossOptions(mix=options) if isinstance(options, str) else options
    if activation not in ("softmax", "sigmoid"):
        raise UsageError(f'The activation must be softmax or sigmoid, not "{activation}".')
    names = [name for _, name in parse_mix(chosen.mix)]
    if "bce" in names and activation != "sigmoid":
        raise UsageError("The loss bce takes activation: sigmoid; with softmax the loss is ce.")
    known = tuple(structures) in (PARTIAL_STRUCTURES, PARTIAL_STRUCTURES[:2])
    if "partial" in names and (activation != "softmax" or not known):
        raise UsageError(
            "The loss partial takes activation: softmax and the structures liver, spleen and liver tumour."
        )
    channels = len(structures) + (activation == "softmax")
    if chosen.class_weights is not None and len(chosen.class_weights) != channels:
        raise UsageError(
            f"The loss has {len(chosen.class_weights)} class weights; the network has {channels} channels."
        )
    return MixedLoss(chosen, activation == "softmax", structures, deep_supervision)


class MixedLoss(nn.Module):
    """Weighted sum of losses, and over the levels of deep supervision; made by ``build_loss``."""

    def __init__(
        self, options: LossOptions, softmax: bool, structures: Sequence[str], deep_supervision: bool
    ) -> None:
        super().__init__()
        self.options = options
        self.mix = parse_mix(options.mix)
        self.softmax = softmax
        self.parent = parents(structures, options.parts)
        self.deep_supervision = deep_supervision

    def forward(self, scores: Scores, label: Tensor, annotated: Tensor) -> Tensor:
        """The loss, a float32 scalar.

        Args:
            scores: logits (batch, channel, spatial axes), or a list of them, finest first.
            label: whole numbers (batch, 1, spatial axes): 0 is background, k the k-th structure.
            annotated: bool (batch, structures): which are complete in the label.

        Raises:
            InputError: the label holds a value that is no structure, or shapes do not fit.
        """
        terms = self.terms(scores, label, annotated)
        return torch.stack([weight * terms[name] for weight, name in self.mix]).sum()

    def terms(self, scores: Scores, label: Tensor, annotated: Tensor) -> Dict[str, Tensor]:
        """Each loss of the mix by name, before its weight; over the levels of deep supervision."""
        levels = [scores] if torch.is_tensor(scores) else list(scores)
        if not self.deep_supervision:
            levels = levels[:1]
        weights = level_weights(self.options, len(levels))
        totals: Dict[str, Tensor] = {}
        for weight, level in zip(weights, levels):
            if weight == 0:
                continue
            there = label_at(label, level.shape[2:], self.options.level_labels)
            for name, value in self._level(level, there, annotated).items():
                totals[name] = totals[name] + weight * value if name in totals else weight * value
        return totals

    def _level(self, logits: Tensor, label: Tensor, annotated: Tensor) -> Dict[str, Tensor]:
        compared = compare(logits, label, annotated, self.parent, self.softmax)
        return {
            name: (
                _partial(logits, label, annotated)
                if name == "partial"
                else LOSSES[name](compared, self.options)
            )
            for _, name in self.mix
        }


def _partial(logits: Tensor, label: Tensor, annotated: Tensor) -> Tensor:
    """Mean of the bundled models' loss over the batch."""
    losses = [
        partial_loss(logits[i : i + 1], label[i, 0], [k + 1 for k, yes in enumerate(row) if yes])
        for i, row in enumerate(annotated.tolist())
    ]
    return torch.stack(losses).mean()


def level_weights(options: LossOptions, levels: int) -> Tuple[float, ...]:
    """Weights of that many levels, finest first, with a sum of 1.

    Raises:
        InputError: the options give weights for another number of levels, or they weigh nothing.
    """
    if levels == 1:
        return (1.0,)
    given: List[float] = list(options.level_weights or [0.5**level for level in range(levels)])
    if len(given) != levels or min(given) < 0 or sum(given) == 0:
        raise InputError(
            f"The loss has {len(given)} level weights; the network has {levels} levels, and weights are "
            "numbers from 0 on of which one is above 0."
        )
    return tuple(weight / sum(given) for weight in given)


def label_at(label: Tensor, size: Sequence[int], how: str) -> Tensor:
    """Labels (batch, 1, spatial axes) at another size: the value at each voxel's middle, or the highest."""
    if tuple(label.shape[2:]) == tuple(size):
        return label
    if how == "nearest":
        resized = functional.interpolate(label.float(), size=tuple(size), mode="nearest-exact")
    elif len(size) == 2:
        resized = functional.adaptive_max_pool2d(label.float(), tuple(size))
    else:
        resized = functional.adaptive_max_pool3d(label.float(), tuple(size))
    return resized.to(label.dtype)
