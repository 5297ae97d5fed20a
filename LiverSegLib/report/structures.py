"""The report's table of what a model finds beyond liver, spleen and tumours."""

from html import escape
from typing import List, Sequence, Tuple

from ..measure.structures import StructureVolume
from .pieces import NONE, css, plain, section, table, volume

SHOWN_AT_ONCE = 16
"""So many structures are listed openly; of more, only those of the liver and beside it are."""
COLUMNS = 2
"""How many structures stand side by side in the list of all."""
CAPTION = "As the model draws them; they were not reviewed. ≥: cut off by the border of the scan."


def structures_section(volumes: Sequence[StructureVolume]) -> str:
    """Return the table of the structures that were found, in the model's order; empty without any.

    Of many structures those of the liver stand openly, the others in a list that a click opens.
    """
    found = [item for item in volumes if item.voxels]
    if not volumes:
        return ""
    if not found:
        return section("Further structures", '<p class="empty">The model found no further structure.</p>')
    if len(found) <= SHOWN_AT_ONCE:
        return section("Further structures", _open_table(found), keep=True)
    near = [item for item in found if item.structure.is_near_the_liver]
    rest = [item for item in found if not item.structure.is_near_the_liver]
    head = _open_table(near) if near else ""
    heading = f"{len(rest)} {'other ' if near else ''}structures"
    body = f'<details class="structures"><summary>{heading}</summary>{_list(rest)}</details>'
    return section("Further structures", head + body)


def _open_table(volumes: Sequence[StructureVolume]) -> str:
    """One row for each structure, with its share of the liver if any has one."""
    shares = any(item.liver_percent is not None for item in volumes)
    heads = ("Structure", "Volume (ml)") + (("Share of the liver (%)",) if shares else ())
    rows: List[Tuple[str, ...]] = []
    for item in volumes:
        share = NONE if item.liver_percent is None else plain(item.liver_percent, 1)
        rows.append((_name(item), _volume(item)) + ((share,) if shares else ()))
    return table(CAPTION, heads, rows)


def _list(volumes: Sequence[StructureVolume]) -> str:
    """Several structures in a row, for many of them; each column is read downwards."""
    height = -(-len(volumes) // COLUMNS)
    rows = []
    for top in range(height):
        cells: List[str] = []
        for item in volumes[top::height]:
            cells += [_name(item), _volume(item)]
        rows.append(cells + [""] * (2 * COLUMNS - len(cells)))
    return table(CAPTION, ("Structure", "ml") * COLUMNS, rows)


def _name(item: StructureVolume) -> str:
    colour = css(item.structure.colour)
    return f'<span class="swatch" style="background:{colour}"></span>{escape(item.structure.name)}'


def _volume(item: StructureVolume) -> str:
    """A structure cut off by the border of the scan is at least as large as what is seen."""
    return ("≥ " if item.truncated else "") + volume(item.volume_ml)
