"""Train a recipe in a folder, with Lightning; a run that was stopped goes on as if it had not been."""

import contextlib
import logging
import pickle
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from LiverSegLib.errors import InputError, LiverSegError
from LiverSegLib.models import load_model
from LiverSegLib.training.callbacks import BestKeeper, Keeper, Progress, Report, moving_average
from LiverSegLib.training.checkpoint_files import CheckpointFiles
from LiverSegLib.training.loaders import (
    RunData,
    StepSampler,
    load_data,
    training_loader,
    validation_loader,
)
from LiverSegLib.training.methods import registry
from LiverSegLib.training.module import SegmentationModule
from LiverSegLib.training.precision import precision_of, precision_plugin
from LiverSegLib.training.processes import is_first_process
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_folder import RunFolder, with_changes
from LiverSegLib.training.run_options import StartOptions
from LiverSegLib.training.transfer import Started
from LiverSegLib.training.validation import CaseDice

DAMAGED = (RuntimeError, KeyError, TypeError, OSError, ValueError, EOFError, pickle.UnpicklingError)
"""What reading a checkpoint raises that is no whole one."""
FROM_LOADER = "Caught "
"""How the text of an error begins that PyTorch brings from a process of the loader."""
FAST_STEPS = 2
"""Steps of a run that only shows that everything works."""

MakeModule = Callable[[Recipe], SegmentationModule]


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        run: its folder.
        step: steps done, of all calls together.
        steps: steps that the recipe wants.
        stopped: why it ended early: "asked", "time", "no gain"; empty if it did not.
        seconds: that this call took.
        validation: Dice of each case in the last validation; empty if there was none.
        facts: what it was trained on (``loaders.RunData``), with the cases that turned out to be broken.
    """

    run: RunFolder
    step: int
    steps: int
    stopped: str
    seconds: float
    validation: Tuple[CaseDice, ...]
    facts: Mapping[str, Any]


def train(
    recipe: Recipe,
    folder: Path,
    *,
    stop: Optional[Callable[[], bool]] = None,
    report: Optional[Report] = None,
    begin: Optional[Callable[[Mapping[str, Any], int], None]] = None,
    make_module: MakeModule = registry.make_module,
    callbacks: Tuple[Callback, ...] = (),
) -> Outcome:
    """Train to the recipe's last step, going on from the folder's checkpoint if there is one.

    Args:
        recipe: what to train.
        folder: of the run; made if missing. Nothing is written anywhere else.
        stop: asked after each step; True ends the run with a checkpoint.
        report: told of each step.
        begin: told what is trained on, and the step that the run begins at.
        make_module: in place of what the recipe's method makes.
        callbacks: of Lightning, beside the run's own.

    Raises:
        KeyboardInterrupt: somebody did not wait for the end of a step.
        InputError: the data cannot be used, or the folder holds another run.
        ModelError: the network cannot be built, or the weights to start from do not fit.
        UsageError: the loss does not fit the recipe.
        OutputError: the folder cannot be written.
    """
    run = RunFolder(folder)
    started = time.monotonic()
    with _quiet(), _threads(recipe.training.threads):
        module = make_module(recipe)
        told = None if run.last.exists() else _start(module, recipe.training.start)
        first_process = is_first_process()
        with _undone_if_refused(run.path, first_process):
            if first_process:
                run.begin(recipe)
                if told is not None:
                    run.write_json(run.started, told.to_dict())
            data = load_data(recipe, run)
        begun = run.read_json(run.started)
        known = data.facts if begun is None else {**data.facts, "start": begun["summary"]}
        first = saved_step(run)
        if first_process:
            run.write_json(run.facts, known)
            run.cut_log(first)
        if begin is not None and first_process:
            begin(known, first)
        keeper = Keeper(run, recipe.training.checkpoint_every, recipe.training.minutes, stop)
        own = [Progress(run, recipe.training.log_every, report), *callbacks, keeper]
        if len(data.validation):
            own.append(BestKeeper(run, recipe.training.early_stopping))
        if recipe.training.average is not None:
            own.insert(0, moving_average(recipe.training.average))
        trainer = make_trainer(
            recipe, run, own, validates=len(data.validation) > 0, by_hand=not module.automatic_optimization
        )
        if first < recipe.training.steps:
            try:
                _fit(trainer, module, data, recipe, run)
            except SystemExit:  # what Lightning makes of Ctrl-C, and of SIGTERM even after a checkpoint
                if not keeper.stopped or saved_step(run) < trainer.global_step:
                    raise KeyboardInterrupt from None
            except LiverSegError as error:
                raise _in_plain_words(error) from error
        facts = {**known, "broken": {**data.facts["broken"], **_broken(data, module)}}
        if first_process:
            run.write_json(run.facts, facts)
        step = max(first, int(trainer.global_step))
    early = step < recipe.training.steps
    stopped = keeper.stopped or ("no gain" if early else "")
    seconds = time.monotonic() - started
    return Outcome(run, step, recipe.training.steps, stopped if early else "", seconds, module.found, facts)


@contextlib.contextmanager
def _undone_if_refused(folder: Path, writes: bool) -> Iterator[None]:
    """Take the run's folder away again if the data are refused and it was not there before."""
    is_new = writes and not folder.exists()
    try:
        yield
    except LiverSegError:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _start(module: SegmentationModule, options: Optional[StartOptions]) -> Optional[Started]:
    """Begin with other weights where the recipe wants it; what became of them."""
    return None if options is None else module.start(start_weights(options.weights), options)


def _in_plain_words(error: LiverSegError) -> LiverSegError:
    """An error of ours as it was raised: of one in a process of the loader PyTorch makes a traceback."""
    text = str(error)
    if not text.startswith(FROM_LOADER):
        return error
    return type(error)(text.rstrip().splitlines()[-1].partition(": ")[2], text)


def _broken(data: RunData, module: SegmentationModule) -> Dict[str, str]:
    """Id and reason of the cases that turned out to be broken when they were first read."""
    return {**dict(getattr(data.samples, "broken", ())), **module.broken}


def _fit(trainer: Trainer, module: SegmentationModule, data: RunData, recipe: Recipe, run: RunFolder) -> None:
    rank, processes = trainer.global_rank, trainer.world_size
    accumulate = recipe.training.accumulate
    sampler = StepSampler(
        recipe.training.batch, lambda: int(trainer.global_step) * accumulate, rank, processes
    )
    pin = torch.cuda.is_available() and recipe.training.accelerator != "cpu"
    trainer.fit(
        module,
        training_loader(data.samples, recipe, sampler, pin),
        validation_loader(data.validation, rank, processes) if len(data.validation) else None,
        ckpt_path=str(run.last) if run.last.exists() else None,
        weights_only=True,
    )


def fast_dev_recipe(recipe: Recipe) -> Recipe:
    """The recipe with two steps, one process and one validation case, to see that everything works."""
    short = with_changes(
        recipe, "training", steps=FAST_STEPS, minutes=None, log_every=1, workers=0, devices=1, nodes=1
    )
    return with_changes(short, "validation", every=0, cases=1)


def saved_step(run: RunFolder) -> int:
    """The step of the run's checkpoint; 0 if there is none.

    Raises:
        InputError: it is damaged.
    """
    return checkpoint_step(run.last) if run.last.exists() else 0


def checkpoint_step(path: Path) -> int:
    """The step at which a checkpoint was written.

    Raises:
        InputError: it is damaged, or there is none.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return int(state["global_step"])
    except DAMAGED as error:
        raise InputError(f"The checkpoint {path} is damaged.", str(error)) from error


def make_trainer(
    recipe: Recipe, run: RunFolder, callbacks: List[Callback], *, validates: bool, by_hand: bool = False
) -> Trainer:
    """Lightning's trainer as a recipe wants it.

    Args:
        recipe: what is trained.
        run: its folder.
        callbacks: all of the run's.
        validates: whether there are cases to validate on.
        by_hand: whether the module steps its optimizers itself; it then limits gradients itself too.
    """
    options = recipe.training
    every = recipe.validation.every * options.accumulate
    plugin = precision_plugin(options)
    return Trainer(
        accelerator=options.accelerator,
        devices=_devices(recipe),
        num_nodes=options.nodes,
        precision=None if plugin else precision_of(options),
        max_steps=options.steps,
        max_epochs=-1,
        accumulate_grad_batches=options.accumulate,
        gradient_clip_val=None if by_hand else options.gradient_limit,
        val_check_interval=every if every else 2**31,
        check_val_every_n_epoch=None,
        limit_val_batches=None if validates else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=options.log_every,
        logger=TensorBoardLogger(run.path, name="tensorboard", version="", default_hp_metric=False),
        callbacks=callbacks,
        plugins=[CheckpointFiles(), *([plugin] if plugin else [])],
        default_root_dir=run.path,
        use_distributed_sampler=False,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        inference_mode=False,
    )


def start_weights(start: str) -> Dict[str, torch.Tensor]:
    """The weights of a model (name or folder), of a run, or of a checkpoint's file, by name.

    Raises:
        ModelError: there is no such model.
        InputError: the run has no checkpoint, or the file holds none.
    """
    path = Path(start).expanduser()
    if RunFolder(path).recipe.is_file():
        return run_weights(RunFolder(path))
    if path.is_file():
        return file_weights(path)
    model = load_model(start)
    stage = "segment" if model.manifest is None else model.manifest.result_stages[-1].name
    return {name: v for name, v in model.state_dict(stage).items() if torch.is_tensor(v)}


def file_weights(path: Path) -> Dict[str, torch.Tensor]:
    """The weights in a checkpoint of PyTorch: a mapping of names to tensors, or one under ``state_dict``.

    Raises:
        InputError: the file holds none, or it cannot be read without running code that it holds.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, KeyError, OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} holds no weights that can be read.", str(error)) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    found = {str(name): value for name, value in state.items() if torch.is_tensor(value)}
    if not found:
        raise InputError(f"{path} holds no weights by name.")
    return found


def run_weights(run: RunFolder) -> Dict[str, torch.Tensor]:
    """The weights of a run's network: those of the best validation, else of the last checkpoint; averaged
    ones where the recipe averages.

    Raises:
        InputError: there is no checkpoint, or it is damaged.
    """
    path = run.weights
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except FileNotFoundError:
        raise InputError(f"The run {run.path} has no checkpoint yet.") from None
    except DAMAGED as error:
        raise InputError(f"The checkpoint {path} is damaged.", str(error)) from error
    prefix = registry.method_of(run.read_recipe()).judged + "."
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def _devices(recipe: Recipe) -> Any:
    if recipe.training.devices == "auto" and recipe.training.accelerator == "cpu":
        return 1
    if recipe.training.devices == "auto" and not torch.cuda.is_available():
        return 1
    return recipe.training.devices


@contextlib.contextmanager
def _threads(count: Optional[int]) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's hints and advertisements from the terminal."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=".*num_workers.*")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
