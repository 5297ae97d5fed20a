"""Losses by distance to the label's surface, and the distances."""

from typing import Optional, Sequence

import numpy as np
import torch
from torch import Tensor

from LiverSegLib.training.losses.compared import Compared
from LiverSegLib.training.losses.options import LossOptions

Spacing = Optional[Sequence[float]]
"""mm (x, y[, z]); None counts voxels."""


def boundary(compared: Compared, options: LossOptions) -> Tensor:
    """Mean over voxels and structures of probability * signed distance to the structure's surface, negative
    inside (Kervadec et al. 2019, arXiv:1812.07032).

    It falls below 0 where structures are found, and says nothing of a structure that is not there or fills
    the whole patch: it is meant to stand beside another loss, with a small weight, such as
    ``dice + 0.01 boundary``.
    """
    part = compared.structures(options.include_background)
    distances = signed_distance(part.target, options.spacing)
    means = (part.probabilities * distances).flatten(2).mean(2)
    return (means * part.known).sum() / part.known.sum().clamp_min(1)


def hausdorff(compared: Compared, options: LossOptions) -> Tensor:
    """Mean of squared errors times distances to the predicted and the true surface (Karimi and Salcudean
    2019, doi:10.1109/TMI.2019.2930068, by distance transforms), by MONAI's HausdorffDTLoss, in voxels.

    Distances of a structure that is not there, or fills the whole patch, are 0: that of the prediction
    remains.
    """
    from monai.losses import HausdorffDTLoss

    part = compared.structures(options.include_background)
    loss = HausdorffDTLoss(alpha=options.hausdorff_alpha, include_background=True, reduction="none")
    values = loss(part.probabilities, part.target).flatten(1)
    return (values * part.known).sum() / part.known.sum().clamp_min(1)


def signed_distance(target: Tensor, spacing: Spacing = None) -> Tensor:
    """Signed distance of each voxel to the surface of its channel's structure.

    Args:
        target: (batch, channel, spatial axes), 0 or 1.
        spacing: mm (x, y[, z]).

    Returns:
        float32 of the same shape: outside the distance to the nearest voxel inside; inside minus the distance
        to the nearest voxel outside, less one voxel; 0 everywhere if the structure is not there or all of it.
    """
    masks = target.detach().cpu().numpy() > 0.5
    step = 1.0 if spacing is None else min(spacing)
    found = np.zeros(masks.shape, np.float32)
    for place in np.ndindex(*masks.shape[:2]):
        if masks[place].any() and not masks[place].all():
            outside, inside = _distance(~masks[place], spacing), _distance(masks[place], spacing)
            found[place] = outside - np.maximum(inside - step, 0)
    return torch.from_numpy(found).to(target.device)


def boundary_distance(compared: Compared, spacing: Spacing = None) -> Tensor:
    """Distance of each voxel to the nearest one with another label; infinite where there is none.

    Returns:
        float32 of the shape of ``voxel_loss``.
    """
    masks = compared.target.detach().cpu().numpy() > 0.5
    found = np.zeros(masks.shape, np.float32)
    for place in np.ndindex(*masks.shape[:2]):
        mask = masks[place]
        if not mask.all() and mask.any():
            found[place] = _distance(mask, spacing)
            if not compared.softmax:
                found[place] += _distance(~mask, spacing)
        elif mask.all() or not compared.softmax:
            found[place] = np.inf
    distances = found.sum(1, keepdims=True) if compared.softmax else found
    return torch.from_numpy(distances).to(compared.target.device)


def _distance(mask: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Distance of each voxel of the mask to the nearest one outside it, 0 outside."""
    from scipy.ndimage import distance_transform_edt

    sampling = None if spacing is None else tuple(spacing)[::-1]
    return np.asarray(distance_transform_edt(mask, sampling=sampling), np.float32)
