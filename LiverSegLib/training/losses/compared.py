"""Scores beside labels as far as a case annotates them: what all losses but the bundled models' work on.

With softmax, the probability of a structure that is not annotated is added to what it would be labelled as
(marginal loss: Fang and Yan 2020, doi:10.1109/TMI.2020.3001036). With sigmoid its channel is left out.
"""

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.labels import BACKGROUND


@dataclass(frozen=True)
class Compared:
    """Scores and labels of a batch, channel by channel; what is not known is 0 in all, and has no gradient.

    Attributes:
        probabilities: float32 (batch, channel, spatial axes).
        target: the same shape, 0 or 1.
        known: bool (batch, channel): whether the channel is compared in this item of the batch.
        voxel_loss: negative log-likelihood of the labels: (batch, 1, spatial axes) with softmax, (batch,
            channel, spatial axes) with sigmoid.
        softmax: channel 0 is the background; else every channel is a structure.
    """

    probabilities: Tensor
    target: Tensor
    known: Tensor
    voxel_loss: Tensor
    softmax: bool

    @property
    def counted(self) -> Tensor:
        """Float (batch, rows of ``voxel_loss``, 1 ...): 1 where ``voxel_loss`` teaches something."""
        known = self.known.sum(1, keepdim=True) > 1 if self.softmax else self.known
        return self.over_space(known)

    def over_space(self, values: Tensor) -> Tensor:
        """Values (batch, n) as float (batch, n, 1 ...), to multiply images with."""
        return values.float().reshape(*values.shape, *[1] * (self.target.dim() - 2))

    def structures(self, include_background: bool) -> "Compared":
        """The channels of the structures, without the background's where there is one."""
        if include_background or not self.softmax:
            return self
        return Compared(
            self.probabilities[:, 1:], self.target[:, 1:], self.known[:, 1:], self.voxel_loss, False
        )


def parents(structures: Sequence[str], parts: Dict[str, str]) -> Tuple[int, ...]:
    """For the background and each structure the channel as which it is labelled where it is not annotated.

    Raises:
        UsageError: a structure is a part of itself.
    """
    plain = [_plain(name) for name in structures]
    whole = {_plain(part): _plain(of) for part, of in parts.items()}
    values = [BACKGROUND]
    for name in plain:
        values.append(next((plain.index(of) + 1 for of in _above(name, whole) if of in plain), BACKGROUND))
    return tuple(values)


def _above(name: str, whole: Dict[str, str]) -> List[str]:
    """What the structure is a part of, what that is a part of, and so on."""
    above: List[str] = []
    while (name if not above else above[-1]) in whole:
        above.append(whole[above[-1] if above else name])
        if above[-1] == name or above[-1] in above[:-1]:
            raise UsageError(f'In the loss, parts says that "{above[-1]}" is a part of itself.')
    return above


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("tumor", "tumour")


def compare(
    scores: Tensor, label: Tensor, annotated: Tensor, parent: Sequence[int], softmax: bool
) -> Compared:
    """Bring scores and labels to what is annotated.

    Args:
        scores: logits (batch, channel, spatial axes) of any precision; computed in float32.
        label: whole numbers (batch, 1, spatial axes): 0 is background, k the k-th structure.
        annotated: bool (batch, structures).
        parent: ``parents`` of the structures.
        softmax: whether the channels are the background and the structures, of which each voxel has one.

    Raises:
        InputError: the label holds a value that is no structure, or shapes do not fit.
    """
    count = len(parent) - 1
    channels = count + softmax
    if scores.shape[1] != channels or annotated.shape != (scores.shape[0], count):
        raise InputError(
            f"The loss compares {count} structures, which takes {channels} channels of the network.",
            f"scores {tuple(scores.shape)}, annotated {tuple(annotated.shape)}",
        )
    if label.shape != (scores.shape[0], 1, *scores.shape[2:]):
        raise InputError(
            "Scores and labels differ in size.", f"{tuple(scores.shape)} and {tuple(label.shape)}"
        )
    if int(label.max()) > count:
        raise InputError(f"A label holds the value {int(label.max())}; the recipe names {count} structures.")
    annotated = annotated.to(scores.device)
    if softmax:
        return _compare_softmax(scores.float(), label[:, 0].long(), annotated, parent)
    return _compare_sigmoid(scores.float(), label[:, 0].long(), annotated, parent)


def _compare_softmax(logits: Tensor, label: Tensor, annotated: Tensor, parent: Sequence[int]) -> Compared:
    owners = [_owners(row, parent) for row in annotated.tolist()]
    if annotated.all():
        merged, owned = logits, label
    else:
        merged = torch.stack([_merged(item, owner) for item, owner in zip(logits, owners)])
        owned = torch.stack([torch.tensor(o, device=label.device)[x] for x, o in zip(label, owners)])
    known = torch.tensor([[k in owner for k in range(len(parent))] for owner in owners], device=label.device)
    hidden = ~known.reshape(*known.shape, *[1] * (logits.dim() - 2))
    log_p = torch.log_softmax(merged, 1).masked_fill(hidden, 0.0)
    target = functional.one_hot(owned, len(parent)).movedim(-1, 1).float()
    loss = -log_p.gather(1, owned[:, None])
    return Compared(log_p.exp().masked_fill(hidden, 0.0), target, known, loss, True)


def _owners(annotated: Sequence[bool], parent: Sequence[int]) -> List[int]:
    """The channel to which the probability of each channel is added."""
    owners = []
    for channel in range(len(parent)):
        while channel != BACKGROUND and not annotated[channel - 1]:
            channel = parent[channel]
        owners.append(channel)
    return owners


def _merged(logits: Tensor, owners: Sequence[int]) -> Tensor:
    """Logits (channel, spatial axes) whose softmax has the summed probabilities; -inf where none is left."""
    return torch.stack([_merged_channel(logits, owners, channel) for channel in range(len(owners))])


def _merged_channel(logits: Tensor, owners: Sequence[int], channel: int) -> Tensor:
    members = [k for k, owner in enumerate(owners) if owner == channel]
    if not members:
        return torch.full_like(logits[channel], -torch.inf)
    return torch.logsumexp(logits[members], 0) if len(members) > 1 else logits[channel]


def _compare_sigmoid(logits: Tensor, label: Tensor, annotated: Tensor, parent: Sequence[int]) -> Compared:
    channels = range(1, len(parent))
    owners = [[_is_in(value, k, parent) for value in range(len(parent))] for k in channels]
    inside = torch.tensor(owners, device=label.device, dtype=torch.float32)
    hidden = ~annotated.reshape(*annotated.shape, *[1] * (logits.dim() - 2))
    target = inside[:, label].movedim(0, 1).masked_fill(hidden, 0.0)
    shown = logits.masked_fill(hidden, 0.0)
    loss = functional.binary_cross_entropy_with_logits(shown, target, reduction="none")
    return Compared(
        torch.sigmoid(shown).masked_fill(hidden, 0.0), target, annotated, loss.masked_fill(hidden, 0.0), False
    )


def _is_in(value: int, structure: int, parent: Sequence[int]) -> bool:
    """Whether a voxel of that label lies in the structure or in a part of it."""
    while value not in (BACKGROUND, structure):
        value = parent[value]
    return value == structure
