"""From a recipe's data to batches for training, and whole cases for validation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from torch.utils.data import DataLoader, Dataset, Sampler

from LiverSegLib.errors import InputError
from LiverSegLib.training.augmentation.picture import WithOriginal
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import SampleSet, read_cases, split_cases, whole_case
from LiverSegLib.training.methods.parts import ENDLESS, Parts, patch_samples, recipe_augmentation
from LiverSegLib.training.methods.registry import method_of
from LiverSegLib.training.pack import read_pack
from LiverSegLib.training.pack_samples import PackSamples
from LiverSegLib.training.processes import is_first_process
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_folder import RunFolder

NO_VALIDATION = "A search judges by validation, and there is no case to validate on."


@dataclass(frozen=True)
class RunData:
    """What a run is trained and validated on.

    Attributes:
        samples: item i is the i-th patch.
        validation: whole prepared cases, by index.
        facts: for people and for the model card: "cases" and "patients" of each part, "datasets" (name ->
            training cases), "broken" (id -> why).
    """

    samples: Dataset
    validation: "WholeCases"
    facts: Mapping[str, Any]


class WholeCases(Dataset):
    """Whole prepared cases, each read when it is asked for."""

    def __init__(self, cases: Sequence[Case], recipe: Recipe, cache: Optional[Path]) -> None:
        self._cases, self._recipe, self._cache = tuple(cases), recipe, cache

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """A whole case; of one that cannot be used its ``id`` and, as ``broken``, why."""
        case = self._cases[index]
        recipe = self._recipe.for_modality(case.modality)
        try:
            sample = whole_case(case, recipe.structures, recipe.preparation, self._cache)
        except InputError as error:
            return {"id": case.id, "broken": str(error)}
        return {**sample, "modality": case.modality}


class StepSampler(Sampler[List[int]]):
    """Numbers of the samples of each batch, without end.

    Batch b of process r has the samples from ``(b * processes + r) * batch`` on: a run that goes on at a
    step draws what it would have drawn, with any number of workers.

    Args:
        batch: samples in a batch.
        first: called when the first number is asked for; the batch to begin with.
        rank, processes: which process this is, of how many.
    """

    def __init__(self, batch: int, first: Callable[[], int], rank: int = 0, processes: int = 1) -> None:
        self._batch, self._first, self._rank, self._processes = batch, first, rank, processes

    def __iter__(self) -> Iterator[List[int]]:
        number = self._first()
        while True:
            start = (number * self._processes + self._rank) * self._batch
            yield list(range(start, start + self._batch))
            number += 1


def load_data(recipe: Recipe, run: RunFolder) -> RunData:
    """Read what a recipe names; nothing but names and headers, but for a pack.

    Raises:
        InputError: a folder is missing, no case can be used, or none that is trained on annotates one of the
            structures.
    """
    if recipe.pack is not None:
        return _packed(recipe)
    table = read_cases(recipe.data)
    file = run.split if is_first_process() or run.split.exists() else None  # of several, one process writes
    parts = _parts(recipe, table.cases, file)
    cache = Path(recipe.data.cache).expanduser() if recipe.data.cache else run.path / "cache"
    samples = method_of(recipe).samples(recipe, parts, cache)
    return RunData(samples, WholeCases(parts.validation, recipe, cache), _facts(parts, dict(table.broken)))


def check_validated(recipe: Recipe) -> None:
    """Raise InputError if the recipe's data cannot be trained on or have no case to validate on.

    Nothing is written, and nothing but names and headers is read.
    """
    validation = () if recipe.pack is not None else _parts(recipe, read_cases(recipe.data).cases).validation
    if not validation:
        raise InputError(NO_VALIDATION)


def _parts(recipe: Recipe, cases: Sequence[Case], split: Optional[Path] = None) -> Parts:
    """The cases of a run; ``split`` is the file that keeps who trains and who validates."""
    parts = method_of(recipe).parts(recipe, split_cases(cases, recipe.data.split, split))
    check_structures(recipe, parts.train)
    return parts


def check_structures(recipe: Recipe, train: Sequence[Case]) -> None:
    """Raise InputError for a structure that no case annotates: nothing would teach it."""
    there = sorted({name for case in train for name in case.annotated})
    for name in recipe.structures:
        if train and name not in there:
            known = ", ".join(there) or "nothing"
            raise InputError(f'No case that is trained on annotates "{name}". They annotate: {known}.')


def samples_with_original(recipe: Recipe, folder: Path) -> SampleSet:
    """Samples that keep the patch as it was before it was augmented, for pictures.

    Args:
        recipe: what would be trained.
        folder: for prepared cases.

    Raises:
        InputError: the recipe trains on a pack, or its data cannot be used.
    """
    if recipe.pack is not None:
        raise InputError("The augmentation of a pack cannot be shown: it is part of how patches are cut.")
    train = _parts(recipe, read_cases(recipe.data).cases).train
    shown = recipe.for_modality(train[0].modality) if train else recipe
    if shown is not recipe:  # each modality has its own preparation; the first one is shown
        train = tuple(case for case in train if case.modality == train[0].modality)
    augmentation = WithOriginal(recipe_augmentation(shown))
    return patch_samples(shown, train, folder, augmentation=augmentation)


def _packed(recipe: Recipe) -> RunData:
    assert recipe.pack is not None
    path = Path(recipe.data.folder).expanduser()
    if not path.is_file():
        raise InputError(f"There is no pack {path}; `python -m LiverSegLib.training.pack` makes it.")
    wanted = None if recipe.data.only is None else set(recipe.data.only)
    cases = [
        case
        for case in read_pack(path, recipe.pack.version)
        if (wanted is None or case.id in wanted) and case.id not in recipe.data.without
    ]
    if not cases:
        raise InputError(f"The pack {path} holds none of the cases that the recipe names.")
    facts = {
        "train": {"cases": len(cases), "patients": len({case.patient for case in cases})},
        "validation": {"cases": 0, "patients": 0}, "datasets": {path.stem: len(cases)}, "broken": {},
    }  # fmt: skip
    return RunData(PackSamples(cases, recipe, ENDLESS), WholeCases((), recipe, None), facts)


def _facts(parts: Parts, broken: Dict[str, str]) -> Dict[str, Any]:
    datasets: Dict[str, int] = {}
    for case in (*parts.train, *parts.images):
        datasets[case.dataset] = datasets.get(case.dataset, 0) + 1
    named = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    counted = {**named, "unlabelled": parts.unlabelled, **({"images": parts.images} if parts.images else {})}
    counts = {
        part: {"cases": len(cases), "patients": len({(case.dataset, case.patient) for case in cases})}
        for part, cases in counted.items()
    }
    modalities = {case.id: case.modality for case in parts.validation}
    return {**counts, "datasets": datasets, "broken": broken, "modalities": modalities}


def training_loader(samples: Dataset, recipe: Recipe, sampler: Sampler[List[int]], pin: bool) -> DataLoader:
    """Batches of samples, made by ``training.workers`` processes."""
    workers = recipe.training.workers
    return DataLoader(
        samples, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0, pin_memory=pin
    )


def validation_loader(cases: WholeCases, rank: int, processes: int) -> DataLoader:
    """Whole cases one by one; processes take turns."""
    return DataLoader(cases, batch_size=None, sampler=_Turns(len(cases), rank, processes))


class _Turns(Sampler[int]):
    """Each process has a case at least, for all of them wait for each other: some cases may be done twice."""

    def __init__(self, count: int, rank: int, processes: int) -> None:
        self._numbers: Tuple[int, ...] = tuple(range(rank % count, count, processes))

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
