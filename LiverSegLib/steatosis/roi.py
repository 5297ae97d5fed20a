"""Regions of interest as data: where a cube lies, what was measured in it, how cubes were placed."""

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from ..errors import UsageError
from ..labels import LABELS, LIVER, SPLEEN
from ..measure.measurements import Vector, vector
from ..sentences import Sentence

LIVER_KEY, SPLEEN_KEY = LABELS[LIVER].key, LABELS[SPLEEN].key
ORGANS: Dict[str, str] = {LIVER_KEY: "L", SPLEEN_KEY: "S"}
"""Organs in which ROIs are placed -> the letter that their names begin with."""

COUNT_RANGE = (1, 30)
"""ROIs per organ."""
SIDE_RANGE_MM = (10.0, 20.0)
"""Side of an automatic ROI: readers take at least 1 cm."""
ROI_RANGE_MM = (1.0, 100.0)
"""Sides of any ROI, however it was made: smaller is a point, larger an organ."""
MARGIN_RANGE_MM = (0.0, 30.0)
"""Distance from the organ's border or from a lesion that can be asked for."""

REJECTIONS: Dict[str, str] = {
    "border": "too near the border of the organ",
    "lesion": "too near a lesion",
    "noise": "SD above the noise of the organ (a vessel or an artefact)",
    "mean": "mean far from the median of the organ (a vessel or a lesion)",
    "overlap": "overlapping another ROI",
}
"""Why a place was rejected: key -> words."""


@dataclass(frozen=True)
class Roi:
    """A box with its sides along the axes of the patient, however the scan lies.

    Attributes:
        name: "L1", "L2" ... in the liver, "S1" ... in the spleen.
        organ: "liver" or "spleen".
        centre: LPS mm.
        size: mm along the patient's axes (x right to left, y front to back, z feet to head), 1 to 100.
        automatic: False once somebody has made, moved or resized it.

    Raises:
        UsageError: another organ, or numbers that make no box.
    """

    name: str
    organ: str
    centre: Vector
    size: Vector
    automatic: bool = True

    def __post_init__(self) -> None:
        if self.organ not in ORGANS:
            raise UsageError(Sentence("roi.other-organ", organs=" or the ".join(ORGANS), organ=self.organ))
        if len(self.centre) != 3 or not all(_finite(value) for value in self.centre):
            raise UsageError(Sentence("roi.centre", name=self.name))
        low, high = ROI_RANGE_MM
        if len(self.size) != 3 or not all(_finite(side) and low <= side <= high for side in self.size):
            raise UsageError(Sentence("roi.sides", name=self.name, low=low, high=high))

    def overlaps(self, other: "Roi") -> bool:
        """Tell whether two ROIs share more than a face."""
        return all(
            abs(a - b) < (s + t) / 2 - 1e-6
            for a, b, s, t in zip(self.centre, other.centre, self.size, other.size)
        )

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data with units in the keys."""
        return {
            "name": self.name,
            "organ": self.organ,
            "centre_lps_mm": list(vector(self.centre)),
            "size_mm": list(vector(self.size)),
            "automatic": self.automatic,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Roi":
        """Return the ROI that :meth:`to_dict` wrote."""
        return cls(
            name=str(data["name"]),
            organ=str(data["organ"]),
            centre=vector(data["centre_lps_mm"]),
            size=vector(data["size_mm"]),
            automatic=bool(data["automatic"]),
        )


@dataclass(frozen=True)
class RoiValues:
    """What was measured in an ROI. A voxel that lies partly in it counts by that part.

    Attributes:
        mean_hu, sd_hu: weighted mean and SD (divided by n) of the voxels; None where the ROI lies outside the
            scan or on voxels without a finite value.
        voxels: sum of the weights, in voxels.
        inside: share of the ROI's volume within its organ (for the liver: with its lesions), 0 to 1.
        lesion: share of its volume within lesions.
        flags: sentences on what makes it suspicious.
    """

    mean_hu: Optional[float]
    sd_hu: Optional[float]
    voxels: float
    inside: float
    lesion: float
    flags: Tuple[str, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data."""
        return {**vars(self), "flags": list(self.flags)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RoiValues":
        """Return the values that :meth:`to_dict` wrote; what else the dict holds is left aside."""
        values = {name: data[name] for name in ("mean_hu", "sd_hu", "voxels", "inside", "lesion")}
        return cls(**values, flags=tuple(data["flags"]))


@dataclass(frozen=True)
class OrganStatistics:
    """The parenchyma of an organ (its largest component without lesions).

    Attributes:
        key: "liver" or "spleen".
        mean_hu, sd_hu, median_hu: of all its voxels.
        noise_hu: SD of a voxel by noise alone, robust against vessels and gradients; None if the organ is too
            small.
        noise_correlation: correlation of the noise: about so many voxels share theirs and count as one when
            the SD of a few is judged; "noise_grain" in the dict.
        cube_median_hu, cube_spread_hu: median and robust SD of the means of 10 mm cubes without vessels all
            over the organ: how much places differ. Without room for enough cubes, the organ's median and
            None.
        volume_ml: with lesions.
        touches: words for the borders of the scan that it reaches: part of it may be missing.
    """

    key: str
    mean_hu: float
    sd_hu: float
    median_hu: float
    noise_hu: Optional[float]
    noise_correlation: Optional[float]
    cube_median_hu: float
    cube_spread_hu: Optional[float]
    volume_ml: float
    touches: Tuple[str, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data."""
        return {
            ("noise_grain" if name == "noise_correlation" else name): value
            for name, value in {**vars(self), "touches": list(self.touches)}.items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "OrganStatistics":
        """Return the statistics that :meth:`to_dict` wrote."""
        values = {**data, "noise_correlation": data["noise_grain"], "touches": tuple(data["touches"])}
        del values["noise_grain"]
        return cls(**values)


@dataclass(frozen=True)
class PlacementSettings:
    """How ROIs are placed.

    Attributes:
        count: ROIs in each organ, 1 to 30.
        side_mm: side of the cube, 10 to 20; along thicker slices it grows to one slice.
        margin_mm: least distance between an ROI and the border of its organ.
        lesion_margin_mm: least distance between an ROI and a lesion.
        seed: of the random choice; the same scan, mask and settings give the same ROIs.

    Raises:
        UsageError: a setting is out of its range.
    """

    count: int = 5
    side_mm: float = 10.0
    margin_mm: float = 5.0
    lesion_margin_mm: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require("rois.count", self.count, COUNT_RANGE)
        _require("rois.side", self.side_mm, SIDE_RANGE_MM)
        _require("rois.margin", self.margin_mm, MARGIN_RANGE_MM)
        _require("rois.lesion-margin", self.lesion_margin_mm, MARGIN_RANGE_MM)
        if int(self.count) != self.count:
            raise UsageError(Sentence("rois.whole-count", value=str(self.count)))
        if int(self.seed) != self.seed or self.seed < 0:
            raise UsageError(Sentence("rois.seed", value=str(self.seed)))

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data."""
        return dict(vars(self))


@dataclass(frozen=True)
class Placement:
    """ROIs that were placed in a scan.

    Attributes:
        rois: the liver's first.
        rejected: key of REJECTIONS -> number of places that were looked at and rejected for it.
        warnings: sentences: fewer ROIs than asked for, organs that are absent or cut off.
        settings: what they were placed with.
    """

    rois: Tuple[Roi, ...]
    rejected: Dict[str, int] = field(default_factory=dict)
    warnings: Tuple[str, ...] = ()
    settings: PlacementSettings = field(default_factory=PlacementSettings)

    def of(self, organ: str) -> Tuple[Roi, ...]:
        """Return the ROIs in one organ."""
        return tuple(roi for roi in self.rois if roi.organ == organ)


def _require(key: str, value: float, allowed: Tuple[float, float]) -> None:
    """Raise UsageError with the sentence ``key`` unless a value is in its range."""
    low, high = allowed
    if not _finite(value) or not low <= value <= high:
        raise UsageError(Sentence(key, low=low, high=high, value=str(value)))


def _finite(value: Any) -> bool:
    try:
        return abs(float(value)) < float("inf")
    except (TypeError, ValueError):
        return False
