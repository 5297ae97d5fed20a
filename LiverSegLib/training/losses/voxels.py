"""Losses that are a mean over voxels: cross entropies and the focal loss.

With sigmoid the cross entropy is binary, and the mean goes over the channels too.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from LiverSegLib.training.losses.compared import Compared
from LiverSegLib.training.losses.distances import boundary_distance
from LiverSegLib.training.losses.options import LossOptions


def cross_entropy(compared: Compared, options: LossOptions) -> Tensor:
    """Mean cross entropy, weighted by ``class_weights`` if there are any."""
    weights = compared.counted
    if options.class_weights is not None:
        weights = weights * _class_weights(compared, options.class_weights)
    return _weighted_mean(compared.voxel_loss, weights)


def weighted_cross_entropy(compared: Compared, options: LossOptions) -> Tensor:
    """Mean cross entropy in which all classes of the batch weigh the same, or as ``class_weights`` says.

    Without given weights a voxel weighs 1 / (classes there are * frequency of its class); with sigmoid each
    channel's inside and outside are its two classes.
    """
    if options.class_weights is not None:
        return cross_entropy(compared, options)
    return _weighted_mean(compared.voxel_loss, compared.counted * _balance(compared))


def distance_weighted_cross_entropy(compared: Compared, options: LossOptions) -> Tensor:
    """Mean cross entropy in which voxels near a boundary weigh more: 1 + w exp(-d^2 / (2 sigma^2)).

    After the U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28), where d is the sum of the
    distances to the two nearest cells. Organs are one of each kind, so d is the distance to the nearest voxel
    of another label here.
    """
    distance = boundary_distance(compared, options.spacing)
    near = torch.exp(-(distance**2) / (2 * options.distance_sigma**2))
    return _weighted_mean(compared.voxel_loss, compared.counted * (1 + options.distance_weight * near))


def focal(compared: Compared, options: LossOptions) -> Tensor:
    """Cross entropy times (1 - p)^gamma, p the probability of the right answer: what is easy counts little.

    Lin et al. 2017, doi:10.1109/ICCV.2017.324; MONAI's takes logits, which do not know partial labels.
    """
    wrong = -torch.expm1(-compared.voxel_loss)
    # A power below 1 has no derivative at 0, where the answer is exactly right.
    modulation = wrong.clamp_min(1e-12) ** options.focal_gamma
    return _weighted_mean(modulation * compared.voxel_loss, compared.counted)


def _weighted_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Mean of (batch, rows, spatial axes) by weights that broadcast to it; 0 where nothing weighs."""
    weights = weights.expand_as(losses)
    return (losses * weights).sum() / weights.sum().clamp_min(torch.finfo(torch.float32).tiny)


def _class_weights(compared: Compared, values: Tuple[float, ...]) -> Tensor:
    """Weights of the voxels (softmax) or of the channels (sigmoid), to broadcast to ``voxel_loss``."""
    weights = compared.over_space(torch.tensor([values], device=compared.target.device))
    return (compared.target * weights).sum(1, keepdim=True) if compared.softmax else weights


def _balance(compared: Compared) -> Tensor:
    """Weights of the voxels by the inverse frequency of their class, to broadcast to ``voxel_loss``."""
    over = [0, *range(2, compared.target.dim())]
    target = compared.target * compared.counted
    inside = target.sum(over)
    if compared.softmax:
        weights = _inverse(inside, inside.sum())
        return (target * compared.over_space(weights[None])).sum(1, keepdim=True)
    total = compared.counted.expand_as(target).sum(over)
    positive, negative = _inverse(torch.stack([inside, total - inside]), total, 0)
    return target * compared.over_space(positive[None]) + (1 - target) * compared.over_space(negative[None])


def _inverse(counts: Tensor, total: Tensor, dim: Optional[int] = None) -> Tensor:
    """Total / (classes there are * count) for classes that there are, else 0."""
    there = counts > 0
    classes = there.sum() if dim is None else there.sum(dim, keepdim=True)
    return torch.where(there, total / (classes * counts).clamp_min(1), torch.zeros_like(counts))
