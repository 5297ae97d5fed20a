"""A cohort on a real Slurm, on a scheduler of somebody else's, and killed: slow, `make test-all`."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue", reason='a cohort needs: pip install "liverseg[cohort]"')

from cohort_doubles import pretend

from LiverSegLib.cohort import Case, Ledger, Options
from LiverSegLib.cohort.cluster import Running, Slurm
from LiverSegLib.cohort.session import Session, run_session
from LiverSegLib.cohort.sources import Found
from LiverSegLib.errors import LiverSegError

ROOT = Path(__file__).resolve().parents[2]


def cases_of(folder: Path, *names: str) -> Found:
    return Found(tuple(Case(name, str(folder / f"{name}.txt")) for name in names))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_slurm_computes_a_cohort(tmp_path, monkeypatch):
    from tools.slurm_here import slurm, why_not

    reason = why_not()
    if reason is not None:
        pytest.skip(f"Slurm is not tested: {reason}")
    monkeypatch.setenv("PATH", os.environ["PATH"] + ":/usr/sbin")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "Testing" / "Core"))))
    with tempfile.TemporaryDirectory(prefix="slurm-") as place, slurm(Path(place), cores=2) as configuration:
        monkeypatch.setenv("SLURM_CONF", str(configuration))
        where = Slurm(jobs=2, cores=1, memory=1_000_000_000, walltime="00:10:00", interface="lo")
        session = Session(tmp_path / "out", where, task=pretend)
        counts, _ = run_session(cases_of(tmp_path, "a", "b", "c", "bad"), Options(), session)
    assert (counts.done, counts.failed) == (3, 1)
    logs = list((tmp_path / "out" / ".cohort" / "slurm-logs").iterdir())
    assert logs, "the workers were jobs of Slurm"


def test_no_scheduler_at_an_address_is_a_sentence(tmp_path, monkeypatch):
    from LiverSegLib.cohort import cluster

    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    session = Session(tmp_path / "out", Running("tcp://127.0.0.1:9"), task=pretend)
    with pytest.raises(LiverSegError, match="There is no scheduler of Dask at tcp://127.0.0.1:9"):
        run_session(cases_of(tmp_path, "a"), Options(), session)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kills_lose_nothing_and_do_nothing_twice(tmp_path):
    """Three of the twenty drills of Testing/Benchmarks/cohort.py: command, worker, scheduler."""
    sys.path.insert(0, str(ROOT / "Testing" / "Benchmarks"))
    try:
        from cohort import drills
    finally:
        sys.path.pop(0)
    found = drills(tmp_path, 3, 60)
    assert found["cases"] == 60 and len(Ledger(tmp_path / "drills").done()) == 60
