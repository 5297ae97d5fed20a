"""An evaluation as one HTML page: key numbers, worst cases, box plots, tables, definitions."""

from dataclasses import dataclass
from html import escape
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .box_plots import box_plots
from .case_pictures import EXTRA_COLOUR, LACKING_COLOUR, PREDICTION_COLOUR, REFERENCE_COLOUR, Picture
from .html import definitions_table, note, number, on_screen, page, section, table, warning_box
from .metrics import BY_KEY, METRICS
from .run import Evaluation
from .score import BOTH, EMPTY, FALSE, LESION_IOUS, MISSED, StructureScore
from .summary import StructureSummary, lits_summary, sentences, summarise
from .tables import definitions, versions

CASES_OPEN = 40
"""A table of more cases than this is folded."""

PRESENCE_WORDS = {BOTH: "", MISSED: "missed", FALSE: "false finding", EMPTY: "rightly empty"}


@dataclass(frozen=True)
class PicturedCase:
    """A case among the worst of a structure, with its picture."""

    structure: str
    case: str
    score: StructureScore
    picture: Picture


def evaluation_page(
    evaluation: Evaluation, about: Mapping[str, Any], pictures: Sequence[PicturedCase] = ()
) -> str:
    """Return the page.

    Args:
        evaluation: the scores.
        about: "title", "predictions", "references", "created", "liverseg_version".
        pictures: the worst cases, in the order in which they are shown.
    """
    summaries = summarise(evaluation)
    cases = len(evaluation.cases)
    return page(
        title=str(about["title"]),
        kind="evaluation against references",
        facts=(
            f"{cases} case{'s' * (cases != 1)}",
            f"Predictions {about['predictions']}",
            f"References {about['references']}",
            f"Made {about['created']}",
        ),
        version=str(about["liverseg_version"]),
        sections=(
            warning_box("Not all cases took part", sentences(evaluation)),
            f'<div class="cards">{"".join(_card(item) for item in summaries)}</div>',
            _worst(pictures),
            section(
                "Every case",
                f'<div class="plots">{box_plots(summaries)}</div>',
                note(
                    "Boxes: quartiles and median; whiskers: furthest case within 1.5 times the box. Every "
                    "case is a point; its name appears when the mouse pointer rests on it. Only cases whose "
                    "reference has the structure."
                ),
            ),
            section("Structures", *(_statistics(item) for item in summaries)),
            section("Lesions", *(_detection(item) for item in summaries)),
            section("LiTS", _lits(lits_summary(evaluation))),
            section("CHAOS", _chaos(summaries)),
            section("Case by case", *(_cases(item) for item in summaries)),
            section("What was done to compare", _notes(evaluation)),
            section("Definitions", _definitions(evaluation)),
        ),
    )


def _card(summary: StructureSummary) -> str:
    found = {metric.key: statistics for metric, statistics in summary.metrics}["dice"]
    counts = summary.counts
    lines = [f"Dice of all volumes together {number(summary.pooled.dice, 3)}"]
    if found.n:
        worst = next(item for item in summary.scores if item[1].presence in (BOTH, MISSED))
        lines.append(f"worst {number(found.minimum, 3)} ({escape(worst[0])})")
    said = [
        f"{counts[presence]} {words}"
        for presence, words in ((MISSED, "missed"), (FALSE, "false findings"), (EMPTY, "rightly empty"))
        if counts[presence]
    ]
    lines += [", ".join(said)] if said else []
    spread = "" if found.sd is None else f" ± {number(found.sd, 3)}"
    plural = "s" * (found.n != 1)
    return (
        f'<div class="card"><h3>{escape(_name(summary.structure))}</h3><div class="value">'
        f"{number(found.mean, 3)}<small>{spread}</small></div>"
        f'<div class="sub">mean Dice of {found.n} case{plural}</div>'
        + "".join(f'<div class="sub">{line}</div>' for line in lines)
        + "</div>"
    )


def _worst(pictures: Sequence[PicturedCase]) -> str:
    if not pictures:
        return ""
    legend = (
        f'<div class="legend"><span><i style="border-top:3px solid {REFERENCE_COLOUR}"></i>Reference</span>'
        f'<span><i style="border-top:3px dashed {PREDICTION_COLOUR}"></i>Prediction</span>'
        f'<span><i class="area" style="background:{_css(LACKING_COLOUR)}"></i>lacking</span>'
        f'<span><i class="area" style="background:{_css(EXTRA_COLOUR)}"></i>too much</span></div>'
    )
    parts: List[str] = []
    for structure in dict.fromkeys(item.structure for item in pictures):
        figures = "".join(_figure(item) for item in pictures if item.structure == structure)
        parts.append(f'<h3>{escape(_name(structure))}</h3><div class="pictures">{figures}</div>')
    return section(
        "Worst cases first", legend, *parts, note("Axial, seen from below; the slice with most error.")
    )


def _figure(item: PicturedCase) -> str:
    values = item.score.metrics
    words = [f"Dice {number(values['dice'], 3)}"]
    if values["hd95_mm"] is not None:
        words.append(f"HD95 {number(values['hd95_mm'], 1)} mm")
    words.append(f"{number(item.score.overlap.reference, 1)} ml, drawn {_ml(item.score)}")
    said = PRESENCE_WORDS[item.score.presence]
    caption = f"{', '.join(words)}{', ' + said if said else ''}. {item.picture.caption}"
    alt = escape(f"{item.case}, {item.structure}: {caption}", quote=True)
    return (
        f'<figure><img src="{item.picture.source}" alt="{alt}">'
        f"<figcaption><b>{escape(item.case)}</b> {escape(caption)}</figcaption></figure>"
    )


def _ml(score: StructureScore) -> str:
    return f"{number(score.overlap.prediction, 1)} ml"


def _css(colour: Tuple[float, float, float, float]) -> str:
    red, green, blue = (round(255 * value) for value in colour[:3])
    return f"rgb({red} {green} {blue} / {min(1.0, 2 * colour[3]):.2f})"


def _statistics(summary: StructureSummary) -> str:
    rows = []
    for metric, found in summary.metrics:
        unit = f" ({metric.unit})" if metric.unit else ""
        spread = "" if found.sd is None else f" ± {number(found.sd, metric.decimals)}"
        quartiles = f"{number(found.q1, metric.decimals)} to {number(found.q3, metric.decimals)}"
        ends = f"{number(found.minimum, metric.decimals)} to {number(found.maximum, metric.decimals)}"
        rows.append(
            [
                escape(f"{metric.name}{unit}"),
                f"{number(found.mean, metric.decimals)}{spread}",
                number(found.median, metric.decimals),
                quartiles if found.n else "–",
                ends if found.n else "–",
                f"{found.n}" + (f" ({found.undefined} undefined)" if found.undefined else ""),
            ]
        )
    heads = ("", "Mean ± SD", "Median", "Quartiles", "Range", "Cases")
    pooled = f"Dice of the volumes of all cases together: {number(summary.pooled.dice, 3)}."
    return f"<h3>{escape(_name(summary.structure))}</h3>" + table(heads, rows) + note(pooled)


def _detection(summary: StructureSummary) -> str:
    content = summary.to_dict()
    if "lesions" not in content:
        return ""
    heads = ("Diameter", "Lesions", "Found", "Recall", "Predicted", "Right", "Precision", "F1")
    parts = [f"<h3>{escape(_name(summary.structure))}</h3>"]
    for least in LESION_IOUS:
        found = content["lesions"][f"iou_above_{least:g}"]
        groups = [*((_size(item), item) for item in found["by_size"]), ("all", found["total"])]
        rows = [
            [name, *(str(item[key]) for key in ("references", "detected")), number(item["recall"], 3)]
            + [*(str(item[key]) for key in ("predictions", "correct")), number(item["precision"], 3)]
            + [number(item["f1"], 3)]
            for name, item in groups
        ]
        what = "any overlap" if least == 0 else f"intersection over union above {least:g}"
        parts.append(table(heads, rows, caption=f"Found with {what}"))
    burden = content["burden"]
    if burden["cases"]:
        parts.append(
            note(
                f"Tumor burden, {burden['cases']} cases: root mean square error {number(burden['rmse'], 4)}, "
                f"largest error {number(burden['max_error'], 4)}."
            )
        )
    return "".join(parts)


def _size(item: Mapping[str, Any]) -> str:
    upper = item["upper_mm"]
    return f"{item['lower_mm']:g} mm and more" if upper is None else f"{item['lower_mm']:g} to {upper:g} mm"


def _lits(found: Optional[Dict[str, Any]]) -> str:
    if found is None:
        return ""
    keys = ("dice_per_case", "dice_global", "voe", "rvd", "assd_mm", "rmsd_mm", "mssd_mm")
    heads = ("", "Dice per case", "Dice global", "VOE", "RVD", "ASSD (mm)", "RMSD (mm)", "MSSD (mm)")
    rows = [
        [name.capitalize(), *(number(found[name][key], 3) for key in keys)] for name in ("liver", "lesion")
    ]
    detection = [
        [
            f"IoU above {least:g}",
            *(str(item[key]) for key in ("true_positives", "false_positives", "false_negatives")),
            *(number(item[key], 3) for key in ("precision", "recall", "f1")),
        ]
        for least, item in ((least, found["detection"][f"iou_above_{least:g}"]) for least in LESION_IOUS)
    ]
    burden = found["burden"]
    return (
        table(heads, rows, caption=f"{found['cases']} cases; lesions: pairs detected with IoU above 0.5")
        + table(("Detection", "Right", "False", "Missed", "Precision", "Recall", "F1"), detection)
        + note(f"Tumor burden: RMSE {number(burden['rmse'], 4)}, max error {number(burden['max_error'], 4)}.")
    )


def _chaos(summaries: Sequence[StructureSummary]) -> str:
    rows = []
    for summary in summaries:
        found = summary.to_dict().get("chaos")
        if found:
            keys = ("points_dice", "points_ravd", "points_assd", "points_mssd", "score")
            rows.append([escape(_name(summary.structure)), *(number(found[key], 1) for key in keys)])
    return table(("Points, 0 to 100", "Dice", "RAVD", "ASSD", "MSSD", "Score"), rows) if rows else ""


def _cases(summary: StructureSummary) -> str:
    keys = [metric.key for metric, _ in summary.metrics if metric in METRICS and metric.key != "voe"]
    heads = ["Case", "Reference (ml)", "Prediction (ml)"]
    heads += [f"{BY_KEY[key].name}" + (f" ({BY_KEY[key].unit})" if BY_KEY[key].unit else "") for key in keys]
    rows = [
        [
            escape(case),
            number(score.overlap.reference, 1),
            number(score.overlap.prediction, 1),
            *(number(score.metrics.get(key), BY_KEY[key].decimals) for key in keys),
            escape(PRESENCE_WORDS[score.presence]),
        ]
        for case, score in summary.scores
    ]
    body = table([*heads, ""], rows, text_columns=(len(heads),))
    heading = escape(_name(summary.structure))
    if len(rows) > CASES_OPEN:
        return f"<details><summary>{heading}: {len(rows)} cases</summary>{body}</details>"
    return f"<h3>{heading}</h3>{body}"


def _notes(evaluation: Evaluation) -> str:
    items = [
        f"<li><b>{escape(case.case)}</b> {escape(' '.join(case.notes))}</li>"
        for case in evaluation.cases
        if case.notes
    ]
    return f'<ul class="note">{"".join(items)}</ul>' if items else ""


def _definitions(evaluation: Evaluation) -> str:
    rows = {
        (BY_KEY[key].name if key in BY_KEY else key.replace("_", " ").capitalize()): text
        for key, text in definitions(evaluation).items()
    }
    structures = "; ".join(
        f"{item.name}: {'+'.join(map(str, item.values))} in references, "
        f"{'+'.join(map(str, item.predicted))} in predictions"
        for item in evaluation.settings.structures
    )
    rows["Label values"] = structures + "."
    rows["Versions"] = ", ".join(f"{name} {version}" for name, version in versions().items())
    return definitions_table(rows)


def _name(structure: str) -> str:
    """A structure's name as a heading, with the spelling of the screen."""
    return structure[:1].upper() + on_screen(structure)[1:]
