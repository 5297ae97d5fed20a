"""The report's section on fatty liver: grade with its scale, numbers, ROIs with pictures, or why not."""

from html import escape
from typing import List, Optional, Sequence, Set, Tuple

from ..sentences import key_of
from ..steatosis.assessment import Acceptance, Assessment, MeasuredRoi
from .figures import Figure
from .grade_scale import grade_scale
from .pictures import to_data_uri
from .pieces import NONE, facts_table, figure_element, plain, section, table, warning_box, warning_lines
from .planes import PatientView
from .roi_pictures import MOST_SLICES, PLANE, ROI_WINDOW, roi_pictures

NOT_FOR_FAT = "The attenuation of the liver tells nothing about its fat in this scan."
"""Said instead of numbers where contrast medium makes them meaningless."""

ROI_HEADS = ("ROI", "Mean (HU)", "SD (HU)", "Slice", "Warning")


def tells_fat(steatosis: Assessment) -> bool:
    """Whether the numbers mean anything for fat: graded, or unenhanced as far as is known."""
    return steatosis.grade is not None or steatosis.conditions.phase == "unenhanced"


def fatty_liver_section(steatosis: Assessment, view: PatientView) -> str:
    """Return the section as HTML.

    A scan with contrast medium gets one paragraph that says so. Any other gets the numbers and pictures, with
    the grade or with the reasons why there is none.

    Args:
        steatosis: the assessment.
        view: the scan in HU and its mask.
    """
    if not tells_fat(steatosis):
        reasons = " ".join(steatosis.reasons_not_to_grade) or NOT_FOR_FAT
        body = f'<p class="empty">{escape(steatosis.grade_text)}. {escape(reasons)}</p>'
        return section("Fatty liver", body + _paragraphs(steatosis.screening), keep=True)
    parts = [
        _verdict(steatosis),
        _paragraphs(steatosis.conditions.chosen_text, steatosis.disagreement, steatosis.screening),
        _acceptance(steatosis.accepted),
        # what is remarkable in a single ROI stands in its row
        warning_lines(text for text in steatosis.warnings if key_of(text) != "roi.remark"),
        _numbers(steatosis),
        _roi_table(steatosis.rois, view),
        _pictures(steatosis.rois, view),
    ]
    return section("Fatty liver", "".join(parts))


def _verdict(steatosis: Assessment) -> str:
    """Grade and ratio side by side, the scale under them, and what speaks against grading."""
    drawing = grade_scale(steatosis) if steatosis.grade is not None else ""
    scale = f'<div class="scale">{drawing}</div>' if drawing else ""
    ratio = (
        '<div><div class="sub">Liver/spleen ratio</div>'
        f'<div class="value">{plain(steatosis.ratio, 2)}</div>'
        f'<div class="sub">{_interval(steatosis)}</div></div>'
    )
    grade = (
        '<div><div class="sub">Grade by the ratio</div>'
        f'<div class="value word">{escape(steatosis.grade_text)}</div></div>'
    )
    head = "Graded in spite of these reasons" if steatosis.graded_anyway else "Why it is not graded"
    reasons = warning_box(head, steatosis.reasons_not_to_grade)
    return f'<div class="verdict keep">{ratio}{grade}{scale}</div>{reasons}'


def _acceptance(accepted: Optional[Acceptance]) -> str:
    """Who accepted the reading, when, with which ROIs; nothing if nobody has."""
    if accepted is None:
        return ""
    rois = "ROIs edited by hand" if accepted.how == "edited" else "ROIs as placed automatically"
    rejected = f"; rejected: {', '.join(accepted.rejected)}" if accepted.rejected else ""
    when = accepted.at[:16].replace("T", " ")
    text = f"Accepted by {accepted.by} on {when}, {rois}{rejected}."
    return f'<p class="sub">{escape(text)}</p>'


def _paragraphs(*sentences: Optional[str]) -> str:
    """Each sentence as a paragraph."""
    return "".join(f"<p>{escape(text)}</p>" for text in sentences if text)


def _interval(steatosis: Assessment) -> str:
    if steatosis.ratio_interval is None:
        return "no interval"
    low, high = steatosis.ratio_interval
    return f"95 % interval {plain(low, 2)} to {plain(high, 2)}"


def _numbers(steatosis: Assessment) -> str:
    conditions, settings = steatosis.conditions, steatosis.settings
    liver, spleen = (len(steatosis.rois_of(organ)) for organ in ("liver", "spleen"))
    # with a ratio, the grade is the one verdict
    plain_scan = steatosis.other_measures_judge
    said_liver = _said(steatosis.liver_text) if plain_scan else ""
    said_difference = _said(steatosis.difference_text) if plain_scan else ""
    rows: List[Tuple[str, str]] = [
        ("Liver, mean of the ROIs", _hu(steatosis.liver_mean) + said_liver),
        ("Spleen, mean of the ROIs", _hu(steatosis.spleen_mean)),
        ("Liver minus spleen", _hu(steatosis.difference) + said_difference),
        ("Ratio of the means", plain(steatosis.ratio_of_means, 2)),
        (
            "Whole liver, whole spleen (median)",
            f"{_hu(steatosis.liver_median)}, {_hu(steatosis.spleen_median)}",
        ),
        *([] if steatosis.screening else [("Approximate fat fraction", _fat(steatosis))]),
        ("Cut-offs of the ratio", str(steatosis.cut_offs)),
        ("Tube voltage", "not known" if conditions.kvp is None else f"{conditions.kvp:g} kVp"),
        ("ROIs", f"{liver} in the liver, {spleen} in the spleen, {_origin(steatosis)}"),
    ]
    if settings is not None:
        rows.append(
            (
                "Automatic ROIs",
                f"{settings.count} in each organ asked for, sides {settings.side_mm:g} mm, "
                f"at least {settings.margin_mm:g} mm from the border and "
                f"{settings.lesion_margin_mm:g} mm from lesions, seed {settings.seed}",
            )
        )
    return facts_table(((name, escape(value)) for name, value in rows), kind="provenance after-table")


def _origin(steatosis: Assessment) -> str:
    """Whether somebody changed the ROIs."""
    by_hand = [roi.name for roi, _ in steatosis.rois if not roi.automatic]
    return f"placed or changed by hand: {', '.join(by_hand)}" if by_hand else "all placed automatically"


def _hu(value: Optional[float]) -> str:
    return NONE if value is None else f"{plain(value, 1)} HU"


def _said(text: Optional[str]) -> str:
    return f" – {text}" if text else ""


def _fat(steatosis: Assessment) -> str:
    if steatosis.fat_fraction_percent is None:
        return NONE
    value = f"{plain(steatosis.fat_fraction_percent, 0)} %"
    doubts = " ".join(steatosis.fat_fraction_doubts)
    return f"{value} – {doubts}" if doubts else value


def _roi_table(readings: Sequence[MeasuredRoi], view: PatientView) -> str:
    if not readings:
        return ""
    return table(
        "Regions of interest: L in the liver, S in the spleen.",
        ROI_HEADS,
        [_roi_row(reading, view) for reading in readings],
        last_is_text=True,
        kind="scroll after-table",
    )


def _roi_row(measured: MeasuredRoi, view: PatientView) -> Tuple[str, ...]:
    roi, values = measured
    own = ["" if roi.automatic else "Placed or changed by hand.", *values.flags]
    return (
        escape(roi.name),
        plain(values.mean_hu, 1),
        plain(values.sd_hu, 1),
        str(view.file_slice(PLANE, view.nearest_slice(PLANE, roi.centre))),
        escape(" ".join(text for text in own if text)),
    )


def _pictures(readings: Sequence[MeasuredRoi], view: PatientView) -> str:
    if not readings:
        return ""
    figures: List[Figure] = []
    shown: Set[str] = set()
    for item in roi_pictures(view, readings):
        names = ", ".join(item.names)
        place = f"Slice {view.file_slice(PLANE, item.slice_index)} of {view.slices(PLANE)}."
        alt = f"Axial CT slice with the regions of interest {names}."
        ratio = item.picture.width / item.picture.height
        figures.append(Figure(to_data_uri(item.picture), alt, f"{names}. {place}", ratio))
        shown.update(item.names)
    more = ""
    if len(shown) < len(readings):
        more = f" The {MOST_SLICES} slices with the most ROIs show {len(shown)} of {len(readings)}."
    window = f"Window {ROI_WINDOW[0]:.0f}/{ROI_WINDOW[1]:.0f} HU (level/width)."
    note = f'<p class="note">Each ROI in a slice that cuts it; a dashed one is suspicious. {window}{more}</p>'
    grid = "".join(figure_element(figure) for figure in figures)
    return f'{note}<div class="grid three">{grid}</div>'
