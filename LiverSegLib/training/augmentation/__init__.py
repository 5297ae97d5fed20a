"""How samples vary: ``build_augmentation`` makes it of the section ``augmentation`` of a recipe."""

from LiverSegLib.training.augmentation.build import Augmentation, build_augmentation
from LiverSegLib.training.augmentation.options import AugmentationOptions

__all__ = ["Augmentation", "AugmentationOptions", "build_augmentation"]
