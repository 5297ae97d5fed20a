"""A module with several optimizers that it steps itself, as resume and the run's callbacks need it."""

from abc import ABC, abstractmethod
from typing import Any, Iterable, List, Tuple

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from LiverSegLib.errors import InputError
from LiverSegLib.training.methods.adversarial_options import DiscriminatorOptions, discriminator_of
from LiverSegLib.training.methods.adversary import check_size
from LiverSegLib.training.module import SegmentationModule, make_optimizer, rate_groups
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.schedule import rate_factor

Named = Iterable[Tuple[str, nn.Parameter]]


class ByHandModule(SegmentationModule, ABC):
    """Base of the adversarial methods: the recipe's network has the first optimizer, which counts the steps.

    Lightning counts each step of each optimizer that it wraps; callbacks, schedule and samples count
    batches. So the others are stepped unwrapped, after the first.

    Raises:
        InputError: the recipe asks for what cannot be done with several optimizers.
    """

    def __init__(self, recipe: Recipe) -> None:
        options = discriminator_of(recipe.method)
        assert options is not None
        self.discriminator: DiscriminatorOptions
        name = recipe.method.name
        if recipe.training.accumulate > 1:
            raise InputError(f"The method {name} sums no batches; set training.accumulate to 1.")
        if recipe.training.precision == "16-mixed":
            raise InputError(f"The method {name} trains with the precision 32-true or bf16-mixed.")
        check_size(options, recipe.patches.size)
        super().__init__(recipe)
        self.discriminator = options
        self.automatic_optimization = False

    def on_fit_start(self) -> None:
        """Refuse several processes: their discriminators would not learn together."""
        if self.trainer.world_size > 1:
            raise InputError(
                f"The method {self.recipe.method.name} trains on one device; set training.devices to 1."
            )

    def main_parameters(self) -> Named:
        """Names and parameters that the recipe's optimizer changes."""
        return self.network.named_parameters()

    @abstractmethod
    def other_optimizers(self) -> List[torch.optim.Optimizer]:
        """The optimizers beside the recipe's."""

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer and the others, all with the recipe's schedule."""
        options = self.recipe.training
        main = make_optimizer(options, rate_groups(options, self.main_parameters()))
        optimizers = [main, *self.other_optimizers()]
        schedulers = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(options, step))
            for optimizer in optimizers
        ]
        return optimizers, schedulers

    def adam(self, modules: Iterable[nn.Module], learning_rate: float) -> torch.optim.Optimizer:
        """Adam with the discriminator's betas over all parameters of some modules."""
        parameters = [parameter for module in modules for parameter in module.parameters()]
        first, second = self.discriminator.betas
        return torch.optim.Adam(parameters, lr=learning_rate, betas=(first, second))

    def descend(self, loss: Tensor, *places: int) -> None:
        """Step the optimizers at some places by a loss; only the first one's step is counted."""
        optimizers = [self._wrapped()[place] for place in places]
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        limit = self.recipe.training.gradient_limit
        for place, optimizer in zip(places, optimizers):
            if limit is not None:
                groups = optimizer.optimizer.param_groups
                nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], limit)
            if place == 0:
                optimizer.step()
            else:
                optimizer.optimizer.step()

    def end_step(self) -> None:
        """Move all learning rates on; to be called once in a step, at its end."""
        schedulers = self.lr_schedulers()
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
            scheduler.step()

    def log_losses(self, batch: int, **losses: Tensor) -> None:
        """Put losses on TensorBoard as ``training/NAME``."""
        for name, value in losses.items():
            self.log(f"training/{name}", value.detach(), batch_size=batch)

    def draw(self, name: str, picture: Tensor) -> None:
        """Put a picture (y, x) of values 0 to 1 on TensorBoard, at the steps at which the run logs."""
        experiment = getattr(self.logger, "experiment", None)
        if experiment is not None and hasattr(experiment, "add_image"):
            experiment.add_image(name, picture.float().clamp(0, 1), self.global_step, dataformats="HW")

    @property
    def is_logging(self) -> bool:
        """Whether figures and pictures of this step are wanted."""
        return bool(self.global_step % self.recipe.training.log_every == 0)

    def _wrapped(self) -> List[LightningOptimizer]:
        found = self.optimizers()
        return [one for one in (found if isinstance(found, list) else [found]) if _is_wrapped(one)]


def _is_wrapped(optimizer: Any) -> bool:
    return isinstance(optimizer, LightningOptimizer)


def beside(*images: Tensor) -> Tensor:
    """The middle slices of the first of each batch (batch, channel, spatial axes) side by side, (y, x)."""
    return torch.cat([_slice(image) for image in images], 1)


def _slice(image: Tensor) -> Tensor:
    first = image[0, 0].detach()
    return first if first.dim() == 2 else first[len(first) // 2]
