"""``liverseg train`` and ``liverseg export RUN MODEL`` as a user calls them."""

import json

import pytest
import yaml
from made_up import content, data_folder

from LiverSegLib.cli import main
from LiverSegLib.models import load_model


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    data = data_folder(folder / "data")
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content(data, training={"steps": 3})))
    return path


def test_a_run_says_its_plan_its_validation_and_what_comes_next(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(recipe)]) == 0
    said = capsys.readouterr().out
    run = tmp_path / "runs" / "tiny"
    for words in (str(run), "3 cases of 3 patients", "2 cases of 2 patients", "ResidualUNet",
                  "ce + dice", "c3", "c4", "mean", "liverseg export runs/tiny MODEL"):  # fmt: skip
        assert words in said, words
    assert main(["export", "runs/tiny", "model", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["folder"] == str(tmp_path / "model")
    assert load_model(str(tmp_path / "model")).manifest.pipeline == "laboratory"


def test_changes_and_the_runs_folder_are_heard(recipe, tmp_path, capsys):
    run = tmp_path / "elsewhere"
    assert main(["train", str(recipe), "training.steps=2", "--run", str(run), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["step"] == 2 and answer["run"] == str(run) and len(answer["validation"]) == 2
    assert main(["train", str(recipe), "training.steps=2", "seed=9", "--run", str(run)]) == 3
    assert "another seed" in " ".join(capsys.readouterr().err.split())


def test_a_wrong_key_ends_before_anything_is_written(recipe, tmp_path, capsys):
    assert main(["train", str(recipe), "training.stpes=2", "--run", str(tmp_path / "run")]) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert 'Did you mean "steps"?' in said and not (tmp_path / "run").exists()


@pytest.mark.parametrize("steps", [0, 2])
def test_one_who_does_not_wait_is_told_where_the_run_goes_on(recipe, tmp_path, monkeypatch, capsys, steps):
    from LiverSegLib.training import fit

    call = ["train", str(recipe), "training.steps=2", "--run", str(tmp_path / "run")]
    if steps:
        assert main(call) == 0

    def interrupted(*_: object) -> None:
        raise SystemExit(1)  # Lightning's answer to Ctrl-C

    monkeypatch.setattr(fit, "_fit", interrupted)
    assert main([*call, "training.steps=4"]) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert ("goes on from step 2" if steps else "there is no checkpoint yet") in said


def test_a_trial_keeps_nothing(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(recipe), "--fast-dev-run"]) == 0
    assert "nothing was kept" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_augmentation_is_shown(recipe, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(recipe), "--show-augmentation", "2"]) == 0
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")] == [
        "runs/tiny-augmentation.png"
    ]


def test_the_ready_recipes_are_listed(capsys):
    assert main(["train", "--list", "--json"]) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)["recipes"]]
    assert {"bundled-segment", "chaos-mr-unet", "liver-spleen-vnet"} <= set(names)
    assert main(["train"]) == 2


def test_a_missing_package_is_named_with_how_to_get_it(recipe, monkeypatch, capsys):
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == "lightning" else real(name, *more)
    )
    assert main(["train", str(recipe)]) == 1
    assert 'lightning: pip install "liverseg[train]"' in " ".join(capsys.readouterr().err.split())


def test_a_run_needs_a_folder_for_its_model(recipe, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", str(recipe), "training.steps=1", "--run", str(run)]) == 0
    assert main(["export", str(run)]) == 2
    assert main(["export", "default", str(tmp_path / "x")]) == 2
    assert not (tmp_path / "x").exists()
