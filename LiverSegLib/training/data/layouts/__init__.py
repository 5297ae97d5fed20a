"""The layouts of data sets that can be read, by name, and how a folder's layout is recognised."""

from pathlib import Path
from typing import Dict

from LiverSegLib.errors import InputError
from LiverSegLib.training.data.layouts.layout import Layout
from LiverSegLib.training.data.layouts.project import PROJECT

LAYOUTS: Dict[str, Layout] = {"project": PROJECT}
"""Name in a recipe -> layout."""


def layout_of(folder: Path) -> Layout:
    """The layout that a folder has.

    Raises:
        InputError: none; the sentence says what the folder holds, its details what each layout expects.
    """
    for layout in LAYOUTS.values():
        if layout.recognised(folder):
            return layout
    names = sorted(path.name for path in folder.iterdir())
    held = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    known = "\n".join(f"{name}: {layout.expects}" for name, layout in LAYOUTS.items())
    raise InputError(
        f"{folder} is none of the data sets that can be read; it holds {held or 'nothing'}. "
        f"Known are {', '.join(layout.title for layout in LAYOUTS.values())}.",
        known,
    )
