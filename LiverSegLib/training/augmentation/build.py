"""The augmentation of a recipe: a larger crop in, a patch out."""

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import torch

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.models import Intensity
from LiverSegLib.training.augmentation.ct import HuScale, hu_scale, vary_ct
from LiverSegLib.training.augmentation.geometry import draw_move, enlarged_size, moved
from LiverSegLib.training.augmentation.intensity import vary_intensity
from LiverSegLib.training.augmentation.options import AugmentationOptions

Sample = Dict[str, Any]
"""``image`` float32 (channel, spatial axes), ``label`` uint8 (1, spatial axes), ``annotated`` bool
(structures,), ``spacing`` float32 (x, y, z) mm, ``id``."""


def build_augmentation(
    options: AugmentationOptions,
    dimensions: int,
    structures: Sequence[str],
    patch: Sequence[int],
    *,
    intensity: Optional[Intensity] = None,
    spacing: Optional[Sequence[Optional[float]]] = None,
) -> "Augmentation":
    """Return what makes patches of larger crops.

    Args:
        options: of the recipe.
        dimensions: 2 or 3.
        structures: names in the order of the label's values, from 1.
        patch: size in voxels, (z, y, x) or (y, x).
        intensity: what the preparation makes of HU; needed for ``options.ct``.
        spacing: mm (x, y, z) of the prepared images, None where each keeps its own; decides only how large a
            crop is asked for.

    Raises:
        UsageError: the patch has other dimensions, or ``options.ct`` is given and the HU cannot be told from
            the prepared image.
    """
    if dimensions not in (2, 3) or len(patch) != dimensions:
        raise UsageError(f"A patch of {len(patch)} axes does not fit a network of {dimensions} dimensions.")
    hu = hu_scale(intensity) if intensity is not None else None
    if options.ct is not None and hu is None:
        raise UsageError(
            "augmentation.ct needs CT whose HU can be told from the prepared image: set the preparation's "
            "intensity to a window, ct-percentile or none, or leave ct out."
        )
    known = [step or 0.0 for step in spacing] if spacing is not None else [0.0]
    steps = known if len(known) == 3 and min(known) > 0 else [1.0] * 3
    return Augmentation(options, structures, patch, tuple(reversed(steps))[3 - dimensions :], hu)


class Augmentation:
    """Varies samples; made by ``build_augmentation``. It keeps no state: all chance is the caller's."""

    def __init__(
        self,
        options: AugmentationOptions,
        structures: Sequence[str],
        patch: Sequence[int],
        steps: Tuple[float, ...],
        hu: Optional[HuScale],
    ) -> None:
        self.options = options
        self.structures = tuple(structures)
        self.patch = tuple(int(n) for n in patch)
        self._steps = steps
        self._hu = hu

    def enlarged(self, patch: Sequence[int]) -> Tuple[int, ...]:
        """Size of the crop that ``__call__`` wants, so that turned and scaled patches show real voxels."""
        return enlarged_size(self.options, patch, self._steps)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A varied copy of the sample, of exactly ``patch``'s size.

        Args:
            sample: ``image`` and ``label`` at least as large as the patch, ``spacing``, ``annotated``; other
                keys are kept.
            rng: the source of all chance.

        Raises:
            InputError: the sample is smaller than the patch, or image and label differ in size.
        """
        image, label = sample["image"], sample["label"]
        self._check(image, label)
        steps = [float(step) for step in sample["spacing"]][::-1]
        move = draw_move(self.options, self.patch, steps[3 - len(self.patch) :], rng)
        image, label = moved(image, label, move, self.patch)
        if self.options.ct is not None and self._hu is not None:
            annotated = dict(zip(self.structures, sample["annotated"].tolist()))
            image, label = vary_ct(image, label, self.options.ct, self._hu, annotated, steps, rng)
        image = vary_intensity(image, self.options, rng)
        return {**sample, "image": image, "label": label}

    def _check(self, image: torch.Tensor, label: torch.Tensor) -> None:
        size = tuple(image.shape[1:])
        if tuple(label.shape) != (1, *size):
            raise InputError(f"Image and label of a sample differ in size: {size} and {tuple(label.shape)}.")
        if len(size) != len(self.patch) or any(n < m for n, m in zip(size, self.patch)):
            raise InputError(f"A sample of {size} voxels is smaller than the patch of {self.patch}.")
