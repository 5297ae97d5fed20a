"""PyTorch, the engine for NVIDIA GPUs and for models of other programs: is it there, and how to get it.

Found out from the metadata of installed packages: PyTorch is never imported into Slicer's own process.
``installTorch`` is the only way to an installation, and it asks first. The extension *PyTorch* installs where
it is there (``pytorch_extension``), else pip.
"""

import importlib
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import DeviceError

from .installing import checkPlace, refuseASecond, size
from .machine import Machine, installedVersion, numbers, thisMachine
from .pytorch_extension import extensionInstalls, installWithExtension

OLDEST = (2, 1)
"""Oldest PyTorch that the core runs on."""

NEWEST_FOR_PYTHON_39 = (2, 8)
"""Newest PyTorch that was built for Python 3.9, which Slicer 5.8 has."""

OLDEST_FOR_NUMPY_2 = (2, 3)
"""Older ones cannot share arrays with numpy 2, which Slicer has from 5.10 on."""

NEWEST_FOR_INTEL_MAC = (2, 2)
"""Newest PyTorch that was built for Macs with an Intel processor."""

INDEX = "https://download.pytorch.org/whl/"
"""Where the PyTorch project keeps its builds; PyPI has only one of them for each system."""

OLDEST_DRIVER = 525
"""NVIDIA driver that runs programs built with any CUDA 12."""
CUDA_13_DRIVER = 580
"""The same for CUDA 13."""
NEW_GPU = (9, 0)
"""From this compute capability on the build with CUDA 12.6, which is the one for old GPUs, is not the right
one."""


@dataclass(frozen=True)
class InstallPlan:
    """What would be installed.

    Attributes:
        oldest: Oldest version that will do.
        newest: Newest one that fits, or None for the newest there is.
        backend: Build by the name of its package index, such as "cpu" or "cu126"; None if there is but one.
        build: In words, such as "for the NVIDIA GPU".
        downloadMb: About how much is downloaded, MB.
        diskMb: About how much room it takes, MB.
        note: A sentence on why it is not the build that one might expect, or empty.
    """

    oldest: Tuple[int, int]
    newest: Optional[Tuple[int, int]]
    backend: Optional[str]
    build: str
    downloadMb: int
    diskMb: int
    note: str = ""

    @property
    def arguments(self) -> Tuple[str, ...]:
        """What pip is told."""
        requirement = f"torch>={_dotted(self.oldest)}"
        if self.newest is not None:
            requirement += f",<{self.newest[0]}.{self.newest[1] + 1}"
        if self.backend is None:
            return (requirement,)
        return (requirement, "--index-url", INDEX + self.backend)


@dataclass(frozen=True)
class TorchState:
    """How it stands with PyTorch.

    Attributes:
        status: "ok", "missing" or "unusable".
        version: The installed version, or None.
        text: What is there, in two words, such as "2.6.0, CPU" or "not installed".
        request: What is needed, how big it is and why; empty if nothing is needed.
        plan: What would be installed; None if nothing is needed, or nothing fits this computer.
    """

    status: str
    version: Optional[str]
    text: str
    request: str = ""
    plan: Optional[InstallPlan] = None

    @property
    def usable(self) -> bool:
        """Whether LiverSeg can segment with it."""
        return self.status == "ok"


def torchState() -> TorchState:
    """Look at what is installed; takes some milliseconds."""
    return _stateOn(thisMachine(exactly=False))


def installTorch(confirm: Callable[[str], bool]) -> bool:
    """Install PyTorch into Slicer's Python, after asking.

    Args:
        confirm: Called with the question, which says what is installed, why and how big it is. Nothing is
            installed unless it returns True.

    Returns:
        Whether PyTorch can be used now; False if the answer was no.

    Raises:
        DeviceError: There is no PyTorch for this computer, or the installation failed.
        OutputError: Slicer's folder cannot be written to, or its disk is too full.
    """
    state = _stateOn(thisMachine(exactly=True))
    if state.usable:
        return True
    if state.plan is None:
        raise DeviceError(state.request)
    checkPlace("PyTorch", state.plan.diskMb)
    if confirm(state.request) is not True:
        return False
    _install(state.plan)
    importlib.invalidate_caches()
    after = torchState()
    if not after.usable:
        text = _("The installation ended, but this is what is found: {state} Restart Slicer and look again.")
        raise DeviceError(text.format(state=_sentence(after.version)))
    return True


def planFor(machine: Machine) -> Optional[InstallPlan]:
    """Return what to install on a computer, or None if no PyTorch fits it."""
    oldest = _oldestUsable(machine.numpy)
    newest = NEWEST_FOR_PYTHON_39 if machine.python <= (3, 9) else None
    if machine.system == "Darwin" and machine.processor == "x86_64":
        newest = NEWEST_FOR_INTEL_MAC
    if newest is not None and newest < oldest:
        return None
    if machine.system == "Darwin":
        return InstallPlan(oldest, newest, None, _("for the Mac"), 100, 500)
    cuda, note = _cudaBuild(machine)
    if cuda is not None:
        return InstallPlan(oldest, newest, cuda, _("for the NVIDIA GPU"), 3000, 7000)
    return InstallPlan(oldest, newest, "cpu", _("for the processor (CPU)"), 250, 1000, note)


def _oldestUsable(numpy: int) -> Tuple[int, int]:
    return OLDEST_FOR_NUMPY_2 if numpy >= 2 else OLDEST


def _cudaBuild(machine: Machine) -> Tuple[Optional[str], str]:
    """Name of the CUDA build that fits the GPU, or None and perhaps a sentence why none does."""
    if machine.driver is None or machine.capability is None or machine.processor not in ("x86_64", "AMD64"):
        return None, ""
    if machine.driver < OLDEST_DRIVER:
        text = _("The NVIDIA driver is too old for it: with version {driver} or newer the GPU could be used.")
        return None, text.format(driver=OLDEST_DRIVER)
    if machine.capability < NEW_GPU:
        return "cu126", ""
    if machine.driver >= CUDA_13_DRIVER and machine.python > (3, 9):
        return "cu130", ""
    return "cu128", ""


def _stateOn(machine: Machine) -> TorchState:
    version = installedVersion("torch")
    if version is not None and _oldestUsable(machine.numpy) <= numbers(version):
        return TorchState("ok", version, _described(version))
    text = _("not installed") if version is None else _("{version}, too old").format(version=version)
    plan = planFor(machine)
    request = _sentence(version) + " " + _request(plan)
    return TorchState("missing" if version is None else "unusable", version, text, request, plan)


def _described(version: str) -> str:
    """A version in words: PyTorch puts the kind of its build behind a plus sign."""
    number, _plus, build = version.partition("+")
    if not build:
        return number
    return f"{number}, {'GPU' if build.startswith('cu') else build.upper()}"


def _sentence(version: Optional[str]) -> str:
    if version is None:
        return _("PyTorch is not installed yet.")
    return _("The PyTorch {version} that is installed is too old.").format(version=version)


def _request(plan: Optional[InstallPlan]) -> str:
    """What to do about it."""
    if plan is None:
        return _("There is none for a Mac with Intel processor in this Slicer; Slicer 5.8 can use it.")
    text = _(
        "The build {build} is a download of about {download}, takes about {disk} on the disk and is "
        "installed once, into Slicer's own Python. {note}"
    )
    download, disk = size(plan.downloadMb), size(plan.diskMb)
    request = text.format(build=plan.build, download=download, disk=disk, note=plan.note).strip()
    if extensionInstalls():
        request += " " + _("Slicer's extension PyTorch installs it, together with torchvision.")
    return request


def _install(plan: InstallPlan) -> None:
    """Have the extension PyTorch install it, or run pip; the one place that does."""
    again = _("PyTorch could not be installed: check the internet connection and press Install again.")
    try:
        refuseASecond()
        if extensionInstalls():
            again = _(
                "Slicer's extension PyTorch could not install it: check the internet connection, restart "
                "Slicer and press Install again."
            )
            installWithExtension(plan.oldest, plan.newest, plan.backend)
        else:
            _pipInstall(list(plan.arguments))
    except KeyboardInterrupt as error:
        text = _("The installation of PyTorch was interrupted: press Install again to complete it.")
        raise DeviceError(text, repr(error)) from error
    except Exception as error:  # noqa: BLE001 (the extension is not ours: it may raise anything)
        raise DeviceError(again, _reasons(error)) from error


def _reasons(error: Exception) -> str:
    """What is known of a failed installation; Slicer shows what pip prints in its Python console."""
    output = getattr(error, "output", None) or getattr(error, "stderr", None)
    console = _("What pip said stands in Slicer's Python console (View menu).")
    return "\n".join([str(error), output if isinstance(output, str) else console])


def _pipInstall(arguments: List[str]) -> None:
    try:
        from slicer.packaging import pip_install
    except ImportError:  # before Slicer 5.12
        slicer.util.pip_install(arguments)
        return
    pip_install(arguments, requester="LiverSeg")


def _dotted(version: Tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
