"""The network in training, as Lightning drives it: loss, optimizer, figures of batches and validations."""

import itertools
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from LiverSegLib.errors import InputError
from LiverSegLib.networks import build_network
from LiverSegLib.training.losses.build import build_loss
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_options import StartOptions, TrainingOptions
from LiverSegLib.training.schedule import rate_factor
from LiverSegLib.training.transfer import Started, begin_with, fits
from LiverSegLib.training.validation import CaseDice, Validator, gathered, mean_dice, structure_means

Batch = Mapping[str, Any]
"""What :class:`~LiverSegLib.training.data.SampleSet` gives, collated."""

DICE = "validation/dice"
"""Name of the figure by which the best weights are chosen: the mean over structures of the mean Dice."""


class SegmentationModule(LightningModule):
    """A network, and all that its training and validation need.

    Attributes:
        recipe: what is trained.
        network: the network itself; its ``state_dict`` is what a model folder gets.
        loss: of scores, label and what is annotated.
        found: the Dice of each case in the last validation; empty if somebody asked to stop meanwhile.
        broken: id and reason of the validation cases that could not be read.
        stops_validation: whether the rest of the validation is left out.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.network = self.make_network()
        rate_groups(
            recipe.training, self.network.named_parameters()
        )  # freezes, before processes share weights
        self.loss = build_loss(
            recipe.loss, recipe.activation, recipe.structures, _is_deep(recipe.network_arguments())
        )
        self.found: Tuple[CaseDice, ...] = ()
        self.broken: Dict[str, str] = {}
        self.stops_validation = False
        self._rows: List[CaseDice] = []

    def start(self, found: Mapping[str, Tensor], options: StartOptions) -> Started:
        """Begin with other weights, as far as they fit.

        Raises:
            ModelError: nothing fits.
        """
        return begin_with(self.network, found, options)

    def train(self, mode: bool = True) -> "SegmentationModule":
        """As PyTorch's, but that norms with frozen weights keep their statistics."""
        super().train(mode)
        for name, module in self.network.named_modules():
            if hasattr(module, "running_mean") and _factor(self.recipe.training.rates, f"{name}.weight") == 0:
                module.eval()
        return self

    def on_train_start(self) -> None:
        """Lightning leaves every layer in the mode that it finds it in."""
        self.train()

    def make_network(self) -> nn.Module:
        """Build the network of the recipe."""
        network: Any = build_network(self.recipe.network.name, self.recipe.network_arguments())
        if self.recipe.training.channels_last:
            kind = torch.channels_last if self.recipe.dimensions == 2 else torch.channels_last_3d
            network = network.to(memory_format=kind)
        built: nn.Module = network
        return built

    @property
    def judged(self) -> nn.Module:
        """The network that is validated; ``methods.registry`` names it, for it is exported too."""
        return self.network

    def forward(self, image: Tensor) -> Any:
        """Logits of an image (batch, channel, spatial axes)."""
        return self.network(image)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """All chance in a step follows from the seed and its number, so that a run resumes exactly."""
        seed = np.random.SeedSequence((self.recipe.seed, self.global_step, batch_idx, self.global_rank))
        torch.manual_seed(int(seed.generate_state(1)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch."""
        image = self.in_memory_order(batch["image"])
        scores = self(image)
        with torch.autocast(image.device.type, enabled=False):
            loss: Tensor = self.loss(scores, batch["label"], batch["annotated"])
        self.log("training/loss", loss, batch_size=len(image))
        if self.global_step % self.recipe.training.log_every == 0:
            finest = scores if torch.is_tensor(scores) else scores[0]
            self._log_batch_dice(finest.detach(), batch)
        return loss

    def in_memory_order(self, image: Tensor) -> Tensor:
        """An image as ``training.channels_last`` wants it in memory."""
        if not self.recipe.training.channels_last:
            return image
        kind = torch.channels_last if image.dim() == 4 else torch.channels_last_3d
        return image.contiguous(memory_format=kind)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Segment a whole prepared image as the product would, and compare."""
        if self.can_validate(batch):
            self.validate_whole(Validator(self.recipe, self.judged, self.device), batch, batch_idx)

    def can_validate(self, batch: Batch) -> bool:
        """Whether a case could be read and nobody stops the run; a broken one is kept for the run's facts."""
        if "broken" in batch:
            self.broken[batch["id"]] = batch["broken"]
        return not self.stops_validation and "broken" not in batch

    def validate_whole(self, validator: Validator, batch: Batch, batch_idx: int) -> None:
        """Segment and compare an image, and draw it if it is one of the first."""
        labels = validator.labels(batch["image"].cpu().numpy())
        self._rows.append(validator.compare(labels, batch))
        if batch_idx < self.recipe.validation.pictures:
            self._draw(validator, labels, batch)

    def on_validation_epoch_start(self) -> None:
        """Forget the validation before."""
        self._rows = []

    def on_validation_epoch_end(self) -> None:
        """Log Dice per structure and their mean."""
        self.found = () if self.stops_validation else gathered(self._rows)
        if not self.found:
            return
        means = structure_means(self.found)
        self.log_dict({f"{DICE}/{name}": value for name, value in means.items() if value is not None})
        mean = mean_dice(means)
        self.log(DICE, 0.0 if mean is None else mean)

    def configure_optimizers(self) -> Any:
        """The optimizer, and the learning rate of each step."""
        options = self.recipe.training
        optimizer = make_optimizer(options, rate_groups(options, self.network.named_parameters()))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(options, step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _log_batch_dice(self, scores: Tensor, batch: Batch) -> None:
        """Dice of the batch's patches, per structure that is annotated in all of them."""
        softmax = self.recipe.activation == "softmax"
        channels = scores.argmax(1, keepdim=True) if softmax else scores > 0
        for index, name in enumerate(self.recipe.structures):
            if not bool(batch["annotated"][:, index].all()):
                continue
            drawn = channels == index + 1 if softmax else channels[:, index : index + 1]
            labelled = batch["label"] == index + 1
            total = int(drawn.sum()) + int(labelled.sum())
            if total:
                self.log(f"training/dice/{name}", 2.0 * int((drawn & labelled).sum()) / total)

    def _draw(self, validator: Validator, labels: np.ndarray, batch: Batch) -> None:
        """Put a slice with outlines on TensorBoard."""
        experiment = getattr(self.logger, "experiment", None)
        if experiment is None or not hasattr(experiment, "add_image"):
            return
        picture = validator.picture(labels, batch)
        if picture is not None:
            experiment.add_image(f"validation/{batch['id']}", picture, self.global_step, dataformats="HWC")


def make_optimizer(options: TrainingOptions, groups: List[Dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimizer of a recipe over groups of parameters."""
    rate, decay = options.learning_rate, options.weight_decay
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=rate, weight_decay=decay, momentum=options.momentum, nesterov=options.nesterov
        )
    if options.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate, weight_decay=decay, betas=options.betas)
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, betas=options.betas)


def rate_groups(
    options: TrainingOptions, parameters: Iterable[Tuple[str, nn.Parameter]]
) -> List[Dict[str, Any]]:
    """Groups of parameters with one learning rate each; frozen ones are in none.

    Args:
        options: ``rates`` maps beginnings of names, or patterns, to factors; the longest that fits counts.
        parameters: names and parameters of the network.

    Raises:
        InputError: a beginning fits no parameter, or all are frozen.
    """
    named = list(parameters)
    factors = {name: _factor(options.rates, name) for name, _ in named}
    for start in options.rates:
        if not any(fits(start, name) for name, _ in named):
            begins = sorted({name.split(".")[0] for name, _ in named})
            raise InputError(
                f'training.rates names "{start}", with which no weights begin.', f"They begin with: {begins}"
            )
    groups: List[Dict[str, Any]] = []
    for factor, members in _by_factor(named, factors):
        for parameter in members:
            parameter.requires_grad_(factor > 0)
        if factor > 0:
            groups.append({"params": members, "lr": options.learning_rate * factor})
    if not groups:
        raise InputError("training.rates freezes all weights; nothing is left to train.")
    return groups


def _by_factor(
    named: List[Tuple[str, nn.Parameter]], factors: Mapping[str, float]
) -> Iterator[Tuple[float, List[nn.Parameter]]]:
    ordered = sorted(named, key=lambda item: -factors[item[0]])
    for factor, members in itertools.groupby(ordered, key=lambda item: factors[item[0]]):
        yield factor, [parameter for _, parameter in members]


def _factor(rates: Mapping[str, float], name: str) -> float:
    fitting = [start for start in rates if fits(start, name)]
    return rates[max(fitting, key=len)] if fitting else 1.0


def _is_deep(arguments: Mapping[str, Any]) -> bool:
    return bool(arguments.get("deep_supervision", False))
