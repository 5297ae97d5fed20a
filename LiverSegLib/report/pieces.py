"""Small parts of the page: numbers, words and pictures as HTML."""

import re
from html import escape
from typing import Any, Iterable, Mapping, Optional, Tuple

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


def warning_lines(sentences: Iterable[str]) -> str:
    """Sentences, escaped, each on a line of its own with a warning sign."""
    return "".join(f'<div class="warn">{escape(text)}</div>' for text in sentences)


def volume(ml: float) -> str:
    """Three figures are meant, never more than two decimals."""
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


def words(key: str) -> str:
    """A key of a program as people read it."""
    return str(key).replace("_", " ")


def option(value: Any) -> str:
    """The value of an option as people read it."""
    if value is None:
        return "default"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def moment(value: Any) -> str:
    """ISO date and time as people read it; anything else as it is."""
    if not value:
        return NOT_RECORDED
    text = str(value)
    found = re.match(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|\+00:00)?$", text)
    if found:
        return f"{found.group(1)} {found.group(2)}" + (" UTC" if found.group(3) else "")
    found = re.match(r"^(\d{4})(\d\d)(\d\d)$", text)
    return "-".join(found.groups()) if found else text
