"""Reading abdominal CTs: files, DICOM folders and in-memory images in, one checked ``Scan`` out.

``scan`` holds the data and the fingerprint, ``read`` decides by path what to do, ``integrity`` looks whether
a file is whole, ``dicom`` (headers), ``stack`` (geometry and pixels) and ``series`` (which one?) do the
reading, ``checks`` says in words why an image cannot be used.
"""

from .checks import check_image
from .read import list_series, read_scan
from .scan import Scan, SeriesInfo, facts, file_state, fingerprint, unchanged

__all__ = [
    "Scan",
    "SeriesInfo",
    "check_image",
    "estimate_phase",
    "facts",
    "file_state",
    "fingerprint",
    "list_series",
    "read_scan",
    "unchanged",
]


def __getattr__(name: str) -> object:
    """Offer ``estimate_phase`` here too without importing scipy before it is needed."""
    if name == "estimate_phase":
        from ..measure.phase import estimate_phase

        return estimate_phase
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
