"""A coarse-to-fine cascade of any two networks.

The coarse network labels the image at lower resolution; the fine one sees the image and these probabilities
(the 3D cascade of Isensee et al. 2021, doi:10.1038/s41592-020-01008-z, trained together here; Christ et al.
2016, doi:10.1007/978-3-319-46723-8_48, cascaded liver and lesions).
"""

import math
from typing import Any, List, Mapping, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores, on_padded
from LiverSegLib.networks.bottlenecks import MODE
from LiverSegLib.networks.inner import build_inner, check_inner, multiple_of

COARSE: Mapping[str, Any] = {"name": "BlockUNet", "arguments": {"channels": [16, 32, 64, 128]}}
FINE: Mapping[str, Any] = {"name": "BlockUNet", "arguments": {"channels": [16, 32, 64, 128]}}


class Cascade(nn.Module):
    """Two networks, one after the other.

    Args:
        in_channels: of the image.
        out_channels: classes, of both networks.
        dimensions: 2 or 3, of both.
        coarse, fine: name and arguments of each; their channels are filled in.
        factor: by how much the image is averaged down for the coarse one, per axis.
        activation: "softmax" or "sigmoid", what makes probabilities of the coarse scores; with one class it
            is always sigmoid.
        deep_supervision: in training, a list with the scores of both: those of the fine network, and the
            coarse ones at their own size, by size, finest first.

    Raises:
        ValueError: the arguments are not possible.
        ModelError: a network does not take its arguments.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 3,
        coarse: Mapping[str, Any] = COARSE,
        fine: Mapping[str, Any] = FINE,
        factor: int = 2,
        activation: str = "softmax",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        limits.ends(in_channels, out_channels, dimensions)
        check_inner("coarse", coarse)
        check_inner("fine", fine)
        self.factor = limits.whole("factor", factor, 8, least=2)
        limits.one_of("activation", activation, ("softmax", "sigmoid"))
        self.softmax = activation == "softmax" and out_channels > 1
        inner = [dict(entry.get("arguments", {})).get("deep_supervision", False) for entry in (coarse, fine)]
        if any(inner) and not deep_supervision:
            raise ValueError("deep_supervision of coarse or fine needs that of the cascade to be trained")
        self.deep_supervision = limits.yes_or_no("deep_supervision", deep_supervision)
        self.coarse = build_inner(coarse, in_channels, out_channels, dimensions)
        self.fine = build_inner(fine, in_channels + out_channels, out_channels, dimensions)
        self.out_channels = out_channels
        pairs = zip(multiple_of(self.coarse, dimensions), multiple_of(self.fine, dimensions))
        self.size_multiple = tuple(math.lcm(factor * low, high) for low, high in pairs)
        self.pool = functional.avg_pool3d if dimensions == 3 else functional.avg_pool2d
        self.mode = MODE[dimensions]

    def forward(self, image: Tensor) -> Scores:
        """Image (batch, in, spatial axes) of any size -> logits, same grid; a list in training with deep
        supervision."""
        return on_padded(self._on_multiples, image, self.size_multiple)

    def _on_multiples(self, image: Tensor) -> Scores:
        coarse = levels_of(self.coarse(self.pool(image, self.factor)))
        probabilities = coarse[0].softmax(1) if self.softmax else coarse[0].sigmoid()
        beside = functional.interpolate(probabilities, scale_factor=float(self.factor), mode=self.mode)
        fine = levels_of(self.fine(torch.cat([image, beside], 1)))
        if not (self.training and self.deep_supervision):
            return fine[0]
        return sorted([*fine, *coarse], key=lambda level: -level[0, 0].numel())  # equal sizes: fine first


def levels_of(scores: Scores) -> List[Tensor]:
    """The levels of deep supervision, finest first; one if there is no more."""
    return [scores] if torch.is_tensor(scores) else list(scores)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="Cascade",
        build=Cascade,
        dimensions=(3, 2),
        paper="Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; Christ et al. 2016,"
        " doi:10.1007/978-3-319-46723-8_48",
        note="Both networks are trained together, not one after the other; two small BlockUNets if none are"
        " named.",
    ),
)
