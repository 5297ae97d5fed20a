"""Cancelling acts in the middle of a step: no test here ends unless its slow step is left behind."""

import threading
import time

import numpy as np
import phantom
import pytest
import SimpleITK as sitk

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.cancelling import wait_for_cancelled, while_checking
from LiverSegLib.errors import CancelledError, OutOfMemoryError
from LiverSegLib.images import read_scan
from LiverSegLib.images.grid import Grid
from LiverSegLib.inference import tiles
from LiverSegLib.outputs import write_results
from LiverSegLib.worker import protocol, tasks

LONG_S = 60
"""How long (seconds) a slow step of a test would take: longer than the test may."""


class SlowStep:
    """A step of a library that looks at nothing.

    Attributes:
        begun: Set once the step runs.
        ended: Set once it has ended, which it does after ``release``.
    """

    def __init__(self):
        self.begun, self.release, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, *_arguments, **_options):
        self.begun.set()
        self.release.wait(LONG_S)
        self.ended.set()
        raise OutOfMemoryError("nobody waits for this")

    def check(self):
        """Cancel as soon as the step runs."""
        if self.begun.is_set():
            raise CancelledError("Cancelled.")


@pytest.fixture
def slow():
    step = SlowStep()
    yield step
    step.release.set()


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    folder = phantom.write_phantom_model(tmp_path_factory.mktemp("models") / "phantom")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
        yield LiverSegLib.Segmenter(str(folder), "cpu", precision="float32", threads=1)


def test_the_value_and_the_errors_of_the_work_reach_the_caller():
    assert while_checking(lambda ask: 3, lambda: None) == 3
    with pytest.raises(OutOfMemoryError, match="none left") as caught:
        while_checking(lambda ask: fail(), lambda: None)
    assert caught.traceback[-1].name == "fail"
    with pytest.raises(MemoryError):
        while_checking(lambda ask: (_ for _ in ()).throw(MemoryError()), lambda: None)


def fail():
    raise OutOfMemoryError("none left")


def test_cancelling_does_not_wait_for_the_step(slow):
    with pytest.raises(CancelledError):
        while_checking(slow, slow.check)
    assert not slow.ended.is_set()


def test_ctrl_c_does_not_wait_for_the_step(slow):
    def interrupted():
        if slow.begun.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        while_checking(slow, interrupted)
    assert not slow.ended.is_set()


def test_the_programs_end_waits_only_for_work_that_is_awaited(slow):
    with pytest.raises(CancelledError):
        while_checking(slow, slow.check, awaited=False)
    began = time.monotonic()
    wait_for_cancelled(LONG_S)
    assert time.monotonic() - began < 5 and not slow.ended.is_set()


def test_what_is_asked_for_happens_in_the_callers_thread_and_in_order():
    seen = []

    def work(ask):
        assert threading.current_thread() is not threading.main_thread()
        return [ask(lambda n=n: seen.append((n, threading.current_thread())) or n) for n in range(20)]

    assert while_checking(work, lambda: None) == list(range(20))
    assert seen == [(n, threading.current_thread()) for n in range(20)]


def test_an_error_of_what_was_asked_for_goes_to_the_caller_and_ends_the_work():
    ended, turn = [], threading.Lock()

    def work(ask):
        try:
            ask(fail)
        except CancelledError as error:
            ended.append(error)
            raise

    with pytest.raises(OutOfMemoryError, match="none left"):
        while_checking(work, lambda: None, turn=turn)
    with turn:  # the work has ended
        assert len(ended) == 1


def test_work_that_was_cancelled_goes_no_further_than_its_next_question(slow):
    after = []

    def work(ask):
        slow.begun.set()
        slow.release.wait(LONG_S)
        ask(after.append, "asked")
        after.append("went on")

    turn = threading.Lock()
    with pytest.raises(CancelledError):
        while_checking(work, slow.check, turn=turn)
    slow.release.set()
    with turn:
        assert after == []


def test_the_next_work_waits_for_the_one_that_was_cancelled_and_can_be_cancelled_meanwhile(slow):
    turn, order = threading.Lock(), []
    with pytest.raises(CancelledError):
        while_checking(slow, slow.check, turn=turn)
    with pytest.raises(CancelledError):  # slow.check cancels at once
        while_checking(lambda ask: order.append("never"), slow.check, turn=turn)
    looks = []

    def check():
        looks.append(slow.ended.is_set())
        if len(looks) == 3:
            slow.release.set()

    while_checking(lambda ask: order.append(slow.ended.is_set()), check, turn=turn)
    assert order == [True] and looks[:3] == [False] * 3


def test_a_program_can_wait_for_what_it_cancelled(slow):
    with pytest.raises(CancelledError):
        while_checking(slow, slow.check)
    wait_for_cancelled(0.0)
    assert not slow.ended.is_set()
    slow.release.set()
    wait_for_cancelled(LONG_S)
    assert slow.ended.is_set()


# ---- in the stages of a run


SITES = [
    ("LiverSegLib.api", "read_scan"),
    ("LiverSegLib.inference.stage", "to_network"),
    ("LiverSegLib.inference.label", "classify"),
    ("LiverSegLib.postprocess", "clean"),
    ("LiverSegLib.api", "estimate_phase"),
    ("LiverSegLib.api", "measure"),
]
"""Steps of a run that look at nothing while they work."""


@pytest.mark.parametrize("site", SITES, ids=lambda site: site[1])
def test_a_run_is_cancelled_within_a_step(segmenter, monkeypatch, slow, site):
    image, _ = phantom.patient()
    monkeypatch.setattr(".".join(site), slow)
    with pytest.raises(CancelledError):
        segmenter.segment(image, cancel=slow.begun.is_set)
    assert not slow.ended.is_set()
    slow.release.set()


def test_a_run_is_cancelled_within_a_tile_and_the_next_does_not_share_the_network(
    segmenter, monkeypatch, slow
):
    image, _ = phantom.patient()
    expected = sitk.GetArrayFromImage(segmenter.segment(image).labels)
    real = tiles.TileRunner._infer
    inside, most = [], []

    def infer(runner, batch, poll):
        inside.append(1)
        most.append(len(inside))
        try:
            if not slow.begun.is_set():
                slow.begun.set()
                slow.release.wait(LONG_S)
            return real(runner, batch, poll)
        finally:
            inside.pop()

    monkeypatch.setattr(tiles.TileRunner, "_infer", infer)
    with pytest.raises(CancelledError):
        segmenter.segment(image, cancel=slow.begun.is_set)
    assert len(inside) == 1  # it still computes
    looks = []

    def cancel():
        looks.append(len(inside))
        if len(looks) == 3:
            slow.release.set()
        return False

    again = segmenter.segment(image, cancel=cancel)
    assert looks[:3] == [1, 1, 1] and max(most) == 1
    assert np.array_equal(sitk.GetArrayFromImage(again.labels), expected)


def test_loading_a_model_is_cancelled(monkeypatch, slow):
    image, _ = phantom.patient()
    monkeypatch.setattr("LiverSegLib.api.load_model_for", slow)
    with pytest.raises(CancelledError):
        LiverSegLib.segment(image, cancel=slow.begun.is_set)
    assert not slow.ended.is_set()


@pytest.mark.parametrize(
    "step", ["LiverSegLib.measure.scan.measure_arrays", "LiverSegLib.measure.phase.estimate_phase"]
)
def test_measuring_in_the_worker_is_cancelled_within_a_step(tmp_path, monkeypatch, slow, step):
    image, truth = phantom.patient()
    np.save(tmp_path / "voxels.npy", sitk.GetArrayViewFromImage(image))
    np.save(tmp_path / "labels.npy", truth)
    monkeypatch.setattr(step, slow)
    grid = Grid.of(image)
    request = protocol.Measure(
        "one", labels=str(tmp_path / "labels.npy"), voxels=str(tmp_path / "voxels.npy"), grid=grid
    )
    context = tasks.TaskContext(tmp_path, lambda *facts: None, slow.begun.is_set, lambda *_: None)
    with pytest.raises(CancelledError):
        tasks.measure(request, context)
    assert not slow.ended.is_set()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.npy", "voxels.npy"]


@pytest.mark.parametrize(
    "step", ["LiverSegLib.surfaces.organs.organ_surfaces", "LiverSegLib.report.page.build_report"]
)
def test_a_report_is_cancelled_while_a_file_is_made_and_leaves_nothing(
    segmenter, tmp_path, monkeypatch, slow, step
):
    image, _ = phantom.patient()
    result = segmenter.segment(image)
    monkeypatch.setattr(step, slow)
    rendering = "organ_surfaces" in step
    with pytest.raises(CancelledError):
        write_results(
            result, tmp_path / "case", rendering=rendering, report=not rendering, cancel=slow.begun.is_set
        )
    assert not slow.ended.is_set()
    slow.release.set()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_reading_a_nifti_file_asks_between_its_pieces(thick_scan):
    def check():
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        read_scan(thick_scan, check=check)
