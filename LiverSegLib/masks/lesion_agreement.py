"""Lesions of two networks put together: what either draws, as far as both agree on it."""

import numpy as np

from .components import component_sums, connected_components

LEAST = 0.5
"""A lesion that either network draws stays if the mean of both networks' probabilities over it is at least
this: it is where each alone is undecided, too."""
BELOW_HALF = np.float32(0.49)
"""The highest probability in a lesion that does not stay."""


def agreed_lesions(one: np.ndarray, other: np.ndarray, liver: np.ndarray) -> np.ndarray:
    """Probability of lesion, float32 (z, y, x), that two networks agree on.

    Networks that learnt from few patients each miss lesions and parts of lesions that the other finds; what
    one invents, the other mostly does not see. So the higher probability counts, but in connected lesions
    that both together do not believe in the lower one.

    Args:
        one, other: probability 0 to 1 of lesion, given that it is liver or lesion, float32 (z, y, x).
        liver: bool (z, y, x), liver with lesions.
    """
    highest = np.maximum(one, other)
    numbers, count = connected_components((highest > 0.5) & liver)
    if not count:
        return highest
    believed = component_sums(numbers, count, (one + other) / 2) / np.maximum(
        component_sums(numbers, count), 1
    )
    is_doubted = believed < LEAST
    is_doubted[0] = False
    lowest = np.minimum(np.minimum(one, other), BELOW_HALF)
    return np.asarray(np.where(is_doubted[numbers], lowest, highest), np.float32)
