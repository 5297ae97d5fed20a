"""Patients divided into those to train, validate and test with; the division is kept in a file."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import InputError, write_failure
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts.layout import read_json
from LiverSegLib.training.data.options import SplitOptions

PARTS = ("train", "val", "test", "unlabelled")

Patient = Tuple[str, str]
"""Data set and patient."""


@dataclass(frozen=True)
class Split:
    """The cases of each part. No patient is in two of ``train``, ``val`` and ``test``.

    A case without a label is in ``unlabelled``, unless its patient is in ``val`` or ``test``: then it is in
    no part, as a network that saw it would know the patient.
    """

    train: Tuple[Case, ...]
    val: Tuple[Case, ...]
    test: Tuple[Case, ...]
    unlabelled: Tuple[Case, ...]


def split_cases(cases: Sequence[Case], options: SplitOptions, file: Optional[Path] = None) -> Split:
    """Divide cases by patient.

    Args:
        cases: of :func:`table.read_cases`.
        options: of the recipe.
        file: JSON with the division. If it is there, it is followed; else it is written. None: neither.

    Raises:
        InputError: the file is of another data set or other options, or is damaged; the data set puts one
            patient into two parts; nothing is left to train on.
        OutputError: the file cannot be written.
    """
    if file is not None and file.is_file():
        parts = _read_parts(file, cases, options)
    else:
        parts = _divided(cases, options)
        if file is not None:
            _write_parts(file, parts, cases, options)
    split = Split(*(tuple(case for case in cases if parts[case.id] == part) for part in PARTS))
    if not split.train and not split.unlabelled:
        raise InputError("No case is left to train on.", f"{len(cases)} cases")
    return split


def _divided(cases: Sequence[Case], options: SplitOptions) -> Dict[str, str]:
    """Id of each case -> its part; "none" for what is in no part."""
    stated = _stated(cases) if options.given else {}
    labelled = {_patient(case) for case in cases if _is_labelled(case)}
    free = sorted(labelled - set(stated))
    order = [free[k] for k in np.random.default_rng(options.seed).permutation(len(free))]
    parts = dict(stated)
    for part, share in (("val", options.val), ("test", options.test)):
        says_so = {dataset for (dataset, _), where in stated.items() if where == part}
        ours = [patient for patient in order if patient[0] not in says_so]
        left = [patient for patient in ours if patient not in parts]
        parts.update(dict.fromkeys(left[: _count(len(ours), share)], part))
    return {case.id: _part(case, parts.get(_patient(case), "train")) for case in cases}


def _stated(cases: Sequence[Case]) -> Dict[Patient, str]:
    """Patient -> the part that the data set itself puts him into."""
    stated: Dict[Patient, str] = {}
    for case in cases:
        if case.split in (None, "unlabelled"):
            continue
        assert case.split is not None
        before = stated.setdefault(_patient(case), case.split)
        if before != case.split:
            raise InputError(
                f"The data set puts the patient {case.patient} into both {before} and {case.split}."
            )
    return stated


def _part(case: Case, of_patient: str) -> str:
    if _is_labelled(case):
        return of_patient
    return "unlabelled" if of_patient == "train" else "none"


def _is_labelled(case: Case) -> bool:
    """Whether something is known of a case, be it that there is nothing."""
    return case.label is not None or bool(case.annotated)


def _count(patients: int, share: float) -> int:
    """How many of ``patients`` a share is: at least one of two where a share is wanted."""
    wanted = round(patients * share)
    return max(wanted, 1) if share > 0 and patients > 1 else wanted


def _patient(case: Case) -> Patient:
    return case.dataset, case.patient


def _read_parts(file: Path, cases: Sequence[Case], options: SplitOptions) -> Dict[str, str]:
    data = read_json(file)
    saved, wanted = data.get("cases"), options.model_dump()
    if not isinstance(saved, dict) or not set(saved.values()) <= {*PARTS, "none"}:
        raise InputError(f"{file} holds no split of cases.")
    if data.get("options") != wanted:
        text = f"{file} was made with other options for the split; remove it to split anew."
        raise InputError(text, f"there {data.get('options')}, wanted {wanted}")
    new = sorted({case.id for case in cases} - set(saved))
    gone = sorted(set(saved) - {case.id for case in cases})
    moved = sorted(c.id for c in cases if data.get("patients", {}).get(c.id, c.patient) != c.patient)
    if new or gone or moved:
        raise InputError(
            f"The data set has changed since {file} was made: {len(new)} cases are new, {len(gone)} are "
            f"gone, {len(moved)} belong to another patient. Remove the file to split anew.",
            f"new {new}, gone {gone}, moved {moved}",
        )
    return {str(name): str(part) for name, part in saved.items()}


def _write_parts(file: Path, parts: Dict[str, str], cases: Sequence[Case], options: SplitOptions) -> None:
    data: Dict[str, Any] = {
        "options": options.model_dump(),
        "cases": parts,
        "patients": {case.id: case.patient for case in cases},
    }
    partial = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, file)
    except OSError as error:
        raise write_failure(error, file.parent) from error


def patients_of(cases: Sequence[Case]) -> List[str]:
    """The patients of some cases, each once, sorted."""
    return sorted({case.patient for case in cases})
