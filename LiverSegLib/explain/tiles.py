"""What a network sees around a place of a scan: one tile of it, with the grid that it lies on."""

from dataclasses import dataclass, replace
from typing import Callable, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import ModelError
from LiverSegLib.images.grid import Box, Grid, bounding_box, grow_box
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.images.resample import AIR_HU, axis_aligned
from LiverSegLib.inference.foreign.axis_map import CORNERS, AxisMap
from LiverSegLib.inference.foreign.geometry import grids_of
from LiverSegLib.inference.foreign.image import Resampling, resample_image
from LiverSegLib.inference.foreign.intensity import Scale, scale_for
from LiverSegLib.inference.foreign.laboratory import laboratory_image
from LiverSegLib.inference.foreign.layout import Layout, network_spacing, nonzero_box
from LiverSegLib.inference.locate import MAX_TILT_DEGREES
from LiverSegLib.inference.resample import NetworkRegion, normalise, to_network
from LiverSegLib.models import Intensity, Preparation, Stage
from LiverSegLib.models.rules import LABORATORY, MONAI
from LiverSegLib.sentences import Sentence

PLAIN = Scale(None, None, 0.0, 1.0)
"""HU as they are."""

Check = Callable[[], None]
Point = Tuple[float, float, float]


@dataclass(frozen=True)
class Tile:
    """A network's input.

    Attributes:
        values: float32 (z, y, x), or (a, b, c) in the order of the network's axes.
        grid: where its voxels lie; the array's axes are its z, y, x.
    """

    values: np.ndarray
    grid: Grid


def own_tile(image: sitk.Image, stage: Stage, point: Point, multiple: Sequence[int], check: Check) -> Tile:
    """A tile of a stage of LiverSeg's own models, as the scan is cut when it is segmented.

    Args:
        image: the scan, CT in HU.
        stage: of the model.
        point: in its middle, LPS mm; near the scan's border the tile moves inwards.
        multiple: of what numbers its edges must be multiples (z, y, x).
        check: called between steps; raises to cancel.
    """
    volume = patient_order(image)
    if volume.grid.tilt_degrees > MAX_TILT_DEGREES:
        volume = patient_order(axis_aligned(image, min(stage.spacing), check))
    ratios = [want / have for want, have in zip(stage.spacing[::-1], volume.grid.spacing[::-1])]
    middle = volume.grid.indices([point])[0][::-1]
    counts = [int(edge * ratio + 1e-6) for edge, ratio in zip(stage.patch, ratios)]
    box = _around(middle, counts, volume.grid.shape)
    region = NetworkRegion.over(volume.grid, box, stage.spacing)
    intensity = _of_whole_scan(stage.intensity, volume.array)
    values = normalise(to_network(volume, region, check), intensity)
    size = [-(-n // m) * m for n, m in zip(values.shape, multiple)]
    air = (
        0.0
        if intensity.scheme == "zscore"
        else float(normalise(np.asarray([AIR_HU], np.float32), intensity)[0])
    )
    return _padded(values, region.grid, size, air)


def foreign_tile(
    image: sitk.Image, stage: Stage, pipeline: str, point: Point, labels: Optional[np.ndarray], check: Check
) -> Tile:
    """A tile of a stage of another program's model, the scan prepared as for segmenting.

    Args:
        image, stage, point, check: as in :func:`own_tile`.
        pipeline: "nnunet", "monai" or "laboratory".
        labels: (z, y, x) of the scan, values of :mod:`LiverSegLib.labels`, for models that see an organ's
            surroundings alone; without it they see the whole scan.

    Raises:
        ModelError: the stage also sees the labels of an earlier one.
    """
    preparation = stage.preparation or Preparation()
    if stage.previous is not None:
        raise ModelError(Sentence("explain.cascade"))
    scan, layout = Grid.of(image), Layout.of(image, stage)
    organ = _organ_box(scan, preparation, labels)
    hu, grid, spacing = (
        layout.apply(sitk.GetArrayViewFromImage(image)[organ]),
        scan.crop(organ),
        layout.spacing,
    )
    view = _laid_out(grid, layout, hu.shape)
    if preparation.first is not None:
        wanted = [preparation.first.spacing["xyz".index(axis)] for axis in stage.axes]
        after = [max(1, round(n * have / want)) for n, have, want in zip(hu.shape, spacing, wanted)]
        maps = tuple(AxisMap.between(n, m, preparation.first.order, CORNERS) for n, m in zip(hu.shape, after))
        hu = resample_image(hu, Resampling(maps, None), PLAIN.apply, 1, check)
        if preparation.first.whole_numbers:
            np.trunc(hu, out=hu)
        view, spacing = _mapped(view, maps), tuple(wanted)
    box = nonzero_box(hu) if preparation.crop == "nonzero" else view.box
    part, view = hu[box], view.crop(box)
    patch = (1, *stage.patch) if len(stage.patch) == 2 else tuple(stage.patch)
    if pipeline == LABORATORY:
        region = NetworkRegion.over(view, view.box, network_spacing(stage, spacing)[::-1])
        values, beyond = laboratory_image(part, region, stage.intensity, check)
        return _cut(values, region.grid, point, patch, beyond)
    way = grids_of(stage, pipeline, part.shape, spacing).way
    order = preparation.image_order
    if pipeline != MONAI:
        values = resample_image(part, way, scale_for(stage.intensity, part, check).apply, order, check)
    else:
        raw = resample_image(part, way, PLAIN.apply, order, check)
        values = scale_for(stage.intensity, raw, check).apply(raw, view.box)
    return _cut(values, _mapped(view, way.maps), point, patch, 0.0)


def _cut(values: np.ndarray, grid: Grid, point: Point, patch: Sequence[int], beyond: float) -> Tile:
    """A tile of an image (a, b, c) with a point in its middle, filled up with ``beyond`` where the image is
    smaller."""
    cut = _around(grid.indices([point])[0][::-1], patch, grid.shape)
    return _padded(np.ascontiguousarray(values[cut]), grid.crop(cut), patch, beyond)


def _around(middle: np.ndarray, counts: Sequence[int], shape: Sequence[int]) -> Box:
    """The box of so many voxels, or of all where there are fewer, around an index, within an array; all are
    in the array's order."""
    found = []
    for at, count, length in zip(middle, counts, shape):
        count = max(1, min(count, length))
        start = int(np.clip(np.rint(at - (count - 1) / 2), 0, length - count))
        found.append(slice(start, start + count))
    z, y, x = found
    return z, y, x


def _padded(values: np.ndarray, grid: Grid, size: Sequence[int], filling: float) -> Tile:
    """A tile filled up behind to a size (z, y, x)."""
    z, y, x = (int(edge) for edge in size)
    if values.shape == (z, y, x):
        return Tile(values, grid)
    padded: np.ndarray = np.full((z, y, x), filling, np.float32)
    padded[tuple(slice(0, n) for n in values.shape)] = values
    return Tile(padded, replace(grid, size=(x, y, z)))


def _of_whole_scan(intensity: Intensity, array: np.ndarray) -> Intensity:
    """An intensity scheme whose mean and deviation are those of the scan, where they are the image's own: a
    tile's own would depend on where it lies."""
    if intensity.scheme != "zscore" or intensity.mean is not None:
        return intensity
    values = array if intensity.clip is None else np.clip(array, *intensity.clip)
    mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    return replace(intensity, mean=mean, std=max(deviation, 1e-6))


def _organ_box(scan: Grid, preparation: Preparation, labels: Optional[np.ndarray]) -> Box:
    """The part (z, y, x) of a scan that a model sees."""
    region = preparation.region
    box = None if region is None or labels is None else bounding_box(labels == region.label)
    if region is None or box is None:
        return scan.box
    return grow_box(box, [int(region.margin_mm / step) for step in scan.spacing[::-1]], scan.shape)


def _laid_out(grid: Grid, layout: Layout, shape: Sequence[int]) -> Grid:
    """The grid of a scan's array after ``Layout.apply``: its axes a, b, c as z, y, x."""
    corner, columns, spacing = [0.0, 0.0, 0.0], [], []
    for axis, flipped in zip(layout.order, layout.flips):
        step = grid.steps[:, 2 - axis]
        corner[2 - axis] = grid.size[2 - axis] - 1.0 if flipped else 0.0
        length = float(np.linalg.norm(step))
        columns.append((-step if flipped else step) / length)
        spacing.append(length)
    a, b, c = (int(n) for n in shape)
    x, y, z = grid.points([corner])[0].tolist()
    direction = tuple(np.stack(columns[::-1], 1).ravel().tolist())
    return Grid((c, b, a), (spacing[2], spacing[1], spacing[0]), (x, y, z), direction)


def _mapped(grid: Grid, maps: Sequence[AxisMap]) -> Grid:
    """The grid of the samples that maps along a, b, c take of a grid's; they lie evenly."""
    firsts = [float(axis.positions[0]) for axis in maps]
    steps = [float(axis.positions[1] - axis.positions[0]) if axis.after > 1 else 1.0 for axis in maps]
    x, y, z = grid.points([firsts[::-1]])[0].tolist()
    c, b, a = (have * step for have, step in zip(grid.spacing, steps[::-1]))
    width, height, depth = (axis.after for axis in reversed(maps))
    return Grid((width, height, depth), (c, b, a), (x, y, z), grid.direction)
