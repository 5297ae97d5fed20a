"""CT slices painted from label maps: a conditional GAN (pix2pix, Isola et al. 2017,
doi:10.1109/CVPR.2017.632).

The label maps say where the structures are. What surrounds them is told in classes of tissue, which the image
itself is divided into; so a painter that has seen some dozens of patients need not invent bodies.
"""

import dataclasses
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.errors import InputError
from LiverSegLib.networks import build_network
from LiverSegLib.training.augmentation.ct import HuScale, hu_scale
from LiverSegLib.training.data import SampleSet, Split
from LiverSegLib.training.methods.adversarial_options import CganOptions
from LiverSegLib.training.methods.adversary import Adversary, frozen
from LiverSegLib.training.methods.by_hand import ByHandModule, beside
from LiverSegLib.training.methods.gan import one_hot
from LiverSegLib.training.methods.parts import Parts, labelled_parts, patch_samples
from LiverSegLib.training.module import Batch
from LiverSegLib.training.recipe import DIMENSIONS_ARGUMENT, Recipe

SMOOTHING = 7
"""Voxels along an edge of the square in which the image is averaged before it is divided into tissues: fine
texture must come from the painter, or nothing is new."""
VALIDATION_SLICES = 8
"""Slices of a validation case that are painted."""


def cgan_parts(recipe: Recipe, split: Split) -> Parts:
    """Cases in which all of the recipe's structures are annotated: tumors are painted as liver else.

    Raises:
        InputError: there is none.
    """
    parts = labelled_parts(recipe, split)
    wanted = set(recipe.structures)
    train, validation = (
        tuple(case for case in cases if wanted <= set(case.annotated))
        for cases in (parts.train, parts.validation)
    )
    if not train:
        raise InputError(f"No training case annotates all of {', '.join(recipe.structures)}.")
    return dataclasses.replace(parts, train=train, validation=validation)


def cgan_samples(recipe: Recipe, parts: Parts, cache: Path) -> SampleSet:
    """Patches of the labelled cases."""
    return patch_samples(recipe, parts.train, cache)


class CganModule(ByHandModule):
    """``network`` paints; the discriminator tells (condition, real slice) from (condition, painted slice)."""

    def __init__(self, recipe: Recipe) -> None:
        if recipe.dimensions != 2:
            raise InputError("The method cgan paints slices; patches.size must be two numbers (y, x).")
        super().__init__(recipe)
        self.options = painter_options(recipe)
        self.painter = Painter(recipe, self.network)
        self.adversary = Adversary(self.discriminator, 2, self.painter.condition_channels + 1)
        self._errors: List[float] = []

    def make_network(self) -> nn.Module:
        """The painter: one channel out, one in for each structure, tissue and channel of noise."""
        return make_painter(self.recipe)

    def other_optimizers(self) -> List[torch.optim.Optimizer]:
        """The discriminator's."""
        return [self.adam([self.adversary], self.discriminator.learning_rate)]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """A step of the painter, then one of the discriminator."""
        real = batch["image"]
        condition = self.painter.condition(real, batch["label"])
        made = self.painter.paint(condition, self.painter.noise(condition))
        distance = functional.l1_loss(made.float(), real.float())
        with frozen(self.adversary):
            adversarial = self.adversary.fooled_loss(torch.cat([condition, made], 1))
        self.descend(self.options.l1 * distance + self.options.weight * adversarial, 0)
        told = self.adversary.own_loss(torch.cat([condition, real], 1), torch.cat([condition, made], 1))
        self.descend(told, 1)
        self.end_step()
        self.log_losses(len(real), loss=distance, adversarial=adversarial, discriminator=told)
        if self.is_logging:
            self.draw("training/real, condition, painted", self.picture(real, condition, made))
        return distance.detach()

    def picture(self, real: Tensor, condition: Tensor, made: Tensor) -> Tensor:
        """Real slice, condition as gray levels, painted slice, side by side, (y, x) from 0 to 1."""
        low, high = self.painter.scale
        levels = torch.linspace(0, 1, condition.shape[1] + 1, device=condition.device)[1:]
        told = (condition * levels[None, :, None, None]).amax(1, keepdim=True)
        return beside((real - low) / (high - low), told, (made - low) / (high - low))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Paint some slices of a case and measure how far they are from the real ones."""
        if not self.can_validate(batch):
            return
        image, label = (torch.as_tensor(batch[key]).to(self.device) for key in ("image", "label"))
        places = np.unique(
            np.linspace(0, image.shape[1] - 1, VALIDATION_SLICES + 2)[1:-1].round().astype(int)
        )
        for number, place in enumerate(places.tolist()):
            real, drawn = image[:, place][None].float(), label[:, place][None]
            condition = self.painter.condition(real, drawn)
            noise = torch.zeros_like(self.painter.noise(condition))  # the same each time
            made = self.painter.paint(condition, noise)
            self._errors.append(float((made - real).abs().mean()) * self.painter.hu.factor)
            if batch_idx < self.recipe.validation.pictures and number == len(places) // 2:
                self.draw(f"validation/{batch['id']}", self.picture(real, condition, made))

    def on_validation_epoch_start(self) -> None:
        """Forget the validation before."""
        super().on_validation_epoch_start()
        self._errors = []

    def on_validation_epoch_end(self) -> None:
        """Log the mean distance. Nothing is segmented, so no checkpoint is the best: the last one counts."""
        if self._errors:
            self.log("validation/distance_hu", float(np.mean(self._errors)))


class Painter:
    """What is between a network and painted slices: conditions in, prepared values out.

    Args:
        recipe: of the method "cgan".
        network: of :func:`make_painter`.

    Raises:
        InputError: HU cannot be told from prepared values.
    """

    def __init__(self, recipe: Recipe, network: nn.Module) -> None:
        self._network, self._structures = network, len(recipe.structures)
        self.options = painter_options(recipe)
        self.hu, self.scale = _window(recipe)

    @property
    def condition_channels(self) -> int:
        """Of what the painter is told."""
        return self._structures + _tissue_classes(self.options)

    def condition(self, image: Tensor, label: Tensor) -> Tensor:
        """What the painter is told: structures, then tissues where no structure is.

        Args:
            image: prepared (batch, 1, y, x); told apart into tissues after smoothing.
            label: (batch, 1, y, x).

        Returns:
            0 or 1, float32 (batch, structures + tissues, y, x).
        """
        structures = one_hot(label, self._structures)
        if not self.options.tissues:
            return structures
        smooth = functional.avg_pool2d(image.float(), SMOOTHING, 1, SMOOTHING // 2, count_include_pad=False)
        borders = self.hu.from_hu(torch.tensor(self.options.tissues, device=image.device))
        tissue = one_hot(torch.bucketize(smooth, borders) + 1, _tissue_classes(self.options))
        return torch.cat([structures, tissue * (label == 0)], 1)

    def noise(self, condition: Tensor) -> Tensor:
        """Gaussian noise (batch, noise channels, y, x) for a condition, of PyTorch's generator."""
        batch, _, height, width = condition.shape
        return torch.randn(batch, self.options.noise, height, width, device=condition.device)

    def paint(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Prepared values (batch, 1, y, x), within the preparation's scale."""
        scores = self._network(torch.cat([condition, noise], 1))
        finest = scores if torch.is_tensor(scores) else scores[0]
        return bounded(finest, self.scale)


def bounded(scores: Tensor, scale: Tuple[float, float]) -> Tensor:
    """Scores brought into a scale by a hyperbolic tangent."""
    low, high = scale
    image: Tensor = low + (high - low) * (torch.tanh(scores) + 1) / 2
    return image


def make_painter(recipe: Recipe) -> nn.Module:
    """The untrained painter of a recipe.

    Raises:
        ModelError: it cannot be built.
    """
    options = painter_options(recipe)
    channels = len(recipe.structures) + _tissue_classes(options) + options.noise
    arguments = {**recipe.network_arguments(), "in_channels": channels, "out_channels": 1}
    network: nn.Module = build_network(recipe.network.name, arguments)
    return network


def image_network(name: str, arguments: Dict[str, Any], dimensions: int) -> nn.Module:
    """A network from one channel to one.

    Raises:
        ModelError: it cannot be built.
    """
    key = DIMENSIONS_ARGUMENT.get(name.split(".")[0], "dimensions")
    filled = {**arguments, "in_channels": 1, "out_channels": 1}
    network: nn.Module = build_network(name, filled if key is None else {**filled, key: dimensions})
    return network


def painter_options(recipe: Recipe) -> CganOptions:
    """The recipe's section ``method``.

    Raises:
        InputError: it is of another method.
    """
    if not isinstance(recipe.method, CganOptions):
        raise InputError(f"The recipe {recipe.name} has the method {recipe.method.name}; it paints nothing.")
    return recipe.method


def _tissue_classes(options: CganOptions) -> int:
    return len(options.tissues) + 1 if options.tissues else 0


def _window(recipe: Recipe) -> Tuple[HuScale, Tuple[float, float]]:
    """How prepared values and HU belong together, and the range of the values."""
    scale = hu_scale(recipe.intensity)
    if recipe.intensity.scheme != "window" or scale is None or scale.low is None or scale.high is None:
        raise InputError("The method cgan needs preparation.intensity.scheme: window, to paint HU.")
    low, high = _range(scale)
    return scale, (low, high)


def _range(scale: HuScale) -> Sequence[float]:
    assert scale.low is not None and scale.high is not None
    return [(hu - scale.offset) / scale.factor for hu in (scale.low, scale.high)]
