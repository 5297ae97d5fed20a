"""The section ``augmentation`` of a recipe: what varies in a sample, how often, and how much.

Each variation has a ``probability`` and a ``range`` from which it is drawn evenly. The defaults of noise,
blur, low resolution, contrast, brightness and gamma follow nnU-Net (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z); the rest is what trained the bundled models, or off.
"""

from typing import Any, Dict, Optional, Tuple

from pydantic import Field, model_validator

from LiverSegLib.training.options import Options

Pair = Tuple[float, float]


class Variation(Options):
    """Something that varies in a share of the samples, by an amount drawn evenly from a range."""

    probability: float = Field(default=0.0, ge=0, le=1)
    range: Pair = (0.0, 0.0)

    @model_validator(mode="after")
    def _in_order(self) -> "Variation":
        if self.range[0] > self.range[1]:
            raise ValueError(f"the range {self.range} begins above its end")
        return self

    @property
    def largest(self) -> float:
        """The largest amount, whatever its sign; 0 if it never varies."""
        return max(abs(self.range[0]), abs(self.range[1])) if self.probability else 0.0


class Positive(Variation):
    """A variation whose amounts are above 0."""

    range: Pair = (1.0, 1.0)

    @model_validator(mode="after")
    def _above_zero(self) -> "Positive":
        if self.range[0] <= 0:
            raise ValueError(f"the range {self.range} must lie above 0")
        return self


class Rotation(Variation):
    """Degrees about the axis z: in the slice."""

    probability: float = Field(default=0.5, ge=0, le=1)
    range: Pair = (-15.0, 15.0)


class Tilt(Variation):
    """Degrees about the axes x and y, each with its own draw; 3-D only."""

    probability: float = Field(default=0.3, ge=0, le=1)
    range: Pair = (-7.0, 7.0)


class Scaling(Positive):
    """Magnification."""

    probability: float = Field(default=0.5, ge=0, le=1)
    range: Pair = (0.82, 1.22)


class Crop(Variation):
    """How far the patch is moved along each axis, as a share of its size: another crop of the image."""

    range: Pair = (-0.15, 0.15)


class Elastic(Positive):
    """Largest displacement in mm of points ``cell_mm`` apart, between which it is interpolated."""

    range: Pair = (2.0, 8.0)
    cell_mm: float = Field(default=40.0, gt=0)


class Noise(Variation):
    """SD of Gaussian noise, in SDs of the patch."""

    probability: float = Field(default=0.1, ge=0, le=1)
    range: Pair = (0.0, 0.3)


class Blur(Positive):
    """SD of a Gaussian blur, in voxels."""

    probability: float = Field(default=0.2, ge=0, le=1)
    range: Pair = (0.5, 1.0)


class LowResolution(Positive):
    """Resolution to which the patch is reduced and brought back, as a share of its own."""

    probability: float = Field(default=0.25, ge=0, le=1)
    range: Pair = (0.5, 1.0)


class Contrast(Positive):
    """Factor on the distance to the patch's mean; what leaves the patch's own range is clipped."""

    probability: float = Field(default=0.15, ge=0, le=1)
    range: Pair = (0.75, 1.25)


class Brightness(Variation):
    """What is added, in SDs of the patch."""

    probability: float = Field(default=0.15, ge=0, le=1)
    range: Pair = (-0.3, 0.3)


class Gamma(Positive):
    """Exponent on grey values scaled to 0 to 1; mean and SD of the patch stay."""

    probability: float = Field(default=0.3, ge=0, le=1)
    range: Pair = (0.7, 1.5)


class CtOptions(Options):
    """What hospitals vary in a CT, each with its probability; amounts are those of ``training/augment.py``.

    It needs the HU: the preparation's intensity must be a window, ct-percentile or none. The defaults trained
    the bundled segmenter. Structures are found by their names liver, spleen and liver tumour.
    """

    unenhanced: float = Field(default=0.3, ge=0, le=1)
    """Contrast is taken out of enhanced tissue by a tone curve."""
    dark_vessels: float = Field(default=0.0, ge=0, le=1)
    """Where contrast is taken out, the liver's vessels get darker than it."""
    unfilled_veins: float = Field(default=0.0, ge=0, le=1)
    """Elsewhere they do, as before the hepatic veins fill with contrast medium."""
    arterial: float = Field(default=0.15, ge=0, le=1)
    """A darker liver and a brighter spleen."""
    mottled_spleen: float = Field(default=0.0, ge=0, le=1)
    """A spleen in bands of different brightness, as it is in the arterial phase."""
    fatty: float = Field(default=0.2, ge=0, le=1)
    """The liver is darker by 15 to 80 HU."""
    organ_shift: float = Field(default=0.5, ge=0, le=1)
    """Liver, spleen and tumours are brighter or darker by some 12 HU."""
    bright_contents: float = Field(default=0.15, ge=0, le=1)
    """Oral contrast outside the organs."""
    lesions: float = Field(default=0.0, ge=0, le=1)
    """Lesions are painted into the liver, where it is annotated, and labelled if liver tumour is one of the
    structures (else they stay liver)."""
    thick_slices: float = Field(default=0.45, ge=0, le=1)
    """Slices are averaged to 2 to 10 mm; 3-D only."""
    kernel: float = Field(default=0.35, ge=0, le=1)
    """Smoother or sharper in plane."""
    contrast: float = Field(default=0.5, ge=0, le=1)
    """Scaled about soft tissue by 0.85 to 1.2, and shifted by some 8 HU."""
    noise: float = Field(default=0.5, ge=0, le=1)
    """Gaussian noise of 2 to 25 HU, half of the time correlated in plane."""
    field_of_view: float = Field(default=0.15, ge=0, le=1)
    """Air beyond a plane or a circle, where the label is empty too."""


class AugmentationOptions(Options):
    """How samples vary. ``augmentation: none`` turns everything off.

    Left and right, front and back, head and feet are the axes x, y and z of images in the order LPS or RAS.
    """

    flip_left_right: float = Field(default=0.0, ge=0, le=1)
    """Probability; 0 because the liver lies on the right."""
    flip_front_back: float = Field(default=0.0, ge=0, le=1)
    flip_head_foot: float = Field(default=0.0, ge=0, le=1)
    """3-D only. A body flipped along any one axis is a mirror image, so these are off too."""
    rotation: Rotation = Rotation()
    tilt: Tilt = Tilt()
    scaling: Scaling = Scaling()
    crop: Crop = Crop()
    elastic: Elastic = Elastic()
    noise: Noise = Noise()
    blur: Blur = Blur()
    low_resolution: LowResolution = LowResolution()
    brightness: Brightness = Brightness()
    contrast: Contrast = Contrast()
    gamma: Gamma = Gamma()
    ct: Optional[CtOptions] = None
    """None: nothing that needs HU; ``ct: {}`` has the defaults."""

    @model_validator(mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return nothing_varies() if value == "none" else value


def nothing_varies() -> Dict[str, Any]:
    """Values of ``AugmentationOptions`` with which every sample stays as it is."""
    fields = AugmentationOptions.model_fields
    off: Dict[str, Any] = {
        name: {"probability": 0.0} for name, field in fields.items() if isinstance(field.default, Variation)
    }
    return {**off, "flip_left_right": 0.0, "flip_front_back": 0.0, "flip_head_foot": 0.0, "ct": None}
