"""Fatty liver from the attenuation of liver and spleen in ROIs: ratio, difference, grade, and when not to
grade.

An assessment never hides a number: where a grade would mislead, the numbers stand beside the reasons.
"""

from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import special

from ..images.grid import are_thick_slices
from ..images.phase_words import contrast_in_header
from ..measure.warnings import each_once
from ..sentences import Sentence
from .assessment import GRADE_TEXTS, NOT_GRADED, Assessment, CutOffs, MeasuredRoi, means_of, pair_ratios
from .attenuation import (
    difference_text,
    disagreement_text,
    fat_fraction_doubts,
    fat_fraction_percent,
    liver_text,
    screening_text,
)
from .conditions import VALID_KVP, Conditions, reasons_not_to_grade
from .placement import place
from .roi import LIVER_KEY, ORGANS, SIDE_RANGE_MM, SPLEEN_KEY, OrganStatistics, PlacementSettings
from .roi_statistics import RoiMeter

DRAWS = 4000
"""Bootstrap samples of the interval."""
LEAST_FOR_INTERVAL = 3
"""Fewer ROIs in an organ give no interval."""
_EQUAL_MM = 1e-6


def assess(
    liver: Sequence[MeasuredRoi],
    spleen: Sequence[MeasuredRoi],
    *,
    conditions: Conditions,
    cut_offs: Optional[CutOffs] = None,
    whole_organ: Optional[Mapping[str, OrganStatistics]] = None,
    grade_anyway: bool = False,
    settings: Optional[PlacementSettings] = None,
    warnings: Sequence[str] = (),
    seed: int = 0,
) -> Assessment:
    """Judge liver fat from the accepted ROIs.

    Args:
        liver, spleen: ROIs with their values; those without a value (outside the scan) do not count.
        conditions: how the scan was made.
        cut_offs: between grades; the published ones if not given.
        whole_organ: statistics by organ key, for the medians.
        grade_anyway: grade in spite of reasons not to; the result says so.
        settings: how automatic ROIs were placed, to be kept with the result.
        warnings: sentences from placing, to be kept with the result.
        seed: of the bootstrap.

    Returns:
        The assessment; without ROIs in an organ it has no ratio and no grade.

    >>> from LiverSegLib.steatosis.roi import Roi, RoiValues
    >>> liver = Roi("L1", "liver", (60.0, 0.0, 0.0), (10.0, 10.0, 10.0))
    >>> spleen = Roi("S1", "spleen", (-80.0, 20.0, 0.0), (10.0, 10.0, 10.0))
    >>> found = assess(
    ...     [(liver, RoiValues(mean_hu=30.0, sd_hu=9.0, voxels=400.0, inside=1.0, lesion=0.0))],
    ...     [(spleen, RoiValues(mean_hu=50.0, sd_hu=9.0, voxels=400.0, inside=1.0, lesion=0.0))],
    ...     conditions=Conditions(phase="unenhanced", kvp=120.0),
    ... )
    >>> round(found.ratio, 2), found.grade
    (0.6, 'moderate')
    """
    cut_offs, organs = cut_offs or CutOffs(), dict(whole_organ or {})
    liver_means, spleen_means = means_of(liver), means_of(spleen)
    liver_mean, spleen_mean = _mean(liver_means), _mean(spleen_means)
    reasons = reasons_not_to_grade(conditions, liver_mean, spleen_mean)
    ratio = interval = ratio_of_means = None
    if liver_mean is not None and spleen_mean is not None and spleen_means.min() > 0:
        ratio = float(pair_ratios(liver_means, spleen_means).mean())
        ratio_of_means = liver_mean / spleen_mean
        interval = ratio_interval(liver_means, spleen_means, seed=seed)
    elif spleen_mean is not None and spleen_mean > 0 >= spleen_means.min():
        reasons += (Sentence("fat.spleen-not-positive"),)
    difference = None if liver_mean is None or spleen_mean is None else liver_mean - spleen_mean
    by_ratio = None if ratio is None else cut_offs.grade(ratio)
    grade = by_ratio if not reasons or grade_anyway else None
    more = _roi_warnings(liver, LIVER_KEY) + _roi_warnings(spleen, SPLEEN_KEY)
    if interval is not None and grade is not None:
        more += _interval_warning(interval, cut_offs)
    more += _condition_warnings(conditions)
    return Assessment(
        ratio=ratio,
        ratio_interval=interval,
        ratio_of_means=ratio_of_means,
        liver_mean=liver_mean,
        spleen_mean=spleen_mean,
        difference=difference,
        liver_median=organs[LIVER_KEY].median_hu if LIVER_KEY in organs else None,
        spleen_median=organs[SPLEEN_KEY].median_hu if SPLEEN_KEY in organs else None,
        grade=grade,
        grade_text=_grade_text(grade, bool(reasons)),
        reasons_not_to_grade=reasons,
        graded_anyway=bool(grade is not None and reasons),
        liver_text=None if liver_mean is None else liver_text(liver_mean),
        difference_text=None if difference is None else difference_text(difference),
        fat_fraction_percent=None if liver_mean is None else fat_fraction_percent(liver_mean),
        fat_fraction_doubts=() if liver_mean is None else fat_fraction_doubts(liver_mean, conditions),
        warnings=each_once([*warnings, *more]),
        cut_offs=cut_offs,
        conditions=conditions,
        rois=tuple(liver) + tuple(spleen),
        whole_organ=organs,
        settings=settings,
        screening=screening_text(conditions.phase, liver_mean),
        disagreement=disagreement_text(grade, liver_mean, spleen_mean, conditions),
    )


def assess_scan(
    image: sitk.Image,
    labels: sitk.Image,
    *,
    phase: Optional[str] = None,
    phase_reason: str = "",
    chosen_phase: Optional[str] = None,
    kvp: Optional[float] = None,
    contrast: Optional[str] = None,
    series: Optional[str] = None,
    settings: Optional[PlacementSettings] = None,
    cut_offs: Optional[CutOffs] = None,
    grade_anyway: bool = False,
) -> Assessment:
    """Place ROIs in a scan, measure them and judge liver fat.

    Args:
        image: the scan in HU, of any orientation.
        labels: its mask on the same grid.
        phase, phase_reason: contrast phase; estimated from the scan if not given.
        chosen_phase: what the reader states, in place of the estimate; one of ``PHASES``. The result says so.
        kvp: tube voltage in kV where it is known.
        contrast: the DICOM tag Contrast/Bolus Agent where it is known.
        series: the DICOM tag Series Description where it is known: its words count in the estimate.
        settings, cut_offs, grade_anyway: see :func:`place` and :func:`assess`.

    Raises:
        ImageGeometryError: mask and scan do not lie on the same grid.
        NoLiverError: the mask is empty or holds no liver.
        InputError: the mask holds values that are no labels.
        NotCTError: a voxel of an organ has no finite value.
        UsageError: there is no such phase.
    """
    meter = RoiMeter.of(image, labels)
    if phase is None:
        from ..measure.phase import estimate_phase  # loads scipy.signal, for which Slicer's window would wait

        estimate = estimate_phase(image, labels, contrast=contrast_in_header(contrast, series))
        phase, phase_reason = estimate.phase, estimate.reason
    placement = place(meter, settings)
    statistics = {key: found for key in ORGANS for found in [meter.statistics(key)] if found is not None}
    conditions = Conditions.of(
        statistics,
        phase=phase,
        phase_reason=phase_reason,
        contrast_agent=contrast,
        kvp=kvp,
        chosen_phase=chosen_phase,
    )
    return assess(
        meter.measure_all(placement.of(LIVER_KEY)),
        meter.measure_all(placement.of(SPLEEN_KEY)),
        conditions=conditions,
        cut_offs=cut_offs,
        whole_organ=statistics,
        grade_anyway=grade_anyway,
        settings=placement.settings,
        warnings=placement.warnings + thick_slices(meter.grid.slice_spacing, placement.settings.side_mm),
        seed=placement.settings.seed,
    )


def thick_slices(slice_spacing: float, side_mm: float) -> Tuple[str, ...]:
    """Return a sentence if slices (mm) are so thick that an ROI averages only a few of them."""
    if not are_thick_slices(slice_spacing):
        return ()
    count = max(1, round(side_mm / slice_spacing))
    if count == 1:
        return (Sentence("roi.one-slice", mm=float(slice_spacing)),)
    return (Sentence("roi.few-slices", mm=float(slice_spacing), count=count),)


def ratio_interval(
    liver_means: np.ndarray, spleen_means: np.ndarray, *, seed: int = 0
) -> Optional[Tuple[float, float]]:
    """Return the 95 % interval of the mean pair ratio by bootstrap over the ROIs of each organ.

    ROIs of liver and of spleen are drawn with replacement, each organ by itself. A plain percentile interval
    of a handful of ROIs is too narrow; so deviations are widened by sqrt(n / (n - 1)) and the percentiles are
    those of Student's t with Welch's degrees of freedom.

    Args:
        liver_means, spleen_means: HU of the ROIs, (n,) and (m,); the spleen's positive.
        seed: of the draws.

    Returns:
        Lower and upper end, or None with fewer than 3 ROIs in an organ.
    """
    if min(len(liver_means), len(spleen_means)) < LEAST_FOR_INTERVAL:
        return None
    random = np.random.default_rng(seed)
    liver = _drawn_means(liver_means, random)
    spleen = _drawn_means(1.0 / spleen_means, random)
    variances = [
        float(np.var(v, ddof=1) / len(v) / np.mean(v) ** 2) for v in (liver_means, 1.0 / spleen_means)
    ]
    tail = _tail(variances, (len(liver_means), len(spleen_means)))
    low, high = np.quantile(liver * spleen, [tail, 1.0 - tail])
    return float(low), float(high)


def _drawn_means(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the means (DRAWS,) of bootstrap samples of ``values``, widened about their mean."""
    count, middle = len(values), values.mean()
    drawn = values[random.integers(0, count, (DRAWS, count))].mean(axis=1)
    return middle + (drawn - middle) * np.sqrt(count / (count - 1.0))


def _tail(variances: Sequence[float], counts: Sequence[int]) -> float:
    """Return the share to leave out on each side: that of a normal distribution beyond Student's 97.5 %."""
    total = sum(variances)
    if not total > 0 or not np.isfinite(total):
        return 0.025
    freedom = total**2 / sum(v**2 / (n - 1) for v, n in zip(variances, counts))
    return float(special.ndtr(special.stdtrit(freedom, 0.025)))


def _mean(values: np.ndarray) -> Optional[float]:
    return float(values.mean()) if len(values) else None


def _roi_warnings(rois: Sequence[MeasuredRoi], organ: str) -> List[str]:
    sentences: List[str] = []
    for number, (roi, values) in enumerate(rois):
        if values.mean_hu is None:
            sentences.append(Sentence("roi.does-not-count", roi=roi.name))
            continue
        sentences += [Sentence("roi.remark", roi=roi.name, remark=flag) for flag in values.flags]
        if min(roi.size) < SIDE_RANGE_MM[0] - _EQUAL_MM:
            sentences.append(
                Sentence("roi.small", roi=roi.name, side=float(min(roi.size)), least=SIDE_RANGE_MM[0])
            )
        sentences += [
            Sentence("roi.overlap", first=other.name, second=roi.name)
            for other, _ in rois[:number]
            if roi.overlaps(other)
        ]
    counted = sum(values.mean_hu is not None for _, values in rois)
    if 0 < counted < LEAST_FOR_INTERVAL:
        word = Sentence(f"organ.{organ}")
        if counted == 1:
            sentences.append(Sentence("roi.only-one", organ=word))
        else:
            sentences.append(Sentence("roi.only-few", count=counted, organ=word))
    return sentences


def _condition_warnings(conditions: Conditions) -> List[str]:
    sentences: List[str] = []
    if conditions.kvp is None:
        sentences.append(Sentence("fat.kvp-unknown", kvp=VALID_KVP))
    if conditions.phase_by_reader and conditions.estimated_phase not in (None, "unknown", conditions.phase):
        sentences.append(Sentence("fat.phase-against-image", reason=conditions.phase_reason))
    return sentences


def _interval_warning(interval: Tuple[float, float], cut_offs: CutOffs) -> List[str]:
    low, high = cut_offs.grade(interval[0]), cut_offs.grade(interval[1])
    words = {"low": Sentence(f"grade-word.{low}"), "high": Sentence(f"grade-word.{high}")}
    return [] if low == high else [Sentence("fat.interval", **words)]


def _grade_text(grade: Optional[str], doubtful: bool) -> str:
    if grade is None:
        return NOT_GRADED
    return Sentence(f"grade.{grade}-anyway") if doubtful else GRADE_TEXTS[grade]
