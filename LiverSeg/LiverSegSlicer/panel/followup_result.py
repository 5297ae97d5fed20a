"""What a comparison of several dates found: values and response by date, lesions at the chosen date."""

from typing import Any, Mapping, Optional, Sequence, Tuple

from slicer.i18n import tr as _

from ..scene.followup import Comparison, showLesion, stateText, titleOf
from ..sentences import sentences
from .folded_warnings import FoldedWarnings
from .lesion_table import NONE
from .notes import GOOD, PLAIN, WARNING, Note
from .row_table import RowTable

_MOST_DATES, _MOST_LESIONS = 6, 6
"""The tables grow up to so many rows and scroll beyond."""
_ROOM = 8
"""Pixels that a row is higher than its text."""
_DATE, _STATE = 0, 4
"""The columns that take the width left over."""


class FollowUpResult:
    """Args:
    ui: the panel's widgets.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._comparison: Optional[Comparison] = None
        self._segmentationNode: Any = None
        self._shown: Optional[Tuple[Any, int]] = None
        self._date = 0
        self._changed = Note(ui, "followupChanged", _("Whether the comparison is still that of the results."))
        self._rule = Note(ui, "followupRule", _("The rule by which the chosen date was judged."))
        self._warnings = FoldedWarnings(ui, "followupWarnings")
        self._detail = Note(ui, "followupLesion", _("The chosen lesion."))
        self._dates = RowTable(
            ui.followupDatesTable, _DATE, _ROOM, _MOST_DATES, self._onDate, lambda row, on: None
        )
        self._lesions = RowTable(
            ui.followupLesionsTable, _STATE, _ROOM, _MOST_LESIONS, self._onLesion, lambda row, on: None
        )

    def show(self, comparison: Optional[Comparison], segmentationNode: Any) -> None:
        """Show a comparison, of which the panel shows this result; nothing without one."""
        self._comparison, self._segmentationNode = comparison, segmentationNode
        self._ui.followupResultWidget.setVisible(comparison is not None)
        if comparison is None:
            self._shown = None
            return
        numbers = comparison.numbers
        text = _("A result or a date was changed after this comparison: compare again.")
        self._changed.show(text if comparison.isOutOfDate else "", WARNING)
        shown = (comparison.tableNode, numbers["time"])
        if self._shown != shown:
            self._shown = shown
            self._warnings.show(sentences([*numbers["warnings"], numbers["response_note"]]))
            self._fillDates(numbers)
            self._showDate(len(numbers["dates"]) - 1)

    def _fillDates(self, numbers: Mapping[str, Any]) -> None:
        with self._dates.filling(len(numbers["dates"])):
            for index, date in enumerate(numbers["dates"]):
                fat = date["fat"] or {}
                texts = (
                    titleOf(date),
                    _number(date["sum_of_diameters_mm"], 1),
                    ("≥ " if date.get("liver_truncated") else "") + _number(date["liver_ml"], 0),
                    _number(fat.get("difference_hu"), 0),
                    _category(numbers, index),
                )
                self._dates.setRow(index, texts, _dateTip(date), left=(_DATE,))

    def _showDate(self, index: int) -> None:
        """Show the rule of a date, and the lesions at it."""
        assert self._comparison is not None
        numbers = self._comparison.numbers
        self._date = index
        with self._dates.filling():
            self._ui.followupDatesTable.selectRow(index)
        self._rule.show(*_ruleOf(numbers, index))
        title = _("Lesions, {date}").format(date=titleOf(numbers["dates"][index]))
        self._ui.followupLesionsLabel.setText(title)
        lesions = numbers["lesions"]
        self._ui.followupLesionsTable.setVisible(bool(lesions))
        with self._lesions.filling(len(lesions)):
            for row, lesion in enumerate(lesions):
                self._lesions.setRow(row, _lesionTexts(lesion, index), _lesionDetail(lesion, numbers), (4,))
        self._detail.show("" if lesions else _("No lesion was found at any date."))

    def _onDate(self, index: Optional[int]) -> None:
        if index is not None and self._comparison is not None and index != self._date:
            self._showDate(index)

    def _onLesion(self, row: Optional[int]) -> None:
        comparison = self._comparison
        if row is None or comparison is None:
            return
        lesion = comparison.numbers["lesions"][row]
        self._detail.show(_lesionDetail(lesion, comparison.numbers))
        showLesion(comparison, lesion, self._segmentationNode)


def _ruleOf(numbers: Mapping[str, Any], index: int) -> Tuple[str, str]:
    """The response at a date with its rule, and the kind of note that it is."""
    if index == 0:
        targets = [str(item["number"]) for item in numbers["lesions"] if item["targets_at_first_date"]]
        if not targets:
            return _("First date: no lesion is long enough to be a target."), PLAIN
        return _("First date; target lesions: {numbers}.").format(numbers=", ".join(targets)), PLAIN
    response = numbers["responses"][index - 1]
    category = response["category"]
    words = {
        "CR": _("Complete response"),
        "PR": _("Partial response"),
        "SD": _("Stable disease"),
        "PD": _("Progressive disease"),
        "NE": _("Not evaluable"),
        "non-CR/non-PD": _("Neither complete response nor progression"),
        None: _("Nothing to judge"),
    }
    text = _("{response}, liver alone. {rule}")
    rule = " ".join(sentences(response["reasons"]))
    kind = {"PD": WARNING, "CR": GOOD, "PR": GOOD}.get(category, PLAIN)
    return text.format(response=words.get(category, category), rule=rule), kind


def _category(numbers: Mapping[str, Any], index: int) -> str:
    """The short name of a response; that of the first date says that it is that."""
    if index == 0:
        return _("first")
    category = numbers["responses"][index - 1]["category"]
    return {None: NONE, "non-CR/non-PD": _("non-PD")}.get(category, category)


def _dateTip(date: Mapping[str, Any]) -> str:
    """More of a date, a line each."""
    lines = [date["name"]]
    if date["tumour_ml"] is not None:
        text = _("Tumors {volume} ml, tumor burden {burden} %")
        burden = _number(date["tumour_burden_percent"], 1)
        lines.append(text.format(volume=_number(date["tumour_ml"], 1), burden=burden))
    fat = date["fat"]
    if fat is not None and fat["difference_hu"] is not None:
        text = _("Liver {liver} HU, spleen {spleen} HU")
        values = {"liver": _number(fat["liver_mean_hu"], 0), "spleen": _number(fat["spleen_mean_hu"], 0)}
        lines.append(text.format(**values))
    if fat is not None and fat["grade"] is None:
        reasons = sentences(fat["reasons_not_to_grade"][:1])
        lines += [_("Liver fat is not graded: {reason}").format(reason=reason) for reason in reasons]
    elif fat is not None:
        lines += sentences([fat["grade_text"]])
    return "\n".join(lines)


def _lesionTexts(lesion: Mapping[str, Any], index: int) -> Sequence[str]:
    at = lesion["dates"][index]
    state = stateText(at)
    if lesion["targets_at_first_date"]:
        state = ", ".join(filter(None, (_("target"), state)))
    return (
        str(lesion["number"]),
        _number(at["volume_ml"], 2),
        _number(at["longest_diameter_mm"], 1),
        _signed(at["diameter_change_percent"]),
        state,
    )


def _lesionDetail(lesion: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    """A lesion at all dates, a line each."""
    lines = [_("Lesion {number}:").format(number=lesion["number"])]
    for date, at in zip(numbers["dates"], lesion["dates"]):
        state = stateText(at)
        words = [state] if state else []
        if at["lesions"]:
            bound = "≥ " if at["truncated"] else ""
            words.insert(
                0, f"{bound}{_number(at['volume_ml'], 2)} ml, {_number(at['longest_diameter_mm'], 1)} mm"
            )
            if at["volume_change_percent"] is not None:
                text = _("volume {volume} %, diameter {diameter} %")
                changes = {
                    "volume": _signed(at["volume_change_percent"]),
                    "diameter": _signed(at["diameter_change_percent"]),
                }
                words.insert(1, text.format(**changes))
        lines.append(f"{titleOf(date)}: {', '.join(words)}")
    return "\n".join(lines)


def _number(value: Optional[float], decimals: int) -> str:
    return NONE if value is None else f"{value:.{decimals}f}"


def _signed(value: Optional[float]) -> str:
    """A change with its sign; that from nothing is none."""
    return NONE if value is None else f"{value:+.0f}"
