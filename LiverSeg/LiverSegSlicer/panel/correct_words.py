"""What the section Correct says of the result as it was before edits: automatic, or a given segmentation."""

from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from ..scene import parts


@dataclass(frozen=True)
class Words:
    """Attributes:
    heading, table: of the table of changes, and its tooltip.
    difference, overlap: tooltips of its columns.
    outline, outlineTip: of the button that shows the outline.
    unchanged: why a structure cannot be reverted.
    revertTip, reverted: of the button that reverts one, and what is told then.
    volumes: of a row, with {now} and {before}.
    """

    heading: str
    table: str
    difference: str
    overlap: str
    outline: str
    outlineTip: str
    unchanged: str
    revertTip: str
    reverted: str
    volumes: str


def wordsFor(segmentationNode: Any) -> Words:
    """Return the words for a result; None counts as an automatic one."""
    if segmentationNode is not None and segmentationNode.GetAttribute(parts.GIVEN) is not None:
        return _given()
    return Words(
        heading=_("Against the automatic result"),
        table=_(
            "How each structure differs from the automatic result. Choose a row to revert that structure."
        ),
        difference=_("Volume now, less the automatic volume."),
        overlap=_("Overlap with the automatic result: 1 is the same, 0 is nothing in common."),
        outline=_("Automatic outline"),
        outlineTip=_("Shows the outline of the automatic result in the slices."),
        unchanged=_("This structure is as the automatic result has it."),
        revertTip=_("Makes the chosen structure what it was in the automatic result; can be undone."),
        reverted=_("The structure is as the automatic result has it. Undo brings your edits back."),
        volumes=_("{now:.2f} ml now, {before:.2f} ml in the automatic result."),
    )


def _given() -> Words:
    return Words(
        heading=_("Against the given segmentation"),
        table=_(
            "How each structure differs from the given segmentation. Choose a row to revert that structure."
        ),
        difference=_("Volume now, less the given volume."),
        overlap=_("Overlap with the given segmentation: 1 is the same, 0 is nothing in common."),
        outline=_("Given outline"),
        outlineTip=_("Shows the outline of the given segmentation in the slices."),
        unchanged=_("This structure is as the given segmentation has it."),
        revertTip=_("Makes the chosen structure what it was in the given segmentation; can be undone."),
        reverted=_("The structure is as the given segmentation has it. Undo brings your edits back."),
        volumes=_("{now:.2f} ml now, {before:.2f} ml in the given segmentation."),
    )
