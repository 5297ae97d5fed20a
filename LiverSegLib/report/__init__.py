"""The case report: one self-contained HTML file with pictures, tables, warnings and provenance.

Made with the standard library, numpy, SimpleITK and pillow, because that is what 3D Slicer bundles.
"""

from .page import build_report, write_report
from .pictures import highlight_picture, slice_picture

__all__ = ["build_report", "highlight_picture", "slice_picture", "write_report"]
