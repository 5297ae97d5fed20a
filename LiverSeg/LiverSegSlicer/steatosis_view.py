"""The verdict on fatty liver in the panel: ratio, interval, grade on its scale, reasons, numbers, warnings.

It reads the plain dict of the core's ``Assessment``, whose class costs an import of SciPy.
"""

from typing import Any, List, Mapping, Optional, Tuple

from slicer.i18n import tr as _

from LiverSegLib.sentences import key_of

from .notes import PLAIN, WARNING, Note
from .sentences import sentence, sentences

FIELDS = {
    "severe": ((136, 34, 85), "white"),
    "moderate": ((238, 119, 51), "black"),
    "mild": ((204, 187, 68), "black"),
    "normal": ((68, 119, 170), "white"),
}
"""Grade, from the lowest ratio on -> colour (as in the report; the colour-blind tell them apart), and that of
the word on it."""
WIDTHS = (24, 30, 21, 25)
"""Of the fields, in percent, as in LiverSeg.ui: each holds its word in a narrow panel with large type."""
END_ROOM = 0.35
"""The scale ends this far beyond the lowest and the highest cut-off."""

_STEPS = 1000
_UNKNOWN = "–"


class SteatosisView:
    """Shows one assessment.

    Args:
        ui: the panel's widgets.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._reasons = Note(ui, "fattyReasons")
        self._warnings = Note(ui, "fattyWarnings")
        self._fields = {
            "severe": ui.fattySevereLabel,
            "moderate": ui.fattyModerateLabel,
            "mild": ui.fattyMildLabel,
            "normal": ui.fattyNormalLabel,
        }
        self._shownGrade: Optional[str] = ""

    def show(self, assessment: Optional[Mapping[str, Any]]) -> None:
        """Show an assessment; with None only that there is none yet."""
        ui = self._ui
        if assessment is None:
            ui.fattyRatioLabel.setText(_UNKNOWN)
            ui.fattyGradeLabel.setText("")
            ui.fattyIntervalLabel.setText("")
            ui.fattyScaleWidget.setVisible(False)
            ui.fattyNumbersLabel.setVisible(False)
            ui.fattyAnywayCheckBox.setVisible(False)
            self._reasons.show("")
            self._warnings.show("")
            return
        ratio, interval, grade = assessment["ratio"], assessment["ratio_interval_95"], assessment["grade"]
        ui.fattyRatioLabel.setText(_UNKNOWN if ratio is None else f"{ratio:.2f}")
        ui.fattyGradeLabel.setText(sentence(assessment["grade_text"]))
        ui.fattyIntervalLabel.setText(_intervalText(ratio, interval))
        self._showReasons(assessment["reasons_not_to_grade"], grade is not None, assessment["graded_anyway"])
        ui.fattyScaleWidget.setVisible(grade is not None)
        if grade is not None:
            self._showScale(ratio, grade, assessment["cut_offs"])
        ui.fattyNumbersLabel.setText("\n".join(_numbers(assessment)))
        ui.fattyNumbersLabel.setVisible(True)
        # What is wrong with a single ROI stands in its row.
        self._warnings.warn([said for said in assessment["warnings"] if key_of(said) != "roi.remark"])

    def _showReasons(self, reasons: List[str], graded: bool, anyway: bool) -> None:
        head = _("Graded in spite of this:") if graded else _("Not graded, because:")
        self._reasons.show(
            "\n".join((head, *(f"• {text}" for text in sentences(reasons)))) if reasons else "",
            WARNING if reasons else PLAIN,
        )
        box = self._ui.fattyAnywayCheckBox
        box.setVisible(bool(reasons))
        box.blockSignals(True)
        box.checked = anyway
        box.blockSignals(False)

    def _showScale(self, ratio: float, grade: str, cutOffs: Mapping[str, float]) -> None:
        borders = [cutOffs[key] for key in ("severe_below", "moderate_below", "normal_above")]
        labels = (
            self._ui.fattySevereBorderLabel,
            self._ui.fattyModerateBorderLabel,
            self._ui.fattyNormalBorderLabel,
        )
        for label, border in zip(labels, borders):
            label.setText(f"{border:g}")
        before = int(round(_STEPS * _place(ratio, borders)))
        row = self._ui.fattyPointerWidget.layout()
        row.setStretch(0, before)
        row.setStretch(2, _STEPS - before)
        if grade == self._shownGrade:
            return
        self._shownGrade = grade
        for key, label in self._fields.items():
            (red, green, blue), word = FIELDS[key]
            chosen = "font-weight: bold; border: 2px solid palette(window-text);" if key == grade else ""
            label.styleSheet = f"background-color: rgb({red}, {green}, {blue}); color: {word}; {chosen}"


def _intervalText(ratio: Optional[float], interval: Optional[List[float]]) -> str:
    if ratio is None:
        return _("Liver / spleen: no ratio")
    if interval is None:
        return _("Liver / spleen; no interval")
    text = _("Liver / spleen; 95 % interval {low:.2f} to {high:.2f}")
    return text.format(low=interval[0], high=interval[1])


def _place(ratio: float, borders: List[float]) -> float:
    """Return where a ratio lies on the scale, 0 to 1; within the field of each grade the scale is even."""
    ends = [max(0.0, borders[0] - END_ROOM), *borders, borders[-1] + END_ROOM]
    for number, (low, high) in enumerate(zip(ends, ends[1:])):
        if ratio <= high or number == len(ends) - 2:
            share = min(1.0, max(0.0, (ratio - low) / (high - low))) if high > low else 0.5
            return (sum(WIDTHS[:number]) + share * WIDTHS[number]) / sum(WIDTHS)
    return 1.0


def _numbers(assessment: Mapping[str, Any]) -> Tuple[str, ...]:
    liver, spleen = assessment["liver_mean_hu"], assessment["spleen_mean_hu"]
    difference = assessment["liver_minus_spleen_hu"]
    lines = [
        _("Liver {liver} HU, spleen {spleen} HU, difference {difference} HU").format(
            liver=_hu(liver), spleen=_hu(spleen), difference=_hu(difference)
        ),
        _("Medians of the whole organs: {liver} and {spleen} HU").format(
            liver=_hu(assessment["liver_median_hu"]), spleen=_hu(assessment["spleen_median_hu"])
        ),
    ]
    if assessment["ratio_of_means"] is not None:
        lines.append(_("Ratio of the means: {ratio:.2f}").format(ratio=assessment["ratio_of_means"]))
    # In enhanced scans attenuation says nothing about fat, unless the user has chosen otherwise.
    if assessment["conditions"]["phase"] == "unenhanced" or assessment["grade"] is not None:
        lines += _readings(assessment)
    return tuple(lines)


def _readings(assessment: Mapping[str, Any]) -> List[str]:
    lines = []
    if assessment["liver_text"]:
        lines.append(_("Liver alone: {text}").format(text=sentence(assessment["liver_text"])))
    if assessment["difference_text"]:
        lines.append(_("Difference: {text}").format(text=sentence(assessment["difference_text"])))
    percent, doubts = assessment["fat_fraction_percent"], assessment["fat_fraction_doubts"]
    if percent is not None and not doubts:
        lines.append(_("Fat fraction: about {percent:.0f} %").format(percent=percent))
    elif percent is not None:
        text = _("Fat fraction: about {percent:.0f} %. {doubts}")
        lines.append(text.format(percent=percent, doubts=" ".join(sentences(doubts))))
    return lines


def _hu(value: Optional[float]) -> str:
    return _UNKNOWN if value is None else f"{value:.1f}".replace("-", "−")
