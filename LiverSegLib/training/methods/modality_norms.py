"""Norm layers of a network's own for each modality; everything else is shared."""

import copy
import re
from typing import Dict, Iterable, List, Mapping

from torch import Tensor, nn

from LiverSegLib.errors import ModelError
from LiverSegLib.training.transfer import RENAMINGS

OWN = "of_modality"
"""Where a layer of this kind holds the norms, by the modality's number."""


class ModalityNorm(nn.Module):
    """A norm for each modality, of which the chosen one is used.

    Attributes:
        chosen: number of the modality.
    """

    def __init__(self, norm: nn.Module, count: int) -> None:
        super().__init__()
        self.of_modality = nn.ModuleList([norm, *(copy.deepcopy(norm) for _ in range(count - 1))])
        self.chosen = 0

    def forward(self, x: Tensor) -> Tensor:
        """As the norm that was replaced."""
        found: Tensor = self.of_modality[self.chosen](x)
        return found


def separate_norms(network: nn.Module, count: int) -> None:
    """Replace each norm layer that has weights or statistics by one for each of ``count`` modalities.

    Raises:
        ModelError: the network has none, so that nothing would be separate.
    """
    norms = [name for name, module in network.named_modules() if _is_norm(module)]
    if not norms:
        raise ModelError("The network has no norm layers with weights, which modalities could have apart.")
    for name in norms:
        holder = network.get_submodule(name.rpartition(".")[0])
        leaf = name.rpartition(".")[2]
        setattr(holder, leaf, ModalityNorm(network.get_submodule(name), count))


def choose(network: nn.Module, number: int) -> None:
    """Use the norms of a modality from now on."""
    for layer in separated(network).values():
        layer.chosen = number


def separated(network: nn.Module) -> Dict[str, ModalityNorm]:
    """Name -> layer of those that differ between modalities."""
    return {name: module for name, module in network.named_modules() if isinstance(module, ModalityNorm)}


def of_one(weights: Mapping[str, Tensor], number: int) -> Dict[str, Tensor]:
    """The weights that a modality uses, by the names of the network as it was before."""
    pattern = re.compile(rf"(?:^|(?<=\.)){OWN}\.(\d+)\.")
    found = {}
    for name, value in weights.items():
        match = pattern.search(name)
        if match is None or int(match[1]) == number:
            found[pattern.sub("", name)] = value
    return found


def for_all(weights: Mapping[str, Tensor], layers: Iterable[str], count: int) -> Dict[str, Tensor]:
    """Weights of a network with common norms, each norm's under the names that ``separate_norms`` gives.

    Args:
        weights: by name.
        layers: names of the norms in the network.
        count: of the modalities.
    """
    known = set(layers)
    found: Dict[str, Tensor] = {}
    for name, value in weights.items():
        layer, _, leaf = name.rpartition(".")
        if known & set(_names(layer)):
            found.update({f"{layer}.{OWN}.{number}.{leaf}": value for number in range(count)})
        else:
            found[name] = value
    return found


def _names(layer: str) -> List[str]:
    """What a layer may be called in a network, of its name in a file."""
    return [new + layer[len(old) :] for old, new in RENAMINGS if layer.startswith(old)]


def _is_norm(module: nn.Module) -> bool:
    """Whether a layer is a norm with something of its own to learn; those of MONAI and ours end in Norm."""
    name = type(module).__name__.rstrip("123d")
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return name.endswith("Norm") and bool(own) and not isinstance(module, ModalityNorm)
