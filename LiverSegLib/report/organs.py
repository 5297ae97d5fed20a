"""The report's numbers of liver, spleen and tumours: the cards at the top and the table of organs."""

from html import escape
from typing import Iterable, Mapping, Optional, Sequence, Tuple

from ..images.modality import CT
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..measure.facts import ClinicalFacts
from ..measure.measurements import Measurements, Organ
from ..measure.warnings import BURDEN, NOT_SEGMENTED, RATIO
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
    """Return the cards: three volumes, tumour burden, contrast phase; MR has none of that."""
    liver, spleen, tumour = (measurements.organ(key) for key in ("liver", "spleen", "tumour"))
    count = len(measurements.lesions)
    lesions = "no lesion found" if not count else "1 lesion" if count == 1 else f"{count} lesions"
    burden = measurements.tumour_burden_percent
    phase = measurements.phase or "unknown"
    reason = str(facts.phase.reason if facts.phase else "") or "estimated from the image"
    percent = NONE if burden is None else f"{plain(burden, 1)} <small>%</small>"
    of_what = "of the liver volume" if tumour.segmented else "Tumors are not segmented."
    cards = [
        _volume_card(liver, LIVER, "tumors included" if tumour.segmented else "", places),
        _volume_card(spleen, SPLEEN, "", places),
        _volume_card(tumour, TUMOUR, lesions, places),
        _card("Tumor burden", percent, of_what, places[BURDEN]),
    ]
    if measurements.modality == CT:
        cards.append(_card("Contrast phase", escape(PHASES.get(phase, phase)), reason, (), word=True))
    return f'<section aria-label="Key numbers"><div class="cards">{"".join(cards)}</div></section>'


def organs_section(measurements: Measurements, places: Places) -> str:
    """Return the table of volumes and attenuation, and the liver-to-spleen ratio of the whole organs; of MR
    the volumes and the sentence why no more."""
    has_hu = measurements.modality == CT
    heads = ("Structure", "Volume (ml)", *(("Mean (HU)", "SD (HU)", "Median (HU)") if has_hu else ()))
    said = "; liver attenuation is that of the parenchyma without them." if has_hu else "."
    body = table(
        f"Liver volume includes tumors{said}" if measurements.organ("tumour").segmented else "",
        (*heads, "Cut off by the border of the scan"),
        [_row(organ, has_hu) for organ in measurements.organs],
        last_is_text=True,
    )
    if measurements.note is not None:
        body += f'<p class="note">{escape(measurements.note)}</p>'
    return section("Organs", body + _ratio(measurements, places[RATIO]), keep=True)


def _volume_card(organ: Organ, label: int, note: str, places: Places) -> str:
    missing = not organ.segmented or (not organ.voxels and label != TUMOUR)
    none = "not found" if organ.segmented else "not segmented"
    value = none if missing else f"{_at_least(organ)}{volume(organ.volume_ml)} <small>ml</small>"
    info, note = LABELS[label], "" if missing else note
    note = note if organ.segmented else "This model does not draw it."
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


def _row(organ: Organ, has_hu: bool) -> Tuple[str, ...]:
    colour = next((info.colour for info in LABELS.values() if info.key == organ.key), (200, 200, 200))
    return (
        f'<span class="swatch" style="background:{css(colour)}"></span>{escape(organ.name)}',
        _at_least(organ) + volume(organ.volume_ml) if organ.segmented else NONE,
        *((plain(value, 1) for value in (organ.mean_hu, organ.sd_hu, organ.median_hu)) if has_hu else ()),
        escape(", ".join(organ.touches) or "no") if organ.segmented else escape(NOT_SEGMENTED),
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
