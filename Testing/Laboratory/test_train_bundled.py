"""The bundled models' recipes train as the loop that trained version 1.2.0 did; their runs become a model."""

import json
import shutil

import numpy as np
import pytest
import torch
from made_up import pack_cases

from LiverSegLib.errors import InputError
from LiverSegLib.models import load_model
from LiverSegLib.training.export import bundled_stage, export_bundled
from LiverSegLib.training.fit import train
from LiverSegLib.training.mean_weights import main as mean_weights
from LiverSegLib.training.mean_weights import mean_of, write_mean
from LiverSegLib.training.pack import write_pack
from LiverSegLib.training.recipe import read_recipe
from LiverSegLib.training.run_folder import RunFolder

OLD_LOSSES = {
    "segment": (2.264369010925293, 2.227233648300171, 2.2066307067871094),
    "locate": (2.081472158432007, 2.1376850605010986, 2.0709211826324463),
}
"""Losses of the first three steps of the loop before Lightning, on the pack below: seed 3, one thread,
bfloat16."""
TOLERANCE = 1e-3
"""What a processor without bfloat16, which trains in float32, rounds otherwise is less than that."""
PATCH = {"segment": [32, 32, 32], "locate": [16, 32, 32]}


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A pack of two made-up patients, one of them without complete tumors."""
    folder = tmp_path_factory.mktemp("data")
    cases = pack_cases(folder)
    (folder / "dataset.json").write_text(json.dumps({"cases": cases}))
    write_pack(folder, folder / "pack.npz")
    return folder / "pack.npz"


def bundled(stage, pack, *changes):
    return read_recipe(f"bundled-{stage}", [
        f"data.folder={pack}", "seed=3", "training.log_every=1",
        f"patches.size={PATCH[stage.partition('-')[0]]}",
        "training.accelerator=cpu", *changes,
    ])  # fmt: skip


@pytest.fixture(scope="module")
def runs(pack, tmp_path_factory):
    """Both stages after three of a hundred steps."""
    folder = tmp_path_factory.mktemp("runs")
    for stage in PATCH:
        count = [0]

        def stop(count=count):
            count[0] += 1
            return count[0] >= 3

        found = train(bundled(stage, pack, "training.steps=100"), folder / stage, stop=stop)
        assert found.step == 3 and found.stopped == "asked"
    return folder


@pytest.mark.parametrize("stage", PATCH)
def test_the_first_steps_give_the_losses_of_the_loop_before(runs, stage):
    assert RunFolder(runs / stage).losses() == pytest.approx(OLD_LOSSES[stage], abs=TOLERANCE)


def test_two_runs_become_a_model_of_two_stages(runs, pack, tmp_path):
    card = {"name": "tiny", "version": "0.0.1", "description": "x", "licence": "CC0"}
    manifest = export_bundled(runs, tmp_path / "model", card)
    assert [stage.name for stage in manifest.stages] == ["locate", "segment"]
    assert manifest.pipeline == "liverseg" and manifest.stage("segment").spacing == (1.5, 1.5, 1.5)
    assert manifest.stage("locate").output.channel_labels == (0, 1, 2)
    model = load_model(str(tmp_path / "model"))
    averaged = torch.load(RunFolder(runs / "locate").last, weights_only=True)["state_dict"]
    for name, value in model.state_dict("locate").items():
        assert torch.equal(value, averaged[f"network.{name}"].half())


def test_a_stage_without_a_run_stays_as_it_is_in_the_model(runs, pack, tmp_path):
    card = {"name": "tiny", "version": "0.0.1", "description": "x", "licence": "CC0"}
    export_bundled(runs, tmp_path / "model", card)
    before = load_model(str(tmp_path / "model"))
    weights = {name: before.state_dict(name) for name in PATCH}
    recipe = bundled("segment-lesions", pack, "training.steps=1", "pack.tumour_free=[]",
                     f"training.start={runs / 'segment'}")  # fmt: skip
    train(recipe, tmp_path / "more" / "segment")
    manifest = export_bundled(tmp_path / "more", tmp_path / "model", {**card, "version": "0.0.2"})
    after = load_model(str(tmp_path / "model"))
    assert manifest.version == "0.0.2" and manifest.stage("locate") == before.manifest.stage("locate")
    assert manifest.stage("segment").patch == (96, 128, 160), "tiles are as they were, whatever it learnt on"
    told = manifest.stage("segment").to_dict()["training"]
    assert told["start"] == "segment", "where it lay on somebody's computer is nobody's business"
    for name, value in weights["locate"].items():
        assert torch.equal(value, after.state_dict("locate")[name])
    changed = [name for name, value in weights["segment"].items()
               if not torch.equal(value, after.state_dict("segment")[name])]  # fmt: skip
    assert changed


def test_the_mean_of_two_models_lies_between_them(runs, pack, tmp_path, capsys):
    card = {"name": "tiny", "version": "0.0.1", "description": "x", "licence": "CC0"}
    export_bundled(runs, tmp_path / "first", card)
    recipe = bundled("segment", pack, "training.steps=2", f"training.start={runs / 'segment'}")
    train(recipe, tmp_path / "more" / "segment")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    export_bundled(tmp_path / "more", tmp_path / "second", card)
    first, second = (load_model(str(tmp_path / name)) for name in ("first", "second"))
    old, new = first.state_dict("segment"), second.state_dict("segment")
    assert any(not torch.equal(value, new[name]) for name, value in old.items())

    mean_weights([str(tmp_path / "second"), "segment",
                  f"{tmp_path / 'first'}=0.75", f"{tmp_path / 'second'}=0.25"])  # fmt: skip
    assert "mean of 2 models" in capsys.readouterr().out
    mixed = load_model(str(tmp_path / "second"))
    for name, value in mixed.state_dict("segment").items():
        expected = 0.75 * old[name].float() + 0.25 * new[name].float()
        assert value.dtype == torch.float16 and torch.allclose(value.float(), expected, atol=1e-3)
    for name, value in mixed.state_dict("locate").items():
        assert torch.equal(value, first.state_dict("locate")[name]), "the other stage stays"
    parts = mixed.manifest.stage("segment").to_dict()["training"]["mean_of"]
    assert [(part["share"], part["steps"]) for part in parts] == [(0.75, 3), (0.25, 2)]


def test_a_mean_that_cannot_segment_is_refused(tmp_path):
    one, other = {"w": np.zeros(3, np.float16)}, {"w": np.zeros(4, np.float16)}
    with pytest.raises(InputError, match="1 together"):
        mean_of([one, one], [0.5, 0.6])
    with pytest.raises(InputError, match="above 0"):
        mean_of([one, one], [1.5, -0.5])
    with pytest.raises(InputError, match="different kinds"):
        mean_of([one, other], [0.5, 0.5])
    with pytest.raises(InputError, match="two models"):
        mean_of([one], [1.0])
    with pytest.raises(InputError, match="no model in"):
        write_mean(tmp_path, "segment", [tmp_path, tmp_path], [0.5, 0.5])


def test_a_run_of_the_other_stage_is_refused(runs, tmp_path):
    (tmp_path / "locate").symlink_to(runs / "segment")
    (tmp_path / "segment").symlink_to(runs / "locate")
    with pytest.raises(InputError, match="bundled-locate"):
        export_bundled(tmp_path, tmp_path / "model", {})
    with pytest.raises(InputError, match="no training run"):
        export_bundled(tmp_path / "nothing", tmp_path / "model", {})


def test_the_stage_in_the_manifest_is_the_released_ones():
    released = load_model("default").manifest
    for name in ("locate", "segment", "lesions"):
        entry = bundled_stage(name, read_recipe(f"bundled-{name}"))
        stage = released.stage(name)
        assert entry["network"]["arguments"] == dict(stage.network.arguments)
        assert tuple(entry["patch"]) == stage.patch and tuple(entry["spacing"]) == stage.spacing
        assert entry["intensity"] == stage.intensity.to_dict() and entry["output"] == stage.output.to_dict()
        assert entry["mirror_axes"] == list(stage.mirror_axes)
