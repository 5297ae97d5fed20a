"""2.5D input: a network for slices that sees each slice of a volume with its neighbours.

As Han 2017 (arXiv:1704.07239) for the LiTS challenge: slices that lie side by side are channels of a
two-dimensional network, which labels the middle one.
"""

from typing import Any, Mapping, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores
from LiverSegLib.networks.inner import build_inner, check_inner, multiple_of
from LiverSegLib.networks.parts import slices_of, stacked, with_neighbours

SLICES_AT_ONCE = 16
"""Slices that the network labels side by side outside of training, which bounds its memory."""
DEFAULT_NETWORK: Mapping[str, Any] = {"name": "UNet"}


class Slices25D(nn.Module):
    """A two-dimensional network on each slice of a volume with its neighbours; at the ends of the volume the
    last slice stands for those that lack.

    Args:
        in_channels: of the volume.
        out_channels: classes.
        dimensions: 3, as the volume has.
        slices: 3 or 5, the slice and its neighbours.
        network: name and arguments of a network of two dimensions; its channels are filled in.

    Raises:
        ValueError: the arguments are not possible.
        ModelError: the network does not take its arguments.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 3,
        slices: int = 3,
        network: Mapping[str, Any] = DEFAULT_NETWORK,
    ) -> None:
        super().__init__()
        limits.ends(in_channels, out_channels, dimensions, (3,))
        check_inner("network", network)
        self.slices = limits.one_of("slices", slices, (3, 5))
        self.network = build_inner(network, in_channels * slices, out_channels, 2)
        self.out_channels = out_channels
        self.size_multiple = (1, *multiple_of(self.network, 2))

    def forward(self, volume: Tensor) -> Scores:
        """Volume (batch, in, z, y, x) of any size -> logits (batch, out, z, y, x), or a list of them."""
        depth = int(volume.shape[2])
        images = slices_of(with_neighbours(volume, self.slices))
        scores = self._in_parts(images)
        if torch.is_tensor(scores):
            return stacked(scores, depth)
        return [stacked(level, depth) for level in scores]

    def _in_parts(self, images: Tensor) -> Scores:
        if self.training or torch.jit.is_tracing():
            return self.network(images)
        return torch.cat([self.network(part) for part in images.split(SLICES_AT_ONCE)])


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="Slices25D",
        build=Slices25D,
        dimensions=(3,),
        paper="Han 2017, arXiv:1704.07239",
        note="The input of that paper (5 slices there, 3 by default here) for any network of two dimensions;"
        " a 2D U-Net if none is named. An ONNX graph holds for one number of slices.",
    ),
)
