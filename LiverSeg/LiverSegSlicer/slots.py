"""The one way from a signal, a timer or a scene event into our code: no exception gets lost on it.

Slicer only prints an exception that leaves a slot, where no user looks. So every function that is given to
``connect``, ``AddObserver``, ``addObserver`` or ``singleShot`` goes through ``guarded``:

    ui.segmentButton.connect("clicked(bool)", guarded(self._onClicked))
"""

import functools
import inspect
import logging
from typing import Any, Callable, List, Optional

from LiverSegLib.errors import LiverSegError, explain

Listener = Callable[[LiverSegError], None]
"""Shows an error to the user; its text is a sentence, its ``details`` hold the traceback."""

_listeners: List[Listener] = []


def guarded(function: Callable[..., Any]) -> Callable[..., None]:
    """Return a slot or observer that calls ``function`` and reports whatever it raises.

    It takes as many arguments as the signal brings and passes on as many as ``function`` takes; what
    ``vtk.calldata_type`` noted on ``function`` holds for it too.
    """
    limit = _argumentLimit(function)

    @functools.wraps(function)
    def slot(*arguments: Any) -> None:
        try:
            function(*arguments[:limit])
        except Exception as error:  # noqa: BLE001 (reported, whatever it is)
            report(error)

    del slot.__wrapped__  # whoever asks how many arguments it takes must hear: any number
    return slot


def report(error: BaseException) -> None:
    """Tell the open panels of an error, and log it as ``explained`` does."""
    shown = explained(error)
    for listener in list(_listeners):
        try:
            listener(shown)
        except Exception as failure:  # noqa: BLE001 (one that cannot show it must not keep it from the others)
            logging.error("An error could not be shown: %s", shown, exc_info=failure)


def explained(error: BaseException) -> LiverSegError:
    """Return the error to show for any exception; one that is not ours is logged with its traceback."""
    shown = explain(error)
    if shown is not error:
        logging.error("%s\n%s", shown, shown.details or "", exc_info=error)
    return shown


def addListener(listener: Listener) -> None:
    """Have ``listener`` called with every error from now on."""
    _listeners.append(listener)


def removeListener(listener: Listener) -> None:
    """Call ``listener`` no more."""
    if listener in _listeners:
        _listeners.remove(listener)


def _argumentLimit(function: Callable[..., Any]) -> Optional[int]:
    """How many positional arguments a function takes at most; None: any number, or unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters)
