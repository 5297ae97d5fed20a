"""The page around a report's sections: heading, style sheet, foot. No link to anything outside, no script."""

from html import escape
from pathlib import Path
from string import Template
from typing import Iterable


def whole_page(
    *,
    name: str,
    modality: str,
    facts: Iterable[str],
    made: str,
    sections: Iterable[str],
    version: str,
    review: str = "",
    style: str = "",
) -> str:
    """Return a page.

    Args:
        name, modality, facts: plain text, escaped here.
        made: sentence on who answers for the numbers.
        sections: HTML; empty ones are left out.
        version: of LiverSeg, as HTML.
        review: the banner on the review, as HTML.
        style: rules of a style sheet besides those of every report.
    """
    return Template(_file("page.html")).substitute(
        name=escape(name),
        modality=escape(modality),
        style=_file("style.css") + style,
        facts="".join(f"<span>{escape(fact)}</span>" for fact in facts),
        review=review,
        made=made,
        sections="\n".join(part for part in sections if part),
        version=version,
    )


def _file(name: str) -> str:
    """The text of a file of this folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
