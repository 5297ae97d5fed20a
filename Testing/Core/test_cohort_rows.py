"""The rows of a cohort's tables come from the cases' folders; the file that keeps them is only a cache."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from LiverSegLib.cohort import Ledger, row_cache
from LiverSegLib.cohort.ledger import DONE, FAILED
from LiverSegLib.cohort.rows import read_rows
from LiverSegLib.errors import OutputError


@pytest.fixture
def ledger(tmp_path):
    """A folder of results with two cases that are done and one that failed."""
    found = Ledger(tmp_path / "out")
    found.prepare()
    for name, state in (("a", DONE), ("b", DONE), ("c", FAILED)):
        commit(found, name, state, 1.5)
    return found


def commit(ledger: Ledger, name: str, state: str, value: float) -> None:
    with ledger.turn(name) as staging:
        ledger.commit(staging, name, state, {"case": name, "state": state, "liver_ml": value})


def cache_of(ledger: Ledger) -> Path:
    return ledger.private / "rows.jsonl"


def opened(ledger: Ledger, monkeypatch) -> list:
    """Names of the cases whose files are opened for the rows."""
    names, row = [], Ledger.row
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "row", lambda self, name, state: names.append(name) or row(self, name, state))
        read_rows(ledger)
    return names


def test_the_second_tables_open_no_file_of_a_case(ledger, monkeypatch):
    rows = read_rows(ledger)
    assert [row["case"] for row in rows] == ["a", "b", "c"]
    assert opened(ledger, monkeypatch) == []
    assert read_rows(ledger) == rows


def test_only_new_cases_are_opened(ledger, monkeypatch):
    read_rows(ledger)
    commit(ledger, "d", DONE, 2.0)
    assert opened(ledger, monkeypatch) == ["d"]


@pytest.mark.parametrize("damage", [
    lambda whole: b"",
    lambda whole: whole[: len(whole) // 2],
    lambda whole: whole.replace(b"1.5", b"7.5"),
    lambda whole: whole.replace(b'"format": 1', b'"format": 9'),
    lambda whole: b"[]\n" + whole,
    lambda whole: b"\xff\x00",
], ids="empty half altered format list noise".split())  # fmt: skip
def test_a_damaged_cache_is_made_again(ledger, monkeypatch, damage):
    rows = read_rows(ledger)
    whole = cache_of(ledger).read_bytes()
    cache_of(ledger).write_bytes(damage(whole))
    assert read_rows(ledger) == rows
    assert cache_of(ledger).read_bytes() == whole


def test_a_case_computed_again_has_its_new_row(ledger):
    read_rows(ledger)
    shutil.rmtree(ledger.cases / "a")
    shutil.rmtree(ledger.failed / "c")
    commit(ledger, "a", DONE, 9.0)
    commit(ledger, "c", DONE, 8.0)
    assert [(row["case"], row["state"], row["liver_ml"]) for row in read_rows(ledger)] == [
        ("a", DONE, 9.0), ("b", DONE, 1.5), ("c", DONE, 8.0)
    ]  # fmt: skip


def test_a_row_changed_in_its_folder_is_read_again(ledger):
    read_rows(ledger)
    path = ledger.cases / "b" / "case.json"
    path.write_text(path.read_text().replace("1.5", "4.5"))
    assert [row["liver_ml"] for row in read_rows(ledger)] == [1.5, 4.5, 1.5]


def test_a_case_that_was_removed_has_no_row(ledger):
    read_rows(ledger)
    shutil.rmtree(ledger.cases / "a")
    assert [row["case"] for row in read_rows(ledger)] == ["b", "c"]
    assert b'"done/a"' not in cache_of(ledger).read_bytes()


def test_a_case_without_its_file_is_an_error_though_the_cache_has_its_row(ledger):
    read_rows(ledger)
    (ledger.cases / "a" / "case.json").unlink()
    for _ in range(2):
        with pytest.raises(OutputError, match="remove the folder"):
            read_rows(ledger)


def test_rows_need_no_cache(ledger, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(row_cache, "_write", full)
    assert len(read_rows(ledger)) == 3


def test_killed_while_it_is_written_the_cache_is_one_of_the_two(ledger):
    """kill -9 at many moments: never half of it."""
    path = cache_of(ledger)
    contents = [
        {f"done/{n}": row_cache.Kept((n, n, n), {"case": str(n), "side": side}) for n in range(300)}
        for side in ("left", "right")
    ]
    row_cache._write(path, contents[0])
    for number in range(12):
        pid = os.fork()
        if pid == 0:
            while True:
                for content in contents:
                    row_cache._write(path, content)
        time.sleep(0.01 + 0.003 * number)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert row_cache._read(path) in contents


def test_what_the_tables_need_is_loaded_before_ctrl_c_may_interrupt(monkeypatch):
    pytest.importorskip("pyarrow", reason='a cohort needs: pip install "liverseg[cohort]"')
    from importlib.util import find_spec

    from LiverSegLib.cli import cohort as command
    from LiverSegLib.cli.interrupts import Interrupts

    interrupts, seen = Interrupts(), []
    monkeypatch.setattr(command, "load", lambda *names: seen.append((names, interrupts._at_once)))
    with command._ending(interrupts):
        seen.append(interrupts._at_once)
    assert seen == [(command.TABLES, False), True]
    assert all(find_spec(name) for name in command.TABLES)
