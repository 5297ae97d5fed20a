"""What the worker keeps on the disk for a while: its private temporary folder, and arrays in it."""

import os
import shutil
from pathlib import Path
from typing import Union

import numpy as np

from ..errors import UsageError
from ..private_folders import (
    OWNER_FILE,
    PREFIX,
    is_private,
    make_private_folder,
    remove_private_folder,
    sweep,
)

__all__ = [
    "OWNER_FILE",
    "PREFIX",
    "check_private_folder",
    "make_private_folder",
    "remove_private_folder",
    "remove_tree",
    "save_array",
    "sweep",
]


def check_private_folder(folder: Union[str, "os.PathLike[str]"]) -> Path:
    """Return ``folder`` if it is a private folder of this user.

    Raises:
        UsageError: It is not one.
    """
    path = Path(folder)
    if not is_private(path):
        raise UsageError(
            "The temporary folder given to the worker is not a private LiverSeg folder.", str(path)
        )
    return path


def remove_tree(folder: Union[str, "os.PathLike[str]"]) -> None:
    """Remove a folder inside a private folder, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def save_array(path: Union[str, "os.PathLike[str]"], array: np.ndarray) -> None:
    """Write an array of numbers as .npy, like ``numpy.save``, whose error for a full disk does not say that
    it is full.

    Raises:
        OSError: With ``errno`` set.
    """
    array = np.ascontiguousarray(array)
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        if array.size:
            file.write(memoryview(array).cast("B"))
