"""Measuring regions of interest in a scan, any of them at once: mean, SD, what lies in them, what is
suspicious."""

from typing import Any, Dict, Generator, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..images.grid import Grid, check_same_grid
from ..labels import TUMOUR
from ..masks.check import check_labels
from ..measure.volumes import attenuation
from ..sentences import Sentence
from .candidates import Sites
from .noise import MAD_TO_SD, Noise, measure_noise
from .organs import OrganRegion, check_arrays, find_organs
from .roi import OrganStatistics, PlacementSettings, Roi, RoiValues
from .roi_weights import voxel_weights

SD_ERRORS = 2.5
"""An SD up to so many standard errors above the organ's noise is no outlier."""
NOISE_VARIES = 0.08
"""Part of that standard error, however many voxels there are: noise itself differs over an organ. In spleens,
which hold few vessels, 5 to 95 % of the cubes lay between 0.9 and 1.2 times its middle."""
LEAST_SD_HU = 3.0
"""An SD up to this is never an outlier (rounding, coarse grey levels)."""
MEAN_SPREADS = 2.5
"""A mean up to so many robust SDs of the organ's cubes from their median is no outlier ..."""
LEAST_MEAN_HU = 2.0
"""... nor one within so many HU of it."""
INSIDE_SHARE = 0.999
"""An ROI with this share of its volume inside counts as inside (the parts of voxels on oblique scans are
near)."""
SPREAD_CUBES = 200
"""So many places all over the organ tell how much cubes differ; fewer than SPREAD_LEAST do not."""
SPREAD_LEAST = 12
_SPREAD_LATTICE_MM = 4.0


class RoiMeter:
    """A scan with its mask, ready to measure ROIs: made once, then each measurement takes milliseconds.

    The arrays are kept, not copied; make another meter when the mask has changed.

    Args:
        voxels: the scan (z, y, x) in HU, any type of number.
        labels: uint8 (z, y, x), values as in :mod:`LiverSegLib.labels`.
        grid: of both.

    Raises:
        InputError: the arrays do not fit each other or the grid.
        ImageGeometryError: the axes of the grid do not span space.
        NoLiverError: the mask holds no liver.
    """

    def __init__(self, voxels: np.ndarray, grid: Grid, labels: np.ndarray) -> None:
        _finish(self._set_up(voxels, grid, labels))

    @classmethod
    def in_pieces(
        cls, voxels: np.ndarray, grid: Grid, labels: np.ndarray
    ) -> Generator[None, None, "RoiMeter"]:
        """Make a meter of arrays, with the statistics of its organs, piece by piece: the generator yields in
        between, for a window to stay alive, and returns the meter.
        """
        meter = cls.__new__(cls)
        yield from meter._set_up(voxels, grid, labels)
        for organ in meter.organs:
            yield
            meter._statistics[organ] = yield from meter._organ_statistics(meter.organs[organ])
        return meter

    def _set_up(self, voxels: np.ndarray, grid: Grid, labels: np.ndarray) -> Generator[None, None, None]:
        check_arrays(voxels, labels, grid)
        yield
        self.voxels, self.labels, self.grid = voxels, labels, grid
        self.organs: Dict[str, OrganRegion] = yield from find_organs(labels, voxels, grid)
        self._statistics: Dict[str, OrganStatistics] = {}
        self._kept: Tuple[sitk.Image, ...] = ()

    @classmethod
    def of(cls, image: sitk.Image, labels: sitk.Image) -> "RoiMeter":
        """Return a meter of a scan in HU and its mask.

        Raises:
            ImageGeometryError: they do not lie on the same grid.
            InputError: the mask holds values that are no labels.
        """
        grid = check_same_grid(labels, image)
        labels = check_labels(labels)
        meter = cls(sitk.GetArrayViewFromImage(image), grid, sitk.GetArrayViewFromImage(labels))
        meter._kept = (image, labels)  # a view of voxels lives as long as its image
        return meter

    def statistics(self, organ: str) -> Optional[OrganStatistics]:
        """Return what is known of an organ's parenchyma, or None if the mask does not hold it.

        Raises:
            NotCTError: a voxel of it has no finite value.
        """
        if organ not in self.organs:
            return None
        if organ not in self._statistics:
            self._statistics[organ] = _finish(self._organ_statistics(self.organs[organ]))
        return self._statistics[organ]

    def sites(self, organ: str, settings: PlacementSettings) -> Sites:
        """Return the places for cubes in an organ of the mask."""
        return Sites(
            self.organs[organ],
            self.labels,
            self.voxels,
            self.grid,
            side_mm=settings.side_mm,
            margin_mm=settings.margin_mm,
            lesion_margin_mm=settings.lesion_margin_mm,
        )

    def measure(self, roi: Roi) -> RoiValues:
        """Measure an ROI wherever it lies, also partly or wholly outside its organ or the scan."""
        first, weights = voxel_weights(self.grid, roi.centre, roi.size)
        full = float(weights.sum())
        box, weights = _within_scan(first, weights, self.voxels.shape)
        hu, labels = self.voxels[box].astype(np.float64), self.labels[box]
        known = (weights > 0) & np.isfinite(hu)
        counted = weights[known]
        total = float(counted.sum())
        inside = float(weights[self._organ_mask(roi.organ, box)].sum()) / full
        lesion = float(weights[labels == TUMOUR].sum()) / full
        mean: Optional[float] = None
        sd: Optional[float] = None
        if total > 0:
            mean = float((counted * hu[known]).sum() / total)
            sd = float(np.sqrt((counted * (hu[known] - mean) ** 2).sum() / total))
        flags = self._flags(roi.organ, mean, sd, total, total / full, inside, lesion)
        return RoiValues(mean, sd, total, min(1.0, inside), min(1.0, lesion), flags)

    def measure_all(self, rois: Sequence[Roi]) -> List[Tuple[Roi, RoiValues]]:
        """Return the ROIs with their values."""
        return [(roi, self.measure(roi)) for roi in rois]

    def outlier_criteria(self, organ: str, mean: float, sd: float, voxels: float) -> Tuple[str, ...]:
        """Return which criteria, "noise" or "mean" of REJECTIONS, the values of an ROI fail.

        Args:
            organ: "liver" or "spleen"; one that the mask does not hold has no criteria.
            mean, sd: of the ROI in HU.
            voxels: sum of its weights.
        """
        statistics = self.statistics(organ)
        return () if statistics is None else _outlier_criteria(statistics, mean, sd, voxels)

    def _organ_mask(self, organ: str, box: Tuple[slice, slice, slice]) -> np.ndarray:
        """Return the bool mask of an organ within a box of the scan."""
        mask = np.zeros([part.stop - part.start for part in box], dtype=bool)
        region = self.organs.get(organ)
        if region is None:
            return mask
        shared = [
            (max(part.start, own.start), min(part.stop, own.stop)) for part, own in zip(box, region.box)
        ]
        if all(start < stop for start, stop in shared):
            here = tuple(slice(a - part.start, b - part.start) for (a, b), part in zip(shared, box))
            there = tuple(slice(a - own.start, b - own.start) for (a, b), own in zip(shared, region.box))
            mask[here] = region.mask[there]
        return mask

    def _flags(
        self,
        organ: str,
        mean: Optional[float],
        sd: Optional[float],
        voxels: float,
        known: float,
        inside: float,
        lesion: float,
    ) -> Tuple[str, ...]:
        if mean is None or sd is None:
            return (Sentence("roi.outside-scan"),)
        flags, word = [], Sentence(f"organ.{organ}")
        if organ not in self.organs:
            flags.append(Sentence("roi.no-organ", organ=word))
        elif inside < INSIDE_SHARE:
            outside = max(1, round(100 * (1 - inside)))
            flags.append(Sentence("roi.outside-organ", percent=outside, organ=word))
        if known < INSIDE_SHARE:
            flags.append(Sentence("roi.partly-outside-scan"))
        if lesion > 1 - INSIDE_SHARE:
            flags.append(Sentence("roi.touches-lesion"))
        statistics = self.statistics(organ)
        if statistics is None:
            return tuple(flags)
        criteria = _outlier_criteria(statistics, mean, sd, voxels)
        if "noise" in criteria and statistics.noise_hu is not None:
            flags.append(Sentence("roi.noisy", sd=float(sd), noise=float(statistics.noise_hu), organ=word))
        if "mean" in criteria:
            apart = mean - statistics.cube_median_hu
            key = "roi.above-median" if apart > 0 else "roi.below-median"
            flags.append(Sentence(key, hu=float(abs(apart)), organ=word))
        return tuple(flags)

    def _organ_statistics(self, organ: OrganRegion) -> Generator[None, None, OrganStatistics]:
        hu = attenuation(self.voxels[organ.box][organ.parenchyma])
        yield
        noise = measure_noise(organ, self.voxels, self.grid)
        yield
        means = self._cube_means(organ, noise)
        spread: Optional[float] = None
        middle = hu.median_hu
        if len(means) >= SPREAD_LEAST:
            middle = float(np.median(means))
            spread = float(np.median(np.abs(means - middle))) * MAD_TO_SD
        return OrganStatistics(
            key=organ.key,
            mean_hu=hu.mean_hu,
            sd_hu=hu.sd_hu,
            median_hu=hu.median_hu,
            noise_hu=None if noise is None else noise.sd_hu,
            noise_correlation=None if noise is None else noise.correlation,
            cube_median_hu=middle,
            cube_spread_hu=spread,
            volume_ml=float(np.count_nonzero(organ.mask)) * self.grid.voxel_ml,
            touches=organ.touches,
        )

    def _cube_means(self, organ: OrganRegion, noise: Optional[Noise]) -> np.ndarray:
        """Return the means (n,) of cubes of default size and margins all over the organ, without vessels."""
        sites = self.sites(organ.key, PlacementSettings())
        limit = np.inf if noise is None else _sd_limit(noise, sites.cube_voxels)
        places, _, _ = sites.probable(sites.lattice(_SPREAD_LATTICE_MM))
        means = []
        for index in places[np.random.default_rng(0).permutation(len(places))]:
            if sites.obstacle(index) is None:
                mean, sd = sites.measure(index)
                means += [mean] if sd <= limit else []
                if len(means) == SPREAD_CUBES:
                    break
        return np.array(means)


def _finish(pieces: Generator[None, None, Any]) -> Any:
    """Do all pieces of some work at once and return its result."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def _outlier_criteria(statistics: OrganStatistics, mean: float, sd: float, voxels: float) -> Tuple[str, ...]:
    """Return "noise" if the SD (HU) of so many voxels is above what the organ's noise explains, and "mean" if
    the mean (HU) is far from the organ's median; neither where the organ is too small to tell.
    """
    found = []
    if statistics.noise_hu is not None and statistics.noise_correlation is not None:
        if sd > _sd_limit(Noise(statistics.noise_hu, statistics.noise_correlation), voxels):
            found.append("noise")
    if statistics.cube_spread_hu is not None:
        far = max(LEAST_MEAN_HU, MEAN_SPREADS * statistics.cube_spread_hu)
        if abs(mean - statistics.cube_median_hu) > far:
            found.append("mean")
    return tuple(found)


def _sd_limit(noise: Noise, voxels: float) -> float:
    """Return the SD (HU) above which so many voxels hold more than noise."""
    # The SD of n independent normal values has a standard error of SD / sqrt(2 n).
    error = np.hypot(np.sqrt(noise.correlation / (2.0 * max(voxels, 1.0))), NOISE_VARIES)
    return max(LEAST_SD_HU, float(noise.sd_hu * (1.0 + SD_ERRORS * error)))


def _within_scan(
    first: np.ndarray, weights: np.ndarray, shape: Tuple[int, ...]
) -> Tuple[Tuple[slice, slice, slice], np.ndarray]:
    """Return the part of the weights (z, y, x) that lies on voxels, and the box (z, y, x) of these."""
    box, part = [], []
    for axis in range(3):
        start, length = int(first[2 - axis]), weights.shape[axis]
        low, high = min(max(start, 0), shape[axis]), max(min(start + length, shape[axis]), 0)
        high = max(low, high)
        box.append(slice(low, high))
        part.append(slice(low - start, high - start) if high > low else slice(0, 0))
    return (box[0], box[1], box[2]), weights[tuple(part)]
