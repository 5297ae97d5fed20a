"""The extension *PyTorch* of Slicer's Extensions Index: where it is there, it installs PyTorch.

Read in its source (SlicerPyTorch, ``PyTorchUtils.py`` at f677db9) and tried with light-the-torch 0.8.1:

- ``PyTorchUtilsLogic.installTorch()`` installs torch and torchvision in one go, with light-the-torch in a
  process of its own, and then runs ``import torch`` in Slicer's. ``torchInstalled()`` and ``torch`` import it
  too; ``getCompatibleComputationBackends()`` does not, but says only what our own plan knows already.
- light-the-torch compares versions as text: 2.9.1 is above 2.14.0 for it, and torchvision 0.9.1 above 0.24.1.

So its own installation is run, since other modules then find the pair of torch and torchvision that they
expect from it, and only its last step is kept from happening: nothing loads torch into Slicer's process,
where it would stay in memory, lock its own files on Windows and bring a second OpenMP beside Slicer's.
"""

import contextlib
import importlib
import importlib.machinery
import inspect
import logging
import sys
from typing import Any, Iterator, Optional, Set, Tuple

import slicer

Version = Tuple[int, int]

MODULE = "PyTorchUtils"
"""The extension's module; a Slicer that has the extension can import it."""

NEEDED = {"forceComputationBackend", "torchVersionRequirement", "torchvisionVersionRequirement"}
"""Keyword arguments that hold it to the build and the versions that the user was asked about; it has all
three since July 2023."""

NEWEST_IN_ORDER = (2, 9)
"""Newest PyTorch to ask the extension for: up to here, and up to the torchvision that goes with it,
light-the-torch's order of versions is the right one and its first choice is a pair that fits."""

KEPT_OUT = ("torch", "torchvision")


def extensionInstalls() -> bool:
    """Whether the extension is there, and new enough to be told which versions and which build."""
    return _logicClass() is not None


def installWithExtension(oldest: Version, newest: Optional[Version], backend: Optional[str]) -> None:
    """Have the extension install PyTorch and torchvision; it does not ask again.

    Args:
        oldest: Oldest PyTorch that will do.
        newest: Newest one, or None for no limit of ours.
        backend: Build by the name of its index, such as "cpu" or "cu126"; None leaves it to the extension.

    Raises:
        Exception: Whatever the extension raises; subprocess.CalledProcessError if pip fails.
    """
    logic = _logicClass()()
    newest = NEWEST_IN_ORDER if newest is None else min(newest, NEWEST_IN_ORDER)
    beyond = (newest[0], newest[1] + 1)
    options = {
        "forceComputationBackend": backend,
        "torchVersionRequirement": f">={oldest[0]}.{oldest[1]},<{beyond[0]}.{beyond[1]}",
        "torchvisionVersionRequirement": f">={_torchvision(oldest)},<{_torchvision(beyond)}",
    }
    if "askConfirmation" in _arguments(logic.installTorch):
        options["askConfirmation"] = False
    with slicer.util.WaitCursor(), _keptOut():
        try:
            logic.installTorch(**options)
        except ModuleNotFoundError as error:
            if error.name not in KEPT_OUT:
                raise


def _torchvision(torch: Version) -> str:
    """The torchvision that was released with a PyTorch 2.x, such as 0.18 with 2.3."""
    return f"0.{torch[1] + 15}"


class _Refusing:
    """Finds torch and torchvision first, and loads neither: importing them raises ModuleNotFoundError."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self) if name in KEPT_OUT else None

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        text = f"{module.__name__} is not loaded into Slicer's own process"
        raise ModuleNotFoundError(text, name=module.__name__)


@contextlib.contextmanager
def _keptOut() -> Iterator[None]:
    """Let no import load torch into this process; what another module loaded before stays as it is."""
    refusing: Any = _Refusing()
    sys.meta_path.insert(0, refusing)
    try:
        yield
    finally:
        sys.meta_path.remove(refusing)


def _logicClass() -> Any:
    """The extension's class, or None where the extension is absent, broken or too old."""
    try:
        found = importlib.import_module(MODULE).PyTorchUtilsLogic
        return found if _arguments(found.installTorch) >= NEEDED else None
    except ModuleNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 (not our code: without it LiverSeg installs PyTorch itself)
        logging.warning("The extension PyTorch cannot be used: %r", error)
        return None


def _arguments(function: Any) -> Set[str]:
    return set(inspect.signature(function).parameters)
