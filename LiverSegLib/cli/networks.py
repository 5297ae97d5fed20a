"""``liverseg networks``: the networks of the laboratory, their papers and what they cost, as text or JSON."""

from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Tuple

import typer
from rich.text import Text

from ..errors import LiverSegError, ModelError, UsageError
from .console import Console, Facts, numbers_table
from .options import Json
from .packages import require_packages
from .progress import ProgressBar

if TYPE_CHECKING:
    from ..networks.architecture import Architecture
    from ..networks.cost import Cost

LARGEST_EDGE = 1024
"""Voxels along an axis of ``--patch`` at most."""
BELOW = (
    "Weights in millions, those of the paper where it gives them; floating-point operations for each voxel in"
    " thousands (multiply and add are two; convolutions and matrix products), and memory of a training step"
    " in GiB, at {patches}: an estimate for batch 1, float32 and Adam from the activations PyTorch keeps,"
    " without what single operations need beside them. 1 channel in, 2 classes."
)
Row = Tuple["Architecture", int, Optional["Cost"], Optional[LiverSegError]]


def networks(
    context: typer.Context,
    name: Annotated[
        Optional[str], typer.Argument(metavar="[NAME]", help="Show this network alone, with its arguments.")
    ] = None,
    dimensions: Annotated[
        Optional[int],
        typer.Option(metavar="2|3", help="Networks for slices (2) or volumes (3); each in its usual form."),
    ] = None,
    patch: Annotated[
        Optional[str],
        typer.Option(
            metavar="Z,Y,X|Y,X", help="Voxels at which costs are counted [96,96,96 in 3D, 256,256 in 2D]."
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """List the networks of the laboratory.

    With paper, weights, operations for each voxel and the memory that a training step takes. They are counted
    without memory for the weights.
    """
    if dimensions not in (None, 2, 3):
        raise UsageError(f"Networks have 2 or 3 dimensions, not {dimensions}.")
    size = parse_patch(patch)
    if size is not None and dimensions not in (None, len(size)):
        raise UsageError(f"A network of {dimensions} dimensions needs a patch of {dimensions} numbers.")
    require_packages(("torch",))
    axes = len(size) if size is not None else dimensions
    console = Console(json=json_, debug=context.obj)
    with ProgressBar(console.aside, shown=not json_) as bar:
        rows = _counted(_chosen(name, axes), size, bar)
    console.answer({"networks": [content(row) for row in rows]})
    if name is not None:
        console.show(*(_details(row) for row in rows))
    else:
        console.show(_table(rows), _below(rows), _papers(rows))


def parse_patch(text: Optional[str]) -> Optional[Tuple[int, ...]]:
    """The numbers of ``--patch``: (z, y, x) or (y, x).

    Raises:
        UsageError: it is not two or three whole numbers in the range of patches.

    Example:
        >>> parse_patch("64,96,96")
        (64, 96, 96)
    """
    if text is None:
        return None
    words = text.split(",")
    good = len(words) in (2, 3) and all(word.strip().isdecimal() for word in words)
    if not good or not all(8 <= int(word) <= LARGEST_EDGE for word in words):
        raise UsageError(
            f"A patch is two or three whole numbers from 8 to {LARGEST_EDGE}, as 96,96,96, not {text!r:.40}."
        )
    return tuple(int(word) for word in words)


def _chosen(name: Optional[str], axes: Optional[int]) -> "List[Tuple[Architecture, int]]":
    """The networks to show, each with its dimensions.

    Raises:
        UsageError: there is none of that name, or it has no such dimensions.
    """
    from ..networks import LABORATORY

    if name is None:
        known = LABORATORY.values()
        return [
            (network, axes or network.dimensions[0])
            for network in known
            if axes is None or axes in network.dimensions
        ]
    name = {known.lower(): known for known in LABORATORY}.get(name.lower(), name)
    if name not in LABORATORY:
        raise UsageError(f"There is no network {name!r:.40}. There are: {', '.join(LABORATORY)}.")
    network = LABORATORY[name]
    if axes is not None and axes not in network.dimensions:
        raise UsageError(f"{name} is a network of {_axes(network)} alone.")
    return [(network, count) for count in network.dimensions if axes in (None, count)]


def _counted(
    chosen: "List[Tuple[Architecture, int]]", patch: Optional[Tuple[int, ...]], bar: ProgressBar
) -> List[Row]:
    """Each network with its cost, or with the error that says what is missing to build it."""
    from ..networks.cost import cost_of

    rows: List[Row] = []
    for number, (network, axes) in enumerate(chosen):
        bar(number / len(chosen), network.name, f"Counting {network.name}")
        try:
            rows.append((network, axes, cost_of(network.name, axes, patch), None))
        except ModelError as error:
            rows.append((network, axes, None, error))
    return rows


def content(row: Row) -> Dict[str, Any]:
    """A row as JSON-ready data."""
    network, axes, cost, error = row
    return {
        "name": network.name,
        "dimensions": axes,
        "possible_dimensions": list(network.dimensions),
        "paper": network.paper,
        "origin": network.origin,
        "note": network.note,
        "arguments": dict(network.arguments),
        "parameters": None if cost is None else cost.parameters,
        "paper_parameters": network.paper_parameters,
        "patch": None if cost is None else list(cost.patch),
        "flops_per_voxel": None if cost is None else cost.flops_per_voxel,
        "training_bytes": None if cost is None else cost.training_bytes,
        "error": None if error is None else str(error),
    }


def _table(rows: List[Row]) -> Any:
    table = numbers_table("Networks")
    table.add_column("Name")
    for heading in ("2D/3D", "Weights", "Paper", "kFLOP/voxel", "GiB"):
        table.add_column(heading, justify="right")
    table.add_column("From")
    for network, axes, cost, _ in rows:
        numbers = ("–", "–", "–")
        if cost is not None:
            memory = f"{cost.training_bytes / 2**30:.2f}"
            numbers = (f"{cost.parameters / 1e6:.2f}", f"{cost.flops_per_voxel / 1e3:.0f}", memory)
        table.add_row(
            network.name, f"{axes}D", numbers[0], _paper_weights(network), *numbers[1:], network.origin
        )
    return table


def _below(rows: List[Row]) -> Text:
    """What the numbers are, and which are missing and why."""
    patches = {
        cost.dimensions: " x ".join(map(str, cost.patch)) for _, _, cost, _ in rows if cost is not None
    }
    text = BELOW.format(patches=" and ".join(f"{patches[axes]} in {axes}D" for axes in sorted(patches)))
    for reason in dict.fromkeys(str(error) for _, _, _, error in rows if error is not None):
        text += f"\n{reason}"
    return Text(text, style="dim")


def _papers(rows: List[Row]) -> Facts:
    facts = Facts("Papers")
    for network, _, _, _ in rows:
        facts.add_row(network.name, network.paper)
    return facts


def _details(row: Row) -> Facts:
    """One network with everything that is known of it."""
    network, axes, cost, error = row
    facts = Facts(f"{network.name}, {axes}D")
    facts.add_row("Paper", network.paper)
    facts.add_row("From", network.origin)
    if network.note:
        facts.add_row("Note", network.note)
    for key, value in network.arguments.items():
        facts.add_row(f"Argument {key}", str(value))
    if cost is None:
        facts.add_row("Cannot be built", str(error))
        return facts
    facts.add_row("Weights", f"{cost.parameters / 1e6:.2f} million (paper: {_paper_weights(network)})")
    patch = " x ".join(str(edge) for edge in cost.patch)
    facts.add_row("Operations", f"{cost.flops_per_voxel / 1e3:.0f} kFLOP/voxel at {patch}")
    memory = f"{cost.training_bytes / 2**30:.2f} GiB at {patch}, an estimate: batch 1, float32, Adam"
    facts.add_row("Training step", memory)
    return facts


def _paper_weights(network: "Architecture") -> str:
    return "–" if network.paper_parameters is None else f"{network.paper_parameters / 1e6:.2f}"


def _axes(network: "Architecture") -> str:
    return " and ".join(f"{count}" for count in sorted(network.dimensions)) + " dimensions"
