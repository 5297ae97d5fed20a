"""What a run does between steps: keep checkpoints, average weights, report, stop when it is asked to."""

import json
import time
from typing import Any, Callable, Dict, List, Optional

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, WeightAveraging
from torch import Tensor

from LiverSegLib.errors import write_failure
from LiverSegLib.training.module import DICE, SegmentationModule
from LiverSegLib.training.run_folder import RunFolder

FIRST_STEPS = 10
"""The average follows the weights faster in the beginning: after n steps it keeps n / (n + this) at most."""

Report = Callable[[int, int, float], None]
"""Called after each step with its number, how many there are, and the loss."""


def moving_average(decay: float) -> WeightAveraging:
    """Lightning's averaging callback with an exponential moving average that forgets its beginning."""

    def update(averaged: List[Tensor], current: List[Tensor], count: Any) -> None:
        done = int(count) + 1
        keep = min(decay, done / (done + FIRST_STEPS))
        floating = [(a, c) for a, c in zip(averaged, current) if a.is_floating_point()]
        if floating:  # PyTorch calls this for each type of tensor; counters of batch norm are whole numbers
            torch._foreach_lerp_([a for a, _ in floating], [c for _, c in floating], 1 - keep)
        for whole, value in ((a, c) for a, c in zip(averaged, current) if not a.is_floating_point()):
            whole.copy_(value)

    return WeightAveraging(multi_avg_fn=update)


class Progress(Callback):
    """Tells the caller of each step, and writes the log."""

    def __init__(self, run: RunFolder, every: int, report: Optional[Report]) -> None:
        self._run, self._every, self._report = run, every, report
        self._sum, self._count = 0.0, 0
        self._started = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report, and write a line every so many steps."""
        step = trainer.global_step
        loss = float(outputs["loss"] if isinstance(outputs, dict) else outputs)
        loss *= trainer.accumulate_grad_batches  # Lightning divides it
        self._sum, self._count = self._sum + loss, self._count + 1
        if self._report is not None and trainer.is_global_zero:
            self._report(step, int(trainer.max_steps), loss)
        last = step >= trainer.max_steps
        if (step % self._every == 0 or last) and self._count >= trainer.accumulate_grad_batches:
            mean = torch.tensor(self._sum / self._count, device=pl_module.device)
            self._sum, self._count = 0.0, 0
            loss = float(trainer.strategy.reduce(mean, reduce_op="mean"))  # of all processes
            if trainer.is_global_zero:
                self._write(step, loss, float(trainer.optimizers[0].param_groups[0]["lr"]))

    def _write(self, step: int, loss: float, rate: float) -> None:
        record: Dict[str, Any] = {
            "step": step, "loss": round(loss, 6), "learning_rate": rate,
            "seconds": round(time.monotonic() - self._started, 2),
        }  # fmt: skip
        try:
            with open(self._run.log, "a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
        except OSError as error:
            raise write_failure(error, self._run.path) from error


class Keeper(Checkpoint):
    """Writes the checkpoint that a run goes on from, and stops the run when time is up or somebody asks.

    Lightning calls it after all other callbacks, so the averaged weights of the step are in the checkpoint.

    Attributes:
        stopped: why the run was stopped before its last step: "asked" or "time"; empty if it was not.
    """

    def __init__(
        self, run: RunFolder, every: int, minutes: Optional[float], stop: Optional[Callable[[], bool]]
    ) -> None:
        self._run, self._every, self._stop = run, every, stop
        self._until = None if minutes is None else time.monotonic() + 60 * minutes
        self.stopped = ""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a checkpoint at the end of a step, where one is due."""
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self.stopped = self._reason(trainer)
        step = trainer.global_step
        done = step >= trainer.max_steps
        validates = step * trainer.accumulate_grad_batches % trainer.val_check_interval == 0
        if step % self._every == 0 or validates or done or self.stopped:
            trainer.save_checkpoint(self._run.last)
        if self.stopped and not done:
            trainer.limit_val_batches = 0  # a run that is stopped does not validate first
        if self.stopped or done:
            trainer.should_stop = True  # which makes Lightning validate, where it may

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Leave out the rest of a validation in which somebody asks to stop.

        Several processes finish it, for they would not all stop at the same case.
        """
        if trainer.world_size > 1 or self.stopped or not isinstance(pl_module, SegmentationModule):
            return
        self.stopped = self._reason(trainer)
        if self.stopped:
            pl_module.stops_validation = trainer.should_stop = True

    def _reason(self, trainer: Trainer) -> str:
        asked = self._stop is not None and self._stop()
        late = self._until is not None and time.monotonic() > self._until
        reason = "asked" if asked else "time" if late else ""
        if trainer.world_size > 1:  # all processes must agree
            asked, late = (trainer.strategy.reduce_boolean_decision(x, all=False) for x in (asked, late))
            reason = "asked" if asked else "time" if late else ""
        return reason


class BestKeeper(Checkpoint):
    """Writes the checkpoint and the table of the best validation; stops when there was none for long.

    Attributes:
        best: the highest mean Dice so far.
    """

    def __init__(self, run: RunFolder, patience: Optional[int]) -> None:
        self._run, self._patience = run, patience
        before = run.read_json(run.validation) or {}
        self.best, self._since = float(before.get("dice", -1.0)), 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare a validation with the best one."""
        if trainer.sanity_checking or not isinstance(pl_module, SegmentationModule) or not pl_module.found:
            return
        mean = float(trainer.callback_metrics[DICE])
        self._since += 1
        if mean > self.best:
            self.best, self._since = mean, 0
            trainer.save_checkpoint(self._run.best)
            if trainer.is_global_zero:
                rows = [{"id": row.id, **row.dice} for row in pl_module.found]
                self._run.write_json(
                    self._run.validation, {"step": trainer.global_step, "dice": mean, "cases": rows}
                )
        if self._patience is not None and self._since >= self._patience:
            trainer.should_stop = True

    def state_dict(self) -> Dict[str, Any]:
        """What a checkpoint keeps."""
        return {"since": self._since}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._since = int(state_dict["since"])
