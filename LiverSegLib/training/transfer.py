"""Weights of another network to begin with: what fits by name and shape is taken, the rest is told."""

from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

from torch import Tensor, nn

from LiverSegLib.errors import InputError, ModelError
from LiverSegLib.training.run_options import StartOptions

RENAMINGS = (("", ""), ("network.", ""), ("module.", ""), ("model.", ""), ("", "network."))
"""Beginnings of names in files of others, or in ours, and what stands in their place in the network."""


@dataclass(frozen=True)
class Started:
    """What became of the weights that a run began with; names as in the network.

    Attributes:
        weights: what they were taken from.
        loaded: those taken as they were.
        averaged: first convolutions that were made for another number of image channels.
        fresh: those that begin at random: not there, of another shape, or skipped.
        unused: names in the source that fit nothing.
    """

    weights: str
    loaded: Tuple[str, ...]
    averaged: Tuple[str, ...]
    fresh: Tuple[str, ...]
    unused: Tuple[str, ...]

    @property
    def sentence(self) -> str:
        """One line for people."""
        count = len(self.loaded) + len(self.averaged)
        text = f"{count} of {count + len(self.fresh)} weights of {self.weights}"
        if self.averaged:
            text += f", {', '.join(self.averaged)} averaged over its image channels"
        if self.fresh:
            more = f" and {len(self.fresh) - 3} more" if len(self.fresh) > 3 else ""
            text += f"; at random: {', '.join(self.fresh[:3])}{more}"
        return text

    def to_dict(self) -> Dict[str, Any]:
        """Plain values, with the line for people under "summary"."""
        return {"summary": self.sentence, **self._lists()}

    def _lists(self) -> Dict[str, Any]:
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def fits(pattern: str, name: str) -> bool:
    """Whether a pattern means a weight: the beginning of its name, with ``*`` and ``?`` for anything."""
    return fnmatchcase(name, pattern + "*")


def begin_with(network: nn.Module, found: Mapping[str, Tensor], options: StartOptions) -> Started:
    """Give a network the weights that fit it by name and shape.

    A convolution of the image whose weights were made for another number of image channels gets their mean
    over these channels in each of its own, times the share of the numbers, so that an image repeated in all
    channels gives the features that it gave.

    Args:
        network: gets the weights; all others stay.
        found: weights by name; a beginning of all names such as ``network.`` does not matter.
        options: of the recipe; ``skip`` holds patterns of the network's names.

    Raises:
        ModelError: nothing fits.
        InputError: a pattern of ``skip`` means none of the network's weights.
    """
    own = network.state_dict()
    for pattern in options.skip:
        if not any(fits(pattern, name) for name in own):
            raise InputError(f'training.start.skip names "{pattern}", with which no weights begin.')
    wanted = {name: v for name, v in own.items() if not any(fits(each, name) for each in options.skip)}
    named = max((_renamed(found, wanted, *each) for each in RENAMINGS), key=lambda them: len(them[0]))
    loaded, averaged = _sorted_by_fit(named[0], wanted, first_weights(network))
    if not loaded:
        raise ModelError(
            f"None of the weights of {options.weights} fit the recipe's network.",
            f"There: {sorted(found)[:5]}, in the network: {sorted(own)[:5]}",
        )
    values = {name: named[0][name] for name in loaded}
    values.update({name: for_channels(named[0][name], own[name].shape[1]) for name in averaged})
    network.load_state_dict({**own, **{name: value.to(own[name]) for name, value in values.items()}})
    taken = {*loaded, *averaged}
    fresh = tuple(name for name in own if name not in taken)
    unused = (*(n for n in named[0] if n not in taken), *named[1])
    return Started(options.weights, tuple(loaded), tuple(averaged), fresh, unused)


def first_weights(network: nn.Module) -> Set[str]:
    """Names of the weights of convolutions that may see the image: as many channels in as the first one."""
    convolutions = [(f"{n}.weight", m) for n, m in network.named_modules() if hasattr(m, "in_channels")]
    whole = [
        (name, m) for name, m in convolutions if isinstance(m, nn.Module) and getattr(m, "groups", 1) == 1
    ]
    if not whole:
        return set()
    channels = whole[0][1].in_channels
    return {name for name, m in whole if m.in_channels == channels}


def for_channels(weights: Tensor, channels: int) -> Tensor:
    """A convolution's weights (out, in, ...) for another number of image channels: their mean in each."""
    before = weights.shape[1]
    mean = weights.float().mean(1, keepdim=True) * (before / channels)
    return mean.repeat(1, channels, *(1,) * (weights.dim() - 2))


def _renamed(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], before: str, after: str
) -> Tuple[Dict[str, Tensor], List[str]]:
    """Weights by the network's names, their beginning replaced; and the names that it does not know."""
    known: Dict[str, Tensor] = {}
    other: List[str] = []
    for name, value in found.items():
        mine = after + name[len(before) :] if name.startswith(before) else ""
        if mine in wanted:
            known[mine] = value
        else:
            other.append(name)
    return known, other


def _sorted_by_fit(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], first: Iterable[str]
) -> Tuple[List[str], List[str]]:
    """Names of the weights that are taken as they are, and of those averaged over image channels."""
    loaded, averaged = [], []
    for name, value in found.items():
        mine: Sequence[int] = wanted[name].shape
        if mine == value.shape:
            loaded.append(name)
        elif name in first and value.dim() > 2 and (mine[0], *mine[2:]) == (value.shape[0], *value.shape[2:]):
            averaged.append(name)
    return loaded, averaged
