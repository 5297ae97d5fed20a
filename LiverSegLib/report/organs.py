"""The report's numbers of liver, spleen and tumours: the cards at the top and the table of organs."""

from html import escape
from typing import Iterable, Mapping, Optional, Sequence, Tuple

from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..measure.facts import ClinicalFacts
from ..measure.measurements import Measurements, Organ
from ..measure.warnings import BURDEN, RATIO
from .pieces import NONE, css, plain, section, table, volume, warning_lines

PHASES = {
    "unenhanced": "Unenhanced",
    "arterial": "Arterial",
    "portal": "Portal venous",
    "late": "Delayed",
    "unknown": "Not determined",
}
"""Contrast phase -> how it is written."""

Places = Mapping[str, Sequence[str]]
"""Place -> its warnings, as ``warnings_by_place`` returns them."""


def key_numbers(measurements: Measurements, facts: ClinicalFacts, places: Places) -> str:
    """Return the cards: three volumes, tumour burden, contrast phase."""
    liver, spleen, tumour = (measurements.organ(key) for key in ("liver", "spleen", "tumour"))
    count = len(measurements.lesions)
    lesions = "no lesion found" if not count else "1 lesion" if count == 1 else f"{count} lesions"
    burden = measurements.tumour_burden_percent
    phase = measurements.phase or "unknown"
    reason = str(facts.phase.reason if facts.phase else "") or "estimated from the image"
    percent = NONE if burden is None else f"{plain(burden, 1)} <small>%</small>"
    cards = [
        _volume_card(liver, LIVER, "tumors included", places),
        _volume_card(spleen, SPLEEN, "", places),
        _volume_card(tumour, TUMOUR, lesions, places),
        _card("Tumor burden", percent, "of the liver volume", places[BURDEN]),
        _card("Contrast phase", escape(PHASES.get(phase, phase)), reason, (), word=True),
    ]
    return f'<section aria-label="Key numbers"><div class="cards">{"".join(cards)}</div></section>'


def organs_section(measurements: Measurements, places: Places) -> str:
    """Return the table of volumes and attenuation, and the liver-to-spleen ratio of the whole organs."""
    heads = ("Structure", "Volume (ml)", "Mean (HU)", "SD (HU)", "Median (HU)")
    body = table(
        "Liver volume includes tumors; liver attenuation is that of the parenchyma without them.",
        (*heads, "Cut off by the border of the scan"),
        [_row(organ) for organ in measurements.organs],
        last_is_text=True,
    )
    return section("Organs", body + _ratio(measurements, places[RATIO]), keep=True)


def _volume_card(organ: Organ, label: int, note: str, places: Places) -> str:
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
    sub = f'<div class="sub">{escape(note)}</div>' if note else ""
    kind = "value word" if word else "value"
    number = f'<h3>{escape(name)}</h3><div class="{kind}">{value}</div>'
    return f'<div class="card"{mark}>{number}{sub}{warning_lines(warnings)}</div>'


def _row(organ: Organ) -> Tuple[str, ...]:
    colour = next((info.colour for info in LABELS.values() if info.key == organ.key), (200, 200, 200))
    return (
        f'<span class="swatch" style="background:{css(colour)}"></span>{escape(organ.name)}',
        _at_least(organ) + volume(organ.volume_ml),
        plain(organ.mean_hu, 1),
        plain(organ.sd_hu, 1),
        plain(organ.median_hu, 1),
        escape(", ".join(organ.touches) or "no"),
    )


def _ratio(measurements: Measurements, warnings: Sequence[str]) -> str:
    if measurements.liver_spleen_ratio is None and measurements.liver_minus_spleen_hu is None:
        return ""
    ratio = plain(measurements.liver_spleen_ratio, 2)
    difference = plain(measurements.liver_minus_spleen_hu, 1)
    return (
        f'<p class="note">Liver-to-spleen attenuation ratio {ratio}; liver minus spleen {difference} HU '
        f"(means of the whole organs).</p>{warning_lines(warnings)}"
    )


def _at_least(organ: Organ) -> str:
    """A structure cut off by the border of the scan is at least as large as what is seen."""
    return "≥ " if organ.truncated and organ.voxels else ""
