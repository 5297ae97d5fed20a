"""Which build of OpenVINO and of ONNX Runtime fits a computer, and how big it is.

Versions, sizes and the systems that they are built for were read from the package index (pip download
--no-deps --only-binary=:all: --python-version --platform) on 29 November 2026. Versions are fixed: that is
what was tried, and its size is known without asking anybody. Both need nothing but numpy to run a network
(tried with numpy 1.26.4 on Python 3.9 and 2.4.6 on 3.12): the packages that they name besides are for
converting models (packaging, protobuf, flatbuffers, sympy, coloredlogs) or report their use
(openvino-telemetry).
"""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from LiverSegLib.inference.devices import ENGINES

from .machine import Machine

SMALL = ("openvino", "onnxruntime")
"""The small engines, the preferred one first."""

PYTHONS = ((3, 9), (3, 13))
"""Oldest and newest Python that they are built for."""

OPENVINO_GLIBC_ON_ARM = (2, 35)
"""OpenVINO for Linux on ARM needs this GNU C library; elsewhere any that Slicer runs on will do."""
ONNXRUNTIME_GLIBC = (2, 27)
ONNXRUNTIME_MACOS = (13, 0)
"""Oldest macOS of ONNX Runtime 1.23.2; 1.19.2 and OpenVINO are content with 11."""

_PROCESSORS = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

_OLD_PYTHON = {"openvino": "2025.3.0", "onnxruntime": "1.19.2"}
"""The last ones for Python 3.9, which Slicer 5.8 has."""
_NEW_PYTHON = {"openvino": "2025.4.1", "onnxruntime": "1.23.2"}
"""For Python 3.10 to 3.13; the last ones for Macs with an Intel processor, too."""

_SIZES: Dict[Tuple[str, str, str], Tuple[int, int]] = {
    ("openvino 2025.3.0", "Linux", "x86_64"): (49, 151),
    ("openvino 2025.3.0", "Linux", "arm64"): (28, 90),
    ("openvino 2025.3.0", "Windows", "x86_64"): (41, 135),
    ("openvino 2025.3.0", "Darwin", "x86_64"): (39, 156),
    ("openvino 2025.3.0", "Darwin", "arm64"): (32, 144),
    ("openvino 2025.4.1", "Linux", "x86_64"): (50, 155),
    ("openvino 2025.4.1", "Linux", "arm64"): (28, 92),
    ("openvino 2025.4.1", "Windows", "x86_64"): (42, 139),
    ("openvino 2025.4.1", "Darwin", "x86_64"): (38, 154),
    ("openvino 2025.4.1", "Darwin", "arm64"): (33, 148),
    ("onnxruntime 1.19.2", "Linux", "x86_64"): (13, 41),
    ("onnxruntime 1.19.2", "Linux", "arm64"): (11, 31),
    ("onnxruntime 1.19.2", "Windows", "x86_64"): (11, 32),
    ("onnxruntime 1.19.2", "Darwin", "x86_64"): (17, 62),
    ("onnxruntime 1.19.2", "Darwin", "arm64"): (17, 62),
    ("onnxruntime 1.23.2", "Linux", "x86_64"): (17, 53),
    ("onnxruntime 1.23.2", "Linux", "arm64"): (15, 42),
    ("onnxruntime 1.23.2", "Windows", "x86_64"): (13, 39),
    ("onnxruntime 1.23.2", "Darwin", "x86_64"): (19, 72),
    ("onnxruntime 1.23.2", "Darwin", "arm64"): (17, 65),
}
"""Engine and version, system, processor -> MB of the download, MB on the disk."""


@dataclass(frozen=True)
class EnginePlan:
    """What would be installed.

    Attributes:
        engine: "openvino" or "onnxruntime".
        version: of the package.
        downloadMb: how much is downloaded, MB.
        diskMb: how much room it takes, MB.
    """

    engine: str
    version: str
    downloadMb: int
    diskMb: int

    @property
    def name(self) -> str:
        """The engine's name for people."""
        return ENGINES[self.engine]

    @property
    def requirement(self) -> str:
        """What pip is told."""
        return f"{self.engine}=={self.version}"


def planOf(engine: str, machine: Machine) -> Optional[EnginePlan]:
    """Return the build of a small engine for a computer, None if there is none."""
    oldest, newest = PYTHONS
    if not oldest <= machine.python <= newest or not _fits(engine, machine):
        return None
    version = (_OLD_PYTHON if machine.python == oldest else _NEW_PYTHON)[engine]
    processor = _PROCESSORS.get(machine.processor.lower(), "")
    found = _SIZES.get((f"{engine} {version}", machine.system, processor))
    return None if found is None else EnginePlan(engine, version, *found)


def smallPlan(machine: Machine) -> Optional[EnginePlan]:
    """Return what to install on a computer without an NVIDIA GPU: OpenVINO, else ONNX Runtime, else None."""
    plans = (planOf(engine, machine) for engine in SMALL)
    return next((plan for plan in plans if plan is not None), None)


def _fits(engine: str, machine: Machine) -> bool:
    """Whether the system is new enough."""
    if engine == "openvino":
        isArm = _PROCESSORS.get(machine.processor.lower()) == "arm64"
        return machine.system != "Linux" or not isArm or machine.release >= OPENVINO_GLIBC_ON_ARM
    if machine.system == "Linux":
        return machine.release >= ONNXRUNTIME_GLIBC
    isOld = machine.python == PYTHONS[0]
    return machine.system != "Darwin" or isOld or machine.release >= ONNXRUNTIME_MACOS
