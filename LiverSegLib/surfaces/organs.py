"""The surfaces that go with a result: one each for liver, spleen and tumour."""

from typing import Any, Callable, Dict, Tuple

import SimpleITK as sitk

from ..errors import CancelledError
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..sentences import Sentence

SURFACE_LABELS: Dict[str, Tuple[int, ...]] = {
    LABELS[LIVER].key: (LIVER, TUMOUR),
    LABELS[SPLEEN].key: (SPLEEN,),
    LABELS[TUMOUR].key: (TUMOUR,),
}
"""Key of a surface -> the labels it encloses. The liver's goes round its tumours, as its volume does."""


def organ_surfaces(labels: sitk.Image, *, cancel: Callable[[], bool] = lambda: False) -> Dict[str, Any]:
    """Return key -> closed vtkPolyData in LPS mm of every organ that has voxels in the uint8 label image.

    Raises:
        CancelledError: ``cancel``, which is asked before each organ, said so.
    """
    from . import surface

    meshes = {}
    for key, values in SURFACE_LABELS.items():
        if cancel():
            raise CancelledError(Sentence("failed.cancelled"))
        meshes[key] = surface(labels, values)
    return {key: mesh for key, mesh in meshes.items() if mesh is not None and mesh.GetNumberOfPolys()}
