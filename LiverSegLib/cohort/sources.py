"""Which cases a cohort has: those of a folder, of a list (CSV), or of a query to a DICOMweb server."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from ..errors import InputError, UnreadableImageError
from .case import Case, short_hash

QueryCases = Callable[[str], Iterable[Case]]
"""Asks a DICOMweb server: from the address of a QIDO-RS query to cases whose source is a series' address."""


@dataclass(frozen=True)
class Found:
    """The cases of a source, and what lies beside them.

    Attributes:
        cases: with unique names, by name.
        left_out: (path, reason) of each DICOM series that cannot be an abdominal scan.
    """

    cases: Tuple[Case, ...]
    left_out: Tuple[Tuple[str, str], ...] = ()


def find_cases(source: str, *, query: Optional[QueryCases] = None, leave_out: Sequence[Path] = ()) -> Found:
    """Return the cases of a source.

    Args:
        source: a folder, a CSV file, a single scan, or the address of a QIDO-RS query.
        query: how a server is asked; ``remote.query_cases`` if None.
        leave_out: folders that hold results, not scans.

    Raises:
        UnreadableImageError: there is no such file or folder, or no scan in it.
        InputError: the list cannot be used.
        UsageError: a server was given that cannot be asked.
    """
    from .case_list import read_case_list
    from .find import find_in_folder

    if source.startswith(("http://", "https://")):
        from .remote import query_cases

        return _checked(Found(with_unique_names((query or query_cases)(source))), source)
    path = Path(source)
    if path.is_dir():
        found = find_in_folder(path, leave_out)
        return _checked(replace(found, cases=with_unique_names(found.cases)), source)
    if not path.is_file():
        raise UnreadableImageError(f"There is no file or folder {source}.")
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _checked(Found(read_case_list(path)), source)
    raise InputError(
        f"{source} is neither a folder nor a list of cases (CSV); one scan is `liverseg segment`'s work."
    )


def with_unique_names(cases: Iterable[Case]) -> Tuple[Case, ...]:
    """The cases by name; those that share a name with another get a hash of their source, always the same."""
    listed = sorted(cases, key=lambda case: (case.name, case.source, case.series or ""))
    count = Counter(case.name.lower() for case in listed)  # some disks take A and a for the same
    return tuple(
        case
        if count[case.name.lower()] == 1
        else replace(case, name=f"{case.name}-{short_hash(case.source + '|' + (case.series or ''))}")
        for case in listed
    )


def _checked(found: Found, source: str) -> Found:
    if not found.cases:
        reasons: Dict[str, int] = Counter(reason for _, reason in found.left_out)
        listed: List[str] = [f"{count} left out: {reason}" for reason, count in reasons.items()]
        raise UnreadableImageError(f"There is no scan in {source}.", "\n".join(listed) or None)
    return found
