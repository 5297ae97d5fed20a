"""What a model of another program finds: a mask with a table of its values."""

import difflib
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import UsageError
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.sentences import Sentence

NEAR_THE_LIVER = ("liver", "hepatic", "portal", "gallbladder", "biliary", "bile_duct")
"""Words in the key of a structure that readers of the liver look for first."""
CLOSE_NAMES = 5
"""How many names like an unknown one an error offers."""


@dataclass(frozen=True)
class Structure:
    """One structure of a model's own.

    Attributes:
        value: in ``Structures.labels``.
        key: what the model calls it, such as "adrenal_gland_left".
        name: for people, such as "Adrenal gland left".
        colour: sRGB, 0 to 255.
        label: the value of :mod:`LiverSegLib.labels` that it counts as; BACKGROUND for an extra structure.
            Several with the same label are parts of that organ, such as the segments of the liver.
    """

    value: int
    key: str
    name: str
    colour: Tuple[int, int, int]
    label: int = BACKGROUND

    @property
    def is_near_the_liver(self) -> bool:
        """Whether it is a part of the liver, or its name says that it belongs to it."""
        return self.label in (LIVER, TUMOUR) or any(word in self.key.lower() for word in NEAR_THE_LIVER)

    def to_dict(self) -> Dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "value": self.value, "key": self.key, "name": self.name, "colour": list(self.colour),
            "label": self.label,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "Structure":
        """Return what :meth:`to_dict` made JSON of."""
        red, green, blue = (int(part) for part in data["colour"])
        return cls(int(data["value"]), data["key"], data["name"], (red, green, blue), int(data["label"]))


@dataclass(frozen=True)
class Structures:
    """All structures that a model found in a scan.

    Attributes:
        labels: (z, y, x) of the image's own array, uint8 or, with more than 255 structures, uint16; values
            of ``table``, 0 elsewhere.
        table: every structure that the model knows, found or not, in the model's order.
    """

    labels: np.ndarray
    table: Tuple[Structure, ...]

    @property
    def extra(self) -> Tuple[Structure, ...]:
        """The structures that are none of LiverSeg's own labels."""
        return tuple(structure for structure in self.table if structure.label == BACKGROUND)

    @property
    def further(self) -> Tuple[Structure, ...]:
        """The structures that LiverSeg's own labels do not show already: extra ones and parts of organs."""
        return further(self.table)

    def own_labels(self) -> np.ndarray:
        """The mask in LiverSeg's own labels, uint8 (z, y, x)."""
        return _lookup(self.labels, {item.value: item.label for item in self.table}, np.dtype(np.uint8))

    def is_extra(self) -> np.ndarray:
        """Where the extra structures lie, bool (z, y, x)."""
        return _lookup(self.labels, {item.value: 1 for item in self.extra}, np.dtype(bool))


def further(table: Sequence[Structure]) -> Tuple[Structure, ...]:
    """The structures of a table that LiverSeg's own labels do not show: extra ones and parts of organs."""
    labels = [item.label for item in table]
    return tuple(item for item in table if item.label == BACKGROUND or labels.count(item.label) > 1)


def chosen(table: Sequence[Structure], names: Optional[Sequence[str]]) -> Tuple[Structure, ...]:
    """The further structures of a table that somebody asked for, in the table's order.

    Args:
        table: what a model knows.
        names: keys or names, in upper or lower case; None for all.

    Raises:
        UsageError: the model knows no further structure of a name.

    >>> kidney = Structure(2, "kidney_left", "Kidney left", (200, 80, 80))
    >>> [item.value for item in chosen([kidney], ["Kidney Left"])]
    [2]
    """
    there = further(table)
    if names is None:
        return there
    known = {name.lower(): item for item in there for name in (item.name, item.key)}
    wanted: List[Structure] = []
    for name in names:
        item = known.get(name.strip().lower())
        if item is None:
            raise UsageError(_unknown(name, there))
        wanted.append(item)
    return tuple(item for item in there if item in wanted)


def keep(structures: Structures, wanted: Sequence[Structure], labels: np.ndarray) -> Structures:
    """Keep some structures; parts of an organ within what the organ is in the end, cleaned and measured.

    Args:
        structures: as a model found them.
        wanted: what to keep of its table.
        labels: uint8 (z, y, x), values of :mod:`LiverSegLib.labels`. Parts of the liver may hold tumours.

    Returns:
        The same type of mask, 0 where nothing that is wanted lies, and the table of what is wanted.
    """
    kept = _lookup(structures.labels, {item.value: item.value for item in wanted}, structures.labels.dtype)
    organ_of = {item.value: item.label for item in wanted if item.label != BACKGROUND}
    for slab in range(len(kept) if organ_of else 0):  # by slices, as whole masks would take much memory
        part_of = _lookup(kept[slab], organ_of, np.dtype(np.uint8))
        if part_of.any():
            here = labels[slab]
            liver = (here == LIVER) | (here == TUMOUR)
            outside = (part_of == LIVER) & ~liver
            outside |= ((part_of == SPLEEN) | (part_of == TUMOUR)) & (part_of != here)
            kept[slab][outside] = 0
    return Structures(kept, tuple(wanted))


def _lookup(values: np.ndarray, table: Dict[int, int], dtype: np.dtype) -> np.ndarray:
    """What a table gives for each voxel of a uint8 or uint16 mask; 0 for values that it does not hold."""
    found = np.zeros(np.iinfo(values.dtype).max + 1, dtype)
    for value, result in table.items():
        found[value] = result
    return found[values]


def _unknown(name: str, there: Sequence[Structure]) -> Sentence:
    """The sentence that a model finds no structure of a name, with those that are meant perhaps."""
    if not there:
        return Sentence("structures.none", name=name)
    keys = [item.key for item in there]
    close = difflib.get_close_matches(name.lower().replace(" ", "_"), keys, CLOSE_NAMES, 0.4)
    return Sentence("structures.unknown", name=name, known=", ".join(close or keys[:CLOSE_NAMES]))
