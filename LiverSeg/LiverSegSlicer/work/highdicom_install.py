"""highdicom, which writes DICOM objects: is it there, and installing it into Slicer's Python.

Version, size and needs were read from the package index on 30 November 2026. 0.22.0 is the newest for Python
3.9, which Slicer 5.8 has, and for pydicom 2.4, which 5.8 and 5.10 have; 0.27.0 is the one that Slicer 5.12
brings, for pydicom 3. Both write our objects without the codec for compressed pixels (pillow-jpls, pyjpegls)
that they name besides: 0.22.0 was tried so with Python 3.9 and 3.12 and pydicom 2.4.4.
"""

from dataclasses import dataclass

from slicer.i18n import tr as _

from .engine_install import packageSteps
from .installing import size
from .machine import installedVersion, numbers
from .run import Run, Steps

OLDEST = (0, 22)
"""Oldest highdicom that the core writes with."""


@dataclass(frozen=True)
class PackagePlan:
    """What would be installed.

    Attributes:
        name: for people, and for pip.
        version: of the package.
        downloadMb, diskMb: its size, MB.
    """

    name: str
    version: str
    downloadMb: int
    diskMb: int

    @property
    def requirement(self) -> str:
        """What pip is told."""
        return f"{self.name}=={self.version}"


def isHighdicomThere() -> bool:
    """Whether DICOM objects can be written; found out from metadata, nothing is imported."""
    version = installedVersion("highdicom")
    return version is not None and numbers(version) >= OLDEST


def highdicomPlan() -> PackagePlan:
    """What fits this Slicer."""
    isNew = numbers(installedVersion("pydicom") or "0") >= (3, 0)
    return PackagePlan("highdicom", "0.27.0" if isNew else "0.22.0", 1, HIGHDICOM_DISK_MB)


HIGHDICOM_DISK_MB = 25
"""Room that it takes once Python has compiled it, MB."""


def installQuestion() -> str:
    """What to ask before it is installed."""
    plan = highdicomPlan()
    text = _(
        "Writing DICOM objects needs the Python package {name}, which this Slicer does not have. Install "
        "{name} {version} into Slicer's own Python? It is a download of about {download} and takes about "
        "{disk} on the disk. Slicer's own packages stay as they are."
    )
    sizes = {"download": size(plan.downloadMb), "disk": size(plan.diskMb)}
    return text.format(name=plan.name, version=plan.version, **sizes)


def installHighdicomSteps(run: Run) -> Steps:
    """Install highdicom; see ``packageSteps``."""
    yield from packageSteps(highdicomPlan(), isHighdicomThere, run)
