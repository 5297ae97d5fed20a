"""A second look at each lesion that a network draws: how likely it is one, by its size, certainty, contrast,
shape and place.

Networks that learnt tumors from few patients also draw vessels, the hilum and partial volume as tumors. A
logistic regression on a few plain features, fitted on drawn lesions that a reference confirms or does not
(``Testing/Benchmarks/second_look.py``), tells most of them; its weights stand in the model's manifest.
"""

from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import Grid, bounding_box
from ..labels import LIVER, TUMOUR
from ..masks.components import Box, box_within, connected_components, widened

# LiverSegLib.models.second_look has these names too, for a manifest is checked when it is read.
FEATURES = ("log_volume", "probability", "peak", "contrast", "brighter", "border", "elongation")
"""Natural logarithm of the volume in ml; mean and 95th percentile of the network's probability; absolute
difference of the mean attenuation from the liver's median, in tens of HU; 1 where it is denser than the
liver; share of the voxels around it that are outside the liver; natural logarithm of the ratio of its
standard deviations along its longest axis and across."""
PEAK_PERCENT = 95.0
HU_PER_CONTRAST = 10.0

Weights = Mapping[str, Tuple[float, float, float]]
"""Feature -> its mean and standard deviation over the lesions of the fit, and its weight."""


@dataclass(frozen=True)
class Candidate:
    """A lesion that a network drew: its box in the scan, its bool mask (z, y, x) there, its features."""

    box: Box
    mask: np.ndarray
    features: Mapping[str, float]


def candidates(
    labels: sitk.Image, scan: sitk.Image, probability: np.ndarray, check: Optional[Callable[[], None]] = None
) -> List[Candidate]:
    """Every lesion of a mask with its features.

    Args:
        labels: the mask, uint8, values as in :mod:`LiverSegLib.labels`.
        scan: on the same grid, in HU.
        probability: uint8 (z, y, x): 255 times the network's probability of each voxel's label.
        check: called between lesions; may raise to cancel.
    """
    mask, values = sitk.GetArrayViewFromImage(labels), sitk.GetArrayViewFromImage(scan)
    tumour = mask == TUMOUR
    box = bounding_box(tumour)
    if box is None:
        return []
    grid = Grid.of(labels)
    liver_box = bounding_box(mask == LIVER)
    liver = None if liver_box is None else values[liver_box][mask[liver_box] == LIVER]
    liver_hu = 0.0 if liver is None else float(np.median(liver))
    numbers, _ = connected_components(tumour[box])
    found = []
    for number, inner in enumerate(ndimage.find_objects(numbers), start=1):
        if check is not None:
            check()
        place = box_within(box, inner)
        piece = numbers[inner] == number
        features = _features(piece, place, mask, values, probability, grid, liver_hu)
        found.append(Candidate(place, piece, features))
    return found


def likelihood(features: Mapping[str, float], weights: Weights, bias: float) -> float:
    """How likely a lesion is one, 0..1, by logistic regression.

    Args:
        features: of the lesion.
        weights: of the features that count.
        bias: the sum where every feature has its mean.
    """
    total = bias
    for name, (mean, deviation, weight) in weights.items():
        total += weight * (features[name] - mean) / deviation
    return float(1 / (1 + np.exp(-np.clip(total, -50, 50))))


def _features(
    piece: np.ndarray,
    box: Box,
    mask: np.ndarray,
    values: np.ndarray,
    probability: np.ndarray,
    grid: Grid,
    liver_hu: float,
) -> Dict[str, float]:
    """Features of a lesion: its bool mask in its box; mask, HU and probability (z, y, x) are the scan's."""
    certain = probability[box][piece] / 255.0
    difference = float(values[box][piece].mean(dtype=np.float64)) - liver_hu
    return {
        "log_volume": float(np.log(np.count_nonzero(piece) * grid.voxel_ml)),
        "probability": float(certain.mean()),
        "peak": float(np.percentile(certain, PEAK_PERCENT)),
        "contrast": abs(difference) / HU_PER_CONTRAST,
        "brighter": float(difference > 0),
        "border": _outside_share(piece, box, mask),
        "elongation": _elongation(piece, grid),
    }


def _outside_share(piece: np.ndarray, box: Box, mask: np.ndarray) -> float:
    """Share of the voxels that touch the lesion by a face and are neither liver nor tumour."""
    wide, within = widened(box, piece, (1, 1, 1), mask.shape)
    around = ndimage.binary_dilation(within) & ~within
    beside = mask[wide][around]
    return float(np.mean((beside != LIVER) & (beside != TUMOUR))) if beside.size else 0.0


def _elongation(piece: np.ndarray, grid: Grid) -> float:
    """Logarithm of the ratio of the standard deviations along the longest axis and the next one, in mm."""
    steps = np.asarray(grid.spacing[::-1])
    points = np.argwhere(piece) * steps
    points -= points.mean(0)
    spread = points.T @ points / len(points) + np.diag(steps**2) / 12  # a voxel has a size of its own
    lengths = np.sqrt(np.linalg.eigvalsh(spread))
    return float(np.log(lengths[-1] / lengths[-2]))
