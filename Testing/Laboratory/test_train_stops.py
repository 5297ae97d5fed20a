"""A run in bad company: full disks, broken scans, processes that are killed, several processes at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import yaml
from made_up import content, data_folder

from LiverSegLib.errors import InputError, OutputError
from LiverSegLib.training.checkpoint_files import CheckpointFiles
from LiverSegLib.training.export_run import as_arrays, export_run
from LiverSegLib.training.fit import train
from LiverSegLib.training.loaders import WholeCases, validation_loader
from LiverSegLib.training.processes import is_first_process
from LiverSegLib.training.recipe import check_recipe
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.validation import keep_largest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_folder(tmp_path_factory.mktemp("data") / "made-up")


def recipe_of(folder, steps, **sections):
    return check_recipe(content(folder, training={"steps": steps, "accelerator": "cpu"}, **sections))


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    CheckpointFiles().save_checkpoint({"global_step": 1}, path)

    def full(content, file):
        file.write(b"half")
        raise RuntimeError("PytorchStreamWriter failed: No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="full"):
        CheckpointFiles().save_checkpoint({"global_step": 2}, path)
    assert torch.load(path, weights_only=True) == {"global_step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_steps_that_a_killed_run_repeats_stand_in_the_log_once(data, tmp_path):
    run = RunFolder(tmp_path / "run")
    train(recipe_of(data, 2), run.path)
    with open(run.log, "a") as log:  # what a run leaves that is killed between two checkpoints
        log.write('{"step": 3, "loss": 9.0}\n{"step": 4, "lo')
    train(recipe_of(data, 4), run.path)
    steps = [json.loads(line)["step"] for line in run.log.read_text().splitlines()]
    assert steps == [1, 2, 3, 4] and 9.0 not in run.losses()


def test_broken_cases_of_both_parts_are_left_out_and_named(tmp_path):
    folder = data_folder(tmp_path / "data", train=4, val=2)
    for name in ("c0", "c4"):  # their headers are right
        label = sitk.ReadImage(str(folder / f"{name}_label.nii.gz")) + 50
        sitk.WriteImage(label, str(folder / f"{name}_label.nii.gz"))
    found = train(recipe_of(folder, 8), tmp_path / "run")
    assert [row.id for row in found.validation] == ["c5"]
    assert set(found.facts["broken"]) == {"c0", "c4"} and "unknown value" in found.facts["broken"]["c4"]
    assert RunFolder(tmp_path / "run").read_json(RunFolder(tmp_path / "run").facts) == found.facts


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_cases_that_are_too_many_are_said_in_one_sentence(tmp_path, workers):
    folder = data_folder(tmp_path / "data", train=3, val=1)
    for name in ("c0", "c1"):
        label = sitk.ReadImage(str(folder / f"{name}_label.nii.gz")) + 50
        sitk.WriteImage(label, str(folder / f"{name}_label.nii.gz"))
    recipe = check_recipe(content(folder, training={"steps": 9, "workers": workers}))
    with pytest.raises(InputError) as found:
        train(recipe, tmp_path / "run")
    assert str(found.value).startswith("2 of 3 cases") and "\n" not in str(found.value)


def test_a_structure_that_no_case_annotates_is_refused(data, tmp_path):
    with pytest.raises(InputError, match='annotates "livr"'):
        train(recipe_of(data, 1, structures=["livr", "spleen"]), tmp_path / "run")


def test_a_validation_can_be_stopped(data, tmp_path):
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == 3  # after step 1 and step 2, then before the first case of the validation

    recipe = recipe_of(data, 4, validation={"every": 2})
    found = train(recipe, tmp_path / "run", stop=stop)
    assert (found.step, found.stopped, found.validation) == (2, "asked", ())
    assert not RunFolder(tmp_path / "run").best.exists()
    last = train(recipe, tmp_path / "run")
    whole = train(recipe, tmp_path / "whole")
    assert len(last.validation) == 2 and last.validation == whole.validation


def test_the_model_says_the_step_of_its_weights(data, tmp_path):
    run = RunFolder(tmp_path / "run")
    train(recipe_of(data, 2), run.path)
    state = torch.load(run.best, weights_only=True)
    torch.save({**state, "global_step": 1}, run.best)
    manifest = export_run(run, tmp_path / "model")
    assert json.loads((tmp_path / "model" / "model.json").read_text())["stages"][0]["training"]["steps"] == 1
    assert manifest.name == "tiny"


def test_weights_that_float16_cannot_hold_are_told_from_diverged_ones():
    with pytest.raises(InputError, match="too large for float16"):
        as_arrays({"w": torch.tensor([1e6])}, "float16")
    with pytest.raises(InputError, match="diverged"):
        as_arrays({"w": torch.tensor([float("nan")])}, "float32")


def test_each_process_has_a_case_to_validate():
    recipe = check_recipe(content(Path("nowhere")))
    turns = [list(validation_loader(WholeCases([None], recipe, None), rank, 2).sampler) for rank in range(2)]
    assert turns == [[0], [0]]
    turns = [list(validation_loader(WholeCases([None] * 3, recipe, None), r, 2).sampler) for r in range(2)]
    assert turns == [[0, 2], [1]]


def test_the_largest_liver_is_looked_for_with_its_tumors():
    labels = np.zeros((1, 3, 9), np.uint8)
    labels[0, 0, :3], labels[0, 0, 3:6], labels[0, 2, :4] = 1, 3, 1
    keep_largest(labels, (1, 3))
    assert labels[0, 0].tolist() == [1, 1, 1, 3, 3, 3, 0, 0, 0] and not labels[0, 2].any()
    with pytest.raises(InputError, match="but not liver tumour"):
        check_recipe(content(Path("x"), validation={"largest_component": ["liver tumour"]}))


def test_the_first_process_is_known_by_its_number(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert is_first_process()
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("RANK", "3")
    assert not is_first_process()


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_twice_the_batch(data, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = {}
    for name, training in (("one", {"batch": 2}), ("two", {"batch": 1, "devices": 2})):
        values = content(data, training={**training, "steps": 4}, validation={"cases": 1})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values))
        call = [sys.executable, "-m", "LiverSegLib.cli", "train", str(tmp_path / f"{name}.yaml"), "--json"]
        result = subprocess.run(
            [*call, "--run", str(tmp_path / name)], cwd=tmp_path, env=environment, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        found[name] = json.loads(result.stdout)  # one process speaks
    assert [row["case"] for row in found["two"]["validation"]] == ["c3"]
    one, two = (RunFolder(tmp_path / name).losses() for name in ("one", "two"))
    assert len(one) == 4 and np.allclose(one, two, atol=1e-4)
