"""Segmentations in image files: NIfTI, NRRD and MetaImage, with LiverSeg's values or others that are told;
and 3D Slicer's .seg.nrrd, which names its segments.
"""

import os
import re
from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, InputError, UnreadableImageError, is_out_of_memory
from ..images.grid import Grid
from ..labels import BACKGROUND
from ..sentences import Sentence
from .naming import Segment, codes_of

MOST_VALUES = 1000
"""An image of more values than this is no segmentation."""


@dataclass(frozen=True)
class LabelImage:
    """An image of segments.

    Attributes:
        name: of the file.
        grid: its own.
        layers: integers (z, y, x); segments of different layers may overlap.
        segments: what it holds; without names where the file names none.
        places: number of a segment -> its layer and value.
        is_named: whether the file names its segments.
    """

    name: str
    grid: Grid
    layers: Tuple[np.ndarray, ...]
    segments: Tuple[Segment, ...]
    places: Mapping[int, Tuple[int, int]]
    is_named: bool

    def of(self, number: int) -> np.ndarray:
        """The voxels of a segment, bool (z, y, x)."""
        layer, value = self.places[number]
        return np.asarray(self.layers[layer] == value)


def read_label_image(path: str) -> LabelImage:
    """Read an image of segments.

    Raises:
        UnreadableImageError: it is missing or no image. InputError: it is no image of a segmentation.
    """
    name = os.path.basename(path)
    if not os.path.isfile(path):
        raise UnreadableImageError(Sentence("read.missing", path=path))
    try:
        image = sitk.ReadImage(path)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(Sentence("segmentation.no-image", name=name), str(error)) from error
    if image.GetDimension() != 3:
        raise ImageGeometryError(Sentence("segmentation.dimensions", name=name))
    layers = _layers(image, name)
    named = _named(image, len(layers))
    if named:
        segments = tuple(segment for segment, _ in named)
        places = {segment.number: place for segment, place in named}
        return LabelImage(name, Grid.of(image), layers, segments, places, True)
    if len(layers) > 1:
        raise InputError(Sentence("segmentation.dimensions", name=name))
    values = np.unique(layers[0])
    if len(values) > MOST_VALUES or int(values.min()) < BACKGROUND:
        raise InputError(Sentence("segmentation.too-many-values", name=name, count=len(values)))
    found = [int(value) for value in values if value != BACKGROUND]
    segments = tuple(Segment(value, "") for value in found)
    return LabelImage(name, Grid.of(image), layers, segments, {value: (0, value) for value in found}, False)


def _layers(image: sitk.Image, name: str) -> Tuple[np.ndarray, ...]:
    array = sitk.GetArrayFromImage(image)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or not (array == np.rint(array)).all() or np.abs(array).max() > 65535:
            raise InputError(Sentence("mask.type", type=image.GetPixelIDTypeAsString()))
        array = array.astype(np.int32)
    if array.dtype.kind not in "iu":
        raise InputError(Sentence("mask.type", type=image.GetPixelIDTypeAsString()))
    if image.GetNumberOfComponentsPerPixel() == 1:
        return (array,)
    return tuple(np.ascontiguousarray(array[..., layer]) for layer in range(array.shape[-1]))


def _named(image: sitk.Image, layers: int) -> List[Tuple[Segment, Tuple[int, int]]]:
    """The segments that 3D Slicer wrote into the header, with their layer and value; empty without such."""
    found: List[Tuple[Segment, Tuple[int, int]]] = []
    keys = set(image.GetMetaDataKeys())
    for number in range(len(keys)):
        prefix = f"Segment{number}_"
        if f"{prefix}Name" not in keys and f"{prefix}ID" not in keys:
            break
        fields: Dict[str, str] = {
            key[len(prefix) :]: image.GetMetaData(key) for key in keys if key.startswith(prefix)
        }
        layer, value = int(fields.get("Layer") or 0), int(fields.get("LabelValue") or 1)
        codes = fields.get("Tags", "")
        entry = re.search(r"TerminologyEntry:([^|]*)", codes)
        if layer < layers:
            name = fields.get("Name") or fields.get("ID") or ""
            segment = Segment(number + 1, name.strip(), *codes_of(entry.group(1) if entry else ""))
            found.append((segment, (layer, value)))
    return found
