"""Two dates of one patient in the worker: compared as handed over, known again, written or not, cancelled."""

import json
import time
from dataclasses import replace

import followup_patients
import numpy as np
import pytest
import SimpleITK as sitk
from test_worker import RawWorker

from LiverSegLib.errors import CancelledError, InputError, OutputError
from LiverSegLib.followup import comparison
from LiverSegLib.followup.known import KnownRegistrations
from LiverSegLib.followup.livers import LiverView
from LiverSegLib.sentences import key_of, restored, with_identity
from LiverSegLib.worker import protocol, scratch, tasks
from LiverSegLib.worker.context import RegisteredLivers, TaskContext
from LiverSegLib.worker.followup_messages import CompareDates, DateFiles
from LiverSegLib.worker.protocol import Cancel, Hello, Shutdown

MARCH, JUNE = "2026-03-01", "2026-06-01"
SMALL = followup_patients.grid((3.0, 3.0, 5.0))


def move(points):
    return points + (4.0, -6.0, 5.0)


@pytest.fixture(scope="module")
def visits():
    """June first, as somebody hands them over who has June's scan on the screen."""
    march = followup_patients.patient([((-25, 0, 0), 9), ((0, -18, 8), 7)], SMALL, name="March")
    june = followup_patients.patient([((-25, 0, 0), 13)], SMALL, move, name="June")
    return june, march


def handed(folder, visit, date, patient="", **summary):
    """A visit as Slicer hands it over."""
    result, place = visit.result, folder / visit.name
    place.mkdir(exist_ok=True)
    np.save(place / "voxels.npy", sitk.GetArrayViewFromImage(result.image))
    np.save(place / "labels.npy", sitk.GetArrayViewFromImage(result.labels))
    told = {
        "name": visit.name,
        "measurements": result.measurements.to_dict(),
        "provenance": {},
        "warnings": [],
        "facts": result.facts.to_dict(),
        **summary,
    }
    (place / "summary.json").write_text(json.dumps(with_identity(told)))
    paths = {"voxels": "voxels.npy", "labels": "labels.npy", "summary": "summary.json"}
    return DateFiles(
        **{key: str(place / name) for key, name in paths.items()},
        grid=visit.grid,
        date=date,
        patient=patient,
    )


@pytest.fixture
def dates(visits, tmp_path):
    june, march = visits
    (tmp_path / "handed").mkdir()
    return handed(tmp_path / "handed", june, JUNE, "1"), handed(tmp_path / "handed", march, MARCH, "2")


@pytest.fixture(scope="module")
def registered():
    """What a worker of all these tests has registered before."""
    return RegisteredLivers()


@pytest.fixture
def context(tmp_path, registered):
    (tmp_path / "private").mkdir()
    private = tmp_path / "private"
    return TaskContext(private, lambda *_: None, lambda: False, lambda *_: None, registered=registered)


def summary_of(reply):
    with open(f"{reply.folder}/{reply.summary}", encoding="utf-8") as file:
        return restored(json.load(file))


def test_it_says_what_the_core_says_by_date_and_whose_is_which(dates, context, monkeypatch):
    reply = tasks.work_off(CompareDates("c", dates), context)
    assert reply.order == (1, 0) and reply.page is None
    found = summary_of(reply)
    assert [date["name"] for date in found["dates"]] == ["March", "June"]
    assert [lesion["dates"][1]["events"] for lesion in found["lesions"]] == [[], ["gone"]]
    assert found["lesions"][0]["dates"][1]["diameter_change_percent"] == pytest.approx(44, abs=12)
    assert key_of(found["responses"][0]["reasons"][0]) == "recist.sd"  # 18 and 14 mm became 26 mm
    assert "followup.patients" in [key_of(text) for text in found["warnings"]]
    assert found["dates"][1]["fat"]["difference_hu"] is None  # there is no spleen
    # the same pair is known from now on
    monkeypatch.setattr(comparison, "register", pytest.fail)
    again = tasks.work_off(CompareDates("d", dates), context)
    assert summary_of(again) == found


def test_the_numbers_are_those_that_were_handed_over(visits, context, tmp_path):
    """The reader's own numbers count, not what the worker would measure."""
    june, march = visits
    numbers = march.result.measurements.to_dict()
    numbers["organs"][0]["volume_ml"] = 1234.5
    (tmp_path / "h").mkdir()
    review = {"state": "accepted", "by": "Dr. A", "at": "2026-06-02T10:00:00+00:00", "changes": []}
    given = (
        handed(tmp_path / "h", march, None, measurements=numbers, review=review),
        handed(tmp_path / "h", june, None),
    )
    found = summary_of(tasks.work_off(CompareDates("c", given), context))
    assert found["dates"][0]["liver_ml"] == 1234.5 and found["dates"][1]["liver_ml"] != 1234.5
    assert found["dates"][0]["review"]["by"] == "Dr. A"
    assert "followup.no-dates" in [key_of(text) for text in found["warnings"]]


def test_the_files_are_written_into_the_folder_that_the_user_chose(dates, context, tmp_path):
    reply = tasks.work_off(CompareDates("c", dates, folder=str(tmp_path / "out")), context)
    assert reply.page == str(tmp_path / "out" / "followup.html")
    names = {"followup.html", "followup.csv", "followup.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


def test_a_folder_with_files_of_others_is_found_out_before_the_work(dates, context, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "followup.csv").write_text("mine")
    monkeypatch.setattr(comparison, "register", pytest.fail)
    with pytest.raises(OutputError):
        tasks.work_off(CompareDates("c", dates, folder=str(tmp_path / "out")), context)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["followup.csv"]
    assert not list(context.folder.iterdir())


@pytest.mark.parametrize("step", ["comparison.register", "page.followup_page"])
def test_it_is_cancelled_within_a_step_and_leaves_nothing(dates, context, tmp_path, monkeypatch, step):
    begun = []

    def slow(*_, **__):
        begun.append(True)
        time.sleep(2)
        raise AssertionError("nobody waits for it")

    monkeypatch.setattr(f"LiverSegLib.followup.{step}", slow)
    known = RegisteredLivers() if "register" in step else context.registered
    context = replace(context, cancel=lambda: bool(begun), registered=known)
    with pytest.raises(CancelledError):
        tasks.work_off(CompareDates("c", dates, folder=str(tmp_path / "out")), context)
    assert not list(context.folder.iterdir()) and not (tmp_path / "out").exists()


def test_livers_of_two_patients_are_refused_unless_they_are_wanted(visits, context, tmp_path):
    other = followup_patients.patient(
        [], SMALL, lambda p: p * (-1, 1, 1), "other", shape=np.array([35.0, 30.0, 48.0])
    )
    (tmp_path / "h").mkdir()
    given = handed(tmp_path / "h", visits[0], None), handed(tmp_path / "h", other, None)
    with pytest.raises(InputError) as caught:
        tasks.work_off(CompareDates("c", given), context)
    assert key_of(caught.value.sentence) == "followup.not-registered"
    found = summary_of(tasks.work_off(CompareDates("d", given, anyway=True), context))
    assert "followup.compared-anyway" in [key_of(text) for text in found["warnings"]]


def test_the_registrations_used_last_are_kept(visits):
    view, empty = (np.zeros((2, 2, 2), np.float32) for _ in range(2))
    livers = [LiverView(visits[0].grid, view > 0, view > 0, empty + n, empty, False) for n in range(9)]
    known = KnownRegistrations()
    for number, liver in enumerate(livers[1:]):
        known.keep(livers[0], liver, number)
        assert known.find(livers[0], livers[1]) == 0  # in use
    assert known.find(livers[0], livers[2]) is None and known.find(livers[8], livers[0]) is None
    assert [known.find(livers[0], liver) for liver in livers[4:]] == [3, 4, 5, 6, 7]


def test_over_the_pipe_it_tells_progress_and_stops_within_a_second(dates, empty_temporary_folder):
    folder = scratch.make_private_folder()
    with RawWorker() as worker:
        worker.send(Hello("h", str(folder)))
        worker.reply(protocol.HelloReply)
        worker.send(CompareDates("c", dates))
        while worker.reply(protocol.Progress).stage != "register":
            pass
        began = time.monotonic()
        worker.send(Cancel("x", "c"))
        assert worker.reply(protocol.Failure).code == "cancelled"
        assert time.monotonic() - began < 1.0
        worker.send(Shutdown("z"))
        worker.reply(protocol.Bye)
        worker.process.wait(10)
    assert not folder.exists()
