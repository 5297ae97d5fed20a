"""LiverSeg: liver, spleen and liver tumours on CT, segmented, measured and reported.

    import LiverSegLib
    result = LiverSegLib.segment("scan.nii.gz")
    result.labels, result.measurements, result.provenance

Importing this loads neither PyTorch nor VTK.
"""

import importlib
from typing import TYPE_CHECKING, Any, List

__version__ = "0.1.0"

if TYPE_CHECKING:
    from LiverSegLib.api import Result, Segmenter, assess_steatosis, segment
    from LiverSegLib.given_result import measure_segmentation

_LAZY = ("Result", "Segmenter", "assess_steatosis", "segment")
__all__ = ["Result", "Segmenter", "__version__", "assess_steatosis", "measure_segmentation", "segment"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from LiverSegLib import api

        return getattr(api, name)
    if name == "measure_segmentation":
        from LiverSegLib import given_result

        return given_result.measure_segmentation
    if name == "correct":
        return importlib.import_module("LiverSegLib.correct")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted(__all__)
