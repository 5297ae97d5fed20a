"""R2U-Net: a U-Net of recurrent convolutions with a residual connection around them (Alom et al. 2018)."""

from typing import Sequence, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.parts import AnySizeNetwork, Layers, check_ends, numbers
from LiverSegLib.networks.unet_blocks import MAX_WIDTH

MAX_STEPS = 16


class RecurrentConv(nn.Module):
    """A convolution of the input, and in each further step one of the state before, added; their weights are
    the same in all steps.

    Args:
        layers: of the network.
        channels: in and out.
        steps: after the first; without any this is a plain convolution, norm and activation.
    """

    def __init__(self, layers: Layers, channels: int, steps: int) -> None:
        super().__init__()
        bias = layers.norm == "none"
        self.steps = steps
        self.forward_conv = layers.convolution(channels, channels, 3, 1, 1, bias=bias)
        self.recurrent_conv = (
            layers.convolution(channels, channels, 3, 1, 1, bias=False) if steps else nn.Identity()
        )
        self.after = nn.Sequential(layers.normalised(channels), layers.active(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, c, spatial axes), as it comes in."""
        fed = self.forward_conv(x)
        state = self.after(fed)
        for _ in range(self.steps):
            state = self.after(fed + self.recurrent_conv(state))
        return state


class RecurrentBlock(nn.Module):
    """A projection to the level's width, two recurrent convolutions, and the projection added to them."""

    def __init__(self, layers: Layers, channels: Tuple[int, int], steps: int, residual: bool) -> None:
        super().__init__()
        self.project = layers.convolution(*channels, 1)
        self.body = nn.Sequential(*(RecurrentConv(layers, channels[1], steps) for _ in range(2)))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, spatial axes) -> (batch, out, spatial axes)."""
        x = self.project(x)
        return x + self.body(x) if self.residual else self.body(x)


class R2UNet(AnySizeNetwork):
    """R2U-Net (Alom, Hasan, Yakopcic, Taha and Asari 2018, arXiv:1802.06955).

    As published: a U-Net whose convolutions are recurrent over ``steps`` steps with shared weights, and
    residual; the skips are joined without cropping. Deviates: instance norm after each sum ("batch" can be
    chosen), upsampling by transposed convolutions. Three dimensions are ours.

    Args:
        in_channels, out_channels: of the image and of the logits.
        dimensions: 2 or 3.
        features: channels of each level, finest first.
        steps: t of the paper, 2 or 3 there; 0 makes the convolutions plain.
        residual: False gives RU-Net.
        norm: "instance", "batch", "group" or "none".

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        dimensions: int = 2,
        features: Sequence[int] = (64, 128, 256, 512, 1024),
        steps: int = 2,
        residual: bool = True,
        norm: str = "instance",
    ) -> None:
        check_ends(in_channels, out_channels)
        layers = Layers(dimensions, norm)
        widths = numbers("features", features, MAX_WIDTH)
        limits.whole("steps", steps, MAX_STEPS, 0)
        super().__init__(out_channels, (2 ** (len(widths) - 1),) * dimensions)
        self.pool = layers.max_pooling(2)
        pairs = zip((in_channels, *widths[:-1]), widths)
        self.encoder = nn.ModuleList(RecurrentBlock(layers, pair, steps, residual) for pair in pairs)
        downs = list(zip(widths[:0:-1], widths[-2::-1]))
        self.ups = nn.ModuleList(layers.transposed(coarse, fine, 2, 2) for coarse, fine in downs)
        self.decoder = nn.ModuleList(
            RecurrentBlock(layers, (2 * fine, fine), steps, residual) for _, fine in downs
        )
        self.head = layers.convolution(widths[0], out_channels, 1)

    def scores(self, image: Tensor) -> Tensor:
        """Image (batch, channel, spatial axes) -> logits."""
        x = self.encoder[0](image)
        skips = [x]
        for encode in list(self.encoder)[1:]:
            skips.append(encode(self.pool(skips[-1])))
        x = skips.pop()
        for up, decode in zip(self.ups, self.decoder):
            x = decode(torch.cat([up(x), skips.pop()], 1))
        return self.head(x)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="R2UNet",
        build=R2UNet,
        dimensions=(2, 3),
        paper="Alom et al. 2018, arXiv:1802.06955",
        note="Instance norm; transposed convolutions on the way up.",
    ),
)
