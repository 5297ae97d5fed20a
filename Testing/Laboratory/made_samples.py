"""Made-up samples for the tests of augmentation."""

import torch

from LiverSegLib.models import Intensity
from LiverSegLib.training.augmentation import AugmentationOptions, build_augmentation
from LiverSegLib.training.augmentation.options import nothing_varies

STRUCTURES = ("liver", "spleen", "liver tumour")
WINDOW = Intensity(scheme="window", window=(-160.0, 240.0), scale=(-1.0, 1.0))
PATCHES = ((32, 40), (24, 32, 28))


def options(**changes):
    """Nothing varies but what is named."""
    return AugmentationOptions.model_validate({**nothing_varies(), **changes})


def build(patch, how, **more):
    return build_augmentation(how, len(patch), STRUCTURES, patch, **more)


def sample(size, spacing=(1.0, 1.0, 1.0), seed=0):
    """A patient of noise about 50 HU, prepared with WINDOW; liver, spleen and a tumour are blocks of it."""
    generator = torch.Generator().manual_seed(seed)
    hu = 50 + 10 * torch.randn(1, *size, generator=generator)
    label = torch.zeros(1, *size, dtype=torch.uint8)
    inside = [slice(n // 6, -(n // 6)) for n in size[:-1]]
    label[(0, *inside, slice(2, size[-1] // 2))] = 1
    label[(0, *inside, slice(size[-1] // 2 + 2, -2))] = 2
    label[(0, *[slice(n // 2, n // 2 + 3) for n in size[:-1]], slice(6, 9))] = 3
    return {
        "image": (hu - 40) / 200, "label": label, "annotated": torch.tensor([True, True, False]),
        "spacing": torch.tensor(spacing), "id": "made-up",
    }  # fmt: skip
