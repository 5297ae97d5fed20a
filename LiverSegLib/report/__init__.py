"""The case report: one self-contained HTML file with pictures, tables, warnings and provenance.

Made with the standard library, numpy, SimpleITK and pillow, because that is what 3D Slicer bundles.
"""

from .page import build_report

__all__ = ["build_report"]
