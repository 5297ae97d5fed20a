"""Segmentation of a modality without labels, by translation of one that has them: CycleGAN (Zhu et al. 2017,
doi:10.1109/ICCV.2017.244) with the segmenter trained in the same steps, as SynSeg-Net (Huo et al. 2019,
doi:10.1109/TMI.2018.2876633).
"""

import dataclasses
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from LiverSegLib.errors import InputError
from LiverSegLib.models import Intensity
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import Split
from LiverSegLib.training.methods.adversarial_options import CycleGanOptions
from LiverSegLib.training.methods.adversary import Adversary, frozen
from LiverSegLib.training.methods.by_hand import ByHandModule, beside
from LiverSegLib.training.methods.cgan import bounded, image_network
from LiverSegLib.training.methods.parts import BesideSamples, Parts, labelled_parts, patch_samples
from LiverSegLib.training.module import Batch
from LiverSegLib.training.recipe import Recipe

TARGET = "target"
"""Key of a batch under which the samples of the modality without labels lie."""


def cyclegan_parts(recipe: Recipe, split: Split) -> Parts:
    """Labelled cases of the source modality, images of the target, and cases of the target to validate.

    Raises:
        InputError: there is none of one of the two to train with.
    """
    options, parts = _options(recipe), labelled_parts(recipe, split)
    known = set(recipe.structures)
    train = tuple(c for c in parts.train if c.modality == options.source and known & set(c.annotated))
    images = tuple(
        _without_label(c) for c in (*split.train, *split.unlabelled) if c.modality == options.target
    )
    for cases, modality in ((train, options.source), (images, options.target)):
        if not cases:
            there = sorted({case.modality for case in (*split.train, *split.unlabelled)})
            raise InputError(
                f"The method cyclegan found no case of modality {modality} to train with.",
                f"There are: {there}",
            )
    labelled = [c for c in split.val if c.label is not None and known & set(c.annotated)]
    validating = [c for c in labelled if c.modality == options.target][: recipe.validation.cases]
    return dataclasses.replace(parts, train=train, images=images, validation=tuple(validating))


def _without_label(case: Case) -> Case:
    return dataclasses.replace(case, label=None, annotated=(), values=())


def cyclegan_samples(recipe: Recipe, parts: Parts, cache: Path) -> Dataset:
    """A labelled patch of the source, and a patch of the target."""
    source = patch_samples(recipe, parts.train, cache, preparation=_options(recipe).source_preparation)
    return BesideSamples(source, {TARGET: patch_samples(recipe, parts.images, cache, seed=1)})


class CycleGanModule(ByHandModule):
    """Two networks that translate, two discriminators, and the segmenter of the target modality.

    Translation and segmentation have one loss, so the segmenter also teaches the translation to leave the
    structures where they are. As in SynSeg-Net the discriminators see images alone. Unlike Zhu et al. they
    see each translated patch once, not again from a pool: so a run resumes exactly.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        options = self.options = _options(recipe)
        target, source = recipe.intensity, options.source_preparation.intensity.for_manifest()
        self.to_target, self.to_source = (
            Translator(options, recipe.dimensions, intensity) for intensity in (target, source)
        )
        self.target_adversary, self.source_adversary = (
            Adversary(self.discriminator, recipe.dimensions, 1) for _ in range(2)
        )

    def other_optimizers(self) -> List[torch.optim.Optimizer]:
        """Those of the translation and of the discriminators."""
        translators, adversaries = (
            [self.to_target, self.to_source], [self.target_adversary, self.source_adversary]
        )  # fmt: skip
        return [
            self.adam(translators, self.options.generator_rate),
            self.adam(adversaries, self.discriminator.learning_rate),
        ]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """A step of segmenter and translation together, then one of the discriminators."""
        source, target = batch["image"], batch[TARGET]["image"]
        as_target, as_source = self.to_target(source), self.to_source(target)
        losses = self._translation_losses(source, target, as_target, as_source)
        scores = self.network(as_target)
        with torch.autocast(source.device.type, enabled=False):
            segmentation = self.loss(scores, batch["label"], batch["annotated"])
        total = torch.stack([*losses.values()]).sum() + self.options.segmentation * segmentation
        self.descend(total, 0, 1)
        told = self.target_adversary.own_loss(target, as_target)
        told = told + self.source_adversary.own_loss(source, as_source)
        self.descend(told, 2)
        self.end_step()
        self.log_losses(len(source), loss=segmentation, discriminator=told, **losses)
        if self.is_logging:
            finest = scores if torch.is_tensor(scores) else scores[0]
            self._log_batch_dice(finest.detach(), batch)
            self._draw_translation(source, as_target, target, as_source)
        return segmentation.detach()

    def _translation_losses(
        self, source: Tensor, target: Tensor, as_target: Tensor, as_source: Tensor
    ) -> Dict[str, Tensor]:
        """The weighted losses of the translation by name."""
        options = self.options
        with frozen(self.target_adversary, self.source_adversary):
            fooled = self.target_adversary.fooled_loss(as_target) + self.source_adversary.fooled_loss(
                as_source
            )
        cycle = _distance(self.to_source(as_target), source) + _distance(self.to_target(as_source), target)
        losses = {"adversarial": options.adversarial * fooled, "cycle": options.cycle * cycle}
        if options.identity:
            same = _distance(self.to_source(source), source) + _distance(self.to_target(target), target)
            losses["identity"] = options.identity * same
        return losses

    def _draw_translation(self, source: Tensor, as_target: Tensor, target: Tensor, as_source: Tensor) -> None:
        low, high = self.to_source.shown
        first, last = self.to_target.shown
        a, back = ((image - low) / (high - low) for image in (source, as_source))
        b, there = ((image - first) / (last - first) for image in (target, as_target))
        names = self.options
        self.draw(f"training/{names.source} as {names.target}, {names.target} as {names.source}",
                  beside(a, there, b, back))  # fmt: skip


class Translator(nn.Module):
    """A network from images of one modality to prepared values of another.

    Args:
        options: of the recipe.
        dimensions: 2 or 3.
        intensity: of the modality that comes out; a window bounds what is made.
    """

    def __init__(self, options: CycleGanOptions, dimensions: int, intensity: Intensity) -> None:
        super().__init__()
        self.network = image_network(options.generator.name, dict(options.generator.arguments), dimensions)
        self.scale: Optional[Tuple[float, float]] = None
        if intensity.scheme == "window" and intensity.scale is not None:
            self.scale = (float(intensity.scale[0]), float(intensity.scale[1]))

    @property
    def shown(self) -> Tuple[float, float]:
        """Values that a picture shows as black and white."""
        return self.scale or (-2.0, 2.0)

    def forward(self, image: Tensor) -> Tensor:
        """Prepared values (batch, 1, spatial axes) of an image of that size."""
        scores = self.network(image)
        finest: Tensor = scores if torch.is_tensor(scores) else scores[0]
        return finest if self.scale is None else bounded(finest, self.scale)


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return functional.l1_loss(one.float(), other.float())


def _options(recipe: Recipe) -> CycleGanOptions:
    assert isinstance(recipe.method, CycleGanOptions)
    return recipe.method
