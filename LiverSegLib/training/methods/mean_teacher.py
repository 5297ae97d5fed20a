"""Mean teacher: unlabelled scans teach a network to agree with the average of its own weights.

Tarvainen and Valpola 2017, arXiv:1703.01780; uncertainty as in Yu et al. 2019,
doi:10.1007/978-3-030-32245-8_67.
"""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from LiverSegLib.errors import InputError
from LiverSegLib.training.data import Split
from LiverSegLib.training.methods.parts import (
    BesideSamples,
    Parts,
    labelled_parts,
    labelled_samples,
    patch_samples,
)
from LiverSegLib.training.methods.semi_options import MeanTeacherOptions
from LiverSegLib.training.methods.two_views import TwoViews
from LiverSegLib.training.module import Batch, SegmentationModule
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_options import StartOptions
from LiverSegLib.training.transfer import Started

UNLABELLED = "unlabelled"
"""Where a sample holds the unlabelled patch."""
SEED = 1
"""Added to the recipe's seed for the unlabelled patches."""
CERTAIN_FROM = 0.75
"""Share of the largest entropy up to which a voxel counts at first; it rises to 1 with the weight (Yu et
al.)."""
DROPOUTS = (nn.Dropout, nn.Dropout2d, nn.Dropout3d)


def mean_teacher_parts(recipe: Recipe, split: Split) -> Parts:
    """The labelled cases, and the unlabelled ones to agree on.

    Raises:
        InputError: there is no unlabelled case.
    """
    parts = labelled_parts(recipe, split)
    if not parts.unlabelled:
        raise InputError(
            "The method mean-teacher needs unlabelled scans, and the data have none. Another data set "
            "without its labels will do: data.more: [{folder: FOLDER, labels: false}]."
        )
    return replace(parts, images=parts.unlabelled)


def mean_teacher_samples(recipe: Recipe, parts: Parts, cache: Path) -> Dataset:
    """Labelled patches, each with an unlabelled one in two views."""
    views = patch_samples(recipe, parts.images, cache, augmentation=TwoViews(recipe), seed=SEED)
    return BesideSamples(labelled_samples(recipe, parts, cache), {UNLABELLED: views})


class MeanTeacherModule(SegmentationModule):
    """A student, and the teacher that is the average of its weights.

    Attributes:
        teacher: never trained; it is validated and exported.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        if recipe.training.average is not None:
            raise InputError("The teacher of mean-teacher is an average already; leave training.average out.")
        assert isinstance(recipe.method, MeanTeacherOptions)
        self.options = recipe.method
        self.teacher = copy.deepcopy(self.network).requires_grad_(False)
        self.teacher.eval()

    @property
    def judged(self) -> nn.Module:
        """The teacher."""
        return self.teacher

    def start(self, found: Mapping[str, Tensor], options: StartOptions) -> Started:
        """Begin with other weights, the teacher too."""
        started = super().start(found, options)
        self.teacher.load_state_dict(self.network.state_dict())
        return started

    def train(self, mode: bool = True) -> "MeanTeacherModule":
        """As PyTorch's; the teacher is always in evaluation, as it is validated."""
        super().train(mode)
        self.teacher.eval()
        return self

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The labelled patches' loss and the unlabelled ones' consistency."""
        loss = super().training_step(batch, batch_idx)
        consistency = self.consistency(batch[UNLABELLED])
        share = ramp(self.options, self.global_step, self.recipe.training.steps)
        self.log("training/consistency", consistency, batch_size=len(batch["image"]))
        return loss + self.options.weight * share * consistency

    def consistency(self, batch: Batch) -> Tensor:
        """Mean squared difference of the probabilities of student and teacher, each on its own view."""
        scores = self(batch["image"])
        finest = scores if torch.is_tensor(scores) else scores[0]
        with torch.autocast(finest.device.type, enabled=False):
            mine = self._probabilities(finest)
            with torch.no_grad():
                certain = self._certain(batch["second_image"])
            squared = (mine - self._taught(batch["second_image"])).square().mean(1, keepdim=True)
            return (squared * certain).sum() / certain.sum().clamp(min=1.0)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """A step of the student; then the teacher follows, before any checkpoint is written."""
        super().optimizer_step(*arguments, **named)
        follow(self.teacher, self.network, self.options.decay, self.global_step)

    def _taught(self, image: Tensor) -> Tensor:
        """Probabilities of the teacher, without a gradient."""
        with torch.no_grad():
            return self._probabilities(self.teacher(image))

    def _certain(self, image: Tensor) -> Tensor:
        """1 where the teacher counts, (batch, 1, spatial axes): where the entropy of its mean is low."""
        if not self.options.passes:
            return torch.ones_like(image[:, :1], dtype=torch.float32)
        layers = [module for module in self.teacher.modules() if isinstance(module, DROPOUTS)]
        for layer in layers:
            layer.train()
        noisy = (image + self.options.noise * torch.randn_like(image) for _ in range(self.options.passes))
        mean = torch.stack([self._taught(each) for each in noisy]).mean(0)
        for layer in layers:
            layer.eval()
        share = ramp(self.options, self.global_step, self.recipe.training.steps)
        limit = CERTAIN_FROM + (1 - CERTAIN_FROM) * share
        return (self._entropy(mean) <= limit).float()

    def _entropy(self, mean: Tensor) -> Tensor:
        """Entropy as a share of the largest one, (batch, 1, spatial axes)."""
        parts = torch.special.entr(mean)
        if self.recipe.activation == "softmax":
            return parts.sum(1, keepdim=True) / math.log(mean.shape[1])
        return (parts + torch.special.entr(1 - mean)).mean(1, keepdim=True) / math.log(2)

    def _probabilities(self, scores: Tensor) -> Tensor:
        scores = scores.float()
        return scores.softmax(1) if self.recipe.activation == "softmax" else scores.sigmoid()


def ramp(options: MeanTeacherOptions, step: int, steps: int) -> float:
    """Share of the weight at a step, from 0 on: exp(-5 (1 - t)^2), t from 0 to 1 over ``options.ramp``."""
    over = options.ramp * steps
    t = min(1.0, step / over) if over > 0 else 1.0
    return math.exp(-5 * (1 - t) ** 2)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, decay: float, step: int) -> None:
    """Move the teacher's weights and statistics towards the student's.

    Args:
        teacher: is changed.
        student: has the same layers.
        decay: share of the teacher that stays, at most.
        step: number of steps done; n / (n + 1) stays at most after n more.
    """
    keep = min(decay, 1 - 1 / (step + 1))
    mine = student.state_dict()
    for name, value in teacher.state_dict().items():
        if value.is_floating_point():
            value.lerp_(mine[name].to(value.dtype), 1 - keep)
        else:
            value.copy_(mine[name])
