"""Whole prepared images segmented as the product segments them: its tiles, its blending, its decision."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from LiverSegLib.errors import InputError
from LiverSegLib.inference.foreign.labels import Decision
from LiverSegLib.inference.foreign.plan import Plan, plan_tiles
from LiverSegLib.inference.foreign.predict import Check, TileImage, blended_planes
from LiverSegLib.models.rules import LABORATORY, NNUNET
from LiverSegLib.training.data.prepare import outside_value
from LiverSegLib.training.recipe import Recipe

LIVER, TUMOUR = "liver", "liver tumour"
WINDOW_PERCENTILES = (0.5, 99.5)
"""Share of gray values (%) between which a picture goes from black to white."""
OUTLINE_COLORS = ((220, 60, 60), (70, 140, 240), (240, 200, 40), (60, 200, 120), (200, 90, 220))
"""RGB of structures' outlines, in turn."""


@dataclass(frozen=True)
class CaseDice:
    """Dice of each structure in one case; None where it is not annotated, or neither labelled nor found."""

    id: str
    dice: Mapping[str, Optional[float]]


def pipeline_of(recipe: Recipe) -> str:
    """The way from a scan to labels that a model of this recipe is exported with."""
    return NNUNET if recipe.preparation.way == "nnunet" else LABORATORY


def decision_of(recipe: Recipe) -> Decision:
    """How the network's channels become labels, values 1, 2, ... in the order of the structures."""
    first = 0 if recipe.activation == "softmax" else 1
    values = tuple(range(first, len(recipe.structures) + 1))
    return Decision(recipe.activation, values, pipeline_of(recipe) != NNUNET)


class ModuleNetwork:
    """A network as :class:`~LiverSegLib.inference.foreign.predict.TileNetwork`, for tiles one at a time."""

    def __init__(self, network: nn.Module, out_channels: int, dimensions: int, device: torch.device) -> None:
        self._network, self._planar, self._device = network, dimensions == 2, device
        self.out_channels = out_channels

    def run(self, tile: np.ndarray, mirror_axes: Sequence[int], poll: Check) -> np.ndarray:
        """Scores (classes, a, b, c) of a tile (channels, a, b, c), float32."""
        poll()
        batch = torch.from_numpy(tile[:, 0] if self._planar else tile)[None].to(self._device)
        scores = self._network(batch)
        finest = scores if torch.is_tensor(scores) else scores[0]
        found: np.ndarray = finest[0].float().cpu().numpy()
        return found[:, None] if self._planar else found


class Validator:
    """Segments prepared images and compares labels.

    Args:
        recipe: says how.
        network: in evaluation mode.
        device: where it is.
    """

    def __init__(self, recipe: Recipe, network: nn.Module, device: torch.device) -> None:
        self.recipe, self._decision = recipe, decision_of(recipe)
        self._network = ModuleNetwork(network, recipe.out_channels, recipe.dimensions, device)

    def plan(self, shape: Sequence[int]) -> Plan:
        """The tiles of a prepared image (z, y, x)."""
        options = self.recipe.validation
        return plan_tiles(
            shape, self.recipe.patches.size, 1 - options.overlap, options.blend,
            spread=pipeline_of(self.recipe) == NNUNET,
        )  # fmt: skip

    def labels(self, image: np.ndarray) -> np.ndarray:
        """Labels, uint8 (z, y, x), of a prepared image (1, z, y, x).

        Raises:
            InputError: the image has several channels, which the product cannot run.
        """
        if len(image) != 1:
            raise InputError(f"The product segments images of one channel; this one has {len(image)}.")
        only = np.ascontiguousarray(image[0], np.float32)
        seen = TileImage(only, outside=outside_value(self.recipe.preparation, only))
        found = np.zeros(image.shape[1:], np.uint8)
        with torch.no_grad():
            planes = blended_planes(
                [self._network], seen, self.plan(found.shape), done=lambda count: None, poll=_go_on
            )
            for index, plane in enumerate(planes):
                channel, _ = self._decision.decide(self._decision.prepared(plane))
                found[index] = self._decision.labels(channel)
        for name in self.recipe.validation.largest_component:
            keep_largest(found, self.values_of(name))
        return found

    def compare(self, labels: np.ndarray, batch: Mapping[str, Any]) -> CaseDice:
        """Dice of each structure that the case annotates; a liver counts with its tumours."""
        truth = np.asarray(batch["label"])[0]
        annotated = np.asarray(batch["annotated"]).reshape(-1)
        found: Dict[str, Optional[float]] = {}
        for name, known in zip(self.recipe.structures, annotated):
            values = self.values_of(name)
            found[name] = dice(np.isin(labels, values), np.isin(truth, values)) if known else None
        return CaseDice(str(batch["id"]), found)

    def values_of(self, name: str) -> List[int]:
        """Label values that count as a structure: tumours are part of the liver."""
        names = [name, TUMOUR] if name == LIVER and TUMOUR in self.recipe.structures else [name]
        return [self.recipe.structures.index(each) + 1 for each in names]

    def picture(self, labels: np.ndarray, batch: Mapping[str, Any]) -> Optional[np.ndarray]:
        """The slice with most of the label, RGB uint8 (y, x, 3): outlines of the label, and next to it of
        what was found; None of an empty image."""
        truth, image = np.asarray(batch["label"])[0], np.asarray(batch["image"])[0]
        if not image.size:
            return None
        place = int(((truth > 0) | (labels > 0)).sum((1, 2)).argmax())
        low, high = np.percentile(image[place], WINDOW_PERCENTILES)
        gray = np.clip((image[place] - low) / max(float(high - low), 1e-6), 0, 1) * 255
        both = [_outlined(gray.astype(np.uint8), plane[place]) for plane in (truth, labels)]
        return np.concatenate(both, 1)


def dice(found: np.ndarray, truth: np.ndarray) -> Optional[float]:
    """Dice coefficient of two masks; None where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else None


def keep_largest(labels: np.ndarray, values: Sequence[int]) -> None:
    """Leave the largest connected part (faces, edges and corners) of some labels together, in place."""
    parts, count = ndimage.label(np.isin(labels, values), np.ones((3, 3, 3)))
    if count > 1:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        labels[(parts > 0) & (parts != int(sizes.argmax()))] = 0


def structure_means(rows: Sequence[CaseDice]) -> Dict[str, Optional[float]]:
    """The mean Dice of each structure over the cases that have one."""
    means: Dict[str, Optional[float]] = {}
    for name in dict.fromkeys(name for row in rows for name in row.dice):
        known = [value for row in rows for value in (row.dice.get(name),) if value is not None]
        means[name] = float(np.mean(known)) if known else None
    return means


def mean_dice(means: Mapping[str, Optional[float]]) -> Optional[float]:
    """The mean over the structures that have one."""
    known = [value for value in means.values() if value is not None]
    return float(np.mean(known)) if known else None


def gathered(rows: Sequence[CaseDice]) -> Tuple[CaseDice, ...]:
    """The rows of all processes, in the order of the cases' names."""
    found = list(rows)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        everyone: List[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(everyone, found)
        found = [row for part in everyone for row in part]
    return tuple(sorted({row.id: row for row in found}.values(), key=lambda row: row.id))


def _outlined(gray: np.ndarray, labels: np.ndarray) -> np.ndarray:
    picture = np.repeat(gray[..., None], 3, 2)
    for value in np.unique(labels[labels > 0]).tolist():
        mask = labels == value
        edge = mask & ~ndimage.binary_erosion(mask)
        picture[edge] = OUTLINE_COLORS[(value - 1) % len(OUTLINE_COLORS)]
    return picture


def _go_on() -> None:
    """Nobody cancels."""
