"""Two livers of one patient brought together: rigid, affine, then B-splines inside and around the liver.

Rigid and affine steps follow the liver's surface, whatever the contrast phase, by mean squares of two
pictures that fall evenly outside the liver. The B-splines follow surface and vessels together, by mutual
information (Mattes et al., IEEE Trans Med Imaging 2003;22:120-128, doi:10.1109/TMI.2003.809072), which holds
across phases; tumors are blank, so that their growth pulls at nothing. Everything runs in one thread and one
piece of work with a fixed seed: the same two scans always give the same result, to the last bit.
"""

from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..errors import CancelledError
from ..images.grid import Grid
from .deformation import Deformation
from .livers import RAMP_DEPTH, LiverView
from .quality import Quality

SHRINK = 4
"""Rigid and affine steps look at every fourth voxel of the working grid: 12 mm."""
SAMPLES = 12_000
"""So many places are compared at each step of the B-splines."""
MOST_SHARE = 0.15
"""... but no larger part of a small picture."""
BINS = 40
MESH_MM = 50.0
"""Distance of the B-splines' control points, mm: breathing bends a liver over such distances."""
ITERATIONS = 25
SEED = 1
FIELD_MM = 5.0
"""Edge of the voxels of the deformation that is kept, mm."""
STARTS_MM = (0.0, -30.0, 30.0, -60.0, 60.0)
"""Where a scan cuts the liver, its center says little: shifts towards superior that are tried first."""
BAND = 0.95 * RAMP_DEPTH
COMMON_SHARE = 0.5
"""A start counts where both scans see this part of the liver."""

Check = Callable[[], None]
Tell = Callable[[float], None]


@dataclass(frozen=True)
class Registration:
    """How one scan lies upon the reference.

    Attributes:
        deformation: from places of the reference to those of the other scan.
        quality: how well that fits.
    """

    deformation: Deformation
    quality: Quality


def same_scan(view: LiverView) -> Registration:
    """Return the registration of a scan with itself."""
    grid = view.grid.axis_aligned(FIELD_MM, most=512)
    return Registration(Deformation.none(grid), Quality(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, True))


def register(
    fixed: LiverView,
    moving: LiverView,
    *,
    tell: Tell = lambda share: None,
    check: Check = lambda: None,
) -> Registration:
    """Bring two livers together.

    Args:
        fixed: the reference.
        moving: the other one.
        tell: called with the share that is done, 0 to 1.
        check: called at each step; may raise CancelledError.

    Raises:
        CancelledError: ``check`` said so.
    """
    pair = _Pair(fixed, moving, tell, check)
    rigid = pair.rigid()
    affine = pair.affine(rigid)
    splines = pair.splines(affine)
    overlaps = [pair.overlap(found) for found in (rigid, affine, splines)]
    field = fixed.grid.axis_aligned(FIELD_MM, most=512)
    liver = pair.on(field)
    bent = Deformation.of(splines, field)
    folded = 100.0 * float((bent.volume_change()[liver] <= 0).mean())
    is_better = overlaps[2] >= overlaps[1] and not folded
    found = bent if is_better else Deformation.of(affine, field)
    changes = found.volume_change()[liver]
    low, high = (float(value) for value in np.percentile(changes, (1, 99)))
    texture = pair.texture(splines if is_better else affine)
    tell(1.0)
    return Registration(
        found,
        Quality(
            overlaps[0], overlaps[1], overlaps[2 if is_better else 1], texture, low, high, folded, is_better
        ),
    )


class _Pair:
    """The pictures of both livers as SimpleITK takes them, and the three steps."""

    def __init__(self, fixed: LiverView, moving: LiverView, tell: Tell, check: Check) -> None:
        self._fixed, self._moving, self._tell, self._check = fixed, moving, tell, check
        self._pictures = [view.grid.image(view.picture) for view in (fixed, moving)]
        near = fixed.seen & (fixed.picture > -BAND)
        self._masks = [
            fixed.grid.image(near.astype(np.uint8)),
            moving.grid.image(moving.seen.astype(np.uint8)),
        ]

    def rigid(self) -> sitk.Transform:
        """Turned and shifted."""
        starts = STARTS_MM if self._fixed.truncated or self._moving.truncated else STARTS_MM[:1]
        found = []
        for shift in starts:
            start = sitk.Euler3DTransform()
            start.SetCenter(self._fixed.centre.tolist())
            start.SetTranslation((self._moving.centre - self._fixed.centre + (0.0, 0.0, shift)).tolist())
            found.append(start)
        best = max(found, key=self.overlap)
        return self._linear(best, 0.0, 0.15)

    def affine(self, rigid: sitk.Transform) -> sitk.Transform:
        """Stretched and sheared as well."""
        start = sitk.AffineTransform(3)
        turned = sitk.Euler3DTransform(rigid)
        start.SetCenter(turned.GetCenter())
        start.SetMatrix(turned.GetMatrix())
        start.SetTranslation(turned.GetTranslation())
        found = self._linear(start, 0.15, 0.3)
        return found if self.overlap(found) >= self.overlap(rigid) else start

    def splines(self, affine: sitk.Transform) -> sitk.Transform:
        """Bent as well."""
        grid = self._fixed.grid
        mesh = [max(1, int(round(count * step / MESH_MM))) for count, step in zip(grid.size, grid.spacing)]
        start = sitk.BSplineTransformInitializer(self._pictures[0], mesh, 3)
        method = self._method(1)
        method.SetMetricAsMattesMutualInformation(BINS)
        share = min(MOST_SHARE, SAMPLES / self._fixed.picture.size)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, SEED)
        method.SetMovingInitialTransform(affine)
        method.SetOptimizerAsLBFGSB(1e-4, ITERATIONS, 5, 4 * ITERATIONS, 1e7)
        method.SetInitialTransform(start, inPlace=True)
        self._run(method, 0.3, 1.0)
        return sitk.CompositeTransform([affine, start])

    def _linear(self, start: sitk.Transform, begin: float, end: float) -> sitk.Transform:
        found = type(start)(start)
        method = self._method(SHRINK)
        method.SetMetricAsMeanSquares()
        method.SetOptimizerAsConjugateGradientLineSearch(1.0, 60, 1e-5, 10, 0.0, 5.0, 0.01, 12)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(found, inPlace=True)
        self._run(method, begin, end)
        return found

    def _method(self, shrink: int) -> sitk.ImageRegistrationMethod:
        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)
        # Without this, Mattes' metric adds up pieces of the picture in whichever order they end.
        method.SetNumberOfWorkUnits(1)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetMetricFixedMask(self._masks[0])
        method.SetMetricMovingMask(self._masks[1])
        method.SetShrinkFactorsPerLevel([shrink])
        method.SetSmoothingSigmasPerLevel([shrink / 2 if shrink > 1 else 0])
        return method

    def _run(self, method: sitk.ImageRegistrationMethod, begin: float, end: float) -> None:
        """Run a step; SimpleITK passes on no exception of its callbacks, so a wish to stop waits outside."""
        stopped: List[CancelledError] = []
        steps = [0]

        def after_step() -> None:
            steps[0] += 1
            try:
                self._check()
                self._tell(begin + (end - begin) * min(1.0, steps[0] / ITERATIONS))
            except CancelledError as error:
                stopped.append(error)
                method.StopRegistration()

        self._check()
        method.AddCommand(sitk.sitkIterationEvent, after_step)
        try:
            method.Execute(*self._pictures)
        except RuntimeError:
            # ITK gives up where too few places map into the other scan: the start stays, and its
            # overlap, which is measured, says the rest.
            self._check()
        if stopped:
            raise stopped[0]

    # ---- how well it fits

    def overlap(self, transform: sitk.Transform) -> float:
        """Dice of both livers where both scans see; 0 if that is less than half of the smaller liver."""
        moved, both = self._moved(transform)
        own, other = self._fixed.liver & both, moved & both
        total = int(own.sum()) + int(other.sum())
        least = COMMON_SHARE * min(int(self._fixed.liver.sum()), int(self._moving.liver.sum()))
        if total < 2 * least:
            return 0.0
        return 2.0 * int((own & other).sum()) / total

    def texture(self, transform: sitk.Transform) -> Optional[float]:
        """Correlation of both pictures deep in both livers; None where that is nowhere."""
        moved, both = self._moved(transform)
        deep = ndimage.binary_erosion(self._fixed.liver & moved & both, iterations=3)
        picture = self._resampled(self._moving.picture, transform, sitk.sitkLinear)
        own, other = self._fixed.picture[deep], picture[deep]
        if len(own) < 100 or own.std() < 1e-6 or other.std() < 1e-6:
            return None
        return float(np.corrcoef(own, other)[0, 1])

    def on(self, grid: Grid) -> np.ndarray:
        """The reference's liver, bool (z, y, x), on another grid."""
        image = self._fixed.grid.image(self._fixed.liver.astype(np.uint8))
        moved = sitk.Resample(
            image, grid.size, sitk.Transform(), sitk.sitkNearestNeighbor, grid.origin, grid.spacing,
            grid.direction, 0,
        )  # fmt: skip
        return sitk.GetArrayFromImage(moved) > 0

    def _moved(self, transform: sitk.Transform) -> Tuple[np.ndarray, np.ndarray]:
        """The other liver upon the reference, and where both scans see."""
        liver = self._resampled(self._moving.liver.astype(np.float32), transform, sitk.sitkLinear) >= 0.5
        seen = self._resampled(self._moving.seen.astype(np.uint8), transform, sitk.sitkNearestNeighbor) > 0
        return liver, seen & self._fixed.seen

    def _resampled(self, array: np.ndarray, transform: sitk.Transform, interpolator: int) -> np.ndarray:
        grid = self._fixed.grid
        moved = sitk.Resample(
            self._moving.grid.image(array), grid.size, transform, interpolator, grid.origin, grid.spacing,
            grid.direction, 0.0,
        )  # fmt: skip
        return sitk.GetArrayFromImage(moved)
