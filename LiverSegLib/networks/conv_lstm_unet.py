"""A U-Net over the slices of a volume whose features go from slice to slice by a convolutional LSTM."""

from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.parts import (
    AnySizeNetwork,
    DoubleConv,
    Layers,
    check_ends,
    numbers,
    slices_of,
    stacked,
)
from LiverSegLib.networks.unet_blocks import MAX_KERNEL, MAX_WIDTH

PLACES = ("bottleneck", "skips")
State = Tuple[Tensor, Tensor]


class ConvLSTMCell(nn.Module):
    """One step of a convolutional LSTM (Shi et al. 2015, arXiv:1506.04214): gates by convolution, and from
    the cell by one weight for each channel, where the paper has one for each place.

    Args:
        in_channels: of a slice's features.
        hidden: channels of the hidden state and of the cell.
        kernel: edge of the convolutions, odd.
    """

    def __init__(self, in_channels: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.hidden = hidden
        self.of_input = nn.Conv2d(in_channels, 4 * hidden, kernel, 1, kernel // 2)
        self.of_state = nn.Conv2d(hidden, 4 * hidden, kernel, 1, kernel // 2, bias=False)
        self.of_cell = nn.Parameter(torch.zeros(3, hidden, 1, 1))

    def forward(self, gates: Tensor, state: Optional[State]) -> State:
        """The next hidden state and cell.

        Args:
            gates: ``of_input`` of the slice, (batch, 4 * hidden, y, x): input, forget, candidate, output.
            state: hidden state and cell after the slice before, (batch, hidden, y, x) each; None at first.
        """
        if state is None:
            gate, _, candidate, out = gates.chunk(4, 1)
            cell = torch.sigmoid(gate) * torch.tanh(candidate)
        else:
            hidden, before = state
            gate, forget, candidate, out = (gates + self.of_state(hidden)).chunk(4, 1)
            kept = torch.sigmoid(forget + self.of_cell[1] * before) * before
            cell = kept + torch.sigmoid(gate + self.of_cell[0] * before) * torch.tanh(candidate)
        return torch.sigmoid(out + self.of_cell[2] * cell) * torch.tanh(cell), cell


class OneWay(nn.Module):
    """A convolutional LSTM from the first slice to the last, or backward."""

    def __init__(self, cell: ConvLSTMCell, backward: bool) -> None:
        super().__init__()
        self.cell, self.backward = cell, backward

    def forward(self, slices: Tensor, depth: int) -> Tensor:
        """(batch * depth, c, y, x), slices in turn -> hidden states (batch, hidden, depth, y, x)."""
        gates = stacked(self.cell.of_input(slices), depth)
        state: Optional[State] = None
        hidden: List[Tensor] = []
        for place in range(depth - 1, -1, -1) if self.backward else range(depth):
            state = self.cell(gates[:, :, place], state)
            hidden.append(state[0])
        return torch.stack(hidden[::-1] if self.backward else hidden, 2)


class SliceLSTM(nn.Module):
    """Convolutional LSTMs up and down the slices, their hidden states joined and projected.

    Args:
        channels: in and out.
        hidden: of each LSTM.
        kernel: edge of their convolutions, odd.
        bidirectional: False goes from the first slice to the last alone.
    """

    def __init__(self, channels: int, hidden: int, kernel: int, bidirectional: bool) -> None:
        super().__init__()
        ways = (False, True) if bidirectional else (False,)
        self.ways = nn.ModuleList(
            OneWay(ConvLSTMCell(channels, hidden, kernel), backward) for backward in ways
        )
        self.project = nn.Conv2d(len(ways) * hidden, channels, 1)

    def forward(self, slices: Tensor, depth: int) -> Tensor:
        """(batch * depth, c, y, x), a volume's slices in turn -> the same shape."""
        return self.project(slices_of(torch.cat([way(slices, depth) for way in self.ways], 1)))


class ConvLSTMUNet(AnySizeNetwork):
    """A U-Net in two dimensions, run on all slices, with convolutional LSTMs (Shi et al. 2015,
    arXiv:1506.04214) along z at its bottleneck or on its skips.

    After Chen et al. 2016 (arXiv:1609.01006), who run a bidirectional convolutional LSTM over the slices that
    a U-Net has seen. Deviates: the LSTM lies inside the U-Net, and its output is added to the features that
    it got. BCDU-Net (Azad et al. 2019, arXiv:1909.00166) has such LSTMs on the skips, but over the encoder's
    and the decoder's features of one image, where these go over slices.

    Args:
        in_channels, out_channels: of the volume and of the logits.
        dimensions: 3: volumes in, volumes out.
        features: channels of each level, finest first.
        place: "bottleneck" or "skips" (at the bottleneck too).
        hidden: channels of each LSTM; half of its level's if not given.
        kernel: edge of the LSTMs' convolutions, odd.
        bidirectional: False goes from the first slice to the last alone.
        norm: of the U-Net: "instance" (each slice for itself), "batch", "group" or "none".

    Raises:
        ValueError: the arguments are not possible.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        dimensions: int = 3,
        features: Sequence[int] = (32, 64, 128, 256),
        place: str = "bottleneck",
        hidden: Optional[int] = None,
        kernel: int = 3,
        bidirectional: bool = True,
        norm: str = "instance",
    ) -> None:
        check_ends(in_channels, out_channels)
        limits.one_of("dimensions", dimensions, (3,))
        limits.one_of("place", place, PLACES)
        widths = numbers("features", features, MAX_WIDTH)
        if limits.whole("kernel", kernel, MAX_KERNEL) % 2 == 0:
            raise ValueError(f"kernel must be odd, not {kernel}")
        if hidden is not None:
            limits.whole("hidden", hidden, MAX_WIDTH)
        layers = Layers(2, norm)
        edge = 2 ** (len(widths) - 1)
        super().__init__(out_channels, (1, edge, edge))
        self.pool = layers.max_pooling(2)
        pairs = zip((in_channels, *widths[:-1]), widths)
        self.encoder = nn.ModuleList(DoubleConv(layers, *pair) for pair in pairs)
        first = 0 if place == "skips" else len(widths) - 1
        self.along = nn.ModuleDict(
            {
                str(level): SliceLSTM(
                    widths[level], hidden or (widths[level] + 1) // 2, kernel, bidirectional
                )
                for level in range(first, len(widths))
            }
        )
        steps = list(zip(widths[:0:-1], widths[-2::-1]))
        self.ups = nn.ModuleList(layers.transposed(coarse, fine, 2, 2) for coarse, fine in steps)
        self.decoder = nn.ModuleList(DoubleConv(layers, 2 * fine, fine) for _, fine in steps)
        self.head = layers.convolution(widths[0], out_channels, 1)

    def scores(self, image: Tensor) -> Tensor:
        """Volume (batch, channel, z, y, x) -> logits."""
        depth = int(image.shape[2])
        skips: List[Tensor] = []
        x = slices_of(image)
        for level, encode in enumerate(self.encoder):
            x = encode(self.pool(x) if level else x)
            name = str(level)
            skips.append(x + self.along[name](x, depth) if name in self.along else x)
        x = skips.pop()
        for up, decode in zip(self.ups, self.decoder):
            x = decode(torch.cat([up(x), skips.pop()], 1))
        return stacked(self.head(x), depth)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        name="ConvLSTMUNet",
        build=ConvLSTMUNet,
        dimensions=(3,),
        paper="Chen et al. 2016, arXiv:1609.01006; Shi et al. 2015, arXiv:1506.04214",
        note="Weights from the cell to the gates are one for each channel, so that any size can be run.",
    ),
)
