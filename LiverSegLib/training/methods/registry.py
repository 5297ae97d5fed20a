"""The methods by name: which cases they take, which samples, and what trains on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Tuple

from torch.utils.data import Dataset

from LiverSegLib.training.data import Split
from LiverSegLib.training.methods.cgan import CganModule, cgan_parts, cgan_samples
from LiverSegLib.training.methods.cyclegan import CycleGanModule, cyclegan_parts, cyclegan_samples
from LiverSegLib.training.methods.distillation import DistillationModule
from LiverSegLib.training.methods.gan import GanModule, gan_parts, gan_samples
from LiverSegLib.training.methods.keeping import KeepingModule
from LiverSegLib.training.methods.lesions import LesionsModule
from LiverSegLib.training.methods.mean_teacher import (
    MeanTeacherModule,
    mean_teacher_parts,
    mean_teacher_samples,
)
from LiverSegLib.training.methods.modalities import (
    ModalitiesModule,
    modality_models,
    modality_parts,
    modality_samples,
)
from LiverSegLib.training.methods.parts import ModelPart, Parts, labelled_parts, labelled_samples, one_model
from LiverSegLib.training.module import SegmentationModule
from LiverSegLib.training.recipe import Recipe


@dataclass(frozen=True)
class Method:
    """One way to train.

    Attributes:
        module: makes what Lightning drives.
        parts: of a recipe and its split, the cases that are used, and for what.
        samples: of a recipe, these cases and the folder for prepared ones, the training set: item ``i``
            depends on the seed and ``i`` alone.
        segments: whether the module's network segments a scan by itself; else there is no model to export.
        instead: what a run is for where there is none.
        after: what to do with a run, as a word and a command with ``{run}`` in it.
        judged: name of the module's network that is validated and exported (``SegmentationModule.judged``).
        models: the models that a run of a recipe becomes.
    """

    module: Callable[[Recipe], SegmentationModule] = SegmentationModule
    parts: Callable[[Recipe, Split], Parts] = labelled_parts
    samples: Callable[[Recipe, Parts, Path], Dataset] = labelled_samples
    segments: bool = True
    instead: str = ""
    after: Tuple[str, str] = ("Export", "liverseg export {run} MODEL")
    judged: str = "network"
    models: Callable[[Recipe], Tuple[ModelPart, ...]] = one_model


IN_BUNDLED = "`python -m LiverSegLib.training.export` makes it a stage of the bundled model."
METHODS: Dict[str, Method] = {
    "supervised": Method(),
    "gan": Method(GanModule, gan_parts, gan_samples),
    "cgan": Method(
        CganModule, cgan_parts, cgan_samples, segments=False, instead="`liverseg paint` paints with it.",
        after=("Paint", "liverseg paint {run} FOLDER"),
    ),
    "cyclegan": Method(CycleGanModule, cyclegan_parts, cyclegan_samples),
    "mean-teacher": Method(MeanTeacherModule, mean_teacher_parts, mean_teacher_samples, judged="teacher"),
    "modalities": Method(ModalitiesModule, modality_parts, modality_samples, models=modality_models),
    "distillation": Method(DistillationModule),
    "keeping": Method(KeepingModule),
    "lesions": Method(
        LesionsModule, segments=False, instead=IN_BUNDLED,
        after=("Stage", "python -m LiverSegLib.training.export RUNS MODEL; RUNS/lesions is this run"),
    ),
}  # fmt: skip
"""Name of ``options.MethodOptions`` -> method."""


def method_of(recipe: Recipe) -> Method:
    """The method that a recipe is trained by."""
    return METHODS[recipe.method.name]


def make_module(recipe: Recipe) -> SegmentationModule:
    """What Lightning drives for a recipe.

    Raises:
        InputError: the recipe asks for what its method cannot do.
        ModelError: a network cannot be built.
        UsageError: the loss does not fit the recipe.
    """
    return method_of(recipe).module(recipe)
