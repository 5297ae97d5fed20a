"""H-DenseUNet: features of a DenseUNet of slices and of one of volumes, fused (Li et al. 2018)."""

from typing import Sequence, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores
from LiverSegLib.networks.dense_unet import LAYERS_65, LAYERS_167, DenseUNet
from LiverSegLib.networks.parts import (
    AnySizeNetwork,
    ConvNormAct,
    Layers,
    check_ends,
    on_slices,
    with_neighbours,
)

NEIGHBOURS = (1, 3, 5, 7)


class HybridDenseUNet(AnySizeNetwork):
    """H-DenseUNet (Li, Chen, Qi, Dou, Fu and Heng 2018, doi:10.1109/TMI.2018.2845918, arXiv:1709.07330).

    As published: a DenseUNet in two dimensions takes each slice with its neighbors; a second one, in three
    dimensions, takes the volume and the first one's scores; the sum of both features goes through one
    convolution (hybrid feature fusion) to the logits, and everything is trained end to end. With
    ``deep_supervision`` the first network's own logits are the second entry of the list, which the paper
    weighs with 0.5. Deviates as DenseUNet does; scores go from the first network to the second as they are,
    where the authors scale them to the range of attenuation.

    Args:
        in_channels, out_channels: of the volume and of the logits.
        dimensions: 3.
        neighbours: slices that the first network sees at once: 1, 3, 5 or 7.
        layers_2d, growth_2d, stem_2d: of the first network, see DenseUNet.
        layers_3d, growth_3d, stem_3d: of the second.
        dropout: part of values left out in training, before each network's logits.
        norm: "instance", "batch" or "group".
        deep_supervision: in training, the first network's logits too.

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        dimensions: int = 3,
        neighbours: int = 3,
        layers_2d: Sequence[int] = LAYERS_167,
        growth_2d: int = 48,
        stem_2d: int = 96,
        layers_3d: Sequence[int] = LAYERS_65,
        growth_3d: int = 32,
        stem_3d: int = 96,
        dropout: float = 0.3,
        norm: str = "instance",
        deep_supervision: bool = False,
    ) -> None:
        check_ends(in_channels, out_channels)
        limits.one_of("dimensions", dimensions, (3,))
        limits.one_of("neighbours", neighbours, NEIGHBOURS)
        share = limits.share("dropout", dropout)
        slices = DenseUNet(
            in_channels=in_channels * neighbours, out_channels=out_channels, dimensions=2, layers=layers_2d,
            growth=growth_2d, stem=stem_2d, dropout=dropout, norm=norm,
        )  # fmt: skip
        volume = DenseUNet(
            in_channels=in_channels + out_channels, out_channels=out_channels, dimensions=3, layers=layers_3d,
            growth=growth_3d, stem=stem_3d, dropout=dropout, norm=norm,
        )  # fmt: skip
        edges = zip((1, *slices.multiples), volume.multiples)
        super().__init__(out_channels, [max(pair) for pair in edges])
        self.neighbours = neighbours
        self.deep_supervision = deep_supervision
        self.slices, self.volume = slices, volume
        self.volume.head = nn.Identity()  # the fused features have the logits
        layers = Layers(3, norm)
        self.fusion = nn.Sequential(
            ConvNormAct(layers, volume.features, volume.features),
            nn.Dropout(share),
            layers.convolution(volume.features, out_channels, 1),
        )

    def scores(self, image: Tensor) -> Scores:
        """Volume (batch, channel, z, y, x) -> logits."""
        flat = on_slices(self.slices.decoded, with_neighbours(image, self.neighbours))
        first = on_slices(self.slices.head, flat)
        deep = self.volume.decoded(torch.cat([image, first], 1))
        fused = self.fusion(flat + deep)
        return [fused, first] if self.deep_supervision and self.training else fused


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="HybridDenseUNet",
        build=HybridDenseUNet,
        dimensions=(3,),
        paper="Li et al. 2018, doi:10.1109/TMI.2018.2845918",
        note="Deviates as DenseUNet does; the scores that go into the second network are not scaled.",
    ),
)
