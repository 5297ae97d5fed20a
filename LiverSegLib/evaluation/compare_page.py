"""The comparison of two results as one HTML page: verdicts, tests, volumes, cases."""

from html import escape
from typing import Any, List, Mapping

from .agreement import BlandAltman
from .compare_results import MetricComparison, ResultComparison
from .comparison import Comparison
from .difference_plot import GRID, INK, LIMITS, POINTS, SOFT, difference_plot
from .html import definitions_table, note, number, on_screen, page, section, table, warning_box, with_own_ids
from .tables import versions

DEFINITIONS = {
    "Difference": (
        "Per case, turned so that a positive one means that the second result is better. Of signed errors, "
        "in "
        "bars, the size is compared."
    ),
    "Interval": "95 % interval of the mean difference: percentiles of 9999 bootstrap samples of the cases.",
    "p": (
        "Wilcoxon's signed-rank test (1945), two-sided, differences of zero left out; exact up to 50 "
        "differences, with "
        "ties too."
    ),
    "p corrected": "For all tests of this page together (Holm 1979). Below 0.05 a difference is shown.",
    "Effect": (
        "Matched-pairs rank-biserial correlation (Kerby 2014): 1 where the second result is better in every "
        "case, -1 "
        "where the first is, 0 where neither is."
    ),
    "Cases": (
        "Those in both results whose reference has the structure and where both have a value. That no "
        "difference is "
        "shown does not mean that there is none."
    ),
    "Limits of agreement": "Mean difference of the volumes ± 1.96 SD (Bland and Altman 1999).",
}

COLOURS = {
    INK: "var(--ink)", SOFT: "var(--soft)", GRID: "var(--line)", POINTS: "var(--accent)",
    LIMITS: "var(--warn)", "#ffffff": "var(--paper)",
}  # fmt: skip
"""Colors of the plots -> what the page makes of them, in its light and dark look."""


def compare_page(found: ResultComparison, about: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        found: the comparison.
        about: "created", "liverseg_version".
    """
    cases = len(found.cases)
    verdicts = "".join(f"<li>{escape(sentence)}</li>" for sentence in found.verdicts)
    return page(
        title=f"{found.second} against {found.first}",
        kind="two results compared",
        facts=(f"{cases} case{'s' * (cases != 1)} in both", f"Made {about['created']}"),
        version=str(about["liverseg_version"]),
        sections=(
            warning_box("Please note", found.warnings),
            section("Verdict", f'<ul class="verdicts">{verdicts}</ul>'),
            section("Tests", *_tests(found)),
            section("False findings", _false_findings(found)),
            section("Volumes", *(_volumes(found, item) for item in found.volumes)),
            section("Case by case", *_cases(found)),
            section("Definitions", definitions_table({**DEFINITIONS, "Versions": _versions()})),
        ),
    )


def _tests(found: ResultComparison) -> List[str]:
    heads = (
        "",
        "Cases",
        found.first,
        found.second,
        "Difference",
        "Median",
        "95 % interval",
        "Better, equal, worse",
        "Effect",
        "p",
        "p corrected",
    )
    parts = []
    for structure in dict.fromkeys(item.structure for item in found.metrics):
        rows = [_row(item) for item in found.metrics if item.structure == structure]
        parts.append(f"<h3>{escape(_title(structure))}</h3>" + table(heads, rows))
    parts.append(note(f"Differences above 0 are in favor of {found.second}."))
    return parts


def _row(item: MetricComparison) -> List[str]:
    paired, decimals = item.paired, item.metric.decimals
    unit = f" ({item.metric.unit})" if item.metric.unit else ""
    interval = "–"
    if paired.interval is not None:
        interval = " to ".join(number(end, decimals + 1) for end in paired.interval)
    corrected = p_text(item.p_holm)
    return [
        escape(f"{item.name}{unit}"),
        str(paired.n),
        number(paired.first_mean, decimals),
        number(paired.second_mean, decimals),
        number(paired.mean, decimals + 1),
        number(paired.median, decimals + 1),
        interval,
        f"{paired.wins}, {paired.ties}, {paired.losses}",
        number(paired.test.rank_biserial, 2),
        p_text(paired.test.p_value),
        f"<b>{corrected}</b>" if item.is_shown else corrected,
    ]


def p_text(value: Any) -> str:
    """A p value as HTML; a dash for none."""
    if value is None:
        return "–"
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"


def _false_findings(found: ResultComparison) -> str:
    rows = [
        [escape(_title(name)), str(first), str(second)]
        for name, (first, second) in found.false_findings.items()
        if first or second
    ]
    if not rows:
        return ""
    heads = ("Drawn though the reference has none", found.first, found.second)
    return table(heads, rows)


def _volumes(found: ResultComparison, item: Comparison) -> str:
    if len(item.cases) < 2:
        return ""
    names = (found.first, found.second)
    drawing = difference_plot(item, names)
    element = with_own_ids(drawing[drawing.index("<svg") :], f"volume-{item.quantity.key.replace(' ', '-')}")
    for colour, variable in COLOURS.items():
        element = element.replace(colour, variable)
    return f'<div class="wide">{element}</div>{note(limits_sentence(item.bland_altman))}'


def limits_sentence(found: BlandAltman) -> str:
    """Bias and limits of agreement of volumes in words."""
    if found.lower is None or found.upper is None:
        return "Too few cases for limits of agreement."
    return (
        f"Mean difference {number(found.bias, 1)} ml; limits of agreement {number(found.lower, 1)} to "
        f"{number(found.upper, 1)} ml."
    )


def _cases(found: ResultComparison) -> List[str]:
    """Dice, or the first metric there is, of each case and structure, the largest difference first."""
    parts = []
    seen = set()
    for item in found.metrics:
        if item.structure in seen:
            continue
        seen.add(item.structure)
        decimals = item.metric.decimals
        order = sorted(
            zip(item.cases, item.first, item.second), key=lambda one: (-abs(one[2] - one[1]), one[0])
        )
        rows = [
            [escape(case), number(a, decimals), number(b, decimals), number(b - a, decimals)]
            for case, a, b in order
        ]
        heads = (f"{_title(item.structure)}, {item.name}", found.first, found.second, "Difference")
        parts.append(table(heads, rows))
    return parts


def _title(structure: str) -> str:
    return on_screen(structure).capitalize()


def _versions() -> str:
    return ", ".join(f"{name} {version}" for name, version in versions().items())
