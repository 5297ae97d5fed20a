"""Whose results lie in a folder: those of two scans never share one.

The index of each set of files (measurements.json, steatosis.json) holds the fingerprint of its scan. A folder
belongs to the scan that was written into it first; only that scan, whatever its file is called now, may
replace the files or add its other set.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

from ..errors import OutputError
from ..sentences import Sentence

INDICES = {"measurements.json": "results", "steatosis.json": "steatosis"}
"""Name of an index that belongs to one scan -> what it says that it lists."""


@dataclass(frozen=True)
class ScanIdentity:
    """A scan as an index names it.

    Attributes:
        name: for people.
        fingerprint: SHA-256 of voxels and grid, as ``images.fingerprint`` gives it; empty if not known.
    """

    name: str
    fingerprint: str

    @classmethod
    def of(cls, name: str, provenance: Mapping[str, Any]) -> "ScanIdentity":
        """The scan that a result's provenance tells of."""
        source = provenance.get("input")
        found = source.get("sha256") if isinstance(source, Mapping) else None
        return cls(name, found if isinstance(found, str) else "")


def refuse_another_scan(folder: Path, find_scan: Callable[[], Optional[ScanIdentity]]) -> None:
    """Refuse a folder that holds files of another scan.

    Args:
        folder: the output folder.
        find_scan: returns the scan to be written. It is called only if the folder belongs to a scan, since it
            may have to read one.

    Raises:
        OutputError: The folder belongs to another scan. One of which either side's fingerprint is not known
            is not refused.
    """
    owners = [owner for owner in (_owner(folder / name, kind) for name, kind in INDICES.items()) if owner]
    if not owners:
        return
    scan = find_scan()
    if scan is None or not scan.fingerprint:
        return
    for owner in owners:
        if owner.fingerprint != scan.fingerprint:
            raise OutputError(Sentence("folder.another-scan", folder=str(folder), name=owner.name))


def _owner(index: Path, kind: str) -> Optional[ScanIdentity]:
    """The scan whose files an index lists; None without an index of ours that knows it."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        if content["liverseg"]["content"] != kind:
            return None
        owner = ScanIdentity.of(str(content["name"]), content["provenance"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return owner if owner.fingerprint else None
