"""Keeping: a segmenter learns more of tumours from a pack, and its organs stay those of a network that is
there.

Training a finished network on for the sake of tumours made its livers worse. Here no label teaches organs:
everywhere their probabilities are held to those that the older network gives the same patch (learning without
forgetting, Li and Hoiem 2016, arXiv:1606.09282). Tumours are learnt as a share of the liver: from labels
where they are complete, elsewhere from the mean of what other networks say, which a pack may hold, so that
nothing is taught to be no tumour only because nobody annotated it.
"""

from typing import Optional

import torch
from torch import Tensor
from torch.nn import functional

from LiverSegLib.errors import UsageError
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.training.losses.partial import DICE_SMOOTHING
from LiverSegLib.training.methods.distillation import read_teacher
from LiverSegLib.training.methods.semi_options import KeepingOptions
from LiverSegLib.training.module import Batch, SegmentationModule
from LiverSegLib.training.pack import STRUCTURES
from LiverSegLib.training.recipe import Recipe

ORGANS = ((BACKGROUND,), (LIVER, TUMOUR), (SPLEEN,))
"""Classes whose probabilities count together where organs are compared."""


class KeepingModule(SegmentationModule):
    """A network, and the older one, which stays as it is and is in no checkpoint. The recipe's loss is not
    used.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        assert isinstance(recipe.method, KeepingOptions)
        if recipe.structures != tuple(STRUCTURES) or recipe.activation != "softmax":
            raise UsageError(
                f"The method keeping takes activation: softmax and the structures {', '.join(STRUCTURES)}."
            )
        self.options = recipe.method
        self._older = [read_teacher(recipe, recipe.method.teacher)]  # in a list: no part of the module

    def on_fit_start(self) -> None:
        """Bring the older network to where the new one is."""
        self._older[0].network.to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The distance to the older network's organs, and what labels and other networks say of tumours."""
        image = self.in_memory_order(batch["image"])
        scores = self(image)
        older = self._older[0]
        with torch.no_grad():
            before = older.network(image)[:, older.channels]
        with torch.autocast(image.device.type, enabled=False):
            scores, before = scores.float(), before.float()
            organs = organ_distance(scores, before)
            tumours = torch.stack([self._tumours(scores[k], before[k], batch, k) for k in range(len(image))])
            loss = self.options.weight * organs + tumours.mean()
        self.log_dict({"training/loss": loss, "training/organs": organs}, batch_size=len(image))
        return loss

    def _tumours(self, scores: Tensor, before: Tensor, batch: Batch, index: int) -> Tensor:
        """The loss of the tumours in one patch of the batch."""
        label = batch["label"][index, 0]
        if bool(batch["annotated"][index, TUMOUR - 1]):
            return labelled_tumours(scores, before, label)
        soft = batch["soft"][index] if "soft" in batch and bool(batch["has_soft"][index]) else None
        return self.options.soft * soft_tumours(scores, before, label, soft)


def organ_distance(scores: Tensor, before: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the organs' probabilities, tumours with the liver: mean of voxels.

    Args:
        scores, before: logits (batch, classes, z, y, x) of the new and the older network.
    """
    mine, theirs = (
        torch.stack([torch.logsumexp(log[:, list(group)], 1) for group in ORGANS], 1)
        for log in (torch.log_softmax(scores, 1), torch.log_softmax(before, 1))
    )
    return functional.kl_div(mine, theirs, reduction="none", log_target=True).sum(1).mean()


def labelled_tumours(scores: Tensor, before: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy within the liver plus soft Dice of tumours that are all annotated.

    Args:
        scores, before: logits (classes, z, y, x) of the new and the older network.
        label: integer (z, y, x).
    """
    truth = (label == TUMOUR).float()
    liver = torch.maximum(_liver(before), ((label == LIVER) | (label == TUMOUR)).float())
    p = torch.softmax(scores, 0)[TUMOUR]
    overlap = (p * truth).sum()
    dice = (2 * overlap + DICE_SMOOTHING) / (p.sum() + truth.sum() + DICE_SMOOTHING)
    return _within(scores, truth, liver) + 1 - dice


def soft_tumours(scores: Tensor, before: Tensor, label: Tensor, soft: Optional[Tensor]) -> Tensor:
    """Cross-entropy within the liver with probabilities of tumours.

    Args:
        scores, before: logits (classes, z, y, x) of the new and the older network.
        label: integer (z, y, x); what is labelled tumour, or was painted, is one for certain.
        soft: probability of a tumour (z, y, x); the older network's own if None.
    """
    own = torch.sigmoid(before[TUMOUR] - before[LIVER])
    target = torch.where(label == TUMOUR, torch.ones_like(own), own if soft is None else soft)
    liver = torch.maximum(_liver(before), (label == TUMOUR).float())
    return _within(scores, target, liver)


def _within(scores: Tensor, target: Tensor, liver: Tensor) -> Tensor:
    """Cross-entropy of the tumour's share of the liver, mean over the liver (each voxel's weight 0..1)."""
    share = scores[TUMOUR] - scores[LIVER]
    cost = functional.binary_cross_entropy_with_logits(share, target, reduction="none")
    return (cost * liver).sum() / (liver.sum() + DICE_SMOOTHING)


def _liver(before: Tensor) -> Tensor:
    """Probability (z, y, x) of the liver with its tumours."""
    return torch.softmax(before, 0)[list(ORGANS[1])].sum(0)
