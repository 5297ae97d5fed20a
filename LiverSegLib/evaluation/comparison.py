"""Two tables of fatty-liver readings, manual and automatic, compared case by case."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError
from ..steatosis.assessment import GRADES, CutOffs
from .agreement import (
    BlandAltman,
    IntraclassCorrelation,
    RankTest,
    bland_altman,
    icc_2_1,
    mann_whitney_u,
    wilcoxon_signed_rank,
)
from .kappa import WEIGHTS, Kappa, confusion, weighted_kappa
from .readings import GRADE, QUANTITIES, Quantity, Readings

FEW_CASES = 10
"""With fewer pairs than this the results say next to nothing, and a warning says so."""

TREND_P = 0.05
"""Below this p value a trend of the differences is pointed out."""

NAMED = 8
"""At most so many cases are named in a sentence."""


@dataclass(frozen=True)
class Summary:
    """One way's values of a quantity: mean, SD (n - 1; None for one case) and median."""

    mean: float
    sd: Optional[float]
    median: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Summary":
        """Summarise values (n,), at least one."""
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        return cls(float(values.mean()), sd, float(np.median(values)))


@dataclass(frozen=True)
class Comparison:
    """One quantity by both ways, in the cases where both have it.

    Attributes:
        quantity: which.
        cases: names, in order.
        manual, automatic: values (n,) in this order.
    """

    quantity: Quantity
    cases: Tuple[str, ...]
    manual: np.ndarray
    automatic: np.ndarray
    manual_summary: Summary
    automatic_summary: Summary
    mann_whitney: RankTest
    wilcoxon: RankTest
    icc: IntraclassCorrelation
    bland_altman: BlandAltman

    @classmethod
    def of(
        cls, quantity: Quantity, cases: Sequence[str], manual: np.ndarray, automatic: np.ndarray
    ) -> "Comparison":
        """Compare two samples (n,), n >= 1; differences are automatic minus manual."""
        return cls(
            quantity,
            tuple(cases),
            manual,
            automatic,
            Summary.of(manual),
            Summary.of(automatic),
            mann_whitney_u(manual, automatic),
            wilcoxon_signed_rank(manual, automatic),
            icc_2_1(np.stack([manual, automatic], axis=1)),
            bland_altman(manual, automatic),
        )

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data, values included."""
        return {
            "quantity": self.quantity.key,
            "unit": self.quantity.unit,
            "n": len(self.cases),
            "manual": vars(self.manual_summary),
            "automatic": vars(self.automatic_summary),
            "mann_whitney_u": self.mann_whitney.to_dict(),
            "wilcoxon_signed_rank": self.wilcoxon.to_dict(),
            "icc_2_1": self.icc.to_dict(),
            "bland_altman": self.bland_altman.to_dict(),
            "values": [
                {"case": case, "manual": float(one), "automatic": float(other)}
                for case, one, other in zip(self.cases, self.manual, self.automatic)
            ],
        }


@dataclass(frozen=True)
class GradeComparison:
    """Grades by both ways, in the cases where both have one.

    Attributes:
        counts: (manual, automatic), int64, in the order of ``GRADES``.
        agreeing: share of the cases with the same grade, 0..1.
        kappas: weighted kappa by kind of weights.
        differing: cases with different grades: name, manual, automatic.
        graded_from_ratio: which of "manual", "automatic" came without grades and got them from the ratio.
    """

    counts: np.ndarray
    agreeing: float
    kappas: Mapping[str, Kappa]
    differing: Tuple[Tuple[str, str, str], ...]
    graded_from_ratio: Tuple[str, ...]
    cut_offs: CutOffs

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        return {
            "grades": list(GRADES),
            "n": int(self.counts.sum()),
            "confusion_manual_by_automatic": self.counts.tolist(),
            "agreeing": self.agreeing,
            "kappa": {weights: kappa.to_dict() for weights, kappa in self.kappas.items()},
            "differing": [
                {"case": case, "manual": manual, "automatic": automatic}
                for case, manual, automatic in self.differing
            ],
            "graded_from_ratio": list(self.graded_from_ratio),
            "cut_offs": self.cut_offs.to_dict() if self.graded_from_ratio else None,
        }


@dataclass(frozen=True)
class Agreement:
    """Two tables compared.

    Attributes:
        cases: those that both hold.
        only_manual, only_automatic: those that only one holds; they take no part.
        comparisons: one for each quantity that some case has in both tables.
        grades: None if no case has a grade in both.
        warnings: sentences on what makes the result doubtful.
    """

    cases: Tuple[str, ...]
    only_manual: Tuple[str, ...]
    only_automatic: Tuple[str, ...]
    comparisons: Tuple[Comparison, ...]
    grades: Optional[GradeComparison]
    warnings: Tuple[str, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        return {
            "cases": list(self.cases),
            "only_manual": list(self.only_manual),
            "only_automatic": list(self.only_automatic),
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "grades": None if self.grades is None else self.grades.to_dict(),
            "warnings": list(self.warnings),
        }


def compare_readings(
    manual: Readings, automatic: Readings, *, cut_offs: Optional[CutOffs] = None
) -> Agreement:
    """Compare two tables, case by case.

    A table without grades is graded from its ratios by ``cut_offs``.

    Raises:
        InputError: no case, or no quantity, is in both.
    """
    cut_offs = cut_offs or CutOffs()
    both = tuple(case for case in manual.by_case if case in automatic.by_case)
    only_manual = tuple(case for case in manual.by_case if case not in automatic.by_case)
    only_automatic = tuple(case for case in automatic.by_case if case not in manual.by_case)
    if not both:
        raise InputError(
            f"The two tables have no case in common: {manual.path} has {names(only_manual, 3)}, "
            f"{automatic.path} has {names(only_automatic, 3)}."
        )
    comparisons = tuple(
        comparison
        for comparison in (_compared(quantity, both, manual, automatic) for quantity in QUANTITIES)
        if comparison is not None
    )
    grades = _compared_grades(both, manual, automatic, cut_offs)
    if not comparisons and grades is None:
        raise InputError(
            f"Nothing can be compared: {manual.path} has values for {_what(manual, both)}, "
            f"{automatic.path} for {_what(automatic, both)}."
        )
    result = Agreement(both, only_manual, only_automatic, comparisons, grades)
    return replace(result, warnings=tuple(_warnings(result)))


def names(cases: Sequence[str], most: int = NAMED) -> str:
    """Cases as part of a sentence: "a", "b" and 3 more."""
    shown = ", ".join(f'"{case}"' for case in cases[:most])
    return shown if len(cases) <= most else f"{shown} and {len(cases) - most} more"


def _what(readings: Readings, cases: Sequence[str]) -> str:
    """The columns in which a table has any value for these cases."""
    keys = [*(quantity.key for quantity in QUANTITIES), GRADE]
    found = [key for key in keys if any(getattr(readings.by_case[case], key) is not None for case in cases)]
    return " and ".join(found) or "nothing"


def _compared(
    quantity: Quantity, cases: Sequence[str], manual: Readings, automatic: Readings
) -> Optional[Comparison]:
    pairs = [
        (case, getattr(manual.by_case[case], quantity.key), getattr(automatic.by_case[case], quantity.key))
        for case in cases
    ]
    known = [pair for pair in pairs if pair[1] is not None and pair[2] is not None]
    if not known:
        return None
    found, first, second = zip(*known)
    return Comparison.of(quantity, found, np.asarray(first, dtype=float), np.asarray(second, dtype=float))


def _compared_grades(
    cases: Sequence[str], manual: Readings, automatic: Readings, cut_offs: CutOffs
) -> Optional[GradeComparison]:
    from_ratio = tuple(
        way for way, table in (("manual", manual), ("automatic", automatic)) if not _has_grades(table)
    )
    one = _grades(cases, manual, cut_offs)
    other = _grades(cases, automatic, cut_offs)
    known = [(case, a, b) for case, a, b in zip(cases, one, other) if a is not None and b is not None]
    if not known:
        return None
    first, second = ([GRADES.index(pair[way]) for pair in known] for way in (1, 2))
    counts = confusion(first, second, len(GRADES))
    return GradeComparison(
        counts=counts,
        agreeing=float(np.trace(counts) / counts.sum()),
        kappas={weights: weighted_kappa(counts, weights) for weights in WEIGHTS},
        differing=tuple(pair for pair in known if pair[1] != pair[2]),
        graded_from_ratio=from_ratio,
        cut_offs=cut_offs,
    )


def _has_grades(readings: Readings) -> bool:
    return any(reading.grade is not None for reading in readings.by_case.values())


def _grades(cases: Sequence[str], readings: Readings, cut_offs: CutOffs) -> List[Optional[str]]:
    """Grades of the cases: as the table gives them if it gives any, else from the ratios."""
    chosen = [readings.by_case[case] for case in cases]
    if _has_grades(readings):
        return [reading.grade for reading in chosen]
    return [None if reading.ratio is None else cut_offs.grade(reading.ratio) for reading in chosen]


def _warnings(result: Agreement) -> List[str]:
    sentences = []
    for only, there in ((result.only_manual, "manual"), (result.only_automatic, "automatic")):
        if only:
            count = "1 case is" if len(only) == 1 else f"{len(only)} cases are"
            sentences.append(f"{count} in the {there} table only and left out: {names(only)}.")
    graded = 0 if result.grades is None else int(result.grades.counts.sum())
    fewest = min([len(comparison.cases) for comparison in result.comparisons] + [graded] * (graded > 0))
    if fewest < FEW_CASES:
        many = "1 case" if fewest == 1 else f"{fewest} cases"
        sentences.append(f"{many[0].upper()}{many[1:]} compared: too few to judge the agreement.")
    for comparison in result.comparisons:
        found = comparison.bland_altman
        if found.trend_p is not None and found.trend_p < TREND_P:
            sentences.append(
                f"{comparison.quantity.name}: the differences change with the value, "
                f"by {found.trend:+.2f} per unit; one bias does not hold for all cases."
            )
    return sentences
