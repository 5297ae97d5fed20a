"""Losses by plain numpy, to compare with."""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from LiverSegLib.training.losses import LossOptions
from LiverSegLib.training.losses.options import NAMES
from LiverSegLib.training.losses.partial import partial_loss

STRUCTURES = ("liver", "spleen", "liver tumour")
SIZES = ((6, 7), (5, 6, 4))
SOFTMAX = [name for name in NAMES if name != "bce"]
SIGMOID = [name for name in NAMES if name != "partial"]
BOTH = [("softmax", name) for name in SOFTMAX] + [("sigmoid", name) for name in SIGMOID]


def batch(activation, size, items=2, seed=0, highest=3):
    """Random logits, labels 0 to ``highest``, everything annotated."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(items, 3 + (activation == "softmax"), *size, generator=generator)
    label = torch.randint(0, highest + 1, (items, 1, *size), generator=generator).to(torch.uint8)
    return scores.requires_grad_(), label, torch.ones(items, 3, dtype=torch.bool)


def by_hand(scores, label, activation):
    """Probabilities, one-hot target and negative log-likelihood, by plain numpy."""
    x, y = scores.detach().double().numpy(), label[:, 0].numpy()
    if activation == "softmax":
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        t = np.stack([y == k for k in range(4)], 1).astype(float)
        return p, t, -np.log((p * t).sum(1, keepdims=True))
    p = 1 / (1 + np.exp(-x))
    t = np.stack([(y == 1) | (y == 3), y == 2, y == 3], 1).astype(float)
    return p, t, -(t * np.log(p) + (1 - t) * np.log(1 - p))


def space(values):
    return tuple(range(2, values.ndim))


def structures_of(p, t, activation):
    return (p[:, 1:], t[:, 1:]) if activation == "softmax" else (p, t)


def dice_by_hand(p, t, activation, o):
    p, t = structures_of(p, t, activation)
    both, total = (p * t).sum(space(p)), (p + t).sum(space(p))
    return (1 - (2 * both + o.smooth) / (total + o.smooth)).mean()


def generalised_dice_by_hand(p, t, activation, o):
    w = 1 / t.sum(space(t)) ** 2
    both, total = (p * t).sum(space(p)) * w, (p + t).sum(space(p)) * w
    return (1 - (2 * both.sum(1) + o.smooth) / (total.sum(1) + o.smooth)).mean()


def tversky_by_hand(p, t, activation, o):
    p, t = structures_of(p, t, activation)
    both = (p * t).sum(space(p))
    false = 0.3 * (p * (1 - t)).sum(space(p)) + 0.7 * ((1 - p) * t).sum(space(p))
    return (1 - (both + o.smooth) / (both + false + o.smooth)).mean()


def exp_log_by_hand(p, t, nll, activation):
    over = (0, *space(t))
    ps, ts = structures_of(p, t, activation)
    index = (2 * (ps * ts).sum(over) + 1) / ((ps + ts).sum(over) + 1)
    total, inside = t.size / t.shape[1], t.sum(over)
    shape = (1, -1, *[1] * (t.ndim - 2))
    rare = np.sqrt(total / inside).reshape(shape) * t
    if activation == "softmax":
        weight = rare.sum(1, keepdims=True)
    else:
        weight = rare + np.sqrt(total / (total - inside)).reshape(shape) * (1 - t)
    return 0.8 * ((-np.log(index)) ** 0.3).mean() + 0.2 * (weight * nll**0.3).mean()


def balanced_by_hand(t, nll, activation):
    if activation == "softmax":
        return np.mean([nll[:, 0][t[:, k] == 1].mean() for k in range(4)])
    halves = [nll[:, k][t[:, k] == value].mean() for k in range(3) for value in (0, 1)]
    return np.mean(halves)


def distance_by_hand(t, nll, activation):
    weights = np.zeros_like(nll)
    for item in range(len(t)):
        inside = [distance_transform_edt(mask) for mask in t[item]]
        if activation == "softmax":
            weights[item, 0] = np.sum(inside, axis=0)
        else:
            outside = [distance_transform_edt(1 - mask) for mask in t[item]]
            weights[item] = np.sum([inside, outside], axis=0)
    weights = 1 + 10 * np.exp(-(weights**2) / 50)
    return (weights * nll).sum() / weights.sum()


def boundary_by_hand(p, t, activation):
    p, t = structures_of(p, t, activation)
    values = []
    for found, mask in zip(p.reshape(-1, *p.shape[2:]), t.reshape(-1, *t.shape[2:])):
        inside = distance_transform_edt(mask)
        signed = np.where(mask == 1, -(inside - 1), distance_transform_edt(1 - mask))
        values.append((found * signed).mean())
    return np.mean(values)


def hausdorff_by_hand(p, t, activation):
    def field(mask):
        if mask.all() or not mask.any():
            return np.zeros(mask.shape)
        return distance_transform_edt(mask) + distance_transform_edt(~mask)

    p, t = structures_of(p, t, activation)
    values = []
    for found, mask in zip(p.reshape(-1, *p.shape[2:]), t.reshape(-1, *t.shape[2:])):
        values.append(((found - mask) ** 2 * (field(found > 0.5) ** 2 + field(mask > 0.5) ** 2)).mean())
    return np.mean(values)


def expected(name, scores, label, activation):
    p, t, nll = by_hand(scores, label, activation)
    o = LossOptions()
    return {
        "ce": lambda: nll.mean(),
        "bce": lambda: nll.mean(),
        "weighted_ce": lambda: balanced_by_hand(t, nll, activation),
        "distance_ce": lambda: distance_by_hand(t, nll, activation),
        "focal": lambda: ((1 - np.exp(-nll)) ** 2 * nll).mean(),
        "dice": lambda: dice_by_hand(p, t, activation, o),
        "generalised_dice": lambda: generalised_dice_by_hand(p, t, activation, o),
        "tversky": lambda: tversky_by_hand(p, t, activation, o),
        "exp_log": lambda: exp_log_by_hand(p, t, nll, activation),
        "boundary": lambda: boundary_by_hand(p, t, activation),
        "hausdorff": lambda: hausdorff_by_hand(p, t, activation),
        "partial": lambda: np.mean(
            [partial_loss(scores[i : i + 1], label[i, 0], [1, 2, 3]).item() for i in range(len(scores))]
        ),
    }[name]()
