"""A training run: it learns, stops, resumes exactly, keeps its folder to itself, and says what is wrong."""

import json
import time

import pytest
import torch
from made_up import content, data_folder

from LiverSegLib.errors import InputError, ModelError
from LiverSegLib.training.fit import fast_dev_recipe, run_weights, saved_step, train
from LiverSegLib.training.loaders import StepSampler
from LiverSegLib.training.module import SegmentationModule, rate_groups
from LiverSegLib.training.recipe import check_recipe
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.run_options import TrainingOptions
from LiverSegLib.training.schedule import rate_factor


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_folder(tmp_path_factory.mktemp("data") / "made-up")


def recipe_of(folder, training, **sections):
    """A small recipe for the CPU."""
    return check_recipe(content(folder, training={"accelerator": "cpu", **training}, **sections))


def state(run):
    return torch.load(RunFolder(run).last, weights_only=True)


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def after(steps):
    """A function that asks to stop after so many steps."""
    count = [0]

    def stop():
        count[0] += 1
        return count[0] >= steps

    return stop


WAYS = {
    "sgd-poly": {"optimizer": "sgd", "schedule": "poly", "momentum": 0.9, "nesterov": True},
    "adam-cosine-ema": {"optimizer": "adam", "schedule": "cosine", "average": 0.9, "warmup": 2},
    "adamw-one-cycle-accumulate": {"schedule": "one-cycle", "accumulate": 2, "gradient_limit": 0.5},
    "adamw-linear-workers": {"schedule": "linear-end", "workers": 2, "batch": 2},
    "sgd-bf16-ema": {"optimizer": "sgd", "precision": "bf16-mixed", "average": 0.8, "channels_last": True},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_was_stopped_ends_with_the_same_weights(data, tmp_path, way):
    training = {"steps": 5, "learning_rate": 0.01, "checkpoint_every": 100, "log_every": 1, **WAYS[way]}
    recipe = recipe_of(data, training, data={"cache": str(tmp_path / "c")})
    whole = train(recipe, tmp_path / "whole")
    first = train(recipe, tmp_path / "parts", stop=after(2))
    assert (whole.step, first.step, first.stopped) == (5, 2, "asked")
    assert saved_step(RunFolder(tmp_path / "parts")) == 2
    second = train(recipe, tmp_path / "parts", stop=after(1))
    last = train(recipe, tmp_path / "parts")
    assert (second.step, last.step, last.stopped) == (3, 5, "")
    one, other = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert same(one["state_dict"], other["state_dict"])
    if "average" in WAYS[way]:
        assert same(one["current_model_state"], other["current_model_state"])
        assert not same(one["state_dict"], one["current_model_state"])
    for group, again in zip(
        one["optimizer_states"][0]["state"].values(), other["optimizer_states"][0]["state"].values()
    ):
        assert all(torch.equal(group[key], again[key]) for key in group if torch.is_tensor(group[key]))
    assert RunFolder(tmp_path / "whole").losses() == RunFolder(tmp_path / "parts").losses()


def test_workers_change_nothing(data, tmp_path):
    weights = []
    for workers in (0, 2):
        recipe = recipe_of(data, {"steps": 3, "workers": workers})
        train(recipe, tmp_path / str(workers))
        weights.append(state(tmp_path / str(workers))["state_dict"])
    assert same(*weights)


def test_a_run_that_validates_in_between_learns_the_same(data, tmp_path):
    weights = []
    for every in (0, 2):
        recipe = check_recipe(
            content(data, validation={"every": every}, training={"steps": 4, "average": 0.9})
        )
        found = train(recipe, tmp_path / str(every))
        assert [row.id for row in found.validation] == ["c3", "c4"]
        weights.append(state(tmp_path / str(every))["state_dict"])
    assert same(*weights)


def test_a_run_learns_and_its_best_validation_is_kept(data, tmp_path):
    training = {"steps": 60, "learning_rate": 0.01, "log_every": 10}
    recipe = recipe_of(data, training, seed=5, validation={"every": 20})
    found = train(recipe, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    losses = run.losses()
    assert len(losses) == 6 and losses[-1] < 0.75 * losses[0]
    best = json.loads(run.validation.read_text())
    assert best["step"] in (20, 40, 60) and best["dice"] > 0.3
    assert {row["id"] for row in best["cases"]} == {"c3", "c4"}
    assert found.facts["train"] == {"cases": 3, "patients": 3} and found.facts["datasets"] == {"made-up": 3}
    assert torch.load(run.best, weights_only=True)["global_step"] == best["step"]


def test_nothing_is_written_outside_the_run(data, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = set(data.rglob("*"))
    train(recipe_of(data, {"steps": 1}), tmp_path / "run")
    assert not list((tmp_path / "here").iterdir()) and set(data.rglob("*")) == before
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "cache", "checkpoints", "data.json", "log.jsonl", "recipe.yaml", "split.json", "tensorboard",
        "validation.json",
    }  # fmt: skip
    assert not list((tmp_path / "run").rglob("*.part"))


def test_tensorboard_has_losses_dice_and_a_picture(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe = recipe_of(data, {"steps": 4, "log_every": 2})
    train(recipe, tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"training/loss", "validation/dice", "validation/dice/liver"} <= set(tags["scalars"])
    assert any(tag.startswith("training/dice/") for tag in tags["scalars"])
    assert tags["images"] == ["validation/c3"]


def test_the_time_that_is_allowed_ends_a_run_with_a_checkpoint(data, tmp_path):
    recipe = recipe_of(data, {"steps": 10**6, "minutes": 0.0001})
    started = time.monotonic()
    found = train(recipe, tmp_path / "run")
    assert found.stopped == "time" and 1 <= found.step < 1000 and time.monotonic() - started < 60
    assert saved_step(RunFolder(tmp_path / "run")) == found.step and not found.validation


def test_a_run_stops_where_the_validation_no_longer_gains(data, tmp_path):
    training = {"steps": 50, "learning_rate": 1e-12, "early_stopping": 2}
    found = train(recipe_of(data, training, validation={"every": 1}), tmp_path / "run")
    assert found.stopped == "no gain" and found.step == 3


def test_another_recipe_does_not_go_on_in_a_run(data, tmp_path):
    train(recipe_of(data, {"steps": 1}), tmp_path / "run")
    with pytest.raises(InputError, match="another training.learning_rate"):
        train(
            recipe_of(data, {"steps": 1, "learning_rate": 0.5}),
            tmp_path / "run",
        )
    longer = train(
        recipe_of(data, {"steps": 2, "accelerator": "cpu", "workers": 1}),
        tmp_path / "run",
    )
    assert longer.step == 2
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("x")
    with pytest.raises(InputError, match="something else than a run"):
        train(check_recipe(content(data)), tmp_path / "other")


def test_a_damaged_checkpoint_is_named(data, tmp_path):
    recipe = recipe_of(data, {"steps": 2})
    train(recipe, tmp_path / "run", stop=after(1))
    RunFolder(tmp_path / "run").last.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="last.ckpt is damaged"):
        train(recipe, tmp_path / "run")


def test_a_folder_without_data_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        train(check_recipe(content(tmp_path / "missing")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_never_came_to_a_checkpoint_begins_anew_with_another_recipe(data, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError):
        train(check_recipe(content(tmp_path / "missing")), tmp_path / "run")
    assert (tmp_path / "run" / "recipe.yaml").exists()
    assert train(recipe_of(data, {"steps": 1}), tmp_path / "run").step == 1


def test_weights_to_start_from_are_taken_as_far_as_they_fit(data, tmp_path):
    first = recipe_of(data, {"steps": 1})
    train(first, tmp_path / "first")
    training = {"steps": 1, "learning_rate": 1e-30, "start": str(tmp_path / "first")}
    begun = recipe_of(data, training, structures=["liver"])
    train(begun, tmp_path / "second")
    one, other = (run_weights(RunFolder(tmp_path / name)) for name in ("first", "second"))
    assert torch.equal(one["stem.0.weight"], other["stem.0.weight"])
    assert one["head.weight"].shape != other["head.weight"].shape
    with pytest.raises(ModelError):
        train(begun.changed(training=begun.training.changed(start="no-such-model")), tmp_path / "third")


def test_layers_learn_at_their_own_rates_and_frozen_ones_not_at_all(data, tmp_path):
    training = {
        "steps": 2,
        "learning_rate": 0.01,
        "rates": {"stem": 0, "encoder.0": 0.1},
        "accelerator": "cpu",
    }
    recipe = recipe_of(data, training)
    start = {name: value.clone() for name, value in SegmentationModule(recipe).network.state_dict().items()}
    groups = rate_groups(recipe.training, SegmentationModule(recipe).network.named_parameters())
    assert sorted(round(group["lr"], 9) for group in groups) == [0.001, 0.01]
    train(recipe, tmp_path / "run")
    end = run_weights(RunFolder(tmp_path / "run"))
    assert torch.equal(start["stem.0.weight"], end["stem.0.weight"])
    assert not torch.equal(start["head.weight"], end["head.weight"])
    with pytest.raises(InputError, match="with which no weights begin"):
        train(check_recipe(content(data, training={"steps": 1, "rates": {"nothing": 0}})), tmp_path / "other")


def test_a_short_run_shows_that_all_works(data, tmp_path):
    found = train(fast_dev_recipe(check_recipe(content(data))), tmp_path / "run")
    assert found.step == 2 and len(found.validation) == 1


def test_processes_take_turns_at_the_samples():
    batches = []
    for rank in range(2):
        numbers = iter(StepSampler(3, lambda: 2, rank, 2))
        batches.append([next(numbers) for _ in range(2)])
    assert batches == [[[12, 13, 14], [18, 19, 20]], [[15, 16, 17], [21, 22, 23]]]


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("constant", 90, 1.0), ("poly", 0, 1.0), ("poly", 50, 0.5**0.9), ("poly", 100, 0.0),
        ("cosine", 50, 0.5), ("cosine", 100, 0.0), ("linear-end", 60, 1.0),
        ("linear-end", 85, 0.5), ("linear-end", 100, 0.0),
        ("one-cycle", 0, 0.04),
        ("one-cycle", 30, 1.0), ("one-cycle", 65, 0.500002), ("one-cycle", 100, 4e-6),
    ],
)  # fmt: skip
def test_schedules_have_their_published_values(schedule, step, factor):
    options = TrainingOptions(steps=100, schedule=schedule)
    assert rate_factor(options, step) == pytest.approx(factor, abs=1e-9)


def test_the_one_cycle_is_pytorchs():
    options = TrainingOptions(steps=100, schedule="one-cycle")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=101)
    for step in range(100):
        share = optimizer.param_groups[0]["lr"]
        assert rate_factor(options, step) == pytest.approx(share, abs=0.03)
        optimizer.step()
        theirs.step()


def test_the_rate_rises_while_it_warms_up():
    options = TrainingOptions(steps=100, warmup=10)
    assert [rate_factor(options, step) for step in (0, 4, 9, 50)] == [0.1, 0.5, 1.0, 1.0]


def test_lightning_says_nothing(data, tmp_path, capfd):
    train(recipe_of(data, {"steps": 1}), tmp_path / "run")
    said = capfd.readouterr()
    assert said.out == "" and said.err == ""
