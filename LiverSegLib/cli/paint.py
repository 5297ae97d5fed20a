"""``liverseg paint``: cases painted from label maps, to train with."""

from pathlib import Path
from typing import Annotated

import typer

from .console import Console, Facts
from .options import Json
from .progress import ProgressBar
from .train import require_training


def paint(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run of the method cgan.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="For the data set; must not exist.")],
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="How many cases [20].")] = 20,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Of all chance [0].")] = 0,
    json_: Json = False,
) -> None:
    """Paint CT cases from deformed label maps of training cases.

    They become a data set with dataset.json that recipes read (data.more), and that says that it is made.
    """
    require_training()
    console = Console(json=json_, debug=context.obj)
    from ..training.methods.painting import write_painted
    from ..training.run_folder import RunFolder

    with ProgressBar(console.aside, shown=not console.json) as bar:

        def done(number: int, total: int) -> None:
            bar(number / total, "painting", f"Case {number} of {total}")

        names = write_painted(RunFolder(run), folder, count, seed=seed, done=done)
    console.answer({"folder": str(folder.absolute()), "cases": names})
    facts = Facts()
    facts.add_row("Data set", str(folder.absolute()))
    facts.add_row("Cases", f"{len(names)}, all made: for training alone")
    facts.add_row("Use it", f"liverseg train RECIPE 'data.more=[{{folder: {folder}}}]'")
    console.show(facts)
