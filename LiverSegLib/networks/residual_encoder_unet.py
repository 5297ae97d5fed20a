"""nnU-Net's U-Net with a residual encoder (Isensee et al. 2024, arXiv:2404.09556), in two or three
dimensions."""

from typing import List, Sequence, Tuple

from torch import Tensor, nn

from LiverSegLib.networks.unet_blocks import (
    ConvNormAct,
    Decoder,
    Style,
    check_levels,
    make_style,
    size_multiple,
)


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, which pools where the block has a stride and projects where it widens
    (ResNet-D, He et al. 2019, arXiv:1812.01187)."""

    def __init__(
        self, style: Style, channels: Tuple[int, int], kernel: Sequence[int], stride: Sequence[int]
    ) -> None:
        super().__init__()
        one = (1,) * style.axes
        self.first = ConvNormAct(style, channels, kernel, stride)
        self.second = ConvNormAct(style, (channels[1], channels[1]), kernel, one, active=False)
        steps: List[nn.Module] = []
        if any(step != 1 for step in stride):
            steps.append(style.pooling(tuple(stride), tuple(stride)))
        if channels[0] != channels[1]:
            steps.append(ConvNormAct(style, channels, one, one, bias=False, active=False))
        self.shortcut = nn.Sequential(*steps)
        self.act = style.activation()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, spatial axes) -> (batch, out, spatial axes / stride)."""
        y = self.second(self.first(x))
        y += self.shortcut(x)
        return self.act(y)


class ResidualEncoderUNet(nn.Module):
    """A stem, levels of residual blocks, the first of each with the level's stride, and a plain decoder.

    Args:
        in_channels: of the image; with the labels of a network before it, one more for each.
        out_channels: classes, or regions.
        features_per_stage: channels of each level, finest first.
        kernel_sizes, strides: for each level, a number for each axis.
        n_blocks_per_stage: residual blocks of each level.
        n_conv_per_stage_decoder: convolutions of the decoder's levels, deepest first, which are one less.
        conv_bias: whether convolutions add one.
        norm: "instance" or "batch".
        eps: of the norm.
        negative_slope: of the leaky ReLU; 0 for a ReLU.

    Attributes:
        size_multiple: of what numbers the edges of an image must be multiples, per axis.

    Raises:
        ValueError: the arguments do not fit together, or ask for more than any network has.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        features_per_stage: Sequence[int],
        kernel_sizes: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        n_blocks_per_stage: Sequence[int],
        n_conv_per_stage_decoder: Sequence[int],
        conv_bias: bool = False,
        norm: str = "instance",
        eps: float = 1e-5,
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__()
        ends = {"in_channels": in_channels, "out_channels": out_channels}
        counts = {
            "n_blocks_per_stage": n_blocks_per_stage,
            "n_conv_per_stage_decoder": n_conv_per_stage_decoder,
        }
        check_levels(ends, features_per_stage, kernel_sizes, strides, counts)
        style = make_style(kernel_sizes, conv_bias, norm, eps, negative_slope)
        self.out_channels = out_channels
        self.size_multiple = size_multiple(strides)
        one, width = (1,) * style.axes, features_per_stage[0]
        self.stem = ConvNormAct(style, (in_channels, width), kernel_sizes[0], one)
        self.encoder = nn.ModuleList()
        for level, features in enumerate(features_per_stage):
            first = ResidualBlock(style, (width, features), kernel_sizes[level], strides[level])
            rest = [
                ResidualBlock(style, (features, features), kernel_sizes[level], one)
                for _ in range(n_blocks_per_stage[level] - 1)
            ]
            self.encoder.append(nn.Sequential(first, *rest))
            width = features
        self.decoder = Decoder(
            style, features_per_stage, kernel_sizes, strides, n_conv_per_stage_decoder, out_channels
        )

    def forward(self, image: Tensor) -> Tensor:
        """Image (batch, in, spatial axes), each size a multiple of ``size_multiple`` -> logits, same grid."""
        skips, x = [], self.stem(image)
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        return self.decoder(skips)
