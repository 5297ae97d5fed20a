"""The liver/spleen ratio of ROIs, and how certain it is."""

from typing import Optional, Sequence, Tuple

import numpy as np
from scipy import special

DRAWS = 4000
"""Bootstrap samples of the interval."""
LEAST_FOR_INTERVAL = 3
"""Fewer ROIs in an organ give no interval."""


def pair_ratios(liver_means: np.ndarray, spleen_means: np.ndarray) -> np.ndarray:
    """Return liver / spleen of each pair of ROI means (HU), (n, m); NaN where the spleen's is <= 0."""
    spleen = np.where(spleen_means > 0, spleen_means, np.nan)
    return liver_means[:, None] / spleen[None, :]


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
    variances = [np.var(v, ddof=1) / len(v) / np.mean(v) ** 2 for v in (liver_means, 1.0 / spleen_means)]
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
