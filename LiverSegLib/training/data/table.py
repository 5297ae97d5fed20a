"""The cases of the data sets that a recipe names."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import List, Tuple

from LiverSegLib.errors import InputError
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.layouts import LAYOUTS, layout_of
from LiverSegLib.training.data.options import DataOptions, SourceOptions
from LiverSegLib.training.data.reading import header_problem

Broken = Tuple[str, str]
"""Id of a case and why it cannot be used."""


@dataclass(frozen=True)
class CaseTable:
    """What a data set holds.

    Attributes:
        cases: those that can be used, as far as their headers tell.
        broken: id and reason of the others.
    """

    cases: Tuple[Case, ...]
    broken: Tuple[Broken, ...] = ()

    @property
    def summary(self) -> str:
        """One line: how many cases, patients and broken ones."""
        patients = len({case.patient for case in self.cases})
        text = f"{len(self.cases)} cases of {patients} patients"
        return text + (f", {len(self.broken)} broken and left out" if self.broken else "")


def read_cases(options: DataOptions) -> CaseTable:
    """The cases of all data sets of a recipe, in a stable order. Only names and headers are read.

    Raises:
        InputError: a folder is missing, is not of the layout stated, or no case of it can be used; more than
            half of the cases are broken; a case that ``only`` or ``without`` names is not there.
    """
    cases: List[Case] = []
    broken: List[Broken] = []
    for source in options.sources:
        found = _read_source(source)
        cases += found.cases
        broken += found.broken
    counts = Counter(case.id for case in cases)
    named = [replace(case, id=f"{case.dataset}-{case.id}") if counts[case.id] > 1 else case for case in cases]
    twice = [name for name, count in Counter(case.id for case in named).items() if count > 1]
    if twice:
        raise InputError(f"The case {twice[0]} is there twice; is a data set named twice?")
    return CaseTable(tuple(named), tuple(broken))


def _read_source(source: SourceOptions) -> CaseTable:
    folder = Path(source.folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} with training data.")
    layout = layout_of(folder) if source.layout == "auto" else LAYOUTS.get(source.layout)
    if layout is None:
        names = ", ".join(["auto", *LAYOUTS])
        raise InputError(f"The layout {source.layout} is not known; there are {names}.")
    there = layout.cases(folder, source)
    _check_names(source, {case.id for case in there})
    listed = [case for case in there if _chosen(case, source)]
    if not source.labels:
        listed = [replace(case, label=None, annotated=(), values=(), split="unlabelled") for case in listed]
    problems = [(case, header_problem(case)) for case in listed]
    good = tuple(case for case, problem in problems if problem is None)
    broken = tuple((case.id, problem) for case, problem in problems if problem is not None)
    check_broken(len(listed), broken, str(folder))
    if not good:
        raise InputError(f"{folder} ({layout.title}) holds no case.", layout.expects)
    return CaseTable(good, broken)


def check_broken(count: int, broken: Tuple[Broken, ...], where: str) -> None:
    """Raise InputError if more than half of ``count`` cases are broken."""
    if 2 * len(broken) > count:
        name, reason = broken[0]
        text = f"{len(broken)} of {count} cases of {where} cannot be used; the first is {name}: {reason}"
        raise InputError(text, "\n".join(f"{name}: {reason}" for name, reason in broken))


def _chosen(case: Case, source: SourceOptions) -> bool:
    return (source.only is None or case.id in source.only) and case.id not in source.without


def _check_names(source: SourceOptions, ids: "set[str]") -> None:
    missing = sorted({*(source.only or ()), *source.without} - ids)
    if missing:
        raise InputError(f"{source.folder} holds no case {missing[0]}.", f"Not there: {missing}")
