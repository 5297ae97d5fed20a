"""V-Net with kernel and stride of each step between its levels, so that thick slices can keep their z."""

from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores
from LiverSegLib.networks.parts import (
    AnySizeNetwork,
    ConvNormAct,
    Layers,
    check_ends,
    kernels_and_strides,
    numbers,
)
from LiverSegLib.networks.unet_blocks import MAX_BLOCKS, MAX_KERNEL, MAX_WIDTH, size_multiple

Sizes = Tuple[int, ...]


class Down(nn.Module):
    """Strided convolution whose output has the input's size divided by the stride, whatever the kernel."""

    def __init__(self, layers: Layers, channels: Tuple[int, int], kernel: Sizes, stride: Sizes) -> None:
        super().__init__()
        missing = [edge - step for edge, step in zip(kernel, stride)]
        self.pads = [amount for m in reversed(missing) for amount in (m // 2, m - m // 2)]
        bias = layers.norm == "none"
        self.conv = layers.convolution(*channels, kernel, stride, bias=bias)
        self.after = nn.Sequential(layers.normalised(channels[1]), layers.active(channels[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, spatial axes) -> (batch, out, spatial axes / stride)."""
        return self.after(self.conv(functional.pad(x, self.pads) if any(self.pads) else x))


class Up(nn.Module):
    """Transposed convolution whose output has the input's size times the stride, whatever the kernel."""

    def __init__(self, layers: Layers, channels: Tuple[int, int], kernel: Sizes, stride: Sizes) -> None:
        super().__init__()
        surplus = [edge - step for edge, step in zip(kernel, stride)]
        ends = [n // 2 - n for n in surplus]
        self.place = [slice(n // 2, end if end else None) for n, end in zip(surplus, ends)]
        bias = layers.norm == "none"
        self.conv = layers.transposed(*channels, kernel, stride, bias=bias)
        self.after = nn.Sequential(layers.normalised(channels[1]), layers.active(channels[1]))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, spatial axes) -> (batch, out, spatial axes * stride)."""
        return self.after(self.conv(x)[(..., *self.place)])


class ResidualStage(nn.Module):
    """Convolutions, and the stage's input added before the last activation."""

    def __init__(self, layers: Layers, channels: int, convolutions: int, kernel: int) -> None:
        super().__init__()
        blocks = [ConvNormAct(layers, channels, channels, kernel) for _ in range(convolutions)]
        self.last = nn.Sequential(*list(blocks[-1])[:2])  # its activation follows the sum
        self.rest = nn.Sequential(*blocks[:-1])
        self.act = layers.active(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, c, spatial axes), as it comes in."""
        return self.act(self.last(self.rest(x)) + x)


class VNet(AnySizeNetwork):
    """V-Net (Milletari, Navab and Ahmadi 2016, arXiv:1606.04797).

    As published: residual stages of 1, 2, 3, 3, 3 convolutions 5 x 5 x 5 and, on the way up, 3, 3, 2, 1, of
    twice the encoder's widths; strided convolutions down, transposed ones up, PReLU. Deviates: a norm after
    each convolution ("none" for the publication); the first stage projects an image of several channels,
    where one channel is added to all. Kernel and stride of each step down may be chosen per axis, as in the
    V-Net of PaddleSeg's MedicalSeg: kernel 4, 2, 2 with stride 1, 2, 2 keeps z. Two dimensions are ours.

    Args:
        in_channels, out_channels: of the image and of the logits.
        dimensions: 2 or 3.
        features: channels of each level, finest first.
        encoder_convolutions: of each level.
        decoder_convolutions: of each level on the way up, deepest first, one less.
        kernel_sizes, strides: of each step down, per axis (z, y, x), one less than levels; 2 if not given.
        convolution_kernel: edge of the stages' convolutions, odd.
        activation: "prelu", "elu", "relu" or "leaky_relu".
        norm: "instance", "batch", "group" or "none".
        dropout: part of the channels that are left out in training, at the two deepest levels.
        deep_supervision: in training, logits of each level of the decoder, finest first.

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        dimensions: int = 3,
        features: Sequence[int] = (16, 32, 64, 128, 256),
        encoder_convolutions: Sequence[int] = (1, 2, 3, 3, 3),
        decoder_convolutions: Sequence[int] = (3, 3, 2, 1),
        kernel_sizes: Optional[Sequence[Sequence[int]]] = None,
        strides: Optional[Sequence[Sequence[int]]] = None,
        convolution_kernel: int = 5,
        activation: str = "prelu",
        norm: str = "instance",
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        check_ends(in_channels, out_channels)
        layers = Layers(dimensions, norm, activation)
        widths = numbers("features", features, MAX_WIDTH // 2)
        levels = len(widths)
        downs = numbers("encoder_convolutions", encoder_convolutions, MAX_BLOCKS, count=(levels, levels))
        ups = numbers(
            "decoder_convolutions", decoder_convolutions, MAX_BLOCKS, count=(levels - 1, levels - 1)
        )
        steps = kernels_and_strides(kernel_sizes, strides, levels - 1, dimensions)
        if limits.whole("convolution_kernel", convolution_kernel, MAX_KERNEL) % 2 == 0:
            raise ValueError(f"convolution_kernel must be odd, not {convolution_kernel}")
        share = limits.share("dropout", dropout)
        super().__init__(out_channels, size_multiple([stride for _, stride in steps]))
        self.deep_supervision = deep_supervision
        first = ConvNormAct(layers, in_channels, widths[0], convolution_kernel)
        self.stem, self.stem_act = nn.Sequential(*list(first)[:2]), layers.active(widths[0])
        self.project = nn.Identity() if in_channels == 1 else layers.convolution(in_channels, widths[0], 1)
        self.first = nn.Sequential(
            *(ConvNormAct(layers, widths[0], widths[0], convolution_kernel) for _ in range(downs[0] - 1))
        )
        drop = nn.Dropout3d if dimensions == 3 else nn.Dropout2d
        self.downs, self.encoder = nn.ModuleList(), nn.ModuleList()
        for level, (kernel, stride) in enumerate(steps, 1):
            self.downs.append(Down(layers, (widths[level - 1], widths[level]), kernel, stride))
            stage = ResidualStage(layers, widths[level], downs[level], convolution_kernel)
            deep = share > 0 and level >= levels - 2
            self.encoder.append(nn.Sequential(drop(share), stage) if deep else stage)
        self.ups, self.decoder, self.heads = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width = widths[-1]
        for level, count in zip(range(levels - 2, -1, -1), ups):
            self.ups.append(Up(layers, (width, widths[level]), *steps[level]))
            width = 2 * widths[level]
            self.decoder.append(ResidualStage(layers, width, count, convolution_kernel))
            if deep_supervision or level == 0:
                self.heads.append(layers.convolution(width, out_channels, 1))

    def scores(self, image: Tensor) -> Scores:
        """Image (batch, channel, spatial axes) -> logits."""
        x = self.stem_act(self.first(self.stem(image)) + self.project(image))
        skips = [x]
        for down, stage in zip(self.downs, self.encoder):
            skips.append(stage(down(skips[-1])))
        x = skips.pop()
        found: List[Tensor] = []
        for up, stage in zip(self.ups, self.decoder):
            x = stage(torch.cat([up(x), skips.pop()], 1))
            found.append(x)
        if not (self.deep_supervision and self.training):
            return self.heads[-1](x)
        return [head(level) for head, level in zip(self.heads, found)][::-1]


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="VNet",
        build=VNet,
        dimensions=(3, 2),
        paper="Milletari et al. 2016, arXiv:1606.04797",
        note="A norm after each convolution; kernel and stride per step, as in PaddleSeg's MedicalSeg.",
    ),
)
