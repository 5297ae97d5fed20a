"""Contrast phase, fatty liver, lesions, slice thickness, kernel and field of view: for images in HU.

The variations are those of ``training/augment.py`` and ``training/lesions.py``, which trained the bundled
models; here they take any structures, spacing, and two or three dimensions.
"""

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from LiverSegLib.errors import InputError
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import Intensity
from LiverSegLib.training import augment
from LiverSegLib.training.augmentation.options import CtOptions

AIR_HU = -1024.0
FIRST_OTHER = 10
"""Label value, while a patch varies, of the first structure that is not liver, spleen or liver tumour."""
OWN_VALUES = {"liver": LIVER, "spleen": SPLEEN, "liver tumour": TUMOUR, "liver tumor": TUMOUR}


@dataclass(frozen=True)
class HuScale:
    """How prepared values come from HU: (hu - offset) / factor, of HU between ``low`` and ``high``."""

    factor: float
    offset: float
    low: Optional[float] = None
    high: Optional[float] = None

    def to_hu(self, image: Tensor) -> Tensor:
        """HU of prepared values; a new tensor."""
        return image * self.factor + self.offset

    def from_hu(self, hu: Tensor) -> Tensor:
        """Prepared values, clipped as the preparation clips."""
        if self.low is not None or self.high is not None:
            hu = hu.clamp(self.low, self.high)
        return (hu - self.offset) / self.factor

    @property
    def outside(self) -> float:
        """HU of what lies beyond the field of view, as the preparation leaves it."""
        return AIR_HU if self.low is None else max(AIR_HU, self.low)


def hu_scale(intensity: Intensity) -> Optional[HuScale]:
    """How to get HU back from what a scheme made of them; None for "zscore", which cannot be undone."""
    if intensity.scheme == "none":
        return HuScale(1.0, 0.0)
    if intensity.scheme == "window" and intensity.window and intensity.scale:
        (low, high), (first, last) = intensity.window, intensity.scale
        factor = (high - low) / (last - first)
        return HuScale(factor, low - first * factor, low, high)
    if intensity.scheme == "ct-percentile" and intensity.mean is not None and intensity.std is not None:
        clip = intensity.clip or (None, None)
        return HuScale(intensity.std, intensity.mean, clip[0], clip[1])
    return None


def vary_ct(
    image: Tensor,
    label: Tensor,
    options: CtOptions,
    scale: HuScale,
    annotated: Mapping[str, bool],
    steps: Sequence[float],
    rng: np.random.Generator,
) -> Tuple[Tensor, Tensor]:
    """Return a patch as another scanner, phase or liver might have given it.

    Args:
        image: prepared values, float32 (1, spatial axes).
        label: uint8 (1, spatial axes): k is the k-th structure.
        options: of the recipe.
        scale: between prepared values and HU.
        annotated: name of each structure, in the order of the label's values -> whether it is annotated.
        steps: spacing in mm (z, y, x), also of a slice.
        rng: the source of all chance.

    Raises:
        InputError: the image has several channels.
    """
    if image.shape[0] != 1:
        raise InputError(f"augmentation.ct takes images of one channel, not {image.shape[0]}.")
    flat = image.dim() == 3
    there, back = _values(list(annotated))
    hu, own = scale.to_hu(image[0]), torch.tensor(there, dtype=torch.uint8)[label[0].long()]
    if flat:  # a slice between two copies of itself, for the variations are made for volumes
        hu, own = hu.expand(3, -1, -1).clone(), own.expand(3, -1, -1).clone()
    how = _as_augmentation(options, thick_slices=not flat)
    points = augment.tone_points(how, rng)
    if points is not None:
        hu = _bent(hu, *points)
    hu, own = augment.vary_attenuation(
        hu, own, tuple(steps), how, rng,
        annotated=annotated.get("liver", False), unenhanced=points is not None, outside=scale.outside,
    )  # fmt: skip
    if flat:
        hu, own = hu[1], own[1]
    varied = torch.tensor(back, dtype=torch.uint8)[own.long()]
    return scale.from_hu(hu)[None].contiguous(), varied[None]


def _as_augmentation(options: CtOptions, *, thick_slices: bool) -> augment.Augmentation:
    values = options.model_dump()
    if not thick_slices:
        values["thick_slices"] = 0.0
    return augment.Augmentation(**values)


def _values(structures: List[str]) -> Tuple[List[int], List[int]]:
    """Label value of the recipe -> value of :mod:`LiverSegLib.labels` (others from FIRST_OTHER on), and back.

    A painted lesion becomes liver where liver tumour is no structure.
    """
    there = [BACKGROUND]
    for number, name in enumerate(structures):
        there.append(OWN_VALUES.get(name.lower().replace("_", " "), FIRST_OTHER + number))
    back = [BACKGROUND] * 256
    for value, own in enumerate(there):
        back[own] = value
    if TUMOUR not in there:
        back[TUMOUR] = back[LIVER]
    return there, back


def _bent(hu: Tensor, before: Sequence[float], after: Sequence[float]) -> Tensor:
    """HU bent by a curve through points; as they are below the first and above the last."""
    ends = (-1e6, 1e6)
    values = np.interp(hu.numpy(), [ends[0], *before, ends[1]], [ends[0], *after, ends[1]])
    return torch.from_numpy(values.astype(np.float32))
