"""The ``liverseg`` command as a whole: its subcommands, and the sentence and exit code of every failure."""

import logging
import os
import sys
from typing import Annotated, Any, Callable, Dict, List, Optional, Sequence

import typer
from typer.core import TyperGroup

from ..cancelling import wait_for_cancelled
from ..errors import CancelledError, LiverSegError, UsageError, explain
from ..sentences import key_of
from .agree import agree
from .cohort import cohort
from .compare import compare
from .console import Console
from .doctor import doctor
from .evaluate import INCOMPLETE, evaluate
from .explain import explain as explain_command
from .export import export
from .fetch import fetch
from .followup import followup
from .interrupts import CANCELLED
from .measure import measure
from .mesh import mesh
from .models import list_, models, show
from .models_add import add, remove
from .networks import networks
from .paint import paint
from .push import push
from .search import search
from .segment import segment
from .series import series
from .serve import serve
from .steatosis import steatosis
from .train import train

COMMANDS = (
    segment,
    measure,
    cohort,
    steatosis,
    followup,
    explain_command,
    agree,
    series,
    fetch,
    push,
    mesh,
    models,
    train,
    search,
    export,
    paint,
    evaluate,
    compare,
    networks,
    serve,
    doctor,
)
"""The subcommands, in the order in which the help lists them."""
MODEL_COMMANDS: Dict[str, Callable[..., None]] = {"list": list_, "show": show, "add": add, "remove": remove}
"""What follows `liverseg models`."""

EXIT_CODES: Dict[int, str] = {
    0: "success",
    1: "unexpected failure; `liverseg doctor`: segmenting does not work here",
    2: "wrong options or arguments",
    3: "the scan, its segmentation or a table cannot be used",
    4: "no liver in the field of view",
    5: "the model cannot be used",
    6: "the device is not there, or its memory ran out",
    7: "results cannot be written",
    8: "the worker process or the server failed",
    INCOMPLETE: "results are written, but some cases took no part or failed (`liverseg evaluate`, `cohort`)",
    130: "cancelled (Ctrl-C or SIGTERM)",
}
"""Exit code -> meaning. Whatever the code other than 0 and 9, commands that write files have written none;
`liverseg push` says how many it had sent."""

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
"""Foot of every help page; the backspace keeps typer from rewrapping the lines."""

OPTIONAL = {"vtk": "vtk", "vtkmodules": "vtk", "PIL": "pillow"}
"""Module that may be missing -> the package that brings it."""

DEBUG_HINT = "For details run it again as: liverseg --debug ..."


def command_line() -> typer.Typer:
    """Return the command with its subcommands."""
    app = typer.Typer(
        name="liverseg",
        cls=InOrder,
        help="Liver, spleen and liver tumors on CT: segmented, measured, shown. For research use only.",
        epilog=EPILOG,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(invoke_without_command=True)(_start)
    for command in COMMANDS:
        if command is not models:
            app.command(epilog=EPILOG)(command)
    group = typer.Typer(name="models", epilog=EPILOG, add_completion=False, rich_markup_mode=None)
    group.callback(invoke_without_command=True, epilog=EPILOG)(models)
    for name, model_command in MODEL_COMMANDS.items():
        group.command(name, epilog=EPILOG)(model_command)
    app.add_typer(group, name="models")
    return app


class InOrder(TyperGroup):
    """Lists the subcommands as COMMANDS has them; typer puts groups first."""

    def list_commands(self, ctx: Any) -> List[str]:
        """The names of the subcommands."""
        return [command.__name__ for command in COMMANDS]


def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log messages.")] = False,
) -> None:
    _set_up_logging(debug)
    if version:
        from LiverSegLib import __version__

        typer.echo(f"liverseg {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit()
    context.obj = debug


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code; no exception leaves it.

    Args:
        arguments: What follows the command's name; those of this process if None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(json="--json" in words, debug="--debug" in words)
    if not all(word.strip() for word in words):
        return _failed(
            UsageError("An argument is empty: perhaps a variable of the shell has no value."), console
        )
    try:
        code = typer.main.get_command(command_line()).main(
            args=words, prog_name="liverseg", standalone_mode=False
        )
        sys.stdout.flush()
        if code == CancelledError.exit_code:  # what newer typers make of Ctrl-C without a word
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit):
        # whoever read our output has enough (`liverseg models | head`); click leaves with SystemExit then
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _failed(CancelledError(CANCELLED), console)
    except Exception as error:  # noqa: BLE001 (the one place that turns all failures into sentences)
        return _failed(as_error(error), console, _hint(error))


def as_error(error: Exception) -> LiverSegError:
    """Return any exception as an error of ours: wrong option, missing package, or as ``explain`` sees it."""
    if type(error) is CancelledError and key_of(error.sentence) in ("", "failed.cancelled"):
        return CancelledError(CANCELLED, error.details)
    format_message = getattr(error, "format_message", None)
    if callable(format_message):  # click's usage errors, of whichever click typer brings
        return UsageError(format_message())
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in OPTIONAL:
        package = OPTIONAL[(error.name or "").split(".")[0]]
        return LiverSegError(f"This needs the Python package {package}: pip install {package}.", str(error))
    return explain(error)


def _hint(error: Exception) -> Optional[str]:
    context = getattr(error, "ctx", None)
    if callable(getattr(error, "format_message", None)):
        return f"Try: {getattr(context, 'command_path', 'liverseg')} --help"
    expected = isinstance(error, (LiverSegError, ModuleNotFoundError))
    return None if expected else DEBUG_HINT


def _failed(error: LiverSegError, console: Console, hint: Optional[str] = None) -> int:
    console.fail(error, hint)
    try:
        wait_for_cancelled()
    except KeyboardInterrupt:  # all is said and cleaned up: nothing but the cancelled work is left
        sys.stdout.flush()
        os._exit(error.exit_code)
    return error.exit_code


def _set_up_logging(debug: bool) -> None:
    """Send log messages to standard error with ``--debug``; else the command says what matters."""
    logger = logging.getLogger("LiverSegLib")
    handler: logging.Handler = logging.StreamHandler() if debug else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if debug else logging.NOTSET)
    logger.propagate = False
