"""Patches of a pack (:mod:`LiverSegLib.training.pack`), as the bundled models are trained on them."""

from dataclasses import replace
from typing import Any, Dict, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from LiverSegLib.errors import InputError
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.training.pack import STRUCTURES, PackedCase
from LiverSegLib.training.patches import label_positions, sample_soft_patch
from LiverSegLib.training.recipe import Recipe


class PackSamples(Dataset):
    """Random patches; item ``i`` depends on the recipe's seed and ``i`` alone.

    Args:
        cases: the training scans.
        recipe: with a section ``pack``; its structures are liver and spleen, perhaps with liver tumour.
        length: how many items there are.

    Raises:
        InputError: the structures are others, or a case that is said to be free of tumours is missing.
    """

    def __init__(self, cases: Sequence[PackedCase], recipe: Recipe, length: int) -> None:
        if recipe.pack is None or recipe.structures not in (tuple(STRUCTURES), tuple(STRUCTURES)[:2]):
            raise InputError(
                f"A pack has the structures {', '.join(STRUCTURES)}, the last of which may be left out."
            )
        merge = len(recipe.structures) < TUMOUR
        free = set(recipe.pack.tumour_free)
        unknown = sorted(free - {case.id for case in cases})
        if unknown:
            raise InputError(f"The pack has no case {unknown[0]}, which the recipe says is free of tumors.")
        cases = [_annotated_free(case) if case.id in free else case for case in cases]
        self._cases = [_without_tumours(case) if merge else case for case in cases]
        seed = recipe.seed
        self._positions = [label_positions(case, np.random.default_rng(seed)) for case in self._cases]
        self._weights = case_weights(self._cases)
        self._pack, self._patch = recipe.pack, recipe.patches.size
        self._augmentation = recipe.pack.augmentation
        self._any_soft = any(case.soft is not None for case in self._cases)
        self._values = [STRUCTURES[name] for name in recipe.structures]
        self._seed, self._length = seed, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Dict[str, Any]:
        rng = np.random.default_rng((self._seed, index))
        number = rng.choice(len(self._cases), p=self._weights)
        case = self._cases[number]
        image, label, soft = sample_soft_patch(
            case, self._positions[number], patch=self._patch, spacing=self._pack.spacing, rng=rng,
            augmentation=self._augmentation,
        )  # fmt: skip
        taught = {"soft": torch.zeros(label.shape) if soft is None else soft,
                  "has_soft": torch.tensor(soft is not None)}  # fmt: skip
        return {
            **(taught if self._any_soft else {}),
            "image": image[0],
            "label": label[None],
            "annotated": torch.tensor([value in case.annotated for value in self._values]),
            "spacing": torch.full((3,), self._pack.spacing),
            "id": case.id,
        }


def _without_tumours(case: PackedCase) -> PackedCase:
    """The case with its tumours labelled liver, for networks that do not tell them apart."""
    return replace(case, label=np.where(case.label == TUMOUR, np.uint8(LIVER), case.label))


def _annotated_free(case: PackedCase) -> PackedCase:
    """The case with tumours among what is annotated: there are none."""
    return replace(case, annotated=tuple(sorted({*case.annotated, TUMOUR})))


def case_weights(cases: Sequence[PackedCase]) -> np.ndarray:
    """Chance of each case: patients by the square root of their series, three times for complete tumours."""
    series = {case.patient: sum(other.patient == case.patient for other in cases) for case in cases}
    weights = np.array([(3.0 if TUMOUR in c.annotated else 1.0) / series[c.patient] ** 0.5 for c in cases])
    return weights / weights.sum()
