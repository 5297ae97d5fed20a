"""The structures that can be corrected, and which labels may give way to which."""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from ..errors import UsageError
from ..labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from ..sentences import Sentence


@dataclass(frozen=True)
class Target:
    """What a correction of one structure may do.

    Attributes:
        name: "liver", "spleen" or "tumor".
        members: label values that make up the structure. A tumor is a part of the liver.
        value: the label that added voxels get.
        gives_way: labels whose voxels may be added.
        removable: labels whose voxels may be removed.
        removed_value: the label that removed voxels get.
        margin_mm: voxels of the background are added only this near to liver or tumor; None: anywhere within
            reach.
        spacing_mm: voxels finer than about this are joined in blocks.
        half_mm: how far the crop reaches around the clicks at first.
        reach_mm: nothing further than this from every click is changed.
    """

    name: str
    members: Tuple[int, ...]
    value: int
    gives_way: Tuple[int, ...]
    removable: Tuple[int, ...]
    removed_value: int
    margin_mm: Optional[float]
    spacing_mm: float
    half_mm: float
    reach_mm: float


TARGETS: Dict[str, Target] = {
    "liver": Target(
        "liver", (LIVER, TUMOUR), LIVER, (BACKGROUND,), (LIVER,), BACKGROUND, None, 2.0, 40.0, 90.0
    ),
    "spleen": Target(
        "spleen", (SPLEEN,), SPLEEN, (BACKGROUND,), (SPLEEN,), BACKGROUND, None, 2.0, 40.0, 90.0
    ),
    "tumor": Target("tumor", (TUMOUR,), TUMOUR, (LIVER, BACKGROUND), (TUMOUR,), LIVER, 20.0, 1.5, 32.0, 90.0),
}
"""Name -> target. Liver never takes from the spleen, nor the spleen from the liver."""


def target_named(name: str) -> Target:
    """Return a target by its name; "tumour" is "tumor".

    Raises:
        UsageError: there is no such target.
    """
    target = TARGETS.get("tumor" if name == "tumour" else name)
    if target is None:
        raise UsageError(Sentence("correct.target", name=str(name), known=", ".join(TARGETS)))
    return target
