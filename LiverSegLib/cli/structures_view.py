"""What the terminal shows of structures beyond liver, spleen and tumours."""

from typing import TYPE_CHECKING, Any, List, Sequence

from rich.table import Table

from .console import numbers_table

if TYPE_CHECKING:
    from ..measure.structures import StructureVolume

FEW = 8
"""So many structures are all shown; of more, those of the liver and beside it."""


def structure_lines(volumes: "Sequence[StructureVolume]") -> List[Any]:
    """The volumes of the structures that were found, and how many more there are; nothing without any."""
    if not volumes:
        return []
    found = [item for item in volumes if item.voxels]
    if not found:
        return ["", "No further structures were found."]
    shown = found if len(found) <= FEW else [item for item in found if item.structure.is_near_the_liver]
    rest = len(found) - len(shown)
    parts: List[Any] = ["", _table(shown)] if shown else [""]
    if rest:
        what = "1 more structure was" if rest == 1 else f"{rest} {'more ' if shown else ''}structures were"
        parts.append(f"{what} found; structures.csv lists their volumes.")
    return parts


def _table(volumes: "Sequence[StructureVolume]") -> Table:
    table = numbers_table("Further structures")
    table.add_column("Structure")
    table.add_column("Volume\n(ml)", justify="right")
    shares = any(item.liver_percent is not None for item in volumes)
    if shares:
        table.add_column("Share of\nliver (%)", justify="right")
    table.add_column("Note")
    for item in volumes:
        share = "" if item.liver_percent is None else f"{item.liver_percent:.1f}"
        cells = [item.structure.name, f"{item.volume_ml:.1f}"] + [share] * shares
        table.add_row(*cells, "cut off by the scan: a lower bound" if item.truncated else "")
    return table
