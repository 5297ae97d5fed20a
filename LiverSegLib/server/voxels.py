"""A scan's voxels on the wire: their bytes, little-endian in (z, y, x) order, compressed by zlib."""

import os
import zlib
from pathlib import Path
from typing import Iterator, Tuple

import numpy as np

KINDS = ("int16", "float32")
"""Types in which scans are read, and sent."""

LEVEL = 1
"""Of zlib: higher ones shrink a CT by some percent more and take several times as long."""

_PIECE = 1 << 20


class Damaged(ValueError):
    """What came is not the scan that was announced."""


def packed(voxels: np.ndarray) -> bytes:
    """Return the compressed bytes of int16 or float32 voxels (z, y, x)."""
    press = zlib.compressobj(LEVEL)
    parts = [press.compress(_bytes_of(plane)) for plane in voxels]
    return b"".join([*parts, press.flush()])


def pieces(data: bytes) -> Iterator[bytes]:
    """The parts in which bytes are sent, so that a cancel is heard between two of them."""
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


class VoxelFile:
    """Writes what arrives into a .npy file, and never more than was announced.

    Args:
        path: the file to make.
        shape: (z, y, x).
        kind: one of ``KINDS``.
    """

    def __init__(self, path: Path, shape: Tuple[int, int, int], kind: str) -> None:
        dtype = np.dtype(kind).newbyteorder("<")
        self._left = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        self._unpack = zlib.decompressobj()
        self._file = open(path, "wb")  # noqa: SIM115 (closed by close)
        header = {"descr": dtype.str, "fortran_order": False, "shape": tuple(shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def write(self, data: bytes) -> None:
        """Take in the next compressed bytes.

        Raises:
            Damaged: they are not compressed by zlib, or hold more than was announced.
            OSError: the disk is full.
        """
        while True:
            most = min(_PIECE, self._left + 1)  # one byte more than is wanted shows that there is too much
            try:
                plain = self._unpack.decompress(data, most)
            except zlib.error as error:
                raise Damaged(str(error)) from error
            self._left -= len(plain)
            if self._left < 0 or self._unpack.unused_data:
                raise Damaged("more than was announced")
            self._file.write(plain)
            data = self._unpack.unconsumed_tail
            if not data and len(plain) < most:  # zlib may still hold output where all input is taken in
                return

    def finish(self) -> None:
        """All has come.

        Raises:
            Damaged: less than was announced.
            OSError: the disk is full.
        """
        if self._left or not self._unpack.eof:
            raise Damaged("less than was announced")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file; what it holds then is whole only after ``finish``."""
        self._file.close()


def _bytes_of(plane: np.ndarray) -> bytes:
    return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<")).tobytes()
