"""Which cases a method uses for what, and samples that several sets are drawn for at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from torch import Tensor
from torch.utils.data import Dataset

from LiverSegLib.training.augmentation.build import Augmentation, build_augmentation
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import PreparationOptions, SampleSet, Split
from LiverSegLib.training.data.samples import Augments
from LiverSegLib.training.recipe import Recipe

ENDLESS = 2**40
"""Length of a set of samples that are drawn: nothing is ever used up."""


@dataclass(frozen=True)
class Parts:
    """The cases of a run.

    Attributes:
        train: labelled cases to train with.
        validation: cases that are segmented as a whole and compared.
        test: labelled cases that the run does not look at.
        unlabelled: cases without labels.
        images: cases that the method trains with without looking at a label; the plain way has none.
    """

    train: Tuple[Case, ...]
    validation: Tuple[Case, ...]
    test: Tuple[Case, ...] = ()
    unlabelled: Tuple[Case, ...] = ()
    images: Tuple[Case, ...] = ()


Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class ModelPart:
    """One of the models that a run becomes.

    Attributes:
        modality: what it is for, where a run becomes several; else empty.
        recipe: as if it alone had been trained.
        weights: of the judged network's weights, those of this model.
    """

    modality: str
    recipe: Recipe
    weights: Callable[[Weights], Weights]


def one_model(recipe: Recipe) -> Tuple[ModelPart, ...]:
    """The plain way: the network as it is."""
    return (ModelPart("", recipe, _as_they_are),)


def _as_they_are(weights: Weights) -> Weights:
    return weights


def labelled_parts(recipe: Recipe, split: Split) -> Parts:
    """The plain way: what has a label trains; validation wants one of the recipe's structures."""
    known = set(recipe.structures)
    validating = [case for case in split.val if case.label is not None and known & set(case.annotated)]
    return Parts(
        tuple(case for case in split.train if case.label is not None),
        tuple(validating[: recipe.validation.cases]),
        split.test,
        split.unlabelled,
    )


def labelled_samples(recipe: Recipe, parts: Parts, cache: Path) -> SampleSet:
    """Patches of the labelled cases, augmented."""
    return patch_samples(recipe, parts.train, cache)


def patch_samples(
    recipe: Recipe,
    cases: Sequence[Case],
    cache: Path,
    *,
    augmentation: Optional[Augments] = None,
    preparation: Optional[PreparationOptions] = None,
    seed: int = 0,
) -> SampleSet:
    """Patches of some cases as a recipe wants them.

    Args:
        recipe: what is trained.
        cases: to draw from.
        cache: folder for prepared cases.
        augmentation: in place of the recipe's.
        preparation: in place of the recipe's.
        seed: added to the recipe's, so that two sets of a recipe draw differently.

    Raises:
        InputError: there is no case.
    """
    return SampleSet(
        cases, recipe.structures, preparation or recipe.preparation, recipe.patches,
        recipe_augmentation(recipe) if augmentation is None else augmentation,
        recipe.seed + seed, ENDLESS, cache,
    )  # fmt: skip


def recipe_augmentation(recipe: Recipe) -> Augmentation:
    """The augmentation that a recipe describes."""
    return build_augmentation(
        recipe.augmentation, recipe.dimensions, recipe.structures, recipe.patches.size,
        intensity=recipe.intensity, spacing=recipe.preparation.spacing,
    )  # fmt: skip


class BesideSamples(Dataset):
    """Samples of a set, each with those of other sets under a name of their own.

    Item ``i`` is item ``i`` of the first set, with item ``i`` of each other set as a mapping under its name;
    so it depends on ``i`` alone, as they do.
    """

    def __init__(self, first: SampleSet, others: Mapping[str, SampleSet]) -> None:
        self._first, self._others = first, dict(others)

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        return {**self._first[index], **{name: other[index] for name, other in self._others.items()}}
