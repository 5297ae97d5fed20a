"""Finding, loading and writing models."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from tensor_files import read_tensors

import LiverSegLib
from LiverSegLib import models
from LiverSegLib.errors import (
    DeviceError,
    ModelCorruptError,
    ModelNotFoundError,
    ModelVersionError,
    OutputError,
)
from LiverSegLib.models import files, store


def manifest_json(name="tiny", stages=("locate", "segment"), **changes):
    return {
        "format_version": 1,
        "name": name,
        "version": "1.0",
        "description": "A test.",
        "licence": "CC0",
        "stages": [
            {
                "name": stage,
                "network": {"name": "ResidualUNet", "arguments": {"channels": [4, 8]}},
                "spacing": [2, 2, 2],
                "patch": [16, 16, 16],
                "intensity": {"scheme": "window", "window": [-160, 240]},
                "output": {
                    "activation": "softmax",
                    "channels": {"0": "background", "1": "liver"},
                    "labels": {"liver": 1},
                },
            }
            for stage in stages
        ],
        **changes,
    }


def some_weights(stages=("locate", "segment"), value=1.0):
    return {stage: {"a.weight": np.full((2, 3), value, np.float32)} for stage in stages}


def make_model(folder, name="tiny", value=1.0, **changes):
    models.write_model(folder, manifest_json(name, **changes), some_weights(value=value))
    return Path(folder)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """An empty user folder and an empty bundled folder; returns both."""
    user, bundled = tmp_path / "user", tmp_path / "bundled"
    bundled.mkdir()
    monkeypatch.setenv("LIVERSEG_MODELS", str(user))
    monkeypatch.setattr(store, "bundled_models_folder", lambda: bundled)
    monkeypatch.setattr(LiverSegLib, "__version__", "0.1.0", raising=False)
    return user, bundled


@pytest.fixture
def user(places):
    return places[0]


@pytest.fixture
def bundled(places):
    return places[1]


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


class TestWriting:
    def test_a_written_model_loads_with_its_weights(self, tmp_path):
        written = models.write_model(tmp_path / "m", manifest_json(), some_weights())
        model = models.load_model(tmp_path / "m")
        assert model.manifest == written
        assert sorted(path.name for path in model.path.iterdir()) == [
            "locate.safetensors",
            "model.json",
            "segment.safetensors",
        ]
        assert read_tensors(model.read_weights("segment"))["a.weight"].tolist() == [[1.0] * 3] * 2
        model.verify()

    def test_a_manifest_object_is_written_as_its_json_is(self, tmp_path):
        first = models.write_model(tmp_path / "a", manifest_json(), some_weights())
        second = models.write_model(tmp_path / "b", first, some_weights())
        assert first == second
        assert (tmp_path / "a/model.json").read_bytes() == (tmp_path / "b/model.json").read_bytes()

    def test_the_caller_s_manifest_is_left_as_it_was(self, tmp_path):
        data = manifest_json()
        models.write_model(tmp_path / "m", data, some_weights())
        assert data == manifest_json()

    def test_an_older_model_is_replaced_whole(self, tmp_path):
        make_model(tmp_path / "m", value=1)
        (tmp_path / "m" / "old.txt").write_text("old")
        make_model(tmp_path / "m", value=2)
        assert not (tmp_path / "m" / "old.txt").exists()
        assert hidden(tmp_path) == []
        models.load_model(tmp_path / "m").verify()

    def test_a_folder_of_something_else_is_not_touched(self, tmp_path):
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "thesis.txt").write_text("precious")
        with pytest.raises(OutputError, match="something else than a model"):
            make_model(tmp_path / "m")
        assert (tmp_path / "m" / "thesis.txt").read_text() == "precious"

    def test_a_file_in_the_way_is_not_touched(self, tmp_path):
        (tmp_path / "m").write_text("precious")
        with pytest.raises(OutputError, match="is no folder"):
            make_model(tmp_path / "m")

    def test_an_invalid_manifest_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(ModelCorruptError, match="licence must be text"):
            make_model(tmp_path / "deep" / "m", licence=3)
        assert not (tmp_path / "deep").exists()

    @pytest.mark.parametrize("stages", [("locate",), ("locate", "segment", "refine")])
    def test_weights_for_other_stages_are_refused(self, tmp_path, stages):
        with pytest.raises(ValueError, match="the weights are for"):
            models.write_model(tmp_path / "m", manifest_json(), some_weights(stages))

    def test_a_full_disk_leaves_the_older_model_and_nothing_else(self, tmp_path, monkeypatch):
        make_model(tmp_path / "m", value=1)
        before = models.load_model(tmp_path / "m").sha256

        def full(handle):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(files.os, "fsync", full)
            with pytest.raises(OutputError, match="No space left"):
                make_model(tmp_path / "m", value=2)
        assert models.load_model(tmp_path / "m").sha256 == before
        assert hidden(tmp_path) == []

    @pytest.mark.parametrize("failing", [1, 2])
    def test_a_replacement_that_fails_leaves_the_older_model(self, tmp_path, monkeypatch, failing):
        before = models.load_model(make_model(tmp_path / "m", value=1)).sha256
        real, calls = os.rename, []

        def rename(source, target):
            calls.append(source)
            if len(calls) == failing:
                raise OSError(5, "Input/output error")
            real(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(files.os, "rename", rename)
            with pytest.raises(OutputError, match="Input/output error"):
                make_model(tmp_path / "m", value=2)
        assert models.load_model(tmp_path / "m").sha256 == before
        assert hidden(tmp_path) == []


class TestLoading:
    def test_state_dict_gives_torch_tensors(self, tmp_path):
        torch = pytest.importorskip("torch")
        state = models.load_model(make_model(tmp_path / "m", value=2)).state_dict("locate")
        assert torch.equal(state["a.weight"], torch.full((2, 3), 2.0))

    def test_without_pytorch_the_sentence_says_so(self, tmp_path, monkeypatch):
        model = models.load_model(make_model(tmp_path / "m"))
        monkeypatch.setitem(__import__("sys").modules, "torch", None)
        with pytest.raises(DeviceError, match="PyTorch is not installed"):
            model.state_dict("locate")

    def test_the_checksum_is_checked_before_tensors_are_parsed(self, tmp_path, monkeypatch):
        model = models.load_model(make_model(tmp_path / "m"))
        path = model.path / "segment.safetensors"
        raw = bytearray(path.read_bytes())
        raw[-1] ^= 1
        path.write_bytes(raw)
        monkeypatch.setattr(store, "load_state_dict", lambda data: pytest.fail("parsed unchecked bytes"))
        with pytest.raises(ModelCorruptError, match=r"segment.safetensors of the model tiny do not match"):
            model.state_dict("segment")

    def test_a_hostile_file_with_a_matching_checksum_is_still_refused(self, tmp_path):
        folder = make_model(tmp_path / "m")
        hostile = struct.pack("<Q", 2**62) + b"{}"
        (folder / "segment.safetensors").write_bytes(hostile)
        data = json.loads((folder / "model.json").read_text())
        data["stages"][1]["sha256"] = files.sha256(hostile)
        (folder / "model.json").write_text(json.dumps(data))
        with pytest.raises(ModelCorruptError, match="header claims"):
            models.load_model(folder).verify()

    def test_missing_weights_are_noticed_at_once(self, tmp_path):
        folder = make_model(tmp_path / "m")
        (folder / "locate.safetensors").unlink()
        with pytest.raises(ModelCorruptError, match="no file locate.safetensors"):
            models.load_model(folder)

    def test_weights_that_link_out_of_the_folder_are_refused(self, tmp_path):
        folder = make_model(tmp_path / "m")
        os.replace(folder / "locate.safetensors", tmp_path / "outside.safetensors")
        (folder / "locate.safetensors").symlink_to(tmp_path / "outside.safetensors")
        with pytest.raises(ModelCorruptError, match="leads out of the model's folder"):
            models.load_model(folder)

    def test_a_model_for_a_newer_liverseg_is_refused(self, tmp_path):
        folder = make_model(tmp_path / "m", min_liverseg="9.0")
        with pytest.raises(ModelVersionError, match="needs LiverSeg 9.0"):
            models.load_model(folder)

    def test_the_hash_covers_what_decides_the_output_and_nothing_else(self, tmp_path):
        base = models.load_model(make_model(tmp_path / "a")).sha256
        assert len(base) == 64
        assert models.load_model(make_model(tmp_path / "b", description="Other words.")).sha256 == base
        assert models.load_model(make_model(tmp_path / "c", value=2)).sha256 != base
        data = manifest_json()
        data["stages"][0]["intensity"]["window"] = [-100, 240]
        models.write_model(tmp_path / "d", data, some_weights())
        assert models.load_model(tmp_path / "d").sha256 != base

    def test_size_counts_manifest_and_weights(self, tmp_path):
        folder = make_model(tmp_path / "m")
        (folder / "notes.txt").write_text("not counted")
        counted = ["model.json", "locate.safetensors", "segment.safetensors"]
        assert models.load_model(folder).size_bytes == sum((folder / name).stat().st_size for name in counted)


class TestFinding:
    def test_default_is_the_bundled_model(self, bundled):
        make_model(bundled / "liver-ct", "liver-ct")
        found = models.load_model("default")
        assert (found.path, found.origin) == (bundled / "liver-ct", "bundled")

    def test_among_several_bundled_models_default_is_the_one_called_so(self, bundled):
        make_model(bundled / "default", "liver-ct")
        make_model(bundled / "fast", "fast")
        assert models.load_model("default").name == "liver-ct"

    def test_a_user_s_model_comes_before_the_bundled_one_of_its_name_but_default_stays(self, bundled, user):
        make_model(bundled / "liver-ct", "liver-ct")
        make_model(user / "liver-ct", "liver-ct", value=2)
        assert models.load_model("liver-ct").origin == "user"
        assert models.load_model("default").origin == "bundled"
        assert [(model.name, model.origin) for model in models.list_models()] == [
            ("liver-ct", "bundled"),
            ("liver-ct", "user"),
        ]

    def test_a_user_s_model_called_default_does_not_become_the_default(self, bundled, user):
        make_model(bundled / "liver-ct", "liver-ct")
        make_model(user / "default", "default", value=2)
        assert models.load_model("default").origin == "bundled"

    def test_a_folder_is_found_by_path(self, tmp_path, monkeypatch):
        folder = make_model(tmp_path / "m")
        monkeypatch.chdir(tmp_path)
        for given in (folder, str(folder), "./m", "m", Path("m")):
            model = models.load_model(given)
            assert (model.path, model.origin) == (folder, "folder")

    def test_a_name_wins_over_a_folder_here_but_a_path_object_does_not(self, tmp_path, user, monkeypatch):
        make_model(user / "m", "m", value=2)
        make_model(tmp_path / "m", "m")
        monkeypatch.chdir(tmp_path)
        assert models.load_model("m").path == user / "m"
        assert models.load_model(Path("m")).path == tmp_path / "m"

    def test_an_unknown_name_is_answered_with_what_there_is(self, bundled, user):
        make_model(bundled / "liver-ct", "liver-ct")
        make_model(user / "mine", "mine")
        with pytest.raises(ModelNotFoundError, match="no model 'liver'. Available: default, liver-ct, mine"):
            models.load_model("liver")

    def test_with_nothing_installed_the_sentence_says_none(self):
        with pytest.raises(ModelNotFoundError, match="no model 'default'. Available: none"):
            models.load_model("default")

    @pytest.mark.parametrize("name", ["", ".", "..", "../user", "~", "\0", "a\nb"])
    def test_odd_names_are_not_found(self, user, name):
        make_model(user / "mine", "mine")
        with pytest.raises(ModelNotFoundError):
            models.load_model(name)

    def test_a_folder_without_a_manifest_is_called_no_model(self, tmp_path):
        with pytest.raises(ModelNotFoundError, match=r"holds no model \(no model.json\)"):
            models.load_model(tmp_path)

    def test_broken_models_are_listed_with_their_error(self, user):
        make_model(user / "good", "good")
        make_model(user / "half", "half")
        (user / "half" / "segment.safetensors").unlink()
        (user / "empty").mkdir()
        (user / "wrong").mkdir()
        (user / "wrong" / "model.json").write_text("{")
        (user / "README.md").write_text("no model")
        (user / ".incoming-1").mkdir()
        found = {model.name: model for model in models.list_models()}
        assert sorted(found) == ["empty", "good", "half", "wrong"]
        assert found["good"].error is None
        assert "no file model.json" in str(found["empty"].error)
        assert found["wrong"].manifest is None
        assert "not JSON" in str(found["wrong"].error)
        assert found["half"].manifest.name == "half"
        assert found["half"].size_bytes > 0
        with pytest.raises(ModelCorruptError, match="segment.safetensors"):
            models.load_model("half")
        with pytest.raises(ModelCorruptError, match="not JSON"):
            found["wrong"].verify()


class TestFolders:
    def test_the_variable_names_the_user_s_folder(self, user):
        assert models.user_models_folder() == user

    @pytest.mark.parametrize(
        ("platform", "variables", "end"),
        [
            ("linux", {"XDG_DATA_HOME": "/data"}, "/data/liverseg/models"),
            ("linux", {"XDG_DATA_HOME": "relative"}, "HOME/.local/share/liverseg/models"),
            ("linux", {}, "HOME/.local/share/liverseg/models"),
            ("darwin", {}, "HOME/Library/Application Support/LiverSeg/Models"),
            ("win32", {"LOCALAPPDATA": "/local"}, "/local/LiverSeg/Models"),
            ("win32", {}, "HOME/AppData/Local/LiverSeg/Models"),
        ],
    )
    def test_each_platform_has_its_place(self, tmp_path, monkeypatch, platform, variables, end):
        for name in ("LIVERSEG_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(store.sys, "platform", platform)
        monkeypatch.setattr(store.Path, "home", classmethod(lambda cls: tmp_path))
        assert models.user_models_folder().as_posix() == end.replace("HOME", tmp_path.as_posix())

    @pytest.mark.parametrize("inside", [True, False])
    def test_bundled_models_lie_in_the_package_or_beside_it(self, tmp_path, monkeypatch, inside):
        monkeypatch.undo()
        package = tmp_path / "LiverSegLib"
        (package / "models").mkdir(parents=True)
        monkeypatch.setattr(store, "__file__", str(package / "models" / "store.py"))
        assert store.bundled_models_folder() is None
        (tmp_path / "Resources" / "Models").mkdir(parents=True)
        if inside:
            (package / "Resources" / "Models").mkdir(parents=True)
        expected = (package if inside else tmp_path) / "Resources" / "Models"
        assert store.bundled_models_folder() == expected.resolve()


def test_importing_models_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, LiverSegLib.models; sys.exit('torch' in sys.modules or 'safetensors' in sys.modules)"
    root = Path(store.__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60)
    assert done.returncode == 0
