"""nnU-Net's plain convolutional U-Net (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), in two or three
dimensions."""

from typing import Sequence

from torch import Tensor, nn

from LiverSegLib.networks.unet_blocks import (
    ConvNormAct,
    Decoder,
    check_levels,
    make_style,
    size_multiple,
)


class PlainConvUNet(nn.Module):
    """Levels of convolutions, the first of each with the level's stride; skips are concatenated.

    Args:
        in_channels: of the image; with the labels of a network before it, one more for each.
        out_channels: classes, or regions.
        features_per_stage: channels of each level, finest first.
        kernel_sizes, strides: for each level, a number for each axis.
        n_conv_per_stage: convolutions of each level of the encoder.
        n_conv_per_stage_decoder: the same of the decoder, deepest first, which has one level less.
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
        n_conv_per_stage: Sequence[int],
        n_conv_per_stage_decoder: Sequence[int],
        conv_bias: bool = False,
        norm: str = "instance",
        eps: float = 1e-5,
        negative_slope: float = 0.01,
    ) -> None:
        super().__init__()
        ends = {"in_channels": in_channels, "out_channels": out_channels}
        counts = {"n_conv_per_stage": n_conv_per_stage, "n_conv_per_stage_decoder": n_conv_per_stage_decoder}
        check_levels(ends, features_per_stage, kernel_sizes, strides, counts)
        style = make_style(kernel_sizes, conv_bias, norm, eps, negative_slope)
        self.out_channels = out_channels
        self.size_multiple = size_multiple(strides)
        self.encoder = nn.ModuleList()
        one, width = (1,) * style.axes, in_channels
        for level, features in enumerate(features_per_stage):
            first = ConvNormAct(style, (width, features), kernel_sizes[level], strides[level])
            rest = [
                ConvNormAct(style, (features, features), kernel_sizes[level], one)
                for _ in range(n_conv_per_stage[level] - 1)
            ]
            self.encoder.append(nn.Sequential(first, *rest))
            width = features
        self.decoder = Decoder(
            style, features_per_stage, kernel_sizes, strides, n_conv_per_stage_decoder, out_channels
        )

    def forward(self, image: Tensor) -> Tensor:
        """Image (batch, in, spatial axes), each size a multiple of ``size_multiple`` -> logits, same grid."""
        skips = []
        for level in self.encoder:
            image = level(image)
            skips.append(image)
        return self.decoder(skips)
