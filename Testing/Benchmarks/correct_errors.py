"""Errors for a simulated reader to correct in scans of training patients, from which corrections are learnt.

Beside the errors that the model makes there are made ones: organs that lack a part, reach into a neighbour or
lie a layer off; lesions that were missed, or found too small, too large, beside their place or in part; and
lesions that are put into healthy liver. Where an error is made, the network's probability is withheld, for it
would tell of the error.
"""

from dataclasses import replace
from typing import Iterator, List, Optional, Tuple

import numpy as np
from correct_cases import Case, Task, diameter_mm, tasks_of
from scipy import ndimage

from LiverSegLib.correct.refine import parenchyma_hu
from LiverSegLib.images.grid import Box, bounding_box, grow_box
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR

MARGIN_MM = 30.0
"""Errors are made within this distance of a structure's box."""
SOFT_HU = (-30.0, 250.0)
"""An organ leaks into tissue of this attenuation."""
LESIONS = 6
"""At most so many lesions of a scan are used at a time."""
VARIANTS = 3
"""So many errors are made of each organ and of each lesion."""
NEW_LESIONS = 3
"""So many lesions are put into a liver at a time."""
BITTEN, BITTEN_MM = 0.4, 8.0
"""This share of lesions no deeper in the liver than this is in part left out by the liver's mask."""
VISIBLE_HU = 8.0
"""A lesion that differs less from the liver is not put in."""


def training_tasks(case: Case, rng: np.random.Generator) -> Iterator[Task]:
    """Yield the model's errors in a scan, and made ones."""
    found = list(tasks_of(case))
    organs = [task for task in found if task.target != "tumor"]
    lesions = [task for task in found if task.origin == "model" and task.target == "tumor"]
    for task in organs:
        yield task
        for _ in range(VARIANTS):
            yield _with_organ_error(task, rng)
    for number in rng.permutation(len(lesions))[:LESIONS]:
        task = lesions[number]
        if (task.start[task.truth] == TUMOUR).any():
            yield task
        yield _bitten(replace(task, start=_without_lesion(task), origin="nothing"), rng)
        for _ in range(VARIANTS):
            yield _bitten(_with_lesion_error(_fainter(task, rng), rng), rng)
    if any(task.target == "liver" for task in organs):
        for _ in range(NEW_LESIONS):
            made = _new_lesion(case, rng)
            if made is not None:
                yield _bitten(replace(made, start=_without_lesion(made), origin="nothing"), rng)
                yield _bitten(_with_lesion_error(made, rng), rng)


def _around(task: Task, mask: np.ndarray) -> Box:
    inner = bounding_box(mask)
    assert inner is not None
    steps = task.case.grid.spacing[::-1]
    return grow_box(inner, [np.ceil(MARGIN_MM / step) for step in steps], mask.shape)


def _signed_mm(mask: np.ndarray, steps: Tuple[float, ...]) -> np.ndarray:
    """Return the distance (mm) to the border of a mask (z, y, x), negative inside."""
    outside = ndimage.distance_transform_edt(~mask, sampling=steps)
    return np.where(mask, -ndimage.distance_transform_edt(mask, sampling=steps), outside)


def _bumps(
    shape: Tuple[int, ...], steps: Tuple[float, ...], mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Return a smooth random field (z, y, x) of standard deviation 1 whose bumps measure about ``mm``."""
    coarse = [max(2, int(np.ceil(count * step / mm)) + 1) for count, step in zip(shape, steps)]
    field = rng.normal(size=coarse).astype(np.float32)
    smooth = ndimage.zoom(
        field, [n / c for n, c in zip(shape, coarse)], order=1, grid_mode=True, mode="nearest"
    )
    return smooth / max(float(smooth.std()), 1e-6)


def _blob(
    shape: Tuple[int, ...],
    steps: Tuple[float, ...],
    centre: np.ndarray,
    radius: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the signed distance (mm, roughly) of a bumpy ellipsoid around an index (z, y, x)."""
    stretch = np.exp(rng.normal(0, 0.2, 3))
    offsets = np.ogrid[tuple(slice(0, count) for count in shape)]
    squares = sum(((o - c) * s * k) ** 2 for o, c, s, k in zip(offsets, centre, steps, stretch))
    return np.sqrt(squares) - radius + 0.18 * radius * _bumps(shape, steps, max(6.0, radius), rng)


def _with_organ_error(task: Task, rng: np.random.Generator) -> Task:
    """Return a task whose start lacks a part of the organ, or has some of its surroundings."""
    value = LIVER if task.target == "liver" else SPLEEN
    box, steps = _around(task, task.truth), task.case.grid.spacing[::-1]
    start = task.start.copy()
    labels, truth = start[box], task.truth[box]
    away = _signed_mm(truth, steps)
    places = np.argwhere(np.abs(away) <= 3.0)
    centre = places[rng.integers(len(places))]
    kind = rng.choice(["cut", "leak", "layer"])
    if kind == "layer":
        patch = _blob(labels.shape, steps, centre, rng.uniform(20, 45), rng) < 0
        off = rng.choice([-1, 1]) * rng.uniform(1.2, 4.0)
        wanted = away < off
        labels[patch & (labels == value) & ~wanted] = BACKGROUND
        labels[patch & (labels == BACKGROUND) & wanted] = value
    elif kind == "cut":
        blob = _blob(labels.shape, steps, centre, rng.uniform(6, 30), rng) < 0
        labels[blob & (labels == value)] = BACKGROUND
    else:
        view = task.case.voxels[box]
        soft = (view > SOFT_HU[0]) & (view < SOFT_HU[1])
        blob = _blob(labels.shape, steps, centre, rng.uniform(6, 25), rng) < 0
        labels[blob & soft & (labels == BACKGROUND)] = value
    return replace(task, start=start, origin="made")


def _without_lesion(task: Task) -> np.ndarray:
    return np.where((task.start == TUMOUR) & ~task.ignored, np.uint8(LIVER), task.start)


def _bitten(task: Task, rng: np.random.Generator) -> Task:
    """Return a task whose liver, at times, leaves out a part of a lesion that lies near its border."""
    box, steps = _around(task, task.truth), task.case.grid.spacing[::-1]
    truth, radius = task.truth[box], 0.5 * task.diameter_mm
    home = np.isin(task.case.reference[box], (LIVER, TUMOUR))
    if rng.random() >= BITTEN or home.all():
        return task
    places = np.argwhere(truth)
    depth = ndimage.distance_transform_edt(home, sampling=steps)[truth]
    if depth.min() > BITTEN_MM:
        return task
    outermost = places[int(np.argmin(depth))]
    bite = _blob(truth.shape, steps, outermost, max(5.0, radius * rng.uniform(0.5, 1.5)), rng) < 0
    start = task.start.copy()
    start[box][bite & np.isin(start[box], (LIVER, TUMOUR)) & ~task.ignored[box]] = BACKGROUND
    return replace(task, start=start)


def _fainter(task: Task, rng: np.random.Generator) -> Task:
    """Return a task whose lesion, at times, differs less from the liver."""
    liver = parenchyma_hu(task.case.voxels, task.case.reference)
    if rng.random() < 0.4 or not np.isfinite(liver):
        return task
    box = _around(task, task.truth)
    image = task.case.voxels.astype(np.float32)
    soft = ndimage.gaussian_filter(
        task.truth[box].astype(np.float32), [1.5 / s for s in task.case.grid.spacing[::-1]]
    )
    contrast = float(np.median(image[task.truth])) - liver
    image[box] += soft * contrast * (rng.uniform(0.35, 0.9) - 1)
    return replace(task, case=task.case.showing(image))


def _with_lesion_error(task: Task, rng: np.random.Generator) -> Task:
    """Return a task that begins with a lesion of wrong size or shape, or beside its place."""
    box, steps = _around(task, task.truth), task.case.grid.spacing[::-1]
    truth, start = task.truth[box], _without_lesion(task)
    radius = 0.5 * task.diameter_mm
    away = _signed_mm(truth, steps)
    shift = rng.normal(0, 0.2 * radius, 3) / steps if rng.random() < 0.5 else np.zeros(3)
    away = ndimage.shift(away, shift, order=1, mode="nearest")
    off = radius * rng.uniform(-0.55, 0.45)
    mask = away + 0.12 * radius * _bumps(truth.shape, steps, max(6.0, radius), rng) < off
    places = np.argwhere(truth)
    if rng.random() < 0.3:
        way = rng.normal(size=3)
        along = ((np.indices(truth.shape).T - places.mean(0)) * steps @ (way / np.linalg.norm(way))).T
        mask &= along < rng.uniform(-0.4, 0.6) * radius
    if rng.random() < 0.3:
        edge = np.argwhere(np.abs(away) < 2.0)
        if len(edge):
            leak = _blob(
                truth.shape, steps, edge[rng.integers(len(edge))], radius * rng.uniform(0.3, 0.8), rng
            )
            mask |= leak < 0
    home = np.isin(start[box], (LIVER, TUMOUR)) | truth
    start[box][mask & home & ~task.ignored[box]] = TUMOUR
    return replace(task, start=start, origin="made")


def _new_lesion(case: Case, rng: np.random.Generator) -> Optional[Task]:
    """Return a task about a lesion that is put into the liver; None if there is no room for it."""
    liver = case.reference == LIVER
    steps = case.grid.spacing[::-1]
    whole = bounding_box(liver)
    if whole is None:
        return None
    places = np.argwhere(liver[whole])
    centre = places[rng.integers(len(places))]
    radius = float(np.exp(rng.uniform(np.log(5.0), np.log(38.0))))
    parenchyma = parenchyma_hu(case.voxels, case.reference)
    contrast = rng.choice([-1, -1, -1, 1]) * rng.uniform(VISIBLE_HU, 60.0)
    shape = liver[whole].shape
    away = _blob(shape, steps, centre, radius, rng)
    inside = (away < 0) & liver[whole]
    if np.count_nonzero(inside) < 60:
        return None
    image = case.voxels.astype(np.float32)
    blur = rng.uniform(0.5, 4.0)
    share = 1 / (1 + np.exp(np.clip(away / blur, -30, 30)))
    uneven = 1 + 0.25 * _bumps(shape, steps, max(5.0, 0.6 * radius), rng)
    vessels = np.clip(image[whole] - parenchyma, -25, 25)
    faded = contrast * uneven - rng.uniform(0, 0.7) * ndimage.gaussian_filter(
        vessels, [2.0 / s for s in steps]
    )
    image[whole] += np.where(liver[whole], share * faded, 0)
    truth = np.zeros(liver.shape, bool)
    truth[whole] = inside
    reference = np.where(truth, np.uint8(TUMOUR), case.reference)
    made = replace(case.showing(image), reference=reference)
    others: List[np.ndarray] = [case.reference == TUMOUR]
    return Task(made, "tumor", truth, case.predicted, others[0], "nothing", diameter_mm(case, truth), False)
