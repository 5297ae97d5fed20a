"""``liverseg mesh``: a segmentation's surfaces as STL, OBJ or PLY files."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Dict, List

import typer

from ..errors import InputError, NoLiverError, UnreadableImageError, UsageError
from ..labels import BACKGROUND, LABELS
from .console import Console, Facts
from .options import Json

if TYPE_CHECKING:
    import SimpleITK as sitk


class MeshLabel(str, Enum):
    """What ``--label`` takes: a key of ``SURFACE_LABELS``, or every structure that the segmentation has."""

    liver = "liver"
    spleen = "spleen"
    tumour = "tumour"
    all = "all"


def mesh(
    context: typer.Context,
    segmentation: Annotated[
        Path,
        typer.Argument(
            metavar="SEGMENTATION",
            help="A segmentation that LiverSeg wrote, a DICOM Segmentation or a .seg.nrrd.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The surface, ending in .stl, .obj or .ply."),
    ],
    label: Annotated[
        MeshLabel,
        typer.Option(help="Structure; all writes each into its own file, NAME-liver.stl and so on."),
    ] = MeshLabel.liver,
    json_: Json = False,
) -> None:
    """Write a segmentation's surfaces.

    They are smooth and closed, in millimetres, in LPS coordinates.
    """
    # A file that is there is replaced only if this command wrote it from a mask on the same grid.
    from ..surfaces import MESH_FORMATS, grid_hash, refuse_to_replace, write_mesh
    from ..surfaces.organs import organ_surfaces

    if output.suffix.lower() not in MESH_FORMATS:
        raise UsageError(f'"{output.name}" must end in one of {", ".join(sorted(MESH_FORMATS))}.')
    labels = read_segmentation(segmentation)
    paths = {
        key: output.with_name(f"{output.stem}-{key}{output.suffix}") if label == MeshLabel.all else output
        for key in present(labels, label)
    }
    for path in paths.values():
        refuse_to_replace(path, labels)
    # All are made before the first is written.
    surfaces = organ_surfaces(labels, keys=list(paths))
    written: Dict[str, Path] = {}
    for key, surface in surfaces.items():
        written[key] = write_mesh(paths[key], surface, grid_hash(labels))
    console = Console(json=json_, debug=context.obj)
    console.answer({"files": {key: str(path) for key, path in written.items()}})
    table = Facts("Surfaces (mm, LPS)")
    for key, path in written.items():
        table.add_row(key, str(path))
    console.show(table)


def read_segmentation(path: Path) -> "sitk.Image":
    """Read a label image with LiverSeg's labels as uint8.

    Raises:
        UnreadableImageError: Missing or no image.
        InputError: As above, or of a DICOM Segmentation ``segmentations.read_mask_alone`` does.
        InputError: Not 3-D, or values that are none of LiverSeg's labels.
    """
    import numpy as np
    import SimpleITK as sitk

    from ..segmentations import names_its_segments, read_mask_alone

    if names_its_segments(path):
        return read_mask_alone(path).labels
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


def present(labels: "sitk.Image", label: MeshLabel) -> List[str]:
    """The keys of SURFACE_LABELS that ``label`` asks for and that have voxels.

    Raises:
        NoLiverError: There are none, and the liver was asked for. InputError: There are none.
    """
    import numpy as np
    import SimpleITK as sitk

    from ..surfaces.organs import SURFACE_LABELS

    values = set(np.unique(sitk.GetArrayViewFromImage(labels)).tolist())
    wanted = list(SURFACE_LABELS) if label == MeshLabel.all else [label.value]
    found = [key for key in wanted if values & set(SURFACE_LABELS[key])]
    if not found:
        error = NoLiverError if "liver" in wanted else InputError
        raise error(f"The segmentation holds no {' or '.join(wanted)}, so there is no surface to write.")
    return found
