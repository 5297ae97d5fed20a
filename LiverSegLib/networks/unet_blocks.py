"""What nnU-Net's two U-Nets have in common: convolutions with norm and activation, the decoder, their limits.

Both are described by the arguments that nnU-Net's plans hold (Isensee et al. 2021 and 2024), in plain JSON: a
list with an entry for each level, finest first, for widths, kernels, strides and numbers of convolutions.
Kernels and strides are numbers for each axis of the network, two or three.
"""

import math
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Tuple, Type

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks.limits import whole
from LiverSegLib.networks.residual_unet import InstanceNorm

MAX_LEVELS = 12
MAX_WIDTH = 4096
MAX_BLOCKS = 64
MAX_KERNEL = 15
MAX_STRIDE = 16
"""More than any network has that fits a graphics card: a hostile model cannot ask for more memory than there
is."""

Sizes = Tuple[int, ...]


class BatchNorm(nn.Module):
    """Batch normalisation with the statistics of the training, in two or three dimensions."""

    def __init__(self, channels: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` of shape (batch, channel, spatial axes)."""
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return functional.batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.epsilon)


@dataclass(frozen=True)
class Style:
    """What all convolutions of a network share.

    Attributes:
        axes: 2 or 3.
        bias: whether convolutions add one.
        norm: "instance" or "batch".
        epsilon: added to the variance that a norm divides by.
        negative_slope: of the leaky ReLU; 0 for a ReLU.
    """

    axes: int
    bias: bool
    norm: str
    epsilon: float
    negative_slope: float

    @property
    def convolution(self) -> Type[Any]:
        return nn.Conv3d if self.axes == 3 else nn.Conv2d

    @property
    def transposed(self) -> Type[Any]:
        return nn.ConvTranspose3d if self.axes == 3 else nn.ConvTranspose2d

    @property
    def pooling(self) -> Type[Any]:
        return nn.AvgPool3d if self.axes == 3 else nn.AvgPool2d

    def activation(self) -> nn.Module:
        return nn.LeakyReLU(self.negative_slope, inplace=True)


class ConvNormAct(nn.Module):
    """Convolution that keeps the size (but for its stride), norm and, unless it is the last before a sum,
    leaky ReLU."""

    def __init__(
        self,
        style: Style,
        channels: Tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int],
        *,
        bias: Optional[bool] = None,
        active: bool = True,
    ) -> None:
        super().__init__()
        padding = tuple((edge - 1) // 2 for edge in kernel)
        with_bias = style.bias if bias is None else bias
        self.conv = style.convolution(*channels, tuple(kernel), tuple(stride), padding, bias=with_bias)
        norm = InstanceNorm if style.norm == "instance" else BatchNorm
        self.norm = norm(channels[1], style.epsilon)
        self.act: nn.Module = style.activation() if active else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, spatial axes) -> (batch, out, spatial axes / stride)."""
        return self.act(self.norm(self.conv(x)))


class Decoder(nn.Module):
    """The way up: transposed convolutions, each followed by convolutions of it and the encoder's level."""

    def __init__(
        self,
        style: Style,
        widths: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convolutions: Sequence[int],
        out_channels: int,
    ) -> None:
        super().__init__()
        self.ups, self.levels = nn.ModuleList(), nn.ModuleList()
        one = (1,) * style.axes
        for step, count in enumerate(convolutions, 1):  # the deepest first
            below, width, stride = widths[-step], widths[-step - 1], tuple(strides[-step])
            self.ups.append(style.transposed(below, width, stride, stride, bias=style.bias))
            pairs = [(2 * width, width)] + [(width, width)] * (count - 1)
            blocks = [ConvNormAct(style, pair, kernels[-step - 1], one) for pair in pairs]
            self.levels.append(nn.Sequential(*blocks))
        self.head = style.convolution(widths[0], out_channels, 1)

    def forward(self, skips: Sequence[Tensor]) -> Tensor:
        """The encoder's levels, finest first -> logits on the finest grid."""
        x = skips[-1]
        for up, level, skip in zip(self.ups, self.levels, reversed(skips[:-1])):
            x = level(torch.cat([up(x), skip], 1))
        return self.head(x)


def size_multiple(strides: Sequence[Sequence[int]]) -> Sizes:
    """Of what numbers the edges of an image must be multiples, per axis."""
    return tuple(math.prod(steps) for steps in zip(*strides))


def check_levels(
    channels: Mapping[str, int],
    widths: Sequence[int],
    kernels: Sequence[Sequence[int]],
    strides: Sequence[Sequence[int]],
    counts: Mapping[str, Sequence[int]],
) -> None:
    """Raise ValueError unless the arguments are possible and fit each other, before anything is allocated.

    Args:
        channels: in and out, by the name of the argument.
        widths, kernels, strides: for each level.
        counts: convolutions or blocks by the name of the argument; the decoder's has one level less.
    """
    levels = len(widths)
    if not 2 <= levels <= MAX_LEVELS:
        raise ValueError(f"features_per_stage must have 2 to {MAX_LEVELS} levels, not {levels}")
    for name, value in channels.items():
        whole(name, value, MAX_WIDTH)
    for value in widths:
        whole("features_per_stage", value, MAX_WIDTH)
    axes = {len(edges) if isinstance(edges, (list, tuple)) else 0 for edges in (*kernels, *strides)}
    if len(kernels) != levels or len(strides) != levels or axes not in ({2}, {3}):
        raise ValueError(f"kernel_sizes and strides must have two or three axes on each of {levels} levels")
    for edges in kernels:
        for edge in edges:
            if whole("kernel_sizes", edge, MAX_KERNEL) % 2 == 0:
                raise ValueError(f"kernel_sizes must be odd, not {edge}")
    for steps in strides:
        for step in steps:
            whole("strides", step, MAX_STRIDE)
    for name, numbers in counts.items():
        expected = levels - 1 if name.endswith("decoder") else levels
        if len(numbers) != expected:
            raise ValueError(f"{name} must have {expected} numbers, not {len(numbers)}")
        for number in numbers:
            whole(name, number, MAX_BLOCKS)


def make_style(
    kernels: Sequence[Sequence[int]], conv_bias: bool, norm: str, eps: float, negative_slope: float
) -> Style:
    """What all convolutions share, from the arguments that a manifest has.

    Raises:
        ValueError: the norm is not known, or a number is not possible.
    """
    if norm not in ("instance", "batch"):
        raise ValueError(f"norm must be instance or batch, not {norm!r}")
    if not 0 < float(eps) < 1 or not 0 <= float(negative_slope) < 1:
        raise ValueError("eps must be above 0 and negative_slope from 0 on, both below 1")
    return Style(len(kernels[0]), bool(conv_bias), norm, float(eps), float(negative_slope))
