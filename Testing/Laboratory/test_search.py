"""A search: trials are judged by validation, kept in a file, never run twice, and go on after a kill."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml
from made_up import content, data_folder

from LiverSegLib.cli import main
from LiverSegLib.errors import InputError
from LiverSegLib.training import search as module
from LiverSegLib.training.fit import saved_step
from LiverSegLib.training.recipe import read_recipe, ready_recipes
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.search import Pruning, open_study, retry_unfinished, search
from LiverSegLib.training.search_options import (
    base_content,
    check_search,
    read_search,
    ready_searches,
    trial_recipe,
)
from LiverSegLib.training.search_results import finished

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A small recipe's file."""
    folder = tmp_path_factory.mktemp("data")
    data = data_folder(folder / "made-up", train=2, val=1)
    values = content(data, network={"name": "BlockUNet", "arguments": {"channels": [4, 8]}})
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def options_of(file, **more):
    base = {
        "name": "tiny-search", "recipe": str(file), "trial": {"training.steps": 2, "validation.every": 1},
        "space": {"network.arguments.block": ["plain", "residual"],
                  "training.learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
        "trials": 2, "startup": 2,
    }  # fmt: skip
    return check_search({**base, **more})


def study_of(options, folder):
    return open_study(options, base_content(options), folder)


def test_a_search_ends_with_a_table_and_the_best_recipe(recipe, tmp_path):
    options = options_of(recipe)
    begun = []
    found = search(options, base_content(options), tmp_path / "s", begin=lambda *about: begun.append(about))
    assert [about[:2] for about in begun] == [(1, 2), (2, 2)] and not found.stopped
    assert [row.state for row in found.rows] == ["complete"] * 2
    assert found.rows[0].dice >= found.rows[1].dice and found.rows[0].step == 2
    table = list(csv.DictReader((tmp_path / "s" / "results.csv").open()))
    assert [float(row["dice"]) for row in table] == [round(row.dice, 4) for row in found.rows]
    assert table[0]["network.arguments.block"] in ('"plain"', '"residual"')
    best = read_recipe(found.best)
    assert best.network.arguments["block"] == found.rows[0].values["network.arguments.block"]
    assert best.training.learning_rate == found.rows[0].values["training.learning_rate"]
    assert best.training.steps == 6, "what trials alone have is not in the best recipe"
    assert "judge this recipe on cases that took no part" in found.best.read_text()
    for row in found.rows:
        assert json.loads(RunFolder(Path(row.run)).validation.read_text())["dice"] == row.dice
    assert not list((tmp_path / "s").rglob("*.part"))


def test_a_finished_search_runs_nothing_and_a_longer_one_only_what_is_new(recipe, tmp_path):
    options = options_of(recipe)
    first = search(options, base_content(options), tmp_path / "s")
    begun = []
    again = search(options, base_content(options), tmp_path / "s", begin=lambda *about: begun.append(about))
    assert not begun and again.rows == first.rows
    longer = options.changed(trials=3)
    third = search(longer, base_content(longer), tmp_path / "s", begin=lambda *about: begun.append(about))
    assert len(begun) == 1 and len(third.rows) == 3
    assert all(row in third.rows for row in first.rows)


def test_values_that_were_tried_are_not_trained_again(recipe, tmp_path):
    options = options_of(recipe, space={"network.arguments.block": ["plain"]}, trials=3)
    steps = []
    found = search(
        options, base_content(options), tmp_path / "s", report=lambda *about: steps.append(about[0])
    )
    assert steps == [1, 2] and len({row.dice for row in found.rows}) == 1
    assert [row.note for row in found.rows] == ["", "same values as trial 0", "same values as trial 0"]


def test_trials_that_are_worse_are_pruned_and_recorded(recipe, tmp_path, monkeypatch):
    options = options_of(recipe, startup=1, trials=2, trial={"training.steps": 3, "validation.every": 1})
    values = iter([0.9, 0.9, 0.9, 0.1])
    monkeypatch.setattr(
        Pruning, "on_validation_end", _reporting(Pruning.on_validation_end, values), raising=True
    )
    found = search(options, base_content(options), tmp_path / "s")
    assert [row.state for row in found.rows] == ["complete", "pruned"]
    pruned = found.rows[1]
    assert (
        pruned.dice == pytest.approx(0.1)
        and pruned.step == 1
        and saved_step(RunFolder(Path(pruned.run))) <= 2
    )
    assert "pruned" in (tmp_path / "s" / "results.csv").read_text()
    assert found.best is not None


def _reporting(real, values):
    """The callback, told other Dice than there is."""

    def on_validation_end(self, trainer, pl_module):
        trainer.callback_metrics[module.DICE].fill_(next(values))
        real(self, trainer, pl_module)

    return on_validation_end


def test_a_search_that_is_stopped_goes_on_with_the_trial(recipe, tmp_path):
    options = options_of(recipe, trials=1, trial={"training.steps": 4, "validation.every": 2})
    asked = iter([False, False, False, True])
    found = search(options, base_content(options), tmp_path / "s", stop=lambda: next(asked, True))
    assert found.stopped and found.rows == () and found.best is None
    steps = []
    found = search(
        options, base_content(options), tmp_path / "s", report=lambda *about: steps.append(about[0])
    )
    assert not found.stopped and len(found.rows) == 1 and steps[0] > 1 and steps[-1] == 4
    study = study_of(options, tmp_path / "s")
    states = [trial.state for trial in study.trials]
    assert states == [optuna.trial.TrialState.FAIL, optuna.trial.TrialState.COMPLETE]
    assert study.trials[0].params == study.trials[1].params


KILLED = """
import os, signal, sys
from LiverSegLib.training.search import search
from LiverSegLib.training.search_options import base_content, read_search
options = read_search(sys.argv[1])
def report(step, steps, loss):
    if os.path.exists(sys.argv[2] + "/results.csv") and step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
search(options, base_content(options), __import__("pathlib").Path(sys.argv[2]), report=report)
"""


def test_a_search_that_was_killed_goes_on_with_the_same_study(recipe, tmp_path):
    values = options_of(
        recipe, trials=2,
        trial={"training.steps": 4, "validation.every": 2, "training.checkpoint_every": 1},
    )  # fmt: skip
    file = tmp_path / "search.yaml"
    file.write_text(yaml.safe_dump(values.model_dump(mode="json")))
    folder = tmp_path / "s"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(file), str(folder)], cwd=ROOT, timeout=300)
    assert ended.returncode == -signal.SIGKILL
    before = study_of(values, folder).trials
    assert [t.state.name for t in before] == ["COMPLETE", "RUNNING"]
    options, steps, begun = read_search(str(file)), [], []
    found = search(
        options, base_content(options), folder,
        begin=lambda *about: begun.append(about), report=lambda *about: steps.append(about[0]),
    )  # fmt: skip
    assert [row.state for row in found.rows] == ["complete"] * 2 and len(begun) == 1
    assert steps[0] >= 3 and steps[-1] == 4, "it goes on from the checkpoint"
    after = study_of(values, folder).trials
    assert after[0] == before[0] and after[1].state.name == "FAIL" and after[2].params == before[1].params
    assert begun[0][2]["training.learning_rate"] == before[1].params["training.learning_rate"]
    assert len(finished(study_of(values, folder))) == 2


def test_what_ran_is_queued_once(recipe, tmp_path):
    options = options_of(recipe)
    study = study_of(options, tmp_path)
    trial = study.ask()
    trial.suggest_categorical("network.arguments.block", ['"plain"', '"residual"'])
    retry_unfinished(study)
    retry_unfinished(study)
    assert [t.state.name for t in study.trials] == ["FAIL", "WAITING"] and not finished(study)
    assert study.trials[1].user_attrs["run"] == "0000"


def test_only_one_search_runs_in_a_folder(recipe, tmp_path):
    options = options_of(recipe)
    with module._alone(tmp_path), pytest.raises(InputError, match="Another search runs"):
        with module._alone(tmp_path):
            pass
    with module._alone(tmp_path):
        pass
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "letter.txt").write_text("x")
    with pytest.raises(InputError, match="something else than a search"):
        search(options, base_content(options), tmp_path / "s")


def test_another_search_does_not_go_on_in_a_folder(recipe, tmp_path):
    options = options_of(recipe, trials=1)
    search(options, base_content(options), tmp_path / "s", stop=lambda: True)
    for other in (options.changed(seed=5), options.changed(space={"seed": [1, 2]})):
        with pytest.raises(InputError, match="holds another search"):
            search(other, base_content(other), tmp_path / "s")
    with pytest.raises(InputError, match="holds another search"):
        search(options, base_content(options, ["seed=9"]), tmp_path / "s")


def test_data_that_cannot_be_used_leave_no_folder(recipe, tmp_path):
    """A mistyped folder is said at once, and the search can begin in the same place once it is right."""
    options = options_of(recipe, trials=1)
    with pytest.raises(InputError, match="There is no folder nowhere with training data"):
        search(options, base_content(options, ["data.folder=nowhere"]), tmp_path / "s")
    without = base_content(options, ["data.split.given=false", "data.split.val=0"])
    with pytest.raises(InputError, match="no case to validate on"):
        search(options, without, tmp_path / "s")
    assert not (tmp_path / "s").exists()
    assert search(options, base_content(options), tmp_path / "s").best is not None


def test_values_that_cannot_be_trained_fail_with_a_reason(recipe, tmp_path):
    options = options_of(recipe, space={"network.arguments.channels": [[4, 8], [0]]}, trials=4)
    found = search(options, base_content(options), tmp_path / "s")
    failed = [row for row in found.rows if row.state == "failed"]
    assert failed and all(row.note for row in failed) and len(found.rows) == 4
    broken = options_of(recipe, space={"network.name": ["No", "Nor", "Neither", "Never"]}, trials=9)
    with pytest.raises(InputError, match="first 3 trials all failed"):
        search(broken, base_content(broken), tmp_path / "t")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {}}, "space"),
        ({"space": {"seed": {"low": 3, "high": 1}}}, "low must be below high"),
        ({"space": {"seed": {"low": 0, "high": 1, "log": True}}}, "above 0"),
        ({"space": {"seed": []}}, "space.seed has no choice"),
        ({"space": {"training.steps": [1]}}, "set and searched at once"),
        ({"pruner": "median"}, "It has: name, description"),
        ({"recipe": "no-such-recipe"}, "no recipe"),
    ],
)
def test_what_is_wrong_with_a_search_is_said(recipe, changes, words):
    with pytest.raises(InputError, match=words):
        base_content(options_of(recipe, **changes))


def test_ready_searches_are_valid_and_no_recipes(tmp_path):
    assert "search-blocks" in ready_searches() and not set(ready_searches()) & set(ready_recipes())
    for name, path in ready_searches().items():
        options = read_search(name)
        values = {key: v.low if hasattr(v, "low") else v[0] for key, v in options.space.items()}
        last = {key: v.high if hasattr(v, "high") else v[-1] for key, v in options.space.items()}
        for each in (values, last):
            made = trial_recipe(options, base_content(options), each)
            assert made.training.steps == options.trial["training.steps"]
        assert options.name == name and path.read_text().startswith("# ")


def test_the_command_prints_the_table_and_what_comes_next(recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(options_of(recipe).model_dump(mode="json")))
    assert main(["search", str(file), "seed=4", "--trials", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("Trials of tiny-search", "complete", "best.yaml", "took no part", "liverseg train"):
        assert words in said, words
    assert main(["search", str(file), "seed=4", "--trials", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["trials"]) == 1 and answer["best"].endswith("best.yaml") and not answer["stopped"]
    assert main(["search", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["searches"][0]["name"] == "search-blocks"
    assert main(["search"]) == 2
