"""The weights in a TorchScript file, without the program in it.

``torch.jit.save`` writes the same archive as ``torch.save``: a pickle, here of the network and its parts as
objects with attributes, and a member for each storage of numbers; the program lies beside them in members of
its own, which are never read. Attributes that are tensors, named by the way to them, are the network's state.
"""

from typing import Any, Dict, Iterator, Tuple

from LiverSegLib.models.importers.checkpoint import TABLE, StoredTensor
from LiverSegLib.models.importers.plain_pickle import Attributes

MAX_PARTS = 100_000
"""Most parts of a network that are looked into: the same part may stand in many places."""
MAX_DEPTH = 64
"""Deepest part of a network."""

PROGRAM = "__torch__."
"""How the names of a TorchScript program's own classes begin."""


class _Names(Dict[str, Any]):
    """The names of a checkpoint, and every class of the program: an object with nothing but attributes."""

    def get(self, name: str, default: Any = None) -> Any:
        """What makes a plain value for a name, or ``default`` where the name is not in the table."""
        if name.startswith(PROGRAM):
            return lambda *arguments: Attributes()
        return super().get(name, default)


_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist", "restore_type_tag")
NAMES = _Names({**TABLE, **{f"torch.jit._pickle.{name}": lambda value, *rest: value for name in _LISTS}})
"""The names that the pickle in a TorchScript file may hold."""


def state_of(values: Any) -> Dict[str, StoredTensor]:
    """The tensors of a network and its parts, named as ``state_dict`` names them.

    Args:
        values: of a ``Checkpoint`` that was opened with NAMES.

    Raises:
        ValueError: the parts are too many or too deep.
    """
    return dict(_tensors(values, "", 0, [0]))


def _tensors(part: Any, prefix: str, depth: int, count: "list[int]") -> Iterator[Tuple[str, StoredTensor]]:
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_PARTS:
        raise ValueError("parts within parts without end")
    for name, value in part.items():
        if isinstance(value, StoredTensor):
            yield f"{prefix}{name}", value
        elif isinstance(value, Attributes):
            yield from _tensors(value, f"{prefix}{name}.", depth + 1, count)
