"""One network for CT and MR: shared convolutions, norms for each modality, knowledge distilled between them.

Dou et al. 2020, doi:10.1109/TMI.2019.2963882.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import SampleSet, Split
from LiverSegLib.training.methods.modality_norms import choose, for_all, of_one, separate_norms, separated
from LiverSegLib.training.methods.parts import ModelPart, Parts, labelled_parts, patch_samples
from LiverSegLib.training.methods.semi_options import ModalitiesOptions
from LiverSegLib.training.module import Batch, SegmentationModule
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_options import StartOptions
from LiverSegLib.training.transfer import Started
from LiverSegLib.training.validation import Validator

Knowledge = Tuple[Tensor, Tensor]
"""What the voxels of each class are taken for, probabilities (classes, classes), and bool (classes,): which
classes there are."""


def modality_options(recipe: Recipe) -> ModalitiesOptions:
    """The section of the method."""
    assert isinstance(recipe.method, ModalitiesOptions)
    return recipe.method


def modality_parts(recipe: Recipe, split: Split) -> Parts:
    """The labelled cases of all modalities; as many of each are validated as ``validation.cases`` says.

    Raises:
        InputError: a modality has no case to train on.
    """
    every = recipe.changed(validation=recipe.validation.changed(cases=None))
    parts = labelled_parts(every, split)
    names = modality_options(recipe).modalities
    train = tuple(case for case in parts.train if case.modality in names)
    for name in names:
        if not any(case.modality == name for case in train):
            there = ", ".join(sorted({case.modality for case in parts.train})) or "none"
            raise InputError(f"No labelled case to train on is {name}; there are {there}.")
    validating: List[Case] = []
    for name in names:
        of_it = [case for case in parts.validation if case.modality == name]
        validating += of_it[: recipe.validation.cases]
    return replace(parts, train=train, validation=tuple(validating))


class EachModality(Dataset):
    """Item ``i`` is item ``i`` of the set of each modality, by name."""

    def __init__(self, sets: Mapping[str, SampleSet]) -> None:
        self._sets = dict(sets)

    def __len__(self) -> int:
        return min(len(each) for each in self._sets.values())

    def __getitem__(self, index: int) -> Dict[str, Any]:
        return {name: each[index] for name, each in self._sets.items()}


def modality_samples(recipe: Recipe, parts: Parts, cache: Path) -> Dataset:
    """Patches of each modality, prepared as its own section says."""
    sets = {}
    for number, name in enumerate(modality_options(recipe).modalities):
        cases = [case for case in parts.train if case.modality == name]
        sets[name] = patch_samples(recipe.for_modality(name), cases, cache, seed=number)
    return EachModality(sets)


def modality_models(recipe: Recipe) -> Tuple[ModelPart, ...]:
    """A model for each modality, its norms in place of all."""
    names = modality_options(recipe).modalities
    return tuple(
        ModelPart(name, recipe.for_modality(name), partial(of_one, number=number))
        for number, name in enumerate(names)
    )


class ModalitiesModule(SegmentationModule):
    """The shared network, with a batch of each modality in each step."""

    def __init__(self, recipe: Recipe) -> None:
        self.names = modality_options(recipe).modalities
        if recipe.activation != "softmax":
            raise UsageError("The method modalities compares classes with each other: activation: softmax.")
        super().__init__(recipe)
        self.options = modality_options(recipe)

    def make_network(self) -> nn.Module:
        """The network of the recipe with norms of each modality."""
        network = super().make_network()
        separate_norms(network, len(self.names))
        return network

    def start(self, found: Mapping[str, Tensor], options: StartOptions) -> Started:
        """Begin with a network of one modality, whose norms all get, or of several."""
        return super().start(for_all(found, separated(self.network), len(self.names)), options)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of the modalities, and how far their knowledge of the classes differs."""
        losses, knowledge = [], []
        for number, name in enumerate(self.names):
            choose(self.network, number)
            part = batch[name]
            scores = self(self.in_memory_order(part["image"]))
            finest = scores if torch.is_tensor(scores) else scores[0]
            with torch.autocast(finest.device.type, enabled=False):
                losses.append(self.loss(scores, part["label"], part["annotated"]))
                knowledge.append(
                    class_knowledge(
                        finest.float(), part["label"], part["annotated"], self.options.temperature
                    )
                )
            self.log(f"training/loss/{name}", losses[-1], batch_size=len(part["image"]))
        distance = knowledge_distance(knowledge)
        loss = torch.stack(losses).mean()
        self.log_dict(
            {"training/loss": loss, "training/distillation": distance}, batch_size=len(part["image"])
        )
        return loss + self.options.weight * distance

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Segment a whole image with the norms of its modality, and compare."""
        if not self.can_validate(batch):
            return
        name = batch["modality"]
        choose(self.network, self.names.index(name))
        validator = Validator(self.recipe.for_modality(name), self.network, self.device)
        self.validate_whole(validator, batch, batch_idx)


def class_knowledge(scores: Tensor, label: Tensor, annotated: Tensor, temperature: float) -> Knowledge:
    """What a network takes the voxels of each class for: softmax of their mean scores / temperature.

    Args:
        scores: logits (batch, classes, spatial axes), float32.
        label: whole numbers (batch, 1, spatial axes).
        annotated: bool (batch, structures); a patch tells of the structures that it annotates, and of the
            background if it annotates all.
        temperature: above 0.
    """
    classes = scores.shape[1]
    usable = torch.cat([annotated.all(1, keepdim=True), annotated], 1)
    flat, labels = scores.flatten(2), label.flatten(1).long()
    masks = functional.one_hot(labels, classes).to(flat.dtype) * usable[:, None].to(flat.dtype)
    counts = masks.sum((0, 1))
    means = torch.einsum("bcv,bvk->kc", flat, masks) / counts.clamp(min=1.0)[:, None]
    return (means / temperature).softmax(1), counts > 0


def knowledge_distance(knowledge: Sequence[Knowledge]) -> Tensor:
    """Mean over classes, and over pairs of modalities, of the symmetric Kullback-Leibler divergence.

    A class that one of a pair lacks does not count for it; 0 if none is left.
    """
    distances = []
    for index, (mine, there) in enumerate(knowledge):
        for other, also in knowledge[index + 1 :]:
            both = there & also
            ratio = mine.clamp(min=1e-12).log() - other.clamp(min=1e-12).log()
            symmetric = ((mine - other) * ratio).sum(1) / 2
            distances.append((symmetric * both).sum() / both.sum().clamp(min=1))
    return torch.stack(distances).mean()
