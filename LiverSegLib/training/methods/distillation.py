"""Distillation: a network learns the probabilities of another one beside the labels (Hinton et al. 2015,
arXiv:1503.02531)."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.models import load_model
from LiverSegLib.networks import build_network
from LiverSegLib.training.methods.semi_options import DistillationOptions
from LiverSegLib.training.module import Batch, SegmentationModule
from LiverSegLib.training.recipe import Recipe

SAME_SPACING_MM = 1e-3


@dataclass(frozen=True)
class Teacher:
    """A trained network, and its channel for each of the recipe's, the background first."""

    network: nn.Module
    channels: List[int]


class DistillationModule(SegmentationModule):
    """A network, and a teacher that stays as it is and is in no checkpoint."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        assert isinstance(recipe.method, DistillationOptions)
        if recipe.activation != "softmax":
            raise UsageError(
                "The method distillation compares probabilities of a softmax: activation: softmax."
            )
        self.options = recipe.method
        # In a list: no part of the module.
        self._teacher = [read_teacher(recipe, recipe.method.teacher, recipe.method.stage)]

    def on_fit_start(self) -> None:
        """Bring the teacher to where the student is."""
        self._teacher[0].network.to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of the labels, and the distance to the teacher's probabilities."""
        image = self.in_memory_order(batch["image"])
        scores = self(image)
        finest = scores if torch.is_tensor(scores) else scores[0]
        teacher = self._teacher[0]
        with torch.no_grad():
            taught = teacher.network(image)[:, teacher.channels]
        with torch.autocast(image.device.type, enabled=False):
            loss: Tensor = self.loss(scores, batch["label"], batch["annotated"])
            distance = soft_distance(finest.float(), taught.float(), self.options.temperature)
        self.log_dict({"training/loss": loss, "training/distillation": distance}, batch_size=len(image))
        share = self.options.weight
        return (1 - share) * loss + share * distance


def soft_distance(scores: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of softened probabilities, times the temperature's square: mean of voxels.

    Args:
        scores, taught: logits (batch, classes, spatial axes) of student and teacher.
        temperature: divides both.
    """
    mine = functional.log_softmax(scores / temperature, 1)
    theirs = functional.log_softmax(taught / temperature, 1)
    return temperature**2 * functional.kl_div(mine, theirs, reduction="none", log_target=True).sum(1).mean()


def read_teacher(recipe: Recipe, name: str, named_stage: Optional[str] = None) -> Teacher:
    """The teacher that a recipe names.

    Args:
        recipe: of the student.
        name: of a model, or its folder.
        named_stage: of the model; None for the one that makes its results.

    Raises:
        InputError: it tells other structures apart, or sees images otherwise than the recipe prepares them.
        ModelError: there is no such model.
    """
    path = Path(name).expanduser()
    if (path / "recipe.yaml").is_file():
        raise InputError(f"{path} is a run; please make a model of it first: liverseg export {path} MODEL.")
    model = load_model(name)
    assert model.manifest is not None
    stages = {stage.name: stage for stage in model.manifest.stages}
    stage = stages.get(named_stage or model.manifest.result_stages[-1].name)
    if stage is None:
        raise InputError(f"The model {model.name} has no stage {named_stage}; it has {', '.join(stages)}.")
    names = {name: index for index, name in enumerate(stage.output.channels)}
    wanted = ["background", *recipe.structures]
    missing = [name for name in wanted if name not in names]
    if missing or len(names) != len(wanted) or stage.output.activation != "softmax":
        raise InputError(
            f"The teacher {model.name} tells {', '.join(names)} apart; the recipe {', '.join(wanted)}."
        )
    spacing = recipe.preparation.spacing if recipe.pack is None else (recipe.pack.spacing,) * 3
    own = None if spacing is None else tuple(step or 0.0 for step in spacing)
    if own is None or any(abs(a - b) > SAME_SPACING_MM for a, b in zip(own, stage.spacing)):
        raise InputError(f"The teacher {model.name} sees {stage.spacing} mm; the recipe prepares {spacing}.")
    if stage.intensity.to_dict() != recipe.intensity.to_dict() or (
        stage.orientation != recipe.preparation.orientation
    ):
        raise InputError(
            f"The teacher {model.name} sees other gray values or another orientation than the recipe has."
        )
    network: nn.Module = build_network(stage.network.name, stage.network.arguments)
    weights = model.state_dict(stage.name).items()
    network.load_state_dict({name: value.float() for name, value in weights if torch.is_tensor(value)})
    return Teacher(network.eval().requires_grad_(False), [names[name] for name in wanted])
