"""Where the workers of ``liverseg cohort`` are: the options, and what they come to on this computer."""

from dataclasses import dataclass
from typing import Annotated, Any, Dict, List, Optional, Tuple

import typer

from ..errors import UsageError
from .packages import require_packages

Workers = Annotated[
    Optional[int],
    typer.Option(
        metavar="N", min=1, help="Worker processes, or jobs of Slurm; by default as cores and memory allow."
    ),
]
WorkerThreads = Annotated[
    Optional[int],
    typer.Option("--threads", metavar="N", min=1, help="Processor threads of each worker."),
]
Memory = Annotated[
    Optional[float],
    typer.Option(metavar="GB", min=0.1, help="Memory of each worker: a case that takes more is given up."),
]
Scheduler = Annotated[
    Optional[str],
    typer.Option(metavar="ADDRESS", help="A scheduler of Dask that runs already, such as tcp://node1:8786."),
]
SlurmFlag = Annotated[bool, typer.Option("--slurm", help="Let Slurm start the workers, a job each.")]
Partition = Annotated[Optional[str], typer.Option(metavar="NAME", help="Partition of Slurm.")]
Account = Annotated[Optional[str], typer.Option(metavar="NAME", help="Account of Slurm.")]
Walltime = Annotated[str, typer.Option(metavar="TIME", help="How long a job of Slurm may run.")]
Interface = Annotated[
    Optional[str],
    typer.Option(metavar="NAME", help="Network through which Slurm's jobs reach this computer, such as ib0."),
]
Sbatch = Annotated[
    Optional[List[str]],
    typer.Option(metavar="LINE", help='A further line of Slurm\'s job, such as "--gres=gpu:1"; repeatable.'),
]
Dashboard = Annotated[
    bool, typer.Option("--no-dashboard", help="Do not serve Dask's page on the work on this computer.")
]

SLURM_JOBS, SLURM_THREADS, SLURM_MEMORY_GB = 4, 4, 8.0
"""Jobs, and threads and memory of each, where the user says nothing."""

JOB_SHARE = 0.95
"""Part of a job's memory at which its case is given up, before Slurm ends the job."""


@dataclass(frozen=True)
class Wanted:
    """The options as they were given."""

    workers: Optional[int]
    threads: Optional[int]
    memory_gb: Optional[float]
    scheduler: Optional[str]
    slurm: bool
    partition: Optional[str]
    account: Optional[str]
    walltime: str
    interface: Optional[str]
    sbatch: Tuple[str, ...]
    device: str
    engine: str


def place_of(wanted: Wanted) -> Tuple[Any, Dict[str, int]]:
    """Return the place (``Local``, ``Slurm`` or ``Running``) and how large each worker is, as arguments of
    ``cohort.Options``.

    Raises:
        UsageError: options that exclude each other, or there is no Slurm.
    """
    if wanted.slurm and wanted.scheduler:
        raise UsageError("--slurm and --scheduler exclude each other.")
    if not wanted.slurm and any((wanted.partition, wanted.account, wanted.interface, wanted.sbatch)):
        raise UsageError("--partition, --account, --interface and --sbatch go with --slurm.")
    if wanted.scheduler:
        return _running(wanted)
    return _slurm(wanted) if wanted.slurm else _local(wanted)


def _running(wanted: Wanted) -> Tuple[Any, Dict[str, int]]:
    from ..cohort.cluster import Running

    if wanted.workers:
        raise UsageError("--workers does not go with --scheduler: its workers run already.")
    return Running(wanted.scheduler or ""), _sizes(wanted.threads or 0, _bytes(wanted.memory_gb or 0.0))


def _slurm(wanted: Wanted) -> Tuple[Any, Dict[str, int]]:
    from ..cohort.cluster import Slurm, require_slurm

    require_packages(("dask_jobqueue",), "cohort")
    require_slurm()
    threads = wanted.threads or SLURM_THREADS
    memory = _bytes(wanted.memory_gb or SLURM_MEMORY_GB)
    place = Slurm(
        jobs=wanted.workers or SLURM_JOBS,
        cores=threads,
        memory=memory,
        walltime=wanted.walltime,
        partition=wanted.partition,
        account=wanted.account,
        more=wanted.sbatch,
        interface=wanted.interface,
        gpu=wanted.device == "cuda",
    )
    return place, _sizes(threads, int(JOB_SHARE * memory))


def _local(wanted: Wanted) -> Tuple[Any, Dict[str, int]]:
    import psutil
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    from ..cohort.cluster import MEMORY_SHARE, WORKERS_OF_A_CARD, Local, planned_workers

    free = min(int(psutil.virtual_memory().available), int(MEMORY_LIMIT))
    cards = _graphics_cards(wanted.device, wanted.engine)
    memory = {} if wanted.memory_gb is None else {"case_bytes": _bytes(wanted.memory_gb)}
    fit = planned_workers(CPU_COUNT, free, **memory)
    workers = wanted.workers or (min(fit, cards * WORKERS_OF_A_CARD) if cards else fit)
    threads = wanted.threads or max(1, CPU_COUNT // workers)
    limit = _bytes(wanted.memory_gb) if wanted.memory_gb else int(MEMORY_SHARE * free / workers)
    return Local(workers, cards), {**_sizes(threads, limit), "graphics_cards": cards}


def _graphics_cards(device: str, engine: str) -> int:
    """How many graphics cards the workers will use; PyTorch is asked only where there is a sign of one."""
    from importlib.util import find_spec
    from shutil import which

    if device not in ("auto", "cuda") or engine not in ("auto", "torch") or find_spec("torch") is None:
        return 0
    if device == "auto" and which("nvidia-smi") is None and which("rocm-smi") is None:
        return 0
    from ..inference.devices import require_torch

    return int(require_torch().cuda.device_count())


def _bytes(gigabytes: float) -> int:
    return int(1e9 * gigabytes)


def _sizes(threads: int, memory_limit: int) -> Dict[str, int]:
    return {"threads": threads, "memory_limit": memory_limit}
