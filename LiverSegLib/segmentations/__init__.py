"""Segmentations that others made, as masks of LiverSeg on the grid of a scan.

``given`` reads any of them: label images, Slicer's .seg.nrrd, DICOM Segmentations (``dicom_seg``) and RT
structure sets (``rtstruct``). ``naming`` says which segment is which structure, ``belonging`` whether the
file is of this scan, ``placing`` brings voxels onto the scan's grid.

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from .given import GivenMask, names_its_segments, read_mask, read_mask_alone

__all__ = ["GivenMask", "names_its_segments", "read_mask", "read_mask_alone"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".given", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
