"""What the networks of several papers have in common: layers for two or three dimensions, blocks, slices."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Callable, Sequence, Tuple, Type, Union

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks.architecture import Scores, on_padded
from LiverSegLib.networks.limits import one_of, whole
from LiverSegLib.networks.residual_unet import InstanceNorm
from LiverSegLib.networks.unet_blocks import MAX_KERNEL, MAX_LEVELS, MAX_STRIDE, MAX_WIDTH

NORMS = ("instance", "batch", "group", "none")
ACTIVATIONS = ("relu", "leaky_relu", "prelu", "elu")
GROUPS = 8
"""Channels are normalised in at most so many groups, where ``norm`` is "group"."""

Edges = Union[int, Sequence[int]]


@dataclass(frozen=True)
class Layers:
    """The layers of a network in two or three dimensions, with one norm and one activation.

    Attributes:
        axes: 2 or 3.
        norm: "instance" (also right for a batch of one), "batch", "group" or "none".
        activation: "relu", "leaky_relu", "prelu" or "elu".

    Raises:
        ValueError: the norm or the activation is not known.
    """

    axes: int
    norm: str = "instance"
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.axes not in (2, 3):
            raise ValueError(f"dimensions must be 2 or 3, not {self.axes!r:.40}")
        one_of("norm", self.norm, NORMS)
        one_of("activation", self.activation, ACTIVATIONS)

    @property
    def convolution(self) -> Type[Any]:
        return nn.Conv3d if self.axes == 3 else nn.Conv2d

    @property
    def transposed(self) -> Type[Any]:
        return nn.ConvTranspose3d if self.axes == 3 else nn.ConvTranspose2d

    @property
    def max_pooling(self) -> Type[Any]:
        return nn.MaxPool3d if self.axes == 3 else nn.MaxPool2d

    @property
    def average_pooling(self) -> Type[Any]:
        return nn.AvgPool3d if self.axes == 3 else nn.AvgPool2d

    @property
    def linear(self) -> str:
        """The interpolator's name in torch."""
        return "trilinear" if self.axes == 3 else "bilinear"

    def normalised(self, channels: int) -> nn.Module:
        """The norm of so many channels."""
        if self.norm == "instance":
            return InstanceNorm(channels)
        if self.norm == "group":
            return nn.GroupNorm(math.gcd(GROUPS, channels), channels)
        if self.norm == "none":
            return nn.Identity()
        return nn.BatchNorm3d(channels) if self.axes == 3 else nn.BatchNorm2d(channels)

    def active(self, channels: int) -> nn.Module:
        """The activation of so many channels; PReLU has a slope for each."""
        choices = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU}
        return nn.PReLU(channels) if self.activation == "prelu" else choices[self.activation]()


class ConvNormAct(nn.Sequential):
    """Convolution that keeps the size (but for its stride), norm, activation; kernels are odd."""

    def __init__(
        self, layers: Layers, in_channels: int, out_channels: int, kernel: Edges = 3, stride: Edges = 1
    ) -> None:
        edges = [kernel] * layers.axes if isinstance(kernel, int) else list(kernel)
        padding = tuple(edge // 2 for edge in edges)
        bias = layers.norm == "none"  # a norm takes it away
        steps = stride if isinstance(stride, int) else tuple(stride)
        super().__init__(
            layers.convolution(in_channels, out_channels, tuple(edges), steps, padding, bias=bias),
            layers.normalised(out_channels),
            layers.active(out_channels),
        )


class DoubleConv(nn.Sequential):
    """Two convolutions 3 with norm and activation, as the levels of a U-Net have."""

    def __init__(self, layers: Layers, in_channels: int, out_channels: int) -> None:
        super().__init__(
            ConvNormAct(layers, in_channels, out_channels), ConvNormAct(layers, out_channels, out_channels)
        )


class AnySizeNetwork(nn.Module, ABC):
    """A network whose image is padded to multiples of ``multiples``, and its logits cut back.

    A class of this sort says in ``scores`` what becomes of the padded image.

    Attributes:
        out_channels: channels of the logits.
        multiples: for each spatial axis.
        size_multiple: one number for all axes.
    """

    def __init__(self, out_channels: int, multiples: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.multiples = tuple(multiples)
        self.size_multiple = math.lcm(*self.multiples)

    def forward(self, image: Tensor) -> Scores:
        """Image (batch, channel, spatial axes) of any size -> logits of that size."""
        return on_padded(self.scores, image, self.multiples)

    @abstractmethod
    def scores(self, image: Tensor) -> Scores:
        """The logits of an image whose edges are multiples of ``multiples``."""


def on_slices(network: Callable[[Tensor], Tensor], volume: Tensor) -> Tensor:
    """Run a network of two dimensions on all slices of volumes.

    Args:
        network: (slices, c, y, x) -> (slices, d, y', x').
        volume: (batch, c, z, y, x).

    Returns:
        (batch, d, z, y', x').
    """
    return stacked(network(slices_of(volume)), int(volume.shape[2]))


def slices_of(volume: Tensor) -> Tensor:
    """(batch, c, z, y, x) -> (batch * z, c, y, x), the slices of a volume in turn."""
    return volume.permute(0, 2, 1, 3, 4).flatten(0, 1)


def stacked(slices: Tensor, depth: int) -> Tensor:
    """Undo ``slices_of``: (batch * depth, c, y, x) -> (batch, c, depth, y, x)."""
    return slices.unflatten(0, (-1, depth)).permute(0, 2, 1, 3, 4)


def with_neighbours(volume: Tensor, count: int) -> Tensor:
    """Each slice's neighbors as its channels; beyond the ends the end slices are repeated.

    Args:
        volume: (batch, c, z, y, x).
        count: odd number of slices, the middle one included.

    Returns:
        (batch, count * c, z, y, x).
    """
    half, depth = count // 2, int(volume.shape[2])
    above, below = volume[:, :, :1], volume[:, :, -1:]
    longer = torch.cat([above] * half + [volume] + [below] * half, 2)
    return torch.cat([longer[:, :, start : start + depth] for start in range(count)], 1)


def scaled(image: Tensor, factor: float, layers: Layers) -> Tensor:
    """(batch, c, spatial axes) linearly interpolated to ``factor`` times its size."""
    return functional.interpolate(image, scale_factor=factor, mode=layers.linear, align_corners=False)


def numbers(
    name: str, values: Any, most: int, *, count: Tuple[int, int] = (2, MAX_LEVELS)
) -> Tuple[int, ...]:
    """Whole numbers from 1 to ``most``, between ``count`` of them; otherwise ValueError."""
    if not isinstance(values, (list, tuple)) or not count[0] <= len(values) <= count[1]:
        amount = str(count[0]) if count[0] == count[1] else f"{count[0]} to {count[1]}"
        raise ValueError(f"{name} must be a list of {amount} numbers, not {values!r:.40}")
    return tuple(whole(name, value, most) for value in values)


def check_ends(in_channels: int, out_channels: int) -> None:
    """Raise ValueError unless a network can have so many channels at its ends."""
    whole("in_channels", in_channels, MAX_WIDTH)
    whole("out_channels", out_channels, MAX_WIDTH)


def kernels_and_strides(kernels: Any, strides: Any, steps: int, axes: int) -> Tuple[Tuple[Any, Any], ...]:
    """Kernel and stride, per axis, of each step between levels; both 2 where they are None.

    Raises:
        ValueError: their numbers do not fit ``steps`` and ``axes``, or a kernel is smaller than its stride,
            so that voxels would be passed over.
    """
    plain = [[2] * axes] * steps
    pairs = []
    lists = [plain if values is None else values for values in (kernels, strides)]
    for name, values in zip(("kernel_sizes", "strides"), lists):
        if not isinstance(values, (list, tuple)) or len(values) != steps:
            raise ValueError(f"{name} must have an entry for each of {steps} steps down, not {values!r:.40}")
    for kernel, stride in zip(*lists):
        edges = numbers("kernel_sizes", kernel, MAX_KERNEL, count=(axes, axes))
        moves = numbers("strides", stride, MAX_STRIDE, count=(axes, axes))
        if any(edge < move for edge, move in zip(edges, moves)):
            raise ValueError(f"kernel_sizes must not be smaller than strides: {edges} and {moves}")
        pairs.append((edges, moves))
    return tuple(pairs)
