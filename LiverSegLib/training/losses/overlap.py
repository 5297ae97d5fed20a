"""Losses of overlap: Dice and what is made of it, on MONAI's where they know what we need."""

import torch
from torch import Tensor

from LiverSegLib.training.losses.compared import Compared
from LiverSegLib.training.losses.options import LossOptions

EXP_LOG_SMOOTHING = 1.0
"""Voxels added to both sides of the Dice fraction of ``exp_log``, the paper's pseudo-count."""
SMALLEST_LOG = 1e-7
"""Least negative logarithm: its power below 1 has no derivative at 0."""


def dice(compared: Compared, options: LossOptions) -> Tensor:
    """Mean of 1 - soft Dice over the structures that are known (Milletari et al. 2016,
    doi:10.1109/3DV.2016.79, without squares).

    A structure that is neither there nor predicted costs 0; one that is predicted but not there costs nearly
    1, however little of it is predicted, unless ``smooth`` is large.
    """
    from monai.losses import DiceLoss

    part = compared.structures(options.include_background)
    loss = DiceLoss(
        include_background=True, reduction="none", batch=options.batch_dice,
        smooth_nr=options.smooth, smooth_dr=options.smooth,
    )  # fmt: skip
    values = loss(part.probabilities, part.target).flatten().reshape(-1, part.known.shape[1])
    return _mean_over_known(values, part.known)


def generalised_dice(compared: Compared, options: LossOptions) -> Tensor:
    """1 - generalised Dice, in which a structure weighs 1 / volume^2 (Sudre et al. 2017,
    doi:10.1007/978-3-319-67558-9_28).

    The background counts as in the paper, with softmax. MONAI's rule for structures that are not there: they
    weigh as much as the smallest that is; if nothing is there (sigmoid) the loss is 0.
    """
    from monai.losses import GeneralizedDiceLoss

    loss = GeneralizedDiceLoss(
        include_background=True, reduction="none", batch=options.batch_dice,
        smooth_nr=options.smooth, smooth_dr=options.smooth,
    )  # fmt: skip
    part = compared.structures(True)
    if options.batch_dice:
        return loss(part.probabilities[:, :, None], part.target[:, :, None]).mean()
    items = loss(part.probabilities, part.target).flatten()
    return _mean_over_known(items, part.known.sum(1) > int(part.softmax))


def tversky(compared: Compared, options: LossOptions) -> Tensor:
    """Mean of 1 - Tversky index: false positives and negatives weigh differently (Salehi et al. 2017,
    doi:10.1007/978-3-319-67389-9_44). Structures that are not there: as with ``dice``.
    """
    from monai.losses import TverskyLoss

    part = compared.structures(options.include_background)
    loss = TverskyLoss(
        include_background=True, reduction="none", batch=options.batch_dice, alpha=options.tversky_alpha,
        beta=options.tversky_beta, smooth_nr=options.smooth, smooth_dr=options.smooth,
    )  # fmt: skip
    values = loss(part.probabilities, part.target).reshape(-1, part.known.shape[1])
    return _mean_over_known(values, part.known)


def exponential_logarithmic(compared: Compared, options: LossOptions) -> Tensor:
    """w1 * mean of (-ln Dice)^g over the structures + w2 * mean of v (-ln p)^g over the voxels, where v is
    the square root of the inverse frequency of the voxel's class (Wong et al. 2018, arXiv:1809.00076).

    The Dice is that of each structure over the whole batch; of structures that are there: one that is not
    counts in the second part only. With sigmoid the classes of a channel are its inside and its outside.
    """
    gamma, (dice_weight, cross_weight) = options.exp_log_gamma, options.exp_log_weights
    part = compared.structures(options.include_background)
    over = [0, *range(2, part.target.dim())]
    size, both = part.target.sum(over), (part.probabilities * part.target).sum(over)
    index = (2 * both + EXP_LOG_SMOOTHING) / (part.probabilities.sum(over) + size + EXP_LOG_SMOOTHING)
    overlap = _mean_over_known((-index.log()).clamp_min(SMALLEST_LOG) ** gamma, size > 0)
    cross = compared.voxel_loss.clamp_min(SMALLEST_LOG) ** gamma * _rarity(compared)
    counted = compared.counted.expand_as(cross)
    return dice_weight * overlap + cross_weight * (cross * counted).sum() / counted.sum().clamp_min(1)


def _rarity(compared: Compared) -> Tensor:
    """Square root of voxels / voxels of the own class, for each voxel, to multiply ``voxel_loss`` with."""
    over = [0, *range(2, compared.target.dim())]
    counted = compared.counted.expand_as(compared.target if not compared.softmax else compared.voxel_loss)
    total = counted.sum(over)
    inside = (compared.target * compared.counted).sum(over)
    rare = compared.over_space((total / inside.clamp_min(1)).sqrt()[None])
    if compared.softmax:
        return (compared.target * rare).sum(1, keepdim=True)
    common = compared.over_space((total / (total - inside).clamp_min(1)).sqrt()[None])
    return compared.target * rare + (1 - compared.target) * common


def _mean_over_known(values: Tensor, known: Tensor) -> Tensor:
    """Mean of the values that are known; 0 where none is.

    Args:
        values: (batch, channel), or (1, channel) of sums over the batch, or any shape.
        known: bool (batch, channel), or the values' shape.
    """
    counted = known.any(0, keepdim=True) if values.shape[:1] == (1,) and known.dim() == 2 else known
    return torch.where(counted, values, torch.zeros_like(values)).sum() / counted.sum().clamp_min(1)
