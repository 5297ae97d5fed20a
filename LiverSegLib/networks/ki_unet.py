"""KiU-Net: a U-Net and a branch that enlarges its features exchange them (Valanarasu et al. 2020)."""

from typing import List, Optional, Sequence, Tuple

from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.parts import AnySizeNetwork, Layers, check_ends, numbers, scaled
from LiverSegLib.networks.unet_blocks import MAX_WIDTH

MAX_ENLARGEMENTS = 4
"""Each doubles every edge of the features; more fill any memory."""
FEATURES = {2: (16, 32, 64), 3: (16, 32)}


class Step(nn.Module):
    """Convolution 3, then half or twice the size, norm and ReLU.

    Args:
        layers: of the network.
        channels: in and out.
        larger: twice the size, by linear interpolation; otherwise half, by the largest values.
    """

    def __init__(self, layers: Layers, channels: Tuple[int, int], larger: bool) -> None:
        super().__init__()
        self.layers, self.larger = layers, larger
        self.conv = layers.convolution(*channels, 3, 1, 1, bias=layers.norm == "none")
        self.pool = layers.max_pooling(2)
        self.after = nn.Sequential(layers.normalised(channels[1]), layers.active(channels[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, spatial axes) -> (batch, out, spatial axes * 2 or / 2)."""
        x = self.conv(x)
        if self.larger:
            return self.after(scaled(x, 2.0, self.layers))
        return self.after(self.pool(x))


class CrossResidual(nn.Module):
    """Cross residual feature block: to each branch a convolution of the other's features is added, brought to
    its size by linear interpolation.

    Args:
        layers: of the network.
        channels: of both branches.
        ratio: of their sizes.
    """

    def __init__(self, layers: Layers, channels: int, ratio: int) -> None:
        super().__init__()
        self.layers, self.ratio = layers, float(ratio)
        self.of_small, self.of_large = (
            nn.Sequential(
                layers.convolution(channels, channels, 3, 1, 1, bias=layers.norm == "none"),
                layers.normalised(channels),
                layers.active(channels),
            )
            for _ in range(2)
        )

    def forward(self, small: Tensor, large: Tensor) -> Tuple[Tensor, Tensor]:
        """Features of the U-Net's branch and of the other, (batch, c, spatial axes) each, and back."""
        to_small = scaled(self.of_large(large), 1 / self.ratio, self.layers)
        to_large = scaled(self.of_small(small), self.ratio, self.layers)
        return small + to_small, large + to_large


class Branch(nn.Module):
    """Encoder and decoder of one branch, as steps; the decoder ends with half the first width.

    Args:
        layers: of the network.
        in_channels: of the image.
        widths: after each step of the encoder.
        larger: whether the encoder's steps enlarge, and the decoder's make smaller.
    """

    def __init__(self, layers: Layers, in_channels: int, widths: Sequence[int], larger: bool) -> None:
        super().__init__()
        downs = zip((in_channels, *widths[:-1]), widths)
        ups = zip(widths[::-1], (*widths[-2::-1], (widths[0] + 1) // 2))
        self.encoder = nn.ModuleList(Step(layers, pair, larger) for pair in downs)
        self.decoder = nn.ModuleList(Step(layers, pair, not larger) for pair in ups)


class KiUNet(AnySizeNetwork):
    """KiU-Net (Valanarasu, Sindagi, Hacihaliloglu and Patel 2020, doi:10.1007/978-3-030-59719-1_36,
    arXiv:2006.04878) and KiU-Net 3D (2021, doi:10.1109/TMI.2021.3130469, arXiv:2010.01663).

    As published: in the one branch features become smaller by max-pooling, in the other (over-complete,
    Ki-Net) larger by interpolation; cross residual feature blocks exchange them after each step but the last;
    skips are added; both decoders' outputs are added. Deviates: instance norm instead of batch norm; no ReLU
    on the logits. In three dimensions the authors begin with a convolution of stride 2 and have three steps,
    not all of which enlarge; here there are two by default, which all do: features of 8 times as many voxels
    as the image.

    Args:
        in_channels, out_channels: of the image and of the logits.
        dimensions: 2 or 3.
        features: channels after each step of both encoders; if not given 16, 32 and, in two dimensions, 64.
        stem_stride: 1, or 2 to run both branches at half resolution; if not given 1 in two dimensions and 2
            in three.
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
        features: Optional[Sequence[int]] = None,
        stem_stride: Optional[int] = None,
        norm: str = "instance",
    ) -> None:
        check_ends(in_channels, out_channels)
        layers = Layers(dimensions, norm)
        given = FEATURES[dimensions] if features is None else features
        widths = numbers("features", given, MAX_WIDTH, count=(1, MAX_ENLARGEMENTS))
        stride = dimensions - 1 if stem_stride is None else limits.whole("stem_stride", stem_stride, 2)
        super().__init__(out_channels, (stride * 2 ** len(widths),) * dimensions)
        self.layers, self.stride = layers, stride
        self.stem = nn.Identity() if stride == 1 else layers.convolution(in_channels, in_channels, 3, 2, 1)
        self.small = Branch(layers, in_channels, widths, larger=False)
        self.large = Branch(layers, in_channels, widths, larger=True)
        levels = [(width, 4**step) for step, width in enumerate(widths, 1)]
        self.crossings = nn.ModuleList(CrossResidual(layers, *level) for level in (*levels, *levels[-2::-1]))
        self.head = layers.convolution((widths[0] + 1) // 2, out_channels, 1)

    def encoded(self, image: Tensor) -> List[Tuple[Tensor, Tensor]]:
        """Features of both branches, of the U-Net's first, after each step of the encoders."""
        small = large = self.stem(image)
        found = []
        for down, up, cross in zip(self.small.encoder, self.large.encoder, self.crossings):
            small, large = cross(down(small), up(large))
            found.append((small, large))
        return found

    def scores(self, image: Tensor) -> Tensor:
        """Image (batch, channel, spatial axes) -> logits."""
        skips = self.encoded(image)
        small, large = skips.pop()
        crossings = list(self.crossings)[len(skips) + 1 :]
        for step, (up, down) in enumerate(zip(self.small.decoder, self.large.decoder)):
            small, large = up(small), down(large)
            if skips:
                skip = skips.pop()
                small, large = crossings[step](small, large)
                small, large = small + skip[0], large + skip[1]
        logits = self.head(small + large)
        return logits if self.stride == 1 else scaled(logits, float(self.stride), self.layers)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="KiUNet",
        build=KiUNet,
        dimensions=(2, 3),
        paper="Valanarasu et al. 2020, arXiv:2006.04878",
        paper_parameters=290_000,
        note="Instance norm; the authors count 74,000 weights of a block that their network does not use.",
    ),
)
