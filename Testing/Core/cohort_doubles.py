"""Stand-ins for segmenting a case, which worker processes find by their names."""

import os
import signal
import time
from pathlib import Path
from typing import Any, Dict

from LiverSegLib.cohort import Case, Options
from LiverSegLib.cohort.work import NoCaseCanError
from LiverSegLib.errors import InputError, ModelError, OutputError


def pretend(case: Case, options: Options, folder: Path) -> Dict[str, Any]:
    """Do what the name of the case's file says, and leave a line in that file each time it is begun."""
    name = Path(case.source).stem
    with open(case.source, "a", encoding="utf-8") as file:
        file.write(f"{name} {os.getpid()}\n")
    (folder / "mask").write_text("mask", encoding="utf-8")
    kind = name.split("-")[0]
    if kind == "bad":
        raise InputError(f"{Path(case.source).name} is damaged.", "line 3")
    if kind == "odd":
        raise ZeroDivisionError("by nought")
    if kind == "crash":
        os._exit(3)
    if kind == "killed" and len(begun(case)) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "endless":
        time.sleep(600)
    if kind == "slow":
        time.sleep(0.3)
    if kind == "greedy":
        _take_memory()
    if kind == "full":
        raise OutputError("The disk is full.")
    if kind == "model":
        raise NoCaseCanError(ModelError("The model is damaged."))
    number = sum(case.name.encode())
    return {"liver_ml": 1000.0 + number, "lesions": number % 3, "phase": "portal", "modality": "CT"}


def begun(case: Case) -> list:
    """Lines of the case in its file."""
    return Path(case.source).read_text(encoding="utf-8").splitlines()


def _take_memory() -> None:
    held = []
    for _ in range(200):
        held.append(b"1" * (16 << 20))
        time.sleep(0.02)
