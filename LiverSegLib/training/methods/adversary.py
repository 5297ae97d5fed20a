"""A discriminator of patches, its loss, and the loss of what should pass for real."""

import contextlib
from typing import Iterator, Sequence

import torch
from monai.losses import PatchAdversarialLoss
from monai.networks.nets import PatchDiscriminator
from torch import Tensor, nn

from LiverSegLib.errors import InputError
from LiverSegLib.training.methods.adversarial_options import DiscriminatorOptions


class Adversary(nn.Module):
    """Tells real from made, patch by patch.

    MONAI's discriminator, normalized per instance: with its default, batch normalization, real and made
    batches would be told apart by their statistics. Of the features that it returns only the last are scores.
    Least squares take the scores as they are (Mao et al. 2017); by default MONAI bends them first.

    Args:
        options: of the recipe.
        dimensions: 2 or 3.
        in_channels: of what it sees.
    """

    def __init__(self, options: DiscriminatorOptions, dimensions: int, in_channels: int) -> None:
        super().__init__()
        self.network = PatchDiscriminator(
            spatial_dims=dimensions,
            channels=options.channels,
            in_channels=in_channels,
            num_layers_d=options.layers,
            norm="INSTANCE",
        )
        self.criterion = PatchAdversarialLoss(criterion=options.criterion, no_activation_leastsq=True)

    def forward(self, seen: Tensor) -> Tensor:
        """Scores (batch, 1, fewer voxels) of what is seen (batch, channel, spatial axes); high is real."""
        scores: Tensor = self.network(seen)[-1]
        return scores

    def own_loss(self, real: Tensor, made: Tensor) -> Tensor:
        """What the discriminator is to make small; no gradient goes back to what made ``made``."""
        return (self._loss(real.detach(), True, True) + self._loss(made.detach(), False, True)) / 2

    def fooled_loss(self, made: Tensor) -> Tensor:
        """What the maker is to make small: its work should pass for real. Freeze the discriminator first."""
        return self._loss(made, True, False)

    def _loss(self, seen: Tensor, real: bool, own: bool) -> Tensor:
        scores = self(seen)
        with torch.autocast(scores.device.type, enabled=False):
            loss: Tensor = self.criterion(scores.float(), target_is_real=real, for_discriminator=own)
        return loss


def check_size(options: DiscriminatorOptions, patch: Sequence[int]) -> None:
    """Raise InputError if a patch is too small for a discriminator: two unstrided layers need 3 voxels."""
    least = 3 * 2**options.layers
    if min(patch) < least:
        raise InputError(
            f"A discriminator of {options.layers} layers needs patches of {least} voxels along each axis; "
            f"patches.size has {min(patch)}. Please use larger patches or fewer method.discriminator.layers."
        )


@contextlib.contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Let gradients pass through modules without reaching their parameters."""
    free = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in free:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in free:
            parameter.requires_grad_(True)
