"""Volumes in folders or zip files of slices: DICOM of any modality, PNG; and masks beside them."""

import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import InputError
from LiverSegLib.images import dicom, grouping
from LiverSegLib.images.stack import read_stack, stack_geometry
from LiverSegLib.training.data.layouts.layout import in_order

PNG = ".png"
UNZIPPED_LIMIT = 8 << 30
"""Bytes that a zip file of a case may hold; more is no scan."""


@contextmanager
def unzipped(path: Path) -> Iterator[Path]:
    """The folder itself, or the content of a zip file in a folder that goes away afterwards.

    A zip file that holds one folder stands for that folder.

    Raises:
        InputError: the zip file is damaged or absurdly large.
    """
    if path.suffix.lower() != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(item.file_size for item in archive.infolist()) > UNZIPPED_LIMIT:
                    raise InputError(f"{path.name} is too large for the zip file of one scan.")
                archive.extractall(scratch)
        except (zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise InputError(f"{path.name} is no readable zip file.", str(error)) from error
        inside = in_order(Path(scratch).iterdir())
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else Path(scratch)


def png_files(folder: Path) -> List[Path]:
    """The PNG files of a folder by name, numbers in names by value."""
    return in_order(path for path in folder.iterdir() if path.suffix.lower() == PNG)


def read_pngs(paths: List[Path]) -> np.ndarray:
    """Gray pictures as one array, uint8 or uint16 (z, y, x), slices in the order given.

    Raises:
        InputError: a picture is damaged, in color, or of another size than the first.
    """
    planes = [_read_png(path) for path in paths]
    if not planes:
        raise InputError("There is no PNG file.")
    for path, plane in zip(paths, planes):
        if plane.shape != planes[0].shape:
            raise InputError(f"{path.name} has another size than {paths[0].name}.")
    return np.stack(planes)


def _read_png(path: Path) -> np.ndarray:
    try:
        plane = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(f"{path.name} is no readable picture.", str(error)) from error
    if plane.ndim == 3 and all(np.array_equal(plane[..., 0], plane[..., k]) for k in (1, 2)):
        plane = plane[..., 0]  # gray, stored as color
    if plane.ndim != 2:
        raise InputError(f"{path.name} is in color, not gray.")
    return plane


def read_dicom(folder: Path) -> Tuple[sitk.Image, List[str]]:
    """The largest series of a DICOM folder, of any modality, and the stem of the file of each slice (z).

    CT is in HU; other modalities have the values that the header's slope and intercept give.

    Raises:
        InputError: no DICOM image, or slices that do not make a volume.
    """
    found = dicom.read_headers(dicom.walk(str(folder)))
    if not found.slices:
        raise InputError(f"{folder.name} holds no DICOM image.")
    slices = max(grouping.stacks(found.slices), key=len)
    return read_stack(slices, stack_geometry(slices)), [Path(item.path).stem for item in slices]


def read_planes(folder: Path, names: List[str]) -> np.ndarray:
    """The values of DICOM files, (z, y, x), by name; where they lie does not matter.

    Args:
        folder: searched deeply.
        names: stems of the files, along z.

    Raises:
        InputError: the files have other names, or one is damaged.
    """
    files = {Path(path).stem: path for path in dicom.walk(str(folder))}
    if set(files) != set(names):
        raise InputError(f"The mask {folder.name} has other slices than the image.")
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    planes = []
    for name in names:
        reader.SetFileName(files[name])
        try:
            planes.append(sitk.GetArrayFromImage(reader.Execute()).squeeze())
        except RuntimeError as error:
            raise InputError(f"The mask {folder.name} has a damaged file, {name}.", str(error)) from error
    return np.stack(planes)


def in_slice_order(names: List[str], paths: List[Path]) -> List[Path]:
    """The picture of each slice of a series: by equal names, else the k-th file by name of both.

    Args:
        names: stem of the file of each slice, along z.
        paths: pictures of the slices.

    Raises:
        InputError: there are not as many pictures as slices.
    """
    if len(names) != len(paths):
        raise InputError(f"The series has {len(names)} slices, its label {len(paths)}.")
    by_stem: Dict[str, Path] = {path.stem: path for path in paths}
    if set(by_stem) == set(names):
        return [by_stem[name] for name in names]
    files = in_order(Path(name) for name in names)
    rank = {path.name: place for place, path in enumerate(files)}
    ordered = in_order(paths)
    return [ordered[rank[name]] for name in names]
