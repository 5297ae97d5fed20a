"""A cohort as one HTML page: what failed and what is unusual with pictures, distributions, every case."""

import os
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..evaluation.html import NONE, note, number, page, section, table, warning_box
from .failure import PAGE, PICTURE
from .histograms import histogram
from .outliers import LIMIT, Outlier, outliers
from .pictures import small_picture
from .rows import NUMBERS

MOST_PICTURES = 24
"""Cases that are pictured in each section; the others are listed."""
MOST_ROWS = 2000
"""Cases in the table of all; of larger cohorts the CSV file has them."""
TABLE_OPEN = 50
"""A longer table is folded."""

SHOWN = (
    "liver_ml",
    "spleen_ml",
    "tumour_ml",
    "tumour_burden_percent",
    "lesions",
    "largest_lesion_mm",
    "liver_hu",
)

Row = Mapping[str, Any]


def cohort_page(
    rows: Sequence[Row], folder: Path, about: Mapping[str, str], left_out: Sequence[Tuple[str, str]] = ()
) -> str:
    """Return the page.

    Args:
        rows: of all cases that are done or failed, by name.
        folder: of the results, where pictures are looked for.
        about: "title", "created", "liverseg_version", "total" (number of cases).
        left_out: series that were no cases, with the reason.
    """
    done = [row for row in rows if row["state"] == "done"]
    failed = [row for row in rows if row["state"] != "done"]
    unusual = outliers(done)
    reports = {str(row["case"]): bool(row.get("has_report")) for row in done}
    waiting = int(about["total"]) - len(rows)
    return page(
        title=str(about["title"]),
        kind="cohort",
        facts=(_count(int(about["total"]), "case"), f"Made {about['created']}"),
        version=str(about["liverseg_version"]),
        sections=(
            warning_box("Not all cases have a result", _said(failed, waiting)),
            _cards(done, failed, unusual),
            section(
                "Distributions",
                f'<div class="plots">{_distributions(done)}</div>',
                note("The line is the median. Time is a worker's, with drawing and writing."),
            )
            if done
            else "",
            _outliers(unusual, folder, reports),
            _failures(failed, folder),
            _left_out(left_out),
            _all(rows, reports),
        ),
    )


def _count(number_: int, noun: str) -> str:
    return f"{number_:,} {noun}{'s' * (number_ != 1)}"


def _said(failed: Sequence[Row], waiting: int) -> List[str]:
    said = [f"{_count(waiting, 'case')} not computed yet."] if waiting else []
    if failed:
        said.append(f"{_count(len(failed), 'case')} failed; each has its reason below.")
    return said


def _cards(done: Sequence[Row], failed: Sequence[Row], unusual: Sequence[Outlier]) -> str:
    with_lesions = sum(1 for row in done if (row.get("lesions") or 0) > 0)
    cards = [
        ("Done", f"{len(done):,}", f"{len(failed):,} failed"),
        ("Unusual", f"{len(unusual):,}", "numbers far from those of the others"),
        ("With lesions", f"{with_lesions:,}", f"of {len(done):,}"),
    ]
    livers = sorted(row["liver_ml"] for row in done if row.get("liver_ml"))
    if livers:
        lines = f"{number(livers[0], 0)} to {number(livers[-1], 0)} ml"
        cards.append(("Liver, median", f"{number(livers[len(livers) // 2], 0)}<small> ml</small>", lines))
    body = "".join(
        f'<div class="card"><h3>{escape(name)}</h3><div class="value">{value}</div>'
        f'<div class="sub">{escape(line)}</div></div>'
        for name, value, line in cards
    )
    return f'<div class="cards">{body}</div>'


def _distributions(done: Sequence[Row]) -> str:
    return "".join(
        histogram(column, [float(row[column.key]) for row in done if row.get(column.key) is not None])
        for column in NUMBERS
    )


def _outliers(unusual: Sequence[Outlier], folder: Path, reports: Mapping[str, bool]) -> str:
    if not unusual:
        return ""
    figures = [
        _figure(
            item.case,
            small_picture(folder / "cases" / item.case / "rendering.png"),
            "; ".join(item.reasons),
            _case_address(item.case, reports),
        )
        for item in unusual[:MOST_PICTURES]
    ]
    rest = [(_link(i.case, _case_address(i.case, reports)), escape("; ".join(i.reasons))) for i in unusual]
    return section(
        "Unusual cases",
        note(
            "A liver or spleen far larger or smaller, brighter or darker than those of the other cases (in "
            f"the same contrast phase), or a wrong mask: look at them. Modified z-score above {LIMIT} "
            "(Iglewicz and Hoaglin 1993); organs that the scan cuts off are not compared."
        ),
        f'<div class="pictures">{"".join(figures)}</div>',
        _listed("More of them", rest[MOST_PICTURES:], ("Case", "What is unusual")),
    )


def _failures(failed: Sequence[Row], folder: Path) -> str:
    if not failed:
        return ""
    kinds = Counter(str(row["error_code"]) for row in failed)
    figures: List[str] = []
    others: List[Tuple[str, str]] = []
    for row in failed:
        case = str(row["case"])
        address, said = f"failed/{case}/{PAGE}", str(row["error"])
        picture = small_picture(folder / "failed" / case / PICTURE) if len(figures) < MOST_PICTURES else None
        if picture is not None:
            figures.append(_figure(case, picture, said, address))
        else:
            others.append((_link(case, address), escape(said)))
    counted = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
    return section(
        "Failed cases",
        note(f"By kind of error: {counted}. After a change, --retry-failed computes them again."),
        f'<div class="pictures">{"".join(figures)}</div>' if figures else "",
        _listed("Without a picture", others, ("Case", "Reason")),
    )


def _left_out(left_out: Sequence[Tuple[str, str]]) -> str:
    rows = [(escape(path), escape(reason)) for path, reason in left_out[:MOST_ROWS]]
    return section("Series that were left out", _listed("", rows, ("Series", "Reason"))) if rows else ""


def _all(rows: Sequence[Row], reports: Mapping[str, bool]) -> str:
    if len(rows) > MOST_ROWS:
        return section("All cases", note(f"cohort.csv lists all {len(rows):,}."))
    columns = [column for column in NUMBERS if column.key in SHOWN]
    heads = ("Case", "Remark", *(f"{c.name} ({c.unit})" if c.unit else c.name for c in columns))
    body = [_line(row, reports) for row in rows]
    shown = table(heads, body, text_columns=(1,))
    if len(rows) > TABLE_OPEN:
        shown = f"<details><summary>{_count(len(rows), 'case')}</summary>{shown}</details>"
    return section("All cases", shown, note("cohort.csv and cohort.parquet have all columns."))


def _line(row: Row, reports: Mapping[str, bool]) -> Tuple[str, ...]:
    case = str(row["case"])
    columns = [column for column in NUMBERS if column.key in SHOWN]
    if row["state"] != "done":
        link = _link(case, f"failed/{case}/{PAGE}")
        return (link, "failed", *(NONE for _ in columns))
    cells = (number(row.get(c.key), c.decimals) for c in columns)
    said = "liver\u00a0cut\u00a0off" if row.get("liver_cut_off") else ""
    return (_link(case, _case_address(case, reports)), said, *cells)


def _case_address(case: str, reports: Mapping[str, bool]) -> str:
    """The case's report, or its folder where it has none."""
    return f"cases/{case}/" + ("report.html" if reports.get(case) else "")


def _link(case: str, address: str) -> str:
    return f'<a href="{escape(address, quote=True)}">{escape(case)}</a>'


def _figure(case: str, picture: Optional[str], said: str, address: str) -> str:
    alt = escape(f"{case}: {said}", quote=True)
    image = f'<img src="{picture}" alt="{alt}">' if picture else ""
    link = f'<a href="{escape(address, quote=True)}">{image}</a>' if image else ""
    return f"<figure>{link}<figcaption><b>{_link(case, address)}</b> {escape(said)}</figcaption></figure>"


def _listed(summary: str, rows: Sequence[Tuple[str, str]], heads: Tuple[str, str]) -> str:
    """A table of two columns of words, folded if it is long; nothing without rows."""
    if not rows:
        return ""
    shown = table(heads, rows, text_columns=(0, 1))
    if len(rows) <= TABLE_OPEN:
        return shown
    return f"<details><summary>{escape(summary)} ({len(rows):,})</summary>{shown}</details>"


def title_of(folder: Path) -> str:
    """What the page is called: the folder's name."""
    return Path(os.path.abspath(folder)).name


def about_cohort(folder: Path, total: int) -> Dict[str, str]:
    """What :func:`cohort_page` is told beside the rows."""
    from datetime import datetime, timezone

    import LiverSegLib

    return {
        "title": title_of(folder),
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "liverseg_version": LiverSegLib.__version__,
        "total": str(total),
    }
