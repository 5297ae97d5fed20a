"""Results as DICOM objects: a Segmentation, and a Comprehensive 3D SR with the measurements (TID 1500).

``source`` reads the headers of the series that was segmented and brings a mask onto its slices. ``tracking``
says which UID a structure or a lesion keeps. ``segmentation`` builds the Segmentation, ``report`` the SR of
the groups that ``groups`` and ``fatty_liver`` make; ``codes`` are the concepts in it. ``writing`` writes
files.

highdicom builds the objects; it is imported inside functions. Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from .writing import (
        MEASUREMENTS_DCM,
        SEGMENTATION_DCM,
        can_write,
        require_dicom_source,
        require_highdicom,
        write_dicom,
        write_report,
        write_segmentation,
    )

__all__ = [
    "MEASUREMENTS_DCM",
    "SEGMENTATION_DCM",
    "can_write",
    "require_dicom_source",
    "require_highdicom",
    "write_dicom",
    "write_report",
    "write_segmentation",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".writing", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
