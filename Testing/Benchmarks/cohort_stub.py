"""Stand-ins for segmenting, with which the bookkeeping of a cohort is measured."""

import random
import time
from pathlib import Path
from typing import Any, Dict

from LiverSegLib.cohort import Case, Options

SECONDS = (0.05, 0.3)
"""How long a slow stand-in takes."""


def at_once(case: Case, options: Options, folder: Path) -> Dict[str, Any]:
    """A row of made-up numbers, and a file."""
    chance = random.Random(case.name)
    (folder / "measurements.json").write_text("{}", encoding="utf-8")
    return {
        "liver_ml": chance.lognormvariate(7.3, 0.2),
        "spleen_ml": chance.lognormvariate(5.3, 0.3),
        "tumour_ml": 0.0,
        "tumour_burden_percent": 0.0,
        "lesions": chance.randrange(3),
        "liver_hu": chance.gauss(100, 12),
        "spleen_hu": chance.gauss(110, 12),
        "phase": "portal",
        "modality": "CT",
    }


def slowly(case: Case, options: Options, folder: Path) -> Dict[str, Any]:
    """The same in some tenths of a second, in two halves: a kill in between must leave nothing."""
    seconds = random.uniform(*SECONDS)
    time.sleep(seconds / 2)
    row = at_once(case, options, folder)
    time.sleep(seconds / 2)
    return row
