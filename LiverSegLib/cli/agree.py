"""``liverseg agree``: how well two tables of fatty-liver readings agree."""

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Tuple

import typer
from rich.table import Table
from rich.text import Text

from ..errors import LiverSegError
from .console import Console, Facts, files_table
from .options import Json
from .steatosis import parse_cut_offs

if TYPE_CHECKING:
    from ..evaluation.agreement import Interval, RankTest
    from ..evaluation.comparison import Agreement, Comparison, GradeComparison

LIBRARIES = ("matplotlib", "statsmodels")
"""What LiverSeg's extra ``agreement`` brings."""

LEAST_P = 0.001
"""Smaller p values are shown as less than this."""


def agree(
    context: typer.Context,
    manual: Annotated[
        Path, typer.Argument(metavar="MANUAL", help="The readers' table (CSV), one row a case.")
    ],
    automatic: Annotated[
        Path,
        typer.Argument(
            metavar="AUTOMATIC",
            help="LiverSeg's table (CSV), or a folder with the steatosis.csv of many cases.",
        ),
    ],
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for agreement.json and the plots."),
    ] = None,
    cut_offs: Annotated[
        Optional[str],
        typer.Option(
            metavar="A,B,C",
            help="For tables without grades: normal above A, moderate below B, severe below C [1.0,0.7,0.5].",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Say how well two tables of fatty-liver readings agree.

    Columns: case, and ratio, liver_hu, spleen_hu or grade. Rank tests, ICC(2,1), limits of agreement after
    Bland and Altman, weighted kappa.
    """
    _require_libraries()
    from ..evaluation.comparison import compare_readings
    from ..evaluation.readings import read_readings
    from ..outputs import FileSet, write_file_set

    limits = parse_cut_offs(cut_offs)
    first, second = read_readings(manual), read_readings(automatic)
    agreement = compare_readings(first, second, cut_offs=limits)
    content = {
        "manual": os.path.abspath(manual),
        "automatic": os.path.abspath(automatic),
        **agreement.to_dict(),
    }
    files: Dict[str, Path] = {}
    if output is not None:
        file_set = FileSet(index="agreement.json", content="agreement")
        files = write_file_set(output, file_set, _plots(agreement.comparisons), {"agreement": content})
    console = Console(json=json_, debug=context.obj)
    console.answer(
        {
            "folder": None if output is None else os.path.abspath(output),
            "files": {key: str(path) for key, path in files.items()},
            **content,
        }
    )
    console.show(*_view(agreement), files_table(files))
    console.warn(list(agreement.warnings))


def _require_libraries() -> None:
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise LiverSegError(
            f"This needs the Python package{'s' * (len(missing) > 1)} {' and '.join(missing)}: "
            f"pip install {' '.join(missing)}, or install LiverSeg with its extra `agreement`."
        )


def _plots(comparisons: "Tuple[Comparison, ...]") -> Dict[str, Any]:
    """Key -> name and writer of each Bland-Altman plot."""
    from ..evaluation.difference_plot import difference_plot

    def writer(comparison: "Comparison") -> Any:
        return lambda path: path.write_text(difference_plot(comparison), encoding="utf-8")

    return {
        f"plot_{comparison.quantity.key}": (
            f"bland-altman-{comparison.quantity.key.replace('_', '-')}.svg",
            writer(comparison),
        )
        for comparison in comparisons
    }


def _view(agreement: "Agreement") -> List[Any]:
    cases = len(agreement.cases)
    parts: List[Any] = [Text(f"{cases} case{'s' * (cases != 1)} in both tables.")]
    parts += [_comparison_table(comparison) for comparison in agreement.comparisons]
    if agreement.grades is not None:
        parts += [_grade_table(agreement.grades), _kappa_table(agreement.grades)]
    return parts


def _comparison_table(comparison: "Comparison") -> Table:
    quantity, found = comparison.quantity, comparison.bland_altman
    unit = f" ({quantity.unit})" if quantity.unit else ""
    table = Table(title=f"{quantity.name}{unit}, {len(comparison.cases)} cases", title_justify="left")
    table.title_style = "bold"
    for heading in ("", "Value", "95 % interval"):
        table.add_column(heading)

    def row(name: str, value: Optional[float], interval: "Optional[Interval]", decimals: int) -> None:
        low_high = "" if interval is None else " to ".join(_number(end, decimals) for end in interval)
        table.add_row(name, _number(value, decimals), low_high)

    digits = quantity.decimals
    for name, summary in (("Manual", comparison.manual_summary), ("Automatic", comparison.automatic_summary)):
        spread = "" if summary.sd is None else f" ± {_number(summary.sd, digits)}"
        table.add_row(f"{name}, mean ± SD", f"{_number(summary.mean, digits)}{spread}", "")
    table.add_section()
    row("Bias, automatic − manual", found.bias, found.bias_interval, digits)
    row("Lower limit of agreement", found.lower, found.lower_interval, digits)
    row("Upper limit of agreement", found.upper, found.upper_interval, digits)
    row("ICC(2,1)", comparison.icc.value, comparison.icc.interval, 3)
    table.add_section()
    table.add_row("Wilcoxon signed rank", _test(comparison.wilcoxon, "W"), "")
    table.add_row("Mann-Whitney U", _test(comparison.mann_whitney, "U"), "")
    return table


def _test(test: "RankTest", letter: str) -> str:
    if test.p_value is None:
        return "–"
    p = f"p < {LEAST_P:g}" if test.p_value < LEAST_P else f"p = {test.p_value:.3f}"
    return f"{letter} = {test.statistic:g}, {p}"


def _grade_table(grades: "GradeComparison") -> Table:
    """The confusion table: rows manual, columns automatic; agreeing cases are bold."""
    from ..steatosis.assessment import GRADES

    total = int(grades.counts.sum())
    table = Table(title=f"Grades, {total} cases", title_justify="left", title_style="bold")
    table.add_column("Manual \\ automatic")
    for grade in GRADES:
        table.add_column(grade, justify="right")
    for number, grade in enumerate(GRADES):
        cells = [
            Text(str(count), style="bold" if number == place else "")
            for place, count in enumerate(grades.counts[number].tolist())
        ]
        table.add_row(grade, *cells)
    return table


def _kappa_table(grades: "GradeComparison") -> Facts:
    table = Facts()
    same = int(grades.counts.trace())
    table.add_row("Same grade", f"{same} of {int(grades.counts.sum())} ({100 * grades.agreeing:.0f} %)")
    for weights, kappa in grades.kappas.items():
        if kappa.value is None or kappa.interval is None:
            text = "not defined: both give every case the same one grade"
        else:
            ends = " to ".join(_number(end, 3) for end in kappa.interval)
            text = f"{_number(kappa.value, 3)} (95 % interval {ends})"
        table.add_row(f"Kappa, {weights} weights", text)
    if grades.differing:
        table.add_row("Different (manual, automatic)", Text(_differing(grades)))
    if grades.graded_from_ratio:
        by_ratio = " and ".join(grades.graded_from_ratio)
        table.add_row("Graded from the ratio", f"{by_ratio}: {grades.cut_offs}")
    return table


def _differing(grades: "GradeComparison") -> str:
    """The first cases with different grades, each with both."""
    from ..evaluation.comparison import NAMED

    shown = [f"{case} ({manual}, {automatic})" for case, manual, automatic in grades.differing[:NAMED]]
    more = len(grades.differing) - len(shown)
    return "; ".join(shown) + (f" and {more} more" if more else "")


def _number(value: Optional[float], decimals: int) -> str:
    if value is None:
        return "–"
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text
