"""What the worker does to compare two or more dates of one patient."""

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Optional, Sequence, Tuple

import numpy as np

from ..cancelling import Ask, while_checking
from ..review import Review
from ..sentences import with_identity
from . import scratch
from .context import TaskContext, result_folder
from .followup_messages import CompareDates, DateFiles, DatesCompared
from .handed import read_image, read_labels, read_summary
from .measuring import SUMMARY

if TYPE_CHECKING:
    from ..followup import FollowUp, Visit
    from ..outputs import Reservation

READ_SHARE, COMPARE_SHARE = 0.05, 0.9
"""The share of the work that is done when scans are read, and when they are compared, if a page follows."""


def compare_dates(request: CompareDates, context: TaskContext) -> DatesCompared:
    """Compare the dates that were handed over, and write the files of the follow-up if that is wanted."""
    from .. import __version__
    from ..followup import compare
    from ..followup.files import check_followup_folder, write_followup
    from ..outputs import reserve

    with ExitStack() as stack:
        reservation: "Optional[Reservation]" = None
        if request.folder is not None:
            reservation = stack.enter_context(reserve(request.folder))
            check_followup_folder(reservation)
        visits = []
        for index, date in enumerate(request.dates):
            context.report_progress(READ_SHARE * index / len(request.dates), "read", "Reading the scans")
            visits.append(while_checking(partial(_visit, date), context.check))
        end = 1.0 if reservation is None else COMPARE_SHARE

        def tell(share: float, stage: str, text: str) -> None:
            context.report_progress(READ_SHARE + (end - READ_SHARE) * share, stage, text)

        found = compare(
            visits,
            anyway=request.anyway,
            progress=tell,
            cancel=context.cancel,
            known=context.registered.known(),
        )
        created = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        drawn = ""
        with result_folder(context, request.id) as folder:
            text = json.dumps(with_identity(found.to_dict()))
            (folder / SUMMARY).write_text(text, encoding="utf-8")
            if reservation is not None:
                drawn = _page(found, created, context)
        reply = DatesCompared(request.id, str(folder), SUMMARY, _order(visits, found))
        if reservation is None:
            return reply
        # The last step, too short to be cancelled: once the files are there the answer says so.
        try:
            files = write_followup(found, reservation, version=__version__, created=created, page=drawn)
        except BaseException:
            scratch.remove_tree(folder)
            raise
        return replace(reply, page=str(files["page"]))


def _visit(date: DateFiles, ask: Ask) -> "Visit":
    """A date with the numbers that its summary has, which are those that the user sees."""
    from ..api import Result
    from ..followup import Visit
    from ..followup.visits import iso_date
    from ..measure import Measurements
    from ..measure.facts import ClinicalFacts
    from ..steatosis.assessment import Assessment

    summary = read_summary(date.summary)
    image = read_image(date.voxels, date.grid)
    result = Result(
        name=summary["name"],
        image=image,
        labels=read_labels(date.labels, image),
        probability=np.broadcast_to(np.uint8(0), image.GetSize()[::-1]),  # nothing here looks at it
        measurements=Measurements.from_dict(summary["measurements"]),
        provenance=dict(summary["provenance"]),
        warnings=tuple(summary["warnings"]),
        facts=ClinicalFacts.from_dict(summary.get("facts")),
        review=Review.from_dict(summary.get("review")),
    )
    steatosis = summary.get("steatosis")  # what the user accepted, if it was assessed
    return Visit(
        result,
        None if date.date is None else iso_date(date.date),
        date.patient,
        None if steatosis is None else Assessment.from_dict(steatosis),
    )


def _page(found: "FollowUp", created: str, context: TaskContext) -> str:
    """The page, whose pictures take some seconds; that can be cancelled."""
    from .. import __version__
    from ..followup.page import followup_page

    context.report_progress(COMPARE_SHARE, "write", "Drawing the follow-up page")
    return while_checking(lambda ask: followup_page(found, __version__, created), context.check)


def _order(visits: "Sequence[Visit]", found: "FollowUp") -> Tuple[int, ...]:
    """The place in the request of each date of a comparison, which may have other names and more facts."""
    images = [visit.result.image for visit in visits]
    return tuple(
        next(place for place, image in enumerate(images) if image is visit.result.image)
        for visit in found.visits
    )
