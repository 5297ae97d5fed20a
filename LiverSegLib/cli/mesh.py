"""``liverseg mesh``: a segmentation's surfaces as STL, OBJ or PLY files."""

from pathlib import Path
from typing import Dict, List

import numpy as np
import SimpleITK as sitk

from ..errors import InputError, NoLiverError, UnreadableImageError, UsageError
from ..labels import BACKGROUND, LABELS
from ..surfaces.organs import SURFACE_LABELS, organ_surfaces
from .console import Console, Facts

ALL = "all"
"""Every structure that the segmentation has, each into its own file."""


def run_mesh(segmentation: Path, output: Path, label: str, console: Console) -> None:
    """Write the surface of ``label`` (a key of SURFACE_LABELS), or of ALL, each into ``NAME-KEY.ENDING``.

    A file that is there is replaced only if this command wrote it from a mask on the same grid.

    Raises:
        LiverSegError: The segmentation cannot be read or has no such structure, or a file cannot be written.
    """
    from ..surfaces import MESH_FORMATS, grid_hash, refuse_to_replace, write_mesh

    if output.suffix.lower() not in MESH_FORMATS:
        raise UsageError(f'"{output.name}" must end in one of {", ".join(sorted(MESH_FORMATS))}.')
    labels = read_segmentation(segmentation)
    paths = {
        key: output.with_name(f"{output.stem}-{key}{output.suffix}") if label == ALL else output
        for key in present(labels, label)
    }
    for path in paths.values():
        refuse_to_replace(path, labels)
    # All are made before the first is written.
    surfaces = organ_surfaces(labels, keys=list(paths))
    written: Dict[str, Path] = {}
    for key, mesh in surfaces.items():
        written[key] = write_mesh(paths[key], mesh, grid_hash(labels))
    console.answer({"files": {key: str(path) for key, path in written.items()}})
    table = Facts("Surfaces (mm, LPS)")
    for key, path in written.items():
        table.add_row(key, str(path))
    console.show(table)


def read_segmentation(path: Path) -> sitk.Image:
    """Read a label image with LiverSeg's labels as uint8.

    Raises:
        UnreadableImageError: Missing or no image.
        InputError: Not 3-D, or values that are none of LiverSeg's labels.
    """
    if not path.is_file():
        raise UnreadableImageError(f"There is no file {path}.")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableImageError(f"{path} cannot be read as an image.", str(error)) from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path} is no segmentation: it is not a 3-D image with one value a voxel.")
    values = np.unique(sitk.GetArrayViewFromImage(image))
    known = {BACKGROUND, *LABELS}
    if len(values) > len(known) or not set(values.tolist()) <= known:
        raise InputError(
            f"{path} is no segmentation of LiverSeg's: it has values other than {sorted(known)}.",
            f"Values: {values[:10].tolist()}",
        )
    return sitk.Cast(image, sitk.sitkUInt8)


def present(labels: sitk.Image, label: str) -> List[str]:
    """The keys of SURFACE_LABELS that ``label`` (one of them, or ALL) asks for and that have voxels.

    Raises:
        NoLiverError: There are none, and the liver was asked for. InputError: There are none.
    """
    values = set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    wanted = list(SURFACE_LABELS) if label == ALL else [label]
    found = [key for key in wanted if values & set(SURFACE_LABELS[key])]
    if not found:
        error = NoLiverError if "liver" in wanted else InputError
        raise error(f"The segmentation holds no {' or '.join(wanted)}, so there is no surface to write.")
    return found
