"""What to train: the two stages of the bundled model."""

from dataclasses import dataclass, field
from typing import Any, Dict, Tuple

from LiverSegLib.training.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """One network's training: data version, patch (z, y, x) in voxels, isotropic spacing in mm, schedule."""

    version: str
    spacing: float
    patch: Tuple[int, int, int]
    network: str
    arguments: Dict[str, Any]
    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 200
    decay: float = 0.3
    """Share of the steps, at the end, over which the learning rate falls to zero."""
    average: float = 0.998
    """Decay of the exponential moving average of the weights that is exported."""
    augmentation: Augmentation = field(default_factory=Augmentation)


RECIPES: Dict[str, Recipe] = {
    "segment": Recipe(
        version="fine",
        spacing=1.5,
        patch=(96, 128, 160),
        network="ResidualUNet",
        arguments={
            "in_channels": 1, "out_channels": 4,
            "channels": [32, 64, 96, 128, 128], "blocks": [1, 1, 1, 1, 1],
            "dimensions": 3, "fold": 2,
        },
        steps=14400,
        augmentation=Augmentation(lesions=0.5),
    ),
    "locate": Recipe(
        version="coarse",
        spacing=6.0,
        patch=(32, 64, 80),
        network="ResidualUNet",
        arguments={
            "in_channels": 1, "out_channels": 3, "channels": [24, 32, 48, 48], "blocks": [1, 1, 1, 1],
            "dimensions": 3, "fold": 2,
        },
        steps=2200,
        # Half the patches lie anywhere or elsewhere: chest, pelvis and legs teach where there is no liver.
        augmentation=Augmentation(
            centres=(0.0, 0.35, 0.15, 0.5, 0.0), mirror_x=0.2, thick_slices=0.0, unenhanced=0.2, kernel=0.0,
            elsewhere=0.45, scale=(0.75, 1.3),
        ),
    ),
}  # fmt: skip
