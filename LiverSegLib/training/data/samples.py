"""Patches to train on, and whole cases to validate with."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Protocol, Sequence, Tuple

import numpy as np
import torch
from torch.utils.data import Dataset

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.cache import CaseStore, StoredCase
from LiverSegLib.training.data.centres import cut, place_of
from LiverSegLib.training.data.options import ANY_LABEL, ANYWHERE, PatchOptions, PreparationOptions
from LiverSegLib.training.data.table import Broken, check_broken

Sample = Dict[str, Any]
"""``image`` float32 (channel, *patch), ``label`` uint8 (1, *patch), ``annotated`` bool (structures,),
``spacing`` float32 (x, y, z) mm, ``id`` text."""
EMPTY_TRIES = 20
"""How often a patch, or a case, without a label is drawn again."""


class Augments(Protocol):
    """What makes a patch of a larger one, with all its chance from ``rng``."""

    def enlarged(self, patch: Sequence[int]) -> Sequence[int]:
        """How large a crop it wants for a patch of a size."""
        ...

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, its patch of the size that was asked for."""
        ...


class SampleSet(Dataset):
    """Random patches; item ``i`` depends on the seed and ``i`` alone.

    So a run that goes on repeats nothing and misses nothing, with any number of workers. Each patient has the
    same chance, however many series there are. A case that turns out to be broken is left out, named in
    :attr:`broken`, and another one drawn in its place.

    Args:
        cases: of the training part.
        structures: names, in the order of the label's values 1 to n.
        preparation: of the recipe.
        patches: of the recipe.
        augmentation: None for plain crops.
        seed: of all chance.
        length: how many items there are.
        cache: folder for prepared cases; None keeps the last few in memory.

    Raises:
        InputError: there is no case.
        UsageError: ``patches.centres`` names what is no structure.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        structures: Sequence[str],
        preparation: PreparationOptions,
        patches: PatchOptions,
        augmentation: Optional[Augments],
        seed: int,
        length: int,
        cache: Optional[Path] = None,
    ) -> None:
        if not cases:
            raise InputError("There is no case to train on.")
        unknown = [name for name in patches.centres if name not in (*structures, ANYWHERE, ANY_LABEL)]
        if unknown:
            known = ", ".join([ANYWHERE, ANY_LABEL, *structures])
            raise UsageError(f"Patches cannot be centred on {unknown[0]}; there are {known}.")
        self._cases = tuple(cases)
        self._structures = tuple(structures)
        self._patches = patches
        self._augmentation = augmentation
        self._any_labels = any(case.label is not None for case in cases)
        self._seed = seed
        self._length = length
        self._chances = _chances(cases)
        self._store = CaseStore(cache, structures, preparation, crop=True)
        for case in cases:
            self._store.key(case)  # now, so that all workers see one state of the files
        self._broken: Dict[str, str] = {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Sample:
        """Item ``index``.

        Raises:
            IndexError: there is no such item.
            InputError: more than half of the cases are broken.
        """
        if not 0 <= index < self._length:
            raise IndexError(index)
        rng = np.random.default_rng([self._seed, index])
        needs_label = self._any_labels and rng.random() >= self._patches.empty
        case, stored = self._draw(rng)
        for _ in range(EMPTY_TRIES):
            if stored.positions or not needs_label:
                break
            case, stored = self._draw(rng)
        sample = self._patch(case, stored, rng, needs_label)
        if self._augmentation is not None:
            sample = self._augmentation(sample, rng)
        return sample

    @property
    def broken(self) -> Tuple[Broken, ...]:
        """Id and reason of the cases that turned out to be broken, as far as this process or, where there is
        a cache, any other has found.
        """
        for case in self._cases:
            problem = self._store.problem(case)
            if problem is not None:
                self._broken[case.id] = problem
        return tuple(sorted(self._broken.items()))

    def _draw(self, rng: np.random.Generator) -> Tuple[Case, StoredCase]:
        """A case that can be used."""
        while True:
            case = self._cases[int(rng.choice(len(self._cases), p=self._chances))]
            if case.id in self._broken:
                continue
            try:
                return case, self._store.load(case)
            except InputError as error:
                self._broken[case.id] = str(error)
                check_broken(len(self._cases), tuple(self._broken.items()), "the training data")

    def _patch(self, case: Case, stored: StoredCase, rng: np.random.Generator, needs_label: bool) -> Sample:
        """A crop of a case, as large as the augmentation wants it, its middle where the patch is to be."""
        prepared, patch = stored.prepared, self._patches.size
        wanted = patch if self._augmentation is None else self._augmentation.enlarged(patch)
        size, box = ([1, *each] if len(each) == 2 else list(each) for each in (patch, wanted))
        shape = prepared.label.shape
        for _ in range(EMPTY_TRIES):
            first = place_of(shape, stored.positions, self._structures, self._patches, size, rng)
            if not needs_label or not stored.positions or cut(prepared.label[None], first, size, [0]).any():
                break
        first = tuple(start - (large - small) // 2 for start, large, small in zip(first, box, size))
        label = cut(prepared.label[None], first, box, [0])
        image = cut(prepared.image, first, box, prepared.outside)
        if len(patch) == 2:
            image, label = image[:, 0], label[:, 0]
        return _sample(case, self._structures, image, label, prepared.spacing)


def whole_case(
    case: Case, structures: Sequence[str], preparation: PreparationOptions, cache: Optional[Path] = None
) -> Sample:
    """A case as a whole, prepared: ``image`` (channel, z, y, x), ``label`` (1, z, y, x), else as patches.

    Raises:
        InputError: its files are missing, damaged, or do not belong together.
    """
    stored = CaseStore(cache, structures, preparation, crop=False).load(case).prepared
    return _sample(
        case, structures, np.array(stored.image, np.float32), np.array(stored.label[None]), stored.spacing
    )


def _chances(cases: Sequence[Case]) -> np.ndarray:
    """Chance of each case, float64 (n,): the same for each patient of each data set."""
    patients: Dict[Tuple[str, str], List[int]] = {}
    for index, case in enumerate(cases):
        patients.setdefault((case.dataset, case.patient), []).append(index)
    chances = np.zeros(len(cases))
    for indices in patients.values():
        chances[indices] = 1 / len(indices) / len(patients)
    return chances


def _sample(
    case: Case,
    structures: Sequence[str],
    image: np.ndarray,
    label: np.ndarray,
    spacing: Tuple[float, float, float],
) -> Sample:
    return {
        "image": torch.from_numpy(image),
        "label": torch.from_numpy(np.ascontiguousarray(label)),
        "annotated": torch.tensor([name in case.annotated for name in structures]),
        "spacing": torch.tensor(spacing, dtype=torch.float32),
        "id": case.id,
    }
