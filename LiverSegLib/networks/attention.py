"""Attention that a U-Net of ours can have after each block: which channels, places or other voxels matter.

All keep the shape (batch, channel, spatial axes).
"""

from typing import Any, Callable, Dict

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks.blocks import CONVOLUTION, Style
from LiverSegLib.networks.monai_networks import nets_of_monai

REDUCTION = 4
"""By how much the hidden layer that weighs channels is narrower than they are."""
LEAST_HIDDEN = 4
"""Width of that layer at least: the ReLU of a single unit may be zero for all images and never learn."""
GATE_KERNEL = 7
"""Edge of the convolution that finds the places (Woo et al. 2018 found 7 better than 3)."""
KEY_POOLING = 2
"""By how much the voxels that others attend to are pooled along each axis (Wang et al. 2018, section 3.3)."""
NON_LOCAL_VOXELS = 2**15
"""Voxels that others attend to at most: their pooling grows until no more are left."""


def squeeze_and_excitation(style: Style, channels: int) -> Any:
    """Each channel times a number from 0 to 1, from the means of all channels (Hu et al. 2018,
    doi:10.1109/CVPR.2018.00745): MONAI's ChannelSELayer.

    Raises:
        ModelError: MONAI is not installed.
    """
    nets_of_monai("squeeze-and-excitation")
    from monai.networks.blocks import ChannelSELayer

    return ChannelSELayer(style.axes, channels, r=max(1, min(REDUCTION, channels // LEAST_HIDDEN)))


class SpatialGate(nn.Module):
    """Each voxel times a number from 0 to 1, from mean and maximum over its channels around it (the spatial
    part of CBAM, Woo et al. 2018, doi:10.1007/978-3-030-01234-2_1)."""

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__()
        self.conv = CONVOLUTION[style.axes](2, 1, GATE_KERNEL, padding=GATE_KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.conv(summary))


class ChannelGate(nn.Module):
    """Each channel times a number from 0 to 1, from its mean and its maximum, by one network for both (the
    channel part of CBAM; MONAI's layer has the mean alone)."""

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__()
        hidden = max(LEAST_HIDDEN, channels // REDUCTION)
        self.weigh = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        voxels = x.flatten(2)
        weights = torch.sigmoid(self.weigh(voxels.mean(2)) + self.weigh(voxels.amax(2)))
        return x * weights.reshape(*weights.shape, *(1,) * (x.dim() - 2))


class CBAM(nn.Sequential):
    """Channels, then places (convolutional block attention, Woo et al. 2018,
    doi:10.1007/978-3-030-01234-2_1)."""

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__(ChannelGate(style, channels), SpatialGate(style, channels))


class NonLocal(nn.Module):
    """Each voxel gets a mean of all voxels, weighted by how alike they are to it, added to what it was
    (embedded Gaussian, Wang et al. 2018, doi:10.1109/CVPR.2018.00813).

    Keys and values are pooled: comparing all voxels of a volume with each other takes the square of their
    number. Products are divided by the root of their width (Vaswani et al. 2017, arXiv:1706.03762), which the
    paper does not do. A factor that is learned begins at 0, so that the block begins as the identity, as
    the paper's does by its last norm. MONAI's SpatialAttentionBlock compares all voxels, for which volumes
    are too large.
    """

    def __init__(self, style: Style, channels: int) -> None:
        super().__init__()
        width = max(1, channels // 2)
        self.query, self.key = style.conv(channels, width, 1), style.conv(channels, width, 1)
        self.value, self.out = style.conv(channels, width, 1), style.conv(width, channels, 1)
        self.strength = nn.Parameter(torch.zeros(1))
        self.pool = functional.max_pool3d if style.axes == 3 else functional.max_pool2d

    def forward(self, x: Tensor) -> Tensor:
        pooled = self._pooled(x)
        query, key, value = (
            part.flatten(2).transpose(1, 2) for part in (self.query(x), self.key(pooled), self.value(pooled))
        )
        mean = functional.scaled_dot_product_attention(query, key, value)
        mean = mean.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])
        return x + self.strength * self.out(mean)

    def _pooled(self, x: Tensor) -> Tensor:
        size = [int(edge) for edge in x.shape[2:]]
        factor = KEY_POOLING
        while voxels_left(size, factor) > NON_LOCAL_VOXELS:
            factor += 1
        return self.pool(x, [min(factor, edge) for edge in size])


def voxels_left(size: Any, factor: int) -> int:
    """How many voxels pooling by ``factor`` leaves."""
    left = 1
    for edge in size:
        left *= max(1, edge // factor)
    return left


class AttentionGate(nn.Module):
    """A skip connection times a number from 0 to 1 for each voxel, from it and what comes from below (Oktay
    et al. 2018, arXiv:1804.03999); both on the same grid, as MONAI's AttentionBlock, but with the network's
    norm where that has batch normalisation alone."""

    def __init__(self, style: Style, skip: int, below: int) -> None:
        super().__init__()
        width = max(1, skip // 2)
        self.of_skip = nn.Sequential(style.conv(skip, width, 1), style.normalisation(width))
        self.of_below = nn.Sequential(style.conv(below, width, 1), style.normalisation(width))
        self.weigh = CONVOLUTION[style.axes](width, 1, 1)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """Skip and what comes from below, (batch, channel, spatial axes) -> the skip, weighed."""
        return skip * torch.sigmoid(self.weigh(functional.relu(self.of_skip(skip) + self.of_below(below))))


def _nothing(style: Style, channels: int) -> nn.Module:
    return nn.Identity()


ATTENTION: Dict[str, Callable[[Style, int], Any]] = {
    "none": _nothing,
    "squeeze_excitation": squeeze_and_excitation,
    "spatial": SpatialGate,
    "cbam": CBAM,
    "non_local": NonLocal,
}
"""Name in a recipe -> attention of (style, channels)."""
