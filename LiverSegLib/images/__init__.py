"""Reading abdominal CTs: files, DICOM folders and in-memory images in, one checked ``Scan`` out.

``scan`` holds the data and the fingerprint, ``read`` decides by path what to do, ``integrity`` looks whether
a file is whole, ``dicom`` (headers), ``stack`` (geometry and pixels) and ``series`` (which one?) do the
reading, ``checks`` says in words why an image cannot be used. ``grid`` is the geometry of every image,
``lean`` straightens the slices of a tilted gantry, ``unpacking`` opens zip archives, ``patient_order`` and
``resample`` bring a scan into the order and onto the grid that others need.

Names are loaded when they are first used: ``images.grid`` alone needs neither SimpleITK nor scipy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from .checks import check_image
    from .read import list_series, read_scan
    from .scan import Scan, SeriesInfo, facts, file_state, fingerprint, unchanged

_HOMES = {
    "Scan": "scan",
    "SeriesInfo": "scan",
    "check_image": "checks",
    "facts": "scan",
    "file_state": "scan",
    "fingerprint": "scan",
    "list_series": "read",
    "read_scan": "read",
    "unchanged": "scan",
}
"""Name -> the file of this folder that it comes from."""

__all__ = [
    "Scan",
    "SeriesInfo",
    "check_image",
    "facts",
    "file_state",
    "fingerprint",
    "list_series",
    "read_scan",
    "unchanged",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
