"""What LiverSegLib.correct sees at the clicks of a simulated reader, beside what is true there."""

from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Iterator, List, Tuple
from unittest.mock import patch

import numpy as np
from correct_cases import Task
from correct_reader import Ours, View, next_click

from LiverSegLib.correct import refine
from LiverSegLib.correct.crop import Crop
from LiverSegLib.correct.local import Local
from LiverSegLib.correct.targets import target_named

CLICKS = 4
TAUGHT = 0.35
"""After this share of clicks the surroundings of the click are put right, as by a better method."""
TAUGHT_MM = (6.0, 25.0)


@dataclass(frozen=True)
class Click:
    """What is known at a click, and what should change: bool (z, y, x) of the crop's blocks.

    ``counts`` are the blocks that are judged; ``number`` counts the clicks of a task from 1.
    """

    task: str
    patient: str
    origin: str
    number: int
    diameter_mm: float
    expert: bool
    local: Local
    change: np.ndarray
    counts: np.ndarray

    def packed(self) -> "Click":
        """Return a copy of half-precision images, to be kept."""
        images = {
            field.name: value.astype(np.float16)
            for field in fields(Local)
            for value in [getattr(self.local, field.name)]
            if isinstance(value, np.ndarray) and value.dtype == np.float32
        }
        return replace(self, local=replace(self.local, **images))

    def unpacked(self) -> "Click":
        """Return a copy of single-precision images."""
        images = {
            field.name: value.astype(np.float32)
            for field in fields(Local)
            for value in [getattr(self.local, field.name)]
            if isinstance(value, np.ndarray) and value.dtype == np.float16
        }
        return replace(self, local=replace(self.local, **images))


Seen = List[Tuple[Crop, Local]]


@contextmanager
def watched() -> Iterator[Seen]:
    """Note every crop that is looked at, and what is known there."""
    seen: Seen = []
    crops: List[Crop] = []
    crop_around, change_probability = refine.crop_around, refine.change_probability

    def crop_noted(*arguments: Any) -> Crop:
        crops.append(crop_around(*arguments))
        return crops[-1]

    def local_noted(local: Local) -> np.ndarray:
        seen.append((crops[-1], local))
        return change_probability(local)

    with (
        patch.object(refine, "crop_around", crop_noted),
        patch.object(refine, "change_probability", local_noted),
    ):
        yield seen


def clicks_of(task: Task, name: str, rng: np.random.Generator) -> Iterator[Click]:
    """Yield what is seen at the first clicks of a reader; of a crop that grows, the first and the last."""
    view = View.of(task)
    corrector = Ours(task, task.case.probability if task.origin == "model" else None)
    for number in range(1, CLICKS + 1):
        told = next_click(view, view.mask(corrector.labels), rng)
        if told is None:
            return
        with watched() as seen:
            corrector.click(*told)
        for crop, local in seen[:1] + seen[1:][-1:]:
            truth = crop.reduced(task.truth[crop.box]) >= 0.5
            change = (truth if local.include else ~truth) & local.free
            counts = crop.reduced(task.ignored[crop.box]) < 0.5
            patient = str(task.case.entry["patient"])
            yield Click(
                name, patient, task.origin, number, task.diameter_mm, task.expert, local, change, counts
            )
        if rng.random() < TAUGHT:
            _put_right(task, corrector.labels, told[0], rng)


def _put_right(task: Task, labels: np.ndarray, point: Tuple[float, ...], rng: np.random.Generator) -> None:
    """Make the labels around a point true."""
    grid, target = task.case.grid, target_named(task.target)
    steps = np.array(grid.spacing[::-1])
    place = grid.indices(np.array([point]))[0][::-1]
    radius = rng.uniform(*TAUGHT_MM)
    low = np.maximum(np.ceil(place - radius / steps), 0).astype(int)
    high = np.minimum(np.floor(place + radius / steps) + 1, labels.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high))
    offsets = np.ogrid[box]
    near = sum(((o - p) * s) ** 2 for o, p, s in zip(offsets, place, steps)) < radius**2
    part, truth = labels[box], task.truth[box]
    inside = np.isin(part, target.members)
    part[near & truth & ~inside & np.isin(part, target.gives_way)] = target.value
    part[near & ~truth & np.isin(part, target.removable) & ~task.ignored[box]] = target.removed_value
