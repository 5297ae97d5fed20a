"""Two results of ``liverseg evaluate`` on the same cases, compared structure by structure and metric by
metric."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError
from .comparison import Comparison, names
from .html import number, on_screen
from .metrics import BY_KEY, Metric
from .paired import Paired, compare_pairs, holm, smallest_p
from .readings import Quantity
from .result_files import ResultFile, Row
from .score import BOTH, FALSE, MISSED

COMPARED = (
    "dice", "surface_dice", "assd_mm", "rmsd_mm", "mssd_mm", "hd95_mm", "rvd_percent", "recall", "precision",
    "burden_error",
)  # fmt: skip
"""Metrics that are compared, the first one first. Jaccard and VOE rank cases as Dice does."""

SIGNIFICANT = 0.05
"""Corrected p values below this show a difference."""

REFERENCE_TOLERANCE = 0.005
"""The same reference, perhaps on another grid, differs by less than this part of its volume."""


@dataclass(frozen=True)
class MetricComparison:
    """A metric of a structure by both results, in the cases where both have it.

    Attributes:
        structure, metric: which; of signed errors the size is compared.
        cases: in the order of their names.
        first, second: values (n,).
        paired: the comparison.
        p_holm: p value corrected for all tests of this comparison.
        only_first, only_second: cases where only one of them has a value.
    """

    structure: str
    metric: Metric
    cases: Tuple[str, ...]
    first: np.ndarray
    second: np.ndarray
    paired: Paired
    p_holm: Optional[float] = None
    only_first: Tuple[str, ...] = ()
    only_second: Tuple[str, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether a difference is shown."""
        return self.p_holm is not None and self.p_holm < SIGNIFICANT

    @property
    def name(self) -> str:
        """The metric's name; the size of a signed error in bars."""
        return f"|{self.metric.name}|" if self.metric.better == "zero" else self.metric.name

    def sentence(self, first: str, second: str) -> str:
        """What was found, in words; ``first`` and ``second`` are what the results are called."""
        found = self.paired
        cases = f"{found.n} case{'s' * (found.n != 1)}"
        start = f"{on_screen(self.structure).capitalize()}, {self.name}:"
        unit = f" {self.metric.unit}" if self.metric.unit else ""
        p = "" if self.p_holm is None else f", p = {self.p_holm:.3g} after correction"
        if self.is_shown:
            return f"{start} {self._advantage(first, second, unit)} ({cases}{p})."
        if found.n and smallest_p(found.n) >= SIGNIFICANT:
            return f"{start} no difference shown: {cases}, too few for this test to show any."
        return f"{start} no difference shown: {cases}{p}."

    def _advantage(self, first: str, second: str, unit: str) -> str:
        """Which is better, and by how much."""
        found, decimals = self.paired, self.metric.decimals + 1
        side = 1 if found.test.rank_biserial > 0 else -1
        better = second if side > 0 else first
        if found.mean * side <= 0:
            return f"{better} is better in most cases, though not on average"
        text = f"{better} is better by {number(abs(found.mean), decimals)}{unit} on average"
        if found.interval is None:
            return text
        low, high = sorted(side * end for end in found.interval)
        return f"{text}, 95 % interval {number(low, decimals)} to {number(high, decimals)}"

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data, values included."""
        return {
            "structure": self.structure,
            "metric": self.metric.key,
            "absolute_values": self.metric.better == "zero",
            **self.paired.to_dict(),
            "p_holm": self.p_holm,
            "difference_shown": self.is_shown,
            "only_a": list(self.only_first),
            "only_b": list(self.only_second),
            "values": [
                {"case": case, "a": float(a), "b": float(b)}
                for case, a, b in zip(self.cases, self.first, self.second)
            ],
        }


@dataclass(frozen=True)
class ResultComparison:
    """Two results compared.

    Attributes:
        first, second: what they are called.
        cases: in both.
        only_first, only_second: cases in one only.
        metrics: one for each structure and metric that both have in some case.
        volumes: predicted volumes of each structure, second minus first.
        false_findings: structure -> cases in which the first, and the second, drew it though the reference
            has none.
        warnings: sentences on what makes the result doubtful.
    """

    first: str
    second: str
    cases: Tuple[str, ...]
    only_first: Tuple[str, ...]
    only_second: Tuple[str, ...]
    metrics: Tuple[MetricComparison, ...]
    volumes: Tuple[Comparison, ...]
    false_findings: Dict[str, Tuple[int, int]]
    warnings: Tuple[str, ...] = ()

    @property
    def verdicts(self) -> Tuple[str, ...]:
        """A sentence on the first metric of each structure, and on each other that shows a difference."""
        found: List[str] = []
        seen = set()
        for item in self.metrics:
            if item.structure not in seen or item.is_shown:
                found.append(item.sentence(self.first, self.second))
            seen.add(item.structure)
        return tuple(found)

    def to_dict(self) -> Dict[str, Any]:
        """Return plain JSON-ready data."""
        return {
            "a": self.first,
            "b": self.second,
            "cases": list(self.cases),
            "only_a": list(self.only_first),
            "only_b": list(self.only_second),
            "verdicts": list(self.verdicts),
            "comparisons": [item.to_dict() for item in self.metrics],
            "volumes": [
                {"structure": item.quantity.key, "bland_altman": item.bland_altman.to_dict()}
                for item in self.volumes
            ],
            "false_findings": {
                name: {"a": counts[0], "b": counts[1]} for name, counts in self.false_findings.items()
            },
            "warnings": list(self.warnings),
        }


def compare_results(first: ResultFile, second: ResultFile) -> ResultComparison:
    """Compare two results on the cases that both have.

    Raises:
        InputError: no case with the same structure is in both.
    """
    both = [key for key in sorted(first.rows, key=lambda key: key[1]) if key in second.rows]
    if not both:
        raise InputError(
            f"The two results have no case in common: {first.path} has {names(first.cases, 3)}, "
            f"{second.path} has {names(second.cases, 3)}."
        )
    structures = [name for name in first.structures if any(name == key[0] for key in both)]
    metrics = [
        found
        for name in structures
        for key in COMPARED
        for found in [_compared(name, BY_KEY[key], [case for s, case in both if s == name], first, second)]
        if found is not None
    ]
    corrected = holm([item.paired.test.p_value for item in metrics])
    cases = {case for _, case in both}
    labels = ("A", "B") if first.name == second.name else (first.name, second.name)
    result = ResultComparison(
        *labels,
        cases=tuple(sorted(cases)),
        only_first=tuple(case for case in first.cases if case not in cases),
        only_second=tuple(case for case in second.cases if case not in cases),
        metrics=tuple(replace(item, p_holm=p) for item, p in zip(metrics, corrected)),
        volumes=tuple(_volumes(name, both, first, second) for name in structures),
        false_findings={name: _false_findings(name, both, first, second) for name in structures},
    )
    return replace(result, warnings=tuple(_warnings(result, both, first, second)))


def _compared(
    structure: str, metric: Metric, cases: Sequence[str], first: ResultFile, second: ResultFile
) -> Optional[MetricComparison]:
    """The comparison of a metric over the cases whose reference has the structure; None without any."""
    known: List[Tuple[str, float, float]] = []
    only_first: List[str] = []
    only_second: List[str] = []
    for case in cases:
        one, other = first.rows[structure, case], second.rows[structure, case]
        if metric.key != "burden_error" and one.presence not in (BOTH, MISSED):
            continue
        a, b = one.metrics.get(metric.key), other.metrics.get(metric.key)
        if a is not None and b is not None:
            known.append((case, a, b))
        elif a is not None or b is not None:
            (only_first if b is None else only_second).append(case)
    if not known:
        return None
    found, one_way, other_way = zip(*known)
    a_values, b_values = np.asarray(one_way, dtype=float), np.asarray(other_way, dtype=float)
    if metric.better == "zero":
        a_values, b_values = np.abs(a_values), np.abs(b_values)
    paired = compare_pairs(a_values, b_values, higher_is_better=metric.better == "higher")
    return MetricComparison(
        structure,
        metric,
        tuple(found),
        a_values,
        b_values,
        paired,
        only_first=tuple(only_first),
        only_second=tuple(only_second),
    )


def _volumes(
    structure: str, keys: Sequence[Tuple[str, str]], first: ResultFile, second: ResultFile
) -> Comparison:
    own = [key for key in keys if key[0] == structure]
    one, other = (np.asarray([file.rows[key].prediction_ml for key in own]) for file in (first, second))
    name = f"{on_screen(structure).capitalize()} volume"
    return Comparison.of(Quantity(structure, name, "ml", 1), [case for _, case in own], one, other)


def _false_findings(
    structure: str, keys: Sequence[Tuple[str, str]], first: ResultFile, second: ResultFile
) -> Tuple[int, int]:
    one, other = (
        sum(file.rows[key].presence == FALSE for key in keys if key[0] == structure)
        for file in (first, second)
    )
    return one, other


def _warnings(
    result: ResultComparison, keys: Sequence[Tuple[str, str]], first: ResultFile, second: ResultFile
) -> List[str]:
    found = []
    for only, there in ((result.only_first, result.first), (result.only_second, result.second)):
        if only:
            count = "1 case is" if len(only) == 1 else f"{len(only)} cases are"
            found.append(f"{count} in {there} only and left out: {names(only)}.")
    differing = sorted({case for s, case in keys if _differ(first.rows[s, case], second.rows[s, case])})
    if differing:
        found.append(f"The references are not the same in both results: {names(differing)}.")
    incomplete: Dict[Tuple[str, Tuple[str, ...]], List[str]] = {}
    for item in result.metrics:
        cases = tuple(sorted({*item.only_first, *item.only_second}))
        if cases:
            incomplete.setdefault((item.structure, cases), []).append(item.name)
    for (structure, cases), metrics in incomplete.items():
        found.append(
            f"{on_screen(structure).capitalize()}: only one result has {', '.join(metrics)} "
            f"of {names(cases)}; left out there."
        )
    return found


def _differ(one: Row, other: Row) -> bool:
    return abs(one.reference_ml - other.reference_ml) > REFERENCE_TOLERANCE * max(
        one.reference_ml, other.reference_ml, 0.1
    )
