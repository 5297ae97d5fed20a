"""Networks inside networks: a manifest names them, and they may not nest without end."""

from typing import Any, Mapping

from torch import nn

MAX_DEPTH = 2
"""Networks inside each other, the outermost not counted: a cascade of 2.5D networks, say."""
KEYS = {"name", "arguments"}
FILLED_IN = ("in_channels", "out_channels", "dimensions")


def check_inner(key: str, entry: Any, depth: int = 1) -> None:
    """Raise ValueError unless ``entry`` is {"name": ..., "arguments": {...}} and does not nest too deep.

    Args:
        key: the name of the argument.
        entry: its value.
        depth: of ``entry`` below the outermost network.
    """
    if not isinstance(entry, Mapping) or not set(entry) <= KEYS or not isinstance(entry.get("name"), str):
        raise ValueError(f"{key} must be a network's name and arguments, not {entry!r:.60}")
    arguments = entry.get("arguments", {})
    if not isinstance(arguments, Mapping):
        raise ValueError(f"{key}: arguments must have names, not {arguments!r:.60}")
    if depth > MAX_DEPTH:
        raise ValueError(f"{key}: networks are nested more than {MAX_DEPTH} deep")
    for name, value in arguments.items():
        if name in FILLED_IN:
            raise ValueError(f"{key}: {name} is filled in by the network around it")
        if isinstance(value, Mapping):
            check_inner(f"{key}.{name}", value, depth + 1)


def build_inner(entry: Mapping[str, Any], in_channels: int, out_channels: int, dimensions: int) -> nn.Module:
    """The network of a checked entry, one of the laboratory's.

    Raises:
        ValueError: it is none of the laboratory's.
        ModelError: it does not take these arguments.
    """
    from LiverSegLib.networks.laboratory import LABORATORY, build_laboratory

    name = entry["name"]
    if name not in LABORATORY:
        raise ValueError(f"{name!r:.40} is no network of the laboratory: {', '.join(LABORATORY)}")
    known = LABORATORY[name].dimensions
    if dimensions not in known:
        raise ValueError(f"{name} is no network of {dimensions} dimensions")
    arguments = dict(entry.get("arguments", {}))
    arguments.update(in_channels=in_channels, out_channels=out_channels, dimensions=dimensions)
    return build_laboratory(name, arguments)


def multiple_of(network: Any, axes: int) -> Any:
    """``size_multiple`` of a network as a tuple of one number per axis."""
    multiple = network.size_multiple
    return (multiple,) * axes if isinstance(multiple, int) else tuple(multiple)
