"""Paired comparison of two ways on the same cases: differences, a bootstrap interval, an exact signed-rank
test, effect size, and Holm's correction for many tests.

Values are floats (n,), one entry a case, in the same order for both ways. Differences are second minus first,
turned so that a positive one means that the second is better.
"""

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..errors import UsageError
from .agreement import Interval

CONFIDENCE = 0.95
RESAMPLES = 9999
SEED = 20231
"""The bootstrap draws so many times, from this seed: the same cases give the same interval."""

LARGEST_EXACT = 50
"""Up to this many differences the signed-rank test is exact, with ties too; beyond, it is normal."""

ROUNDING = 1e-9
"""Differences smaller than this part of the largest value are ties: what the files round away."""


@dataclass(frozen=True)
class SignedRankTest:
    """Wilcoxon's signed-rank test, two-sided (Biometrics Bull 1945;1:80-83).

    Attributes:
        positive, negative: sums of the ranks of positive and of negative differences.
        n: differences that are not zero; zeros are left out, as Wilcoxon did.
        p_value: 1 if all differences are zero; None without pairs.
        exact: from the distribution over all signs, else from the normal one.
        rank_biserial: (positive - negative) / (positive + negative), -1..1 (Kerby, Compr Psychol 2014;3:1):
            0 without differences.
    """

    positive: float
    negative: float
    n: int
    p_value: Optional[float]
    exact: bool
    rank_biserial: float


@dataclass(frozen=True)
class Paired:
    """Two ways compared by one number.

    Attributes:
        n: pairs.
        first_mean, second_mean: of the values as they are.
        mean, median: of the differences.
        interval: of the mean difference, bootstrap percentiles; None with fewer than two pairs.
        test: the signed-rank test.
        wins, ties, losses: cases in which the second is better, equal, worse.
    """

    n: int
    first_mean: float
    second_mean: float
    mean: float
    median: float
    interval: Optional[Interval]
    test: SignedRankTest
    wins: int
    ties: int
    losses: int

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        return asdict(self)


def compare_pairs(first: ArrayLike, second: ArrayLike, *, higher_is_better: bool = True) -> Paired:
    """Compare two ways on the same cases, at least one.

    The order of the cases does not change the result.

    Raises:
        UsageError: samples of different length, empty, or a value is not finite.

    >>> found = compare_pairs([0.90, 0.91, 0.92], [0.95, 0.93, 0.95])
    >>> found.wins, round(found.test.p_value, 2), found.test.rank_biserial
    (3, 0.25, 1.0)
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise UsageError(f"Pairs of values are needed, not {a.shape} and {b.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("Only finite numbers, one a case, can be compared.")
    step = ROUNDING * max(float(np.abs(a).max()), float(np.abs(b).max()))
    differences = np.sort((b - a) if higher_is_better else (a - b))
    differences[np.abs(differences) <= step] = 0.0
    return Paired(
        n=len(a),
        first_mean=float(np.sort(a).mean()),
        second_mean=float(np.sort(b).mean()),
        mean=float(differences.mean()),
        median=float(np.median(differences)),
        interval=_bootstrap(differences),
        test=signed_rank_test(differences, step),
        wins=int(np.count_nonzero(differences > 0)),
        ties=int(np.count_nonzero(differences == 0)),
        losses=int(np.count_nonzero(differences < 0)),
    )


def signed_rank_test(differences: np.ndarray, rounding: float = 0.0) -> SignedRankTest:
    """Test whether differences (n,) are symmetric about zero, exactly for few, ties included.

    scipy's exact distribution knows no ties; here it is counted over all signs of the ranks as they are.

    Args:
        rounding: differences whose sizes are closer than this are ties.
    """
    if not len(differences):
        return SignedRankTest(0.0, 0.0, 0, None, True, 0.0)
    found = differences[differences != 0]
    if not len(found):
        return SignedRankTest(0.0, 0.0, 0, 1.0, True, 0.0)
    sizes = np.abs(found)
    ranks = stats.rankdata(np.round(sizes / rounding) if rounding > 0 else sizes)
    positive, total = float(ranks[found > 0].sum()), float(ranks.sum())
    negative = total - positive
    exact = len(found) <= LARGEST_EXACT
    p = _exact_p(ranks, min(positive, negative)) if exact else _normal_p(ranks, min(positive, negative))
    return SignedRankTest(positive, negative, len(found), p, exact, (positive - negative) / total)


def holm(p_values: Sequence[Optional[float]]) -> List[Optional[float]]:
    """Return p values corrected for their number (Holm, Scand J Stat 1979;6:65-70); None stays None and does
    not count.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: List[Optional[float]] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected


def smallest_p(n: int) -> float:
    """Return the smallest p value that the exact test can give for n differences: all of one sign."""
    return min(1.0, 2.0 ** (1 - n))


def _exact_p(ranks: np.ndarray, smaller: float) -> float:
    """Share of all signs of the ranks (n,) whose smaller sum is at most this."""
    doubled = np.rint(2 * ranks).astype(int)  # ties make halves
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] = ways[rank:] + ways[:-rank]
    tail = ways[: round(2 * smaller) + 1].sum() / ways.sum()
    return float(min(1.0, 2 * tail))


def _normal_p(ranks: np.ndarray, smaller: float) -> float:
    spread = float(np.sqrt((ranks**2).sum() / 4))
    return float(min(1.0, 2 * stats.norm.cdf((smaller - ranks.sum() / 2) / spread)))


def _bootstrap(differences: np.ndarray) -> Optional[Interval]:
    """The interval of the mean of differences (n,), sorted, so that their order in a file does not matter."""
    if len(differences) < 2:
        return None
    if np.ptp(differences) == 0:
        return Interval(float(differences[0]), float(differences[0]))
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(SEED),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))
