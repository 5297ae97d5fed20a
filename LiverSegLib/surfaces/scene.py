"""What the child process that draws gets: the surfaces with their colours, as bytes."""

import io
from typing import Iterable, List, NamedTuple, Tuple

import numpy as np


class Body(NamedTuple):
    """One surface to draw.

    Attributes:
        points: float32 (n, 3), LPS mm.
        normals: float32 (n, 3), unit vectors that point outwards.
        triangles: int32 (m, 3), indices of points.
        look: float64 (4,): red, green, blue, opacity, 0..1.
    """

    points: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    look: np.ndarray


def packed(bodies: Iterable[Body], size: Tuple[int, int]) -> bytes:
    """A scene as bytes: .npy files one after the other.

    Args:
        bodies: what is drawn.
        size: width and height of the picture in pixels.
    """
    stream = io.BytesIO()
    np.save(stream, np.asarray(size))
    for body in bodies:
        for array in body:
            np.save(stream, array)
    return stream.getvalue()


def unpacked(scene: bytes) -> Tuple[List[Body], Tuple[int, int]]:
    """The bodies and the size of what ``packed`` returned.

    >>> body = Body(np.zeros((3, 3)), np.zeros((3, 3)), np.asarray([[0, 1, 2]]), np.ones(4))
    >>> bodies, size = unpacked(packed([body], (80, 40)))
    >>> len(bodies), bodies[0].triangles.tolist(), size
    (1, [[0, 1, 2]], (80, 40))
    """
    stream = io.BytesIO(scene)
    width, height = (int(value) for value in np.load(stream))
    bodies: List[Body] = []
    while stream.tell() < len(scene):
        bodies.append(Body(*(np.load(stream) for _ in Body._fields)))
    return bodies, (width, height)
