"""Arrays to and from the worker in small portions, and where the core and the resources lie."""

import json
import shutil
import subprocess
import sys

import logic_doubles
import numpy as np
import pytest

PACKAGE = logic_doubles.REPOSITORY / "LiverSeg" / "LiverSegSlicer"


@pytest.fixture
def handover(host):
    from LiverSegSlicer.work import files as handover

    return handover


def whole(generator):
    """What a generator returns, and how many turns it took."""
    turns = 0
    while True:
        try:
            next(generator)
            turns += 1
        except StopIteration as end:
            return end.value, turns


ARRAYS = [
    np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7),
    np.arange(5 * 6 * 7, dtype=np.float64).reshape(7, 6, 5).transpose(2, 1, 0),
    np.zeros((3, 4, 5), np.uint8)[::-1, ::2],
    np.zeros((0, 3), np.float32),
    np.ones((4, 3), np.int32),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
@pytest.mark.parametrize("slab", [1, 100, 1 << 22])
def test_an_array_comes_back_as_it_was(handover, tmp_path, monkeypatch, array, slab):
    monkeypatch.setattr(handover, "SLAB_BYTES", slab)
    monkeypatch.setattr(handover, "TURN_S", 0.0)
    _none, turns = whole(handover.writeArray(tmp_path / "a.npy", array))
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode=None), array)
    back, _turns = whole(handover.readArray(tmp_path / "a.npy"))
    assert back.dtype == array.dtype and np.array_equal(back, array) and back.flags.owndata
    if slab == 1:
        assert turns == array.shape[0]


def test_a_turn_takes_a_moment_however_large_the_array_is(handover, tmp_path, monkeypatch):
    monkeypatch.setattr(handover, "TURN_S", 0.0)  # a turn for each slab: how many does not hang on the clock
    turns = [
        len(list(handover.writeArray(tmp_path / f"{n}.npy", np.zeros((n, 512, 512), np.int16))))
        for n in (50, 200)
    ]
    assert turns[1] >= 3 * turns[0], "what is done in a turn does not grow with the array"


@pytest.mark.parametrize("damage", ["missing", "short", "objects", "text", "fortran"])
def test_a_damaged_file_is_an_error_of_the_workers(handover, tmp_path, damage):
    from LiverSegLib.errors import WorkerError

    path = tmp_path / "a.npy"
    if damage == "short":
        np.save(path, np.zeros((9, 9)))
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "objects":
        np.save(path, np.array([{}], object), allow_pickle=True)
    elif damage == "text":
        path.write_text("no array at all")
    elif damage == "fortran":
        np.save(path, np.asfortranarray(np.zeros((3, 4))))
    with pytest.raises(WorkerError, match="result could not be read"):
        whole(handover.readArray(path))


@pytest.mark.parametrize("name", ["../escape", "/absolute", "", ".", "..", "a/b"])
def test_names_that_lead_elsewhere_are_refused(handover, tmp_path, name):
    from LiverSegLib.errors import WorkerError

    with pytest.raises(WorkerError):
        handover.resultFile(str(tmp_path), name)


@pytest.mark.parametrize("folder", ["", "..", "inside/deeper", "../beside"])
def test_only_a_folder_in_the_private_one_is_taken_for_a_result(handover, tmp_path, folder):
    from LiverSegLib.errors import WorkerError

    assert handover.resultFolder(f"{tmp_path}/result-1", tmp_path) == tmp_path / "result-1"
    with pytest.raises(WorkerError):
        handover.resultFolder(f"{tmp_path}/{folder}", tmp_path)


@pytest.mark.parametrize("content", ["no json", "[]", "{}", json.dumps({"name": "x"})])
def test_a_summary_that_is_none(handover, tmp_path, content):
    from LiverSegLib.errors import WorkerError

    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(WorkerError):
        handover.readSummary(str(tmp_path), "summary.json")


class TestPlaces:
    def test_in_this_clone(self, host):
        from LiverSegSlicer import places

        assert places.coreFolder() == logic_doubles.REPOSITORY
        assert (places.resourceFolder() / "SampleData" / "hcc013-portal.nii.gz").is_file()

    @pytest.mark.parametrize("layout", ["clone", "installed"])
    @pytest.mark.parametrize("other", [False, True])
    def test_the_core_that_came_with_the_module_is_found(self, tmp_path, layout, other):
        modules = tmp_path / "LiverSeg" if layout == "clone" else tmp_path
        (modules / "LiverSegSlicer").mkdir(parents=True)
        for name in ("__init__.py", "places.py"):
            shutil.copy(PACKAGE / name, modules / "LiverSegSlicer")
        (tmp_path / "LiverSegLib").mkdir()
        (tmp_path / "LiverSegLib" / "__init__.py").write_text("")
        (tmp_path / "site" / "LiverSegLib").mkdir(parents=True)
        (tmp_path / "site" / "LiverSegLib" / "__init__.py").write_text("")
        first = [str(tmp_path / "site")] if other else []
        code = (
            f"import sys; sys.path[:0] = {[*first, str(modules)]!r}\n"
            "import LiverSegSlicer, LiverSegLib; print(LiverSegLib.__file__)"
        )
        found = subprocess.run(
            [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        assert found == str(tmp_path / "LiverSegLib" / "__init__.py")

    def test_an_incomplete_extension_says_so(self, tmp_path):
        (tmp_path / "a" / "LiverSegSlicer").mkdir(parents=True)
        for name in ("__init__.py", "places.py"):
            shutil.copy(PACKAGE / name, tmp_path / "a" / "LiverSegSlicer")
        code = f"import sys; sys.path.insert(0, {str(tmp_path / 'a')!r}); import LiverSegSlicer"
        run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
        assert "LiverSegLib is missing" in run.stderr
