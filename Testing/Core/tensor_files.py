"""Weights files as numpy arrays: what the core, which reads them for torch alone, does not need."""

import numpy as np

from LiverSegLib.models.safetensors import open_tensors

STORED = {
    "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
"""The format's name of a dtype -> numpy's for how it is stored."""


def read_tensors(source):
    """Each tensor as an array of its own; BF16, which numpy lacks, as float32 of the same value."""
    arrays = {}
    for name, view in open_tensors(source).items():
        stored = np.frombuffer(view.data, STORED[view.dtype]).reshape(view.shape)
        if view.dtype == "BF16":  # the upper half of a float32
            arrays[name] = (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            arrays[name] = stored.astype(stored.dtype.newbyteorder("="))
    return arrays
