"""What a search's study holds as tables: its trials, best first, as rows, CSV and the best recipe."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional

import yaml
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from LiverSegLib.training.recipe import check_recipe
from LiverSegLib.training.search_options import SearchOptions, keys_of, with_values

STATES = {
    TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running", TrialState.WAITING: "waiting",
}  # fmt: skip
BEST_NOTE = (
    "# Chosen by a search among its trials by the Dice of the validation cases, so that Dice is too high by",
    "# choice: judge this recipe on cases that took no part in the search.",
)


@dataclass(frozen=True)
class TrialRow:
    """What became of a trial.

    Attributes:
        number: in the study.
        state: "complete", "pruned", "failed", "running" or "waiting".
        dice: mean Dice of the best validation, of a pruned trial the last one; None if there was none.
        step: of the last validation.
        seconds: of its training; 0 of a trial whose values had been tried before.
        values: key -> value.
        run: folder of its run.
        note: why it failed, or which trial had the same values.
    """

    number: int
    state: str
    dice: Optional[float]
    step: int
    seconds: float
    values: Mapping[str, Any]
    run: str
    note: str


def finished(study: Study) -> List[FrozenTrial]:
    """Trials that are over: complete, pruned or failed for a reason; not those that were interrupted."""
    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return [t for t in study.get_trials(states=over) if t.state != TrialState.FAIL or "error" in t.user_attrs]


def rows(study: Study, folder: Path) -> List[TrialRow]:
    """The finished trials: complete ones by their Dice, then the pruned, then the failed."""
    order = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    found = sorted(finished(study), key=lambda t: (order.index(t.state), -(t.value or 0.0), t.number))
    return [_row(trial, folder) for trial in found]


def _row(trial: FrozenTrial, folder: Path) -> TrialRow:
    attributes = trial.user_attrs
    same = attributes.get("same_as")
    values = {key: json.loads(v) if isinstance(v, str) else v for key, v in trial.params.items()}
    note = str(attributes.get("error", "")) or ("" if same is None else f"same values as trial {same}")
    return TrialRow(
        trial.number, STATES[trial.state], trial.value, trial.last_step or 0,
        float(attributes.get("seconds", 0)), values, str(folder / "trials" / run_name(trial)), note,
    )  # fmt: skip


def run_name(trial: FrozenTrial) -> str:
    return str(trial.user_attrs.get("run", f"{trial.number:04d}"))


def write_results(
    study: Study, options: SearchOptions, content: Mapping[str, Any], folder: Path
) -> Optional[Path]:
    """Write ``results.csv``, and ``best.yaml`` once a trial is complete; the file of the latter."""
    found = rows(study, folder)
    keys = keys_of(options)
    lines: List[List[Any]] = [["trial", "state", "dice", "step", "seconds", *keys, "run", "note"]]
    for row in found:
        dice = "" if row.dice is None else f"{row.dice:.4f}"
        values = [json.dumps(row.values[key]) if key in row.values else "" for key in keys]
        lines.append([row.number, row.state, dice, row.step, row.seconds, *values, row.run, row.note])
    partial = folder / "results.csv.part"
    with open(partial, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    os.replace(partial, folder / "results.csv")
    if not found or found[0].state != "complete":
        return None
    recipe = check_recipe(with_values(content, found[0].values))
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    partial = folder / "best.yaml.part"
    partial.write_text("\n".join((*BEST_NOTE, text)), encoding="utf-8")
    os.replace(partial, folder / "best.yaml")
    return folder / "best.yaml"
