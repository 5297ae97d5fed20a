"""Weights and images made of sines, so that another program can make the same without a file of them."""

import zlib

import numpy as np


def seeded_tensor(name, shape):
    """The weights of a name, float32: He-scaled kernels, scales around one, small biases."""
    count = int(np.prod(shape))
    key = zlib.crc32(name.encode())
    waves = np.sin(np.arange(count) * (0.7 + key % 997 / 997) + key % 7).astype(np.float32).reshape(shape)
    if len(shape) > 1:
        return waves * np.float32((4.0 / np.prod(shape[1:])) ** 0.5)
    return np.float32(1) + np.float32(0.3) * waves if name.endswith("weight") else np.float32(0.2) * waves


def seeded_image(shape):
    """An image, float32, of a shape (batch, channels, spatial axes)."""
    return seeded_tensor("image.bias", (int(np.prod(shape)),)).reshape(shape) * np.float32(5)
