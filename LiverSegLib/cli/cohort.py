"""``liverseg cohort``: many scans, on this computer or on a cluster, to one folder of results."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Sequence, Tuple
from uuid import uuid4

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
from .interrupts import Interrupts
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
    from ..cohort import Case, Ledger, Options
    from ..cohort.run import Counts
    from ..cohort.sources import Found

PACKAGES = ("dask", "distributed", "matplotlib", "pandas", "pyarrow", "cryptography")

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
    from ..cohort import Options

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
    with Interrupts() as interrupts:
        found = _find(source, output)
        counts, files = _run(
            console, interrupts, output, found, options, place,
            mapping=mapping, retry=retry_failed, dashboard=not no_dashboard,
        )  # fmt: skip
    _answer(console, output, counts, files)
    if counts.failed:
        raise typer.Exit(INCOMPLETE)


def _hashes(model: str, tumors: Optional[str]) -> str:
    """What tells the models from others; that they are there is seen before anything starts.

    Raises:
        ModelError: one cannot be used.
    """
    from ..models import load_model

    return "+".join(load_model(name).sha256 or "" for name in (model, tumors) if name is not None)


def _find(source: str, output: Path) -> "Found":
    from ..cohort import find_cases

    return find_cases(source, leave_out=(output,))


def _run(
    console: Console,
    interrupts: Interrupts,
    output: Path,
    found: "Found",
    options: "Options",
    place: Any,
    *,
    mapping: Optional[Path],
    retry: bool,
    dashboard: bool,
) -> "Tuple[Counts, Dict[str, Path]]":
    """Compute what is open and write the tables; the folder is held meanwhile."""
    from ..cohort import Ledger
    from ..cohort.collect import collect
    from ..outputs import reserve
    from ..outputs.atomic import check_room
    from ..outputs.results import EXPECTED_BYTES

    ledger = Ledger(output)
    with reserve(output) as reservation:
        check_room(reservation, EXPECTED_BYTES)
        ledger.prepare()
        ledger.settle(options)
        cases = _named(found.cases, ledger, options, mapping)
        if retry:
            ledger.forget_failures()
        ledger.tidy()
        counts = _compute(console, interrupts, ledger, cases, options, place, dashboard)
        with interrupts.at_once():
            files = collect(
                reservation, ledger, len(cases), anonymous=options.anonymous, left_out=found.left_out
            )
        if options.anonymous and mapping is None and counts.ended == counts.total:
            ledger.destroy_secret()
    return counts, files


def _named(
    cases: "Sequence[Case]", ledger: "Ledger", options: "Options", mapping: Optional[Path]
) -> "Tuple[Case, ...]":
    """The cases under the names that their folders get.

    Raises:
        UsageError: the anonymous cohort has ended, and nobody can tell any more which case is which.
    """
    from ..cohort.anonymous import named_by_mapping, named_by_secret

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
    console: Console,
    interrupts: Interrupts,
    ledger: "Ledger",
    cases: "Sequence[Case]",
    options: "Options",
    place: Any,
    dashboard: bool,
) -> "Counts":
    """Give the open cases to the workers; without any, start none."""
    from ..cohort.cluster import connected
    from ..cohort.run import Counts, run_cohort
    from ..cohort.segmenting import segment_case
    from ..cohort.work import Order

    names = {case.name for case in cases}
    before = Counts(len(cases), len(names & ledger.done()), len(names & ledger.failures()))
    if before.ended == before.total:
        return before
    order = Order(str(ledger.folder), uuid4().hex[:8], options, segment_case)
    with ProgressBar(console.aside, shown=not (console.quiet or console.json), remaining=False) as bar:
        bar(before.ended / before.total, "start", "Starting the workers")
        try:
            with connected(place, dashboard=dashboard, private=ledger.private) as connection:
                if connection.dashboard and not (console.quiet or console.json):
                    console.aside.print(f"Dask's dashboard: {connection.dashboard}", highlight=False)

                def tell(counts: "Counts") -> None:
                    fraction = counts.ended / counts.total
                    bar(fraction, f"{100 * fraction:.0f}", progress_words(counts))

                return run_cohort(cases, order, connection, progress=tell, stop=interrupts.requested)
        except KeyboardInterrupt:
            raise before.stopped() from None


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
    table = numbers_table("Cases")
    for heading in ("", "Cases"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, count in (("done", counts.done), ("failed", counts.failed)):
        table.add_row(name, str(count))
    console.show(table, "", files_table(files))
    said: List[str] = [f"{row['case']}: {row['message']}" for row in failures[:SAID_FAILURES]]
    if len(failures) > SAID_FAILURES:
        said.append(f"{len(failures) - SAID_FAILURES} more cases failed; {files['overview']} lists all.")
    console.warn(said)
