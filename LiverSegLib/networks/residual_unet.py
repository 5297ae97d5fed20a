"""A residual U-Net in three dimensions.

The encoder is made of residual blocks (He et al. 2016) as in the residual-encoder nnU-Net (Isensee et al.
2024, arXiv:2404.09556); skip connections are added, not concatenated, which halves the decoder's weights.
With ``fold`` 2 the U-Net runs at half resolution on folded voxels (each 2 x 2 x 2 cell becomes channels)
and its head predicts the cell's voxels as channels, unfolded at the end (sub-pixel convolution, Shi et al.
2016, arXiv:1609.05158): on a CPU that is what makes 1.5 mm affordable.
"""

from typing import Optional, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import on_padded

NEGATIVE_SLOPE = 0.01
EPSILON = 1e-5
MOST_IN_TURN = 4
"""Larger batches, slices of a volume say, are normalised at once: a call for each costs more than a copy."""
MAX_LEVELS = 12
MAX_BLOCKS = 64
"""More than any network has that fits a graphics card."""


class InstanceNorm(nn.Module):
    """Instance normalisation with learned scale and shift, fast in channels-last memory.

    A batch of one normalised by its own batch statistics is instance normalisation, and PyTorch's batch
    normalisation has a channels-last kernel where its instance normalisation copies; hence the detour. An
    ONNX graph gets the plain operator, which other engines know.
    """

    def __init__(self, channels: int, epsilon: float = EPSILON) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` of shape (batch, channel, spatial axes) over its spatial axes."""
        if torch.onnx.is_in_onnx_export():
            return functional.instance_norm(x, None, None, self.weight, self.bias, True, 0.0, self.epsilon)
        if x.shape[0] == 1:
            return self._normalise(x)
        if x.shape[0] > MOST_IN_TURN and x[0, 0].numel() > 1:
            return functional.instance_norm(x, None, None, self.weight, self.bias, True, 0.0, self.epsilon)
        return torch.cat([self._normalise(sample) for sample in x.split(1)])

    def _normalise(self, x: Tensor) -> Tensor:
        if x[0, 0].numel() == 1:  # no variance to divide by, and batch_norm refuses it
            # added to zeros: activations work in place, which a view of the weights themselves forbids
            return torch.zeros_like(x) + self.bias.reshape(1, -1, *(1,) * (x.dim() - 2)).to(x.dtype)
        return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.epsilon)


class ConvNormAct(nn.Sequential):
    """Convolution 3, instance norm, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(in_channels, out_channels, 3, stride, 1, bias=False),
            InstanceNorm(out_channels),
            nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3-convolutions and a shortcut; the shortcut pools and projects where stride or width change."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvNormAct(in_channels, out_channels, stride)
        self.second = nn.Conv3d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm = InstanceNorm(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool3d(stride) if stride != 1 else nn.Identity(),
                nn.Conv3d(in_channels, out_channels, 1, bias=False),
                InstanceNorm(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, z, y, x) -> (batch, out, z, y, x / stride)."""
        y = self.norm(self.second(self.first(x)))
        return functional.leaky_relu(y + self.shortcut(x), NEGATIVE_SLOPE, inplace=True)


class ResidualUNet(nn.Module):
    """Residual U-Net.

    Args:
        in_channels: channels of the image, 1 for CT.
        out_channels: classes, background included.
        channels: width per level, finest first.
        blocks: residual blocks per encoder level; one each if not given.
        dimensions: 3; manifests state it.
        fold: 1, or 2 to run the U-Net at half resolution on folded voxels.

    Raises:
        ValueError: the arguments do not fit together.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 4,
        channels: Sequence[int] = (32, 64, 96, 128, 128),
        blocks: Optional[Sequence[int]] = None,
        dimensions: int = 3,
        fold: int = 1,
    ) -> None:
        super().__init__()
        blocks = tuple(blocks) if blocks is not None else (1,) * len(channels)
        limits.ends(in_channels, out_channels, dimensions, (3,))
        _check(channels, blocks, fold)
        cell = fold**3
        self.fold = fold
        self.out_channels = out_channels
        self.size_multiple = fold * 2 ** (len(channels) - 1)
        self.stem = ConvNormAct(in_channels * cell, channels[0])
        self.encoder = nn.ModuleList()
        width = channels[0]
        for level, (level_channels, count) in enumerate(zip(channels, blocks)):
            stride = 1 if level == 0 else 2
            first = ResidualBlock(width, level_channels, stride)
            rest = [ResidualBlock(level_channels, level_channels) for _ in range(count - 1)]
            self.encoder.append(nn.Sequential(first, *rest))
            width = level_channels
        self.ups, self.decoder = nn.ModuleList(), nn.ModuleList()
        for coarse, fine in zip(channels[:0:-1], channels[-2::-1]):
            self.ups.append(nn.ConvTranspose3d(coarse, fine, 2, 2))
            self.decoder.append(ConvNormAct(fine, fine))
        if fold == 1:
            self.head = nn.Conv3d(channels[0], out_channels, 1)
        else:  # sees the folded voxels again, to tell apart the voxels of one cell
            self.head = nn.Conv3d(channels[0] + in_channels * cell, out_channels * cell, 3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Image (batch, in, z, y, x) -> logits, same grid; padded where no multiple of ``size_multiple``."""
        scores = on_padded(self._on_multiples, image, self.size_multiple)
        assert torch.is_tensor(scores)
        return scores

    def _on_multiples(self, image: Tensor) -> Tensor:
        folded = fold_voxels(image, self.fold)
        skips, x = [], self.stem(folded)
        for level in self.encoder:
            x = level(x)
            skips.append(x)
        skips.pop()
        for up, decode in zip(self.ups, self.decoder):
            x = decode(up(x) + skips.pop())
        if self.fold == 1:
            return self.head(x)
        return unfold_voxels(self.head(torch.cat([x, folded.to(x.dtype)], 1)), self.fold)


def fold_voxels(x: Tensor, factor: int) -> Tensor:
    """(batch, c, z, y, x) -> (batch, c * factor^3, z, y, x / factor), cells as channels."""
    if factor == 1:
        return x
    batch, channels, *size = x.shape
    small = [n // factor for n in size]
    cells = x.reshape(batch, channels, small[0], factor, small[1], factor, small[2], factor)
    folded = cells.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, channels * factor**3, *small)
    if torch.onnx.is_in_onnx_export():  # a graph knows no memory format
        return folded
    return folded.contiguous(memory_format=torch.channels_last_3d)


def unfold_voxels(x: Tensor, factor: int) -> Tensor:
    """Undo ``fold_voxels``: (batch, c * factor^3, z, y, x) -> (batch, c, z, y, x * factor)."""
    batch, folded, *size = x.shape
    channels = folded // factor**3
    cells = x.reshape(batch, channels, factor, factor, factor, *size).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return cells.reshape(batch, channels, *(n * factor for n in size))


def _check(channels: Sequence[int], blocks: Sequence[int], fold: int) -> None:
    if fold not in (1, 2):
        raise ValueError(f"fold must be 1 or 2, not {fold!r}")
    limits.widths("channels", list(channels), 1, MAX_LEVELS)
    if len(blocks) != len(channels) or any(not 1 <= int(count) <= MAX_BLOCKS for count in blocks):
        raise ValueError(
            f"blocks must give 1 to {MAX_BLOCKS} blocks for each of {len(channels)} levels, not {blocks!r}"
        )
