"""What a network takes, from the arguments in a model's manifest: no PyTorch is needed for it."""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

Sizes = Tuple[int, ...]


def size_multiple(name: str, arguments: Mapping[str, Any]) -> Optional[Sizes]:
    """Return of what numbers the edges of a tile must be multiples, per axis; None for an unknown network.

    Args:
        name: of an architecture in ``networks``.
        arguments: what it is built with.

    Example:
        >>> size_multiple("ResidualUNet", {"channels": [8, 16, 32], "fold": 2})
        (8, 8, 8)
    """
    rule = RULES.get(name)
    return None if rule is None else rule(arguments)


def in_channels(arguments: Mapping[str, Any]) -> int:
    """Channels of a network's input, from what it is built with; 1 where that does not say."""
    return int(arguments.get("in_channels", arguments.get("input_channels", 1)))


def _of_residual_unet(arguments: Mapping[str, Any]) -> Sizes:
    """Every level below the first halves the folded image."""
    levels = len(arguments.get("channels", (0,) * 5))
    return (int(arguments.get("fold", 1)) * 2 ** (levels - 1),) * 3


def _of_strides(arguments: Mapping[str, Any]) -> Optional[Sizes]:
    """The product of the strides of all levels, each a number or one per axis."""
    strides: Sequence[Any] = arguments.get("strides", ())
    axes = max((len(step) for step in strides if isinstance(step, (list, tuple))), default=0)
    if not axes:
        return None
    product = [1] * axes
    for step in strides:
        along = step if isinstance(step, (list, tuple)) else (step,) * axes
        product = [have * int(more) for have, more in zip(product, along)]
    return tuple(product)


RULES: Dict[str, Callable[[Mapping[str, Any]], Optional[Sizes]]] = {
    "ResidualUNet": _of_residual_unet,
    "PlainConvUNet": _of_strides,
    "ResidualEncoderUNet": _of_strides,
}
"""Architecture -> how its arguments tell."""
