"""The 3D U-Net in the layout of its paper (Çiçek et al. 2016, doi:10.1007/978-3-319-46723-8_49).

MONAI has no class with this layout: in each level of the way down the second convolution doubles the
channels, before the pooling, to avoid a bottleneck.
"""

from typing import Any, Dict, List, Sequence, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture, Scores, on_padded

CONVOLUTION: Dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: Dict[int, Any] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOLING: Dict[int, Any] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
BATCH_NORM: Dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class UNet3D(nn.Module):
    """Convolutions of 3, batch normalisation, ReLU; max pooling of 2; transposed convolutions of 2.

    Args:
        in_channels: of the image.
        out_channels: classes.
        dimensions: 3, or 2 for the same layout on slices.
        channels: of the second convolution of each level, finest first; the first has half of it on the way
            down.

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 2,
        dimensions: int = 3,
        channels: Sequence[int] = (64, 128, 256, 512),
    ) -> None:
        super().__init__()
        limits.ends(in_channels, out_channels, dimensions)
        channels = limits.widths("channels", channels)
        if any(width % 2 for width in channels):
            raise ValueError(f"channels must be even, not {channels}")
        self.out_channels = out_channels
        self.size_multiple = 2 ** (len(channels) - 1)
        self.pool = POOLING[dimensions](2)
        self.encoder, self.ups, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width = in_channels
        for level in channels:
            self.encoder.append(_two(dimensions, (width, level // 2, level)))
            width = level
        for skip in channels[-2::-1]:
            self.ups.append(TRANSPOSED[dimensions](width, width, 2, 2, bias=False))
            self.decoder.append(_two(dimensions, (width + skip, skip, skip)))
            width = skip
        self.head = CONVOLUTION[dimensions](width, out_channels, 1)

    def forward(self, image: Tensor) -> Scores:
        """Image (batch, in, spatial axes) of any size -> logits, same grid."""
        return on_padded(self._on_multiples, image, self.size_multiple)

    def _on_multiples(self, x: Tensor) -> Tensor:
        skips: List[Tensor] = []
        for level in self.encoder:
            x = level(self.pool(x) if skips else x)
            skips.append(x)
        skips.pop()
        for up, level in zip(self.ups, self.decoder):
            x = level(torch.cat([up(x), skips.pop()], 1))
        return self.head(x)


def _two(dimensions: int, widths: Tuple[int, int, int]) -> nn.Sequential:
    layers: List[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        layers += [CONVOLUTION[dimensions](before, after, 3, padding=1), BATCH_NORM[dimensions](after)]
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="UNet3D",
        build=UNet3D,
        dimensions=(3, 2),
        paper="Çiçek et al. 2016, doi:10.1007/978-3-319-46723-8_49",
        paper_parameters=19_069_955,
        note="Convolutions are padded. The paper's number (3 channels in, 3 classes) leaves out the batch"
        " normalisation, which has 4672 weights more.",
    ),
)
