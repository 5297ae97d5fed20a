"""Models of strangers: damaged files, code in checkpoints, archives that lead out or explode. Nothing is run
or left."""

import gzip
import io
import json
import os
import pickle
import random
import shutil
import struct
import zipfile

import pytest
import torch
from model_fixtures import Payload, checkpoint, refused

from LiverSegLib.errors import LiverSegError, ModelCorruptError, ModelError
from LiverSegLib.models import add_model
from LiverSegLib.models.importers.architecture import our_name
from LiverSegLib.models.importers.checkpoint import TABLE, Checkpoint, _storage
from LiverSegLib.models.importers.plain_pickle import read_pickle

pytest_plugins = ["model_fixtures"]
pytestmark = pytest.mark.usefixtures("empty_store")


class TestCheckpoints:
    @pytest.mark.parametrize("protocol", [2, 4])
    @pytest.mark.parametrize("place", ["network_weights", "optimizer_state", "init_args"])
    def test_code_is_refused_by_name_and_never_run(self, tmp_path, folder, protocol, place):
        content = torch.load(checkpoint(folder), weights_only=False)
        content[place] = {**content[place], "payload": Payload(tmp_path / "ran")}
        torch.save(content, checkpoint(folder), pickle_protocol=protocol)
        said = refused(folder, ModelCorruptError, "asks for .*system.* to be run")
        assert "Nothing was run" in said and not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        "name",
        ["builtins.eval", "builtins.getattr", "torch.load", "numpy.load", "torch.nn.Module", "os.system"],
    )
    def test_no_name_outside_the_table_is_looked_up(self, name):
        module, _, function = name.rpartition(".")
        program = b"\x80\x02c" + f"{module}\n{function}\n".encode() + b"X\x01\x00\x00\x001\x85R."
        with pytest.raises(ModelCorruptError, match="refused"):
            read_pickle(program, TABLE, _storage, "x.pth")

    def test_mutations_give_plain_values_or_a_sentence(self, folder):
        with zipfile.ZipFile(checkpoint(folder)) as opened:
            name = next(entry for entry in opened.namelist() if entry.endswith("data.pkl"))
            program = opened.read(name)
        chance = random.Random(1)
        for _ in range(400):
            spoilt = bytearray(program)
            for _ in range(chance.randint(1, 4)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            try:
                read_pickle(bytes(spoilt[: chance.randint(1, len(spoilt))]), TABLE, _storage, "x.pth")
            except ModelCorruptError as error:
                assert str(error).isprintable()

    @pytest.mark.parametrize(
        "program",
        [b"\x80\x02L" + b"9" * 10**7 + b"L\n.", b"\x80\x02" + b"(" * 10**5 + b".",
         b"\x80\x02]" + b"q\x00h\x00a" * 50 + b".",
         b"\x80\x02r\xff\xff\xff\xff.",
         b"\x80\x02" + b")" + b"q\x00h\x00\x86" * 200 + b"}q\x01h\x00K\x01s.", b"", b".",
         b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",
         b"\x80\x02cpathlib\nPosixPath\n(" + b"K\x01" * 10**5 + b"tR."],
        ids=["digits", "marks", "cycle", "memo", "nested-key", "empty", "nothing", "bytearray",
             "many-arguments"],
    )  # fmt: skip
    def test_programs_that_would_take_for_ever_do_not(self, program):
        try:
            read_pickle(program, TABLE, _storage, "x.pth")
        except ModelCorruptError as error:
            assert len(str(error)) < 300

    def test_a_tensor_larger_than_its_numbers(self, folder):
        content = torch.load(checkpoint(folder), weights_only=False)
        name = "encoder.stages.0.0.convs.0.conv.weight"
        content["network_weights"][name] = torch.zeros(1).expand(10**6, 10**6)
        torch.save(content, checkpoint(folder))
        refused(folder, ModelCorruptError, "bytes long; at most")
        content["network_weights"][name] = torch.zeros(1).expand(100, 100)
        torch.save(content, checkpoint(folder))
        refused(folder, ModelCorruptError, "damaged")

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
    def test_truncated(self, folder, share):
        data = checkpoint(folder).read_bytes()
        checkpoint(folder).write_bytes(data[: int(len(data) * share)])
        refused(folder, ModelCorruptError, "checkpoint")

    def test_flipped_bits_in_the_numbers_are_noticed(self, folder):
        data = bytearray(checkpoint(folder).read_bytes())
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            entry = next(item for item in opened.infolist() if item.filename.endswith("data/0"))
        data[entry.header_offset + 200] ^= 1
        checkpoint(folder).write_bytes(data)
        refused(folder, ModelCorruptError, "damaged")

    def test_of_an_older_pytorch_or_of_no_model(self, folder):
        torch.save({"network_weights": {}}, checkpoint(folder), _use_new_zipfile_serialization=False)
        refused(folder, ModelCorruptError, "no checkpoint that PyTorch 1.6")
        checkpoint(folder).write_bytes(pickle.dumps(Payload("/dev/null")))
        refused(folder, ModelCorruptError, "no checkpoint")
        torch.save({"state_dict": {}}, checkpoint(folder))
        refused(folder, ModelError, "no weights of nnU-Net")
        torch.save([1, 2], checkpoint(folder))
        refused(folder, ModelCorruptError, "damaged")

    def test_a_compressed_member_is_refused_before_it_is_unpacked(self, folder):
        with zipfile.ZipFile(checkpoint(folder)) as opened:
            members = {entry.filename: opened.read(entry) for entry in opened.infolist()}
        with zipfile.ZipFile(checkpoint(folder), "w", zipfile.ZIP_DEFLATED) as spoilt:
            for name, data in members.items():
                spoilt.writestr(name, data)
        refused(folder, ModelCorruptError, "damaged")

    def test_a_checkpoint_that_nnunet_itself_wrote_is_read(self, root):
        packed = (root / "Testing" / "Data" / "nnunet-checkpoint.pkl.gz").read_bytes()
        values = read_pickle(gzip.decompress(packed), TABLE, _storage, "checkpoint_final.pth")
        assert (values["trainer_name"], values["current_epoch"]) == ("nnUNetTrainer", 1)
        assert values["init_args"]["configuration"] == "3d_fullres"
        first = values["network_weights"]["encoder.stages.0.0.convs.0.conv.weight"]
        assert (first.shape, first.storage.dtype) == ((32, 1, 1, 3, 3), "float32")
        assert {our_name(name, 4) for name in values["network_weights"]} > {"decoder.head.weight"}

    def test_values_of_training_are_plain(self, folder):
        with Checkpoint(checkpoint(folder)) as opened:
            values = opened.values
        assert values["current_epoch"] == 2 and values["_best_ema"] == pytest.approx(0.13)
        assert values["logging"]["train_losses"] == pytest.approx([0.5, 0.2])
        assert values["init_args"]["configuration"] == "3d_fullres"
        assert values["inference_allowed_mirroring_axes"] == (0, 1, 2)


HOSTILE_NETWORKS = [
    {"n_stages": 10**9}, {"n_stages": -1}, {"n_stages": True}, {"n_stages": "3"}, {"n_stages": None},
    {"features_per_stage": 10**9}, {"features_per_stage": [4, 8, 10**17]}, {"features_per_stage": [4, 8]},
    {"features_per_stage": [0, 8, 8]}, {"kernel_sizes": [[3, 3, 3], [3, 3, 3], [10**9] * 3]},
    {"kernel_sizes": [[3, 3, 3]] * 10**4}, {"kernel_sizes": [[1, 3, 3], [3, 3, 3], [2, 2, 2]]},
    {"kernel_sizes": {}}, {"strides": [[1, 1, 1], [0, 2, 2], [2, 2, 2]]},
    {"strides": [[1, 1, 1], [2, 2], [2, 2, 2]]},
    {"strides": [[1, 1, 1], [-1, 2, 2], [2, 2, 2]]}, {"strides": [[3, 1, 1], [1, 2, 2], [2, 2, 2]]},
    {"n_conv_per_stage": [1, 10**9, 1]}, {"n_conv_per_stage": []}, {"n_conv_per_stage_decoder": [1, 2, 3, 4]},
    {"norm_op_kwargs": {"eps": 0}}, {"norm_op_kwargs": {"eps": "1"}}, {"norm_op_kwargs": [1]},
    {"norm_op": "os.system"}, {"nonlin": "builtins.eval"}, {"nonlin_kwargs": {"negative_slope": 10**12}},
]  # fmt: skip


class TestPlans:
    @pytest.mark.parametrize("change", HOSTILE_NETWORKS, ids=lambda change: str(change)[:50])
    def test_impossible_networks(self, folder, change):
        plans = json.loads((folder / "plans.json").read_text())
        plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"].update(change)
        (folder / "plans.json").write_text(json.dumps(plans))
        refused(folder)

    @pytest.mark.parametrize(
        "change",
        [{"patch_size": [10**9, 16, 16]}, {"patch_size": [8, 16]}, {"patch_size": [7, 15, 15]},
         {"patch_size": "x"},
         {"spacing": [0, 1, 1]}, {"spacing": [10**6, 1, 1]}, {"normalization_schemes": []},
         {"normalization_schemes": [5]}, {"use_mask_for_norm": ["x"]}, {"inherits_from": "3d_fullres"},
         {"inherits_from": "nowhere"}, {"resampling_fn_data_kwargs": {"order": 99}},
         {"resampling_fn_data_kwargs": {"separate_z_anisotropy_threshold": -1}}, {"architecture": 7}],
        ids=lambda change: str(change)[:50],
    )  # fmt: skip
    def test_impossible_configurations(self, folder, change):
        plans = json.loads((folder / "plans.json").read_text())
        plans["configurations"]["3d_fullres"].update(change)
        (folder / "plans.json").write_text(json.dumps(plans))
        if change == {"inherits_from": "3d_fullres"}:  # round and round, which ends
            return
        refused(folder)

    @pytest.mark.parametrize(
        ("name", "text"),
        [("plans.json", "{"), ("plans.json", "[]"), ("plans.json", "[" * 10**5), ("plans.json", "{}"),
         ("plans.json", '{"dataset_name": "a", "dataset_name": "b"}'), ("plans.json", "1" * 10**5),
         ("plans.json", " " * 2 * 1024**2), ("dataset.json", "{}"), ("dataset.json", '{"labels": 5}'),
         ("dataset.json", '{"labels": {"background": 0, "liver": 10000000}}'),
         ("dataset.json", '{"labels": {"background": 0, "liver": 5}}'),
         ("dataset.json", '{"labels": {"background": 1, "liver": 2}}'),
         ("dataset.json", '{"labels": {"background": 0, "a": [1, 2]}, "channel_names": {"0": "CT"}}'),
         ("dataset.json", '{"labels": {"background": 0, "\\u001b[31mliver": 1}}')],
        ids=lambda value: value[:40],
    )  # fmt: skip
    def test_files_that_are_none(self, folder, name, text):
        (folder / name).write_text(text)
        assert name in refused(folder)

    @pytest.mark.parametrize("name", ["dataset.json", "fold_0/checkpoint_final.pth", "fold_0"])
    def test_missing_files(self, folder, name):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        refused(folder)

    def test_a_pipe_is_not_waited_for(self, folder):
        (folder / "dataset.json").unlink()
        os.mkfifo(folder / "dataset.json")
        refused(folder, match="no ordinary file")

    def test_names_with_control_characters_are_shown_without(self, tmp_path, folder):
        odd = tmp_path / "Dataset901_Ti\x1b[31mny" / folder.name
        shutil.copytree(folder, odd)
        shutil.copytree(folder, odd.with_name("nnUNetTrainer__nnUNetPlans__2\nd"))
        with pytest.raises(LiverSegError) as caught:
            add_model(odd.parent)
        assert str(caught.value).isprintable()
