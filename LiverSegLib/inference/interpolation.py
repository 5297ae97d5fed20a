"""Linear resampling along one axis of an array, as products with a matrix that is nearly empty.

With numpy the matrix is sparse: of 512 lines an output uses 2 to 8, and BLAS, whose threads wait for each
other, takes ten times as long on a busy machine. On a graphics card it is an ordinary product.
"""

import numpy as np
from scipy import sparse

from LiverSegLib.inference.arrays import HOST, Array, Arrays


class AxisWeights:
    """Weights (outputs, inputs) that resample one axis: each output is made of neighbouring inputs."""

    def __init__(self, weights: np.ndarray, arrays: Arrays = HOST) -> None:
        self._sparse = arrays.kind == "cpu"
        self._weights = sparse.csr_matrix(weights) if self._sparse else arrays.put(weights)

    def along_x(self, array: Array) -> Array:
        """Resample the last axis: (..., y, inputs) -> (..., y, outputs), float32."""
        if not self._sparse:
            return array @ self._weights.T
        lines = array.reshape(-1, array.shape[-1])
        found = np.ascontiguousarray((self._weights @ lines.T).T)
        return found.reshape(*array.shape[:-1], found.shape[-1])

    def along_y(self, array: Array) -> Array:
        """Resample the axis before the last: (..., inputs, x) -> (..., outputs, x), float32."""
        if not self._sparse:
            return self._weights @ array
        planes = array.reshape(-1, *array.shape[-2:])
        found = np.stack([self._weights @ plane for plane in planes])
        return found.reshape(*array.shape[:-2], *found.shape[-2:])

    def along_z(self, array: np.ndarray) -> np.ndarray:
        """Resample the first of three axes of a numpy array: (inputs, y, x) -> (outputs, y, x), float32."""
        return (self._weights @ array.reshape(len(array), -1)).reshape(-1, *array.shape[1:])


def linear_weights(count: int, step: float, out_count: int, start: float = 0.0) -> np.ndarray:
    """Weights (out_count, count) of linear interpolation, from a grid of ``count`` to a finer one.

    Output j, 0 being the first, is centred at ``(start + j + 0.5) / step - 0.5`` inputs. Beyond the ends the
    last input counts.
    """
    centres = np.clip((start + np.arange(out_count) + 0.5) / step - 0.5, 0, count - 1)
    distance = np.abs(centres[:, None] - np.arange(count)[None])
    return np.clip(1 - distance, 0, None).astype(np.float32)
