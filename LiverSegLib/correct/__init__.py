"""Interactive correction of a mask: clicks and strokes, whole lesions, undo and redo."""

from .case import Case, Correction
from .history import Change, Entry
from .session import Session
from .strokes import Stroke

__all__ = ["Case", "Change", "Correction", "Entry", "Session", "Stroke"]
