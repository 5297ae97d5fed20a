"""The rows of the last tables in one file, so that the next ones need not open the file of every case.

A cache, and no more: the cases' folders are what counts. A row from here is taken only while its case's file
is the one that it was read from; without this file, or when it is damaged, all are read again.
"""

import contextlib
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from .ledger import ROW, Ledger

FORMAT = 1
"""Version of the layout of the file."""

_FILE = "rows.jsonl"

Row = Dict[str, Any]
Stamp = Tuple[int, int, int]
"""Inode, time of the last change (ns) and size (bytes) of a case's file: another if the case was computed, or
its file written, again."""
NO_FILE: Stamp = (-1, -1, -1)


class Kept(NamedTuple):
    """A row, and the file that it was read from."""

    stamp: Stamp
    row: Row


def rows_of(ledger: Ledger, states: Mapping[str, str]) -> List[Row]:
    """The rows of cases, by their names.

    Args:
        ledger: of the cohort.
        states: name -> DONE or FAILED of each case.

    Raises:
        OutputError: somebody has damaged a case's folder.
    """
    path = ledger.private / _FILE
    before = _read(path)
    now: Dict[str, Kept] = {}
    rows: List[Row] = []
    changed = False
    for name in sorted(states):
        key, stamp = f"{states[name]}/{name}", _stamp(ledger, name, states[name])
        kept = before.get(key)
        if kept is None or kept.stamp != stamp or stamp == NO_FILE:
            kept, changed = Kept(stamp, ledger.row(name, states[name])), True
        rows.append(kept.row)
        now[key] = kept
    if changed or len(now) != len(before):
        with contextlib.suppress(OSError):  # the next tables take longer, that is all
            _write(path, now)
    return rows


def _stamp(ledger: Ledger, name: str, state: str) -> Stamp:
    """What tells the file of a case from those before it; no file's own if there is none to be looked at."""
    try:
        found = os.stat(ledger.folder_of(name, state) / ROW)
    except OSError:
        return NO_FILE
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> Dict[str, Kept]:
    """What is in the file; nothing if it is not there or not whole."""
    try:
        head, _, text = path.read_bytes().partition(b"\n")
        said = json.loads(head)
        if said["format"] != FORMAT or said["sha256"] != sha256(text).hexdigest():
            return {}
        lines = [json.loads(line) for line in text.splitlines()]
        return {key: Kept((stamp[0], stamp[1], stamp[2]), row) for key, stamp, row in lines}
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return {}


def _write(path: Path, kept: Mapping[str, Kept]) -> None:
    """Write the file in one go: killed at any moment, the one before is still there."""
    lines = (json.dumps([key, *item]) + "\n" for key, item in kept.items())
    text = "".join(lines).encode()
    head = json.dumps({"format": FORMAT, "sha256": sha256(text).hexdigest()})
    temporary = path.with_suffix(".new")  # always the same: only the process that holds the folder writes it
    temporary.write_bytes(head.encode() + b"\n" + text)
    os.replace(temporary, path)
