"""The runs of a server: taken in, put in order, computed one after the other, forgotten."""

import asyncio
import contextlib
import errno
import logging
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import AsyncIterator, Dict, List, Optional, Tuple

from ..errors import CancelledError, LiverSegError, OutputError, ServerError, explain
from ..models import list_models
from ..models.store import DEFAULT_NAME
from ..sentences import Sentence
from ..worker import protocol, scratch
from ..worker.failures import failure
from ..worker.messages import Failure, Segment
from ..worker.server_messages import Queued, ServerAnswer
from . import parcels, refusals
from .fair_queue import FairQueue
from .limits import Limits
from .metrics import Metrics
from .runs import DONE, FAILED, RUNNING, SENDING, WAITING, Run
from .voxels import KINDS, Damaged, VoxelFile
from .warm_worker import TookTooLong, WarmWorker, WorkerEnded

JANITOR_S = 1.0
"""How often (seconds) it is looked whether a run was left by its client."""

_BATCH_BYTES = 1 << 18

_log = logging.getLogger(__name__)


class Service:
    """All methods are for the event loop.

    Args:
        worker: computes.
        limits: what it takes on.
        metrics: what it counts.
        scratch_folder: where its private folder is made; the system's temporary folder if None. Folders that
            killed servers and workers left there are removed.
    """

    def __init__(
        self, worker: WarmWorker, limits: Limits, metrics: Metrics, scratch_folder: Optional[Path] = None
    ) -> None:
        self.limits, self.metrics, self.worker = limits, metrics, worker
        self._folder = scratch.make_private_folder(scratch_folder)
        self._runs: Dict[str, Run] = {}
        self._queue: "FairQueue[Run]" = FairQueue()
        self._work = asyncio.Event()
        self._tasks: List["asyncio.Task[None]"] = []

    async def start(self) -> None:
        """Start the worker and begin to compute.

        Raises:
            ServerError: the worker does not start.
        """
        await self.worker.start()
        for loop in (self._dispatch(), self._look_after()):
            self._tasks.append(asyncio.ensure_future(loop))

    def end_runs(self) -> None:
        """Cancel all runs; their clients hear no more."""
        for run in list(self._runs.values()):
            self.forget(run, "cancelled")

    async def close(self) -> None:
        """End everything and remove the private folder. May be called again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.end_runs()
        await self.worker.close()
        scratch.remove_private_folder(self._folder)

    # ---- what the pages ask

    def about(self) -> ServerAnswer:
        """Who this server is."""
        from .. import __version__

        return ServerAnswer("about", __version__, model_names(), len(self._runs), self.limits.runs)

    def metrics_text(self) -> str:
        """The page for Prometheus."""
        states = [run.state for run in self._runs.values()]
        return self.metrics.text(
            sending=states.count(SENDING),
            waiting=states.count(WAITING),
            running=states.count(RUNNING),
            worker_ready=self.worker.is_there(),
        )

    def admit(self, request: Segment, kind: str, announced_bytes: int, owner: str) -> Run:
        """Take in a run whose scan is still to come.

        Raises:
            Refusal: the request makes no sense, the scan is too large, too many runs are there, the disk is
                full.
        """
        self._check(request, kind, announced_bytes)
        if len([run for run in self._runs.values() if not run.is_over()]) >= self.limits.runs:
            raise refusals.queue_full(self.limits.runs)
        run_id = secrets.token_urlsafe(24)
        folder = self._folder / f"run-{run_id}"
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise refusals.disk_full() from error
        request = replace(request, id=run_id, surfaces=False, name="scan", server=None)
        self._runs[run_id] = Run(run_id, owner, request, kind, folder)
        return self._runs[run_id]

    def find(self, run_id: str) -> Run:
        """Return a run by its name.

        Raises:
            Refusal: there is none.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise refusals.unknown_run()
        run.touch()
        return run

    async def receive(self, run: Run, stream: AsyncIterator[bytes]) -> None:
        """Take in the scan of a run, which then waits for its turn.

        Raises:
            Refusal: it is too large, too slow, not what was announced, is being sent already, or the disk is
                full. A scan that broke off may be sent again.
        """
        if run.is_being_sent:
            raise refusals.upload_runs()
        if run.state != SENDING:  # it came whole, and its client has not heard so
            async for _ in stream:
                pass
            return
        run.is_being_sent = True
        try:
            await asyncio.wait_for(self._write(run, stream), self.limits.upload_s)
        except asyncio.TimeoutError as error:
            raise refusals.too_slow(self.limits.upload_s) from error
        finally:
            run.is_being_sent = False
            run.touch()
            if run.id not in self._runs:  # cancelled meanwhile: what was written after that goes too
                run.remove()
        if run.id not in self._runs:
            raise refusals.unknown_run()
        run.state, run.waits_since = WAITING, time.monotonic()
        self._queue.put(run.owner, run)
        self._tell_places()
        self._work.set()

    def forget(self, run: Run, how: str) -> None:
        """Remove a run and all that is there of it, and cancel it if it is not over. ``how`` counts it."""
        if self._runs.pop(run.id, None) is None:
            return
        if not run.is_over() and run.state != RUNNING:  # one that is computed is counted at its end
            self.metrics.ends[how] += 1
        self._queue.remove(run)
        run.remove()
        self._tell_places()

    # ---- taking in

    def _check(self, request: Segment, kind: str, announced_bytes: int) -> None:
        grid = request.grid
        if kind not in KINDS or grid is None or request.path or request.voxels or request.series:
            raise refusals.not_understood("a scan's grid and the type of its voxels are needed, and no path")
        if (len(grid.size), len(grid.origin), len(grid.spacing), len(grid.direction)) != (3, 3, 3, 9):
            raise refusals.not_understood("the grid lacks numbers")
        if min(grid.size) < 1 or announced_bytes < 1:
            raise refusals.not_understood("the scan is empty")
        for name in filter(None, (request.model, request.tumours)):
            if name not in (known := (DEFAULT_NAME, *model_names())):  # nor is a folder of this machine
                raise refusals.unknown_model(name, known)
        x, y, z = grid.size
        if x * y * z > self.limits.voxels:
            raise refusals.too_many_voxels(self.limits.voxels)
        if announced_bytes > self.limits.upload_bytes:
            raise refusals.too_many_bytes(self.limits.upload_bytes)

    async def _write(self, run: Run, stream: AsyncIterator[bytes]) -> None:
        """Write what arrives; the rest of a scan that cannot be taken is read and dropped, for an answer
        reaches only who has sent all."""
        refused: Optional[refusals.Refusal] = None
        assert run.request.grid is not None
        count, batch = 0, bytearray()
        with contextlib.ExitStack() as stack:
            try:
                file = VoxelFile(run.voxels, run.request.grid.shape, run.kind)
                stack.callback(file.close)
            except OSError as error:
                refused = _unwritten(error)
            async for piece in stream:
                count += len(piece)
                if count > self.limits.upload_bytes:
                    raise refusals.too_many_bytes(self.limits.upload_bytes)
                if refused is None:
                    batch += piece
                    if len(batch) >= _BATCH_BYTES:
                        refused, batch = await _taken(file, bytes(batch)), bytearray()
            refused = refused or await _taken(file, bytes(batch), last=True)
        self.metrics.upload_bytes += count
        if refused is not None:
            run.voxels.unlink(missing_ok=True)
            raise refused

    def _tell_places(self) -> None:
        """Let each run that waits know how many come before it."""
        before = sum(run.state == RUNNING for run in self._runs.values())
        for place, run in enumerate(self._queue.order()):
            run.tell(Queued(run.id, before + place))

    # ---- computing

    async def _dispatch(self) -> None:
        """Compute one run after the other, for ever."""
        while True:
            run = self._queue.take()
            if run is None:
                self._work.clear()  # before it starts: a run that comes meanwhile is heard of
                await self._start_worker()
                await self._work.wait()
                continue
            run.state = RUNNING
            self._tell_places()
            self.metrics.wait_seconds += time.monotonic() - run.waits_since
            self.metrics.started_runs += 1
            started = time.monotonic()
            state, how, message = await self._computed(run)
            self.metrics.compute_seconds += time.monotonic() - started
            self.metrics.ends["cancelled" if run.is_cancelled else how] += 1
            run.end(state, message)
            if run.id not in self._runs:
                run.remove()

    async def _computed(self, run: Run) -> Tuple[str, str, protocol.Message]:
        """Have a run computed: its state at the end, how that is counted, and the message that tells it."""
        try:
            result = await self.worker.segment(
                run.work(), run.tell, lambda: run.is_cancelled, self.limits.run_s
            )
            try:
                await asyncio.get_running_loop().run_in_executor(None, parcels.pack, result, run.result)
            finally:
                scratch.remove_tree(result.folder)
            return DONE, "done", replace(result, folder=".", surfaces=())
        except Exception as error:  # noqa: BLE001 (the server outlives every run)
            return FAILED, _how(error), _told(run, error)

    async def _start_worker(self) -> None:
        """Have a worker ready for the next run, in place of one that died."""
        try:
            await self.worker.start()
        except LiverSegError as error:  # the next run tries again, and its client is told
            _log.error("%s %s", error, error.details or "")

    async def _look_after(self) -> None:
        """Remove the runs that their clients left."""
        while True:
            await asyncio.sleep(JANITOR_S)
            for run in list(self._runs.values()):
                if run.is_left(self.limits.lease_s):
                    self.forget(run, "abandoned")


def model_names() -> Tuple[str, ...]:
    """The names of the models of this computer that can be used."""
    return tuple(dict.fromkeys(model.name for model in list_models() if model.error is None))


async def _taken(file: VoxelFile, data: bytes, *, last: bool = False) -> Optional[refusals.Refusal]:
    """Write a batch, and see whether all is there after the last; returns why it cannot be taken."""

    def write() -> None:
        file.write(data)
        if last:
            file.finish()

    try:
        await asyncio.get_running_loop().run_in_executor(None, write)
    except Damaged:
        return refusals.incomplete()
    except OSError as error:
        return _unwritten(error)
    return None


def _unwritten(error: OSError) -> refusals.Refusal:
    if error.errno not in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
        _log.error("A scan cannot be written: %s", error.strerror)
    return refusals.disk_full()


def _how(error: Exception) -> str:
    kinds = ((WorkerEnded, "worker-ended"), (TookTooLong, "too-long"), (CancelledError, "cancelled"))
    return next((how for kind, how in kinds if isinstance(error, kind)), "failed")


def _told(run: Run, error: Exception) -> Failure:
    """What the client is told of a run that failed: a sentence, and nothing of this machine."""
    known = explain(error)
    if known.details and not isinstance(error, CancelledError):
        _log.warning("A run failed: %s %s", known.code, known.details)
    if isinstance(known, OutputError):
        known = ServerError(Sentence("server.disk-full"))
    elif known.code == LiverSegError.code:
        known = ServerError(Sentence("server.failed"))
    return replace(failure(run.id, known), details=None)
