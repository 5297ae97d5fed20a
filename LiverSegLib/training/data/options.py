"""The sections of a recipe about data: which cases, how they are prepared, where patches lie."""

from typing import Any, Dict, Literal, Optional, Tuple, Union

from pydantic import Field, field_validator, model_validator

from LiverSegLib.errors import ModelError
from LiverSegLib.models import Intensity
from LiverSegLib.training.options import Options

ANYWHERE = "anywhere"
"""Place of a patch: any voxel of the image."""
ANY_LABEL = "label"
"""Place of a patch: on one of the case's structures, each with the same chance."""

Pair = Tuple[float, float]
Triple = Tuple[float, float, float]
Steps = Tuple[Optional[float], Optional[float], Optional[float]]


class SourceOptions(Options):
    """One data set.

    Attributes:
        folder: where it lies.
        layout: a name of ``layouts.LAYOUTS``, or "auto" to recognise it.
        series: of CHAOS MR, which series become cases: "T1-in", "T1-out", "T2".
        labels: False to take the images alone, as if nobody had labelled them.
        only: ids of the cases to take; None for all.
        without: ids of the cases to leave out.
    """

    folder: str
    layout: str = "auto"
    series: Tuple[Literal["T1-in", "T1-out", "T2"], ...] = ("T1-in",)
    labels: bool = True
    only: Optional[Tuple[str, ...]] = None
    without: Tuple[str, ...] = ()


class SplitOptions(Options):
    """How patients are divided.

    Attributes:
        val, test: shares of the patients whose cases the data set does not divide itself.
        seed: of the draw.
        given: whether a division that the data set states is followed.
    """

    val: float = Field(default=0.2, ge=0, lt=1)
    test: float = Field(default=0.0, ge=0, lt=1)
    seed: int = 0
    given: bool = True

    @model_validator(mode="after")
    def _leave_some_to_train(self) -> "SplitOptions":
        if self.val + self.test >= 1:
            raise ValueError("val and test together must be less than 1, or nothing is left to train on")
        return self


class DataOptions(SourceOptions):
    """The section ``data`` of a recipe: a data set, and what else there is.

    Attributes:
        more: further data sets; ids of cases begin with the data set's name where they would collide.
        split: how patients are divided.
        cache: folder for prepared cases, which may be shared by recipes; None: the run's own.
    """

    more: Tuple[SourceOptions, ...] = ()
    split: SplitOptions = SplitOptions()
    cache: Optional[str] = None

    @property
    def sources(self) -> Tuple[SourceOptions, ...]:
        """All data sets, the first one included."""
        own = {name: getattr(self, name) for name in SourceOptions.model_fields}
        return (SourceOptions(**own), *self.more)


class IntensityOptions(Options):
    """What the network sees of a voxel's value; see :class:`LiverSegLib.models.Intensity` for the schemes.

    ``window``, ``clip``, ``mean`` and ``std`` are HU for CT, the stored values else.
    """

    scheme: Literal["window", "ct-percentile", "zscore", "none"] = "window"
    window: Optional[Pair] = None
    scale: Optional[Pair] = None
    clip: Optional[Pair] = None
    mean: Optional[float] = None
    std: Optional[float] = Field(default=None, gt=0)
    nonzero: Optional[bool] = None

    @model_validator(mode="after")
    def _fit_the_scheme(self) -> "IntensityOptions":
        for name in ("window", "scale", "clip"):
            pair = getattr(self, name)
            if pair is not None and not pair[0] < pair[1]:
                raise ValueError(f"{name} must be a lower and a higher number")
        try:
            self.for_manifest().check("intensity")
        except ModelError as error:
            raise ValueError(str(error)) from error
        return self

    def for_manifest(self) -> Intensity:
        """The same scheme as a model's manifest has it."""
        return Intensity(**self.model_dump())


class PreparationOptions(Options):
    """What is done to a whole image, the same each time.

    Attributes:
        way: "liverseg" prepares as the product does for its own models: resampled (a triangle as wide as the
            coarser grid, so anti-aliased), then scaled. "nnunet" as it does for models of nnU-Net: scaled,
            then resampled with a spline of order 3, slice by slice where slices are thick.
        orientation: where the axes x, y, z run; "stored": as the file has them.
        spacing: mm (x, y, z); null along an axis, or at all, keeps the image's own.
        intensity: what the network sees of a value.
        crop: "labels" cuts training images to their labels and a margin, "nonzero" all images to what is
            not 0.
        margin_mm: around the labels, or (x, y, z).
        storage: "float16" halves the cache; values are then exact to 1 in 2000.
    """

    way: Literal["liverseg", "nnunet"] = "liverseg"
    orientation: Literal["LPS", "RAS", "stored"] = "LPS"
    spacing: Optional[Steps] = None
    intensity: IntensityOptions = IntensityOptions(window=(-160.0, 240.0), scale=(-1.0, 1.0))
    crop: Literal["none", "labels", "nonzero"] = "none"
    margin_mm: Union[float, Triple] = 30.0
    storage: Literal["float32", "float16"] = "float32"

    @field_validator("spacing")
    @classmethod
    def _positive(cls, value: Optional[Steps]) -> Optional[Steps]:
        if value is not None and any(step is not None and step <= 0 for step in value):
            raise ValueError("spacing must be above 0 mm")
        return value

    @property
    def margins_mm(self) -> Triple:
        """The margin around labels in mm (x, y, z)."""
        if isinstance(self.margin_mm, tuple):
            return self.margin_mm
        return (self.margin_mm,) * 3


class PatchOptions(Options):
    """What a network sees at a time.

    Attributes:
        size: voxels (z, y, x), or (y, x) for slices.
        centres: chance of each place to centre on: names of structures, "label" (any of them), "anywhere".
            A place that a case lacks gives its chance to the others. Only their proportions count.
        jitter: how far the voxel chosen may lie from the patch's centre, as a share of half the patch.
        empty: share of the patches that may be without any label; others are drawn again, from another case
            where this one has no label, until they have one.
    """

    size: Tuple[int, ...]
    centres: Dict[str, float] = {ANY_LABEL: 2.0, ANYWHERE: 1.0}
    jitter: float = Field(default=0.5, ge=0, le=1)
    empty: float = Field(default=1.0, ge=0, le=1)

    @field_validator("size")
    @classmethod
    def _two_or_three(cls, value: Tuple[int, ...]) -> Tuple[int, ...]:
        if len(value) not in (2, 3) or min(value) < 1:
            raise ValueError("size must be two (y, x) or three (z, y, x) whole numbers above 0")
        return value

    @field_validator("centres")
    @classmethod
    def _chances(cls, value: Dict[str, Any]) -> Dict[str, Any]:
        if not value or min(value.values()) < 0 or sum(value.values()) <= 0:
            raise ValueError("centres must name at least one place with a chance above 0, and none below 0")
        return value

    @property
    def dimensions(self) -> int:
        """2 for slices, 3 for volumes."""
        return len(self.size)
