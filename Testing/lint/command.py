"""The command: finds the files, asks every rule, prints what they say."""

import ast
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Set

from .facts import TESTING, Facts
from .findings import Finding, without_allowed
from .objects import Objects
from .rules.loading import check_loading
from .rules.manners import check_manners
from .rules.members import check_members
from .rules.names import check_names
from .rules.python39 import check_python39
from .rules.texts import check_texts
from .source import Source, dotted, read_source
from .ui_files import UiFile, check_ui, read_ui

ROOT = TESTING.parent
MODULE_PATHS = (ROOT / "LiverSeg", ROOT / "Resources" / "UI")
"""What is read if the command is given no paths."""


def main(arguments: Sequence[str]) -> int:
    """Check files and folders, print the findings; returns the exit status."""
    paths = [Path(argument) for argument in arguments] or list(MODULE_PATHS)
    missing = [path for path in paths if not path.exists()]
    if missing:
        print(f"There is no {missing[0]}.", file=sys.stderr)
        return 2
    findings = check(paths)
    for finding in findings:
        print(finding)
    read = ", ".join(f"{len(list(_files(paths, suffix)))} {suffix}" for suffix in (".py", ".ui"))
    print(f"{len(findings)} findings in files: {read}")
    return 1 if findings else 0


def check(paths: Sequence[Path], facts: Optional[Facts] = None, core: Optional[Path] = None) -> List[Finding]:
    """The findings in files and folders, by place.

    Args:
        paths: Files, or folders that are read whole.
        facts: What is known of Slicer; read if None.
        core: The folder LiverSegLib, to see what its modules load; the repository's if None.
    """
    facts = facts or Facts()
    core = core or ROOT / "LiverSegLib"
    found: List[Finding] = []
    uis: List[UiFile] = []
    sources: List[Source] = []
    for path in _files(paths, ".ui"):
        try:
            uis.append(read_ui(path, _name(path)))
        except ElementTree.ParseError as error:
            found.append(Finding(_name(path), error.position[0], "ui", f"this is no XML: {error}"))
    for path in _files(paths, ".py"):
        try:
            sources.append(read_source(path, _name(path)))
        except SyntaxError as error:
            found.append(
                Finding(_name(path), error.lineno or 1, "python39", f"this is no Python: {error.msg}")
            )
    widgets: Dict[str, str] = {}
    for ui in uis:
        widgets.update(ui.widgets)
    parameters = parameter_fields(sources)
    for ui in uis:
        found.extend(check_ui(ui, facts, parameters))
    for source in sources:
        found.extend(without_allowed(source.name, source.text, _check_source(source, facts, widgets, core)))
    return sorted(set(found))


def _check_source(source: Source, facts: Facts, widgets: Dict[str, str], core: Path) -> Iterator[Finding]:
    objects = Objects(source, facts, widgets)
    yield from check_python39(source)
    yield from check_names(source, facts)
    yield from check_members(source, facts, objects, widgets)
    yield from check_loading(source, core)
    yield from check_texts(source)
    yield from check_manners(source)


def parameter_fields(sources: Sequence[Source]) -> Optional[Set[str]]:
    """The fields of the classes that parameterNodeWrapper decorates; None if there is no such class."""
    fields: Optional[Set[str]] = None
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and any(
                "parameterNodeWrapper" in dotted(d) for d in node.decorator_list
            ):
                fields = (fields or set()) | {
                    f.target.id
                    for f in node.body
                    if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)
                }
    return fields


def _files(paths: Sequence[Path], suffix: str) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob(f"*{suffix}") if "__pycache__" not in p.parts)
        elif path.suffix == suffix:
            yield path


def _name(path: Path) -> str:
    """A path as messages show it: below the working folder if it lies there."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return path.as_posix()
