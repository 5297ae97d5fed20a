"""What the laboratory says of a network: where it was published, its dimensions, its usual arguments."""

from dataclasses import dataclass, field
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn
from torch.nn import functional

Scores = Union[Tensor, List[Tensor]]
"""Logits (batch, channel, spatial axes); with deep supervision, in training, a list of them, finest first."""


@dataclass(frozen=True)
class Architecture:
    """A network of the laboratory.

    Attributes:
        name: in recipes and model manifests.
        build: makes the untrained network of plain keyword arguments; it takes ``in_channels``,
            ``out_channels`` and ``dimensions``, and has the attributes ``out_channels`` and
            ``size_multiple``.
        dimensions: 2, 3 or both: what ``dimensions`` may be; the first is the default.
        paper: authors, year and DOI or arXiv number.
        origin: "MONAI" or "LiverSeg": whose code it is.
        arguments: those of the publication, beside channels and dimensions, where they differ from the
            defaults.
        paper_parameters: how many weights the paper says there are; None if it does not.
        note: what deviates from the paper, and why.
    """

    name: str
    build: Callable[..., Any]
    dimensions: Tuple[int, ...]
    paper: str
    origin: str = "LiverSeg"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    paper_parameters: Optional[int] = None
    note: str = ""


class AnySize(nn.Module):
    """A network that takes images of any size: they are padded with their edge, and the logits cut back.

    A graph for other engines must have a fixed size, a multiple of ``size_multiple``; then nothing is padded.

    Args:
        network: takes sizes that are multiples of ``multiple``.
        multiple: one number for all spatial axes, or one for each.
    """

    def __init__(self, network: nn.Module, multiple: Union[int, Sequence[int]], out_channels: int) -> None:
        super().__init__()
        self.network = network
        self.multiple = multiple
        self.out_channels = out_channels
        self.size_multiple = multiple if isinstance(multiple, int) else max(multiple)

    def forward(self, image: Tensor) -> Scores:
        """Image (batch, channel, spatial axes) -> logits of the same size."""
        return on_padded(self.network, image, self.multiple)


def on_padded(
    network: Callable[[Tensor], Scores], image: Tensor, multiple: Union[int, Sequence[int]]
) -> Scores:
    """Run a network on an image padded to multiples; logits of full size are cut back, coarser ones stay.

    Args:
        network: takes sizes that are multiples of ``multiple``.
        image: (batch, channel, spatial axes).
        multiple: one number for all spatial axes, or one for each.
    """
    size = image.shape[2:]
    steps = [multiple] * len(size) if isinstance(multiple, int) else list(multiple)
    missing = [-int(n) % step for n, step in zip(size, steps)]
    if not any(missing):
        return network(image)
    pads = [amount for count in reversed(missing) for amount in (count // 2, count - count // 2)]
    padded = functional.pad(image, pads, mode="replicate")
    scores = network(padded)
    place: Tuple[Any, ...] = (..., *(slice(m // 2, m // 2 + int(n)) for m, n in zip(missing, size)))
    if torch.is_tensor(scores):
        return scores[place]
    return [level[place] if level.shape[2:] == padded.shape[2:] else level for level in scores]
