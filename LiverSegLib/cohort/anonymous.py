"""Names for the cases of an anonymous cohort, the same in every run into one folder.

With a mapping file, kept by the user elsewhere, cases are numbered in an order that says nothing. Without
one, names come from a secret in the folder of results, which is destroyed with the last case.
"""

import csv
import hmac
import os
import secrets
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from ..errors import InputError, OutputError, write_failure
from .case import Case

HEADS = ("case", "source", "series")
"""Columns of a mapping file."""


def named_by_mapping(cases: Sequence[Case], mapping: Path, results: Path) -> Tuple[Case, ...]:
    """The cases under the names of a mapping file; those that it does not have yet get new ones in it.

    Args:
        cases: of the cohort.
        mapping: a CSV file, made if missing, that only its owner can read.
        results: folder of the results, in which the file must not lie.

    Raises:
        InputError: the file is another one.
        OutputError: it lies among the results, or cannot be written.
    """
    mapping = Path(os.path.abspath(mapping))
    if Path(os.path.realpath(results)) in Path(os.path.realpath(mapping)).parents:
        raise OutputError(f"{mapping} would lie among the anonymous results: keep it in another folder.")
    known = _read(mapping) if mapping.exists() else {}
    new = [case for case in cases if _identity(case) not in known]
    number = max((_number(name) for name in known.values()), default=0)
    for case in secrets.SystemRandom().sample(new, len(new)):
        number += 1
        known[_identity(case)] = f"case-{number:05d}"
    if new:
        _write(mapping, known)
    return tuple(_named(case, known[_identity(case)]) for case in cases)


def named_by_secret(cases: Sequence[Case], secret: bytes) -> Tuple[Case, ...]:
    """The cases under names that only the secret connects with their scans."""

    def name(case: Case) -> str:
        said = "|".join(_identity(case)).encode("utf-8", "surrogatepass")
        return f"case-{hmac.new(secret, said, sha256).hexdigest()[:12]}"

    return tuple(_named(case, name(case)) for case in cases)


def _named(case: Case, name: str) -> Case:
    """The case under another name, without the further columns of its list: they may name the patient."""
    return replace(case, name=name, columns=())


def _identity(case: Case) -> Tuple[str, str]:
    return case.source, case.series or ""


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _read(path: Path) -> Dict[Tuple[str, str], str]:
    """(source, series) -> name.

    Raises:
        InputError: it is no mapping.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows: List[Dict[str, str]] = list(csv.DictReader(file))
        found = {(row["source"], row["series"]): row["case"] for row in rows}
        if all(_number(name) > 0 for name in found.values()):
            return found
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is no mapping of a cohort: choose another file.", str(error)) from error
    raise InputError(f"{path} is no mapping of a cohort: choose another file.")


def _write(path: Path, known: Dict[Tuple[str, str], str]) -> None:
    from ..outputs.atomic import flush_to_disk

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADS)
            writer.writerows((name, *source) for source, name in sorted(known.items(), key=lambda e: e[1]))
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise write_failure(error, path.parent) from error
