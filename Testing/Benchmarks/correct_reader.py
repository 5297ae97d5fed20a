"""A simulated reader: clicks in the middle of what is most wrong, as interactive-segmentation challenges do.

A click goes where the Euclidean distance transform of the largest error component (26 neighbours) peaks,
moved by up to JITTER_MM in any direction but kept within the error.
"""

import time
from dataclasses import dataclass
from typing import Callable, List, NamedTuple, Optional, Protocol, Tuple

import numpy as np
from correct_cases import Task
from scipy import ndimage

from LiverSegLib.correct import Session
from LiverSegLib.correct.targets import target_named
from LiverSegLib.evaluation.overlap import dice
from LiverSegLib.evaluation.surface_distances import surface_dice
from LiverSegLib.images.grid import Box, bounding_box, grow_box
from LiverSegLib.labels import TUMOUR
from LiverSegLib.masks.components import component_sums, connected_components

JITTER_MM = 2.0
SURFACE_TOLERANCE_MM = 2.0
SURFACE_CLICKS = (0, 5, 10)
MARGIN_MM = 40.0
"""Errors count within this distance of the true structure's box."""

Point = Tuple[float, float, float]


class Step(NamedTuple):
    """Agreement after so many clicks, and what the last one did.

    ``changed`` and ``harmed`` are voxels; harmed ones were right before. ``seconds`` are of the clock,
    ``cpu`` of the processors. ``surface_dice`` is None but after SURFACE_CLICKS clicks.
    """

    clicks: int
    dice: float
    surface_dice: Optional[float]
    changed: int
    harmed: int
    seconds: float
    cpu: float


class Corrector(Protocol):
    """A method that is told points."""

    @property
    def labels(self) -> np.ndarray:
        """The labels now, uint8 (z, y, x)."""

    def click(self, point: Point, include: bool) -> None:
        """Take a click at LPS mm ``point``."""


class Ours:
    """LiverSegLib.correct."""

    def __init__(self, task: Task, probability: Optional[np.ndarray]) -> None:
        self.session = Session(task.case.image, task.case.grid.image(task.start), probability)
        self.target = task.target

    @property
    def labels(self) -> np.ndarray:
        """The labels now."""
        return self.session._scene.labels

    def click(self, point: Point, include: bool) -> None:
        """Refine."""
        told = {"include": [point]} if include else {"exclude": [point]}
        self.session.refine(self.target, **told)


@dataclass(frozen=True)
class View:
    """The part of a task that the reader looks at, arrays (z, y, x) of a box."""

    task: Task
    box: Box
    truth: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, task: Task) -> "View":
        """Cut the box around the true structure."""
        inner = bounding_box(task.truth)
        assert inner is not None
        steps = task.case.grid.spacing[::-1]
        box = grow_box(inner, [np.ceil(MARGIN_MM / step) for step in steps], task.truth.shape)
        counts = ~task.ignored[box]
        if task.target == "tumor":
            # A lesion that the model invented elsewhere is another correction.
            found, count = connected_components((task.start[box] == TUMOUR) & counts)
            meets = np.zeros(count + 1, bool)
            meets[np.unique(found[task.truth[box]])] = True
            meets[0] = True
            counts &= meets[found]
        return cls(task, box, task.truth[box], counts)

    def mask(self, labels: np.ndarray) -> np.ndarray:
        """The target's mask in the box."""
        return np.isin(labels[self.box], target_named(self.task.target).members) & self.counts


def next_click(view: View, mask: np.ndarray, rng: np.random.Generator) -> Optional[Tuple[Point, bool]]:
    """Return where the reader clicks and whether to include; None if nothing is wrong."""
    wrong = (mask != view.truth) & view.counts
    components, count = connected_components(wrong & view.truth)
    others, other_count = connected_components(wrong & ~view.truth)
    sizes, other_sizes = component_sums(components, count)[1:], component_sums(others, other_count)[1:]
    if count + other_count == 0:
        return None
    include = max(sizes, default=0) >= max(other_sizes, default=0)
    numbers, size = (components, sizes) if include else (others, other_sizes)
    largest = numbers == int(np.argmax(size)) + 1
    box = bounding_box(largest)
    assert box is not None
    steps = view.task.case.grid.spacing[::-1]
    depth = ndimage.distance_transform_edt(np.pad(largest[box], 1), sampling=steps)[1:-1, 1:-1, 1:-1]
    peak = np.array(np.unravel_index(int(np.argmax(depth)), depth.shape))
    grid = view.task.case.grid.crop(view.box).crop(box)
    for _ in range(20):
        way = rng.normal(size=3)
        way *= JITTER_MM * rng.random() ** (1 / 3) / np.linalg.norm(way)
        point = grid.points(peak[None, ::-1])[0] + way
        voxel = np.floor(grid.indices(point[None])[0][::-1] + 0.5).astype(int)
        if ((voxel >= 0) & (voxel < depth.shape)).all() and largest[box][tuple(voxel)]:
            break
    else:
        point = grid.points(peak[None, ::-1])[0]
    x, y, z = point.tolist()
    return (x, y, z), bool(include)


def read(
    task: Task,
    make: Callable[[Task], Corrector],
    clicks: int,
    seed: int = 0,
    watch: Optional[Callable[..., None]] = None,
) -> List[Step]:
    """Correct one structure by so many clicks; the first step is the start."""
    view, rng = View.of(task), np.random.default_rng(seed)
    corrector = make(task)
    mask = view.mask(corrector.labels)
    steps = [_step(view, mask, 0, 0, 0, 0.0, 0.0)]
    for number in range(1, clicks + 1):
        told = next_click(view, mask, rng)
        if told is None:
            steps.append(steps[-1]._replace(clicks=number, changed=0, harmed=0))
            continue
        if watch is not None:
            watch(view, corrector, *told)
        started, cpu = time.monotonic(), time.process_time()
        corrector.click(*told)
        seconds, cpu = time.monotonic() - started, time.process_time() - cpu
        now = view.mask(corrector.labels)
        changed = (now != mask) & view.counts
        harmed = int(np.count_nonzero(changed & (now != view.truth)))
        mask = now
        steps.append(_step(view, mask, number, int(np.count_nonzero(changed)), harmed, seconds, cpu))
    return steps


def _step(
    view: View, mask: np.ndarray, number: int, changed: int, harmed: int, seconds: float, cpu: float
) -> Step:
    spacing = view.task.case.grid.spacing
    truth = view.truth & view.counts
    near = surface_dice(mask, truth, spacing, SURFACE_TOLERANCE_MM) if number in SURFACE_CLICKS else None
    return Step(number, dice(mask, truth), near, changed, harmed, seconds, cpu)
