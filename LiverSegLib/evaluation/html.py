"""Small parts of the pages of evaluations: tables, sections, numbers."""

import re
from html import escape
from pathlib import Path
from string import Template
from typing import Iterable, Mapping, Optional, Sequence

NONE = "–"
"""Stands for a number that there is not."""


def page(*, title: str, kind: str, facts: Iterable[str], sections: Iterable[str], version: str) -> str:
    """Return a page that needs nothing from outside.

    Args:
        title, kind, facts, version: plain text, escaped here.
        sections: HTML; empty ones are left out.
    """
    return Template(_file("page.html")).substitute(
        title=escape(title),
        kind=escape(kind),
        style=_file("page.css"),
        facts="".join(f"<span>{escape(fact)}</span>" for fact in facts),
        sections="\n".join(part for part in sections if part),
        version=escape(version),
    )


def section(heading: str, *parts: str) -> str:
    """A section of HTML parts under a heading (plain text); nothing without content."""
    body = "".join(parts)
    return f"<section><h2>{escape(heading)}</h2>{body}</section>" if body else ""


def note(text: str) -> str:
    """A sentence in small letters, escaped."""
    return f'<p class="note">{escape(text)}</p>'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str = "",
    text_columns: Sequence[int] = (),
) -> str:
    """A table whose first column heads its rows.

    Args:
        heads, caption: plain text, escaped here.
        rows: the cells of each row as HTML.
        text_columns: columns that hold words and not numbers.
    """

    def kind(column: int) -> str:
        return ' class="text"' if column in text_columns else ""

    head = "".join(f'<th scope="col"{kind(n)}>{escape(name)}</th>' for n, name in enumerate(heads))
    body = "".join(
        f'<tr><th scope="row">{cells[0]}</th>'
        + "".join(f"<td{kind(n)}>{cell}</td>" for n, cell in enumerate(cells[1:], 1))
        + "</tr>"
        for cells in rows
    )
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def definitions_table(rows: Mapping[str, str]) -> str:
    """A table of names and what they mean, plain text."""
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows.items()
    )
    return f'<table class="definitions"><tbody>{body}</tbody></table>'


def warning_box(heading: str, sentences: Iterable[str]) -> str:
    """Sentences, escaped, as a list in a frame; nothing without sentences."""
    items = "".join(f"<li>{escape(text)}</li>" for text in sentences)
    return f'<section class="warnings"><h2>{escape(heading)}</h2><ul>{items}</ul></section>' if items else ""


def on_screen(structure: str) -> str:
    """A structure's name with the spelling of the screen."""
    return structure.replace("tumour", "tumor")


def with_own_ids(svg: str, prefix: str) -> str:
    """An SVG element whose ids begin with ``prefix``: drawings on one page must not share any."""
    svg = re.sub(r'\b(id|xlink:href|href)="(#?)', rf'\1="\2{prefix}-', svg)
    return svg.replace("url(#", f"url(#{prefix}-")


def number(value: Optional[float], decimals: int) -> str:
    """A number with a true minus sign and no negative zero; a dash where there is none.

    >>> number(-0.049, 1), number(-2.5, 1), number(None, 2)
    ('0.0', '−2.5', '–')
    """
    if value is None or value != value:
        return NONE
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
