"""The case report as one HTML file: no link to anything outside, no script; all text from the input is
escaped.

``skeleton`` is the page around the sections.
"""

import base64
from html import escape
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import SimpleITK as sitk

from ..images.grid import Grid
from ..images.modality import CT
from ..images.signal import like_hu
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..measure.facts import NOTHING_KNOWN, ClinicalFacts
from ..measure.measurements import Measurements
from ..measure.structures import StructureVolume
from ..measure.warnings import warnings_by_place
from ..review import WAYS, Given, Review
from ..steatosis.assessment import Assessment
from .fatty_liver import fatty_liver_section
from .figures import Figure, Figures, build_figures
from .lesions import lesions_section, rejected_section
from .organs import key_numbers, organs_section
from .pictures import WINDOW
from .pieces import (
    NOT_RECORDED,
    code,
    css,
    facts_table,
    figure_element,
    moment,
    option,
    plain,
    section,
    text_of,
    warning_box,
)
from .planes import PatientView
from .review import changes_section, made, review_banner
from .skeleton import whole_page
from .structures import structures_section

STACK_LIMIT = 1.2
"""Coronal and sagittal picture are stacked if together they are at most this much higher than the axial."""

MR_WINDOW = "Window from the 1st to the 99.5th percentile of the scan’s values."
"""How ``like_hu`` shows an MR."""

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
    review: Optional[Review] = None,
    structures: Sequence[StructureVolume] = (),
) -> str:
    """Return the report of a case as HTML.

    Args:
        image: the scan; CT in HU.
        labels: its mask, uint8, on the same grid.
        measurements: what was measured.
        provenance: how the result came about (``Result.provenance``); what is missing is shown as not
            recorded.
        facts: what is known of the scan.
        steatosis: the fatty-liver assessment, or None if there is none.
        rendering_png: the 3-D picture, or None if there is none.
        title: name of the scan.
        warnings: sentences on what makes the result doubtful.
        review: whether the result is automatic, edited or accepted; None if nothing is known of that.
        structures: volumes of what a model of another program finds beyond liver, spleen and tumours.

    Raises:
        ImageGeometryError: scan and mask do not lie on the same grid.
    """
    modality = measurements.modality
    shown = image if modality == CT else Grid.of(image).image(like_hu(sitk.GetArrayViewFromImage(image)))
    view = PatientView.of(shown, labels)
    figures = build_figures(view, measurements)
    places = warnings_by_place(measurements, [str(text) for text in warnings])
    given = Given.of(provenance)
    sections = [
        key_numbers(measurements, facts, places),
        warning_box("Please note", places["scan"]),
        _overview(figures, modality),
        lesions_section(measurements, figures.lesions, facts.left_out),
        rejected_section(measurements.rejected),
        _three_d(rendering_png),
        organs_section(measurements, places),
        structures_section(structures),
        changes_section(review, given),
        fatty_liver_section(steatosis, view) if steatosis is not None else "",
        _highlight(figures.highlight),
        _provenance(provenance, modality),
    ]
    return whole_page(
        name=title or "Unnamed scan",
        modality=modality,
        facts=_scan_facts(image, provenance),
        review=review_banner(review),
        made=made(review, given),
        sections=sections,
        version=text_of(provenance, "liverseg_version"),
    )


def _scan_facts(image: sitk.Image, provenance: Mapping[str, Any]) -> List[str]:
    size = " × ".join(str(value) for value in image.GetSize())
    spacing = " × ".join(plain(value, 2) for value in image.GetSpacing())
    facts = [
        f"{size} voxels of {spacing} mm",
        _drawn_by(provenance),
        f"Made {moment(provenance.get('created'))}",
    ]
    date = (provenance.get("input") or {}).get("date")
    if date:
        facts.insert(0, f"Scanned {moment(date)}")
    return facts


def _drawn_by(provenance: Mapping[str, Any]) -> str:
    """Which model drew the mask, or that it was given."""
    given = Given.of(provenance)
    if given is not None:
        return f"Given segmentation {given.name}"
    model, second = provenance.get("model") or {}, provenance.get("tumour_model")
    return f"Model {_named(model)}" + (f", tumors by {_named(second)}" if second else "")


def _named(model: Mapping[str, Any]) -> str:
    """A model's name and version, as text."""
    return f"{model.get('name', NOT_RECORDED)} {model.get('version', '')}".strip()


def _given(given: Given) -> List[Tuple[str, str]]:
    """Rows on the segmentation that was given to LiverSeg."""
    names = {info.key: info.name for info in LABELS.values()}
    taken = ", ".join(f"{segment} as {names.get(key, key).lower()}" for segment, key in given.segments)
    return [
        ("Segmentation", escape(f"{given.name}; LiverSeg did not draw it")),
        ("Kind of segmentation", escape(given.kind or NOT_RECORDED)),
        ("It was made", escape(WAYS.get(given.made, NOT_RECORDED))),
        ("Segments taken", escape(taken or "by their values")),
        ("Segments left out", escape(", ".join(given.left_out) or "none")),
    ]


def _models(provenance: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """Rows on the model, or on the two of them."""
    rows = []
    for key, what in (("model", "model"), ("tumour_model", "model for tumors")):
        model = provenance.get(key)
        if model or key == "model":
            model = model or {}
            rows += [
                (what.capitalize(), escape(_named(model))),
                (f"Hash of the {what} (SHA-256)", code(model.get("sha256"))),
                (f"Licence of the {what}", text_of(model, "licence")),
            ]
    return rows


def _overview(figures: Figures, modality: str) -> str:
    tilt = ""
    if figures.tilt_degrees >= NOTABLE_TILT_DEGREES:
        angle = f"{figures.tilt_degrees:.0f}°"
        tilt = f'<p class="note">The slices are tilted by up to {angle} against the patient’s axes.</p>'
    return section("Overview", _legend(modality) + tilt + _overview_pictures(*figures.overview), keep=True)


def _overview_pictures(axial: Figure, coronal: Figure, sagittal: Figure) -> str:
    """Axial and coronal side by side; where the scan is short, sagittal fits below coronal."""
    if 1.0 / coronal.aspect + 1.0 / sagittal.aspect < STACK_LIMIT / axial.aspect:
        stack = f'<div class="stack">{figure_element(coronal)}{figure_element(sagittal)}</div>'
        return f'<div class="grid overview">{figure_element(axial)}{stack}</div>'
    columns = f"--columns:{axial.aspect:.3f}fr {coronal.aspect:.3f}fr"  # this makes both equally high
    pair = figure_element(axial) + figure_element(coronal)
    return f'<div class="grid overview" style="{columns}">{pair}</div>'


def _legend(modality: str) -> str:
    keys = {
        LIVER: ("3px solid", "Liver (thin line)"),
        SPLEEN: ("3px dashed", "Spleen (dashed)"),
        TUMOUR: ("5px solid", "Liver tumor (thick, numbered)"),
    }
    items = "".join(
        f'<span><i style="border-top:{line} {css(LABELS[label].colour)}"></i>{text}</span>'
        for label, (line, text) in keys.items()
    )
    hu = f"Window {WINDOW[0]:.0f}/{WINDOW[1]:.0f} HU (level/width)."
    window = hu if modality == CT else MR_WINDOW
    sides = "Patient’s right at the left of axial and coronal pictures."
    return f'<div class="legend">{items}</div><p class="note">{window} {sides}</p>'


def _three_d(png: Optional[bytes]) -> str:
    if not png:
        reason = "this machine could not draw one, or it was not asked for"
        body = f'<p class="empty">There is no 3-D picture: {reason}.</p>'
    else:
        picture = Figure(
            "data:image/png;base64," + base64.b64encode(png).decode("ascii"),
            "3-D picture of the liver, translucent, with the tumors inside it, and of the spleen.",
            "Liver translucent, tumors and spleen solid. The letters give the patient’s directions.",
        )
        body = figure_element(picture, on_white=True)
    return section("3-D picture", body, keep=True)


def _highlight(figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    note = '<p class="note">Liver gray, tumors white, everything else black.</p>'
    pictures = "".join(figure_element(figure) for figure in figures)
    return section("Highlight image", f'{note}<div class="grid two">{pictures}</div>', keep=True)


def _provenance(provenance: Mapping[str, Any], modality: str) -> str:
    source = provenance.get("input") or {}
    seconds = provenance.get("seconds") or {}
    times = ", ".join(f"{stage} {plain(value, 1)} s" for stage, value in seconds.items())
    options = provenance.get("options") or {}
    chosen = ", ".join(f"{key.replace('_', ' ')}: {option(value)}" for key, value in options.items())
    fallbacks = provenance.get("fallbacks") or []
    device = " – ".join(str(provenance[key]) for key in ("device", "device_name") if provenance.get(key))
    engine = " ".join(str(part) for part in (provenance.get("engine") or {}).values())
    given = Given.of(provenance)
    computed = (
        ("Engine", escape(engine or NOT_RECORDED)),
        ("Device", escape(device or NOT_RECORDED)),
        ("Precision", text_of(provenance, "precision")),
        ("Threads", text_of(provenance, "threads")),
        ("Time by stage", escape(times or NOT_RECORDED)),
        ("Options", escape(chosen or NOT_RECORDED)),
        ("Fallbacks", escape(" ".join(str(text) for text in fallbacks)) or "none"),
    )
    rows = (
        ("Scan", text_of(source, "name")),
        *([] if modality == CT else [("Modality", escape(modality))]),
        ("Hash of the scan (SHA-256)", code(source.get("sha256"))),
        *(_models(provenance) if given is None else _given(given)),
        ("LiverSeg version", text_of(provenance, "liverseg_version")),
        *(computed if given is None else ()),
        ("Made", escape(moment(provenance.get("created")))),
    )
    return section("How this was made", facts_table(rows), keep=True)
