"""What tells, near clicks, whether a voxel is wrong in the same way as those that were clicked.

Every feature is a number for each block of the crop: how its attenuation compares with that at the click and
around it, how far from the click and behind what it lies, where it lies in the present mask, and what the
network said. Distances are in mm, so that they do not depend on the grid.
"""

from dataclasses import dataclass
from typing import Dict, Sequence, Tuple, Union

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .local import Local

NEAR_MM = 3.0
"""The attenuation at a click is that of the voxels within this distance which may change too."""
NOISE_HU = 8.0
"""Tissue varies by at least this much (standard deviation, after smoothing)."""
LEAST_STEP_HU = 1.0
"""With less contrast than this between the click and its surroundings the attenuation tells nothing."""
SHELL_MM = 1.5
"""Thickness of the shells around a click in which the mean attenuation is looked at."""
FAR_MM = 30.0
"""Distances are told apart up to here; those from the click to twice as far."""
LEAST_TARGET = 50
"""With fewer blocks of the target in the crop, its attenuation is not known."""
EDGE_HU = 10.0
"""A way through this much more or less than at the click counts twice as long."""
WAY = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Where on the straight way from the click to a voxel the image is looked at."""
LEVELS = (0.35, 0.5, 0.65)
"""A lesion ends where shells around the click look like the click by no more than this share."""

WAYS = frozenset(
    (
        "way",
        "worst of way",
        "free way",
        "opposite",
        "free opposite",
        "geodesic",
        "detour",
        "geodesic of reach",
    )
)
"""Features of what lies between the click and a voxel."""

Values = Union[float, np.ndarray]


@dataclass(frozen=True)
class _Click:
    """The click seen from each block (z, y, x), and the attenuation (HU) at it and around it."""

    distance: np.ndarray
    nearest: np.ndarray
    depth: np.ndarray
    reach: float
    here: float
    spread: float
    there: float


def features(local: Local, *, ways: bool = True) -> Dict[str, Values]:
    """Return each feature by its name: float32 (z, y, x), or one number where it is the same everywhere.

    Without ``ways``, what lies between the click and the voxels is left out, which takes half of the time.
    """
    click = _click(local)
    step = click.here - click.there
    # Where there is no contrast, everything is like the click.
    like = (local.image - click.there) / step if abs(step) > LEAST_STEP_HU else np.ones_like(local.image)
    like = np.clip(like, -1, 2).astype(np.float32)
    return {
        **_of_image(local, click, like),
        **_of_place(local, click),
        **_of_shells(local, click, like),
        **(_of_ways(local, click, like) if ways else {}),
        **_of_mask(local),
        **_of_network(local),
        **_of_others(local, click),
    }


def _click(local: Local) -> _Click:
    changing = local.free | local.seeds
    distance, nearest = ndimage.distance_transform_edt(
        ~local.seeds, sampling=local.spacing, return_indices=True
    )
    distance = distance.astype(np.float32)
    at_click = local.image[changing & (distance <= NEAR_MM)]
    here, spread = float(np.mean(at_click)), float(np.hypot(np.std(at_click), NOISE_HU))
    depth = _depth(local)
    reach = float(np.clip(depth[local.seeds].max(), 2.0, FAR_MM))
    return _Click(distance, nearest, depth, reach, here, spread, _surroundings(local, distance, here))


def _depth(local: Local) -> np.ndarray:
    """Return how far (mm) each voxel lies from the other side of the present mask's border."""
    side = ~local.inside if local.include else local.inside
    return _away(~side, local.spacing)


def _away(mask: np.ndarray, spacing: Tuple[float, ...]) -> np.ndarray:
    """Return the distance (mm) from a mask, float32 (z, y, x), at most FAR_MM."""
    if not mask.any():
        return np.full(mask.shape, FAR_MM, np.float32)
    return np.minimum(ndimage.distance_transform_edt(~mask, sampling=spacing), FAR_MM).astype(np.float32)


def _surroundings(local: Local, distance: np.ndarray, here: float) -> float:
    """Return the attenuation of what is around the voxels to change."""
    if local.target == "tumor" and local.include and np.isfinite(local.liver_hu):
        return local.liver_hu
    others = local.free & (distance > 2 * NEAR_MM) & (distance < FAR_MM)
    return float(np.median(local.image[others])) if others.any() else here


def _smooth(values: np.ndarray, mm: float, spacing: Sequence[float]) -> np.ndarray:
    sigmas = [mm / step for step in spacing]
    return ndimage.gaussian_filter(values.astype(np.float32), sigmas, truncate=3.0, mode="nearest")


def _of_image(local: Local, click: _Click, like: np.ndarray) -> Dict[str, Values]:
    """Return how the attenuation compares with that at the click and around it."""
    image, spacing, seeds = local.image, local.spacing, local.seeds
    home = local.liver_hu if local.target == "tumor" else _mode(image[local.inside])
    off, step = (image - click.here) / click.spread, click.here - click.there
    found: Dict[str, Values] = {
        "off": np.clip(off, -4, 4),
        "unlike": np.minimum(off**2, 9.0),
        "like": like,
        "contrast": np.clip(step * (image - 0.5 * (click.here + click.there)) / click.spread**2, -4, 4),
        "home": np.clip((image - home) / 20, -5, 5) if np.isfinite(home) else 0.0,
    }
    for mm in (2.5, 6.0):
        wide = _smooth(image, mm, spacing)
        found[f"off {mm:g} mm"] = np.clip((wide - float(wide[seeds].mean())) / click.spread, -4, 4)
        if mm == 2.5:
            rough = _smooth(image**2, mm, spacing) - wide**2
            rough = np.sqrt(np.maximum(rough, 0)) / NOISE_HU
            found["rough"] = np.minimum(rough, 6)
            found["rougher"] = np.clip(rough - float(rough[seeds].mean()), -6, 6)
        else:
            found["beside"] = np.clip((image - wide) / click.spread, -4, 4)
    slopes = np.stack([np.gradient(image, axis=axis) / step for axis, step in enumerate(spacing)])
    steep = np.sqrt((slopes**2).sum(0))
    found["steep"] = np.minimum(steep / 5, 6)
    outwards = (np.indices(image.shape, dtype=np.float32) - click.nearest) * np.reshape(spacing, (3, 1, 1, 1))
    inwards = -(slopes * outwards).sum(0) / np.maximum(click.distance, 1.0)
    found["inwards"] = np.clip(inwards * np.float32(np.sign(step)) / 5, -6, 6)
    found["here"] = float(np.clip(step / click.spread, -6, 6))
    found["here from home"] = float(np.clip((click.here - home) / 20, -6, 6)) if np.isfinite(home) else 0.0
    found["spread"] = click.spread / NOISE_HU
    return found


def _mode(values: np.ndarray) -> float:
    """Return the most frequent attenuation; NaN of few values."""
    if values.size < LEAST_TARGET:
        return float("nan")
    counts = np.bincount(np.clip(values + 200, 0, 600).astype(np.int64), minlength=601).astype(float)
    return float(np.argmax(ndimage.gaussian_filter1d(counts, 6.0)) - 200)


def _of_place(local: Local, click: _Click) -> Dict[str, Values]:
    """Return where a voxel lies, seen from the click and from the border of the mask."""
    distance, depth, reach = click.distance, click.depth, click.reach
    return {
        "distance": np.minimum(distance, 2 * FAR_MM) / 10,
        "of reach": np.log(np.clip(distance / reach, 0.1, 10)),
        "depth": np.minimum(depth, 12) / 10,
        "shallow": np.minimum(depth / reach, 2),
        "reach": float(np.log(reach)),
        "told": float(np.log(np.count_nonzero(local.seeds) * np.prod(local.spacing))) / 5,
        "organ": float(local.target == "spleen"),
    }


def _of_shells(local: Local, click: _Click, like: np.ndarray) -> Dict[str, Values]:
    """Return how much the shells around the click, as far as a voxel, look like the click."""
    shell = np.minimum(click.distance / SHELL_MM, 2 * FAR_MM / SHELL_MM).astype(np.int64)
    changing = local.free | local.seeds
    count = np.bincount(shell[changing], minlength=int(shell.max()) + 1)
    total = np.bincount(shell[changing], np.clip(like, 0, 1)[changing], minlength=len(count))
    mean = np.where(count > 0, total / np.maximum(count, 1), 0)
    least = np.minimum.accumulate(mean)
    found: Dict[str, Values] = {
        "shell": mean[shell].astype(np.float32),
        "least shell": least[shell].astype(np.float32),
    }
    for level in LEVELS:
        size = _size(mean, level)
        found[f"of size {level:g}"] = np.log(np.clip(click.distance / size, 0.1, 10))
        found[f"size {level:g}"] = float(np.log(size))
    extent = click.distance / min(click.reach, _size(mean, 0.5))
    found["far"], found["farther"] = np.log(np.clip(extent, 0.1, 4)), np.clip(extent, 0, 4)
    return found


def _size(mean: np.ndarray, level: float) -> float:
    """Return the radius (mm) at which the mean of the shells falls below a level."""
    below = np.flatnonzero(mean < level)
    if not below.size:
        return FAR_MM
    end = int(below[0])
    if end == 0:
        return SHELL_MM
    share = (mean[end - 1] - level) / max(mean[end - 1] - mean[end], 1e-6)
    return float(np.clip((end - 0.5 + share) * SHELL_MM, SHELL_MM, FAR_MM))


def _of_ways(local: Local, click: _Click, like: np.ndarray) -> Dict[str, Values]:
    """Return what lies between the click and a voxel, and on the other side of the click."""
    shape = np.array(local.image.shape).reshape(3, 1, 1, 1)
    way = np.indices(local.image.shape, dtype=np.float32) - click.nearest

    def at(part: float) -> Tuple[np.ndarray, ...]:
        offset = np.float32(part) * way
        # Halves are rounded away from the click, so that the direction of an axis does not matter.
        steps = np.trunc(offset + np.copysign(np.float32(0.5), offset)).astype(np.int32)
        z, y, x = np.clip(click.nearest + steps, 0, shape - 1)
        return z, y, x

    changing = local.free | local.seeds
    places = [at(part) for part in WAY]
    likes, frees = [like[place] for place in places], [changing[place] for place in places]
    opposite = [at(-part) for part in (0.5, 1.0)]
    return {
        "way": np.mean(likes, 0),
        "worst of way": np.min(likes, 0),
        "free way": np.mean(frees, 0, dtype=np.float32),
        "opposite": np.mean([like[place] for place in opposite], 0),
        "free opposite": np.mean([changing[place] for place in opposite], 0, dtype=np.float32),
        **_of_geodesic(local, click, changing),
    }


def _of_geodesic(local: Local, click: _Click, changing: np.ndarray) -> Dict[str, Values]:
    """Return how long the best way from the click is, through voxels that may change and look like it."""
    slow = 1 + np.abs(local.image - click.here) / EDGE_HU
    speed = sitk.GetImageFromArray(np.where(changing, 1 / slow, 1e-3).astype(np.float32))
    speed.SetSpacing(local.spacing[::-1])
    starts = [[int(i) for i in place[::-1]] for place in np.argwhere(_surface(local.seeds))]
    arrival = sitk.GetArrayFromImage(sitk.FastMarching(speed, trialPoints=starts, stoppingValue=200.0))
    arrival = np.minimum(arrival, 200.0).astype(np.float32)
    return {
        "geodesic": np.log(np.maximum(arrival, 1.0)),
        "detour": np.log(np.clip((arrival + 2) / (click.distance + 2), 1, 30)),
        "geodesic of reach": np.log(np.clip(arrival / click.reach, 0.1, 30)),
    }


def _surface(mask: np.ndarray) -> np.ndarray:
    """Return the voxels of a mask that have a neighbour outside: ways begin there."""
    return mask & ~ndimage.binary_erosion(mask)


def _of_mask(local: Local) -> Dict[str, Values]:
    """Return how much of a voxel's surroundings belongs to the present mask, and what the mask looks like."""
    inside = local.inside.astype(np.float32)
    natural = _away(local.natural, local.spacing) - _away(~local.natural, local.spacing)
    ratio = _histograms(local)
    return {
        "inside 4 mm": _smooth(inside, 4.0, local.spacing),
        "inside 9 mm": _smooth(inside, 9.0, local.spacing),
        "natural": local.natural.astype(np.float32),
        "from natural": np.clip(natural, -15, 15) / 10,
        "natural click": float(local.natural[local.seeds].mean()),
        "histogram": ratio,
        "histogram 2.5 mm": _smooth(ratio, 2.5, local.spacing),
        "new": float(not local.inside.any()),
    }


def _histograms(local: Local) -> np.ndarray:
    """Return the log ratio of a voxel's HU in the target's histogram and in that beside it, as change."""
    bins = np.clip((local.image + 200) / 8, 0, 63).astype(np.int64)
    inside = np.bincount(bins[local.inside], minlength=64).astype(float)
    outside = np.bincount(bins[local.natural & ~local.inside], minlength=64).astype(float)
    shares = []
    for counts in (inside, outside):
        smooth = ndimage.gaussian_filter1d(counts, 1.5)
        shares.append((smooth + 2e-3 * counts.sum() + 1) / (counts.sum() + 64))
    ratio = np.clip(np.log(shares[0] / shares[1]), -4, 4).astype(np.float32)[bins]
    if inside.sum() < LEAST_TARGET:
        ratio[:] = 0
    return ratio if local.include else -ratio


def _of_network(local: Local) -> Dict[str, Values]:
    """Return the logit of the network's probability of a change, about a voxel and around it."""
    if local.network is None:
        return {"network": 0.0, "network 2.5 mm": 0.0, "network at click": 0.0, "no network": 1.0}
    share = np.clip(local.network, 0.01, 0.99)
    logit = np.log(share / (1 - share)).astype(np.float32)
    logit = logit if local.include else -logit
    return {
        "network": logit,
        "network 2.5 mm": _smooth(logit, 2.5, local.spacing),
        "network at click": float(logit[local.seeds].mean()),
        "no network": 0.0,
    }


def _of_others(local: Local, click: _Click) -> Dict[str, Values]:
    """Return how near other clicks are that said the same, or the contrary."""
    return {
        "opposed": _away(local.opposed, local.spacing) / 10,
        "agreed": _away(local.agreed & ~local.seeds, local.spacing) / 10,
        "nearer opposed": np.clip((_away(local.opposed, local.spacing) - click.distance) / 10, -3, 3),
    }
