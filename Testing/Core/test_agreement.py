"""Agreement statistics against published worked examples, and what they say where the data say nothing."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegLib.errors import UsageError
from LiverSegLib.evaluation import kappa
from LiverSegLib.evaluation.agreement import (
    Interval,
    bland_altman,
    icc_2_1,
    mann_whitney_u,
    wilcoxon_signed_rank,
)
from LiverSegLib.evaluation.kappa import confusion

# Shrout and Fleiss, Psychol Bull 1979;86:420-428, table 2: six targets, four judges
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

# Bland and Altman, Lancet 1986;i:307-310, table: peak expiratory flow (l/min), first readings
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI_WRIGHT = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]

# Hollander and Wolfe, Nonparametric Statistical Methods, 1973, p. 69: permeability of the chorioamnion
PERMEABILITY = (
    [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46],
    [1.15, 0.88, 0.90, 0.74, 1.21],
)

# the same, p. 29: depression scores before and after a tranquilliser
DEPRESSION = (
    [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30],
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29],
)

# Darwin's maize, as in Fisher, The Design of Experiments, 1935: crossed minus self-fertilised, 1/8 inch
MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

# SAS/STAT User's Guide, PROC FREQ, "Agreement Study": two dermatologists
SKIN = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]

# Agresti, Categorical Data Analysis, 1990, and the R package vcd (SexualFun): wives and husbands
COUPLES = [[7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]]

values = st.lists(st.floats(-100, 300), min_size=0, max_size=30)
pairs = st.lists(st.tuples(st.floats(-100, 300), st.floats(-100, 300)), min_size=0, max_size=30)
tables = st.lists(st.integers(0, 9), min_size=16, max_size=16).map(lambda n: np.reshape(n, (4, 4)))


def weighted_kappa(*arguments):
    pytest.importorskip("statsmodels")  # of the extra, which 3D Slicer's versions are tested without
    return kappa.weighted_kappa(*arguments)


# --- published examples ------------------------------------------------------------------------------------


def test_icc_is_that_of_shrout_and_fleiss():
    result = icc_2_1(SHROUT_FLEISS)
    assert round(result.value, 2) == 0.29
    assert result.cases == 6 and result.raters == 4
    # limits as the R packages psych and DescTools print them for this table
    assert result.interval == pytest.approx((0.019, 0.761), abs=5e-4)


def test_limits_of_agreement_are_those_of_bland_and_altman_1986():
    result = bland_altman(MINI_WRIGHT, WRIGHT, multiplier=2.0)
    assert round(result.bias, 1) == -2.1 and round(result.sd, 1) == 38.8
    # they compute with the rounded SD
    assert (result.lower, result.upper) == pytest.approx((-79.7, 75.5), abs=0.1)
    assert result.bias_interval == pytest.approx((-22.0, 17.8), abs=0.05)
    # they take sqrt(3 s^2 / n) for the standard error of a limit, two per cent less than the later formula
    assert result.lower_interval == pytest.approx((-114.3, -45.1), abs=0.9)
    assert result.upper_interval == pytest.approx((40.9, 110.1), abs=0.9)
    usual = bland_altman(MINI_WRIGHT, WRIGHT)
    assert (usual.lower, usual.upper) == pytest.approx((-78.1, 73.9), abs=0.05)
    assert usual.within == pytest.approx(16 / 17)


def test_mann_whitney_is_that_of_hollander_and_wolfe():
    result = mann_whitney_u(*PERMEABILITY)
    assert result.exact and result.statistic == 35
    assert result.p_value == pytest.approx(2 * 0.1272, abs=1e-4)


def test_wilcoxon_is_that_of_hollander_and_wolfe():
    result = wilcoxon_signed_rank(*DEPRESSION)
    assert result.exact and result.n == (9,)
    assert result.statistic == 5  # the other sum of ranks is 40
    assert result.p_value == pytest.approx(2 * 0.01953, abs=1e-5)


def test_wilcoxon_on_darwins_maize():
    result = wilcoxon_signed_rank(np.zeros(15), MAIZE)
    assert result.statistic == 24
    assert result.p_value == pytest.approx(0.0413, abs=5e-5)


def test_linear_kappa_is_that_of_the_sas_guide():
    result = weighted_kappa(SKIN)
    assert result.value == pytest.approx(0.5082, abs=5e-5)
    assert result.standard_error == pytest.approx(0.0655, abs=5e-5)
    assert result.interval == pytest.approx((0.3798, 0.6366), abs=5e-5)
    assert result.cases == 88


def test_linear_kappa_is_that_of_the_vcd_package():
    result = weighted_kappa(COUPLES)
    assert result.value == pytest.approx(0.2374, abs=5e-5)
    assert result.standard_error == pytest.approx(0.0783, abs=5e-5)


def test_kappa_of_two_grades_is_cohens():
    # Cohen's kappa of a 2 x 2 table in closed form: 2 (ad - bc) / ((a+b)(b+d) + (a+c)(c+d))
    a, b, c, d = 20, 5, 10, 15
    expected = 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))
    for weights in ("linear", "quadratic"):
        assert weighted_kappa([[a, b], [c, d]], weights).value == pytest.approx(expected)


def test_quadratic_kappa_is_the_icc_of_many_cases():
    # Fleiss and Cohen, Educ Psychol Meas 1973;33:613-619: equal up to terms of order 1/n
    counts = np.asarray(SKIN) * 1000
    grades = np.repeat(np.stack(np.indices((4, 4)), -1).reshape(-1, 2), counts.ravel(), axis=0)
    assert weighted_kappa(counts, "quadratic").value == pytest.approx(icc_2_1(grades).value, abs=1e-4)


# --- where the data say nothing ----------------------------------------------------------------------------


def test_no_pairs_give_no_numbers():
    assert mann_whitney_u([], []).p_value is None and mann_whitney_u([], [1.0]).statistic is None
    assert wilcoxon_signed_rank([], []).p_value is None
    assert bland_altman([], []).bias is None
    assert icc_2_1(np.empty((0, 2))).value is None
    assert weighted_kappa(confusion([], [], 4)).value is None


def test_one_pair_has_a_bias_and_nothing_else():
    result = bland_altman([1.0], [1.5])
    assert result.bias == 0.5 and result.sd is None and result.lower is None and result.trend is None
    assert icc_2_1([[1.0, 1.5]]).value is None
    assert wilcoxon_signed_rank([1.0], [1.5]).p_value == 1.0


def test_equal_readings_agree_perfectly():
    x = [1.1, 0.7, 0.3, 0.9]
    assert icc_2_1(np.stack([x, x], 1)).value == 1.0
    assert icc_2_1(np.stack([x, x], 1)).interval == Interval(1.0, 1.0)
    assert wilcoxon_signed_rank(x, x).p_value == 1.0
    assert mann_whitney_u(x, x).p_value == 1.0
    result = bland_altman(x, x)
    assert (result.bias, result.sd, result.lower, result.upper, result.within) == (0, 0, 0, 0, 1)
    assert (result.trend, result.trend_p) == (0.0, 1.0)
    assert weighted_kappa(confusion([0, 1, 2, 3], [0, 1, 2, 3], 4)).value == 1.0


def test_readings_without_any_spread_have_no_icc():
    assert icc_2_1(np.full((5, 2), 0.9)).value is None
    assert icc_2_1([[0, 1], [1, 0]]).value is None
    assert bland_altman([0.9] * 5, [0.9] * 5).trend is None
    assert mann_whitney_u([0.9] * 9, [0.9] * 9).p_value == 1.0


def test_a_constant_offset_lowers_the_icc_and_is_the_bias():
    x = np.array([1.2, 0.8, 1.0, 0.5, 0.9])
    result = icc_2_1(np.stack([x, x + 0.3], 1))
    assert 0 < result.value < 1 and result.interval.low < result.value < result.interval.high
    differences = bland_altman(x, x + 0.3)
    assert differences.bias == pytest.approx(0.3) and differences.sd == pytest.approx(0.0, abs=1e-9)
    assert not wilcoxon_signed_rank(x, x + 0.3).exact  # the differences are tied, but for rounding


def test_readings_that_contradict_each_other_have_a_negative_icc_and_no_interval():
    with np.errstate(all="raise"):
        result = icc_2_1([[2.0, 188.5], [-2.0, 192.2], [-4.0, 195.0]])
    assert result.value < 0 and result.interval is None


def test_one_grade_for_all_has_no_kappa():
    result = weighted_kappa(confusion([0] * 7, [0] * 7, 4))
    assert result.value is None and result.interval is None and result.cases == 7


def test_a_rater_who_always_says_the_same_has_kappa_zero():
    assert weighted_kappa(confusion([0, 1, 2, 3], [1, 1, 1, 1], 4)).value == pytest.approx(0.0)


def test_opposite_grades_have_a_negative_kappa():
    result = weighted_kappa(confusion([0, 3, 0, 3], [3, 0, 3, 0], 4), "quadratic")
    assert result.value == -1.0 and result.interval.low == -1.0


def test_a_bias_that_grows_is_a_trend():
    x = np.linspace(0.3, 1.4, 20)
    assert bland_altman(x, 1.2 * x).trend == pytest.approx(0.2 / 1.1)
    assert bland_altman(x, 1.2 * x).trend_p < 1e-9


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    for test in (mann_whitney_u, wilcoxon_signed_rank, bland_altman):
        with pytest.raises(UsageError, match="finite"):
            test([1.0, bad], [1.0, 2.0])
    with pytest.raises(UsageError, match="finite"):
        icc_2_1([[1.0, bad], [1.0, 2.0]])


def test_pairs_must_be_pairs_and_tables_tables():
    with pytest.raises(UsageError, match="Pairs"):
        bland_altman([1.0], [1.0, 2.0])
    with pytest.raises(UsageError, match="two or more raters"):
        icc_2_1([[1.0], [2.0]])
    with pytest.raises(UsageError, match="square"):
        weighted_kappa([[1, 2, 3], [1, 2, 3]])
    with pytest.raises(UsageError, match="Available: linear, quadratic"):
        weighted_kappa([[1, 2], [1, 2]], "cubic")
    with pytest.raises(UsageError, match="between 0 and 3"):
        confusion([4], [0], 4)
    with pytest.raises(UsageError, match="Two grades"):
        confusion([1, 2], [0], 4)


# --- laws --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(values, values)
def test_mann_whitney_does_not_care_which_comes_first(a, b):
    one, other = mann_whitney_u(a, b), mann_whitney_u(b, a)
    if a and b:
        assert one.statistic + other.statistic == pytest.approx(len(a) * len(b))
        assert one.p_value == pytest.approx(other.p_value) and 0 <= one.p_value <= 1


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_every_result_is_plain_json(pairs):
    a, b = ([pair[way] for pair in pairs] for way in (0, 1))
    results = [mann_whitney_u(a, b), wilcoxon_signed_rank(a, b), bland_altman(a, b)]
    results.append(icc_2_1(np.asarray(pairs).reshape(-1, 2)))
    for result in results:
        json.dumps(result.to_dict(), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from(["linear", "quadratic"]))
def test_kappa_is_symmetric_and_lies_within_its_interval(table, weights):
    result, turned = weighted_kappa(table, weights), weighted_kappa(table.T, weights)
    json.dumps(result.to_dict(), allow_nan=False)
    assert (result.value is None) == (turned.value is None)
    if result.value is not None:
        assert result.value == pytest.approx(turned.value) and -1 <= result.value <= 1
        assert result.interval.low <= result.value <= result.interval.high


@settings(max_examples=60, deadline=None)
@given(pairs.filter(lambda pairs: len(pairs) >= 2), st.floats(-50, 50))
def test_icc_does_not_change_with_a_common_offset(pairs, offset):
    table = np.round(np.asarray(pairs), 3)
    one, other = icc_2_1(table), icc_2_1(table + offset)
    if one.value is not None and np.ptp(table) > 0.1:
        assert one.value == pytest.approx(other.value, abs=1e-4)
        assert one.value <= 1
        assert one.interval is None or one.interval.low - 1e-9 <= one.value <= one.interval.high + 1e-9
