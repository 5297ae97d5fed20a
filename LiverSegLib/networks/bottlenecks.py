"""What a U-Net of ours can have below its deepest level, to see further: several scales at once.

All keep the shape (batch, channel, spatial axes).
"""

from typing import Any, Callable, Dict

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks.blocks import CONVOLUTION, Style
from LiverSegLib.networks.monai_networks import nets_of_monai

ASPP_RATES = (1, 2, 4, 6)
"""Dilations side by side, the first of a convolution of 1. DeepLab's 6, 12, 18 are for images four times as
large as the deepest level of a U-Net is."""
HYBRID_RATES = (1, 2, 5)
"""Dilations one after the other: they leave no hole in what is seen (Wang et al. 2018, section 3.2)."""
PYRAMID_BINS = (1, 2, 3, 6)
"""Cells per axis of each level of the pyramid (Zhao et al. 2017)."""
POOLING_KERNELS = (2, 3, 5, 6)
"""Edges of the max poolings (Gu et al. 2019)."""
MODE = {2: "bilinear", 3: "trilinear"}


def aspp(style: Style, channels: int) -> nn.Module:
    """Atrous spatial pyramid pooling: dilated convolutions side by side, then one of 1 that mixes them (Chen
    et al. 2018, doi:10.1109/TPAMI.2017.2699184): MONAI's SimpleASPP, which has no image-level mean.

    Raises:
        ModelError: MONAI is not installed.
        ValueError: the channels are no multiple of 4.
    """
    if channels % len(ASPP_RATES):
        raise ValueError(f"channels: the deepest level must be a multiple of 4 with aspp, not {channels}")
    nets_of_monai("ASPP")
    from monai.networks.blocks import SimpleASPP

    mixed = SimpleASPP(
        style.axes, channels, channels // len(ASPP_RATES), kernel_sizes=(1, 3, 3, 3), dilations=ASPP_RATES,
        norm_type=None, acti_type=None,
    )  # fmt: skip
    return nn.Sequential(mixed, style.normalisation(channels), style.activation())


class HybridDilated(nn.Module):
    """Convolutions with dilation 1, 2 and 5, one after the other, added to the input (hybrid dilated
    convolution, Wang et al. 2018, doi:10.1109/WACV.2018.00163): 17 voxels are seen, none left out."""

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(style.layer(channels, channels, 3, rate) for rate in HYBRID_RATES))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class PyramidPooling(nn.Module):
    """Means of 1, 2, 3 and 6 cells per axis, interpolated back and concatenated with the input, then a
    convolution of 1 to as many channels as before (Zhao et al. 2017, doi:10.1109/CVPR.2017.660)."""

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__()
        part = max(1, channels // len(PYRAMID_BINS))
        self.narrow = nn.ModuleList(CONVOLUTION[style.axes](channels, part, 1) for _ in PYRAMID_BINS)
        self.mix = style.layer(channels + part * len(PYRAMID_BINS), channels, 1)
        self.mode = MODE[style.axes]

    def forward(self, x: Tensor) -> Tensor:
        size = [int(edge) for edge in x.shape[2:]]
        parts = [x]
        for bins, narrow in zip(PYRAMID_BINS, self.narrow):
            means = narrow(means_of_cells(x, [min(bins, edge) for edge in size]))
            parts.append(functional.interpolate(means, size, mode=self.mode))
        return self.mix(torch.cat(parts, 1))


def means_of_cells(x: Tensor, cells: Any) -> Tensor:
    """Means over ``cells`` parts of each axis: adaptive average pooling, as a product for each axis.

    PyTorch's own is left out of ONNX graphs where the cells do not divide the size.
    """
    for axis, count in enumerate(cells, 2):
        edge = int(x.shape[axis])
        weights = torch.zeros(edge, count)
        for cell in range(count):
            start, stop = cell * edge // count, -(-(cell + 1) * edge // count)
            weights[start:stop, cell] = 1 / (stop - start)
        x = torch.matmul(x.transpose(axis, -1), weights.to(x)).transpose(axis, -1)
    return x


class ResidualMultiKernelPooling(nn.Module):
    """Max poolings of 2, 3, 5 and 6, each narrowed to one channel, interpolated back and concatenated with
    the input (Gu et al. 2019, CE-Net, doi:10.1109/TMI.2019.2903562); a convolution of 1 then makes as many
    channels as before, where CE-Net's decoder takes the four more."""

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__()
        self.pool = functional.max_pool3d if style.axes == 3 else functional.max_pool2d
        self.narrow = nn.ModuleList(CONVOLUTION[style.axes](channels, 1, 1) for _ in POOLING_KERNELS)
        self.mix = style.layer(channels + len(POOLING_KERNELS), channels, 1)
        self.mode = MODE[style.axes]

    def forward(self, x: Tensor) -> Tensor:
        size = [int(edge) for edge in x.shape[2:]]
        parts = [x]
        for kernel, narrow in zip(POOLING_KERNELS, self.narrow):
            pooled = narrow(self.pool(x, [min(kernel, edge) for edge in size]))
            parts.append(functional.interpolate(pooled, size, mode=self.mode))
        return self.mix(torch.cat(parts, 1))


def _nothing(style: Style, channels: int) -> nn.Module:
    return nn.Identity()


BOTTLENECKS: Dict[str, Callable[[Style, int], Any]] = {
    "none": _nothing,
    "aspp": aspp,
    "hybrid_dilated": HybridDilated,
    "pyramid_pooling": PyramidPooling,
    "residual_multi_kernel_pooling": ResidualMultiKernelPooling,
}
"""Name in a recipe -> bottleneck of (style, channels)."""
