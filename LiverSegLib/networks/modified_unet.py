"""mU-Net: a U-Net whose skips hand on what the way down loses, not what it keeps (Seo et al. 2020)."""

from typing import Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.parts import AnySizeNetwork, ConvNormAct, DoubleConv, Layers, check_ends, numbers
from LiverSegLib.networks.unet_blocks import MAX_BLOCKS, MAX_WIDTH

OBJECTS = ("any", "large", "small")


class ResidualSkip(nn.Module):
    """A skip with a residual path: pooled features, deconvolved and activated, are taken away from it.

    What the decoder gets from below anyway, the low-resolution content, does not come a second time by the
    skip. Of a small object pooling leaves little, and its features must stay in the skip as they are.

    Args:
        layers: of the network.
        channels: of the level.
        convolutions: on the skip, after the subtraction.
        objects: "large": all low-resolution content is taken away; "small": none; "any": a weight between 0
            and 1, estimated at each place from the pooled features, decides.
    """

    def __init__(self, layers: Layers, channels: int, convolutions: int, objects: str) -> None:
        super().__init__()
        self.up = layers.transposed(channels, channels, 2, 2) if objects != "small" else None
        self.gate = layers.convolution(channels, 1, 1) if objects == "any" else None
        self.convolutions = nn.Sequential(
            *(ConvNormAct(layers, channels, channels) for _ in range(convolutions))
        )

    def residual(self, features: Tensor, pooled: Tensor) -> Tensor:
        """Features (batch, c, spatial axes) without the content of ``pooled``, which has half their size."""
        if self.up is None:
            return features
        low = functional.relu(self.up(pooled))
        if self.gate is not None:
            weight = torch.sigmoid(self.gate(pooled))
            low = low * functional.interpolate(weight, scale_factor=2.0, mode="nearest")
        return features - low

    def forward(self, features: Tensor, pooled: Tensor) -> Tensor:
        """What the decoder gets: (batch, c, spatial axes)."""
        return self.convolutions(self.residual(features, pooled))


class ModifiedUNet(AnySizeNetwork):
    """mU-Net (Seo, Huang, Bassenne, Xiao and Xing 2020, doi:10.1109/TMI.2019.2948320, arXiv:1911.00140).

    As published: the U-Net of 2015, and in each skip a residual path (deconvolution and activation of the
    pooled features, subtracted from the skip) and convolutions after it; for small objects the residual path
    is not incorporated. Ours: convolutions keep the size and have a norm; one convolution on each skip unless
    told otherwise; whether objects are small is estimated at each place by a learned weight (``objects``
    "any"), or chosen for the whole network; three dimensions. Its numbers of layers were not compared with
    the publication's.

    Args:
        in_channels, out_channels: of the image and of the logits.
        dimensions: 2 or 3.
        features: channels of each level, finest first.
        skip_convolutions: on each skip.
        objects: which objects the network is for: "any", "large" or "small".
        norm: "instance", "batch", "group" or "none".

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        dimensions: int = 2,
        features: Sequence[int] = (64, 128, 256, 512, 1024),
        skip_convolutions: int = 1,
        objects: str = "any",
        norm: str = "instance",
    ) -> None:
        check_ends(in_channels, out_channels)
        widths = numbers("features", features, MAX_WIDTH)
        limits.whole("skip_convolutions", skip_convolutions, MAX_BLOCKS, 0)
        limits.one_of("objects", objects, OBJECTS)
        layers = Layers(dimensions, norm)
        super().__init__(out_channels, (2 ** (len(widths) - 1),) * dimensions)
        self.pool = layers.max_pooling(2)
        pairs = zip((in_channels, *widths[:-1]), widths)
        self.encoder = nn.ModuleList(DoubleConv(layers, *pair) for pair in pairs)
        self.skips = nn.ModuleList(
            ResidualSkip(layers, width, skip_convolutions, objects) for width in widths[:-1]
        )
        steps = list(zip(widths[:0:-1], widths[-2::-1]))
        self.ups = nn.ModuleList(layers.transposed(coarse, fine, 2, 2) for coarse, fine in steps)
        self.decoder = nn.ModuleList(DoubleConv(layers, 2 * fine, fine) for _, fine in steps)
        self.head = layers.convolution(widths[0], out_channels, 1)

    def scores(self, image: Tensor) -> Tensor:
        """Image (batch, channel, spatial axes) -> logits."""
        skips, x = [], image
        for encode, skip in zip(self.encoder, self.skips):
            x = encode(x)
            pooled = self.pool(x)
            skips.append(skip(x, pooled))
            x = pooled
        x = self.encoder[-1](x)
        for up, decode in zip(self.ups, self.decoder):
            x = decode(torch.cat([up(x), skips.pop()], 1))
        return self.head(x)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="ModifiedUNet",
        build=ModifiedUNet,
        dimensions=(2, 3),
        paper="Seo et al. 2020, doi:10.1109/TMI.2019.2948320",
        note="Norms and size-keeping convolutions; one convolution on each skip; a learned weight says where "
        "objects are small.",
    ),
)
