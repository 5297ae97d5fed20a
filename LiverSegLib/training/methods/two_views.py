"""A patch seen in two ways: one place and form, two draws of noise, sharpness and gray values."""

from typing import Any, Dict, Sequence, Tuple

import numpy as np

from LiverSegLib.training.augmentation.build import build_augmentation
from LiverSegLib.training.augmentation.intensity import vary_intensity
from LiverSegLib.training.augmentation.options import AugmentationOptions, nothing_varies
from LiverSegLib.training.data.samples import Sample
from LiverSegLib.training.recipe import Recipe

INTENSITY = ("noise", "blur", "low_resolution", "brightness", "contrast", "gamma")
"""What two views differ in."""


class TwoViews:
    """An augmentation whose samples have the second view under ``second_image``.

    What needs the HU (``augmentation.ct``) is left out: much of it needs the label too.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._options = recipe.augmentation.changed(ct=None)
        still = {name: nothing_varies()[name] for name in INTENSITY}
        geometry: AugmentationOptions = self._options.changed(**still)
        self._geometry = build_augmentation(
            geometry, recipe.dimensions, recipe.structures, recipe.patches.size,
            spacing=recipe.preparation.spacing,
        )  # fmt: skip

    def enlarged(self, patch: Sequence[int]) -> Tuple[int, ...]:
        """As the augmentation's own."""
        return self._geometry.enlarged(patch)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The patch, its ``image`` and ``second_image`` varied apart."""
        moved: Dict[str, Any] = self._geometry(sample, rng)
        views = [vary_intensity(moved["image"].clone(), self._options, rng) for _ in range(2)]
        return {**moved, "image": views[0], "second_image": views[1]}
