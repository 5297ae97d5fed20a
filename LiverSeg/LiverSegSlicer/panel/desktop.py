"""Files and folders handed to the programs that the system opens them with."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional, Union

import qt
import slicer


def openOnDesktop(path: Union[str, Path]) -> bool:
    """Open a file or folder in the program that the system uses for it; False if there is none."""
    opener = _linuxOpener()
    if opener is None:
        return bool(qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path))))
    # Qt would start it with Slicer's own libraries, over which browsers fail (Slicer's issue 8879).
    nothing = subprocess.DEVNULL
    try:
        subprocess.Popen(
            [opener, str(path)],
            env=slicer.util.startupEnvironment(),
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
    except OSError:
        return False
    return True


def _linuxOpener() -> Optional[str]:
    return shutil.which("xdg-open") if sys.platform.startswith("linux") else None
