"""The .ui files: which widgets they name, and what in them a release of Slicer does not know."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from .facts import RELEASES, Facts, normalised
from .findings import Finding

DESIGNER_CLASSES = {"Line": "QFrame"}
"""Classes that exist in Qt Designer only, and what they become."""
PARAMETER = "SlicerParameterName"
"""The dynamic property that binds a widget to a field of the parameter node."""


class UiFile(NamedTuple):
    """A .ui file: its name for messages, its text and the class of each of its widgets, by object name."""

    name: str
    text: str
    root: ElementTree.Element
    widgets: Dict[str, str]


def read_ui(path: Path, name: str) -> UiFile:
    """Read a .ui file.

    Raises:
        xml.etree.ElementTree.ParseError: it is no XML.
    """
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    widgets = {w.get("name", ""): _class_of(w) for w in root.iter("widget")}
    return UiFile(name, text, root, widgets)


def check_ui(ui: UiFile, facts: Facts, parameters: Optional[Set[str]]) -> Iterator[Finding]:
    """What is wrong in a .ui file. ``parameters`` are the fields of the parameter node, None if not known."""
    for widget in ui.root.iter("widget"):
        yield from _check_widget(ui, widget, facts, parameters)
    for connection in ui.root.iter("connection"):
        yield from _check_connection(ui, connection, facts)
    seen: Set[str] = set()
    for widget in ui.root.iter("widget"):
        name = widget.get("name", "")
        if name in seen:
            yield _finding(ui, name, "ui", f"two widgets are named {name}")
        seen.add(name)


def _check_widget(
    ui: UiFile, widget: ElementTree.Element, facts: Facts, parameters: Optional[Set[str]]
) -> Iterator[Finding]:
    name, class_name = widget.get("name", ""), _class_of(widget)
    lacking = facts.lacking_widget(class_name)
    if lacking:
        yield _finding(ui, name, "ui", f"{class_name} is no widget class in {in_releases(lacking)}")
        return
    for found in widget.findall("property"):
        key = found.get("name", "")
        if found.get("stdset") == "0":
            if key == PARAMETER and parameters is not None:
                value = (found.findtext("string") or "").strip()
                if value.split(".")[0] not in parameters:
                    yield _finding(ui, name, "ui", f"the parameter node has no field {value!r}")
        elif widget.get("class") == "Line" and key == "orientation":
            continue
        else:
            lacking = facts.lacking_property(class_name, key)
            if lacking:
                yield _finding(
                    ui, name, "ui", f"{class_name} has no property {key} in {in_releases(lacking)}"
                )


def _check_connection(ui: UiFile, connection: ElementTree.Element, facts: Facts) -> Iterator[Finding]:
    ends: List[Tuple[str, str]] = []
    for role, part in (("sender", "signal"), ("receiver", "slot")):
        name, signature = connection.findtext(role) or "", connection.findtext(part) or ""
        ends.append((name, signature))
        if name not in ui.widgets:
            yield _finding(ui, name, "ui", f"a connection names {name}, which is no widget of this file")
            return
        class_name = ui.widgets[name]
        lacking = (facts.lacking_signal if part == "signal" else facts.lacking_slot)(class_name, signature)
        if lacking:
            yield _finding(
                ui, name, "signal", f"{class_name} has no {part} {signature} in {in_releases(lacking)}"
            )
            return
    given, taken = (_arguments(signature) for _name, signature in ends)
    if given[: len(taken)] != taken:
        yield _finding(ui, ends[0][0], "signal", f"{ends[0][1]} does not give what {ends[1][1]} takes")


def _arguments(signature: str) -> List[str]:
    inside = normalised(signature).partition("(")[2].rstrip(")")
    return inside.split(",") if inside else []


def _class_of(widget: ElementTree.Element) -> str:
    class_name = widget.get("class", "")
    return DESIGNER_CLASSES.get(class_name, class_name)


def _finding(ui: UiFile, name: str, code: str, message: str) -> Finding:
    """A finding at the line where the object name stands first (ElementTree keeps no lines)."""
    match = re.search(rf'name="{re.escape(name)}"|<sender>{re.escape(name)}<', ui.text)
    return Finding(ui.name, ui.text.count("\n", 0, match.start()) + 1 if match else 1, code, message)


def in_releases(releases: Iterable[str]) -> str:
    """ "Slicer", or "Slicer 5.8.1 and 5.10.0" where only some releases lack something."""
    releases = list(releases)
    if len(releases) == len(RELEASES):
        return "Slicer"
    return "Slicer " + " and ".join(release.lstrip("v") for release in releases)
