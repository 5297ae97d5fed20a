"""Take out of a trained segmenter its leaning towards the liver.

A network that is trained with the Dice loss on patches centred on organs draws organs a little too large. The
cure is a constant taken from the logits of liver and tumour, which is a change of the last layer's bias: the
one at which the liver is, over plain patches of the training scans, as large as it is labelled. No validation
case has a part in it.
"""

from typing import Dict, List, Sequence, Tuple

import numpy as np
import torch

from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.networks import build_network
from LiverSegLib.training.pack import PackedCase
from LiverSegLib.training.patches import label_positions, sample_patch
from LiverSegLib.training.recipe import Recipe

PATCHES_PER_CASE = 3
LARGEST_SHIFT = 3.0
"""A leaning of more than this, as a logit, is not one of calibration."""
MARGIN_STEPS = 61


def liver_margins(
    network: torch.nn.Module, cases: Sequence[PackedCase], patch: Sequence[int], spacing: float, seed: int = 0
) -> List[Tuple[np.ndarray, int]]:
    """Return per scan how much liver there is at each shift.

    Args:
        network: the segmenter, in evaluation mode.
        cases: packed scans; those whose liver is not annotated are left out.
        patch: size in voxels (z, y, x).
        spacing: of the patch, in mm.
        seed: of where the patches lie.

    Returns:
        Per scan: liver voxels predicted at each of ``shifts()``, and the voxels labelled.
    """
    rng = np.random.default_rng(seed)
    found = []
    for case in cases:
        if LIVER not in case.annotated:
            continue
        positions = label_positions(case, rng)
        predicted, labelled = np.zeros(MARGIN_STEPS), 0
        for _ in range(PATCHES_PER_CASE):
            image, label = sample_patch(
                case, positions, patch=patch, spacing=spacing, rng=rng, augmentation=None
            )
            with torch.inference_mode():
                logits = network(image.contiguous(memory_format=torch.channels_last_3d))[0].float()
            others = torch.maximum(logits[0], logits[2])
            margin = torch.maximum(logits[LIVER], logits[TUMOUR]) - others
            predicted += [int((margin > shift).sum()) for shift in shifts()]
            labelled += int(((label == LIVER) | (label == TUMOUR)).sum())
        found.append((predicted, labelled))
    return found


def shifts() -> np.ndarray:
    """The shifts tried, as logits."""
    return np.linspace(-LARGEST_SHIFT, LARGEST_SHIFT, MARGIN_STEPS)


def unbiased_shift(margins: Sequence[Tuple[np.ndarray, int]]) -> float:
    """Return the shift at which the median over scans of predicted to labelled liver is 1."""
    ratios = np.median([predicted / labelled for predicted, labelled in margins if labelled], axis=0)
    return float(np.interp(-1.0, -ratios, shifts()))


def shift_liver(weights: Dict[str, torch.Tensor], shift: float, channels: int) -> Dict[str, torch.Tensor]:
    """Return the weights with ``shift`` taken from the head's bias of liver and tumour.

    Args:
        weights: of a ``ResidualUNet``, whose head has a bias for every class, or for every class and voxel of
            a folded cell.
        shift: in logits.
        channels: classes of the network.
    """
    bias = weights["head.bias"].clone().reshape(channels, -1)
    bias[[LIVER, TUMOUR]] -= shift
    return {**weights, "head.bias": bias.reshape(-1)}


def calibrated(
    state: Dict[str, torch.Tensor], recipe: Recipe, cases: Sequence[PackedCase]
) -> Tuple[Dict[str, torch.Tensor], float]:
    """Return the calibrated weights of a segmenter, and the shift that was taken.

    Args:
        state: its averaged weights.
        recipe: the recipe it was trained by, with a section ``pack``.
        cases: the scans it was trained on.
    """
    assert recipe.pack is not None
    network = build_network(recipe.network.name, recipe.network_arguments()).eval()
    network.load_state_dict(state)
    margins = liver_margins(network, cases, recipe.patches.size, recipe.pack.spacing)
    shift = unbiased_shift(margins)
    return shift_liver(state, shift, recipe.out_channels), shift
