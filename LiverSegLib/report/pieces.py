"""Small parts of the page as HTML: tables, sections, pictures, numbers, words."""

import re
from html import escape
from typing import Any, Iterable, Mapping, Optional, Sequence, Tuple

from .figures import Figure

NOT_RECORDED = "not recorded"
NONE = "–"
"""Stands for a number that there is not."""


def figure_element(figure: Figure, *, on_white: bool = False) -> str:
    """A picture with its caption, both escaped."""
    kind = ' class="plain"' if on_white else ""
    return (
        f'<figure{kind}><img src="{figure.source}" alt="{escape(figure.alt)}">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
    )


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    row_heads: bool = True,
    last_is_text: bool = False,
    kind: str = "scroll",
) -> str:
    """A table of numbers with column heads.

    Args:
        caption, heads: plain text, escaped here.
        rows: the cells of each row as HTML.
        row_heads: the first cell of a row is its head.
        last_is_text: the last column holds text, which is written from the left.
        kind: class of the box around the table.
    """
    first = "th" if row_heads else "td"
    scope = ' scope="row"' if row_heads else ""
    text = ' class="text"' if last_is_text else ""
    kinds = [""] * (len(heads) - 1) + [text]
    head = "".join(f'<th scope="col"{kind_}>{escape(name)}</th>' for name, kind_ in zip(heads, kinds))
    body = "".join(
        f"<tr><{first}{scope}>{cells[0]}</{first}>"
        + "".join(f"<td{kind_}>{cell}</td>" for cell, kind_ in zip(cells[1:], kinds[1:]))
        + "</tr>"
        for cells in rows
    )
    return (
        f'<div class="{kind}"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts_table(rows: Iterable[Tuple[str, str]], *, kind: str = "provenance") -> str:
    """A table of two columns; names and values are HTML."""
    body = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    return f'<table class="{kind}"><tbody>{body}</tbody></table>'


def section(heading: str, body: str, *, keep: bool = False) -> str:
    """A section of the page.

    Args:
        heading: plain text without special characters.
        body: HTML.
        keep: print it on one page of paper.
    """
    kind = ' class="keep"' if keep else ""
    return f"<section{kind}><h2>{heading}</h2>{body}</section>"


def warning_box(heading: str, sentences: Iterable[str]) -> str:
    """Sentences, escaped, as a list in a frame; nothing without sentences."""
    items = "".join(f"<li>{escape(text)}</li>" for text in sentences)
    return f'<section class="warnings"><h2>{heading}</h2><ul>{items}</ul></section>' if items else ""


def warning_lines(sentences: Iterable[str]) -> str:
    """Sentences, escaped, each on a line of its own with a warning sign."""
    return "".join(f'<div class="warn">{escape(text)}</div>' for text in sentences)


def volume(ml: float) -> str:
    """A volume in ml with three figures, never more than two decimals.

    >>> volume(1234.4), volume(21.07), volume(2.7)
    ('1234', '21.1', '2.70')
    """
    if ml == 0:
        return "0"
    return f"{ml:.0f}" if ml >= 100 else f"{ml:.1f}" if ml >= 10 else f"{ml:.2f}"


def plain(value: Optional[float], decimals: int) -> str:
    """A number with a true minus sign; a dash where there is none."""
    if value is None or value != value:
        return NONE
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def css(colour: Tuple[int, int, int]) -> str:
    """A colour (0..255) as style sheets write it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def text_of(values: Mapping[str, Any], key: str) -> str:
    """A value as escaped text; that it was not recorded where it is missing."""
    value = values.get(key)
    return escape(str(value)) if value not in (None, "") else NOT_RECORDED


def code(value: Optional[str]) -> str:
    """A hash or the like, escaped, in letters of equal width."""
    return f"<code>{escape(str(value))}</code>" if value else NOT_RECORDED


def option(value: Any) -> str:
    """The value of an option as people read it."""
    if value is None:
        return "default"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def moment(value: Any) -> str:
    """ISO date and time as people read it; anything else as it is.

    >>> moment("2025-03-04T10:11:12Z"), moment("20250304")
    ('2025-03-04 10:11 UTC', '2025-03-04')
    """
    if not value:
        return NOT_RECORDED
    text = str(value)
    found = re.match(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|\+00:00)?$", text)
    if found:
        return f"{found.group(1)} {found.group(2)}" + (" UTC" if found.group(3) else "")
    found = re.match(r"^(\d{4})(\d\d)(\d\d)$", text)
    return "-".join(found.groups()) if found else text
