"""Search a recipe's keys with Optuna: short trainings, judged by their validation, kept in a study's file.

The validation cases choose the best recipe, so its Dice on them is too high by choice: judge it on others.
"""

import contextlib
import json
import os
import sqlite3
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple

import optuna
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from optuna.study import Study
from optuna.trial import Trial, TrialState

from LiverSegLib.errors import InputError, LiverSegError, OutputError
from LiverSegLib.training.callbacks import Report
from LiverSegLib.training.fit import train
from LiverSegLib.training.loaders import NO_VALIDATION, check_validated
from LiverSegLib.training.module import DICE, SegmentationModule
from LiverSegLib.training.recipe import Recipe, check_recipe
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.search_options import (
    Range,
    SearchOptions,
    check_search,
    keys_of,
    trial_recipe,
    with_values,
)
from LiverSegLib.training.search_results import TrialRow, finished, rows, run_name, write_results

SEARCH_FILE = "search.json"
"""What is searched, in the search's folder."""
FAILURES = 3
"""So many trials that fail before any succeeds end the search."""
OF_DATA = ("data", "structures", "method", "pack")
"""Where one of these sections is searched, each trial finds out by itself whether its data can be used."""
Begin = Callable[[int, int, Mapping[str, Any]], None]
"""Called before each trial with its number from 1 on, how many are wanted, and its values."""


@dataclass(frozen=True)
class SearchOutcome:
    """What a search has found so far.

    Attributes:
        folder: where it lies.
        rows: finished trials, best first.
        wanted: how many trials there are to be.
        best: the best recipe's file; None if no trial is complete.
    """

    folder: Path
    rows: Tuple[TrialRow, ...]
    wanted: int
    best: Optional[Path]
    stopped: bool = field(default=False)


def search(
    options: SearchOptions,
    content: Mapping[str, Any],
    folder: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    begin: Optional[Begin] = None,
    report: Optional[Report] = None,
) -> SearchOutcome:
    """Run trials until there are as many as wanted, going on with the study in the folder if there is one.

    Args:
        options: what is searched.
        content: the recipe's plain values, of ``search_options.base_content``.
        folder: of the study and its runs; made if missing.
        stop: asked after each step; True ends the search, and the trial goes on next time.
        begin: told of each trial.
        report: told of each step of a trial.

    Raises:
        InputError: the data cannot be used (nothing is written then); the folder holds another search, or one
            that runs; the first trials all fail.
        OutputError: the folder cannot be written.
    """
    is_new = not (folder / SEARCH_FILE).exists()
    if is_new and not any(key.split(".")[0] in OF_DATA for key in options.space):
        check_validated(check_recipe(with_values(content, options.trial)))
    _begin(options, content, folder)
    with _alone(folder), _quiet():
        study = open_study(options, content, folder)
        retry_unfinished(study)
        stopped = False
        while len(finished(study)) < options.trials:
            if stop():
                stopped = True
                break
            study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=options.startup, seed=options.seed + len(study.trials)
            )
            trial = study.ask()
            values = suggested(trial, options)
            if begin is not None:
                begin(len(finished(study)) + 1, options.trials, values)
            if not _try(study, trial, options, content, values, folder, stop, report):
                stopped = True
                break
            write_results(study, options, content, folder)
            _check_failures(study)
        best = write_results(study, options, content, folder)
        return SearchOutcome(folder, tuple(rows(study, folder)), options.trials, best, stopped)


def open_study(options: SearchOptions, content: Mapping[str, Any], folder: Path) -> Study:
    """The study in a search's folder, made if it is not there."""
    return optuna.create_study(
        study_name=options.name,
        storage=optuna.storages.RDBStorage(f"sqlite:///{(folder / 'study.sqlite3').absolute()}"),
        pruner=_pruner(options, check_recipe(with_values(content, options.trial))),
        direction="maximize",
        load_if_exists=True,
    )


def retry_unfinished(study: Study) -> None:
    """Queue trials again that were running when the search ended, with their values and their run's folder.

    Nobody else runs them: a search's folder is used by one process at a time.
    """
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.add_trial(
            optuna.create_trial(
                state=TrialState.WAITING,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs={"run": run_name(trial), **trial.user_attrs},
                intermediate_values=trial.intermediate_values,
            )
        )


def suggested(trial: Trial, options: SearchOptions) -> Dict[str, Any]:
    """The values of a trial, key -> value."""
    values: Dict[str, Any] = {}
    for key in keys_of(options):
        space = options.space[key]
        if not isinstance(space, Range):
            texts = [json.dumps(choice) for choice in space]  # Optuna takes no lists and mappings
            values[key] = json.loads(str(trial.suggest_categorical(key, texts)))
        elif isinstance(space.low, int) and isinstance(space.high, int):
            values[key] = trial.suggest_int(key, space.low, space.high, log=space.log)
        else:
            values[key] = trial.suggest_float(key, space.low, space.high, log=space.log)
    return values


class Pruning(Callback):
    """Tells a trial of each validation, and ends it where the others were better.

    Attributes:
        pruned: whether it did.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.pruned = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the mean Dice; the validation after the last step ends nothing."""
        if not isinstance(pl_module, SegmentationModule) or not pl_module.found:
            return
        self._trial.report(float(trainer.callback_metrics[DICE]), int(trainer.global_step))
        if trainer.global_step < trainer.max_steps and self._trial.should_prune():
            self.pruned = trainer.should_stop = True


def _try(
    study: Study,
    trial: Trial,
    options: SearchOptions,
    content: Mapping[str, Any],
    values: Mapping[str, Any],
    folder: Path,
    stop: Callable[[], bool],
    report: Optional[Report],
) -> bool:
    """Run a trial, or take the result of an earlier one with its values; False if it was interrupted."""
    trial.set_user_attr("run", trial.user_attrs.get("run") or f"{trial.number:04d}")
    same = [t for t in finished(study) if t.params == trial.params and t.state != TrialState.FAIL]
    if same:
        trial.set_user_attr("same_as", same[0].number)
        trial.set_user_attr("run", run_name(same[0]))
        for step, value in same[0].intermediate_values.items():
            trial.report(value, step)
        study.tell(trial, same[0].value if same[0].state == TrialState.COMPLETE else None, same[0].state)
        return True
    run, pruning = RunFolder(folder / "trials" / trial.user_attrs["run"]), Pruning(trial)
    started = time.monotonic()
    try:
        recipe = trial_recipe(options, content, values)
        run.path.parent.mkdir(parents=True, exist_ok=True)
        outcome = train(
            _shared_cache(recipe, folder), run.path, stop=stop, report=report, callbacks=(pruning,)
        )
        best = run.read_json(run.validation)
        if best is None and outcome.stopped != "asked":
            raise InputError(NO_VALIDATION)
    except (LiverSegError, torch.cuda.OutOfMemoryError, MemoryError) as error:
        trial.set_user_attr("error", str(error) or "There is not enough memory.")
        study.tell(trial, state=TrialState.FAIL)
        return True
    spent = float(trial.user_attrs.get("seconds", 0)) + time.monotonic() - started
    trial.set_user_attr("seconds", round(spent, 1))
    if outcome.stopped == "asked":
        return False
    if pruning.pruned:
        study.tell(trial, state=TrialState.PRUNED)
    elif best is not None:
        study.tell(trial, float(best["dice"]))
    return True


def _shared_cache(recipe: Recipe, folder: Path) -> Recipe:
    """Trials prepare the same cases, so they share what is prepared."""
    if recipe.data.cache is not None:
        return recipe
    return recipe.changed(data=recipe.data.changed(cache=str((folder / "cache").absolute())))


def _begin(options: SearchOptions, content: Mapping[str, Any], folder: Path) -> None:
    """Make the folder, or check that it holds this search."""
    file = folder / SEARCH_FILE
    wanted = {
        "search": options.model_dump(mode="json"),
        "recipe": check_recipe(content).model_dump(mode="json"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.exists():
            before = json.loads(file.read_text(encoding="utf-8"))
            old = check_search(before["search"]).changed(trials=options.trials)
            if old != options or before["recipe"] != json.loads(json.dumps(wanted["recipe"])):
                raise InputError(
                    f"The folder {folder} holds another search; please choose another with --run."
                )
        elif any(folder.iterdir()):
            raise InputError(
                f"The folder {folder} holds something else than a search; please choose another."
            )
        partial = folder / "search.json.part"
        partial.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, file)
    except OSError as error:
        raise OutputError(f"The search cannot be written to {folder}.", str(error)) from error


def _check_failures(study: Study) -> None:
    over = finished(study)
    if len(over) >= FAILURES and all(trial.state == TrialState.FAIL for trial in over):
        reason = over[-1].user_attrs["error"]
        raise InputError(f"The first {len(over)} trials all failed; the last one: {reason}")


def _pruner(options: SearchOptions, recipe: Recipe) -> optuna.pruners.BasePruner:
    if options.prune == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=options.startup)
    if options.prune == "hyperband":
        steps = recipe.training.steps
        first = min(recipe.validation.every or steps, steps)
        return optuna.pruners.HyperbandPruner(min_resource=first, max_resource=steps)
    return optuna.pruners.NopPruner()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a lock that ends with the process, however it ends."""
    with contextlib.closing(sqlite3.connect(str(folder / "lock.sqlite3"), timeout=0)) as connection:
        connection.isolation_level = None
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise InputError(f"Another search runs in {folder}.", str(error)) from error
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's log and hints from the terminal."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"optuna\..*")
            yield
    finally:
        optuna.logging.set_verbosity(before)
