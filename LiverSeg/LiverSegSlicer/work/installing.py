"""What every installation into Slicer's Python has in common: room, rights, one at a time, sizes in words."""

import os
import shutil
import sysconfig

from slicer.i18n import tr as _

from LiverSegLib.errors import OutputError

MB = 1_000_000


def checkPlace(name: str, diskMb: float) -> None:
    """Check that Slicer's Python can take a package.

    Args:
        name: of the package, for people.
        diskMb: room that it takes, MB.

    Raises:
        OutputError: Slicer's folder cannot be written to, or its disk is too full.
    """
    folder = sysconfig.get_paths()["purelib"]
    if not os.access(folder, os.W_OK):
        text = _(
            "Slicer's folder {folder} does not allow writing: start Slicer with the rights of who installed "
            "it, or install Slicer into a folder of your own."
        )
        raise OutputError(text.format(folder=folder))
    free = shutil.disk_usage(folder).free / MB
    if free < diskMb:
        text = _(
            "The disk that holds {folder} has {free} free, {name} needs about {needed}: free some space."
        )
        words = {"name": name, "free": size(free), "needed": size(diskMb)}
        raise OutputError(text.format(folder=folder, **words))


def refuseASecond() -> None:
    """Raise RuntimeError while Slicer installs something else."""
    try:
        from slicer.packaging import isPipInstallInProgress
    except ImportError:  # before Slicer 5.12, which waits for an installation to end
        return
    if isPipInstallInProgress():
        raise RuntimeError("another installation is going on")


def size(megabytes: float) -> str:
    """A number of megabytes in words."""
    if megabytes >= 1000:
        return _("{number} GB").format(number=f"{megabytes / 1000:.3g}")
    return _("{number} MB").format(number=f"{megabytes:.0f}")
