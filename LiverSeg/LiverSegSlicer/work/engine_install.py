"""Installing OpenVINO or ONNX Runtime into Slicer's Python, in the background: steps of a ``Run``."""

import importlib
from functools import partial
from typing import Any, Callable, Dict, Optional

from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, DeviceError, LiverSegError, OutputError, UsageError
from LiverSegLib.inference.devices import ENGINES

from . import requirements
from .engine_plans import EnginePlan, planOf
from .engines import engineState
from .installing import checkPlace, refuseASecond, size
from .machine import installedVersion, thisMachine
from .pip_process import PipProcess
from .run import Pause, Progress, Run, Steps
from .worker_process import WorkerProcess

POLL_MS = 100

Plan = Any
"""An ``EnginePlan``, or another with a ``name`` for people, a ``requirement`` for pip and ``diskMb``."""

KEPT = ("numpy", "scipy", "SimpleITK", "pydicom")
"""What Slicer brings: its versions must be the same afterwards."""

_OFFLINE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "name resolution",
    "getaddrinfo failed",
    "Could not fetch URL",
    "from versions: none",
)
_FULL = ("No space left on device", "Errno 28", "not enough space on the disk")
_LOCKED = ("Permission denied", "Access is denied", "Errno 13", "WinError 5")
"""Words by which pip's output tells what went wrong."""


def installEngine(
    worker: WorkerProcess, confirm: Callable[[str], bool], engine: str, progress: Optional[Progress] = None
) -> bool:
    """Install an engine after asking, and wait for it; see ``Logic.installEngine``."""
    state = engineState()
    if engine in state.usable or (engine == "auto" and state.isUsable):
        return True
    if engine == "auto":
        if not state.offers:
            raise DeviceError(state.request)
        engine = state.offers[0].engine
    if engine == "torch":
        return installTorch(worker, confirm)
    plan = smallEnginePlan(engine)
    checkPlace(plan.name, plan.diskMb)
    if confirm(_question(plan)) is not True:
        return False
    Run(worker, partial(installSteps, engine), progress=progress, blocking=True).start().wait()
    return True


def installTorch(worker: WorkerProcess, confirm: Callable[[str], bool]) -> bool:
    """Install PyTorch after asking; see ``requirements.installTorch``.

    Raises:
        UsageError: a run is going on.
    """
    if worker.occupant is not None:
        raise UsageError(_("LiverSeg is at work; wait until it is done, then install PyTorch."))
    installed = requirements.installTorch(confirm)
    worker.stopIfIdle()  # one that runs does not see what was installed
    return installed


def smallEnginePlan(engine: str) -> EnginePlan:
    """Return what would be installed.

    Raises:
        DeviceError: there is no build of this engine for this computer.
    """
    plan = planOf(engine, thisMachine(exactly=False))
    if plan is None:
        text = _("There is no {name} for this computer with this Slicer.")
        raise DeviceError(text.format(name=ENGINES.get(engine, engine)))
    return plan


def installSteps(engine: str, run: Run) -> Steps:
    """Install an engine, and start a worker that runs anew.

    The result is the engine's name for people.

    Raises:
        DeviceError, OutputError: it could not be installed; the sentence says why and what to do.
    """
    plan = smallEnginePlan(engine)
    yield from packageSteps(plan, lambda: engine in engineState().usable, run)
    run.tell(1.0, _("{name} is installed").format(name=plan.name))
    return plan.name


def packageSteps(plan: Plan, isThere: Callable[[], bool], run: Run) -> Steps:
    """Install a small package, and start a worker that runs anew.

    Raises:
        DeviceError, OutputError: it could not be installed, or ``isThere`` does not find it afterwards; the
        sentence says why and what to do.
    """
    checkPlace(plan.name, plan.diskMb)
    before = keptVersions()
    refuseWhileInstalling()
    yield from pipSteps(plan, run)
    importlib.invalidate_caches()
    checkKept(plan, before)
    if not isThere():
        text = _("pip ended, but {name} is not found: restart Slicer and look again.")
        raise DeviceError(text.format(name=plan.name))
    if run.worker.isRunning():  # one that runs does not see what was installed
        run.worker.stop()
        run.worker.start()


def _question(plan: EnginePlan) -> str:
    text = _(
        "Install {name} {version} into Slicer's own Python? It is a download of about {download} and takes "
        "about {disk} on the disk. Slicer's own packages stay as they are."
    )
    sizes = {"download": size(plan.downloadMb), "disk": size(plan.diskMb)}
    return text.format(name=plan.name, version=plan.version, **sizes)


def keptVersions() -> Dict[str, Optional[str]]:
    """Versions of what Slicer brings and an installation must leave alone."""
    return {package: installedVersion(package) for package in KEPT}


def refuseWhileInstalling() -> None:
    """Do nothing unless Slicer installs something else.

    Raises:
        DeviceError: it does.
    """
    try:
        refuseASecond()
    except RuntimeError as error:
        text = _("Slicer installs something else at the moment: wait until that is done.")
        raise DeviceError(text, str(error)) from error


def pipSteps(plan: Plan, run: Run) -> Steps:
    """Run pip; the one place that does for small packages."""
    pip = PipProcess(plan.requirement)
    try:
        while pip.isRunning():
            run.tell(pip.fraction(), pip.stage().format(name=plan.name))
            try:
                yield Pause(POLL_MS)
            except CancelledError:
                if not pip.isInstalling:  # half-written packages would be worse than a late Cancel
                    raise
        if not pip.hasSucceeded():
            raise _failure(plan, pip.whatFailed())
    finally:
        pip.close()


def _failure(plan: Plan, said: str) -> LiverSegError:
    if any(words in said for words in _FULL):
        text = _("The disk is full: free some space, then install {name} again.")
        return OutputError(text.format(name=plan.name), said)
    if any(words in said for words in _LOCKED):
        text = _("Slicer's folder does not allow writing: start Slicer with the rights of who installed it.")
        return OutputError(text, said)
    if any(words in said for words in _OFFLINE):
        text = _(
            "The package index on the internet (pypi.org) does not answer: check the connection, or ask your "
            "IT department to run PythonSlicer -m pip install --no-deps {requirement}"
        )
        return DeviceError(text.format(requirement=plan.requirement), said)
    return DeviceError(_("{name} could not be installed.").format(name=plan.name), said)


def checkKept(plan: Plan, before: Dict[str, Optional[str]]) -> None:
    """Raise DeviceError if a version of what Slicer brings is another than before."""
    after = keptVersions()
    changed = [f"{name} {before[name]} → {after[name]}" for name in KEPT if before[name] != after[name]]
    if changed:
        text = _("{name} is installed, but packages of Slicer changed meanwhile: {changed}. Restart Slicer.")
        raise DeviceError(text.format(name=plan.name, changed=", ".join(changed)))
