"""``liverseg cohort``: many scans, on this computer or on a cluster, to one folder of results."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Dict, Iterator, List, Optional

import typer

from ..errors import UsageError
from .cohort_place import (
    Account,
    Dashboard,
    Interface,
    Memory,
    Partition,
    Sbatch,
    Scheduler,
    SlurmFlag,
    Walltime,
    Wanted,
    Workers,
    WorkerThreads,
    place_of,
)
from .console import Console, files_table, numbers_table
from .evaluate import INCOMPLETE
from .interrupts import Interrupts, load
from .options import Device, DeviceName, Engine, EngineName, Json, Modality, ModalityName, Model, Quiet
from .packages import require_packages
from .progress import ProgressBar
from .segment import (
    Format,
    Highlight,
    LabelFormat,
    MinimumLesion,
    Mirror,
    NoReport,
    TumorModel,
    WhichStructures,
    chosen_structures,
)

if TYPE_CHECKING:
    from ..cohort.run import Counts

PACKAGES = ("dask", "distributed", "matplotlib", "pandas", "pyarrow", "cryptography")

TABLES = ("pandas", "pyarrow.parquet", "matplotlib.figure", "matplotlib.style", "PIL.Image")
"""What tables and page load."""

SAID_FAILURES = 10
"""Failures that the terminal names; the page has all."""

Anonymous = Annotated[
    bool,
    typer.Option("--anonymous", help="Number the cases; no file of the results names a scan or its folder."),
]
Mapping_ = Annotated[
    Optional[Path],
    typer.Option(
        "--mapping",
        metavar="FILE",
        help="With --anonymous: a table (CSV) of names and scans, outside of the results. "
        "Without it nobody can tell them any more once all cases have ended.",
    ),
]


def cohort(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|LIST.csv|URL",
            help="A folder with scans in it, a table with the column path, or a DICOMweb query.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for the results; a second run goes on.",
        ),
    ],
    workers: Workers = None,
    threads: WorkerThreads = None,
    memory: Memory = None,
    time_limit: Annotated[
        float, typer.Option(metavar="MINUTES", min=0.0, help="Give up a case after this time; 0: never.")
    ] = 60.0,
    scheduler: Scheduler = None,
    slurm: SlurmFlag = False,
    partition: Partition = None,
    account: Account = None,
    walltime: Walltime = "08:00:00",
    interface: Interface = None,
    sbatch: Sbatch = None,
    no_dashboard: Dashboard = False,
    anonymous: Anonymous = False,
    mapping: Mapping_ = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute the cases again that failed in an earlier run.")
    ] = False,
    modality: Modality = ModalityName.auto,
    device: Device = DeviceName.auto,
    engine: Engine = EngineName.auto,
    model: Model = "default",
    tumors: TumorModel = None,
    structures: WhichStructures = "all",
    label_format: Format = LabelFormat.nifti,
    mirror: Mirror = False,
    no_report: NoReport = False,
    highlight: Highlight = False,
    minimum_lesion: MinimumLesion = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Segment many scans and collect their numbers.

    Worker processes compute a case each, with a model that stays loaded. A case that fails is listed and the
    others go on. Stopped in whatever way, the same command goes on with what is missing.
    """
    require_packages(PACKAGES, "cohort")
    if mapping is not None and not anonymous:
        raise UsageError("--mapping goes with --anonymous.")
    wanted = Wanted(
        workers, threads, memory, scheduler, slurm, partition, account, walltime, interface,
        tuple(sbatch or ()), device.value, engine.value,
    )  # fmt: skip
    place, sizes = place_of(wanted)
    from ..cohort import Options, find_cases

    options = Options(
        model=model,
        tumours=tumors,
        device=device.value,
        engine=engine.value,
        mirror=mirror,
        minimum_lesion_ml=minimum_lesion,
        structures=chosen_structures(structures),
        modality=modality.value,
        label_format=label_format.value,
        report=not no_report,
        highlight=highlight,
        anonymous=anonymous,
        time_limit=60.0 * time_limit,
        model_sha256=_hashes(model, tumors),
        **sizes,
    )
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    load("LiverSegLib.cohort.session", "distributed")
    from ..cohort.session import Session, run_session

    session = Session(output, place, mapping, retry_failed, not no_dashboard)
    shown = not (quiet or json_)
    with Interrupts() as interrupts, ProgressBar(console.aside, shown=shown, remaining=False) as bar:
        bar(0.0, "find", "Looking for scans")
        found = find_cases(source, leave_out=(output,))
        counts, files = run_session(
            found,
            options,
            session,
            progress=lambda counts: bar(counts.share, f"{100 * counts.share:.0f}", progress_words(counts)),
            started=lambda dashboard: _say_dashboard(console, dashboard if shown else ""),
            stop=interrupts.requested,
            ending=lambda: _ending(interrupts),
        )
    _answer(console, output, counts, files)
    if counts.failed:
        raise typer.Exit(INCOMPLETE)


@contextmanager
def _ending(interrupts: Interrupts) -> Iterator[None]:
    """The block of the tables; what they need is loaded here, as the workers need not wait for it."""
    load(*TABLES)
    with interrupts.at_once():
        yield


def _say_dashboard(console: Console, dashboard: str) -> None:
    if dashboard:
        console.aside.print(f"Dask's dashboard: {dashboard}", highlight=False)


def _hashes(model: str, tumors: Optional[str]) -> str:
    """What tells the models from others; that they are there is seen before anything starts.

    Raises:
        ModelError: one cannot be used.
    """
    from ..models import load_model

    return "+".join(load_model(name).sha256 or "" for name in (model, tumors) if name is not None)


def progress_words(counts: "Counts") -> str:
    """How far a cohort is, in words.

    >>> from LiverSegLib.cohort.run import Counts
    >>> progress_words(Counts(60, 12, 1, workers=2, remaining_s=150.0))
    '13 of 60 cases, 1 failed, 2 workers, about 2.5 min left'
    """
    from ..cohort.guard import in_words

    parts = [f"{counts.ended} of {counts.total} cases"]
    parts += [f"{counts.failed} failed"] if counts.failed else []
    if counts.workers:
        parts.append(f"{counts.workers} worker{'s' * (counts.workers != 1)}")
    else:
        parts.append("waiting for workers")
    if counts.remaining_s is not None and counts.ended < counts.total:
        parts.append(f"about {in_words(counts.remaining_s)} left")
    return ", ".join(parts)


def _answer(console: Console, output: Path, counts: "Counts", files: "Dict[str, Path]") -> None:
    from ..cohort import Ledger

    ledger = Ledger(output)
    rows = [ledger.row(name, "failed") for name in sorted(ledger.failures())]
    failures = [{"case": row["case"], "code": row["error_code"], "message": row["error"]} for row in rows]
    console.answer(
        {
            "folder": os.path.abspath(output),
            "files": {key: str(path) for key, path in files.items()},
            "cases": {"total": counts.total, "done": counts.done, "failed": counts.failed},
            "failures": failures,
        }
    )
    table = numbers_table("Cohort")
    for heading in ("", "Cases"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, count in (("done", counts.done), ("failed", counts.failed)):
        table.add_row(name, str(count))
    console.show(table, "", files_table(files))
    said: List[str] = [f"{row['case']}: {row['message']}" for row in failures[:SAID_FAILURES]]
    if len(failures) > SAID_FAILURES:
        said.append(f"{len(failures) - SAID_FAILURES} more cases failed; {files['overview']} lists all.")
    console.warn(said)
