"""What Slicer's classes offer to Python, release by release: the law that the host holds a module to."""

import inspect
import json
import lzma
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Optional, Tuple

RELEASES = ("v5.8.1", "v5.10.0", "v5.12.3")
"""Releases whose headers were read."""

RELEASE_OF_NAMES = "v5.8.1"
"""The release in which every name that Python sees was listed; Qt's own names hold for the others too."""

FOLDER = Path(__file__).parent / "facts"

PYTHONQT_EXTRAS = frozenset(
    {"connect", "disconnect", "findChild", "findChildren", "className", "delete", "help"}
)
"""Methods that PythonQt adds to every QObject."""


def release() -> str:
    """The release that is policed: environment variable LIVERSEG_SLICER_RELEASE, or v5.8.1, the oldest
    supported.

    Raises:
        ValueError: no facts of that release.
    """
    chosen = os.environ.get("LIVERSEG_SLICER_RELEASE", RELEASES[0])
    if chosen not in RELEASES:
        raise ValueError(f"LIVERSEG_SLICER_RELEASE={chosen}: no facts of that release. Available: {RELEASES}")
    return chosen


def version() -> Tuple[int, int, int]:
    """The policed release as numbers, (5, 8, 1)."""
    major, minor, patch = release().lstrip("v").split(".")
    return int(major), int(minor), int(patch)


def _read(name: str) -> Dict:
    return json.loads(lzma.decompress((FOLDER / name).read_bytes()))


@lru_cache(maxsize=None)
def _classes_of(named_release: str) -> Dict[str, Dict]:
    classes = _read("api.json.xz")[named_release]
    for decorators in [name for name in classes if name.endswith("PythonQtDecorators")]:
        for slot in classes[decorators]["slots"]:
            _add_decorated(classes, slot)
    return classes


def _classes() -> Dict[str, Dict]:
    return _classes_of(release())


def _add_decorated(classes: Dict[str, Dict], slot: str) -> None:
    """Gives a class the method that PythonQt adds by a slot of a decorator, static_Class_method(..) or
    method(Class*,..).
    """
    title, arguments = slot.rstrip(")").split("(", 1)
    if title.startswith("static_"):
        _, owner, method = title.split("_", 2)
    else:
        method, (first, _, arguments) = title, arguments.partition(",")
        owner = first.rstrip("*")
    in_qt = owner in classes and method in (listed_names("qt", _qt_base(classes, owner)) or ())
    if owner in classes and not in_qt:
        classes[owner]["slots"].append(f"{method}({arguments})")


def _qt_base(classes: Dict[str, Dict], name: str) -> str:
    while name in classes and classes[name]["base"]:
        name = classes[name]["base"]
    return name if name not in classes else "QObject"


@lru_cache(maxsize=None)
def _names() -> Dict[str, Dict]:
    return _read("python-names-5.8.1.json.xz")


@lru_cache(maxsize=None)
def listed_names(module: str, name: str) -> Optional[FrozenSet[str]]:
    """Everything `dir()` shows of `module.name` ('qt', 'ctk', 'slicer') in Slicer 5.8.1; None for an
    unlisted class.
    """
    names = _names()[module].get(name)
    return None if names is None else frozenset(names)


def listed_classes(module: str) -> List[str]:
    """Names that the module ('qt', 'ctk', 'slicer') holds in Slicer 5.8.1."""
    return list(_names()[module])


def util_signatures() -> Dict[str, inspect.Signature]:
    """Functions of slicer.util in Slicer 5.8.1."""
    found = {}
    for name, text in _names()["slicer.util"].items():
        scope: Dict = {}
        arguments = re.sub(r"<function .*? at 0x[0-9a-f]+>", "None", text)
        exec(f"def stand_in{arguments}: pass", scope)
        found[name] = inspect.signature(scope["stand_in"])
    return found


def _later() -> List[Dict[str, Dict]]:
    """The classes of each supported release after the policed one: what they lost is not to be used."""
    return [_classes_of(name) for name in RELEASES[RELEASES.index(release()) + 1 :]]


def is_widget_class(name: str) -> bool:
    """Whether Slicer or CTK has such a class in this release and all later ones."""
    return all(name in classes for classes in (_classes(), *_later()))


def widget_classes() -> List[str]:
    """Every class of Slicer and CTK with facts, in this release."""
    return list(_classes())


def chain(name: str) -> Iterator[Tuple[str, Dict]]:
    """(class, facts) of a class of Slicer or CTK and of its bases, up to the first class of Qt."""
    return _chain(_classes(), name)


def _chain(known: Dict[str, Dict], name: str) -> Iterator[Tuple[str, Dict]]:
    while name in known:
        yield name, known[name]
        name = known[name]["base"]


def qt_base(name: str) -> str:
    """The class of Qt on which a class of Slicer or CTK is built; the name itself for a class of Qt."""
    return _qt_base(_classes(), name)


@lru_cache(maxsize=None)
def exposes(name: str, member: str) -> bool:
    """Whether Python sees `member` on objects of class `name` (of Qt, Slicer or CTK) in this release, and
    no later one has lost it.
    """
    if member in PYTHONQT_EXTRAS:
        return True
    if kind(name, member) is not None and not all(_kind(classes, name, member) for classes in _later()):
        return False
    if release() == RELEASE_OF_NAMES or not is_widget_class(name):
        for module in ("qt", "ctk", "slicer"):
            listed = listed_names(module, name)
            if listed is not None:
                return member in listed
    if kind(name, member) is not None or _beyond_headers(name, member):
        return True
    listed = listed_names("qt", qt_base(name))
    return listed is not None and member in listed


def _beyond_headers(name: str, member: str) -> bool:
    """Whether Slicer 5.8.1 shows a member, of the class or a base, that its headers do not tell of (such as
    logic() of a module): taken to be there in later releases too.
    """
    older = _classes_of(RELEASE_OF_NAMES)
    for title, _ in chain(name):
        listed = listed_names("slicer", title) or listed_names("ctk", title) or ()
        if member in listed:
            told = [
                entry.split("(")[0]
                for _, facts in _chain(older, title)
                for group in ("properties", "slots", "signals")
                for entry in facts[group]
            ]
            return member not in told
    return False


@lru_cache(maxsize=None)
def kind(name: str, member: str) -> Optional[str]:
    """'property', 'slot', 'signal' or 'enum' for a member that Slicer or CTK adds to Qt; None for all
    others.
    """
    return _kind(_classes(), name, member)


def _kind(known: Dict[str, Dict], name: str, member: str) -> Optional[str]:
    for _, facts in _chain(known, name):
        if member in facts["properties"]:
            return "property"
        if any(slot.split("(")[0] == member for slot in facts["slots"]):
            return "slot"
        if any(signal.split("(")[0] == member for signal in facts["signals"]):
            return "signal"
        if any(
            enum["q"] and (member == title or member in enum["values"])
            for title, enum in facts["enums"].items()
        ):
            return "enum"
    return None


def property_facts(name: str, member: str) -> Optional[Dict]:
    """{'type', 'write'} of a property that Slicer or CTK adds; None where it adds none of that name."""
    for _, facts in chain(name):
        if member in facts["properties"]:
            return facts["properties"][member]
    return None


def slot_signatures(name: str, member: str) -> List[List[str]]:
    """Argument types of every overload of a slot that Slicer or CTK adds."""
    found = []
    for _, facts in chain(name):
        for slot in facts["slots"]:
            title, _, arguments = slot.partition("(")
            if title == member:
                arguments = arguments.rstrip(")")
                found.append(arguments.split(",") if arguments else [])
    return found


def has_signal(name: str, signature: str) -> bool:
    """Whether Slicer or CTK adds the signal; `signature` without blanks, as in
    currentNodeChanged(vtkMRMLNode*).
    """
    return any(
        signature == signal.replace(" ", "") for _, facts in chain(name) for signal in facts["signals"]
    )
