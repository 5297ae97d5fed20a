"""The surfaces that go with a result: one each for liver, spleen and tumour."""

from typing import TYPE_CHECKING, Callable, Dict, Sequence, Tuple

import SimpleITK as sitk

from ..errors import CancelledError
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..sentences import Sentence
from .inside import kept_inside
from .meshing import surface

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

SURFACE_LABELS: Dict[str, Tuple[int, ...]] = {
    LABELS[LIVER].key: (LIVER, TUMOUR),
    LABELS[SPLEEN].key: (SPLEEN,),
    LABELS[TUMOUR].key: (TUMOUR,),
}
"""Key of a surface -> the labels it encloses. The liver's goes round its tumours, as its volume does."""


def organ_surfaces(
    labels: sitk.Image,
    *,
    keys: Sequence[str] = tuple(SURFACE_LABELS),
    cancel: Callable[[], bool] = lambda: False,
) -> "Dict[str, vtkPolyData]":
    """Return key -> closed vtkPolyData in LPS mm of every organ that has voxels in the uint8 label image.

    The tumour's surface lies within the liver's, also where the tumour reaches the liver's edge.

    Args:
        labels: uint8 label image.
        keys: the organs wanted, of SURFACE_LABELS.
        cancel: asked before each organ.

    Raises:
        CancelledError: ``cancel`` said so.

    >>> import numpy as np
    >>> labels = sitk.GetImageFromArray(np.pad(np.full((6, 6, 6), LIVER, np.uint8), 2))
    >>> list(organ_surfaces(labels))
    ['liver']
    """
    meshes: Dict[str, "vtkPolyData"] = {}
    liver, tumour = LABELS[LIVER].key, LABELS[TUMOUR].key
    for key in SURFACE_LABELS:
        if key not in keys and not (key == liver and tumour in keys):
            continue
        if cancel():
            raise CancelledError(Sentence("failed.cancelled"))
        mesh = surface(labels, SURFACE_LABELS[key])
        if mesh is not None and mesh.GetNumberOfPolys():
            meshes[key] = mesh
    if tumour in meshes:
        meshes[tumour] = kept_inside(meshes[tumour], meshes[liver])
    return {key: mesh for key, mesh in meshes.items() if key in keys}
