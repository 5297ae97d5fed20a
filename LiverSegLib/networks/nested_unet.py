"""U-Net++: nested U-Nets with logits at each depth, cut to any of them at inference (Zhou et al. 2018)."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores
from LiverSegLib.networks.parts import AnySizeNetwork, DoubleConv, Layers, check_ends, numbers
from LiverSegLib.networks.unet_blocks import MAX_WIDTH


class NestedUNet(AnySizeNetwork):
    """U-Net++ (Zhou, Siddiquee, Tajbakhsh and Liang 2018, doi:10.1007/978-3-030-00889-5_1, arXiv:1807.10165).

    As published: node (i, j) of level i joins all nodes of its level before it and the upsampled node
    (i + 1, j - 1); with deep supervision nodes (0, 1), (0, 2), ... have logits of their own, all of full
    size, and at inference the network can be cut behind any of them. Deviates: a norm after each convolution
    of a node, where the paper has none; three dimensions are ours.

    Args:
        in_channels, out_channels: of the image and of the logits.
        dimensions: 2 or 3.
        features: channels of each level, finest first.
        deep_supervision: logits at each depth; in training all of them are given, the deepest first.
        pruned_level: how many levels down the network goes, at most one less than levels; all if not given.
            A pruned network pads images as the full one does, so that both give the same.
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
        features: Sequence[int] = (32, 64, 128, 256, 512),
        deep_supervision: bool = False,
        pruned_level: Optional[int] = None,
        norm: str = "instance",
    ) -> None:
        check_ends(in_channels, out_channels)
        layers = Layers(dimensions, norm)
        widths = numbers("features", features, MAX_WIDTH)
        most = len(widths) - 1
        depth = most if pruned_level is None else limits.whole("pruned_level", pruned_level, most)
        super().__init__(out_channels, (2**most,) * dimensions)
        self.arguments: Dict[str, Any] = {
            "in_channels": in_channels, "out_channels": out_channels, "dimensions": dimensions,
            "features": list(widths), "deep_supervision": deep_supervision, "norm": norm,
        }  # fmt: skip
        self.depth, self.deep_supervision = depth, deep_supervision
        self.pool = layers.max_pooling(2)
        self.nodes, self.ups, self.heads = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        for level in range(depth + 1):
            width = widths[level]
            above = widths[level - 1] if level else in_channels
            self.nodes[_name(level, 0)] = DoubleConv(layers, above, width)
            for column in range(1, depth + 1 - level):
                self.ups[_name(level, column)] = layers.transposed(widths[level + 1], width, 2, 2)
                self.nodes[_name(level, column)] = DoubleConv(layers, (column + 1) * width, width)
        for column in range(1, depth + 1):
            if deep_supervision or column == depth:
                self.heads[str(column)] = layers.convolution(widths[0], out_channels, 1)

    def scores(self, image: Tensor) -> Scores:
        """Image (batch, channel, spatial axes) -> logits."""
        wanted = range(self.depth, 0, -1) if self.deep_supervision and self.training else [self.depth]
        nodes = self.finest_nodes(image)
        found = [self.heads[str(column)](nodes[column]) for column in wanted]
        return found if len(found) > 1 else found[0]

    def finest_nodes(self, image: Tensor) -> List[Tensor]:
        """Nodes (0, 0), (0, 1), ... of an image whose edges are multiples of ``size_multiple``."""
        rows: List[List[Tensor]] = []
        for level in range(self.depth + 1):
            below = self.pool(rows[level - 1][0]) if level else image
            rows.append([self.nodes[_name(level, 0)](below)])
            for column in range(1, level + 1):  # the diagonal that the new level makes possible
                row = level - column
                name = _name(row, column)
                up = self.ups[name](rows[row + 1][column - 1])
                rows[row].append(self.nodes[name](torch.cat([*rows[row], up], 1)))
        return rows[0]


def pruned(network: NestedUNet, level: int) -> NestedUNet:
    """The network cut to a depth, with the weights of the full one; its logits are the full one's there.

    Args:
        network: with logits at that depth: trained with ``deep_supervision``, unless nothing is cut.
        level: how many levels down it goes, from 1 on.

    Raises:
        ValueError: the network has no logits at that depth.
    """
    if str(level) not in network.heads:
        raise ValueError(
            f"The network has logits at depths {', '.join(network.heads)}, none at {level!r:.40}"
        )
    small = NestedUNet(**network.arguments, pruned_level=level)
    weights = network.state_dict()
    small.load_state_dict({name: weights[name] for name in small.state_dict()})
    return small.train(network.training)


def _name(level: int, column: int) -> str:
    return f"{level}-{column}"


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="NestedUNet",
        build=NestedUNet,
        dimensions=(2, 3),
        paper="Zhou et al. 2018, arXiv:1807.10165",
        arguments={"deep_supervision": True},
        paper_parameters=9_040_000,
        note="A norm after each convolution.",
    ),
)
