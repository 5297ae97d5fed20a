"""Dice and cross-entropy for scans in which only some structures are annotated.

Where a structure is not annotated its probability is added to what it would be labelled as (marginal loss:
Fang and Yan 2020, doi:10.1109/TMI.2020.3001036), so the network is neither rewarded nor punished for finding
it.
"""

from typing import Collection, List, Tuple

import torch
from torch import Tensor

from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR

DICE_SMOOTHING = 100.0
"""Voxels added to both sides of the Dice fraction: an empty structure costs little where little is predicted.
"""

DICE_WEIGHTS = {LIVER: 1.0, SPLEEN: 1.0, TUMOUR: 2.0}
"""Shares of liver with tumour, spleen and tumour in the Dice loss: tumours are small, varied and few."""


def class_groups(annotated: Collection[int], classes: int) -> Tuple[List[List[int]], List[int]]:
    """Return the classes to tell apart and, for each label value, the group it belongs to.

    Args:
        annotated: label values that are complete in this scan.
        classes: channels of the network: 4, or 3 where tumour counts as liver.
    """
    owner = list(range(classes))
    if classes > TUMOUR and TUMOUR not in annotated:
        owner[TUMOUR] = LIVER
    if LIVER not in annotated:
        owner = [BACKGROUND if value == LIVER else value for value in owner]
    if SPLEEN not in annotated:
        owner[SPLEEN] = BACKGROUND
    kept = sorted(set(owner))
    groups = [[c for c in range(classes) if owner[c] == k] for k in kept]
    return groups, [kept.index(o) for o in owner]


def partial_loss(logits: Tensor, label: Tensor, annotated: Collection[int]) -> Tensor:
    """Marginal cross-entropy plus the weighted soft Dice loss of the annotated structures.

    Args:
        logits: (1, classes, z, y, x).
        label: integer (z, y, x); values at or above ``classes`` are not allowed.
        annotated: label values that are complete in this scan. A tumour voxel in a scan without complete
            tumours still counts as a tumour; the other liver voxels there may be either.
    """
    classes = logits.shape[1]
    log_p = torch.log_softmax(logits[0].float(), dim=0)
    groups, group_of = class_groups(annotated, classes)
    grouped = torch.stack([torch.logsumexp(log_p[g], 0) if len(g) > 1 else log_p[g[0]] for g in groups])
    target = torch.tensor(group_of, device=label.device)[label.long()]
    picked = grouped.gather(0, target[None])[0]
    if classes > TUMOUR and TUMOUR not in annotated and LIVER in annotated:
        picked = torch.where(label == TUMOUR, log_p[TUMOUR], picked)
    return dice_loss(log_p, label, annotated) - picked.mean()


def dice_loss(log_p: Tensor, label: Tensor, annotated: Collection[int]) -> Tensor:
    """Weighted mean of the soft Dice losses of liver with tumour, spleen and tumour, as far as annotated.

    Args:
        log_p: log-probabilities (classes, z, y, x).
        label: integer (z, y, x).
        annotated: label values that are complete.
    """
    has_tumour = log_p.shape[0] > TUMOUR
    regions = [[LIVER, TUMOUR] if has_tumour else [LIVER], [SPLEEN], [TUMOUR]]
    total, weights = log_p.new_zeros(()), 0.0
    for region in regions if has_tumour else regions[:2]:
        if region[0] not in annotated:
            continue
        p = log_p[region].exp().sum(0)
        t = torch.isin(label, torch.tensor(region, device=label.device, dtype=label.dtype)).float()
        overlap = (p * t).sum()
        loss = 1 - (2 * overlap + DICE_SMOOTHING) / (p.sum() + t.sum() + DICE_SMOOTHING)
        total, weights = total + DICE_WEIGHTS[region[0]] * loss, weights + DICE_WEIGHTS[region[0]]
    return total / max(weights, 1.0)
