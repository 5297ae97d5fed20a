"""Agreement between two ways of measuring the same cases: rank tests, intraclass correlation, limits of
agreement. Grades are compared in ``kappa``.

Values are floats (n,), one entry a case, in the same order for both ways; every value must be finite.
What the data cannot tell is None, never NaN: see each function for its degenerate cases.
"""

from dataclasses import asdict, dataclass
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..errors import UsageError

CONFIDENCE = 0.95
"""Confidence of all intervals."""

LIMITS_SD = 1.96
"""Limits of agreement lie this many SD of the differences from the bias (Bland and Altman 1999; in 1986 they
wrote 2)."""

LARGEST_EXACT = 50
"""Up to this many differences the Wilcoxon test is exact."""


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Statistic:
    """What a function of this file, or of ``kappa``, finds."""

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data; an interval is its low and its high end."""
        return asdict(self)


@dataclass(frozen=True)
class RankTest(Statistic):
    """A two-sided rank test.

    Attributes:
        statistic: U of the first sample (Mann-Whitney), or the smaller sum of ranks (Wilcoxon).
        p_value: None if there is nothing to test.
        n: values per sample (Mann-Whitney), or differences that are not zero (Wilcoxon).
        exact: the p value comes from the exact distribution, not from the normal one.
    """

    statistic: Optional[float]
    p_value: Optional[float]
    n: Tuple[int, ...]
    exact: bool


@dataclass(frozen=True)
class IntraclassCorrelation(Statistic):
    """ICC(2,1): two-way random effects, absolute agreement, one reading.

    Attributes:
        value: None where neither cases nor readings differ, where there are fewer than two cases, and where
            two cases are so contradictory that the estimated total variance is not positive.
        interval: None where ``value`` is None, and where readings contradict each other so
            much (a negative value) that less than one degree of freedom is left.
        cases, raters: size of the table.
    """

    value: Optional[float]
    interval: Optional[Interval]
    cases: int
    raters: int
    confidence: float = CONFIDENCE


@dataclass(frozen=True)
class BlandAltman(Statistic):
    """Bias and limits of agreement of the differences, second minus first.

    Attributes:
        n: pairs.
        bias: mean difference; None without pairs.
        sd: standard deviation of the differences (n - 1); None with fewer than two pairs, and so is all that
            follows.
        lower, upper: bias -/+ ``multiplier`` SD.
        bias_interval, lower_interval, upper_interval: their confidence intervals.
        trend: slope of the differences against the means of the pairs: a bias that grows with the value.
        trend_p: its two-sided p value. Both None with fewer than three pairs or if all means are equal.
        within: share of the differences within the limits, 0..1.
    """

    n: int
    bias: Optional[float]
    sd: Optional[float] = None
    lower: Optional[float] = None
    upper: Optional[float] = None
    bias_interval: Optional[Interval] = None
    lower_interval: Optional[Interval] = None
    upper_interval: Optional[Interval] = None
    trend: Optional[float] = None
    trend_p: Optional[float] = None
    within: Optional[float] = None
    multiplier: float = LIMITS_SD
    confidence: float = CONFIDENCE


def mann_whitney_u(first: ArrayLike, second: ArrayLike) -> RankTest:
    """Test whether values of one sample tend to be larger than those of the other (Mann and Whitney, Ann Math
    Stat 1947;18:50-60), two-sided.

    Exact for small samples without ties, else normal with corrections for ties and continuity. The samples
    need not be paired. An empty sample has neither statistic nor p value; if all values are equal, p is 1.

    Raises:
        UsageError: a value is not finite.
    """
    a, b = _finite(first), _finite(second)
    counts = (len(a), len(b))
    if not all(counts):
        return RankTest(None, None, counts, False)
    together = np.concatenate([a, b])
    if together.min() == together.max():
        return RankTest(counts[0] * counts[1] / 2.0, 1.0, counts, False)
    exact = min(counts) <= 8 and len(np.unique(together)) == len(together)
    result = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact" if exact else "asymptotic")
    return RankTest(float(result.statistic), float(result.pvalue), counts, exact)


def wilcoxon_signed_rank(first: ArrayLike, second: ArrayLike) -> RankTest:
    """Test whether differences of pairs are symmetric about zero (Wilcoxon, Biometrics Bull 1945;1:80-83),
    two-sided.

    Differences of zero are left out, as Wilcoxon did. Exact up to ``LARGEST_EXACT`` differences without ties,
    else normal with a correction for ties. If all differences are zero, p is 1.

    Raises:
        UsageError: samples of different length, or a value is not finite.
    """
    a, b = _pairs(first, second)
    if not len(a):
        return RankTest(None, None, (0,), False)
    differences = _without_rounding(b - a, _rounding(a, b))
    differences = differences[differences != 0]
    count = len(differences)
    if not count:
        return RankTest(0.0, 1.0, (0,), True)
    exact = count <= LARGEST_EXACT and len(np.unique(np.abs(differences))) == count
    result = stats.wilcoxon(differences, method="exact" if exact else "approx")
    return RankTest(float(result.statistic), float(result.pvalue), (count,), exact)


def icc_2_1(ratings: ArrayLike) -> IntraclassCorrelation:
    """Return ICC(2,1) of a table of readings (Shrout and Fleiss, Psychol Bull 1979;86:420-428), with the
    interval that McGraw and Wong give for ICC(A,1) (Psychol Methods 1996;1:30-46).

    Cases and raters are both taken as drawn at random, and a rater who reads systematically higher lowers the
    value. It may be negative, with very few cases even below -1: readings then differ more within cases than
    between them. Readings that are the same in every case, with cases that differ, give 1, interval 1 to 1.

    Args:
        ratings: (cases, raters).

    >>> found = icc_2_1([[1.0, 1.1], [0.8, 0.8], [0.5, 0.6]])
    >>> round(found.value, 3), found.cases, found.raters
    (0.949, 3, 2)

    Raises:
        UsageError: not such a table, fewer than two raters, or a value is not finite.
    """
    table = np.asarray(ratings, dtype=float)
    if table.ndim != 2 or table.shape[1] < 2:
        raise UsageError(f"A table of cases and two or more raters is needed, not {table.shape}.")
    _finite(table.ravel())
    n, k = table.shape
    nothing = IntraclassCorrelation(None, None, n, k)
    if n < 2 or table.min() == table.max():
        return nothing
    cases, raters, rest = _mean_squares(table)
    total = cases + (k - 1) * rest + k * (raters - rest) / n
    if total <= 0:
        return nothing
    value = (cases - rest) / total
    if rest == 0.0 and raters == 0.0:
        return IntraclassCorrelation(1.0, Interval(1.0, 1.0), n, k)
    # Satterthwaite's degrees of freedom, multiplied out so that no residual variance needs no special case.
    share = n * (1 + (k - 1) * value) - k * value
    weighted = k * value * raters + share * rest
    spread = (n - 1) * (k * value * raters) ** 2 + (share * rest) ** 2
    freedom = (k - 1) * (n - 1) * weighted**2 / spread if spread > 0 else float(k - 1)
    if freedom < 1 - 1e-9:
        return IntraclassCorrelation(float(value), None, n, k)
    tail = (1 + CONFIDENCE) / 2
    below, above = stats.f.ppf(tail, n - 1, freedom), stats.f.ppf(tail, freedom, n - 1)
    other = k * raters + (k * n - k - n) * rest
    low = n * (cases - below * rest) / (below * other + n * cases)
    high = n * (above * cases - rest) / (other + n * above * cases)
    return IntraclassCorrelation(float(value), Interval(float(low), float(high)), n, k)


def bland_altman(first: ArrayLike, second: ArrayLike, *, multiplier: float = LIMITS_SD) -> BlandAltman:
    """Return bias and limits of agreement of second minus first (Bland and Altman, Lancet 1986;i:307-310).

    Intervals use Student's t and the variances s^2/n of the bias and s^2 (1/n + m^2 / (2 (n - 1))) of the
    limits, m being ``multiplier`` (Bland and Altman, Stat Methods Med Res 1999;8:135-160). The differences
    should be about normal, and should neither grow nor spread with the value: ``trend`` tells the former.

    >>> found = bland_altman([50, 40, 30], [52, 41, 33])
    >>> [round(number, 2) for number in (found.bias, found.lower, found.upper)]
    [2.0, 0.04, 3.96]

    Raises:
        UsageError: samples of different length, or a value is not finite.
    """
    a, b = _pairs(first, second)
    differences = b - a
    n = len(differences)
    if n < 2:
        bias = float(differences[0]) if n else None
        return BlandAltman(n, bias, multiplier=multiplier)
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    if sd <= _rounding(a, b):
        sd = 0.0
    lower, upper = bias - multiplier * sd, bias + multiplier * sd
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    of_bias = quantile * sd / np.sqrt(n)
    of_limit = quantile * sd * np.sqrt(1 / n + multiplier**2 / (2 * (n - 1)))
    trend, trend_p = _trend((a + b) / 2, differences if sd > 0 else np.full(n, bias))
    within = float(np.mean((differences >= lower) & (differences <= upper))) if sd > 0 else 1.0
    return BlandAltman(
        n=n,
        bias=bias,
        sd=sd,
        lower=lower,
        upper=upper,
        bias_interval=_around(bias, of_bias),
        lower_interval=_around(lower, of_limit),
        upper_interval=_around(upper, of_limit),
        trend=trend,
        trend_p=trend_p,
        within=within,
        multiplier=multiplier,
    )


def _mean_squares(table: np.ndarray) -> Tuple[float, float, float]:
    """Mean squares between cases, between raters and of the rest, rounding error taken out."""
    n, k = table.shape
    grand = table.mean()
    of_cases, of_raters = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_cases[:, None] - of_raters[None, :] + grand
    scale = np.abs(table).max()

    def exact(square: float) -> float:
        return 0.0 if square < (1e-12 * scale) ** 2 else float(square)

    return (
        exact(k * ((of_cases - grand) ** 2).sum() / (n - 1)),
        exact(n * ((of_raters - grand) ** 2).sum() / (k - 1)),
        exact((rest**2).sum() / ((n - 1) * (k - 1))),
    )


def _trend(means: np.ndarray, differences: np.ndarray) -> Tuple[Optional[float], Optional[float]]:
    """Slope and two-sided p value of the regression line of two arrays (n,); None where there is none."""
    if len(means) < 3 or np.ptp(means) == 0:
        return None, None
    if np.ptp(differences) == 0:
        return 0.0, 1.0
    line = stats.linregress(means, differences)
    return float(line.slope), float(line.pvalue)


def _around(value: float, half_width: float) -> Interval:
    return Interval(float(value - half_width), float(value + half_width))


def _rounding(a: np.ndarray, b: np.ndarray) -> float:
    """What computing with these values may lose to rounding; 0.3 - 0.1 and 0.2 differ by less."""
    return 1e-12 * float(max(np.abs(a).max(), np.abs(b).max()))


def _without_rounding(differences: np.ndarray, step: float) -> np.ndarray:
    """Differences in whole steps, so that ties and zeros are found."""
    return np.round(differences / step) if step > 0 else differences


def _finite(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise UsageError("Only finite numbers, one a case, can be compared.")
    return array


def _pairs(first: ArrayLike, second: ArrayLike) -> Tuple[np.ndarray, np.ndarray]:
    a, b = _finite(first), _finite(second)
    if len(a) != len(b):
        raise UsageError(f"Pairs of values are needed, not {len(a)} and {len(b)}.")
    return a, b
