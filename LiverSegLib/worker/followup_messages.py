"""The message that asks for two or more dates of one patient to be compared, and its answer."""

from dataclasses import dataclass
from typing import ClassVar, Optional, Tuple

from ..images.grid import Grid


@dataclass(frozen=True)
class DateFiles:
    """One date: ``voxels``, ``grid`` and ``labels`` as in ``measure``, ``summary`` as in ``report``.

    ``date``: "2026-11-30", null if it is not known. ``patient``: differs between patients and names none;
    empty if it is not known.
    """

    voxels: str
    grid: Grid
    labels: str
    summary: str
    date: Optional[str] = None
    patient: str = ""


@dataclass(frozen=True)
class CompareDates:
    """Compare ``dates``, two or more, of one patient; livers that do not fit onto each other ``anyway``.

    ``folder``: the user's, into which the files of the follow-up are written as well, all or none; null for
    none. Answered by ``progress``, then by ``dates-compared`` or ``error``.
    """

    type: ClassVar[str] = "compare-dates"
    id: str
    dates: Tuple[DateFiles, ...]
    anyway: bool = False
    folder: Optional[str] = None


@dataclass(frozen=True)
class DatesCompared:
    """Dates are compared. ``summary``: a JSON file, ``FollowUp.to_dict()`` with the identity of its
    sentences, in ``folder``, a subfolder of the private one that the reader may remove.

    ``order``: by date, the index of each in the request. ``page``: path of the page, if files were to be
    written.
    """

    type: ClassVar[str] = "dates-compared"
    id: str
    folder: str
    summary: str
    order: Tuple[int, ...]
    page: Optional[str] = None
