"""A whole run: names for the cases, the folder held, what is open computed, tables and page written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Optional, Sequence, Tuple
from uuid import uuid4

from ..errors import UsageError
from ..outputs import reserve
from ..outputs.atomic import check_room
from ..outputs.results import EXPECTED_BYTES
from .anonymous import named_by_mapping, named_by_secret
from .case import Case, Options
from .cluster import connected
from .collect import collect
from .ledger import Ledger
from .run import Counts, Progress, run_cohort
from .segmenting import segment_case
from .sources import Found
from .work import Order, Task


@dataclass(frozen=True)
class Session:
    """What a run is asked for beside its cases and their options.

    Attributes:
        folder: of the results.
        place: where the workers are: ``cluster.Local``, ``Slurm`` or ``Running``.
        mapping: file with the names of anonymous cases; None: there is none.
        retry_failed: compute failed cases again.
        dashboard: serve Dask's page on the work.
        task: what is done with a case.
    """

    folder: Path
    place: Any
    mapping: Optional[Path] = None
    retry_failed: bool = False
    dashboard: bool = True
    task: Task = segment_case


def run_session(
    found: Found,
    options: Options,
    session: Session,
    *,
    progress: Progress = lambda counts: None,
    started: Callable[[str], None] = lambda dashboard: None,
    stop: Callable[[], bool] = lambda: False,
    ending: Optional[Callable[[], ContextManager[None]]] = None,
) -> Tuple[Counts, Dict[str, Path]]:
    """Compute the cases that are open and write the tables.

    Args:
        found: the cases, and what was left out.
        options: what is done with each.
        session: where and how.
        progress: hears how far the work is.
        started: hears the address of Dask's page, or "", once workers are asked for.
        stop: asked often; True stops the work.
        ending: gives a block for the tables at the end, in which Ctrl-C may interrupt at once.

    Returns:
        How many cases are done and failed; and the files beside the cases, by key.

    Raises:
        OutputError: the folder cannot be written to, or another run has it.
        UsageError: the folder holds cases with other options.
        StoppedError: ``stop`` said so.
        LiverSegError: the workers cannot be reached, or no case can be computed.
    """
    ledger = Ledger(session.folder)
    with reserve(session.folder) as reservation:
        check_room(reservation, EXPECTED_BYTES)
        ledger.prepare()
        ledger.settle(options)
        cases = _named(found.cases, ledger, options, session.mapping)
        if session.retry_failed:
            ledger.forget_failures()
        ledger.tidy()
        try:
            counts = _compute(ledger, cases, options, session, progress, started, stop)
        finally:
            ledger.tidy()
        left_out = found.left_out
        if ending is None:
            files = collect(reservation, ledger, len(cases), anonymous=options.anonymous, left_out=left_out)
        else:
            with ending():
                files = collect(
                    reservation, ledger, len(cases), anonymous=options.anonymous, left_out=left_out
                )
        if options.anonymous and session.mapping is None and counts.ended == counts.total:
            ledger.destroy_secret()
    return counts, files


def _named(
    cases: Sequence[Case], ledger: Ledger, options: Options, mapping: Optional[Path]
) -> Tuple[Case, ...]:
    """The cases under the names that their folders get.

    Raises:
        UsageError: the anonymous cohort has ended, and nobody can tell any more which case is which.
    """
    if not options.anonymous:
        return tuple(cases)
    if mapping is not None:
        return named_by_mapping(cases, mapping, ledger.folder)
    if (ledger.done() or ledger.failures()) and not ledger.has_secret():
        raise UsageError(
            f"The anonymous cohort in {ledger.folder} has ended, and without a mapping nobody can tell which "
            f"scan a case was: use another folder."
        )
    return named_by_secret(cases, ledger.secret())


def _compute(
    ledger: Ledger,
    cases: Sequence[Case],
    options: Options,
    session: Session,
    progress: Progress,
    started: Callable[[str], None],
    stop: Callable[[], bool],
) -> Counts:
    """Give the open cases to the workers; without any, start none."""
    names = {case.name for case in cases}
    before = Counts(len(cases), len(names & ledger.done()), len(names & ledger.failures()))
    if before.ended == before.total:
        return before
    progress(before)
    order = Order(str(ledger.folder), uuid4().hex[:8], options, session.task)
    try:
        with connected(session.place, dashboard=session.dashboard, private=ledger.private) as connection:
            started(connection.dashboard)
            return run_cohort(cases, order, connection, progress=progress, stop=stop)
    except KeyboardInterrupt:
        raise before.stopped() from None
