"""A U-Net whose pieces are chosen: blocks, attention, what lies below its deepest level, norm, in two or
three dimensions."""

from typing import Any, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores, on_padded
from LiverSegLib.networks.attention import ATTENTION, AttentionGate
from LiverSegLib.networks.blocks import BLOCKS, CONVOLUTION, DROPOUT, NORMS, TRANSPOSED, Style
from LiverSegLib.networks.bottlenecks import BOTTLENECKS

MAX_STRIDE = 8
NON_LOCAL_LEVELS = 2
"""Non-local attention stands in so many of the deepest levels only: it compares all voxels with all."""


class BlockUNet(nn.Module):
    """A U-Net with a block in each level, on the way down and up; skips are concatenated.

    Args:
        in_channels: of the image.
        out_channels: classes.
        dimensions: 2 or 3.
        channels: of each level, finest first.
        strides: from each level to the next, one number or one for each axis; 2 each if not given. Thick
            slices keep their z with ``[[1, 2, 2], ...]``.
        block: a name in ``blocks.BLOCKS``.
        attention: after each block, a name in ``attention.ATTENTION``; non_local in the two deepest levels
            only.
        bottleneck: after the deepest level's block, a name in ``bottlenecks.BOTTLENECKS``.
        attention_gates: weigh the skips by what comes from below.
        norm: "batch", "instance" or "group".
        dropout: share of channels set to zero after each block, in training.
        deep_supervision: in training, logits of each level of the decoder at its own size, finest first.

    Attributes:
        out_channels, size_multiple: of the logits; of the sizes that need no padding, per axis.

    Raises:
        ValueError: the arguments are not possible or do not fit each other.
        ModelError: a chosen piece is MONAI's, and MONAI is not installed.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 3,
        channels: Sequence[int] = (32, 64, 128, 256, 320),
        strides: Optional[Sequence[Any]] = None,
        block: str = "plain",
        attention: str = "none",
        bottleneck: str = "none",
        attention_gates: bool = False,
        norm: str = "instance",
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        limits.ends(in_channels, out_channels, dimensions)
        channels = limits.widths("channels", channels)
        steps = _strides(strides, len(channels) - 1, dimensions)
        make_block = BLOCKS[limits.one_of("block", block, tuple(BLOCKS))]
        make_bottleneck = BOTTLENECKS[limits.one_of("bottleneck", bottleneck, tuple(BOTTLENECKS))]
        limits.one_of("attention", attention, tuple(ATTENTION))
        limits.yes_or_no("attention_gates", attention_gates)
        style = Style(dimensions, limits.one_of("norm", norm, NORMS))
        rate = limits.share("dropout", dropout)
        self.out_channels = out_channels
        self.deep_supervision = limits.yes_or_no("deep_supervision", deep_supervision)
        self.size_multiple = _products(steps, dimensions)

        def level(number: int, before: int) -> nn.Sequential:
            parts: List[nn.Module] = [make_block(style, before, channels[number])]
            if attention != "non_local" or number >= len(channels) - NON_LOCAL_LEVELS:
                parts.append(ATTENTION[attention](style, channels[number]))
            if rate:
                parts.append(DROPOUT[dimensions](rate))
            return nn.Sequential(*parts)

        self.encoder, self.downs = nn.ModuleList([level(0, in_channels)]), nn.ModuleList()
        self.ups, self.gates, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.heads = nn.ModuleList()
        for number, step in enumerate(steps, 1):
            self.downs.append(_down(style, channels[number - 1], step))
            self.encoder.append(level(number, channels[number - 1]))
        self.bottleneck = make_bottleneck(style, channels[-1])
        for number in range(len(steps) - 1, -1, -1):
            width, step = channels[number], steps[number]
            self.ups.append(TRANSPOSED[dimensions](channels[number + 1], width, step, step))
            self.gates.append(AttentionGate(style, width, width) if attention_gates else nn.Identity())
            self.decoder.append(level(number, 2 * width))
            if deep_supervision or number == 0:
                self.heads.append(CONVOLUTION[dimensions](width, out_channels, 1))

    def forward(self, image: Tensor) -> Scores:
        """Image (batch, in, spatial axes) of any size -> logits, same grid; a list in training with deep
        supervision."""
        return on_padded(self._on_multiples, image, self.size_multiple)

    def _on_multiples(self, x: Tensor) -> Scores:
        skips = [self.encoder[0](x)]
        for down, level in zip(self.downs, list(self.encoder)[1:]):
            skips.append(level(down(skips[-1])))
        x, decoded = self.bottleneck(skips.pop()), []
        for up, gate, level in zip(self.ups, self.gates, self.decoder):
            below, skip = up(x), skips.pop()
            weighed = gate(skip, below) if isinstance(gate, AttentionGate) else skip
            x = level(torch.cat([weighed, below], 1))
            decoded.append(x)
        if self.deep_supervision and self.training:
            return [head(features) for head, features in zip(self.heads, decoded)][::-1]
        return self.heads[-1](x)


def _down(style: Style, width: int, step: Tuple[int, ...]) -> nn.Module:
    """A convolution with the level's stride, norm, activation."""
    if max(step) == 1:
        return nn.Identity()
    kernel = tuple(3 if edge <= 3 else edge for edge in step)
    padding = tuple(1 if edge <= 3 else 0 for edge in step)
    down = CONVOLUTION[style.axes](width, width, kernel, step, padding, bias=False)
    return nn.Sequential(down, style.normalisation(width), style.activation())


def _strides(given: Any, count: int, axes: int) -> List[Tuple[int, ...]]:
    strides = [2] * count if given is None else given
    if not isinstance(strides, (list, tuple)) or len(strides) != count:
        raise ValueError(f"strides must have an entry for each of {count} steps down, not {given!r:.60}")
    return [limits.per_axis("strides", step, axes, MAX_STRIDE) for step in strides]


def _products(steps: Sequence[Tuple[int, ...]], axes: int) -> Tuple[int, ...]:
    found = [1] * axes
    for step in steps:
        found = [have * more for have, more in zip(found, step)]
    return tuple(found)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="BlockUNet",
        build=BlockUNet,
        dimensions=(3, 2),
        paper="Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28; the pieces' papers stand with them",
        note="Blocks: plain, residual, dense, inception, separable, recurrent. Attention: squeeze_excitation,"
        " spatial, cbam, non_local, attention_gates. Bottlenecks: aspp, hybrid_dilated, pyramid_pooling,"
        " residual_multi_kernel_pooling. Squeeze-and-excitation and ASPP are MONAI's. With pyramid_pooling,"
        " residual_multi_kernel_pooling or non_local an ONNX graph holds for one size alone.",
    ),
)
