"""Installing Python packages: written down, never done. slicer.packaging exists from Slicer 5.12 on."""

import subprocess
import sys
import types
from importlib import metadata
from typing import Any, List, NamedTuple, Optional

import slicer
import slicer.util

from . import facts

FIRST_WITH_PACKAGING = (5, 12, 0)


class PipCall(NamedTuple):
    """What a module asked to install: `function` as it was called, `requirements` as it gave them, other
    arguments.
    """

    function: str
    requirements: Any
    options: dict


class PipRecorder:
    """Calls so far; `failure` is raised by the next one, `declined` makes the user say no to pip_ensure's
    question.
    """

    def __init__(self) -> None:
        self.calls: List[PipCall] = []
        self.failure: Optional[Exception] = None
        self.declined = False

    def reset(self) -> None:
        self.__init__()

    def fail(self, output: str = "no connection") -> None:
        """Lets the next installation fail as pip does."""
        self.failure = subprocess.CalledProcessError(
            1, ["PythonSlicer", "-m", "pip", "install"], output=output
        )

    def record(self, function: str, requirements: Any, options: dict) -> None:
        self.calls.append(PipCall(function, requirements, options))
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure


recorder = PipRecorder()


def install() -> None:
    """Puts pip_install and pip_uninstall in slicer.util, and slicer.packaging where the policed release has
    it.
    """
    if facts.version() < FIRST_WITH_PACKAGING:
        slicer.util.pip_install = _old_pip_install
        slicer.util.pip_uninstall = _old_pip_uninstall
        return
    module = _packaging()
    slicer.packaging = module
    sys.modules["slicer.packaging"] = module
    slicer.util.pip_install = lambda requirements, **options: _record(
        "slicer.util.pip_install", requirements, options
    )
    slicer.util.pip_uninstall = lambda requirements, **options: _record(
        "slicer.util.pip_uninstall", requirements, options
    )


def _record(function: str, requirements: Any, options: dict) -> None:
    recorder.record(function, requirements, options)


def _old_pip_install(requirements: Any) -> None:
    recorder.record("slicer.util.pip_install", requirements, {})


def _old_pip_uninstall(requirements: Any) -> None:
    recorder.record("slicer.util.pip_uninstall", requirements, {})


def _packaging() -> types.ModuleType:
    module = types.ModuleType("slicer.packaging")
    for function in (
        pip_install,
        pip_uninstall,
        pip_check,
        pip_ensure,
        load_requirements,
        isPipInstallInProgress,
    ):
        setattr(module, function.__name__, function)
    return module


def pip_install(requirements: Any, **options: Any) -> None:
    recorder.record("slicer.packaging.pip_install", requirements, options)


def pip_uninstall(requirements: Any, **options: Any) -> None:
    recorder.record("slicer.packaging.pip_uninstall", requirements, options)


def pip_check(requirements: Any) -> bool:
    """Whether all distributions are installed (versions are not compared here)."""
    for requirement in [requirements] if isinstance(requirements, str) else requirements:
        name = str(requirement).split(";")[0]
        for mark in "<>=!~[ @":
            name = name.split(mark)[0]
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            return False
    return True


def pip_ensure(
    requirements: Any,
    constraints: Any = None,
    skip_packages: Any = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: Any = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> None:
    """Raises RuntimeError where the user declines, subprocess.CalledProcessError where pip fails."""
    if pip_check(requirements):
        return
    if prompt_install and recorder.declined:
        raise RuntimeError("User declined to install the required packages")
    options = {"constraints": constraints, "skip_packages": skip_packages, "prompt_install": prompt_install}
    options.update(prompt_restart=prompt_restart, requester=requester, show_progress=show_progress)
    recorder.record("slicer.packaging.pip_ensure", requirements, options)


def load_requirements(path: Any) -> List[str]:
    with open(path) as file:
        lines = [line.split("#")[0].strip() for line in file]
    return [line for line in lines if line]


def isPipInstallInProgress() -> bool:
    return False
