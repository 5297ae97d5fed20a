"""Values of a data set's labels, or its masks, as the label that a network learns."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import InputError
from LiverSegLib.training.data.layouts.layout import BACKGROUND, Values, mask_structure

INSIDE = {"liver tumour": "liver"}
"""Structure -> the structure that it is a part of, where a network does not tell them apart."""

HIGHEST_VALUE = 65535
"""Label values above this are damage."""


@dataclass(frozen=True)
class Masks:
    """Files or folders, one for each mask of a case."""

    paths: Tuple[Path, ...]


def target_of(name: str, structures: Sequence[str]) -> int:
    """The network's label value of a structure: 1 + its place, that of what it is a part of, or 0."""
    if name in structures:
        return list(structures).index(name) + 1
    return target_of(INSIDE[name], structures) if name in INSIDE else 0


def from_values(array: np.ndarray, values: Values, structures: Sequence[str]) -> np.ndarray:
    """Label values of a data set -> those of the network, uint8 (z, y, x).

    Args:
        array: of whole numbers, (z, y, x).
        values: what the data set's values mean; 0 is background whatever they say.
        structures: names, of values 1 to n.

    Raises:
        InputError: there are other values, or an array without whole numbers.
    """
    if array.dtype.kind == "f":
        whole = array.astype(np.int32)
        if not np.array_equal(whole, array):
            raise InputError("The label has values that are no whole numbers.")
        array = whole
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > HIGHEST_VALUE:
        raise InputError(f"The label has the unknown value {low if low < 0 else high}.")
    found = np.flatnonzero(sum(np.bincount(plane.ravel(), minlength=high + 1) for plane in array))
    table = np.zeros(high + 1, np.uint8)
    known = {0, *(value for value, _ in values)}
    unknown = [int(value) for value in found if int(value) not in known]
    if unknown:
        raise InputError(f"The label has the unknown value {unknown[0]}.", f"Unknown: {unknown[:20]}")
    for value, name in values:
        if 0 < value <= high and name != BACKGROUND:
            table[value] = target_of(name, structures)
    return table[array]


def from_masks(
    masks: Masks,
    values: Values,
    structures: Sequence[str],
    shape: Tuple[int, ...],
    read: Callable[[Path], np.ndarray],
) -> np.ndarray:
    """One mask for each structure -> the label of the network, uint8 (z, y, x).

    Where masks overlap, a part (a tumor) wins over the whole (the liver), else the later structure. Masks of
    structures that the network does not learn are not read.
    """
    known = {name for _, name in values}
    wanted: List[Tuple[bool, int, Path]] = []
    for path in masks.paths:
        name = mask_structure(path)
        target = target_of(name, structures) if name in known else 0
        if target:
            wanted.append((name in INSIDE, target, path))
    out = np.zeros(shape, np.uint8)
    for _, target, path in sorted(wanted):
        out[read(path) != 0] = target
    return out
