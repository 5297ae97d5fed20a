"""Corrections in the worker: a case is opened once, each correction carries the labels now, in a box."""

import threading
from pathlib import Path

import doubles
import numpy as np
import pytest
import SimpleITK as sitk
from test_worker import RawWorker

from LiverSegLib.correct import Case, Correction, Stroke
from LiverSegLib.errors import CancelledError, CaseNotOpenError
from LiverSegLib.images.grid import Grid
from LiverSegLib.sentences import Sentence
from LiverSegLib.worker import protocol, scratch, tasks
from LiverSegLib.worker.context import TaskContext
from LiverSegLib.worker.correct_messages import StrokeLine
from LiverSegLib.worker.protocol import Cancel, Hello, Shutdown

pytestmark = pytest.mark.usefixtures("empty_temporary_folder")

IMAGE = doubles.scan()
GRID = Grid.of(IMAGE)
LABELS = doubles.labels_array()
SPLEEN = tuple(GRID.points([(21.1, 12.1, 7.1)])[0].tolist())
LESION = tuple(GRID.points([(8.1, 10.1, 7.1)])[0].tolist())


class Reader:
    """A private folder with a case in it, and somebody who corrects it over the worker's pipe."""

    def __init__(self, worker, folder):
        self.worker, self.folder = worker, folder
        self.count = 0
        worker.send(Hello("h", str(folder)))
        worker.reply(protocol.HelloReply)

    def save(self, name, array):
        np.save(self.folder / name, array)
        return str(self.folder / name)

    def open(self, case="case", **fields):
        files = {
            "voxels": self.save("voxels.npy", sitk.GetArrayFromImage(IMAGE)),
            "labels": self.save("automatic.npy", LABELS),
        }
        self.worker.send(protocol.OpenCase(case, **{**files, "grid": GRID, **fields}))
        return self.worker.reply((protocol.CaseOpened, protocol.Failure))

    def request(self, labels=LABELS, box=GRID.box, case="case", action="refine", target="liver", **told):
        self.count += 1
        corners = tuple(edge for part in box for edge in (part.start, part.stop))
        path = self.save("box.npy", labels[box])
        return protocol.Refine(f"f{self.count}", case, action, target, corners, path, **told)

    def correct(self, labels=LABELS, **fields):
        """The labels after a correction, or the failure; what the worker wrote is removed."""
        self.worker.send(self.request(labels, **fields))
        reply = self.worker.reply((protocol.RefineResult, protocol.Failure))
        if isinstance(reply, protocol.Failure):
            return reply
        now = labels.copy()
        if reply.box:
            assert Path(reply.folder).parent == self.folder
            z, y, x = (slice(*reply.box[at : at + 2]) for at in (0, 2, 4))
            now[z, y, x] = np.load(Path(reply.folder) / reply.labels)
            scratch.remove_tree(Path(reply.folder))
        assert np.count_nonzero(now != labels) == reply.voxels_added + reply.voxels_removed
        assert 0 <= reply.seconds < 60
        return now


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One worker for all tests of this file; each opens its own case."""
    base = tmp_path_factory.mktemp("private")
    with RawWorker() as worker:
        yield Reader(worker, scratch.make_private_folder(base))
        worker.send(Shutdown("z"))
        worker.process.wait(20)
    assert list(base.iterdir()) == []


def test_corrections_are_those_of_the_core(running):
    assert running.open().id == "case"
    wrong = LABELS.copy()
    wrong[3:8, 9:14, 4:8] = 0
    drawn = [LESION, tuple(GRID.points([(8.1, 14.1, 7.1)])[0].tolist())]
    box = GRID.box_around([LESION], 40.0)
    case = Case(sitk.GetArrayViewFromImage(IMAGE), GRID, LABELS)
    for told, line in (
        ({"target": "liver", "include": (tuple(GRID.points([(6.1, 11.1, 5.1)])[0].tolist()),)}, None),
        ({"target": "tumor"}, StrokeLine(tuple(drawn), 6.0)),
        ({"target": "tumor", "exclude": (LESION,)}, None),
        ({"target": "tumor", "action": "remove_lesion", "include": (LESION,)}, None),
    ):
        strokes = () if line is None else (line,)
        core = {key: value for key, value in told.items() if key not in ("target", "action")}
        core["strokes"] = [Stroke(each.points, each.radius_mm, each.include) for each in strokes]
        correction = Correction(told.get("action", "refine"), told["target"], box, wrong[box], **core)
        change = case.correct(correction)
        expected = wrong.copy()
        expected[change.box] = change.labels_in_box
        now = running.correct(wrong, box=box, **told, strokes=strokes)
        assert (now == expected).all() and (now != wrong).any()


def test_earlier_strokes_and_edits_of_others_stay(running):
    running.open()
    edited = LABELS.copy()
    edited[4:9, 9:12, 19:21] = 0
    click = {"target": "spleen", "include": (SPLEEN,)}
    told = (StrokeLine((tuple(GRID.points([(19.1, 12.1, 7.1)])[0].tolist()),), 0.0, False),)
    assert (running.correct(edited, **click)[4:9, 9:12, 19:21] == 0).all()
    edited = LABELS.copy()
    edited[7, 12, 19] = 0
    assert running.correct(edited, **click, earlier=told)[7, 12, 19] == 0


def test_nothing_changed_writes_nothing(running):
    running.open()
    before = sorted(running.folder.iterdir())
    assert (running.correct(include=(LESION,)) == LABELS).all()
    assert sorted(set(running.folder.iterdir()) - set(before)) in ([], [running.folder / "box.npy"])


def test_only_the_case_opened_last_is_open_and_another_can_be_opened_again(running):
    running.open("first")
    running.open("second")
    failure = running.correct(case="first", include=(LESION,))
    assert failure.code == CaseNotOpenError.code and "does not have this scan open" in failure.message
    running.open("first")
    assert running.correct(case="first", target="tumor", exclude=(LESION,)).shape == LABELS.shape


def test_a_worker_that_was_started_again_says_that_it_does_not_have_the_case(empty_temporary_folder):
    with RawWorker() as worker:
        reader = Reader(worker, scratch.make_private_folder())
        assert reader.correct(target="tumor", exclude=(LESION,)).code == "case-not-open"
        reader.open()
        assert (reader.correct(target="tumor", exclude=(LESION,)) != LABELS).any()
        worker.send(Shutdown("z"))
        worker.process.wait(20)


def test_a_mask_from_elsewhere_without_probability_and_one_with(running):
    for fields in ({"labels": None}, {"probability": running.save("p.npy", np.full_like(LABELS, 200))}):
        assert isinstance(running.open(**fields), protocol.CaseOpened)
        assert (running.correct(target="tumor", exclude=(LESION,)) != LABELS).any()


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"voxels": "/nowhere.npy"}, "unreadable", "scan handed to the worker"),
        ({"labels": "/nowhere.npy"}, "unreadable", "segmentation handed to the worker"),
        ({"probability": "/nowhere.npy"}, "unreadable", "probability handed to the worker"),
        ({"grid": Grid((2, 2, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), GRID.direction)}, "input", "grid"),
        ({"grid": Grid(GRID.size, GRID.spacing, GRID.origin, (0.0,) * 9)}, "geometry", "axes"),
    ],
)
def test_a_case_that_cannot_be_opened(running, fields, code, words):
    failure = running.open(**fields)
    assert failure.code == code and words in failure.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"include": ((1.0, 2.0),)}, "three coordinates"),
        ({"include": ((900.0, 0.0, 0.0),)}, "outside the scan"),
        ({"box": (slice(0, 3), slice(0, 3)), "include": (LESION,)}, "6 numbers"),
        ({"box": (slice(0, 99), slice(0, 3), slice(0, 3)), "include": (LESION,)}, "not lie within the scan"),
        ({"labels": LABELS.astype(np.int16), "include": (LESION,)}, "must be uint8 of shape"),
        ({"labels": np.full_like(LABELS, 7), "include": (LESION,)}, "the value 7"),
        ({"action": "shrink"}, "no correction 'shrink'"),
    ],
)
def test_corrections_that_make_no_sense(running, fields, words):
    running.open()
    failure = running.correct(**fields)
    assert failure.code == "usage" and words in failure.message


def test_a_correction_that_waits_is_cancelled(running):
    running.open()
    request = running.request(include=(LESION,))
    running.worker.send(protocol.OpenCase("o", str(running.folder / "voxels.npy"), GRID))
    running.worker.send(request, Cancel("c", request.id))
    assert running.worker.reply(protocol.CaseOpened).id == "o"
    reply = running.worker.reply((protocol.RefineResult, protocol.Failure))
    # Cancelled, unless it was done before it heard of that; the case that it names is not open any more.
    assert reply.id == request.id and reply.code in ("cancelled", "case-not-open")


def test_a_correction_is_cancelled_while_it_computes(tmp_path, monkeypatch):
    begun, release = threading.Event(), threading.Event()

    def slow(*_):
        begun.set()
        release.wait(20)

    monkeypatch.setattr(Case, "correct", slow)
    np.save(tmp_path / "labels.npy", LABELS)
    context = TaskContext(tmp_path, lambda *_: None, begun.is_set, lambda *_: None)
    context.cases.keep("case", Case(sitk.GetArrayViewFromImage(IMAGE), GRID, LABELS))
    corners = (0, 14, 0, 22, 0, 26)
    request = protocol.Refine(
        "f", "case", "refine", "liver", corners, str(tmp_path / "labels.npy"), (LESION,)
    )
    with pytest.raises(CancelledError):
        tasks.work_off(request, context)
    assert not release.is_set()
    release.set()
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npy"]


def test_its_error_has_an_identity():
    with pytest.raises(CaseNotOpenError) as caught:
        TaskContext(Path(), lambda *_: None, lambda: False, lambda *_: None).cases.named("x")
    assert isinstance(caught.value.sentence, Sentence) and caught.value.sentence.key == "correct.not-open"
