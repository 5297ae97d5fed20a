"""The section ``pack`` of a recipe: which version of a pack, at which spacing, and how patches vary."""

from typing import Tuple

from pydantic import Field

from LiverSegLib.models import Intensity
from LiverSegLib.training.augment import Augmentation
from LiverSegLib.training.options import Options
from LiverSegLib.training.pack import WINDOW

Range = Tuple[float, float]


class PackOptions(Options):
    """Data of :mod:`LiverSegLib.training.pack`; the chances are those of :class:`augment.Augmentation`."""

    version: str = Field(pattern="^(fine|coarse)$")
    spacing: float = Field(gt=0)
    """Isotropic spacing of the patches in mm."""
    tumour_free: Tuple[str, ...] = ()
    """Cases in whose liver no tumor can be seen, though the data set does not say so: what is called tumor
    there is wrong."""
    centres: Tuple[float, float, float, float, float] = Augmentation.centres
    elsewhere: float = Augmentation.elsewhere
    skull: float = Augmentation.skull
    rotation_z_degrees: float = Augmentation.rotation_z_degrees
    rotation_xy_degrees: float = Augmentation.rotation_xy_degrees
    scale: Range = Augmentation.scale
    mirror_x: float = Augmentation.mirror_x
    thick_slices: float = Augmentation.thick_slices
    unenhanced: float = Augmentation.unenhanced
    dark_vessels: float = Augmentation.dark_vessels
    unfilled_veins: float = Augmentation.unfilled_veins
    arterial: float = Augmentation.arterial
    mottled_spleen: float = Augmentation.mottled_spleen
    fatty: float = Augmentation.fatty
    organ_shift: float = Augmentation.organ_shift
    lesions: float = Augmentation.lesions
    bright_contents: float = Augmentation.bright_contents
    contrast: float = Augmentation.contrast
    kernel: float = Augmentation.kernel
    noise: float = Augmentation.noise
    field_of_view: float = Augmentation.field_of_view

    @property
    def augmentation(self) -> Augmentation:
        """The same as training's functions take it."""
        return Augmentation(**self.model_dump(exclude={"version", "spacing", "tumour_free"}))

    @property
    def intensity(self) -> Intensity:
        """What a pack does to HU."""
        return Intensity("window", window=WINDOW, scale=(-1.0, 1.0))
