"""What decides which build of an engine fits this computer: system, Python, numpy, NVIDIA driver."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Optional, Tuple

PROBE_S = 5.0
"""Longest wait for the driver's own tool."""


NVIDIA_TOOL = "nvidia-smi"
"""Program that comes with every NVIDIA driver."""

USUAL_NVIDIA = (550, (8, 6))
"""Driver and compute capability to suppose before the driver is asked."""


@dataclass(frozen=True)
class Machine:
    """A computer with its Slicer.

    Attributes:
        system: "Linux", "Windows" or "Darwin".
        processor: "x86_64", "AMD64", "arm64", ...
        python: Version of the Python that the worker runs on, such as (3, 12).
        numpy: Major version of numpy; 0 if there is none.
        driver: Major version of the NVIDIA driver; None without an NVIDIA GPU that works.
        capability: Compute capability of the GPU, such as (8, 6).
        release: Version of the GNU C library on Linux, of the system on a Mac; zeros elsewhere.
    """

    system: str
    processor: str
    python: Tuple[int, int]
    numpy: int
    driver: Optional[int] = None
    capability: Optional[Tuple[int, int]] = None
    release: Tuple[int, int] = (0, 0)


def thisMachine(*, exactly: bool) -> Machine:
    """This computer.

    Args:
        exactly: Ask the NVIDIA driver's tool, which may take seconds; else a usual GPU with a fair driver is
            assumed where that tool is there.
    """
    driver, capability = _askNvidia() if exactly else _supposeNvidia()
    numpy = installedVersion("numpy") or "0"
    return Machine(
        platform.system(),
        platform.machine(),
        sys.version_info[:2],
        numbers(numpy)[0],
        driver,
        capability,
        _release(),
    )


def installedVersion(package: str) -> Optional[str]:
    """Version of an installed package from its metadata, without importing it; None if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def numbers(version: str) -> Tuple[int, int]:
    """The first two numbers of a version such as 2.13.0+cpu; zeros where there are none."""
    parts = [*version.split("+")[0].split("."), "0", "0"]
    first, second = ("".join(c for c in part if c.isdigit()) or "0" for part in parts[:2])
    return int(first), int(second)


def _release() -> Tuple[int, int]:
    if platform.system() == "Darwin":
        return numbers(platform.mac_ver()[0])
    try:
        return numbers((os.confstr("CS_GNU_LIBC_VERSION") or "").split(" ")[-1])
    except (AttributeError, OSError, ValueError):  # Windows, or another C library
        return 0, 0


def _supposeNvidia() -> Tuple[Optional[int], Optional[Tuple[int, int]]]:
    return (None, None) if shutil.which(NVIDIA_TOOL) is None else USUAL_NVIDIA


def _askNvidia() -> Tuple[Optional[int], Optional[Tuple[int, int]]]:
    """Driver and compute capability of the newest NVIDIA GPU, as its driver's tool tells them."""
    tool = shutil.which(NVIDIA_TOOL)
    if tool is None:
        return None, None
    # Slicer's own libraries are not for other people's programs
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    try:
        # lint: allow blocking only after a click on Install, and for PROBE_S at most
        answer = subprocess.run(
            [tool, "--query-gpu=driver_version,compute_cap", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_S,
            env=environment,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    if answer.returncode != 0:
        return None, None
    found = [line.split(",") for line in answer.stdout.decode("utf-8", "replace").splitlines()]
    gpus = [(numbers(cells[1].strip()), numbers(cells[0].strip())[0]) for cells in found if len(cells) == 2]
    if not gpus:
        return None, None
    capability, driver = max(gpus)
    return driver or None, capability
