"""Agreement of grades: the table of both readers' grades and its weighted kappa. Needs statsmodels."""

from dataclasses import dataclass
from typing import Optional

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..errors import UsageError
from .agreement import CONFIDENCE, Interval, Statistic

WEIGHTS = ("linear", "quadratic")
"""What grades d steps apart on a scale of k count in a kappa: 1 - d / (k - 1), or 1 - (d / (k - 1))^2."""


@dataclass(frozen=True)
class Kappa(Statistic):
    """Weighted kappa.

    Attributes:
        value: None without cases, or where both ways give every case the same one grade: chance then agrees
            perfectly and kappa is not defined.
        standard_error, interval: for large samples; the interval is cut at -1 and 1.
        weights: one of ``WEIGHTS``.
        cases: how many cases the table holds.
    """

    value: Optional[float]
    standard_error: Optional[float]
    interval: Optional[Interval]
    weights: str
    cases: int
    confidence: float = CONFIDENCE


def confusion(first: ArrayLike, second: ArrayLike, grades: int) -> np.ndarray:
    """Return how often each pair of grades occurs, int64 (first, second).

    Args:
        first, second: grades 0 .. ``grades`` - 1 of each case.

    >>> confusion([0, 1, 1], [0, 1, 0], 2).tolist()
    [[1, 0], [1, 1]]

    Raises:
        UsageError: different lengths, or a grade that is none.
    """
    a, b = np.asarray(first, dtype=int), np.asarray(second, dtype=int)
    if a.shape != b.shape or a.ndim != 1:
        raise UsageError(f"Two grades for each case are needed, not {a.shape} and {b.shape}.")
    if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= grades):
        raise UsageError(f"Grades must lie between 0 and {grades - 1}.")
    counts = np.zeros((grades, grades), dtype=np.int64)
    np.add.at(counts, (a, b), 1)
    return counts


def weighted_kappa(counts: ArrayLike, weights: str = "linear") -> Kappa:
    """Return the weighted kappa of a confusion table (Cohen, Psychol Bull 1968;70:213-220), with the standard
    error for large samples of Fleiss, Cohen and Everitt (Psychol Bull 1969;72:323-327).

    Args:
        counts: (grades, grades), as from :func:`confusion`; two grades or more.
        weights: one of ``WEIGHTS``. All grades of the scale count in the weights, also those nobody gave.

    Raises:
        UsageError: not a square table of two or more grades, negative counts, or unknown weights.
    """
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or len(table) < 2 or (table < 0).any():
        raise UsageError(f"A square table of counts is needed, not one of shape {table.shape}.")
    if weights not in WEIGHTS:
        raise UsageError(f'Unknown weights "{weights}". Available: {", ".join(WEIGHTS)}.')
    cases = int(table.sum())
    given = np.flatnonzero(table.sum(axis=0) + table.sum(axis=1))
    if len(given) < 2:  # no cases, or one grade for all
        return Kappa(None, None, None, weights, cases)
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(all="ignore"):  # its test against zero, which we do not use, may divide by zero
        found = cohens_kappa(table, wt=weights)
    value = float(found.kappa)
    error = float(np.sqrt(max(found.var_kappa, 0.0)))  # rounding can take the variance below zero
    half_width = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    interval = Interval(max(value - half_width, -1.0), min(value + half_width, 1.0))
    return Kappa(value, error, interval, weights, cases)
