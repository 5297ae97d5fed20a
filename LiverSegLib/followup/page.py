"""The comparison as one HTML page, in the look of the report: response, sums, lesions, pictures, organs."""

from html import escape
from typing import Dict, List, Optional, Sequence

from ..report.figures import Figure
from ..report.organs import PHASES
from ..report.pieces import NONE, figure_element, plain, section, table, volume, warning_box, warning_lines
from ..report.skeleton import whole_page
from ..sentences import Sentence
from .comparison import FollowUp
from .courses import MEASURED, NOT_IN_VIEW, NOT_LOOKED, Course
from .pictures import MOST_COURSES, build_pictures
from .plot import plot
from .recist import IN_WORDS, Response
from .visits import Visit, days_between

STYLE = """
.category { display:inline-block; min-width:3.2em; text-align:center; padding:1px 8px; border-radius:4px;
  font-weight:700; border:2px solid var(--ink); white-space:nowrap; }
.category.PD { border-color:#8f1d1d; color:#8f1d1d; }
.category.PR,.category.CR { border-color:#1d6b3a; color:#1d6b3a; }
td .sub,th .sub { font-weight:400; white-space:nowrap; } .event { font-weight:600; }
h3.lesion { font-size:15px; margin:18px 0 6px; } .rules { margin:10px 0 0; padding-left:20px; }
"""
COLUMNS = {2: "two", 3: "three"}
MADE = "Made automatically. Which lesion is which, and the response, must be checked by a qualified reader."
SUM_NOTE = (
    "The sum holds the chosen lesions at the first date (the largest two of those long enough), and at later "
    "dates all that became of them."
)
EVENTS_NOTE = (
    "Percent: since the lesion was first seen, in volume and in diameter. Diameters as in RECIST 1.1: "
    "longest axial × longest at right angles; of a lesion in parts, the sum of the longest ones."
)


def followup_page(found: FollowUp, version: str, created: str) -> str:
    """Return the page.

    Args:
        found: the comparison.
        version: of LiverSeg.
        created: when it was made, for people.
    """
    overview, lesions = build_pictures(found)
    first, last = found.visits[0], found.visits[-1]
    title = f"Follow-up: {first.title} to {last.title}"
    days = days_between(first.date, last.date)
    facts = [f"{len(found.visits)} dates" + (f" in {days} days" if days else "")]
    facts += [visit.name for visit in found.visits]
    sections = [
        _cards(found),
        warning_box("Please note", found.warnings),
        section("Response of the liver", _responses(found)),
        section("Over time", plot(found), keep=True),
        section("Lesions", _lesions(found)),
        _overview(overview),
        _lesion_pictures(found, lesions),
        section("Organs", _organs(found)),
        section("Registration", _registrations(found), keep=True),
    ]
    return whole_page(
        name=title,
        modality=" and ".join(sorted({visit.result.measurements.modality for visit in found.visits})),
        facts=[*facts, f"Made {created}"],
        made=MADE,
        sections=sections,
        version=version,
        style=STYLE,
    )


# ---- the top


def _cards(found: FollowUp) -> str:
    response, visits, sums = found.responses[-1], found.visits, found.sums_mm
    word = NONE if response.category is None else IN_WORDS[response.category].capitalize()
    kind = response.category if response.category in IN_WORDS else None
    known = [course.dates[-1].status for course in found.courses]
    cards = [
        _card("Response, latest date", escape(word), _kind(kind), word=True),
        _card("Sum of diameters", _unit(sums[-1], 1, "mm"), _against(sums[0], sums[-1])),
        _card(
            "Tumor volume",
            _unit(_tumour(visits[-1]), 1, "ml"),
            _against(_tumour(visits[0]), _tumour(visits[-1])),
        ),
        _card(
            "Liver volume",
            _unit(_liver(visits[-1]), 0, "ml"),
            _against(_liver(visits[0]), _liver(visits[-1])),
        ),
        _card("Lesions", str(known.count(MEASURED)), _counts(found)),
    ]
    return f'<section aria-label="Key numbers"><div class="cards">{"".join(cards)}</div></section>'


def _card(heading: str, value: str, below: str, *, word: bool = False) -> str:
    kind = "value word" if word else "value"
    inner = f'<h3>{heading}</h3><div class="{kind}">{value}</div><div class="sub">{below}</div>'
    return f'<div class="card">{inner}</div>'


def _kind(category: Optional[str]) -> str:
    return "nothing to judge" if category is None else f"{escape(category)}, RECIST 1.1, of the liver alone"


def _unit(value: Optional[float], decimals: int, unit: str) -> str:
    return NONE if value is None else f"{plain(value, decimals)} <small>{unit}</small>"


def _against(before: Optional[float], now: Optional[float]) -> str:
    if before is None or now is None:
        return "not known at both dates"
    change = f" ({_percent(100.0 * (now - before) / before)})" if before else ""
    return f"first date {plain(before, 1 if before < 100 else 0)}{change}"


def _percent(value: Optional[float]) -> str:
    """A change with its sign.

    >>> _percent(22.4), _percent(-3.6), _percent(None)
    ('+22 %', '−4 %', '–')
    """
    if value is None:
        return NONE
    text = plain(value, 0)
    return f"{text} %" if text.startswith("−") or text == "0" else f"+{text} %"


def _counts(found: FollowUp) -> str:
    events = [event for course in found.courses for event in course.dates[-1].events]
    said = [f"{events.count(name)} {name}" for name in dict.fromkeys(events)]
    return ", ".join(said) if said else "none new, none gone"


def _tumour(visit: Visit) -> Optional[float]:
    organ = visit.result.measurements.organ("tumour")
    return organ.volume_ml if organ.segmented else None


def _liver(visit: Visit) -> float:
    return visit.result.measurements.organ("liver").volume_ml


# ---- response


def _responses(found: FollowUp) -> str:
    heads = ("Date", "Sum of diameters (mm)", "From first date", "From smallest", "New lesions", "Response")
    first = (escape(found.visits[0].title), plain(found.sums_mm[0], 1), "", "", "", "first date")
    rows: List[Sequence[str]] = [first]
    rules: List[str] = []
    for visit, response in zip(found.visits[1:], found.responses):
        rows.append(_response_row(visit, response))
        rules += [f"<li><b>{escape(visit.title)}</b>: {escape(text)}</li>" for text in response.reasons]
    targets = [str(course.number) for course in found.courses if course.is_target]
    which = "There is no target lesion. "
    if targets:
        which = f"Target lesions: {', '.join(targets)}. {SUM_NOTE} "
    note = f'<p class="note">{which}{escape(Sentence("recist.of-liver"))}</p>'
    return (
        note
        + table("By RECIST 1.1.", heads, rows, last_is_text=True)
        + f'<ul class="rules">{"".join(rules)}</ul>'
    )


def _response_row(visit: Visit, response: Response) -> Sequence[str]:
    new = [str(number) for number in response.new]
    new += [f"{number} (doubtful)" for number in response.doubtful_new]
    category = NONE
    if response.category is not None:
        kind = response.category if response.category.isalpha() else "other"
        words = IN_WORDS[response.category]
        category = f'<span class="category {kind}">{escape(response.category)}</span> {escape(words)}'
    return (
        escape(visit.title),
        plain(response.sum_mm, 1),
        _percent(response.change_percent),
        _percent(response.from_nadir_percent),
        ", ".join(new) or "none",
        category,
    )


# ---- lesions


def _lesions(found: FollowUp) -> str:
    if not found.courses:
        return '<p class="empty">No lesion was found at any date. This does not rule out disease.</p>'
    heads = ["Lesion", *(visit.title for visit in found.visits)]
    rows = [_lesion_row(course) for course in found.courses]
    return table(EVENTS_NOTE, heads, rows)


def _lesion_row(course: Course) -> Sequence[str]:
    kind = "target" if course.is_target else "new" if course.first else ""
    head = f'{course.number}<div class="sub">{kind}</div>'
    return [head, *(_cell(course, index) for index in range(len(course.dates)))]


def _cell(course: Course, index: int) -> str:
    at = course.dates[index]
    events = "".join(f'<div class="event">{escape(event)}</div>' for event in at.events)
    if at.status != MEASURED:
        words = {NOT_IN_VIEW: "outside the scan", NOT_LOOKED: "not looked for"}.get(at.status, "not there")
        return events or f'<span class="sub">{words}</span>'
    bound = "≥ " if at.truncated else ""
    sizes = f"{plain(at.longest_mm, 1)} × {plain(at.perpendicular_mm, 1)} mm"
    if len(at.numbers) > 1:
        sizes = f"{plain(at.longest_mm, 1)} mm in {len(at.numbers)} parts"
    changes = [_percent(course.change(what, index)) for what in ("volume_ml", "longest_mm")]
    change = "" if changes == [NONE, NONE] else f'<div class="sub">{changes[0]}; {changes[1]}</div>'
    return f"{bound}{volume(at.volume_ml or 0.0)} ml<div>{sizes}</div>{change}{events}"


def _grid(figures: Sequence[Figure]) -> str:
    columns = COLUMNS.get(len(figures), "four")
    return f'<div class="grid {columns}">{"".join(figure_element(figure) for figure in figures)}</div>'


def _overview(figures: Sequence[Figure]) -> str:
    note = (
        '<p class="note">The same place of the liver at each date. Numbers are those of the table above.</p>'
    )
    return section("The liver at each date", note + _grid(figures), keep=True)


def _lesion_pictures(found: FollowUp, figures: Dict[int, List[Figure]]) -> str:
    if not figures:
        return ""
    more = ""
    if len(found.courses) > len(figures):
        more = f" Of {len(found.courses)} lesions, {MOST_COURSES} are shown: targets, then the largest."
    note = (
        '<p class="note">The same place at each date, at the same scale. Where nothing is drawn, '
        f"a dashed line is the lesion’s outline at another date, carried there.{more}</p>"
    )
    parts = []
    for number, row in figures.items():
        parts.append(f'<div class="keep"><h3 class="lesion">Lesion {number}</h3>{_grid(row)}</div>')
    return section("Lesions at each date", note + "".join(parts))


# ---- organs and registration


def _organs(found: FollowUp) -> str:
    heads = ["", *(visit.title for visit in found.visits)]
    visits = found.visits

    def row(name: str, cells: Sequence[str]) -> Sequence[str]:
        return [name, *cells]

    rows = [
        row("Liver with tumors (ml)", [_organ(visit, "liver") for visit in visits]),
        row("Spleen (ml)", [_organ(visit, "spleen") for visit in visits]),
        row("Tumors (ml)", [_organ(visit, "tumour") for visit in visits]),
        row("Tumor burden (%)", [plain(v.result.measurements.tumour_burden_percent, 1) for v in visits]),
        row(
            "Liver attenuation (HU)", [plain(v.result.measurements.organ("liver").mean_hu, 0) for v in visits]
        ),
        row(
            "Spleen attenuation (HU)",
            [plain(v.result.measurements.organ("spleen").mean_hu, 0) for v in visits],
        ),
        row("Fatty liver", [_fat(visit) for visit in visits]),
        row("Contrast phase", [escape(PHASES.get(visit.phase, visit.phase)) for visit in visits]),
        row("Slice distance (mm)", [plain(visit.grid.slice_spacing, 1) for visit in visits]),
        row("Segmentation", [_review(visit) for visit in visits]),
    ]
    reasons = [
        f"{visit.title}: {text}"
        for visit in visits
        if visit.steatosis is not None and visit.steatosis.grade is None
        for text in visit.steatosis.reasons_not_to_grade[:1]
    ]
    said = "".join(f"<li>{escape(text)}</li>" for text in reasons)
    why = (
        f'<p class="note">Why liver fat was not graded:</p><ul class="rules note">{said}</ul>' if said else ""
    )
    return table("Each scan’s own measurements.", heads, rows) + why


def _organ(visit: Visit, key: str) -> str:
    organ = visit.result.measurements.organ(key)
    if not organ.segmented:
        return NONE
    return ("≥ " if organ.truncated else "") + volume(organ.volume_ml)


def _fat(visit: Visit) -> str:
    found = visit.steatosis
    if found is None:
        return NONE
    if found.grade is None:
        return "not graded"
    return f"{escape(found.grade)}, ratio {plain(found.ratio, 2)}"


def _review(visit: Visit) -> str:
    review = visit.result.review
    return NONE if review is None else escape(review.in_words())


def _registrations(found: FollowUp) -> str:
    heads = (
        "Date",
        "Overlap, turned and shifted",
        "Overlap, bent",
        "Local volume change",
        "Vessel pattern",
        "",
    )
    rows = []
    for visit, registration in list(zip(found.visits, found.registrations))[1:]:
        quality = registration.quality
        change = f"{plain(quality.least_change, 2)} to {plain(quality.most_change, 2)}"
        rows.append(
            (
                escape(visit.title),
                plain(quality.rigid_dice, 3),
                plain(quality.dice, 3),
                change,
                plain(quality.texture, 2),
                "doubtful" if quality.is_doubtful else "fits",
            )
        )
    caption = (
        "Livers registered with the first date. Overlap: Dice coefficient of the livers, 1 is the same. "
        "Local volume change: 1st to 99th percentile of the Jacobian’s determinant. Vessel pattern: "
        "correlation deep in the liver."
    )
    doubts = [
        text
        for visit, item in zip(found.visits, found.registrations)
        for text in item.quality.doubts(visit.name)
    ]
    return table(caption, heads, rows, last_is_text=True) + warning_lines(doubts)
