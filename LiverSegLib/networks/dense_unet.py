"""DenseUNet: DenseNet's encoder with a U-Net's decoder, in two or three dimensions (Li et al. 2018)."""

from typing import Any, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.parts import AnySizeNetwork, ConvNormAct, Layers, check_ends, numbers
from LiverSegLib.networks.unet_blocks import MAX_BLOCKS, MAX_LEVELS, MAX_WIDTH

BOTTLENECK = 4
"""A dense layer's first convolution has so many times the growth as channels (Huang et al. 2017)."""
LAST = 64
"""Channels of the decoder's last level."""
LAYERS_167 = (6, 12, 36, 24)
"""Of DenseNet-161's dense blocks, with growth 48 and 96 channels first (Huang et al. 2017, arXiv:1608.06993):
Li et al. 2018 use it in two dimensions."""
LAYERS_65 = (3, 4, 12, 8)
"""Of the dense blocks that Li et al. 2018 use in three dimensions, with growth 32 and 96 channels first."""


class DenseLayer(nn.Module):
    """Norm, activation and convolution 1, then norm, activation and convolution 3, which make ``growth``
    channels; they are joined to what came in."""

    def __init__(self, kind: Layers, channels: int, growth: int) -> None:
        super().__init__()
        inner = BOTTLENECK * growth
        self.body = nn.Sequential(
            *_normalised(kind, channels),
            kind.convolution(channels, inner, 1, bias=False),
            *_normalised(kind, inner),
            kind.convolution(inner, growth, 3, 1, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, c, spatial axes) -> (batch, c + growth, spatial axes)."""
        return torch.cat([x, self.body(x)], 1)


class DenseEncoder(nn.Module):
    """Convolution 7 with stride 2, pooling, then dense blocks with transitions between, which halve the
    channels and the size (in three dimensions that of y and x alone).

    Attributes:
        widths: channels of the outputs, finest first.
    """

    def __init__(self, kind: Layers, in_channels: int, layers: Sequence[int], growth: int, stem: int) -> None:
        super().__init__()
        self.stem = ConvNormAct(kind, in_channels, stem, 7, 2)
        self.pool = kind.max_pooling(3, 2, 1)
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        width, self.widths = stem, [stem]
        for number, count in enumerate(layers):
            if number:
                half, step = width // 2, _transition_stride(kind)
                convolution = kind.convolution(width, half, 1, bias=False)
                pooling = kind.average_pooling(step, step)
                self.transitions.append(nn.Sequential(*_normalised(kind, width), convolution, pooling))
                width = half
            block = [DenseLayer(kind, width + growth * layer, growth) for layer in range(count)]
            self.blocks.append(nn.Sequential(*block))
            width += growth * count
            self.widths.append(width)
        self.last = nn.Sequential(*_normalised(kind, width))

    def forward(self, image: Tensor) -> List[Tensor]:
        """Image -> features of half its size, of a quarter, ..., finest first."""
        found = [self.stem(image)]
        x = self.blocks[0](self.pool(found[0]))
        for transition, block in zip(self.transitions, list(self.blocks)[1:]):
            found.append(x)
            x = block(transition(x))
        return [*found, self.last(x)]


class DenseUNet(AnySizeNetwork):
    """DenseUNet (Li, Chen, Qi, Dou, Fu and Heng 2018, doi:10.1109/TMI.2018.2845918, arXiv:1709.07330).

    As published: DenseNet's encoder with compression 0.5; a decoder of nearest-neighbor upsampling, sums with
    the encoder's features (the deepest projected to the same width) and convolutions 3, its last level with
    dropout 0.3; in three dimensions transitions leave z as it is. Deviates: instance norm is the default,
    since batch statistics of few slices are poor ("batch" for the publication); the decoder's widths are
    those of the encoder's next finer features, in the variant with 65 layers too, and its sums are there in
    three dimensions too.

    Args:
        in_channels, out_channels: of the image (3 for a slice with its neighbors) and of the logits.
        dimensions: 2 or 3.
        layers: of each dense block, two convolutions each.
        growth: channels that each adds.
        stem: channels of the first convolution.
        dropout: part of the last level's values left out in training.
        norm: "instance", "batch" or "group".

    Attributes:
        features: channels that ``decoded`` gives.

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        dimensions: int = 2,
        layers: Sequence[int] = LAYERS_167,
        growth: int = 48,
        stem: int = 96,
        dropout: float = 0.3,
        norm: str = "instance",
    ) -> None:
        check_ends(in_channels, out_channels)
        kind = Layers(dimensions, norm)
        counts = numbers("layers", layers, MAX_BLOCKS, count=(2, MAX_LEVELS - 2))
        limits.whole("stem", stem, MAX_WIDTH, 2)
        limits.whole("growth", growth, MAX_WIDTH // BOTTLENECK)
        share = limits.share("dropout", dropout)
        limits.whole("stem and growth of all layers", stem + growth * sum(counts), MAX_WIDTH)
        steps = [_transition_stride(kind)] * (len(counts) - 1)
        multiples = tuple(4 * factor ** len(steps) for factor in _transition_stride(kind))
        super().__init__(out_channels, multiples)
        self.encoder = DenseEncoder(kind, in_channels, counts, growth, stem)
        widths = self.encoder.widths
        self.project = kind.convolution(widths[-2], widths[-1], 1)
        outs = [*widths[-3::-1], stem]
        self.decoder = nn.ModuleList(ConvNormAct(kind, *pair) for pair in zip([widths[-1], *outs[:-1]], outs))
        self.scales = [tuple(map(float, step)) for step in [*steps, (2,) * dimensions]]
        self.last = nn.Sequential(
            kind.convolution(stem, LAST, 3, 1, 1, bias=norm == "none"),
            nn.Dropout(share),
            *_normalised(kind, LAST),
        )
        self.features = LAST
        self.head = kind.convolution(LAST, out_channels, 1)

    def decoded(self, image: Tensor) -> Tensor:
        """Image whose edges are multiples of ``multiples`` -> the decoder's last features, of its size."""
        found = self.encoder(image)
        x = found.pop()
        skips = [self.project(found[-1]), *found[-2::-1]]
        for decode, scale, skip in zip(self.decoder, self.scales, skips):
            x = decode(functional.interpolate(x, scale_factor=scale, mode="nearest") + skip)
        return self.last(functional.interpolate(x, scale_factor=2.0, mode="nearest"))

    def scores(self, image: Tensor) -> Tensor:
        """Image (batch, channel, spatial axes) -> logits."""
        return self.head(self.decoded(image))


def dense_unet_167(**arguments: Any) -> DenseUNet:
    """DenseUNet with DenseNet-161's encoder; the arguments are those of DenseUNet."""
    return DenseUNet(**{"layers": LAYERS_167, "growth": 48, **arguments})


def dense_unet_65(**arguments: Any) -> DenseUNet:
    """DenseUNet with 65 layers; the arguments are those of DenseUNet."""
    return DenseUNet(**{"layers": LAYERS_65, "growth": 32, **arguments})


def _normalised(kind: Layers, channels: int) -> Tuple[nn.Module, nn.Module]:
    return kind.normalised(channels), kind.active(channels)


def _transition_stride(kind: Layers) -> Tuple[int, ...]:
    return (1, 2, 2) if kind.axes == 3 else (2, 2)


PAPER = "Li et al. 2018, doi:10.1109/TMI.2018.2845918"
NOTE = "Instance norm instead of batch norm; "

ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="DenseUNet167",
        build=dense_unet_167,
        dimensions=(2, 3),
        paper=PAPER,
        note=NOTE + "the encoder has DenseNet-161's 26,472,000 weights for an image of three channels.",
    ),
    Architecture(
        name="DenseUNet65",
        build=dense_unet_65,
        dimensions=(2, 3),
        paper=PAPER,
        note=NOTE
        + "published in three dimensions; the authors' code has no sums with the encoder's features there.",
    ),
)
