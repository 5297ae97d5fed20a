"""What was handed to the worker, read and checked: arrays, the scan, the mask, an earlier summary."""

import json
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, UnreadableImageError, UsageError
from ..images.grid import Box, Grid
from ..sentences import Sentence, restored


def read_array(path: str, unreadable: str) -> np.ndarray:
    """Return an array that was handed over, as a memory map.

    Raises:
        UnreadableImageError: it cannot be read; ``unreadable`` is the key of the sentence that says so.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableImageError(Sentence(unreadable), str(error)) from error


def read_voxels(path: str, grid: Grid) -> np.ndarray:
    """Return the scan's HU (z, y, x) as a memory map.

    Raises:
        UnreadableImageError: the file cannot be read.
        InputError: it holds no three-dimensional array of numbers, or the grid has another size.
        UsageError: the grid lacks numbers.
    """
    voxels = read_array(path, "handed.scan-unreadable")
    if voxels.ndim != 3 or voxels.dtype.kind not in "iuf" or voxels.dtype == np.float16:
        kind = {"dimensions": voxels.ndim, "type": str(voxels.dtype)}
        raise InputError(Sentence("handed.scan-type", **kind))
    if (len(grid.origin), len(grid.spacing), len(grid.direction)) != (3, 3, 9):
        raise UsageError(Sentence("handed.grid-numbers"))
    if voxels.shape[::-1] != grid.size:
        raise InputError(Sentence("handed.grid"), f"{voxels.shape[::-1]} voxels, grid of {grid.size}")
    return voxels


def read_image(path: str, grid: Grid) -> sitk.Image:
    """Return the scan as an image in memory.

    Raises:
        UnreadableImageError, InputError, UsageError: as ``read_voxels``, or SimpleITK refuses the grid.
    """
    voxels = read_voxels(path, grid)
    try:
        return grid.image(voxels)
    except RuntimeError as error:
        raise InputError(Sentence("handed.grid"), str(error)) from error


def read_mask(path: str, shape: Tuple[int, ...], unreadable: str) -> np.ndarray:
    """Return an array of uint8 and of a shape (z, y, x) as a memory map.

    Raises:
        UnreadableImageError: the file cannot be read; ``unreadable`` is the key of the sentence.
        UsageError: it is of another type or shape.
    """
    array = read_array(path, unreadable)
    if array.shape != shape or array.dtype != np.uint8:
        found = {"type": str(array.dtype), "found": str(array.shape)}
        raise UsageError(Sentence("handed.segmentation-type", shape=str(shape), **found))
    return array


def read_structures(path: str, shape: Tuple[int, ...]) -> np.ndarray:
    """Return a mask of uint8 or uint16 and of a shape (z, y, x), in memory.

    Raises:
        UnreadableImageError: the file cannot be read.
        UsageError: it is of another type or shape.
    """
    array = read_array(path, "handed.segmentation-unreadable")
    if array.shape != shape or array.dtype not in (np.uint8, np.uint16):
        found = {"type": str(array.dtype), "found": str(array.shape)}
        raise UsageError(Sentence("handed.structures-type", shape=str(shape), **found))
    return np.array(array)


def read_box(numbers: Tuple[int, ...], shape: Tuple[int, ...]) -> Box:
    """Return a box of an array of a shape (z, y, x) from (z0, z1, y0, y1, x0, x1), ends excluded.

    Raises:
        UsageError: there are not six numbers, or the box is empty or reaches beyond the array.
    """
    if len(numbers) != 6:
        raise UsageError(Sentence("handed.box-numbers", found=len(numbers)))
    z, y, x = (slice(*numbers[at : at + 2]) for at in (0, 2, 4))
    if not all(0 <= part.start < part.stop <= count for part, count in zip((z, y, x), shape)):
        raise UsageError(Sentence("correct.box", box=str(list(numbers)), shape=str(shape)))
    return z, y, x


def read_labels(path: str, image: sitk.Image) -> sitk.Image:
    """Return the mask as uint8 on the scan's grid.

    Raises:
        UnreadableImageError: the file cannot be read.
        UsageError: it does not fit the scan.
    """
    labels = sitk.GetImageFromArray(read_mask(path, image.GetSize()[::-1], "handed.segmentation-unreadable"))
    labels.CopyInformation(image)
    return labels


def read_summary(path: Optional[str]) -> Mapping[str, Any]:
    """Return an earlier result's summary; empty if there is none.

    Raises:
        UsageError: the file cannot be read or lacks a part.
    """
    if path is None:
        return {}
    try:
        summary = restored(json.loads(Path(path).read_text(encoding="utf-8")))
        parts = [summary[key] for key in ("name", "measurements", "provenance", "warnings")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(Sentence("handed.numbers-unreadable"), repr(error)) from error
    if [type(part) for part in parts] != [str, dict, dict, list]:
        raise UsageError(Sentence("handed.numbers-unreadable"), "a part is of the wrong kind")
    return summary
