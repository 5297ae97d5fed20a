"""Cases whose numbers lie far from those of the others: perhaps rare livers, perhaps wrong masks.

The measure is the modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, ASQC Quality
Press 1993): 0.6745 times the distance from the median over the median absolute deviation; above 3.5 in size
a value counts as an outlier.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .rows import NUMBERS, Column

LIMIT = 3.5
"""Modified z-score beyond which a value is an outlier."""
LEAST_CASES = 10
"""Values among which one can be called an outlier."""
_SCALE = 0.6745
"""The quartile of a normal distribution, which makes the score comparable with standard deviations."""

SKEWED = ("liver_ml", "spleen_ml", "liver_spleen_ratio")
"""Columns that are compared by their logarithm."""
BY_PHASE = ("liver_hu", "spleen_hu", "liver_spleen_ratio")
"""Columns that are compared among scans of the same contrast phase."""
JUDGED = tuple(dict.fromkeys((*SKEWED, *BY_PHASE)))


@dataclass(frozen=True)
class Outlier:
    """A case with what is unusual about it, in sentences, and its largest score."""

    case: str
    reasons: Tuple[str, ...]
    score: float


def outliers(rows: Sequence[Mapping[str, Any]]) -> List[Outlier]:
    """The outliers among the rows of cases that are done, the most unusual first."""
    found: Dict[str, List[Tuple[float, str]]] = {}
    names = {column.key: column for column in NUMBERS}
    for key in JUDGED:
        for group in _groups(rows, key).values():
            _judge(group, names[key], found)
    for row in rows:
        if row.get("liver_ml") == 0:
            found.setdefault(str(row["case"]), []).append((np.inf, "no liver was found"))
    listed = [
        Outlier(case, tuple(text for _, text in reasons), max(score for score, _ in reasons))
        for case, reasons in found.items()
    ]
    return sorted(listed, key=lambda item: (-item.score, item.case))


def _groups(rows: Sequence[Mapping[str, Any]], key: str) -> Dict[str, List[Tuple[str, float]]]:
    """Case and value, by contrast phase where that matters."""
    groups: Dict[str, List[Tuple[str, float]]] = {}
    for row in rows:
        value: Optional[float] = row.get(key)
        if value is None or row.get(f"{key.split('_')[0]}_cut_off"):
            continue
        group = str(row.get("phase")) if key in BY_PHASE else ""
        groups.setdefault(group, []).append((str(row["case"]), float(value)))
    return groups


def _judge(
    group: Sequence[Tuple[str, float]], column: Column, found: Dict[str, List[Tuple[float, str]]]
) -> None:
    values = np.array([value for _, value in group])
    used = [place for place, value in enumerate(values) if column.key not in SKEWED or value > 0]
    if len(used) < LEAST_CASES:
        return
    compared = np.log(values[used]) if column.key in SKEWED else values[used]
    middle = np.median(compared)
    spread = np.median(np.abs(compared - middle))
    if spread == 0:
        return
    scores = _SCALE * np.abs(compared - middle) / spread
    usual = float(np.median(values[used]))
    for place, score in zip(used, scores):
        if score > LIMIT:
            case, value = group[place]
            unit = f" {column.unit}" if column.unit else ""
            said = (
                f"{column.name} {value:.{column.decimals}f}{unit}, median {usual:.{column.decimals}f}{unit}"
            )
            found.setdefault(case, []).append((float(score), said))
