"""The layouts of data sets that can be read, by name, and how a folder's layout is recognised."""

from pathlib import Path
from typing import Dict, List

from LiverSegLib.errors import InputError
from LiverSegLib.training.data.layouts.chaos import CHAOS_CT, CHAOS_MR
from LiverSegLib.training.data.layouts.ircadb import IRCADB
from LiverSegLib.training.data.layouts.layout import Layout
from LiverSegLib.training.data.layouts.lits import LITS
from LiverSegLib.training.data.layouts.msd import MSD
from LiverSegLib.training.data.layouts.nnunet import NNUNET
from LiverSegLib.training.data.layouts.project import PROJECT
from LiverSegLib.training.data.layouts.slices import SLICES
from LiverSegLib.training.data.layouts.totalsegmentator import TOTALSEGMENTATOR

LAYOUTS: Dict[str, Layout] = {
    "project": PROJECT,
    "nnunet": NNUNET,
    "msd": MSD,
    "slices": SLICES,
    "ircadb": IRCADB,
    "totalsegmentator": TOTALSEGMENTATOR,
    "chaos-ct": CHAOS_CT,
    "chaos-mr": CHAOS_MR,
    "lits": LITS,
}
"""Name in a recipe -> layout."""


def layout_of(folder: Path) -> Layout:
    """The layout that a folder has.

    Raises:
        InputError: none or several; the sentence says what the folder holds, its details what each layout
            expects.
    """
    found: List[str] = []
    for name, layout in LAYOUTS.items():
        if layout.recognised(folder):
            found.append(name)
            if not name.startswith("chaos"):  # whose CT and MR lie in one folder; others lie alone
                break
    if len(found) == 1:
        return LAYOUTS[found[0]]
    if found:
        raise InputError(f"{folder} can be read as {' or as '.join(found)}; name the layout in the recipe.")
    names = sorted(path.name for path in folder.iterdir())
    held = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    known = "\n".join(f"{name}: {layout.expects}" for name, layout in LAYOUTS.items())
    raise InputError(
        f"{folder} is none of the data sets that can be read; it holds {held or 'nothing'}. "
        f"Known are {', '.join(layout.title for layout in LAYOUTS.values())}.",
        known,
    )
