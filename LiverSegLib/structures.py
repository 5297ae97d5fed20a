"""What a model of another program finds: a mask with a table of its values."""

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np

from LiverSegLib.labels import BACKGROUND


@dataclass(frozen=True)
class Structure:
    """One structure of a model's own.

    Attributes:
        value: in ``Structures.labels``.
        key: what the model calls it, such as "adrenal_gland_left".
        name: for people, such as "Adrenal gland left".
        colour: sRGB, 0 to 255.
        label: the value of :mod:`LiverSegLib.labels` that it counts as; BACKGROUND for an extra structure.
    """

    value: int
    key: str
    name: str
    colour: Tuple[int, int, int]
    label: int = BACKGROUND

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
