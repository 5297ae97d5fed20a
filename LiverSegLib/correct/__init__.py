"""Interactive correction of a mask: clicks and strokes, whole lesions, undo and redo."""

from .history import Change, Entry
from .session import Session
from .strokes import Stroke

__all__ = ["Change", "Entry", "Session", "Stroke"]
