"""Where the core and the resources lie: beside this package in an installed extension, one folder up in a
clone."""

import importlib.util
import sys
from pathlib import Path

CORE = "LiverSegLib"
"""Name of the core's package."""


def coreFolder() -> Path:
    """The folder that holds LiverSegLib.

    Raises:
        ImportError: The extension is incomplete.
    """
    beside = Path(__file__).resolve().parents[1]
    for folder in (beside, beside.parent):
        if (folder / CORE / "__init__.py").is_file():
            return folder
    raise ImportError(f"{CORE} is missing: it belongs into {beside} or {beside.parent}.")


def resourceFolder() -> Path:
    """The folder Resources with UI, Icons, Models and SampleData."""
    return coreFolder() / "Resources"


def makeCoreImportable() -> None:
    """Let ``import LiverSegLib`` find the core that came with this module.

    The Python path is changed only if it leads nowhere or to another LiverSegLib, such as one installed by
    pip: the two sides of the worker's protocol must be of one version.
    """
    folder = coreFolder()
    found = importlib.util.find_spec(CORE)
    if found is None:
        sys.path.append(str(folder))
    elif Path(str(found.origin)).resolve().parents[1] != folder:
        sys.path.insert(0, str(folder))
