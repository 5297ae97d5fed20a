"""Lesions alone: a network that is told where the liver is, and only has to find what in it is none.

Cascades of this kind found liver tumours best in the LiTS challenge (Bilic et al. 2023,
doi:10.1016/j.media.2022.102680). The network sees a patch of a pack as the product will show it a scan
(:mod:`LiverSegLib.inference.lesion_channels`), with a liver that is often a little wrong, as those of
networks are: too wide, too narrow, without a part of a lesion at its border. Where nobody annotated tumours,
only what is labelled, painted, or told by other networks (a pack may hold that) teaches anything.
"""

from typing import Any, Dict, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.errors import UsageError
from LiverSegLib.inference.lesion_channels import CHANNELS, lesion_channels, liver_level
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.networks import build_network
from LiverSegLib.training.losses.partial import DICE_SMOOTHING
from LiverSegLib.training.methods.semi_options import LesionsOptions
from LiverSegLib.training.module import Batch, SegmentationModule
from LiverSegLib.training.pack import STRUCTURES, WINDOW
from LiverSegLib.training.recipe import Recipe

CLASSES = ("background", "liver tumour")
LESION_OUTPUT: Dict[str, Any] = {
    "activation": "softmax",
    "channels": {str(number): name for number, name in enumerate(CLASSES)},
    "labels": {CLASSES[1]: TUMOUR},
}
"""What a manifest says of the network's channels."""
ATTENUATION_SD = 6.0
"""By how many HU (SD) the liver's attenuation is off."""
BITE_MM = (5.0, 25.0)
"""Radii of balls of a lesion that the liver lacks."""
TUMOUR_INDEX = TUMOUR - 1
"""Of what a batch says of annotated structures."""


def lesion_arguments(recipe: Recipe) -> Dict[str, Any]:
    """What the recipe's network is built with for this method."""
    return {**recipe.network_arguments(), "in_channels": CHANNELS, "out_channels": len(CLASSES)}


class LesionsModule(SegmentationModule):
    """The network for lesions; the recipe's loss is not used, and its structures are a pack's."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        assert isinstance(recipe.method, LesionsOptions)
        if recipe.structures != tuple(STRUCTURES) or recipe.pack is None:
            raise UsageError(f"The method lesions takes a pack, and the structures {', '.join(STRUCTURES)}.")
        self.options = recipe.method
        self.reach = max(1, int(round(recipe.method.reach_mm / recipe.pack.spacing)))
        self.spacing = recipe.pack.spacing

    def make_network(self) -> nn.Module:
        """The recipe's network with the channels of this method."""
        network: Any = build_network(self.recipe.network.name, lesion_arguments(self.recipe))
        if self.recipe.training.channels_last:
            network = network.to(memory_format=torch.channels_last_3d)
        built: nn.Module = network
        return built

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy and soft Dice of the lesions in and about the liver."""
        images, losses = [], []
        for index, image in enumerate(batch["image"]):
            label = batch["label"][index, 0]
            images.append(shown(image[0], label, self._rng(batch_idx, index), self.spacing))
        scores = self(self.in_memory_order(torch.stack(images)))
        with torch.autocast(scores.device.type, enabled=False):
            for index, one in enumerate(scores.float()):
                target, weight = taught(batch, index, self.reach, self.options.soft)
                losses.append(lesion_loss(one[1] - one[0], target, weight))
            loss = torch.stack(losses).mean()
        self.log("training/loss", loss, batch_size=len(images))
        return loss

    def _rng(self, batch_idx: int, index: int) -> np.random.Generator:
        """All chance in a step follows from the seed and its number, so that a run resumes exactly."""
        return np.random.default_rng((self.recipe.seed, self.global_step, batch_idx, self.global_rank, index))


def shown(image: Tensor, label: Tensor, rng: np.random.Generator, spacing: float) -> Tensor:
    """The network's image (3, z, y, x) of a patch, with a liver as networks draw it.

    Args:
        image: float32 (z, y, x), -1..1 over the pack's window.
        label: integer (z, y, x).
        rng: the source of all chance.
        spacing: in mm.
    """
    low, high = WINDOW
    hu = (image.cpu().numpy() + 1) * ((high - low) / 2) + low
    whole = (label == LIVER) | (label == TUMOUR)
    known = label == LIVER if rng.random() < 0.5 else whole
    level = liver_level(hu, known.cpu().numpy()) + rng.normal(0, ATTENUATION_SD)
    liver = rough_liver(whole, label == TUMOUR, rng, spacing)
    channels = lesion_channels(image.cpu().numpy(), hu, liver.cpu().numpy(), level)
    return torch.from_numpy(channels).to(image.device)


def rough_liver(whole: Tensor, tumour: Tensor, rng: np.random.Generator, spacing: float) -> Tensor:
    """The liver with tumours (bool z, y, x), a little wrong."""
    liver = whole
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            liver = _bitten(liver, tumour, rng, spacing)
    chance = rng.random()
    if chance < 0.25:
        return dilated(liver, 1)
    if chance < 0.5:
        return ~dilated(~liver, 1)
    return liver


def _bitten(liver: Tensor, tumour: Tensor, rng: np.random.Generator, spacing: float) -> Tensor:
    """The liver without the part of its tumours that lies in a ball about a voxel of theirs."""
    voxels = tumour.nonzero()
    if not len(voxels):
        return liver
    centre = voxels[int(rng.integers(len(voxels)))]
    radius = rng.uniform(*BITE_MM) / spacing
    z, y, x = (
        (torch.arange(n, device=liver.device) - int(c)).float() ** 2 for n, c in zip(liver.shape, centre)
    )
    ball = z[:, None, None] + y[None, :, None] + x[None, None] < radius**2
    return liver & ~(ball & dilated(tumour, 1))


def taught(batch: Batch, index: int, reach: int, soft: float) -> Tuple[Tensor, Tensor]:
    """Target 0..1 and weight (z, y, x) of one patch.

    Args:
        batch: as samples of a pack give it.
        index: of the patch.
        reach: voxels around the liver that are looked at too.
        soft: weight of what other networks say.
    """
    label = batch["label"][index, 0]
    tumour = (label == TUMOUR).float()
    liver = (label == LIVER) | (label == TUMOUR)
    near = dilated(liver, reach).float()
    if bool(batch["annotated"][index, TUMOUR_INDEX]):
        return tumour, near
    certain = near * (label != LIVER)  # tumour, and what is outside the liver
    told = batch["soft"][index] if "soft" in batch and bool(batch["has_soft"][index]) else None
    if told is None:
        return tumour, certain
    return torch.where(label == TUMOUR, tumour, told * liver), certain + soft * (label == LIVER)


def lesion_loss(scores: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy plus soft Dice, of logits (z, y, x)."""
    total = weight.sum() + DICE_SMOOTHING
    entropy = functional.binary_cross_entropy_with_logits(scores, target, reduction="none")
    p, t = torch.sigmoid(scores) * weight, target * weight
    dice = (2 * (p * target).sum() + DICE_SMOOTHING) / (p.sum() + t.sum() + DICE_SMOOTHING)
    return (entropy * weight).sum() / total + 1 - dice


def dilated(mask: Tensor, voxels: int) -> Tensor:
    """Bool (z, y, x), grown by a box of so many voxels, axis by axis: pooling of whole boxes costs more."""
    grown = mask[None, None].float()
    for axis in range(3):
        kernel = [1, 1, 1]
        kernel[axis] = 2 * voxels + 1
        grown = functional.max_pool3d(grown, kernel, 1, [edge // 2 for edge in kernel])
    return grown[0, 0] > 0.5
