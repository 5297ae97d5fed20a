"""``liverseg train``: train a recipe, and go on with a run that was stopped."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Mapping, Optional, Set

import typer
from rich.text import Text

from ..errors import CancelledError, LiverSegError, UsageError
from .console import Console, Facts, numbers_table
from .interrupts import Interrupts
from .options import Json
from .packages import require_packages
from .progress import ProgressBar

if TYPE_CHECKING:
    from ..training.fit import Outcome
    from ..training.recipe import Recipe

LIBRARIES = ("lightning", "monai", "pydantic", "tensorboard", "yaml")
"""What LiverSeg's extra ``train`` brings."""
RUNS = Path("runs")
"""Where runs go that are given no folder."""
WHY = {
    "asked": "Stopped, with a checkpoint.",
    "time": "The time of training.minutes is over; there is a checkpoint.",
    "no gain": "Stopped early: the validation did not get better.",
}
"""Why a run ended before its last step, in words."""


class Interrupted(LiverSegError):
    """The user did not wait for the end of a step."""

    exit_code = CancelledError.exit_code
    code = CancelledError.code


def train(
    context: typer.Context,
    recipe: Annotated[
        Optional[str],
        typer.Argument(metavar="RECIPE", help="A .yaml file, or the name of a ready recipe (--list)."),
    ] = None,
    changes: Annotated[
        Optional[List[str]],
        typer.Argument(metavar="[KEY=VALUE]...", help="Changes of the recipe, such as training.steps=100."),
    ] = None,
    run: Annotated[
        Optional[Path],
        typer.Option(
            "--run", metavar="FOLDER", help="Folder of the run; one that was stopped goes on [runs/NAME]."
        ),
    ] = None,
    fast_dev_run: Annotated[
        bool,
        typer.Option(
            "--fast-dev-run", help="Two steps and one validation case to see that all works; nothing is kept."
        ),
    ] = False,
    show_augmentation: Annotated[
        Optional[int],
        typer.Option(
            "--show-augmentation", metavar="N", min=1,
            help="Do not train: write a picture of N samples before and after augmentation.",
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the ready recipes.")] = False,
    json_: Json = False,
) -> None:  # fmt: skip
    """Train a network by a recipe.

    Ctrl-C stops with a checkpoint, and the same command goes on. `liverseg export` makes a model of the run.
    """
    require_training()
    console = Console(json=json_, debug=context.obj)
    if list_:
        _list(console)
        return
    if recipe is None:
        raise UsageError("Please name a recipe; `liverseg train --list` names the ready ones.")
    from ..training.processes import is_first_process
    from ..training.recipe import read_recipe

    chosen = read_recipe(recipe, changes or ())
    folder = run or RUNS / chosen.name
    if show_augmentation is not None:
        _show_augmentation(console, chosen, folder, show_augmentation)
        return
    if fast_dev_run:
        from ..training.fit import fast_dev_recipe

        with tempfile.TemporaryDirectory() as elsewhere:
            outcome = _train(console, fast_dev_recipe(chosen), Path(elsewhere) / "run")
            console.answer({"run": None, **_content(outcome)})
            console.show(*_table(outcome), Text("Everything works; nothing was kept.", style="green"))
        return
    outcome = _train(console, chosen, folder)
    if not is_first_process():  # of several processes, one speaks
        return
    console.answer({"run": str(folder.absolute()), **_content(outcome)})
    console.show(*_table(outcome), *_next(outcome, recipe, changes or [], folder, run is not None))


def require_training(*more: str) -> None:
    """Say which packages are missing, if any, of those that training needs and ``more``.

    Raises:
        LiverSegError: some are.
    """
    require_packages(("torch", *LIBRARIES, *more), what="Training")


def _list(console: Console) -> None:
    from ..training.recipe import read_recipe, ready_recipes

    found = {name: read_recipe(path).description for name, path in ready_recipes().items()}
    console.answer({"recipes": [{"name": name, "description": text} for name, text in found.items()]})
    facts = Facts()
    for name, text in found.items():
        facts.add_row(name, text)
    console.show(facts)


def _show_augmentation(console: Console, recipe: "Recipe", folder: Path, count: int) -> None:
    from ..training.augmentation.picture import show_augmentation
    from ..training.loaders import samples_with_original

    file = folder.parent / f"{recipe.name}-augmentation.png"
    with tempfile.TemporaryDirectory() as elsewhere:
        samples = samples_with_original(recipe, Path(elsewhere))
        file.parent.mkdir(parents=True, exist_ok=True)
        show_augmentation(samples, file, count, structures=recipe.structures)
    console.answer({"file": str(file.absolute())})
    facts = Facts()
    facts.add_row("Picture", str(file.absolute()))
    console.show(facts)


def _train(console: Console, recipe: "Recipe", folder: Path) -> "Outcome":
    from ..training.fit import saved_step
    from ..training.fit import train as fit
    from ..training.processes import is_first_process
    from ..training.run_folder import RunFolder

    told: Set[str] = set()

    def tell_broken(broken: Mapping[str, str]) -> None:
        console.warn([f"The case {name} is left out: {broken[name]}" for name in broken if name not in told])
        told.update(broken)

    def begin(facts: Mapping[str, Any], step: int) -> None:
        console.show(_plan(recipe, folder, facts, step))
        tell_broken(facts["broken"])

    with Interrupts() as interrupts, ProgressBar(console.aside, shown=not console.json) as bar:

        def report(step: int, steps: int, loss: float) -> None:
            bar(step / steps, "training", f"Step {step} of {steps}, loss {loss:.3f}")

        try:
            outcome = fit(recipe, folder, stop=interrupts.requested, report=report, begin=begin)
        except KeyboardInterrupt:
            step = saved_step(RunFolder(folder))
            kept = f"the run goes on from step {step}" if step else "there is no checkpoint yet"
            raise Interrupted(f"Stopped in the middle of a step; {kept}.") from None
    if is_first_process():
        tell_broken(outcome.facts["broken"])
    return outcome


def _plan(recipe: "Recipe", folder: Path, facts: Mapping[str, Any], step: int) -> Facts:
    from ..training.methods.registry import method_of
    from ..training.precision import precision_of

    training = recipe.training
    plan = Facts(recipe.name)
    plan.add_row("Run", str(folder.absolute()))
    for part in ("train", "validation"):
        count = facts[part]
        plan.add_row(part.capitalize(), f"{count['cases']} cases of {count['patients']} patients")
    if facts["broken"]:
        plan.add_row("Broken", f"{len(facts['broken'])} cases, left out")
    if "start" in facts:
        plan.add_row("Start", facts["start"])
    size = " x ".join(map(str, recipe.patches.size))
    plan.add_row("Network", f"{recipe.network.name}, patches of {size}, batch {training.batch}")
    if recipe.method.name != "supervised":
        plan.add_row("Method", recipe.method.name)
    if method_of(recipe).segments:
        plan.add_row("Loss", recipe.loss.mix)
    plan.add_row("Optimizer", f"{training.optimizer}, rate {training.learning_rate:g}, {training.schedule}")
    precision = precision_of(training)
    if precision != training.precision:
        plan.add_row("Precision", f"{precision} in place of {training.precision}: only emulated here")
    going_on = f", going on at {step}" if step else ""
    plan.add_row("Steps", f"{training.steps}{going_on}")
    return plan


def _content(outcome: "Outcome") -> Dict[str, Any]:
    return {
        "step": outcome.step,
        "steps": outcome.steps,
        "stopped": outcome.stopped,
        "seconds": round(outcome.seconds, 2),
        "data": dict(outcome.facts),
        "validation": [{"case": row.id, **row.dice} for row in outcome.validation],
    }


def _table(outcome: "Outcome") -> List[Any]:
    from ..training.validation import structure_means

    if not outcome.validation:
        return []
    table = numbers_table("Dice on the validation cases")
    names = list(outcome.validation[0].dice)
    table.add_column("Case")
    for name in names:
        table.add_column(name, justify="right")
    for row in outcome.validation:
        table.add_row(row.id, *(_number(row.dice.get(name)) for name in names))
    means = structure_means(outcome.validation)
    table.add_row("mean", *(_number(means[name]) for name in names), style="bold")
    return [table]


def _number(value: Optional[float]) -> str:
    return "–" if value is None else f"{value:.3f}"


def _next(outcome: "Outcome", recipe: str, changes: List[str], folder: Path, named: bool) -> List[Any]:
    from ..training.methods.registry import method_of

    facts = Facts()
    facts.add_row("Steps", f"{outcome.step} of {outcome.steps}, {outcome.seconds:.0f} s")
    if outcome.stopped:
        facts.add_row("", WHY[outcome.stopped])
    if outcome.stopped in ("asked", "time"):
        where = ["--run", str(folder)] if named else []
        facts.add_row("Go on", " ".join(["liverseg train", recipe, *changes, *where]))
    word, command = method_of(outcome.run.read_recipe()).after
    facts.add_row(word, command.format(run=folder))
    facts.add_row("Curves", f"tensorboard --logdir {folder / 'tensorboard'}")
    facts.add_row("", Text("For research use only.", style="dim"))
    return [facts]
