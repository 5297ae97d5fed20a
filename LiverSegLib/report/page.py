"""The case report as one HTML file: no link to anything outside, no script; all text from the input is
escaped."""

import base64
import os
from html import escape
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, Tuple, Union

import SimpleITK as sitk

from ..cancelling import while_checking
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..measure.facts import NOTHING_KNOWN, ClinicalFacts
from ..measure.measurements import Lesion, Measurements, Organ
from ..measure.warnings import BURDEN, RATIO, lesion_numbers, warnings_by_place, warnings_of_lesions
from ..steatosis.assess import Assessment
from ..whole_file import write_whole
from .fatty_liver import fatty_liver_section
from .figures import MOST_LESIONS, Figure, Figures, build_figures
from .pictures import WINDOW
from .pieces import (
    NONE,
    NOT_RECORDED,
    code,
    css,
    figure_element,
    moment,
    option,
    plain,
    text_of,
    volume,
    warning_lines,
    words,
)
from .rejected import rejected_section
from .style import STYLE

RESEARCH_USE = "Research use only – not a medical device, not for diagnosis."
_RESEARCH_MORE = "Made automatically. Masks and numbers must be checked by a qualified reader."

PHASES = {
    "unenhanced": "Unenhanced",
    "arterial": "Arterial",
    "portal": "Portal venous",
    "late": "Late",
    "unknown": "Not determined",
}
"""Contrast phase -> how it is written."""

STACK_LIMIT = 1.2
"""Coronal and sagittal picture are stacked if together they are at most this much higher than the axial."""

NOTABLE_TILT_DEGREES = 5.0
"""From this angle on the report says that the slices are oblique."""


def build_report(
    *,
    image: sitk.Image,
    labels: sitk.Image,
    measurements: Measurements,
    provenance: Mapping[str, Any],
    facts: ClinicalFacts = NOTHING_KNOWN,
    steatosis: Optional[Assessment] = None,
    rendering_png: Optional[bytes] = None,
    title: str = "",
    warnings: Sequence[str] = (),
) -> str:
    """Return the report of a case as HTML.

    Args:
        image: the scan, HU.
        labels: its mask, uint8, on the same grid.
        measurements: what was measured.
        provenance: how the result came about (``Result.provenance``); what is missing is shown as not
        recorded.
        facts: what is known of the scan.
        steatosis: the fatty-liver assessment, or None if there is none.
        rendering_png: the 3-D picture, or None if there is none.
        title: name of the scan.
        warnings: sentences on what makes the result doubtful.

    Raises:
        ImageGeometryError: scan and mask do not lie on the same grid.
    """
    figures = build_figures(image, labels, measurements)
    name = title or "Unnamed scan"
    places = warnings_by_place(measurements, [str(text) for text in warnings])
    parts = [
        _header(name, image, provenance),
        _key_numbers(measurements, facts, places),
        _warnings_box(places["scan"]),
        _overview(figures),
        _lesions(measurements, figures.lesions, facts.left_out),
        rejected_section(measurements.rejected),
        _three_d(rendering_png),
        _organs(measurements, places[RATIO]),
        fatty_liver_section(steatosis, image, labels) if steatosis is not None else "",
        _highlight(figures),
        _provenance(provenance),
        _footer(provenance),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(name)} – LiverSeg report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def write_report(
    path: Union[str, os.PathLike],
    *,
    image: sitk.Image,
    labels: sitk.Image,
    measurements: Measurements,
    provenance: Mapping[str, Any],
    facts: ClinicalFacts = NOTHING_KNOWN,
    steatosis: Optional[Assessment] = None,
    rendering_png: Optional[bytes] = None,
    title: str = "",
    warnings: Sequence[str] = (),
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Write the report of a case; an existing file is replaced only when the new one is complete. See
    build_report. ``check`` is called often while the pictures are drawn; it may raise to cancel.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    page = while_checking(
        lambda ask: build_report(
            image=image,
            labels=labels,
            measurements=measurements,
            provenance=provenance,
            facts=facts,
            steatosis=steatosis,
            rendering_png=rendering_png,
            title=title,
            warnings=warnings,
        ),
        check,
    )
    write_whole(path, page.encode("utf-8", "replace"), "write.report")
    return path


# --- sections -------------------------------------------------------------------------------------


def _header(name: str, image: sitk.Image, provenance: Mapping[str, Any]) -> str:
    size = " × ".join(str(value) for value in image.GetSize())
    spacing = " × ".join(plain(value, 2) for value in image.GetSpacing())
    model = provenance.get("model") or {}
    facts = [
        f"{size} voxels of {spacing} mm",
        f"Model {model.get('name', NOT_RECORDED)} {model.get('version', '')}".strip(),
        f"Made {moment(provenance.get('created'))}",
    ]
    date = (provenance.get("input") or {}).get("date")
    if date:
        facts.insert(0, f"Scanned {moment(date)}")
    spans = "".join(f"<span>{escape(fact)}</span>" for fact in facts)
    return (
        '<header><div class="brand">LiverSeg · liver, spleen and liver tumors on CT</div>'
        f'<h1>{escape(name)}</h1><p class="facts">{spans}</p></header>\n'
        f'<p class="research">{escape(RESEARCH_USE)} <span>{escape(_RESEARCH_MORE)}</span></p>'
    )


def _footer(provenance: Mapping[str, Any]) -> str:
    version = text_of(provenance, "liverseg_version")
    return f"<footer>{escape(RESEARCH_USE)} {escape(_RESEARCH_MORE)} LiverSeg {version}.</footer>"


def _key_numbers(
    measurements: Measurements, facts: ClinicalFacts, places: Mapping[str, Sequence[str]]
) -> str:
    liver, spleen, tumour = (measurements.organ(key) for key in ("liver", "spleen", "tumour"))
    count = len(measurements.lesions)
    lesions = "no lesion found" if not count else "1 lesion" if count == 1 else f"{count} lesions"
    burden = measurements.tumour_burden_percent
    phase = measurements.phase or "unknown"
    reason = str(facts.phase.reason if facts.phase else "") or "estimated from the image"
    cards = [
        _volume_card(liver, LIVER, "tumors included", places),
        _volume_card(spleen, SPLEEN, "", places),
        _volume_card(tumour, TUMOUR, lesions, places),
        _card(
            "Tumor burden",
            NONE if burden is None else f"{plain(burden, 1)} <small>%</small>",
            "of the liver volume",
            places[BURDEN],
        ),
        _card("Contrast phase", escape(PHASES.get(phase, phase)), reason, (), word=True),
    ]
    return f'<section aria-label="Key numbers"><div class="cards">{"".join(cards)}</div></section>'


def _volume_card(organ: Organ, label: int, note: str, places: Mapping[str, Sequence[str]]) -> str:
    missing = not organ.voxels and label != TUMOUR
    value = "not found" if missing else f"{_at_least(organ)}{volume(organ.volume_ml)} <small>ml</small>"
    info, note = LABELS[label], "" if missing else note
    return _card(info.name, value, note, places[organ.key], info.colour, word=missing)


def _card(
    name: str,
    value: str,
    note: str,
    warnings: Iterable[str],
    colour: Optional[Tuple[int, int, int]] = None,
    *,
    word: bool = False,
) -> str:
    mark = f' style="--mark:{css(colour)}"' if colour else ""
    lines = warning_lines(warnings)
    sub = f'<div class="sub">{escape(note)}</div>' if note else ""
    kind = "value word" if word else "value"
    return (
        f'<div class="card"{mark}><h3>{escape(name)}</h3><div class="{kind}">{value}</div>{sub}{lines}</div>'
    )


def _warnings_box(warnings: Iterable[str]) -> str:
    once = list(dict.fromkeys(str(text) for text in warnings))
    if not once:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in once)
    return f'<section class="warnings"><h2>Please note</h2><ul>{items}</ul></section>'


def _overview(figures: Figures) -> str:
    tilt = ""
    if figures.tilt_degrees >= NOTABLE_TILT_DEGREES:
        angle = f"{figures.tilt_degrees:.0f}°"
        tilt = f'<p class="note">The slices are tilted by up to {angle} against the patient’s axes.</p>'
    pictures = _overview_pictures(*figures.overview)
    return f'<section class="keep"><h2>Overview</h2>{_legend()}{tilt}{pictures}</section>'


def _overview_pictures(axial: Figure, coronal: Figure, sagittal: Figure) -> str:
    """Axial and coronal side by side; where the scan is short, sagittal fits below coronal."""
    if 1.0 / coronal.aspect + 1.0 / sagittal.aspect < STACK_LIMIT / axial.aspect:
        stack = f'<div class="stack">{figure_element(coronal)}{figure_element(sagittal)}</div>'
        return f'<div class="grid overview">{figure_element(axial)}{stack}</div>'
    columns = f"--columns:{axial.aspect:.3f}fr {coronal.aspect:.3f}fr"  # this makes both equally high
    return (
        f'<div class="grid overview" style="{columns}">{figure_element(axial)}{figure_element(coronal)}</div>'
    )


def _legend() -> str:
    styles = {LIVER: "3px solid", SPLEEN: "3px dashed", TUMOUR: "5px solid"}
    keys = {LIVER: "Liver (thin line)", SPLEEN: "Spleen (dashed)", TUMOUR: "Liver tumor (thick, numbered)"}
    items = "".join(
        f'<span><i style="border-top:{styles[label]} {css(LABELS[label].colour)}"></i>{keys[label]}</span>'
        for label in styles
    )
    window = f"Window {WINDOW[0]:.0f}/{WINDOW[1]:.0f} HU (level/width)."
    sides = "Patient’s right at the left of axial and coronal pictures."
    return f'<div class="legend">{items}</div><p class="note">{window} {sides}</p>'


def _lesions(measurements: Measurements, figures: Sequence[Figure], left_out: Sequence[str]) -> str:
    lesions = measurements.lesions
    if not lesions:
        said = "No lesion was found. Small or faint lesions can be missed; this does not rule out disease."
        if left_out:
            at_volume = measurements.organ("tumour").warnings
            said = " ".join(["No lesion was kept.", *(text for text in left_out if text not in at_volume)])
        return f'<section><h2>Lesions</h2><p class="empty">{escape(said)}</p></section>'
    heads = (
        "No.", "Slice", "Volume (ml)", "Longest axial diameter (mm)", "Perpendicular (mm)", "Mean ± SD (HU)",
        "Distance to liver surface (mm)", "Mean network probability (%)",
    )  # fmt: skip
    rows = "".join(_lesion_row(lesion) for lesion in lesions)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    table = (
        '<div class="scroll"><table><caption>Largest first. Diameters as in RECIST 1.1: the longest in an '
        f"axial slice, and the longest at right angles to it.</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{_lesion_warnings(measurements)}"
    )
    more = ""
    if len(lesions) > MOST_LESIONS:
        more = f'<p class="note">Pictures show the {MOST_LESIONS} largest of {len(lesions)} lesions.</p>'
    columns = "two" if len(lesions) == 1 else "four"
    pictures = "".join(figure_element(figure) for figure in figures)
    grid = f'<div class="grid {columns} after-table">{pictures}</div>'
    return f"<section><h2>Lesions</h2>{table}{more}{grid}</section>"


def _lesion_warnings(measurements: Measurements) -> str:
    """Each sentence on lesions once, under the table, with their numbers."""
    organs = [text for organ in measurements.organs for text in organ.warnings]
    found = warnings_of_lesions(measurements.lesions, [*organs, *measurements.warnings])
    return warning_lines(f"{lesion_numbers(numbers)}: {text}" for text, numbers in found)


def _lesion_row(lesion: Lesion) -> str:
    cells = (
        str(lesion.slice_index + 1),
        ("≥ " if lesion.truncated else "") + volume(lesion.volume_ml),
        plain(lesion.longest_diameter_mm, 1),
        plain(lesion.perpendicular_mm, 1),
        f"{plain(lesion.mean_hu, 0)} ± {plain(lesion.sd_hu, 0)}",
        plain(lesion.surface_distance_mm, 1),
        NONE if lesion.probability is None else plain(100.0 * lesion.probability, 0),
    )
    row = f'<th scope="row">{lesion.number}</th>' + "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr>{row}</tr>"


def _three_d(png: Optional[bytes]) -> str:
    if not png:
        reason = "this machine could not draw one, or it was not asked for"
        body = f'<p class="empty">There is no 3-D picture: {reason}.</p>'
    else:
        source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
        body = figure_element(
            Figure(
                source,
                "3-D picture of the liver, translucent, with the tumors inside it, and of the spleen.",
                "Liver translucent, tumors and spleen solid. The letters give the patient’s directions.",
            ),
            on_white=True,
        )
    return f'<section class="keep"><h2>3-D picture</h2>{body}</section>'


def _organs(measurements: Measurements, of_ratio: Sequence[str]) -> str:
    rows = []
    for organ in measurements.organs:
        colour = next((info.colour for info in LABELS.values() if info.key == organ.key), (200, 200, 200))
        reach = ", ".join(organ.touches) if organ.touches else "no"
        name = f'<span class="swatch" style="background:{css(colour)}"></span>{escape(organ.name)}'
        numbers = (
            _at_least(organ) + volume(organ.volume_ml),
            plain(organ.mean_hu, 1),
            plain(organ.sd_hu, 1),
            plain(organ.median_hu, 1),
        )
        cells = "".join(f"<td>{value}</td>" for value in numbers)
        rows.append(f'<tr><th scope="row">{name}</th>{cells}<td class="text">{escape(reach)}</td></tr>')
    heads = ("Structure", "Volume (ml)", "Mean (HU)", "SD (HU)", "Median (HU)")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    head += '<th scope="col" class="text">Cut off by the border of the scan</th>'
    return (
        '<section class="keep"><h2>Organs</h2><div class="scroll"><table><caption>Liver volume includes '
        "tumors; liver attenuation is that of the parenchyma without them.</caption>"
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>{_ratio(measurements, of_ratio)}</section>"
    )


def _ratio(measurements: Measurements, sentences: Sequence[str]) -> str:
    if measurements.liver_spleen_ratio is None and measurements.liver_minus_spleen_hu is None:
        return ""
    warnings = warning_lines(sentences)
    ratio = plain(measurements.liver_spleen_ratio, 2)
    difference = plain(measurements.liver_minus_spleen_hu, 1)
    return (
        f'<p class="note">Liver-to-spleen attenuation ratio {ratio}; liver minus spleen {difference} HU '
        f"(means of the whole organs).</p>{warnings}"
    )


def _highlight(figures: Figures) -> str:
    if not figures.highlight:
        return ""
    pictures = "".join(figure_element(figure) for figure in figures.highlight)
    return (
        '<section class="keep"><h2>Highlight image</h2>'
        '<p class="note">Liver gray, tumors white, everything else black.</p>'
        f'<div class="grid two">{pictures}</div></section>'
    )


def _provenance(provenance: Mapping[str, Any]) -> str:
    model, source = provenance.get("model") or {}, provenance.get("input") or {}
    seconds = provenance.get("seconds") or {}
    times = ", ".join(f"{stage} {plain(value, 1)} s" for stage, value in seconds.items())
    options = provenance.get("options") or {}
    chosen = ", ".join(f"{words(key)}: {option(value)}" for key, value in options.items())
    fallbacks = provenance.get("fallbacks") or []
    device = " – ".join(str(provenance[key]) for key in ("device", "device_name") if provenance.get(key))
    rows = (
        ("Scan", text_of(source, "name")),
        ("Hash of the scan (SHA-256)", code(source.get("sha256"))),
        ("Model", f"{text_of(model, 'name')} {escape(str(model.get('version', '')))}"),
        ("Hash of the model (SHA-256)", code(model.get("sha256"))),
        ("Licence of the model", text_of(model, "licence")),
        ("LiverSeg version", text_of(provenance, "liverseg_version")),
        ("Device", escape(device or NOT_RECORDED)),
        ("Precision", text_of(provenance, "precision")),
        ("Threads", text_of(provenance, "threads")),
        ("Time by stage", escape(times or NOT_RECORDED)),
        ("Options", escape(chosen or NOT_RECORDED)),
        ("Retreats", escape(" ".join(str(text) for text in fallbacks)) or "none"),
        ("Made", escape(moment(provenance.get("created")))),
    )
    body = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    table = f'<table class="provenance"><tbody>{body}</tbody></table>'
    return f'<section class="keep"><h2>How this was made</h2>{table}</section>'


def _at_least(organ: Organ) -> str:
    """A structure cut off by the border of the scan is at least as large as what is seen."""
    return "≥ " if organ.truncated and organ.voxels else ""
