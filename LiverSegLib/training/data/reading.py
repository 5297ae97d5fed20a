"""The image and the label of a case, from whatever its layout stores them in."""

from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import InputError, LiverSegError, UnreadableImageError, is_out_of_memory
from LiverSegLib.images.files import files_of, read_volume
from LiverSegLib.images.grid import Grid
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.labels import Masks, from_masks, from_values
from LiverSegLib.training.data.layouts.layout import VOLUMES, in_order
from LiverSegLib.training.data.stacks import (
    PNG,
    in_slice_order,
    png_files,
    read_dicom,
    read_planes,
    read_pngs,
    unzipped,
)

HEADER_READERS = {".png": "PNGImageIO", ".nii.gz": "NiftiImageIO", ".nii": "NiftiImageIO"}
"""Ending -> reader of ITK, which else tries one after the other."""


def read_case(case: Case, structures: Sequence[str]) -> Tuple[List[sitk.Image], np.ndarray]:
    """The channels of a case's image, and its label.

    Args:
        case: of a layout.
        structures: names, in the order of the label's values 1 to n.

    Returns:
        Images on one grid; the label, uint8 (z, y, x) in their own order: 0 background, k the k-th structure.
        All 0 where the case has no label file.

    Raises:
        InputError: a file is missing or damaged, the label lies on another grid or has unknown values, a
            channel lies on another grid.
    """
    try:
        images, names = zip(*(_read_image(path) for path in case.images))
        shape = sitk.GetArrayViewFromImage(images[0]).shape
        for image in images:
            check_finite(image)
            if not Grid.of(images[0]).coincides(Grid.of(image)):
                raise InputError(f"The channels of {case.id} do not lie on one grid.")
        label = (
            np.zeros(shape, np.uint8) if case.label is None else _label(case, structures, images[0], names[0])
        )
        return list(images), label
    except LiverSegError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(f"The files of {case.id} cannot be read.", str(error)) from error


def check_finite(image: sitk.Image) -> None:
    """Raise InputError for an image with voxels that are not finite numbers, or that all have one value."""
    array = sitk.GetArrayViewFromImage(image)
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InputError("The image has voxels without a finite value.")
    if low == high:
        raise InputError("The image is empty: all its voxels have one value.")


def _read_image(path: Path) -> Tuple[sitk.Image, List[str]]:
    """An image, and the stem of the file of each slice where it is a folder of DICOM."""
    if not path.exists():
        raise UnreadableImageError(f"{path.name} is missing.")
    if path.is_file() and path.suffix.lower() == PNG:
        return sitk.GetImageFromArray(read_pngs([path])), []
    if path.is_file() and path.suffix.lower() != ".zip":
        files = files_of(str(path))
        return read_volume(str(path), files[-1])[0], []
    with unzipped(path) as folder:
        pictures = png_files(folder)
        if pictures:
            return sitk.GetImageFromArray(read_pngs(pictures)), []
        return read_dicom(folder)


def _label(case: Case, structures: Sequence[str], image: sitk.Image, names: List[str]) -> np.ndarray:
    path = case.label
    assert path is not None
    if not path.exists():
        raise UnreadableImageError(f"{path.name} is missing.")
    if path.is_file() and path.suffix.lower() != ".zip":
        array = read_pngs([path]) if path.suffix.lower() == PNG else _volume(path, image)
        return from_values(_on_grid(array, image), case.values, structures)
    with unzipped(path) as folder:
        pictures = png_files(folder)
        if pictures:
            array = read_pngs(in_slice_order(names, pictures) if names else pictures)
            return from_values(_on_grid(array, image), case.values, structures)
        masks = Masks(tuple(entry for entry in in_order(folder.iterdir()) if _is_mask(entry)))
        read: Callable[[Path], np.ndarray] = lambda mask: _on_grid(_mask(mask, image, names), image)  # noqa: E731
        shape = sitk.GetArrayViewFromImage(image).shape
        return from_masks(masks, case.values, structures, shape, read)


def _is_mask(path: Path) -> bool:
    return path.is_dir() or path.name.lower().endswith(VOLUMES)


def _mask(path: Path, image: sitk.Image, names: List[str]) -> np.ndarray:
    """A mask, any number but 0 inside, (z, y, x) in the image's order."""
    if path.is_file():
        return _volume(path, image)
    return read_planes(path, names)


def _volume(path: Path, image: sitk.Image) -> np.ndarray:
    """The voxels of a label in a file, which must lie on the image's grid."""
    label = read_volume(str(path), files_of(str(path))[-1])[0]
    grid, own = Grid.of(image), Grid.of(label)
    if not grid.coincides(own):
        raise InputError(
            f"The label {path.name} lies on another grid than the image.",
            f"image {grid.size} at {grid.origin}, label {own.size} at {own.origin}",
        )
    return sitk.GetArrayFromImage(label)


def _on_grid(array: np.ndarray, image: sitk.Image) -> np.ndarray:
    shape = sitk.GetArrayViewFromImage(image).shape
    if array.shape != shape:
        raise InputError(f"The label has {array.shape} voxels (z, y, x), the image {shape}.")
    return array


def header_problem(case: Case) -> Optional[str]:
    """Why a case cannot be used, as far as names and headers tell; None if nothing speaks against it."""
    for path in (*case.images, *(() if case.label is None else (case.label,))):
        if not path.exists():
            return f"{path.name} is missing."
        if path.is_dir() and not any(path.iterdir()):
            return f"The folder {path.name} is empty."
        if path.is_file() and path.stat().st_size == 0:
            return f"{path.name} is empty."
    try:
        sizes = {size for size in map(_header_size, (*case.images, *_label_files(case))) if size is not None}
    except RuntimeError:
        return "A header cannot be read."
    if len(sizes) > 1:
        texts = [" x ".join(map(str, size)) for size in sorted(sizes)]
        return f"Image and label differ in size: {' and '.join(texts)} voxels."
    return None


def _label_files(case: Case) -> Tuple[Path, ...]:
    return () if case.label is None else (case.label,)


def _header_size(path: Path) -> Optional[Tuple[int, ...]]:
    """Voxels (x, y, z) that the header of a file states; None for folders and zip files."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        return None
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    kind = next((io for ending, io in HEADER_READERS.items() if path.name.lower().endswith(ending)), "")
    if kind:
        reader.SetImageIO(kind)
    reader.LoadPrivateTagsOff()
    reader.ReadImageInformation()
    size = tuple(reader.GetSize())
    return size if len(size) == 3 else (*size, 1)[:3]


def case_files(case: Case) -> Tuple[Path, ...]:
    """All files that a case's image and its label are made of, sorted."""
    found: List[Path] = []
    for path in case.images:
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    label = case.label
    if label is not None:
        found += [label] if label.is_file() else [p for p in label.rglob("*") if p.is_file()]
    return tuple(sorted(found))
