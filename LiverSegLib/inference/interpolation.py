"""Linear resampling along one axis of an array: products with those parts of a matrix that are not zero."""

from typing import List, Tuple

import numpy as np

from LiverSegLib.inference.arrays import HOST, Array, Arrays

BLOCK = 64
"""Rows of the matrix in one product. Few enough that each needs few of the input's lines, many enough for
BLAS to be fast."""


class AxisWeights:
    """Weights (outputs, inputs) that resample one axis: each output is made of neighbouring inputs.

    A dense product would mostly multiply by zero: of 512 lines an output uses 2 to 8.
    """

    def __init__(self, weights: np.ndarray, arrays: Arrays = HOST) -> None:
        self._outputs, self._arrays = weights.shape[0], arrays
        self._blocks: List[Tuple[slice, slice, Array]] = []
        for first in range(0, self._outputs, BLOCK):
            rows = slice(first, min(first + BLOCK, self._outputs))
            used = np.flatnonzero(weights[rows].any(0))
            columns = slice(int(used[0]), int(used[-1]) + 1)
            block = np.ascontiguousarray(weights[rows, columns], np.float32)
            self._blocks.append((rows, columns, arrays.put(block)))

    def along_x(self, array: Array) -> Array:
        """Resample the last axis: (..., y, inputs) -> (..., y, outputs), float32."""
        out = self._arrays.empty((*array.shape[:-1], self._outputs))
        for rows, columns, weights in self._blocks:
            self._arrays.library.matmul(array[..., columns], weights.T, out=out[..., rows])
        return out

    def along_y(self, array: Array) -> Array:
        """Resample the axis before the last: (..., inputs, x) -> (..., outputs, x), float32."""
        out = self._arrays.empty((*array.shape[:-2], self._outputs, array.shape[-1]))
        for rows, columns, weights in self._blocks:
            self._arrays.library.matmul(weights, array[..., columns, :], out=out[..., rows, :])
        return out


def linear_weights(count: int, step: float, out_count: int, start: float = 0.0) -> np.ndarray:
    """Weights (out_count, count) of linear interpolation, from a grid of ``count`` to a finer one.

    Output j, 0 being the first, is centred at ``(start + j + 0.5) / step - 0.5`` inputs. Beyond the ends the
    last input counts.
    """
    centres = np.clip((start + np.arange(out_count) + 0.5) / step - 0.5, 0, count - 1)
    distance = np.abs(centres[:, None] - np.arange(count)[None])
    return np.clip(1 - distance, 0, None).astype(np.float32)
