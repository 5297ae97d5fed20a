"""An assessment of fatty liver as data: cut-offs, grades, numbers, reasons; to and from dicts."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError, UsageError
from ..sentences import Sentence, restored
from .conditions import Conditions
from .roi import LIVER_KEY, SPLEEN_KEY, OrganStatistics, PlacementSettings, Roi, RoiValues

FORMAT = "liverseg-steatosis-1"
"""Name and version of the dict that :meth:`Assessment.to_dict` makes."""

GRADES: Tuple[str, ...] = ("normal", "mild", "moderate", "severe")
"""From the highest ratio to the lowest."""
GRADE_TEXTS = {
    "normal": Sentence("grade.normal"),
    "mild": Sentence("grade.mild"),
    "moderate": Sentence("grade.moderate"),
    "severe": Sentence("grade.severe"),
}
NOT_GRADED = Sentence("grade.none")
_EQUAL = 1e-9

MeasuredRoi = Tuple[Roi, RoiValues]
"""An ROI and what was measured in it."""


@dataclass(frozen=True)
class CutOffs:
    """Borders between grades of the liver/spleen ratio.

    The defaults are those of the hepatology branch of the Chinese Medical Association for fatty liver, as
    Chinese CT studies quote them: up to 1.0 mild, up to 0.7 moderate, up to 0.5 severe. Here 0.7 itself
    counts as mild and 0.5 itself as moderate.

    Attributes:
        normal_above: a ratio above this is normal.
        moderate_below: below this it is moderate; this value itself is mild.
        severe_below: below this it is severe; this value itself is moderate.

    Raises:
        UsageError: not finite, not positive, or not in order.
    """

    normal_above: float = 1.0
    moderate_below: float = 0.7
    severe_below: float = 0.5

    def __post_init__(self) -> None:
        values = (self.severe_below, self.moderate_below, self.normal_above)
        if not all(_is_number(value) and value > 0 for value in values):
            raise UsageError(Sentence("cut-offs.not-positive"))
        if not values[0] < values[1] < values[2]:
            names = dict(zip(("severe", "moderate", "normal"), map(float, values)))
            raise UsageError(Sentence("cut-offs.order", **names))

    def grade(self, ratio: float) -> str:
        """Return the grade of a ratio."""
        if ratio > self.normal_above + _EQUAL:
            return "normal"
        if ratio >= self.moderate_below - _EQUAL:
            return "mild"
        return "moderate" if ratio >= self.severe_below - _EQUAL else "severe"

    def __str__(self) -> str:
        """Return the cut-offs in words."""
        return (
            f"normal above {self.normal_above:g}, moderate below {self.moderate_below:g}, "
            f"severe below {self.severe_below:g}"
        )

    def to_dict(self) -> Dict[str, float]:
        """Return plain numbers."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, float]) -> "CutOffs":
        """Return the cut-offs that :meth:`to_dict` wrote."""
        return cls(**data)


@dataclass(frozen=True)
class Acceptance:
    """Who accepted a reading.

    Attributes:
        by: the reader's name.
        at: when, ISO 8601 with its time zone.
        how: "automatic" or "edited": whether somebody changed the ROIs.
        rois, rejected: names of the ROIs that count, and of those that do not.
    """

    by: str
    at: str
    how: str
    rois: Tuple[str, ...] = ()
    rejected: Tuple[str, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """Return plain strings and lists."""
        lists = {"rois": list(self.rois), "rejected": list(self.rejected)}
        return {"by": self.by, "at": self.at, "how": self.how, **lists}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Acceptance":
        """Return what :meth:`to_dict` wrote."""
        names = tuple(data.get("rois", ())), tuple(data.get("rejected", ()))
        return cls(str(data["by"]), str(data["at"]), str(data["how"]), *names)


@dataclass(frozen=True)
class Assessment:
    """What liver and spleen attenuation say about liver fat.

    Attributes:
        ratio: mean of liver / spleen HU over all pairs of a liver and a spleen ROI; None without both.
        ratio_interval: 95 % interval of the ratio by bootstrap over ROIs; None with fewer than 3 in an organ.
        ratio_of_means: liver_mean / spleen_mean.
        liver_mean, spleen_mean: mean HU of the ROIs' means.
        difference: liver_mean - spleen_mean.
        liver_median, spleen_median: HU of the whole parenchyma of the organ.
        grade: "normal", "mild", "moderate" or "severe" by the ratio, or None.
        grade_text: the grade in words, or that it was not graded.
        reasons_not_to_grade: sentences; with any of them there is no grade unless ``graded_anyway``.
        graded_anyway: somebody chose to have a grade in spite of these reasons.
        liver_text, difference_text: what the liver's HU alone, and the difference, say in words; None
            without.
        fat_fraction_percent: approximate MR proton density fat fraction; None without a liver.
        fat_fraction_doubts: sentences on why it does not hold here.
        warnings: sentences on what else makes the numbers doubtful.
        screening: what the liver alone says in the portal venous phase, with its source: a screening, no
            grade. None in other phases.
        disagreement: a sentence if the liver alone says more or less fat than the grade, and why.
        cut_offs, conditions: what the grade rests on.
        rois: the accepted ROIs with their values.
        whole_organ: statistics by organ key.
        settings: how automatic ROIs were placed, if they were.
        accepted: who accepted this reading; None if nobody has.
    """

    ratio: Optional[float]
    ratio_interval: Optional[Tuple[float, float]]
    ratio_of_means: Optional[float]
    liver_mean: Optional[float]
    spleen_mean: Optional[float]
    difference: Optional[float]
    liver_median: Optional[float]
    spleen_median: Optional[float]
    grade: Optional[str]
    grade_text: str
    reasons_not_to_grade: Tuple[str, ...]
    graded_anyway: bool
    liver_text: Optional[str]
    difference_text: Optional[str]
    fat_fraction_percent: Optional[float]
    fat_fraction_doubts: Tuple[str, ...]
    warnings: Tuple[str, ...]
    screening: Optional[str]
    disagreement: Optional[str]
    cut_offs: CutOffs
    conditions: Conditions
    rois: Tuple[MeasuredRoi, ...] = ()
    whole_organ: Mapping[str, OrganStatistics] = field(default_factory=dict)
    settings: Optional[PlacementSettings] = None
    accepted: Optional[Acceptance] = None

    @property
    def other_measures_judge(self) -> bool:
        """Whether ``liver_text`` and ``difference_text`` may be shown: unenhanced, and there is no ratio."""
        return self.conditions.phase == "unenhanced" and self.ratio is None

    @property
    def edited(self) -> bool:
        """Whether somebody made, moved or resized one of the ROIs."""
        return any(not roi.automatic for roi, _ in self.rois)

    def rois_of(self, organ: str) -> Tuple[MeasuredRoi, ...]:
        """Return the ROIs of one organ with their values."""
        return tuple(measured for measured in self.rois if measured[0].organ == organ)

    def pair_ratios(self) -> np.ndarray:
        """Return the ratio of each pair, (liver ROIs, spleen ROIs); NaN where the spleen's HU is not
        positive.
        """
        return pair_ratios(means_of(self.rois_of(LIVER_KEY)), means_of(self.rois_of(SPLEEN_KEY)))

    def to_dict(self) -> Dict[str, Any]:
        """Return plain dicts, lists, numbers and strings, unrounded, with units in the keys."""
        return {
            "format": FORMAT,
            **{_KEYS.get(name, name): _without_tuple(getattr(self, name)) for name in _NUMBERS},
            "cut_offs": self.cut_offs.to_dict(),
            "conditions": self.conditions.to_dict(),
            "edited": self.edited,
            "rois": [{**roi.to_dict(), **values.to_dict()} for roi, values in self.rois],
            "whole_organ": [organ.to_dict() for organ in self.whole_organ.values()],
            "settings": None if self.settings is None else self.settings.to_dict(),
            "accepted": None if self.accepted is None else self.accepted.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Assessment":
        """Return the assessment that :meth:`to_dict` wrote.

        Raises:
            InputError: the dict was written by something else.
        """
        if data.get("format") != FORMAT:
            formats = {"expected": FORMAT, "found": data.get("format")}
            raise InputError(Sentence("result.assessment-format", **formats))
        try:
            return _from_dict(restored(data))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(Sentence("result.assessment-damaged"), repr(error)) from error


_KEYS = {
    "ratio_interval": "ratio_interval_95",
    "liver_mean": "liver_mean_hu",
    "spleen_mean": "spleen_mean_hu",
    "difference": "liver_minus_spleen_hu",
    "liver_median": "liver_median_hu",
    "spleen_median": "spleen_median_hu",
}
"""Field of an assessment -> its key in the dict, where that says more."""
_OBJECTS = ("cut_offs", "conditions", "rois", "whole_organ", "settings", "accepted")
"""Fields that are written by their own classes; the others hold numbers and sentences."""
_NUMBERS = tuple(field.name for field in fields(Assessment) if field.name not in _OBJECTS)


def means_of(rois: Sequence[MeasuredRoi]) -> np.ndarray:
    """Return the mean HU (n,) of those ROIs that have one."""
    return np.array([values.mean_hu for _, values in rois if values.mean_hu is not None], dtype=float)


def pair_ratios(liver_means: np.ndarray, spleen_means: np.ndarray) -> np.ndarray:
    """Return liver / spleen of each pair of ROI means (HU), (n, m); NaN where the spleen's is <= 0."""
    spleen = np.where(spleen_means > 0, spleen_means, np.nan)
    return liver_means[:, None] / spleen[None, :]


def _from_dict(data: Mapping[str, Any]) -> Assessment:
    data = {"screening": None, "disagreement": None, "accepted": None, **data}  # of an older version
    settings, accepted = data["settings"], data["accepted"]
    numbers = {name: _without_list(data[_KEYS.get(name, name)]) for name in _NUMBERS}
    organs = [OrganStatistics.from_dict(item) for item in data["whole_organ"]]
    return Assessment(
        **numbers,
        cut_offs=CutOffs.from_dict(data["cut_offs"]),
        conditions=Conditions.from_dict(data["conditions"]),
        rois=tuple((Roi.from_dict(item), RoiValues.from_dict(item)) for item in data["rois"]),
        whole_organ={organ.key: organ for organ in organs},
        settings=None if settings is None else PlacementSettings(**settings),
        accepted=None if accepted is None else Acceptance.from_dict(accepted),
    )


def _without_tuple(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _without_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < float("inf")
