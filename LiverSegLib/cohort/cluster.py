"""Worker processes of Dask: on this computer, under Slurm, or those of a scheduler that runs already.

Each worker has one thread for cases, so one case at a time, and offers the resource CASE. On this computer
and under Slurm all connections are encrypted and need a certificate made for this run: Dask runs what it is
sent, so nobody else may connect.
"""

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from ..errors import LiverSegError, UsageError

CASE = "CASE"
"""The resource of a worker that computes one case at a time."""
GPU = "GPU"
"""The resource of a worker with a share of a graphics card."""

CONNECT_S = 15
"""Seconds within which a scheduler must answer."""

CASE_BYTES = 3_000_000_000
"""Memory that a worker is planned with: a CT of 600 slices takes 2 GB."""

MEMORY_SHARE = 0.9
"""Part of the computer's free memory that the workers may take together."""

WORKERS_OF_A_CARD = 2
"""Workers that share a graphics card: one draws and writes while another computes."""

_CONFIG: Dict[str, Any] = {
    # a worker that died is this program's business: the case itself says how often it was tried
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    # a network that computes for minutes without answering is no dead worker
    "distributed.scheduler.worker-ttl": None,
    "distributed.worker.profile.enabled": False,
    # by default Dask looks at its event loops 50 times a second and at its processes twice: while cases were
    # computed, the command took 4 % of a core, and takes 1 % with these
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.system-monitor.interval": "5s",
    # cases have a limit of their own; nothing of theirs stays in Dask's memory
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.diagnostics.nvml": False,
    # a busy computer needs a minute to start a process again: not lost before that
    "distributed.deploy.lost-worker-timeout": "120s",
    "distributed.comm.timeouts.connect": "120s",
}


@dataclass(frozen=True)
class Local:
    """Workers on this computer.

    Attributes:
        workers: how many.
        graphics_cards: how many they share; 0: they compute on the CPU.
    """

    workers: int
    graphics_cards: int = 0


@dataclass(frozen=True)
class Slurm:
    """Workers that Slurm starts, a job each.

    Attributes:
        jobs: how many.
        cores, memory: processor threads and bytes of a job.
        walltime: of a job, as Slurm takes it ("04:00:00").
        partition, account: as Slurm knows them; None: its default.
        more: further lines of the job script behind "#SBATCH", such as "--gres=gpu:1".
        interface: of the network through which jobs reach this computer, such as "ib0".
        gpu: whether each job has a graphics card.
    """

    jobs: int
    cores: int
    memory: int
    walltime: str = "08:00:00"
    partition: Optional[str] = None
    account: Optional[str] = None
    more: Tuple[str, ...] = ()
    interface: Optional[str] = None
    gpu: bool = False


@dataclass(frozen=True)
class Running:
    """A scheduler that somebody else has started, by its address."""

    address: str


@dataclass(frozen=True)
class Connection:
    """A connected client.

    Attributes:
        client: Dask's.
        dashboard: address of Dask's page on the work; empty if there is none.
        resources: what a task asks for.
        workers: how many there should be; 0: that is not this program's business.
        renew: starts those that are missing.
    """

    client: Any
    dashboard: str
    resources: Dict[str, float]
    workers: int = 0
    renew: Callable[[], None] = lambda: None


def planned_workers(cores: int, free_bytes: int, case_bytes: int = CASE_BYTES) -> int:
    """How many workers a computer is good for: one for each core, as far as the memory goes.

    >>> planned_workers(8, 16_000_000_000), planned_workers(2, 1_000_000_000)
    (4, 1)
    """
    return max(1, min(cores, int(free_bytes * MEMORY_SHARE // case_bytes)))


def worker_number() -> Optional[int]:
    """Number of this process among the workers of its computer; None outside of one, or if it has a name."""
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:
        return None
    return name if isinstance(name, int) else None


@contextmanager
def connected(place: Any, *, dashboard: bool, private: Path) -> Iterator[Connection]:
    """Start workers, or connect to those that run, and end what was started.

    Args:
        place: ``Local``, ``Slurm`` or ``Running``.
        dashboard: whether to serve Dask's page on the work, on this computer only.
        private: folder for what the processes share: certificates, logs of Slurm's jobs.

    Raises:
        LiverSegError: the workers or the scheduler cannot be reached.
    """
    import dask
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said in sentences
    with dask.config.set(_CONFIG):
        if isinstance(place, Running):
            with _client_of(place.address) as client:
                yield Connection(client, "", {CASE: 1.0})
            return
        with _cluster(place, dashboard, private) as cluster, Client(cluster) as client:
            gpu = place.gpu if isinstance(place, Slurm) else place.graphics_cards > 0
            resources = {CASE: 1.0, GPU: 1.0} if gpu else {CASE: 1.0}
            wanted = place.jobs if isinstance(place, Slurm) else place.workers
            page = cluster.dashboard_link if dashboard else ""
            yield Connection(client, page, resources, wanted, lambda: cluster.scale(wanted))


@contextmanager
def _client_of(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        raise LiverSegError(f"There is no scheduler of Dask at {address}.", str(error)) from error
    try:
        yield client
    finally:
        client.close(timeout=5)


def _cluster(place: Any, dashboard: bool, private: Path) -> Any:
    """The cluster that was asked for, with its workers on their way."""
    if isinstance(place, Slurm):
        return _slurm_cluster(place, dashboard, private)
    from distributed import LocalCluster

    gpu = {GPU: 1.0} if place.graphics_cards else {}
    return LocalCluster(
        n_workers=place.workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        security=True,
        protocol="tls://",
        memory_limit=0,  # the guard of a case knows whose memory it is; Dask's nanny would not say
        dashboard_address="127.0.0.1:0" if dashboard else None,
        worker_dashboard_address=None,
        preload=["LiverSegLib.cohort.start"],
        resources={CASE: 1.0, **gpu},
        silence_logs=logging.CRITICAL,
    )


def _slurm_cluster(place: Slurm, dashboard: bool, private: Path) -> Any:
    from dask_jobqueue import SLURMCluster

    for name in ("slurm-logs", "certificates"):
        (private / name).mkdir(mode=0o700, exist_ok=True)
    gpu = f" {GPU}=1" if place.gpu else ""
    scheduler: Dict[str, Any] = {"dashboard_address": "127.0.0.1:0" if dashboard else None}
    if not place.interface:
        scheduler["host"] = None
    try:
        cluster = SLURMCluster(
            cores=1,
            job_cpu=place.cores,
            processes=1,
            memory=f"{place.memory // 1_000_000} MB",
            walltime=place.walltime,
            queue=place.partition,
            account=place.account,
            interface=place.interface,
            security=True,
            protocol="tls://",
            shared_temp_directory=str(private / "certificates"),
            log_directory=str(private / "slurm-logs"),
            job_extra_directives=list(place.more),
            worker_extra_args=["--resources", f"{CASE}=1{gpu}", "--no-dashboard"],
            scheduler_options=scheduler,
            local_directory=os.environ.get("TMPDIR", "/tmp"),
            silence_logs="critical",
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise LiverSegError("The cluster of Dask cannot be started under Slurm.", str(error)) from error
    cluster.scale(jobs=place.jobs)
    return cluster


def require_slurm() -> None:
    """Do nothing where Slurm's command is.

    Raises:
        UsageError: it is not.
    """
    from shutil import which

    if which("sbatch") is None:
        raise UsageError("There is no Slurm here: the command sbatch was not found.")
