"""Cohorts with a stand-in for segmenting: what is done, failed, given up, stopped, and gone on with."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason='a cohort needs: pip install "liverseg[cohort]"')
pytest.importorskip("pyarrow", reason='a cohort needs: pip install "liverseg[cohort]"')

from cohort_doubles import pretend

from LiverSegLib.cohort import Case, Ledger, Options
from LiverSegLib.cohort import session as session_module
from LiverSegLib.cohort.cluster import Local, connected
from LiverSegLib.cohort.run import StoppedError
from LiverSegLib.cohort.session import Session, run_session
from LiverSegLib.cohort.sources import Found
from LiverSegLib.cohort.work import Order
from LiverSegLib.errors import LiverSegError, ModelError, OutputError, UsageError


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Two workers that all tests of this file share: to start them takes seconds."""
    private = tmp_path_factory.mktemp("private")
    with connected(Local(2), dashboard=True, private=private) as connection:
        yield connection


@pytest.fixture
def run(workers, tmp_path, monkeypatch):
    """Runs a cohort of cases with these names on the shared workers."""
    from contextlib import nullcontext

    monkeypatch.setattr(session_module, "connected", lambda *_, **__: nullcontext(workers))

    def run(*names, options=None, folder=None, left_out=(), **more):
        (tmp_path / "scans").mkdir(exist_ok=True)
        cases = tuple(Case(name, str(tmp_path / "scans" / f"{name}.txt")) for name in names)
        session = Session(folder or tmp_path / "out", Local(2), task=pretend, **{
            key: more.pop(key) for key in ("mapping", "retry_failed") if key in more
        })  # fmt: skip
        return run_session(Found(cases, left_out), options or Options(), session, **more)

    return run


def times_begun(tmp_path: Path) -> list:
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "scans").iterdir()]
    return sorted(line.split()[0] for text in texts for line in text.splitlines())


def test_a_failing_case_is_listed_and_the_others_are_done(run, tmp_path):
    counts, files = run("a", "b", "bad", "odd")
    assert (counts.done, counts.failed, counts.total) == (2, 2, 4)
    ledger = Ledger(tmp_path / "out")
    assert ledger.done() == {"a", "b"} and ledger.failures() == {"bad", "odd"}
    assert ledger.row("bad", "failed")["error"] == "bad.txt is damaged."
    assert ledger.row("bad", "failed")["error_code"] == "input"
    assert "ZeroDivisionError" in ledger.row("odd", "failed")["error"]
    page = (tmp_path / "out" / "failed" / "bad" / "failure.html").read_text(encoding="utf-8")
    assert "bad.txt is damaged." in page and "line 3" in page
    assert not (tmp_path / "out" / "failed" / "bad" / "mask").exists()
    assert set(files) == {"cohort", "table", "parquet", "overview"}
    assert json.loads(files["cohort"].read_text(encoding="utf-8"))["cases"] == {
        "total": 4,
        "done": 2,
        "failed": 2,
    }


def test_a_second_run_computes_only_what_is_missing(run, tmp_path):
    run("a", "bad")
    before = (tmp_path / "out" / "cases" / "a" / "case.json").stat().st_mtime_ns
    counts, _ = run("a", "bad", "c")
    assert times_begun(tmp_path) == ["a", "bad", "c"]
    assert (counts.done, counts.failed) == (2, 1)
    assert (tmp_path / "out" / "cases" / "a" / "case.json").stat().st_mtime_ns == before


def test_retry_failed_computes_failures_again(run, tmp_path):
    run("a", "bad")
    run("a", "bad", retry_failed=True)
    assert times_begun(tmp_path) == ["a", "bad", "bad"]


def test_a_worker_killed_once_loses_nothing(run, tmp_path):
    counts, _ = run("killed", "a", "b")
    assert (counts.done, counts.failed) == (3, 0)
    assert times_begun(tmp_path).count("killed") == 2


def test_a_case_that_always_ends_its_process_is_not_retried_for_ever(run, tmp_path):
    counts, _ = run("crash", "a")
    assert (counts.done, counts.failed) == (1, 1)
    assert times_begun(tmp_path).count("crash") == 3
    assert "ended 3 times" in Ledger(tmp_path / "out").row("crash", "failed")["error"]


@pytest.mark.parametrize("name, options, code, said", [
    ("endless", Options(time_limit=6.0), "time-limit", "longer than 6 s"),
    ("greedy", Options(memory_limit=900_000_000), "out-of-memory", "0.9 GB"),
])  # fmt: skip
def test_a_limit_gives_up_one_case_and_no_other(run, tmp_path, name, options, code, said):
    counts, _ = run(name, "a", options=options)
    ledger = Ledger(tmp_path / "out")
    assert ledger.done() == {"a"} and (counts.done, counts.failed) == (1, 1)
    assert ledger.row(name, "failed")["error_code"] == code and said in ledger.row(name, "failed")["error"]
    assert times_begun(tmp_path) == ["a", name]


@pytest.mark.parametrize("name, kind, said", [
    ("full", OutputError, "disk is full"), ("model", ModelError, "model is damaged"),
])  # fmt: skip
def test_what_is_wrong_with_all_cases_ends_the_cohort(run, tmp_path, name, kind, said):
    with pytest.raises(kind, match=said):
        run(name)
    ledger = Ledger(tmp_path / "out")
    assert not ledger.failures() and not ledger.done()  # after repair the same command computes it


def test_stopping_says_how_to_go_on_and_leaves_nothing_half(run, tmp_path):
    stop = threading.Event()

    def tell(counts):
        if counts.done >= 2:
            stop.set()

    with pytest.raises(StoppedError, match=r"Stopped: \d of 12 cases are done. The same command goes on"):
        run(*(f"slow-{n}" for n in range(12)), progress=tell, stop=stop.is_set)
    done = Ledger(tmp_path / "out").done()
    assert 2 <= len(done) < 12
    assert all((tmp_path / "out" / "cases" / name / "case.json").is_file() for name in done)
    counts, _ = run(*(f"slow-{n}" for n in range(12)))
    assert counts.done == 12
    assert all(times_begun(tmp_path).count(name) == 1 for name in done)


def test_a_case_that_a_left_over_process_computes_is_waited_for(run, tmp_path):
    """Its lock is held; when it is let go and the case is there, nobody computes it again."""
    ledger = Ledger(tmp_path / "out")
    ledger.prepare()
    with ledger.turn("a") as staging:
        finish = threading.Timer(
            1.0, lambda: ledger.commit(staging, "a", "done", {"case": "a", "state": "done"})
        )
        finish.start()
        counts, _ = run("b", progress=lambda counts: None)
        finish.join()
    assert counts.done == 1
    counts, _ = run("a", "b")
    assert counts.done == 2 and times_begun(tmp_path) == ["b"]


def test_two_runs_in_one_folder(run, tmp_path):
    from LiverSegLib.outputs import reserve

    with reserve(tmp_path / "out"), pytest.raises(OutputError, match="already writing|another"):
        run("a")


def test_other_options_are_refused(run, tmp_path):
    run("a")
    with pytest.raises(UsageError, match="mirror False, now True"):
        run("a", "b", options=Options(mirror=True))
    run("a", "b", options=Options(threads=3, time_limit=50.0))  # how fast it is computed is no difference


def test_results_name_nobody_in_an_anonymous_cohort(run, tmp_path):
    secret, options = tmp_path / "secret" / "names.csv", Options(anonymous=True)
    secret.parent.mkdir()
    counts, _ = run("bad-Doe_John", "Smith_Ann", options=options, mapping=secret)
    assert counts.ended == 2
    for path in (tmp_path / "out").rglob("*"):
        assert "Doe" not in path.name and "Smith" not in path.name
        if path.is_file() and path.suffix != ".parquet":
            text = path.read_text(encoding="utf-8")
            assert "Doe" not in text and "Smith" not in text and str(tmp_path) not in text, path
    assert secret.stat().st_mode & 0o077 == 0
    run("bad-Doe_John", "Smith_Ann", "New_Kim", options=options, mapping=secret)
    ledger = Ledger(tmp_path / "out")
    assert len(ledger.done()) == 2 and len(ledger.failures()) == 1
    assert times_begun(tmp_path) == ["New_Kim", "Smith_Ann", "bad-Doe_John"]


def test_without_a_mapping_the_secret_goes_with_the_last_case(run, tmp_path):
    run("Smith_Ann", options=Options(anonymous=True))
    assert not Ledger(tmp_path / "out").has_secret()
    with pytest.raises(UsageError, match="nobody can tell"):
        run("Smith_Ann", options=Options(anonymous=True))


def test_a_mapping_among_the_results_is_refused(run, tmp_path):
    with pytest.raises(OutputError, match="keep it in another folder"):
        run("a", options=Options(anonymous=True), mapping=tmp_path / "out" / "names.csv")


def test_tables_and_page_say_the_same(run, tmp_path):
    import pandas

    counts, files = run(
        "a", "b", "bad", left_out=(("/x/series 3", "a scout"),), options=replace(Options(), report=False)
    )
    table, parquet = pandas.read_csv(files["table"]), pandas.read_parquet(files["parquet"])
    assert list(table["case"]) == list(parquet["case"]) == ["a", "b", "bad"]
    assert list(table["state"]) == ["done", "done", "failed"]
    assert str(parquet["lesions"].dtype) == "Int64" and pandas.isna(parquet["liver_ml"][2])
    page = files["overview"].read_text(encoding="utf-8")
    assert 'href="failed/bad/failure.html"' in page and 'href="cases/a/"' in page and "a scout" in page
    assert "1 case failed" in page


def test_dashboard_is_on_this_computer_and_strangers_are_kept_out(workers):
    from distributed import Client

    assert workers.dashboard.startswith("http://127.0.0.1:")
    address = workers.client.scheduler.address
    assert address.startswith("tls://127.0.0.1:")
    with pytest.raises((OSError, TypeError, ValueError)):
        Client(address.replace("tls://", "tcp://"), timeout=2)


def test_workers_are_counted_when_the_client_has_just_refreshed_what_it_keeps(workers, monkeypatch):
    """The client's own record is without workers then; a run that believed it gave out no case."""
    from LiverSegLib.cohort import run as run_module

    monkeypatch.setattr(workers.client, "scheduler_info", lambda *_, **__: {"workers": {}})
    monkeypatch.setattr(workers.client, "_scheduler_identity", {"workers": {}})
    order = Order("", "", Options(), pretend)
    assert run_module._slots(run_module._Run(workers, order, Ledger(Path("out")), run_module.Counts(1))) == 2


class Ended:
    """A future whose answer was lost with the scheduler."""

    status = "finished"

    def result(self):
        raise OSError("in <TCP (closed) ConnectionPool.gather>: Stream is closed")

    def release(self):
        pass


def test_an_answer_that_is_lost_is_looked_up_in_the_folder(workers, tmp_path):
    from LiverSegLib.cohort import run as run_module

    ledger = Ledger(tmp_path / "out")
    ledger.prepare()
    with ledger.turn("a") as staging:
        ledger.commit(staging, "a", "done", {"case": "a", "state": "done"})
    run = run_module._Run(workers, Order("", "", Options(), pretend), ledger, run_module.Counts(2))
    for name in ("a", "b"):
        run_module._count(run, Case(name, ""), Ended())
    assert run.counts.done == 1 and [case.name for _, case in run.later] == ["b"]


def test_an_answer_that_is_lost_with_the_scheduler_is_a_sentence(workers, tmp_path):
    from types import SimpleNamespace

    from LiverSegLib.cohort import run as run_module

    gone = replace(workers, client=SimpleNamespace(status="connecting", scheduler_comm=None))
    run = run_module._Run(gone, Order("", "", Options(), pretend), Ledger(tmp_path), run_module.Counts(1))
    with pytest.raises(LiverSegError, match="connection to Dask's scheduler was lost"):
        run_module._count(run, Case("a", ""), Ended())


def test_a_scheduler_that_is_lost_while_it_is_asked_is_a_sentence(workers, monkeypatch):
    from LiverSegLib.cohort import run as run_module

    def lost(*_, **__):
        raise OSError("Stream is closed")

    monkeypatch.setattr(workers.client, "sync", lost)
    order = Order("", "", Options(), pretend)
    with pytest.raises(LiverSegError, match="0 of 1 cases are done; the same command goes on"):
        run_module._slots(run_module._Run(workers, order, Ledger(Path("out")), run_module.Counts(1)))


def test_a_lost_scheduler_is_a_sentence(run, workers, tmp_path, monkeypatch):
    class Gone:
        status = "closed"
        scheduler_comm = None

        def submit(self, *_, **__):
            raise AssertionError

    from contextlib import nullcontext

    gone = replace(workers, client=Gone())
    monkeypatch.setattr(session_module, "connected", lambda *_, **__: nullcontext(gone))
    with pytest.raises(LiverSegError, match="0 of 1 cases are done; the same command goes on"):
        run("a")


def test_a_child_that_holds_a_case_and_is_killed_lets_it_go(tmp_path):
    """The operating system ends the lock with the process."""
    ledger = Ledger(tmp_path)
    ledger.prepare()
    ready, pid = tmp_path / "ready", os.fork()
    if pid == 0:
        with ledger.turn("a"):
            ready.write_text("")
            time.sleep(60)
        os._exit(0)
    while not ready.exists():
        time.sleep(0.01)
    with ledger.turn("a") as held:
        assert held is None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with ledger.turn("a") as staging:
        assert staging is not None and list(staging.iterdir()) == []
