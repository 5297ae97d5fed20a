"""Regions of interest for attenuation: cubes placed in liver and spleen, away from borders, lesions and
vessels.

The rules:

1. Organ: the largest 26-connected component of the mask (the liver with its lesions).
2. Cube: 10 mm (10 to 20) along the patient's axes, however the scan lies, with its centre on the centre of a
   voxel; along an axis with thicker slices one slice. A voxel partly in it counts by that part.
3. Distances: every point of a cube is at least 5 mm from every voxel outside the organ and from every lesion
   voxel.
4. Vessels and artefacts: the SD must not exceed the organ's own noise, nor the mean be far from the organ's
   median (:class:`RoiMeter` has the limits).
5. Choice: the liver's places are divided at their medians into right and left, lower and upper; these four
   take turns. The spleen's are divided into lower and upper. Of the next 128 good places that overlap no
   other cube the 8 most even ones are looked at (a thin vessel hardly raises the SD, but makes parts of a
   cube differ), and of these the one farthest from those already taken is chosen.
6. The order of places is drawn from a seed: the same scan, mask and settings give the same cubes.

Where too few places fit, there are fewer ROIs and a warning, never ROIs that break a rule.
"""

from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional

import numpy as np

from ..measure.warnings import cut_off, each_once
from ..sentences import Sentence
from .candidates import Sites
from .roi import LIVER_KEY, ORGANS, REJECTIONS, Placement, PlacementSettings, Roi
from .roi_statistics import RoiMeter

LATTICES_MM = (3.0, 1.5, 0.75)
"""Places are sought on a lattice of the first step; where too few fit, on the next."""
MOST_PLACES = 1000000
"""A finer lattice than the first is not looked at if it has more places: an organ of that size has room."""
POOL = 128
"""So many good places are compared ..."""
EVEN = 8
"""... and the farthest of so many, the most even ones, is taken."""


def place(meter: RoiMeter, settings: Optional[PlacementSettings] = None) -> Placement:
    """Place ROIs in the liver and the spleen of a scan.

    Args:
        meter: of the scan and its mask.
        settings: how many, how large, how far from borders; the defaults of the class if not given.

    Returns:
        The ROIs, what was rejected and why, and warnings where there are fewer than asked for.

    Raises:
        NotCTError: a voxel of an organ has no finite value.
    """
    settings = settings or PlacementSettings()
    rois: List[Roi] = []
    rejected = dict.fromkeys(REJECTIONS, 0)
    warnings: List[str] = []
    for number, (organ, letter) in enumerate(ORGANS.items()):
        if organ not in meter.organs:
            warnings.append(Sentence("roi.organ-missing", organ=Sentence(f"organ.{organ}")))
            continue
        warnings += cut_off(
            "roi.organ-cut-off", meter.organs[organ].touches, organ=Sentence(f"organ.{organ}")
        )
        search = _Search(meter, organ, settings, np.random.default_rng([settings.seed, number]))
        centres = search.centres()
        for reason, found in search.rejected.items():
            rejected[reason] += found
        rois += [
            Roi(f"{letter}{n}", organ, search.sites.centre(index), search.sites.size)
            for n, index in enumerate(centres, 1)
        ]
        if len(centres) < settings.count:
            warnings.append(_too_few(organ, len(centres), settings))
    return Placement(tuple(rois), rejected, each_once(warnings), settings)


def _too_few(organ: str, found: int, settings: PlacementSettings) -> str:
    asked = {
        "organ": Sentence(f"organ.{organ}"),
        "side": settings.side_mm,
        "margin": settings.margin_mm,
        "lesion_margin": settings.lesion_margin_mm,
    }
    if not found:
        return Sentence("roi.none-fits", **asked)
    return Sentence("roi.too-few", count=found, wanted=settings.count, **asked)


@dataclass(frozen=True, eq=False)
class _Place:
    """A voxel (x, y, z) where a cube may be centred, and how uneven the cube is there (HU squared)."""

    index: np.ndarray
    unevenness: float


class _Search:
    """The search for cubes in one organ."""

    def __init__(
        self, meter: RoiMeter, organ: str, settings: PlacementSettings, random: np.random.Generator
    ) -> None:
        self.sites: Sites = meter.sites(organ, settings)
        self.rejected: Dict[str, int] = dict.fromkeys(REJECTIONS, 0)
        self._meter, self._organ, self._settings, self._random = meter, organ, settings, random
        self._chosen: List[np.ndarray] = []

    def centres(self) -> List[np.ndarray]:
        """Return voxel indices (x, y, z), as many as wanted or as there are."""
        for step_mm in LATTICES_MM:
            places = self.sites.lattice(step_mm)
            if step_mm < LATTICES_MM[0] and len(places) > MOST_PLACES:
                break
            self.rejected = dict.fromkeys(REJECTIONS, 0)
            strata = [_Stratum(self._good(part)) for part in self._strata(places)]
            turn = 0
            while strata and len(self._chosen) < self._settings.count:
                stratum = strata[turn % len(strata)]
                index = stratum.take(self._is_free, self._distance)
                if index is None:
                    strata.remove(stratum)
                    continue
                self._chosen.append(index)
                turn += 1
            if len(self._chosen) == self._settings.count:
                break
        return self._chosen

    def _strata(self, places: np.ndarray) -> List[np.ndarray]:
        """Return those of the places that may fit, shuffled, divided by region of the organ."""
        places, border, lesion = self.sites.probable(places)
        self.rejected["border"] += border
        self.rejected["lesion"] += lesion
        places = places[self._random.permutation(len(places))]
        points = self.sites.grid.points(places)
        numbers = np.zeros(len(places), dtype=int)
        for axis in (0, 2) if self._organ == LIVER_KEY else (2,):
            middle = np.median(points[:, axis]) if len(points) else 0.0
            numbers = 2 * numbers + (points[:, axis] > middle)
        parts = [places[numbers == number] for number in range(4)]
        return [part for part in parts if len(part)]

    def _good(self, places: np.ndarray) -> Iterator["_Place"]:
        """Yield the places that break no rule but perhaps that against overlap, counting those that do."""
        for index in places:
            obstacle = self.sites.obstacle(index)
            if obstacle is not None:
                self.rejected[obstacle] += 1
                continue
            mean, sd = self.sites.measure(index)
            criteria = self._meter.outlier_criteria(self._organ, mean, sd, self.sites.cube_voxels)
            if criteria:
                self.rejected[criteria[0]] += 1
            else:
                yield _Place(index, self.sites.unevenness(index))

    def _is_free(self, index: np.ndarray) -> bool:
        """Tell whether the cube at a place overlaps none that was chosen."""
        free = all(
            (np.abs(self.sites.grid.steps @ (index - other)) >= np.array(self.sites.size) - 1e-6).any()
            for other in self._chosen
        )
        self.rejected["overlap"] += not free
        return free

    def _distance(self, index: np.ndarray) -> float:
        """Return the mm from a place to the nearest that was chosen."""
        if not self._chosen:
            return 0.0
        return float(np.linalg.norm((np.array(self._chosen) - index) @ self.sites.grid.steps.T, axis=1).min())


class _Stratum:
    """Good places in one region of an organ, drawn as they are needed."""

    def __init__(self, good: Iterator[_Place]) -> None:
        self._good = good
        self._pool: List[_Place] = []

    def take(
        self, is_free: Callable[[np.ndarray], bool], distance: Callable[[np.ndarray], float]
    ) -> Optional[np.ndarray]:
        """Return the farthest of the most even of the next free places, or None if there is none left."""
        self._pool = [place for place in self._pool if is_free(place.index)]
        for found in self._good:
            if is_free(found.index):
                self._pool.append(found)
                if len(self._pool) >= POOL:
                    break
        if not self._pool:
            return None
        even = sorted(self._pool, key=lambda place: place.unevenness)[:EVEN]
        best = even[int(np.argmax([distance(place.index) for place in even]))]
        self._pool.remove(best)
        return best.index
