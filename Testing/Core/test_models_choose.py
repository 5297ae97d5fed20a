"""Which model is meant, what it is called, what fails while it is added, and how it is removed."""

import json
import os
import shutil

import pytest
from model_fixtures import described
from nnunet_models import make_trained, zipped

from LiverSegLib.errors import ModelCorruptError, ModelError, ModelNotFoundError, OutputError, UsageError
from LiverSegLib.models import add_model, files, list_models, opened_model, remove_model
from LiverSegLib.models.importers.labelling import guessed_labels

pytest_plugins = ["model_fixtures"]
pytestmark = pytest.mark.usefixtures("store")


class TestChoosing:
    def test_several_configurations_are_listed(self, tmp_path):
        make_trained(tmp_path)
        make_trained(tmp_path, configuration="2d")
        with pytest.raises(UsageError, match="choose one by its name: 2d, 3d_fullres"):
            add_model(tmp_path)
        assert add_model(tmp_path, configuration="2d").name == "Tiny-2d"
        with pytest.raises(UsageError, match="no configuration 3d_lowres; there are: .*2d"):
            add_model(tmp_path, configuration="3d_lowres")

    def test_a_model_is_found_some_folders_down(self, tmp_path):
        make_trained(tmp_path / ".totalsegmentator" / "nnunet" / "results")
        assert described(tmp_path / ".totalsegmentator").name == "Tiny-3d_fullres"

    def test_several_data_sets_are_listed(self, tmp_path):
        make_trained(tmp_path)
        make_trained(tmp_path, dataset="Dataset902_Other")
        with pytest.raises(UsageError, match="Dataset901_Tiny .*; Dataset902_Other"):
            add_model(tmp_path)

    def test_folds(self, trained):
        assert [fold.weights for fold in described(trained).stages[0].folds] == [
            "segment.safetensors",
            "segment-1.safetensors",
        ]
        assert len(described(trained, folds=["1"]).stages[0].folds) == 1
        with pytest.raises(UsageError, match="no fold 4; there are: 0, 1"):
            described(trained, folds=["4"])

    def test_the_fold_of_all_cases_is_taken_where_there_is_no_other(self, tmp_path):
        assert add_model(make_trained(tmp_path, folds=("all",))).size_bytes > 0

    def test_the_best_checkpoint_serves_where_there_is_no_final_one(self, tmp_path):
        folder = make_trained(tmp_path, checkpoint="checkpoint_best.pth")
        assert "fold_0/checkpoint_best.pth" in next(iter(add_model(folder).manifest.source.checkpoints))

    def test_labels_are_chosen(self, trained):
        chosen = {"spleen": "none", "liver_tumor": "Tumor"}
        assert described(trained, labels=chosen).stages[0].output.labels == {"liver": 1, "liver_tumor": 3}
        with pytest.raises(UsageError, match="no structure kidney; it has: liver, spleen, liver_tumor"):
            described(trained, labels={"kidney": "liver"})
        with pytest.raises(UsageError, match="no label lung; choose one of: liver, spleen, tumour, tumor"):
            described(trained, labels={"liver": "lung"})

    @pytest.mark.parametrize("name", ["default", "TINY", "tiny"])
    def test_a_name_that_is_taken(self, trained, name):
        add_model(trained, name="tiny")
        with pytest.raises(UsageError, match="already"):
            add_model(trained, name=name)

    @pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a\nb", "con?"])
    def test_a_name_that_cannot_be_one(self, trained, store, name):
        with pytest.raises(UsageError, match="cannot be a model's name"):
            add_model(trained, name=name)
        assert not store.exists()

    def test_what_is_not_there_or_no_model(self, tmp_path):
        with pytest.raises(ModelNotFoundError, match="does not exist"):
            add_model(tmp_path / "none")
        (tmp_path / "scan.nii").touch()
        with pytest.raises(ModelError, match="no model that can be added"):
            add_model(tmp_path / "scan.nii")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ModelNotFoundError, match="holds no trained model"):
            add_model(tmp_path / "empty")


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["liver", "spleen", "tumor"], [1, 2, 3]), (["Liver", "liver_lesions"], [1, 3]), (["lesion"], [3]),
     (["kidney", "tumor"], [0, 0]), (["kidney", "liver", "cancer"], [0, 1, 3]), (["lung_nodules"], [0]),
     (["liver", "kidney_tumor", "HCC"], [1, 0, 3]), (["liver_vessels", "liver_tumor"], [0, 3]),
     (["liver_segment_1", "cyst"], [0, 0]), (["pancreas", "liver metastases"], [0, 3])],
)  # fmt: skip
def test_names_that_mean_our_labels(names, expected):
    found = guessed_labels(names)
    assert [found.get(name, 0) for name in names] == expected


class TestRemoving:
    def test_an_added_model_goes_and_others_stay(self, trained, store):
        add_model(trained, name="one")
        add_model(trained, name="two")
        assert remove_model("one") == store / "one"
        assert [model.name for model in list_models() if model.origin == "user"] == ["two"]
        assert [path.name for path in store.iterdir()] == ["two"]

    def test_the_bundled_model_stays(self):
        with pytest.raises(UsageError, match="part of LiverSeg"):
            remove_model("default")

    def test_unknown_names(self, trained):
        with pytest.raises(ModelNotFoundError, match="no model has been added"):
            remove_model("one")
        add_model(trained, name="two")
        with pytest.raises(ModelNotFoundError, match="there are: two"):
            remove_model("one")


class TestFailures:
    def test_a_full_disk_leaves_nothing(self, trained, store, monkeypatch):
        def full(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(OutputError):
            add_model(trained)
        assert list(store.iterdir()) == []

    def test_a_disk_that_is_full_while_an_archive_is_unpacked(self, tmp_path, trained, store, monkeypatch):
        path = zipped(trained.parent.parent, tmp_path / "export.zip")

        def full(*given):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("LiverSegLib.models.importers.archive._unpack", full)
        with pytest.raises(OutputError, match="could not add the model: .*disk"):
            add_model(path)
        assert list(store.iterdir()) == []

    def test_what_fails_while_a_model_is_looked_at_stays_as_it_was(self, tmp_path, trained, store):
        path = zipped(trained.parent.parent, tmp_path / "export.zip")
        with pytest.raises(BrokenPipeError), opened_model(path):
            raise BrokenPipeError
        assert list(store.iterdir()) == []

    def test_weights_of_another_network_leave_nothing(self, tmp_path, store):
        folder = make_trained(tmp_path / "a")
        other = make_trained(tmp_path / "b", architecture="ResidualEncoderUNet")
        shutil.copy(other / "plans.json", folder / "plans.json")
        with pytest.raises(ModelCorruptError, match="checkpoint_final.pth are not those of the network"):
            add_model(folder)
        assert list(store.iterdir()) == []

    def test_interrupted_in_the_second_fold_leaves_nothing(self, trained, store, monkeypatch):
        from LiverSegLib.models import writer

        real, calls = writer.save_tensors, []

        def interrupted(*given):
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt
            real(*given)

        monkeypatch.setattr(writer, "save_tensors", interrupted)
        with pytest.raises(KeyboardInterrupt):
            add_model(trained)
        assert list(store.iterdir()) == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [({"configuration_changes": {"normalization_schemes": ["RGBTo01Normalization"]}}, "RGBTo01"),
         ({"configuration_changes": {"preprocessor_name": "MyPreprocessor"}}, "MyPreprocessor"),
         ({"configuration_changes": {"resampling_fn_data": "my_function"}}, "my_function"),
         ({"plans_changes": {"image_reader_writer": "NaturalImage2DIO"}}, "NaturalImage2DIO"),
         ({"channels": {"0": "CT", "1": "PET"}}, "2 images of a patient"),
         ({"labels": {"0": "background", "1": "liver"}}, "first version of nnU-Net")],
    )  # fmt: skip
    def test_what_is_not_run_is_refused_in_words(self, tmp_path, change, words, store):
        if "labels" in change:
            folder = make_trained(tmp_path)
            content = json.loads((folder / "dataset.json").read_text())
            (folder / "dataset.json").write_text(json.dumps({**content, **change}))
        else:
            folder = make_trained(tmp_path, **change)
        with pytest.raises(ModelError, match=words):
            add_model(folder)
        assert not store.exists()

    def test_an_unknown_network_is_refused_in_words(self, tmp_path):
        folder = make_trained(tmp_path)
        text = (folder / "plans.json").read_text().replace("unet.PlainConvUNet", "umamba.UMambaBot")
        (folder / "plans.json").write_text(text)
        with pytest.raises(ModelError, match="network is .*UMambaBot"):
            add_model(folder)

    def test_without_pytorch_the_sentence_says_so(self, trained, monkeypatch, store):
        monkeypatch.setitem(__import__("sys").modules, "torch", None)
        with pytest.raises(ModelError, match="PyTorch is not installed"):
            add_model(trained)
        assert list(store.iterdir()) == []


def test_left_over_folders_of_killed_processes_go(tmp_path, trained, store):
    archive = zipped(trained.parent.parent, tmp_path / "export.zip")
    for name, age in ((".incoming-old", 2 * 86400), (".incoming-new", 60)):
        (store / name).mkdir(parents=True)
        moment = (store / name).stat().st_mtime - age
        os.utime(store / name, (moment, moment))
    add_model(archive)
    assert sorted(path.name for path in store.iterdir()) == [".incoming-new", "Tiny-3d_fullres"]
