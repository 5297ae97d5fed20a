"""A fatty-liver assessment on the screen: as tables, or in one line."""

from typing import TYPE_CHECKING, Any, List, Optional

from rich.table import Table
from rich.text import Text

from .console import Facts, numbers_table

if TYPE_CHECKING:
    from ..steatosis.assessment import Assessment

GRADE_STYLES = {
    "normal": "bold blue",
    "mild": "bold yellow",
    "moderate": "bold red",
    "severe": "bold magenta",
}
"""Grade -> how it is shown; the word is always there, too."""


def assessment_view(assessment: "Assessment") -> List[Any]:
    """The assessment as tables: grade and numbers, then the ROIs."""
    parts: List[Any] = [_numbers_table(assessment)]
    if assessment.rois:
        parts.append(_roi_table(assessment))
    return parts


def summary_line(assessment: "Assessment") -> Text:
    """The assessment in one line: grade and ratio, or the weightiest reason not to grade."""
    if assessment.grade is None:
        reasons = assessment.reasons_not_to_grade
        return Text(f"{assessment.grade_text}. {reasons[0] if reasons else ''}".rstrip())
    grade = Text(assessment.grade_text, style=GRADE_STYLES[assessment.grade])
    return Text.assemble(grade, f", liver/spleen ratio {_ratio(assessment)}")


def _numbers_table(assessment: "Assessment") -> Facts:
    table = Facts("Fatty liver")
    style = GRADE_STYLES.get(assessment.grade or "", "bold")
    table.add_row("Grade", Text(assessment.grade_text, style=style))
    head = "In spite of" if assessment.graded_anyway else "Because"
    for number, reason in enumerate(assessment.reasons_not_to_grade):
        table.add_row("" if number else head, Text(reason))
    if assessment.conditions.chosen_text:
        table.add_row("Contrast phase", Text(assessment.conditions.chosen_text))
    if assessment.screening:
        table.add_row("Liver alone", Text(assessment.screening))
    table.add_row("Liver/spleen ratio", _ratio(assessment))
    if assessment.disagreement:
        table.add_row("Disagreement", Text(assessment.disagreement))
    said = assessment.other_measures_judge
    table.add_row("Liver", _hu(assessment.liver_mean, assessment.liver_text if said else None))
    table.add_row("Spleen", _hu(assessment.spleen_mean))
    table.add_row(
        "Liver minus spleen", _hu(assessment.difference, assessment.difference_text if said else None)
    )
    whole = f"{_hu(assessment.liver_median)}, {_hu(assessment.spleen_median)}"
    table.add_row("Whole organs (median)", f"{whole} (liver, spleen)")
    if assessment.fat_fraction_percent is not None and not assessment.screening:
        doubts = " ".join(assessment.fat_fraction_doubts)
        table.add_row("Approximate fat", f"{assessment.fat_fraction_percent:.0f} % {doubts}".rstrip())
    table.add_row("Cut-offs", str(assessment.cut_offs))
    return table


def _ratio(assessment: "Assessment") -> str:
    if assessment.ratio is None:
        return "none"
    if assessment.ratio_interval is None:
        return f"{assessment.ratio:.2f}"
    low, high = assessment.ratio_interval
    return f"{assessment.ratio:.2f} (95 % interval {low:.2f} to {high:.2f})"


def _hu(value: Optional[float], text: Optional[str] = None) -> str:
    number = "none" if value is None else f"{value:.1f} HU"
    return f"{number}: {text}" if text else number


def _roi_table(assessment: "Assessment") -> Table:
    table = numbers_table("ROIs")
    table.add_column("Name")
    for heading in ("Mean (HU)", "SD (HU)", "Inside (%)"):
        table.add_column(heading, justify="right")
    table.add_column("Warning")
    for roi, values in assessment.rois:
        numbers = ("" if value is None else f"{value:.1f}" for value in (values.mean_hu, values.sd_hu))
        table.add_row(roi.name, *numbers, f"{100 * values.inside:.0f}", Text(" ".join(values.flags)))
    return table
