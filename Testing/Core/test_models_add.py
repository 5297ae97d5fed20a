"""Models of nnU-Net added as models of ours: what is read of them and how they are written."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from model_fixtures import described
from nnunet_models import LABELS, REGIONS, make_cascade, make_trained, network_for, zipped

from LiverSegLib.errors import ModelError
from LiverSegLib.models import add_model, load_model
from LiverSegLib.networks import build_network

pytest_plugins = ["model_fixtures"]
pytestmark = pytest.mark.usefixtures("store")


class TestAdding:
    def test_weights_and_network_give_what_the_trained_network_gave(self, trained):
        model = add_model(trained)
        plans = json.loads((trained / "plans.json").read_text())
        content = json.loads((trained / "dataset.json").read_text())
        image = torch.randn(1, 1, 8, 16, 16)
        network = build_network(
            model.manifest.stages[0].network.name, model.manifest.stages[0].network.arguments
        )
        for fold in (0, 1):
            original = network_for(plans, "3d_fullres", content, "PlainConvUNet", seed=fold)
            network.load_state_dict(model.state_dict("segment", fold))
            with torch.inference_mode():
                assert torch.equal(network.eval()(image), original(image))

    def test_the_stage_says_how_nnunet_prepares_a_scan(self, trained):
        manifest = described(trained)
        (stage,) = manifest.stages
        assert (manifest.pipeline, manifest.format_version, manifest.modality) == ("nnunet", 2, "CT")
        assert (stage.name, stage.patch, stage.spacing) == ("segment", (8, 16, 16), (2.0, 2.0, 3.0))
        assert (stage.orientation, stage.axes, stage.mirror_axes) == ("stored", "zyx", (0, 1, 2))
        assert stage.intensity.scheme == "ct-percentile"
        assert (stage.intensity.clip, stage.intensity.mean, stage.intensity.std) == (
            (-20.0, 200.0),
            95.0,
            45.0,
        )
        preparation = stage.preparation
        assert (preparation.crop, preparation.keep_spacing, preparation.separate_z) == ("nonzero", "no", None)
        assert (preparation.image_order, preparation.image_order_z) == (3, 0)
        assert (preparation.scores_order, preparation.scores_order_z) == (1, 0)
        assert stage.output.channels == ("background", "liver", "spleen", "liver_tumor")
        assert stage.output.labels == {"liver": 1, "spleen": 2, "liver_tumor": 3}

    def test_where_it_comes_from_is_kept(self, trained):
        source = add_model(trained, licence="CC BY 4.0").manifest.source
        checkpoint = trained / "fold_1" / "checkpoint_final.pth"
        place = "Dataset901_Tiny/nnUNetTrainer__nnUNetPlans__3d_fullres/fold_1/checkpoint_final.pth"
        assert source.checkpoints[place] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        assert (source.program, source.trainer, source.epochs) == ("nnU-Net v2", "nnUNetTrainer", 2)
        assert (source.file, source.configuration) == (trained.name, "3d_fullres")
        manifest = load_model("Tiny-3d_fullres").manifest
        assert manifest.source == source and manifest.licence == "CC BY 4.0"

    def test_licence_is_said_not_to_be_stated(self, tmp_path, trained):
        assert described(trained).licence == "Not stated by the model's authors"
        folder = make_trained(tmp_path, dataset_changes={"licence": "CC-BY-SA 4.0\x1b[31m"})
        said = described(folder).licence
        assert said == "Not stated by the model's authors; its data set: CC-BY-SA 4.0 [31m"

    @pytest.mark.parametrize("architecture", ["PlainConvUNet", "ResidualEncoderUNet"])
    @pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
    def test_both_networks_in_two_and_three_dimensions(self, tmp_path, architecture, configuration):
        folder = make_trained(tmp_path, architecture=architecture, configuration=configuration)
        model = add_model(folder)
        model.verify()
        stage = model.manifest.stages[0]
        assert stage.network.name == architecture
        assert stage.preparation.keep_spacing == ("z" if configuration == "2d" else "no")
        if configuration == "2d":
            assert stage.spacing == (2.0, 2.0, 3.0) and stage.mirror_axes == (0, 1)

    def test_plans_from_before_2_4_describe_the_same_network(self, tmp_path):
        old = described(make_trained(tmp_path / "old", old_plans=True)).stages[0]
        assert old.network == described(make_trained(tmp_path / "new")).stages[0].network

    def test_a_zip_archive_gives_the_same_model_and_leaves_nothing_else(self, tmp_path, trained, store):
        archive = zipped(trained.parent.parent, tmp_path / "export.zip")
        model = add_model(archive)
        assert [fold.sha256 for fold in model.manifest.stages[0].folds] == [
            fold.sha256 for fold in add_model(trained, name="folder").manifest.stages[0].folds
        ]
        assert model.manifest.source.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
        assert sorted(path.name for path in store.iterdir()) == ["Tiny-3d_fullres", "folder"]

    def test_half_precision_stays_and_compiled_networks_names_are_known(self, tmp_path):
        folder = make_trained(tmp_path)
        path = folder / "fold_0" / "checkpoint_final.pth"
        content = torch.load(path, weights_only=False)
        weights = content["network_weights"].items()
        content["network_weights"] = {f"_orig_mod.{name}": tensor.half() for name, tensor in weights}
        torch.save(content, path)
        state = add_model(folder).state_dict("segment")
        assert {tensor.dtype for tensor in state.values()} == {torch.float16}

    def test_norms_without_scale_and_shift(self, tmp_path):
        folder = make_trained(tmp_path)
        path = folder / "fold_0" / "checkpoint_final.pth"
        content = torch.load(path, weights_only=False)
        content["network_weights"] = {
            name: tensor for name, tensor in content["network_weights"].items() if "norm" not in name
        }
        torch.save(content, path)
        state = add_model(folder).state_dict("segment")
        assert torch.equal(state["encoder.0.0.norm.weight"], torch.ones(4))

    def test_transposed_axes_reorder_spacing(self, tmp_path):
        changes = {"transpose_forward": [1, 0, 2], "transpose_backward": [1, 0, 2]}
        stage = described(make_trained(tmp_path, plans_changes=changes)).stages[0]
        assert (stage.axes, stage.spacing) == ("yzx", (2.0, 3.0, 2.0))

    @pytest.mark.parametrize(
        ("changes", "scheme", "nonzero"),
        [({"normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [True]}, "zscore", True),
         ({"normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False]}, "zscore", False),
         ({"normalization_schemes": ["NoNormalization"]}, "none", None)],
    )  # fmt: skip
    def test_normalisations(self, tmp_path, changes, scheme, nonzero):
        folder = make_trained(tmp_path, configuration_changes=changes, channels={"0": "T1w MRI"})
        manifest = described(folder)
        assert manifest.modality == "MR"
        assert (manifest.stages[0].intensity.scheme, manifest.stages[0].intensity.nonzero) == (
            scheme,
            nonzero,
        )

    def test_resampling_of_other_kinds(self, tmp_path):
        kinds = {
            "resampling_fn_data": "resample_torch_fornnunet",
            "resampling_fn_data_kwargs": {"force_separate_z": False},
            "resampling_fn_probabilities": "resample_torch_fornnunet",
            "resampling_fn_probabilities_kwargs": {"force_separate_z": False},
        }  # fmt: skip
        found = described(make_trained(tmp_path, configuration_changes=kinds)).stages[0].preparation
        assert (found.image_order, found.scores_order, found.separate_z) == (1, 1, False)


class TestAccuracy:
    @staticmethod
    def write_summary(folder, fold, means):
        place = folder / f"fold_{fold}" / "validation"
        place.mkdir()
        (place / "summary.json").write_text(json.dumps({"mean": means}))  # with NaN, as nnU-Net writes it

    def test_nnunet_s_own_validation_is_kept(self, tmp_path):
        folder = make_trained(tmp_path / "results", folds=("0", "1"))
        self.write_summary(folder, 0, {"1": {"Dice": 0.9}, "2": {"Dice": float("nan")}, "3": {"Dice": 0.5}})
        assert described(folder).accuracy is None
        self.write_summary(folder, 1, {"1": {"Dice": 0.8}, "2": {"Dice": 0.6}})
        accuracy = described(folder).accuracy
        assert accuracy.dataset.endswith("by nnU-Net (fold 0, fold 1)")
        assert accuracy.table == (
            {"Structure": "liver", "Dice": 0.85},
            {"Structure": "spleen", "Dice": 0.6},
            {"Structure": "liver_tumor", "Dice": 0.5},
        )
        assert add_model(zipped(tmp_path / "results", tmp_path / "export.zip")).manifest.accuracy == accuracy

    def test_of_regions(self, tmp_path):
        folder = make_trained(tmp_path, labels=REGIONS)
        self.write_summary(folder, 0, {"(1, 2)": {"Dice": 0.9}, "(2,)": {"Dice": 0.4}})
        assert [row["Dice"] for row in described(folder).accuracy.table] == [0.9, 0.4]

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"mean": {"1": {"Dice": "x"}}}', '{"mean": 5}'])
    def test_a_summary_that_is_none_does_not_matter(self, tmp_path, text):
        folder = make_trained(tmp_path)
        self.write_summary(folder, 0, {})
        (folder / "fold_0" / "validation" / "summary.json").write_text(text)
        assert described(folder).accuracy is None


class TestRegionsAndCascade:
    def test_regions_are_channels_without_background(self, tmp_path):
        output = described(make_trained(tmp_path, labels=REGIONS)).stages[0].output
        assert (output.activation, output.channels, output.values) == ("sigmoid", ("liver", "tumor"), (1, 2))
        assert output.labels == {"liver": 1, "tumor": 3}

    def test_the_ignore_label_is_no_channel(self, tmp_path):
        labels = {"background": 0, "liver": 1, "ignore": 2}
        assert described(make_trained(tmp_path, labels=labels)).stages[0].output.channels == (
            "background",
            "liver",
        )

    @pytest.mark.parametrize("labels", [LABELS, REGIONS], ids=["labels", "regions"])
    def test_a_cascade_has_both_networks(self, tmp_path, labels):
        make_cascade(tmp_path / "results", labels=labels)
        model = add_model(tmp_path / "results", configuration="3d_cascade_fullres")
        low, fine = model.manifest.stages
        assert (low.name, fine.name, fine.previous) == ("lowres", "segment", "lowres")
        assert fine.network.arguments["in_channels"] == 1 + (3 if labels is LABELS else 2)
        assert low.spacing == (4.0, 4.0, 6.0)
        assert [stage.name for stage in model.manifest.result_stages] == ["segment"]
        model.verify()

    def test_a_cascade_is_also_found_from_its_own_folder(self, tmp_path):
        folder = make_cascade(tmp_path)
        assert [stage.name for stage in described(folder).stages] == ["lowres", "segment"]

    def test_a_cascade_without_its_first_network_is_refused(self, tmp_path):
        folder = make_cascade(tmp_path)
        shutil.rmtree(folder.parent / "nnUNetTrainer__nnUNetPlans__3d_lowres")
        with pytest.raises(ModelError, match="builds on 3d_lowres"):
            add_model(folder)


def test_numbers_are_written_as_they_were(trained):
    from tensor_files import read_tensors

    model = add_model(trained)
    state = torch.load(trained / "fold_0" / "checkpoint_final.pth", weights_only=False)["network_weights"]
    written = read_tensors(Path(model.path) / "segment.safetensors")
    assert np.array_equal(written["decoder.head.weight"], state["decoder.seg_layers.1.weight"].numpy())
    assert written["decoder.ups.0.bias"].dtype == np.float32
