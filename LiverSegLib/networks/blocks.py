"""Blocks of convolutions that a U-Net of ours can be made of, in two or three dimensions.

All take (batch, in, spatial axes) and return (batch, out, spatial axes) of the same size.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List

import torch
from torch import Tensor, nn

from LiverSegLib.networks.residual_unet import InstanceNorm

CONVOLUTION: Dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: Dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
BATCH_NORM: Dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
DROPOUT: Dict[int, Any] = {2: nn.Dropout2d, 3: nn.Dropout3d}
NORMS = ("batch", "instance", "group")
GROUPS = 8
"""Groups of a group norm, or the largest smaller number that divides the channels (Wu and He 2018,
arXiv:1803.08494, find 8 to 32 alike)."""
NEGATIVE_SLOPE = 0.01
DENSE_LAYERS = 3
"""Layers of a dense block: its growth rate is what they share out of the block's width."""
REPEATS = 2
"""How often a recurrent convolution is repeated after its first pass (t = 2 in Alom et al. 2018)."""


@dataclass(frozen=True)
class Style:
    """What all layers of a network share.

    Attributes:
        axes: 2 or 3.
        norm: one of NORMS.
    """

    axes: int
    norm: str

    def conv(self, before: int, after: int, kernel: int = 3, dilation: int = 1, groups: int = 1) -> nn.Module:
        """A convolution that keeps the size; without bias, as a norm follows."""
        padding = dilation * (kernel - 1) // 2
        return CONVOLUTION[self.axes](
            before, after, kernel, padding=padding, dilation=dilation, groups=groups, bias=False
        )

    def normalisation(self, channels: int) -> nn.Module:
        """The norm of ``channels`` channels, with weights."""
        if self.norm == "batch":
            return BATCH_NORM[self.axes](channels)
        if self.norm == "instance":
            return InstanceNorm(channels)
        groups = max(count for count in range(1, GROUPS + 1) if channels % count == 0)
        return nn.GroupNorm(groups, channels)

    def activation(self) -> nn.Module:
        """A leaky ReLU."""
        return nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)

    def layer(self, before: int, after: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
        """Convolution, norm, activation."""
        convolution = self.conv(before, after, kernel, dilation)
        return nn.Sequential(convolution, self.normalisation(after), self.activation())


class Plain(nn.Sequential):
    """Two convolutions, each with norm and activation (Ronneberger et al. 2015,
    doi:10.1007/978-3-319-24574-4_28)."""

    def __init__(self, style: Style, before: int, after: int) -> None:
        super().__init__(style.layer(before, after), style.layer(after, after))


class Residual(nn.Module):
    """Two convolutions and a shortcut, projected where the width changes (He et al. 2016,
    doi:10.1109/CVPR.2016.90)."""

    def __init__(self, style: Style, before: int, after: int) -> None:
        super().__init__()
        self.first = style.layer(before, after)
        self.second = nn.Sequential(style.conv(after, after), style.normalisation(after))
        self.shortcut: nn.Module = nn.Identity()
        if before != after:
            self.shortcut = nn.Sequential(style.conv(before, after, 1), style.normalisation(after))
        self.activation = style.activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.second(self.first(x)) + self.shortcut(x))


class Dense(nn.Module):
    """Layers that each see the block's input and all layers before, then a convolution of 1 to the block's
    width (Huang et al. 2017, doi:10.1109/CVPR.2017.243)."""

    def __init__(self, style: Style, before: int, after: int) -> None:
        super().__init__()
        growth = max(1, after // DENSE_LAYERS)
        seen = [before + number * growth for number in range(DENSE_LAYERS + 1)]
        self.layers = nn.ModuleList(style.layer(channels, growth) for channels in seen[:-1])
        self.transition = style.layer(seen[-1], after, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.transition(x)


class Inception(nn.Module):
    """Convolutions of 1, of 3, two of 3 one after the other and a 3-max-pooling side by side, concatenated,
    then a convolution of 1 that mixes them.

    Szegedy et al. 2015 (doi:10.1109/CVPR.2015.7298594); two convolutions of 3 for one of 5 as in Szegedy et
    al. 2016 (doi:10.1109/CVPR.2016.308).
    """

    def __init__(self, style: Style, before: int, after: int) -> None:
        super().__init__()
        pool = nn.MaxPool3d if style.axes == 3 else nn.MaxPool2d
        part = max(1, after // 4)
        self.branches = nn.ModuleList(
            [
                style.layer(before, part, 1),
                nn.Sequential(style.layer(before, part, 1), style.layer(part, part)),
                nn.Sequential(style.layer(before, part, 1), style.layer(part, part), style.layer(part, part)),
                nn.Sequential(pool(3, 1, 1), style.layer(before, part, 1)),
            ]
        )
        self.mix = style.layer(4 * part, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(torch.cat([branch(x) for branch in self.branches], 1))


class Separable(nn.Sequential):
    """Two depthwise separable convolutions: each channel by itself, then across channels (Chollet 2017,
    doi:10.1109/CVPR.2017.195)."""

    def __init__(self, style: Style, before: int, after: int) -> None:
        layers: List[nn.Module] = []
        for width in (before, after):
            layers += [style.conv(width, width, groups=width), style.conv(width, after, 1)]
            layers += [style.normalisation(after), style.activation()]
        super().__init__(*layers)


class RecurrentLayer(nn.Module):
    """A convolution whose output goes through a second one, again and again with the same weights, and is
    added each time (Liang and Hu 2015, doi:10.1109/CVPR.2015.7298958)."""

    def __init__(self, style: Style, before: int, after: int) -> None:
        super().__init__()
        self.feedforward, self.recurrent = style.conv(before, after), style.conv(after, after)
        self.norms = nn.ModuleList(style.normalisation(after) for _ in range(REPEATS + 1))
        self.activation = style.activation()

    def forward(self, x: Tensor) -> Tensor:
        given = self.feedforward(x)
        state = self.activation(self.norms[0](given))
        for norm in self.norms[1:]:  # each pass has statistics of its own
            state = self.activation(norm(given + self.recurrent(state)))
        return state


class Recurrent(nn.Module):
    """Two recurrent layers and a shortcut, as in R2U-Net (Alom et al. 2018, arXiv:1802.06955)."""

    def __init__(self, style: Style, before: int, after: int) -> None:
        super().__init__()
        self.widen = style.conv(before, after, 1)
        self.layers = nn.Sequential(RecurrentLayer(style, after, after), RecurrentLayer(style, after, after))

    def forward(self, x: Tensor) -> Tensor:
        x = self.widen(x)
        return x + self.layers(x)


BLOCKS: Dict[str, Callable[[Style, int, int], Any]] = {
    "plain": Plain,
    "residual": Residual,
    "dense": Dense,
    "inception": Inception,
    "separable": Separable,
    "recurrent": Recurrent,
}
"""Name in a recipe -> block of (style, channels in, channels out)."""
