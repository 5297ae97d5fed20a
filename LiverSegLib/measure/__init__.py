"""Numbers from a segmented scan: volumes, attenuation, lesions, tumour burden.

Importing this loads neither scipy nor SimpleITK, which would keep Slicer's window waiting; measuring does.
"""

from typing import TYPE_CHECKING, Any

from .measurements import Lesion, Measurements, Organ
from .tables import lesion_rows, measurement_rows, write_lesions_csv, write_measurements_csv

if TYPE_CHECKING:
    from .scan import hu_around_labels, measure, measure_arrays

__all__ = [
    "Lesion",
    "Measurements",
    "Organ",
    "hu_around_labels",
    "lesion_rows",
    "measure",
    "measure_arrays",
    "measurement_rows",
    "write_lesions_csv",
    "write_measurements_csv",
]


def __getattr__(name: str) -> Any:
    if name in ("hu_around_labels", "measure", "measure_arrays"):
        from . import scan

        return getattr(scan, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
