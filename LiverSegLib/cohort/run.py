"""The cases given to the workers, a few at a time, until none is open; nothing is remembered but counts."""

import contextlib
import queue
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..errors import CancelledError, LiverSegError, UsageError
from .case import Case
from .cluster import CASE, Connection
from .ledger import DONE, FAILED, Ledger
from .pace import Pace
from .work import BUSY, MAXIMUM_DEATHS, NoCaseCanError, Order, Outcome, run_case

POLL_S = 0.2
"""Seconds between two looks at Ctrl-C and at the connection."""
WORKERS_EVERY_S = 1.0
"""Seconds between two looks at which workers there are."""
RENEW_EVERY_S = 60.0
"""Seconds after which workers that are missing are started anew, such as jobs whose wall time has ended."""
QUICK_S = 1.0
"""Seconds of a case below which workers get several cases at a time."""
BUSY_PAUSE_S = 2.0
"""Seconds until a case that another process holds is asked for again."""

Progress = Callable[["Counts"], None]
"""Hears after each case, and about once a second, how far the work is."""


class StoppedError(CancelledError):
    """The user stopped a cohort; what was computed by then is in place."""


@dataclass
class Counts:
    """How far a cohort is.

    Attributes:
        total, done, failed: cases.
        workers: processes that wait for cases or compute one.
        remaining_s: seconds until the end, about; None: nobody can tell yet.
    """

    total: int
    done: int = 0
    failed: int = 0
    workers: int = 0
    remaining_s: Optional[float] = None

    @property
    def ended(self) -> int:
        """Cases that are done or failed."""
        return self.done + self.failed

    @property
    def share(self) -> float:
        """Part of the cases that are done or failed, 0..1."""
        return self.ended / self.total if self.total else 1.0

    def stopped(self) -> StoppedError:
        """What is said after Ctrl-C."""
        return StoppedError(f"Stopped: {_so_far(self)}. The same command goes on with the rest.")


@dataclass
class _Run:
    """What a running cohort has in hands."""

    connection: Connection
    order: Order
    ledger: Ledger
    counts: Counts
    pace: Pace = field(default_factory=Pace)
    arrived: "queue.Queue[Any]" = field(default_factory=queue.Queue)
    running: Dict[str, Tuple[Any, Case]] = field(default_factory=dict)
    later: List[Tuple[float, Case]] = field(default_factory=list)
    deaths: Dict[str, int] = field(default_factory=dict)
    renewed: float = field(default_factory=time.monotonic)


def run_cohort(
    cases: Sequence[Case],
    order: Order,
    connection: Connection,
    *,
    progress: Progress = lambda counts: None,
    stop: Callable[[], bool] = lambda: False,
) -> Counts:
    """Compute all cases that are neither done nor failed.

    Args:
        cases: of the cohort.
        order: what to do with each.
        connection: to the workers.
        progress: hears how far the work is.
        stop: asked often; True stops the work.

    Returns:
        How many are done and failed.

    Raises:
        LiverSegError: the connection is lost, or what is wrong with a case is wrong with all.
        StoppedError: ``stop`` said so; what was computed by then is in place.
    """
    ledger = Ledger(Path(order.folder))
    done, failed = ledger.done(), ledger.failures()
    open_ = [case for case in cases if case.name not in done and case.name not in failed]
    names = {case.name for case in cases}
    counts = Counts(len(cases), len(done & names), len(failed & names))
    run = _Run(connection, order, ledger, counts)
    progress(counts)
    try:
        _work(run, iter(open_), progress, stop)
    except KeyboardInterrupt:
        raise counts.stopped() from None
    finally:
        for future, _ in run.running.values():
            _let_go(future.cancel)
    return counts


def _work(run: _Run, waiting: Iterator[Case], progress: Progress, stop: Callable[[], bool]) -> None:
    number, looked, slots, exhausted = 0, 0.0, 0, False
    while True:
        if stop():
            raise run.counts.stopped()
        now = time.monotonic()
        if now - looked >= WORKERS_EVERY_S:
            looked, slots = now, _slots(run)
            run.counts.workers = slots
            run.counts.remaining_s = run.pace.remaining(run.counts.total - run.counts.ended)
            progress(run.counts)
        while len(run.running) < slots * _ahead(run):
            case = _next(run, waiting)
            if case is None:
                exhausted = not run.later
                break
            number += 1
            _submit(run, case, number)
        if exhausted and not run.running and not run.later:
            return
        _take_in(run, progress)


def _ahead(run: _Run) -> int:
    """Cases in hand for each worker: one, so that the last ones are shared out evenly; of cases that end
    faster than messages travel, several."""
    seconds = run.pace.between_ends()
    return 1 if seconds is None or seconds * max(run.counts.workers, 1) > QUICK_S else 4


def _next(run: _Run, waiting: Iterator[Case]) -> Optional[Case]:
    """The next case to compute: one whose pause is over, else one that has not been tried."""
    now = time.monotonic()
    for place, (due, case) in enumerate(run.later):
        if due <= now:
            del run.later[place]
            return case
    return next(waiting, None)


def _submit(run: _Run, case: Case, number: int) -> None:
    """Give a case to the workers. Its key has no name in it: keys stand on Dask's page and in its logs.

    Raises:
        LiverSegError: the connection is lost.
    """
    _require_connection(run)
    key = f"{run.order.run}-{number}"
    future = run.connection.client.submit(
        run_case, run.order, case, key=key, resources=run.connection.resources, pure=False
    )
    run.running[key] = (future, case)
    future.add_done_callback(lambda ended: run.arrived.put(ended.key))


def _take_in(run: _Run, progress: Progress) -> None:
    """Wait a moment for cases that ended, and count them."""
    try:
        keys = [run.arrived.get(timeout=POLL_S)]
    except queue.Empty:
        _require_connection(run)
        return
    while not run.arrived.empty():
        keys.append(run.arrived.get_nowait())
    for key in keys:
        future, case = run.running.pop(key)
        _count(run, case, future)
    progress(run.counts)


def _count(run: _Run, case: Case, future: Any) -> None:
    """Count a case that ended, or put it back.

    Raises:
        LiverSegError: the cohort cannot go on.
    """
    outcome = _outcome(run, future)
    _let_go(future.release)
    state = outcome.state if outcome is not None else run.ledger.state(case.name)
    if state in (DONE, FAILED):
        run.counts.done += state == DONE
        run.counts.failed += state == FAILED
        run.pace.ended()
    elif state == BUSY:
        run.later.append((time.monotonic() + BUSY_PAUSE_S, case))
    else:
        run.deaths[case.name] = run.deaths.get(case.name, 0) + 1
        if run.deaths[case.name] > 2 * MAXIMUM_DEATHS:
            raise LiverSegError(
                f"The processes that compute end again and again before they begin a case; "
                f"{_so_far(run.counts)}."
            )
        run.later.append((time.monotonic(), case))


def _outcome(run: _Run, future: Any) -> Optional[Outcome]:
    """What the process said of its case; None if that is lost: the ledger knows what became of the case.

    Raises:
        LiverSegError: the cohort cannot go on.
    """
    outcome: Optional[Outcome] = None
    error: Optional[BaseException] = None
    try:
        if future.status == "finished":
            outcome = future.result()
        elif future.status == "error":
            error = future.exception()
    except Exception:  # noqa: BLE001 (Dask has many ways to say that the answer is not to be had any more)
        outcome = error = None
    if error is not None:
        return _of_error(error)
    if outcome is None:  # lost on the way, or cancelled with the scheduler
        _require_connection(run)
    return outcome


def _of_error(error: BaseException) -> Optional[Outcome]:
    """None if the worker died under the case: the ledger knows what of it.

    Raises:
        LiverSegError: no case can be computed.
    """
    from distributed.scheduler import KilledWorker

    if isinstance(error, NoCaseCanError):
        raise error.reason
    if isinstance(error, KilledWorker):
        return None
    raise LiverSegError(
        f"The workers cannot compute cases ({type(error).__name__}): they need the same LiverSeg, and the "
        f"same folders under the same paths, as this computer.",
        repr(error),
    )


def _slots(run: _Run) -> int:
    """How many workers can compute a case now.

    Raises:
        LiverSegError: the connection is lost.
        UsageError: there are workers, and none of them offers what a case asks for.
    """
    _require_connection(run)
    workers = _workers(run)
    wanted = run.connection.resources
    fit = [w for w in workers if all(w.get("resources", {}).get(name, 0) >= 1 for name in wanted)]
    if workers and not fit:
        raise UsageError(
            f"No worker of the scheduler offers the resource {CASE}: start them as `dask worker ADDRESS "
            f'--nthreads 1 --resources "{CASE}=1"`, so that each computes one case at a time.'
        )
    shared = next((w for w in fit if w.get("nthreads", 1) != 1 and w["resources"][CASE] != 1), None)
    if shared is not None:
        raise UsageError(f"A worker of the scheduler offers more than one {CASE}: a case needs a process.")
    if len(fit) < run.connection.workers and time.monotonic() - run.renewed > RENEW_EVERY_S:
        run.renewed = time.monotonic()
        run.connection.renew()
    return len(fit)


def _workers(run: _Run) -> List[Mapping[str, Any]]:
    """What the scheduler says of each worker.

    It is asked itself: ``Client.scheduler_info`` returns what the client keeps for Dask's page, and that is
    without workers each time the client refreshed it in between.

    Raises:
        LiverSegError: the connection is lost.
    """
    client = run.connection.client
    try:
        return list(client.sync(client.scheduler.identity)["workers"].values())
    except OSError as error:
        raise _lost(run) from error


def _require_connection(run: _Run) -> None:
    """Do nothing while the client is connected.

    Raises:
        LiverSegError: it is not.
    """
    client = run.connection.client
    comm = getattr(client, "scheduler_comm", None)
    if client.status != "running" or comm is None or comm.closed():
        raise _lost(run)


def _lost(run: _Run) -> LiverSegError:
    return LiverSegError(
        f"The connection to Dask's scheduler was lost. {_so_far(run.counts)}; "
        f"the same command goes on with the rest."
    )


def _so_far(counts: Counts) -> str:
    return f"{counts.done} of {counts.total} cases are done"


def _let_go(forget: Callable[[], Any]) -> None:
    """Let Dask forget a case, whatever became of the connection."""
    with contextlib.suppress(Exception):  # Dask has many ways to say that it is not there any more
        forget()
