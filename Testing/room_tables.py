"""The tables of rooms in docs/developers.md, as the tests of the arrows read them."""

import re
from pathlib import Path
from typing import Dict, List, Set, Tuple

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "developers.md"


def rooms_and_what_they_import(title: str) -> Dict[str, Set[str]]:
    """Room -> the rooms that it may import, from the table under the paragraph that begins with ``title``.

    Rooms that share a row may import one another.
    """
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text[text.index(f"**{title}**") :].split("\n\n")[1]
    found: Dict[str, Set[str]] = {}
    for row in table.splitlines()[2:]:
        rooms, _purpose, imports = (cell.strip() for cell in row.strip("|").split("|"))
        here = _names(rooms)
        found.update({room: _names(imports) | here for room in here})
    return found


def arrows_upwards(rooms: Dict[str, Set[str]]) -> List[Tuple[str, str]]:
    """The pairs (room, what it may import) in which what is imported stands below the room in the table;
    rooms that share a row count as one.
    """
    order = list(rooms)
    return [
        (here, there)
        for here, allowed in rooms.items()
        for there in allowed
        if order.index(there) > order.index(here) and here not in rooms[there]
    ]


def _names(cell: str) -> Set[str]:
    return {name.rstrip("/") for name in re.findall(r"`([^`]+)`", cell)}
