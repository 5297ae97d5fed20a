"""Segmentation with an adversarial loss (Luc et al. 2016, arXiv:1611.08408), on unlabelled images too (Hung
et al. 2018, arXiv:1802.07934).
"""

import dataclasses
from pathlib import Path
from typing import List, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from LiverSegLib.errors import InputError
from LiverSegLib.training.data import Split
from LiverSegLib.training.losses.compared import parents
from LiverSegLib.training.methods.adversarial_options import GanOptions
from LiverSegLib.training.methods.adversary import Adversary, frozen
from LiverSegLib.training.methods.by_hand import ByHandModule
from LiverSegLib.training.methods.parts import (
    BesideSamples,
    Parts,
    labelled_parts,
    labelled_samples,
    patch_samples,
)
from LiverSegLib.training.module import Batch
from LiverSegLib.training.recipe import Recipe

UNLABELLED = "unlabelled"
"""Key of a batch under which the unlabelled samples lie."""


def gan_parts(recipe: Recipe, split: Split) -> Parts:
    """The labelled cases, and the unlabelled ones where their adversarial loss has a weight.

    Raises:
        InputError: unlabelled cases are wanted and there are none.
    """
    parts = labelled_parts(recipe, split)
    if _options(recipe).unlabelled == 0:
        return parts
    if not split.unlabelled:
        raise InputError("method.unlabelled is above 0, but the data hold no unlabelled case.")
    return dataclasses.replace(parts, images=split.unlabelled)


def gan_samples(recipe: Recipe, parts: Parts, cache: Path) -> Dataset:
    """Labelled patches, each with an unlabelled one where there are such cases."""
    labelled = labelled_samples(recipe, parts, cache)
    if not parts.images:
        return labelled
    return BesideSamples(labelled, {UNLABELLED: patch_samples(recipe, parts.images, cache, seed=1)})


class GanModule(ByHandModule):
    """The segmenter learns its usual loss and to pass its work for a reader's; the discriminator learns to
    tell image and label from image and predicted probabilities.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.options = _options(recipe)
        channels = int(recipe.network_arguments()["in_channels"]) + len(recipe.structures)
        self.adversary = Adversary(self.discriminator, recipe.dimensions, channels)
        self.parent = parents(recipe.structures, recipe.loss.parts)
        self.overlapping = recipe.activation == "sigmoid"

    def other_optimizers(self) -> List[torch.optim.Optimizer]:
        """The discriminator's."""
        return [self.adam([self.adversary], self.discriminator.learning_rate)]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """A step of the segmenter, then one of the discriminator."""
        image, label, annotated = batch["image"], batch["label"], batch["annotated"]
        scores = self(image)
        finest = scores if torch.is_tensor(scores) else scores[0]
        with torch.autocast(image.device.type, enabled=False):
            supervised = self.loss(scores, label, annotated)
        made = self.shown(image, self.probabilities(finest), annotated)
        loss = supervised
        if self.global_step >= self.options.begin:
            with frozen(self.adversary):
                loss = loss + self._adversarial(batch, made)
        self.descend(loss, 0)
        real = self.shown(image, self.reference(label), annotated)
        told = self.adversary.own_loss(real, made)
        self.descend(told, 1)
        self.end_step()
        self.log_losses(len(image), loss=supervised, adversarial=loss - supervised, discriminator=told)
        if self.is_logging:
            self._log_batch_dice(finest.detach(), batch)
        return supervised.detach()

    def _adversarial(self, batch: Batch, made: Tensor) -> Tensor:
        """The weighted adversarial losses of the segmenter."""
        loss = self.options.weight * self.adversary.fooled_loss(made)
        if UNLABELLED in batch:
            image = batch[UNLABELLED]["image"]
            scores = self(image)
            finest = scores if torch.is_tensor(scores) else scores[0]
            # shown as the labelled ones of the batch, or what is hidden would tell them apart
            seen = self.shown(image, self.probabilities(finest), batch["annotated"])
            loss = loss + self.options.unlabelled * self.adversary.fooled_loss(seen)
        return loss

    def probabilities(self, scores: Tensor) -> Tensor:
        """Of each structure (batch, structure, spatial axes), without the background."""
        if self.overlapping:
            return scores.float().sigmoid()
        return scores.float().softmax(1)[:, 1:]

    def reference(self, label: Tensor) -> Tensor:
        """The label (batch, 1, spatial axes) as probabilities that are certain; with a sigmoid a structure
        holds its parts, as in the loss."""
        shares = one_hot(label, len(self.recipe.structures))
        return with_parts(shares, self.parent) if self.overlapping else shares

    def shown(self, image: Tensor, shares: Tensor, annotated: Tensor) -> Tensor:
        """What the discriminator sees: the image, and a channel for each structure.

        Args:
            image: (batch, channel, spatial axes).
            shares: of each structure (batch, structure, spatial axes), 0 to 1: a label, or probabilities.
            annotated: bool (batch, structures). What is not annotated is hidden: its channel is 0, and its
                share goes to what it would be labelled as, the liver for its tumors.
        """
        # where structures overlap a liver holds its tumors already
        parent = (0,) * len(self.parent) if self.overlapping else self.parent
        return torch.cat([image.to(shares.dtype), hidden(shares, annotated, parent)], 1)


def hidden(shares: Tensor, annotated: Tensor, parent: Sequence[int]) -> Tensor:
    """Shares of structures (batch, structure, spatial axes) with those hidden that are not annotated.

    Args:
        shares: 0 to 1.
        annotated: bool (batch, structures).
        parent: of ``losses.compared.parents``: for the background and each structure what it is labelled as
            where it is not annotated.
    """
    rows = []
    for row, known in zip(shares, annotated.tolist()):
        channels = [torch.zeros_like(row[0]) for _ in known]
        for index in range(len(known)):
            owner = index + 1
            while owner and not known[owner - 1]:
                owner = parent[owner]
            if owner:
                channels[owner - 1] = channels[owner - 1] + row[index]
        rows.append(torch.stack(channels).clamp(max=1))
    return torch.stack(rows)


def with_parts(shares: Tensor, parent: Sequence[int]) -> Tensor:
    """Shares (batch, structure, spatial axes), those of parts added to the structures that hold them."""
    whole = [shares[:, index] for index in range(shares.shape[1])]
    for index in range(shares.shape[1]):
        for owner in _owners(index + 1, parent):
            whole[owner - 1] = whole[owner - 1] + shares[:, index]
    return torch.stack(whole, 1).clamp(max=1)


def _owners(value: int, parent: Sequence[int]) -> Tuple[int, ...]:
    above = []
    while parent[value]:
        value = parent[value]
        above.append(value)
    return tuple(above)


def one_hot(label: Tensor, structures: int) -> Tensor:
    """Labels (batch, 1, spatial axes) as float32 (batch, structure, spatial axes), without the background."""
    return functional.one_hot(label[:, 0].long(), structures + 1).movedim(-1, 1)[:, 1:].float()


def _options(recipe: Recipe) -> GanOptions:
    assert isinstance(recipe.method, GanOptions)
    return recipe.method
