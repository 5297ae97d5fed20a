"""Noise, blur, low resolution, brightness, contrast and gamma, by MONAI's transforms."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from LiverSegLib.training.augmentation.options import AugmentationOptions, Variation

BLUR_REACH = 4.0
"""SDs at which MONAI cuts its Gaussian off."""


def vary_intensity(image: Tensor, options: AugmentationOptions, rng: np.random.Generator) -> Tensor:
    """An image with other noise, sharpness and grey values; all channels vary alike, but for the noise.

    Args:
        image: float32 (channel, spatial axes).
        options: of the recipe.
        rng: the source of all chance.
    """
    from monai import transforms

    if _happens(options.noise, rng):
        deviation = float(image.std(correction=0)) * rng.uniform(*options.noise.range)
        noise = transforms.RandGaussianNoise(prob=1.0, std=deviation, sample_std=False)
        noise.set_random_state(state=_state(rng))
        image = _plain(noise(image))
    if _happens(options.blur, rng):
        image = _blurred(image, rng.uniform(*options.blur.range))
    if _happens(options.brightness, rng):
        brighter = transforms.StdShiftIntensity(factor=rng.uniform(*options.brightness.range))
        image = _plain(brighter(image.clone()))  # it writes into the image that it is given
    if _happens(options.contrast, rng):
        factor = rng.uniform(*options.contrast.range) - 1
        image = _plain(transforms.ScaleIntensityFixedMean(factor=factor, preserve_range=True)(image))
    if _happens(options.low_resolution, rng):
        share = rng.uniform(*options.low_resolution.range)
        mode = "trilinear" if image.dim() == 4 else "bilinear"
        image = _plain(
            transforms.RandSimulateLowResolution(prob=1.0, zoom_range=(share, share), upsample_mode=mode)(
                image
            )
        )
    if _happens(options.gamma, rng):
        gamma = rng.uniform(*options.gamma.range)
        image = _plain(transforms.AdjustContrast(gamma=gamma, retain_stats=True)(image))
    return image


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """MONAI's blur takes what lies beyond the image for 0, which leaves a frame; so its edge is continued."""
    from monai.transforms import GaussianSmooth

    axes, margin = image.dim() - 1, int(np.ceil(sigma * BLUR_REACH))
    wide = functional.pad(image[None], [margin] * (2 * axes), mode="replicate")[0]
    smooth = _plain(GaussianSmooth(sigma=sigma)(wide))
    return smooth[(slice(None), *[slice(margin, -margin)] * axes)].contiguous()


def _happens(variation: Variation, rng: np.random.Generator) -> bool:
    return bool(rng.random() < variation.probability)


def _state(rng: np.random.Generator) -> np.random.RandomState:
    """MONAI's kind of generator, its seed drawn from ours."""
    return np.random.RandomState(int(rng.integers(2**32)))


def _plain(image: Any) -> Tensor:
    """The float32 tensor without what MONAI keeps of its history."""
    return torch.as_tensor(image.as_tensor() if hasattr(image, "as_tensor") else image).float()
