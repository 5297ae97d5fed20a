"""What a worker process does with a case: hold it, compute it, put its folder into place, or say why not."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping
from uuid import uuid4

import LiverSegLib

from ..errors import LiverSegError, OutputError, UsageError, WorkerError, explain, write_failure
from .case import Case, Options
from .guard import Guard
from .ledger import DONE, FAILED, OPEN, Ledger

BUSY = "busy"
"""Another process, left over from an earlier run, computes the case at this moment."""

MAXIMUM_DEATHS = 3
"""So often may a process die over a case, by a crash or killed from outside, before the case has failed."""

Task = Callable[[Case, Options, Path], Mapping[str, Any]]
"""Computes a case into an empty folder and returns its row. An error of its own is the case's failure; one
that is raised as :class:`NoCaseCanError` ends the cohort."""


class NoCaseCanError(Exception):
    """What is wrong with one case is wrong with all: no model, no device, no room on the disk."""

    def __init__(self, reason: LiverSegError) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Outcome:
    """What came of a case: DONE, FAILED or BUSY, and after how many seconds of this process."""

    state: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Order:
    """All that a worker must know.

    Attributes:
        folder: of the results, the same path on every computer.
        run: identifies the run of the cohort.
        options: what to do.
        task: does it.
        version: of LiverSeg, which must be the same everywhere.
    """

    folder: str
    run: str
    options: Options
    task: Task
    version: str = LiverSegLib.__version__


def run_case(order: Order, case: Case) -> Outcome:
    """Compute a case unless it is done, or failed, already.

    Raises:
        NoCaseCanError: other cases would fail the same way; the case is still open.
    """
    if order.version != LiverSegLib.__version__:
        mismatch = f"The workers have LiverSeg {LiverSegLib.__version__}, and this is {order.version}."
        raise NoCaseCanError(UsageError(mismatch))
    ledger, start = Ledger(Path(order.folder)), time.monotonic()
    try:
        with ledger.turn(case.name) as staging:
            if staging is None:
                return Outcome(BUSY)
            state = ledger.state(case.name)
            if state == OPEN:
                state = _compute(ledger, order, case, staging)
            ledger.count_end(case.name)
            return Outcome(state, time.monotonic() - start)
    except OSError as error:
        raise NoCaseCanError(write_failure(error, order.folder)) from error


def _compute(ledger: Ledger, order: Order, case: Case, staging: Path) -> str:
    deaths = ledger.count_start(case.name, order.run)
    if deaths >= MAXIMUM_DEATHS:
        _commit_failure(ledger, order, case, staging, _died(deaths))
        return FAILED
    options, start = order.options, time.monotonic()

    def failed(reason: LiverSegError) -> None:
        place = staging.with_name(f"failure-{uuid4().hex[:8]}")  # what the case had written is not kept
        place.mkdir()
        _commit_failure(ledger, order, case, place, reason, time.monotonic() - start)
        ledger.count_end(case.name)

    with Guard(options.time_limit, options.memory_limit, failed) as guard:
        try:
            row = order.task(case, options, staging)
        except NoCaseCanError:
            raise
        except OutputError as error:
            raise NoCaseCanError(error) from error
        except Exception as error:  # noqa: BLE001 (whatever it is, the other cases go on)
            failure = explain(error)
        else:
            with guard.writing:
                found = {**_identity(case, options), "state": DONE, **row}
                ledger.commit(staging, case.name, DONE, {**found, "seconds": time.monotonic() - start})
                guard.over()
            return DONE
        with guard.writing:
            failed(failure)
            guard.over()
        return FAILED


def _died(times: int) -> LiverSegError:
    return WorkerError(
        f"The process that computed the case ended {times} times without a word: it was killed, ran out of "
        f"memory, or crashed."
    )


def _commit_failure(
    ledger: Ledger,
    order: Order,
    case: Case,
    place: Path,
    error: LiverSegError,
    seconds: float = 0.0,
) -> None:
    from .failure import failure_row, write_failure_page

    row = {**_identity(case, order.options), **failure_row(error, case, order.options), "seconds": seconds}
    write_failure_page(place, row, error, case, order.options)
    ledger.commit(place, case.name, FAILED, row)


def _identity(case: Case, options: Options) -> Dict[str, Any]:
    """The columns that say which scan it was; of an anonymous cohort only its new name."""
    if options.anonymous:
        return {"case": case.name}
    columns = {f"list_{head}": text for head, text in case.columns}
    return {"case": case.name, "source": case.source, "series": case.series or "", **columns}
