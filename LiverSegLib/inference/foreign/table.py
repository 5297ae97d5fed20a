"""The table of structures of a model of another program."""

import colorsys
from typing import Tuple

from LiverSegLib.labels import BACKGROUND, LABELS
from LiverSegLib.models.stage import Output
from LiverSegLib.structures import Structure

GOLDEN = 0.618034
"""Hues at this distance (turns) of each other stay apart, however many there are."""


def structure_table(output: Output) -> Tuple[Structure, ...]:
    """All structures that a model knows, in the order of its channels; the background is none.

    Channels with the value 0 are the background.
    """
    found = []
    for channel, (key, value) in enumerate(zip(output.channels, output.own_values)):
        if value == BACKGROUND:
            continue
        label = output.labels.get(key, BACKGROUND)
        colour = LABELS[label].colour if label else _colour(channel)
        found.append(Structure(value, key, key.replace("_", " ").capitalize(), colour, label))
    return tuple(found)


def _colour(number: int) -> Tuple[int, int, int]:
    """A color (sRGB) that differs from those of the numbers before."""
    shades = ((0.55, 0.9), (0.75, 0.75), (0.4, 0.8))
    saturation, brightness = shades[number % len(shades)]
    red, green, blue = colorsys.hsv_to_rgb(number * GOLDEN % 1.0, saturation, brightness)
    return round(red * 255), round(green * 255), round(blue * 255)
