"""Checks of the arguments that a recipe or a model manifest gives a network, before anything is allocated.

Each function returns the checked value and raises ValueError with the argument's name; ``build_network``
makes a ModelError of it.
"""

from typing import Any, Sequence, Tuple

MAX_CHANNELS = 1024
"""Channels of an image or classes of a network: a whole-body model has 118."""
MAX_LABORATORY_WIDTH = 2048
MAX_LABORATORY_LEVELS = 8
MAX_PARAMETERS = 400_000_000
"""Weights (1.6 GB in float32): the largest published network of the laboratory has 101 million."""


def whole(name: str, value: Any, most: int, least: int = 1) -> int:
    """A whole number from ``least`` to ``most``."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} must be whole numbers from {least} to {most}, not {value!r:.40}")
    return int(value)


def share(name: str, value: Any) -> float:
    """A number from 0 to below 1, as the rate of a dropout is."""
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be a number from 0 to below 1, not {value!r:.40}")
    return float(value)


def one_of(name: str, value: Any, known: Sequence[Any]) -> Any:
    """A value that is among the known ones."""
    if type(value) is bool or value not in known:
        choices = ", ".join(str(choice) for choice in known)
        raise ValueError(f"{name} must be one of {choices}, not {value!r:.40}")
    return value


def yes_or_no(name: str, value: Any) -> bool:
    """True or false, no number or text."""
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false, not {value!r:.40}")
    return value


def widths(name: str, values: Any, least_levels: int = 2, most_levels: int = MAX_LABORATORY_LEVELS) -> Any:
    """Channels of each level, finest first, as a tuple."""
    if not isinstance(values, (list, tuple)) or not least_levels <= len(values) <= most_levels:
        levels = str(least_levels) if least_levels == most_levels else f"{least_levels} to {most_levels}"
        raise ValueError(f"{name} must be a list of {levels} numbers, not {values!r:.60}")
    return tuple(whole(name, value, MAX_LABORATORY_WIDTH) for value in values)


def per_axis(name: str, value: Any, axes: int, most: int) -> Tuple[int, ...]:
    """A number for each axis, from one number or a list with one for each."""
    if isinstance(value, (list, tuple)):
        if len(value) != axes:
            raise ValueError(f"{name} must have {axes} numbers, one for each axis, not {value!r:.40}")
        return tuple(whole(name, edge, most) for edge in value)
    return (whole(name, value, most),) * axes


def ends(in_channels: Any, out_channels: Any, dimensions: Any, known: Sequence[int] = (2, 3)) -> None:
    """Check what every network of the laboratory takes."""
    whole("in_channels", in_channels, MAX_CHANNELS)
    whole("out_channels", out_channels, MAX_CHANNELS)
    one_of("dimensions", dimensions, known)
