"""What lies where in the folder of a training run, and whether a recipe may go on in it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Dict, List, Mapping, Optional

from LiverSegLib.errors import InputError, OutputError
from LiverSegLib.training.recipe import Recipe, check_recipe, dump_recipe, read_recipe

MAY_CHANGE = {
    "training": {
        "steps", "accelerator", "devices", "nodes", "threads", "workers", "minutes", "checkpoint_every",
        "log_every", "early_stopping",
    },
    "validation": {"every", "cases", "pictures"},
}  # fmt: skip
"""Keys of sections that may differ when a run goes on; ``export`` and ``description`` may altogether."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe with all its values."""
        return self.path / "recipe.yaml"

    @property
    def split(self) -> Path:
        """Which patients train and which validate."""
        return self.path / "split.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint that a run goes on from."""
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint with the best validation."""
        return self.checkpoints / "best.ckpt"

    @property
    def weights(self) -> Path:
        """The checkpoint that is exported: the best, or the last where nothing was validated."""
        return self.best if self.best.exists() else self.last

    @property
    def log(self) -> Path:
        """Step, loss, learning rate and seconds, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def validation(self) -> Path:
        """The best validation: step, mean Dice, Dice of each case."""
        return self.path / "validation.json"

    @property
    def facts(self) -> Path:
        """What the run was trained on, for the model card."""
        return self.path / "data.json"

    @property
    def started(self) -> Path:
        """Which weights were taken from what ``training.start`` names, and which were not."""
        return self.path / "start.json"

    def begin(self, recipe: Recipe) -> None:
        """Make the folder with its recipe, or check that the recipe may go on in it.

        Raises:
            InputError: another recipe was trained there, or the folder holds something else.
            OutputError: it cannot be written.
        """
        if self.recipe.exists() and not self.last.exists():  # it never came to a checkpoint: begin anew
            for file in (self.split, self.log, self.validation, self.best):
                file.unlink(missing_ok=True)
        elif self.recipe.exists():
            difference = first_difference(read_recipe(self.recipe), recipe)
            if difference:
                raise InputError(
                    f"The folder {self.path} holds a run with another {difference}. Please choose another "
                    "folder with --run, or train with the recipe as it was."
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise InputError(
                f"The folder {self.path} holds something else than a run; please choose another."
            )
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            dump_recipe(recipe, self.recipe)
        except OSError as error:
            raise OutputError(f"The run cannot be written to {self.path}.", str(error)) from error

    def read_recipe(self) -> Recipe:
        """The run's recipe.

        Raises:
            InputError: the folder holds no run.
        """
        if not self.recipe.is_file():
            raise InputError(f"{self.path} holds no training run: there is no recipe.yaml in it.")
        return read_recipe(self.recipe)

    def write_json(self, path: Path, content: Any) -> None:
        """Write a file of the run, whole or not at all."""
        partial = path.with_name(path.name + ".part")
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(partial, path)

    def read_json(self, path: Path) -> Optional[Dict[str, Any]]:
        """A file of the run; None if there is none.

        Raises:
            InputError: it is damaged.
        """
        try:
            content: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return content
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read.", str(error)) from error

    def cut_log(self, step: int) -> None:
        """Leave the lines of the log up to a step: a run that was killed repeats those after it."""
        lines = [line for line in self._log_lines() if _step_of(line) <= step]
        if self.log.exists():
            partial = self.log.with_name(self.log.name + ".part")
            partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            os.replace(partial, self.log)

    def losses(self) -> List[float]:
        """The losses logged, in the order of the steps."""
        return [float(json.loads(line)["loss"]) for line in self._log_lines()]

    def _log_lines(self) -> List[str]:
        """The lines of the log that are whole."""
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return [line for line in text.splitlines() if _step_of(line) >= 0]


def first_difference(before: Recipe, after: Recipe) -> str:
    """The first key, as section.key, in which two recipes differ though they may not; empty if none."""
    old, new = (recipe.model_dump(mode="json") for recipe in (before, after))
    for section in old:
        if section in ("export", "description"):
            continue
        allowed = MAY_CHANGE.get(section, set())
        place = _difference(old[section], new[section], allowed)
        if place is not None:
            return f"{section}.{place}" if place else section
    return ""


def _difference(old: Any, new: Any, allowed: Collection[str] = ()) -> Optional[str]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return None if old == new else ""
    for key in dict.fromkeys((*old, *new)):
        if key not in allowed and old.get(key) != new.get(key):
            return str(key)
    return None


def _step_of(line: str) -> int:
    """The step of a line of the log; -1 of one that is not whole."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1


def with_changes(recipe: Recipe, section: str, **values: Any) -> Recipe:
    """A recipe with other values in one section."""
    content = recipe.model_dump(mode="json")
    content[section] = {**content[section], **values}
    return check_recipe(content)
