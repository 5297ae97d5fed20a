"""The review in the report: its state at the top, and what was changed against the automatic result."""

from html import escape
from typing import Mapping, Optional

from ..labels import LABELS, LIVER
from ..review import ACCEPTED, AUTOMATIC, EDITED, GIVEN, Given, Review
from .pieces import NONE, plain, section, table

MARKS: Mapping[str, str] = {AUTOMATIC: "!", GIVEN: "!", EDITED: "✎", ACCEPTED: "✓"}
"""State -> its mark, beside the words: on paper without color, too, the states look different."""

MADE: Mapping[Optional[str], str] = {
    None: "Made automatically. Masks and numbers must be checked by a qualified reader.",
    AUTOMATIC: "Made automatically. Masks and numbers must be checked by a qualified reader.",
    EDITED: "Made automatically, then edited. Masks and numbers must be checked by a qualified reader.",
    ACCEPTED: "Made automatically, then accepted by a reader.",
}
"""State -> who answers for the numbers; None where nothing is known of a review."""

MADE_OF_GIVEN: Mapping[Optional[str], str] = {
    EDITED: "Measured from a segmentation that was given to LiverSeg, then edited. Masks and numbers must be "
    "checked by a qualified reader.",
    ACCEPTED: "Measured from a segmentation that was given to LiverSeg, then accepted by a reader.",
}
"""The same of a segmentation that LiverSeg did not draw, where it is not as it was given."""
JUST_GIVEN = (
    "Measured from a segmentation that was given to LiverSeg. Masks and numbers must be checked by a "
    "qualified reader."
)
"""The same where it is as it was given."""


def review_banner(review: Optional[Review]) -> str:
    """Return the state in words, for the top of the page; nothing where nothing is known of it."""
    if review is None:
        return ""
    zone = f" <small>{escape(review.zone())}</small>" if review.state == ACCEPTED and review.zone() else ""
    mark = f'<span class="mark" aria-hidden="true">{MARKS[review.state]}</span>'
    words = f"<strong>{escape(review.in_words())}</strong>{zone}"
    return f'<p class="review {review.state}">{mark}<span>{words}</span></p>'


def made(review: Optional[Review], given: Optional[Given] = None) -> str:
    """Return the sentence on who answers for the numbers; ``given`` if LiverSeg did not draw the masks."""
    if given is not None:
        return MADE_OF_GIVEN.get(None if review is None else review.state, JUST_GIVEN)
    return MADE[None if review is None else review.state]


def changes_section(review: Optional[Review], given: Optional[Given] = None) -> str:
    """Return the table of what was changed by hand; nothing without changes."""
    if review is None or not review.changes:
        return ""
    names = {info.key: info.name for info in LABELS.values()}
    names[LABELS[LIVER].key] = "Liver without tumors"  # the segment alone
    rows = [
        (escape(names.get(change.key, change.key)), _signed(change.volume_ml), _overlap(change.dice))
        for change in review.changes
    ]
    kind = "automatic" if given is None else "given"
    body = table(
        f"What a reader changed. Dice is the overlap with the {kind} segment: 1 where they are the same.",
        ("Segment", "Change of volume (ml)", "Dice"),
        rows,
    )
    what = "automatic result" if given is None else "given segmentation"
    return section(f"Changes to the {what}", body, keep=True)


def _overlap(dice: Optional[float]) -> str:
    """A Dice coefficient; what differs a little does not look the same."""
    return plain(dice if dice is None or dice >= 1 else min(dice, 0.999), 3)


def _signed(ml: Optional[float]) -> str:
    """A change in ml with its sign."""
    if ml is None or ml != ml:
        return NONE
    text = plain(ml, 2 if abs(ml) < 10 else 1)
    return text if text.startswith("−") or float(text) == 0 else f"+{text}"
