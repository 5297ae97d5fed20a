"""Which label values make a structure, as an evaluation sees it."""

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import UsageError
from ..labels import LIVER, SPLEEN, TUMOUR

_LESION_WORDS = ("tumour", "tumor", "lesion")


@dataclass(frozen=True)
class Structure:
    """A structure and its label values.

    Attributes:
        name: "liver", ...; as the data set's ``annotated`` names it.
        values: label values in the reference that belong to it.
        predicted: label values in the prediction.
    """

    name: str
    values: Tuple[int, ...]
    predicted: Tuple[int, ...]

    @property
    def is_lesion(self) -> bool:
        """Whether its connected components are lesions to be found one by one."""
        return any(word in self.name.lower() for word in _LESION_WORDS)

    def mask(self, labels: np.ndarray, *, prediction: bool = False) -> np.ndarray:
        """Return its voxels, bool (z, y, x), in an array of labels (z, y, x)."""
        return np.isin(labels, self.predicted if prediction else self.values)

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        return {"name": self.name, "values": list(self.values), "predicted": list(self.predicted)}


LIVERSEG: Tuple[Structure, ...] = (
    Structure("liver", (LIVER, TUMOUR), (LIVER, TUMOUR)),
    Structure("spleen", (SPLEEN,), (SPLEEN,)),
    Structure("liver tumour", (TUMOUR,), (TUMOUR,)),
)
"""What LiverSeg writes; "liver" is liver and tumor together."""

PRESETS: Dict[str, Dict[str, Tuple[int, ...]]] = {
    "liverseg": {item.name: item.values for item in LIVERSEG},
    "lits": {"liver": (1, 2), "liver tumour": (2,)},
}
"""Words for well-known values, by structure: LiverSeg's, and those of LiTS and of the decathlon's task 3."""


def parse_structures(labels: Optional[str], predicted: Optional[str] = None) -> Tuple[Structure, ...]:
    """Read structures from text such as ``liver=1+3,spleen=2,liver tumour=3``, or one of ``PRESETS``.

    Args:
        labels: values in the reference; None: LiverSeg's.
        predicted: values in the prediction where they differ; structures that it does not name have the
            reference's.

    Raises:
        UsageError: it cannot be read so, a name comes twice, or ``predicted`` names another structure.

    >>> [item.values for item in parse_structures("liver=1+3, spleen=2")]
    [(1, 3), (2,)]
    """
    found = _parsed("liverseg" if labels is None else labels)
    own = {} if predicted is None else _parsed(predicted)
    unknown = [name for name in own if name not in found]
    if unknown and predicted not in PRESETS:
        raise UsageError(f'The predictions have "{unknown[0]}", the references {_listed(list(found))}.')
    return tuple(Structure(name, values, own.get(name, values)) for name, values in found.items())


def chosen_structures(structures: Sequence[Structure], names: Optional[str]) -> Tuple[Structure, ...]:
    """Return those of the structures that are named, separated by commas; all if None.

    Raises:
        UsageError: a name is none of theirs.
    """
    if names is None:
        return tuple(structures)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {item.name: item for item in structures}
    for name in wanted:
        if name not in known:
            raise UsageError(f'There is no structure "{name}"; there are {_listed(list(known))}.')
    if not wanted:
        raise UsageError("No structure is named.")
    return tuple(known[name] for name in dict.fromkeys(wanted))


def _parsed(text: str) -> Dict[str, Tuple[int, ...]]:
    if text.strip() in PRESETS:
        return dict(PRESETS[text.strip()])
    found: Dict[str, Tuple[int, ...]] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([^=]+?)\s*=\s*(\d+(?:\s*\+\s*\d+)*)\s*", part)
        if not match:
            raise UsageError(f'"{part.strip()}" is no structure with its values; write liver=1+3,spleen=2.')
        name = match.group(1)
        values = tuple(int(value) for value in match.group(2).split("+"))
        if name in found:
            raise UsageError(f'The structure "{name}" is named twice.')
        if 0 in values:
            raise UsageError(f'The structure "{name}" cannot have the value 0, which is the background.')
        found[name] = values
    return found


def _listed(names: List[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
