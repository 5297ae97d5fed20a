"""Whole lesions: added by a click, removed, split, merged."""

from typing import Optional, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..errors import UsageError
from ..images.grid import Box, bounding_box, grow_box
from ..labels import LIVER, TUMOUR
from ..masks.components import box_within, connected_components
from ..sentences import Sentence
from .refine import Scene, Touched, Wanted, refine
from .strokes import Point, Stroke, voxel_at
from .targets import TARGETS

NEAR_MM = 3.0
"""A click that misses a lesion by no more than this means it."""
SIZES_MM = (2.0, 180.0)
"""Diameters that an added lesion can be told to have."""
LARGEST_GAP_MM = 30.0
"""Lesions further apart are not merged."""
BRIDGE_MM = 2.0
"""A bridge holds the voxels whose way from one lesion to the other is longer by at most this than the
shortest."""


def grown_lesion(scene: Scene, point: Point, size: Optional[float], touched: Touched) -> Wanted:
    """Return the lesion that a click adds.

    Raises:
        UsageError: the point lies in no liver or in a lesion already, or the size makes no sense.
    """
    place = voxel_at(scene.grid, point)
    if size is not None and not SIZES_MM[0] <= size <= SIZES_MM[1]:
        raise UsageError(
            Sentence("correct.lesion-size", least=SIZES_MM[0], most=SIZES_MM[1], value=str(size))
        )
    label = scene.labels[place]
    if label == TUMOUR:
        raise UsageError(Sentence("correct.lesion-there"))
    if label != LIVER:
        raise UsageError(Sentence("correct.not-in-liver"))
    volume = None if size is None else np.pi / 6 * size**3
    return refine(scene, TARGETS["tumor"], [Stroke((point,))], touched, volume_mm3=volume)


def without(scene: Scene, point: Point) -> Wanted:
    """Return the lesion at a point, to be removed.

    Raises:
        UsageError: no lesion lies there.
    """
    box, lesion = lesion_at(scene, point)
    return Wanted(box, np.zeros(lesion.shape, bool), lesion, np.zeros(lesion.shape, bool))


def split(scene: Scene, a: Point, b: Point) -> Wanted:
    """Return the layer of voxels between the two parts of a lesion, to be removed.

    Raises:
        UsageError: the points do not lie in one lesion, or in one voxel.
    """
    box, lesion = lesion_at(scene, a)
    other_box, other = lesion_at(scene, b)
    if box != other_box or not (lesion == other).all():
        raise UsageError(Sentence("correct.not-one-lesion"))
    first, second = (_nearest_inside(scene, box, lesion, point) for point in (a, b))
    if first == second:
        raise UsageError(Sentence("correct.one-place"))
    parts = _parted(lesion, first, second, scene.grid.spacing)
    near_second = ndimage.binary_dilation(parts == 2, np.ones((3, 3, 3), bool))
    between = (parts == 1) & near_second
    between[first] = False
    if near_second[first]:
        raise UsageError(Sentence("correct.one-place"))
    return Wanted(box, np.zeros(lesion.shape, bool), between, np.zeros(lesion.shape, bool))


def merged(scene: Scene, a: Point, b: Point) -> Wanted:
    """Return the bridge between two lesions, to be added.

    Raises:
        UsageError: no lesion lies at a point, both lie in one, or no bridge leads through the liver.
    """
    first_box, first = lesion_at(scene, a)
    second_box, second = lesion_at(scene, b)
    if first_box == second_box and (first == second).all():
        raise UsageError(Sentence("correct.one-lesion"))
    z, y, x = (slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(first_box, second_box))
    steps = scene.grid.spacing[::-1]
    box = grow_box((z, y, x), [np.ceil(2 * BRIDGE_MM / step) for step in steps], scene.grid.shape)
    ways = [
        ndimage.distance_transform_edt(~_in_box(box, part_box, part), sampling=steps)
        for part_box, part in ((first_box, first), (second_box, second))
    ]
    total = ways[0] + ways[1]
    labels = scene.labels[box]
    both = (ways[0] == 0) | (ways[1] == 0)
    gap = float(ways[0][ways[1] == 0].min())
    if gap > LARGEST_GAP_MM:
        raise UsageError(Sentence("correct.far-apart", mm=gap, most=LARGEST_GAP_MM))
    bridge = (labels == LIVER) & (total <= gap + max(BRIDGE_MM, max(steps)))
    components, _ = connected_components(both | bridge)
    place = tuple(np.argwhere(ways[0] == 0)[0])
    joined = components == components[place]
    if not joined[ways[1] == 0].all():
        raise UsageError(Sentence("correct.no-bridge"))
    return Wanted(box, bridge & joined, np.zeros(labels.shape, bool), np.zeros(labels.shape, bool))


def lesion_at(scene: Scene, point: Point) -> Tuple[Box, np.ndarray]:
    """Return the tight box and the mask (z, y, x) in it of the lesion at a point: 26-connected tumor.

    Raises:
        UsageError: no lesion lies within NEAR_MM of the point.
    """
    place = _nearest_tumour(scene, point)
    whole = bounding_box(scene.labels == TUMOUR)
    assert whole is not None
    components, _ = connected_components(scene.labels[whole] == TUMOUR)
    number = components[tuple(index - part.start for index, part in zip(place, whole))]
    lesion = components == number
    tight = bounding_box(lesion)
    assert tight is not None
    return box_within(whole, tight), lesion[tight]


def _nearest_tumour(scene: Scene, point: Point) -> Tuple[int, ...]:
    """Return the index (z, y, x) of the voxel of tumor nearest to a point."""
    z, y, x = voxel_at(scene.grid, point)
    steps = scene.grid.spacing[::-1]
    box = grow_box(
        (slice(z, z + 1), slice(y, y + 1), slice(x, x + 1)),
        [np.ceil(NEAR_MM / step) for step in steps],
        scene.grid.shape,
    )
    places = np.argwhere(scene.labels[box] == TUMOUR) + [part.start for part in box]
    if len(places):
        away = np.linalg.norm(scene.grid.points(places[:, ::-1]) - np.asarray(point), axis=1)
        nearest = int(np.argmin(away))
        if away[nearest] <= NEAR_MM or tuple(places[nearest]) == (z, y, x):
            return tuple(places[nearest].tolist())
    raise UsageError(Sentence("correct.no-lesion"))


def _nearest_inside(scene: Scene, box: Box, lesion: np.ndarray, point: Point) -> Tuple[int, ...]:
    """Return the index (z, y, x) in the box of the lesion's voxel nearest to a point."""
    places = np.argwhere(lesion)
    there = scene.grid.points((places + [part.start for part in box])[:, ::-1])
    return tuple(places[int(np.argmin(np.linalg.norm(there - np.asarray(point), axis=1)))].tolist())


def _parted(
    lesion: np.ndarray, first: Tuple[int, ...], second: Tuple[int, ...], spacing: Tuple[float, ...]
) -> np.ndarray:
    """Return 1 and 2 on the two parts of a lesion: watersheds of its depth, which meet where it is narrow."""
    padded = np.pad(lesion, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=spacing[::-1])
    markers = np.zeros(padded.shape, np.uint8)
    for value, place in ((1, first), (2, second)):
        markers[tuple(index + 1 for index in place)] = value
    relief = sitk.GetImageFromArray((-depth).astype(np.float32))
    floods = sitk.MorphologicalWatershedFromMarkers(
        relief, sitk.GetImageFromArray(markers), markWatershedLine=False, fullyConnected=True
    )
    parts = sitk.GetArrayFromImage(floods)[1:-1, 1:-1, 1:-1]
    return np.where(lesion, parts, 0)


def _in_box(outer: Box, box: Box, mask: np.ndarray) -> np.ndarray:
    """Return a mask of one box as a mask of a larger one."""
    whole = np.zeros([part.stop - part.start for part in outer], bool)
    z, y, x = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(box, outer))
    whole[z, y, x] = mask
    return whole
