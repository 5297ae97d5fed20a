"""Sections ``method`` of recipes in which one network learns to tell what another one makes."""

from typing import Literal, Optional, Tuple

from pydantic import Field, model_validator

from LiverSegLib.training.data.options import PreparationOptions
from LiverSegLib.training.options import Options
from LiverSegLib.training.run_options import NetworkOptions


class DiscriminatorOptions(Options):
    """MONAI's discriminator of patches (Isola et al. 2017, doi:10.1109/CVPR.2017.632), learnt by Adam."""

    channels: int = Field(default=64, ge=1)
    """Features of the first layer; each further one has twice as many."""
    layers: int = Field(default=3, ge=1, le=6)
    """Layers after the first; with 3 each output sees 70 voxels along an axis."""
    criterion: Literal["least_squares", "bce"] = "least_squares"
    """What real and made is told apart by: squares (Mao et al. 2017, doi:10.1109/ICCV.2017.304), or binary
    cross entropy."""
    learning_rate: float = Field(default=2e-4, gt=0)
    betas: Tuple[float, float] = (0.5, 0.999)


class GanOptions(Options):
    """An adversarial loss of the segmentation beside the usual one (Luc et al. 2016, arXiv:1611.08408)."""

    name: Literal["gan"] = "gan"
    weight: float = Field(default=0.01, ge=0)
    """Of the adversarial loss on labelled patches."""
    unlabelled: float = Field(default=0.0, ge=0)
    """Of the adversarial loss on patches of the unlabelled cases (Hung et al. 2018, arXiv:1802.07934, takes
    0.001); 0 leaves them out."""
    begin: int = Field(default=0, ge=0)
    """Steps before the adversarial losses count; the discriminator learns from the first one."""
    discriminator: DiscriminatorOptions = DiscriminatorOptions()


class CganOptions(Options):
    """CT slices painted from label maps: a conditional GAN (Isola et al. 2017, doi:10.1109/CVPR.2017.632).

    The recipe's network is the painter. It sees a channel for each structure, one for each class of
    ``tissues`` around them, and ``noise``.
    """

    name: Literal["cgan"] = "cgan"
    weight: float = Field(default=1.0, ge=0)
    """Of the adversarial loss."""
    l1: float = Field(default=100.0, gt=0)
    """Of the mean distance to the real slice."""
    noise: int = Field(default=1, ge=0)
    """Channels of Gaussian noise."""
    tissues: Tuple[float, ...] = (-120.0, -20.0, 120.0)
    """HU between the classes of what surrounds the structures: air, fat, soft tissue, bone. The image is
    smoothed before it is divided. Empty: the painter is told nothing but the structures, and has to invent
    the body."""
    discriminator: DiscriminatorOptions = DiscriminatorOptions()

    @model_validator(mode="after")
    def _rising(self) -> "CganOptions":
        if list(self.tissues) != sorted(set(self.tissues)):
            raise ValueError("tissues must be rising HU")
        return self


class CycleGanOptions(Options):
    """Translation between two modalities and segmentation, learnt together (Zhu et al. 2017,
    doi:10.1109/ICCV.2017.244; Huo et al. 2019, doi:10.1109/TMI.2018.2876633).

    Labelled cases of ``source`` and images of ``target`` train; cases of ``target`` validate. The recipe's
    network and preparation are those of ``target``.
    """

    name: Literal["cyclegan"] = "cyclegan"
    source: str = "CT"
    """Modality of the labelled cases."""
    target: str = "MR"
    """Modality to segment; no label of its cases is looked at in training."""
    source_preparation: PreparationOptions = PreparationOptions()
    """How cases of ``source`` are prepared."""
    generator: NetworkOptions = NetworkOptions(name="BlockUNet", arguments={"channels": [16, 32, 64, 64]})
    """The two networks that translate."""
    generator_rate: float = Field(default=2e-4, gt=0)
    """Their learning rate, with the discriminators' betas."""
    adversarial: float = Field(default=1.0, ge=0)
    cycle: float = Field(default=10.0, ge=0)
    """Weight of the mean distance between an image and what comes back of it."""
    identity: float = Field(default=0.0, ge=0)
    """Weight of the mean change of an image that is of the right modality already."""
    segmentation: float = Field(default=1.0, gt=0)
    """Weight of the recipe's loss on translated patches; it teaches the translation too."""
    discriminator: DiscriminatorOptions = DiscriminatorOptions()

    @model_validator(mode="after")
    def _one_channel(self) -> "CycleGanOptions":
        taken = {"in_channels", "dimensions", "spatial_dims"} & set(self.generator.arguments)
        if taken:
            raise ValueError(f"{min(taken)} of the generator follows from the recipe; leave it out")
        return self


def discriminator_of(method: Options) -> Optional[DiscriminatorOptions]:
    """The discriminator of a method; None where it has none."""
    found = getattr(method, "discriminator", None)
    return found if isinstance(found, DiscriminatorOptions) else None
