"""What classes of Qt, CTK and Slicer have, in each supported release.

From three collections of names: the headers of Slicer and CTK (properties, slots, signals per release), what
Python sees in the running Slicer 5.8.1 (names, inherited ones included), and the wheels of PySide6, vtk and
slicer-core.
"""

import json
import lzma
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Set, Tuple

TESTING = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = "v5.8.1", "v5.12.3"
RELEASES = (OLDEST, "v5.10.0", NEWEST)

SUBMODULES = {
    "ScriptedLoadableModule": RELEASES,
    "app": RELEASES,
    "cli": RELEASES,
    "i18n": RELEASES,
    "modules": RELEASES,
    "moduleNames": RELEASES,
    "mrmlScene": RELEASES,
    "packaging": (NEWEST,),
    "parameterNodeWrapper": RELEASES,
    "testing": RELEASES,
    "util": RELEASES,
}
"""Attributes of the package slicer that are no classes, with the releases that have them."""


class Property(NamedTuple):
    """A Qt property: the name of its C++ type, and whether it can be written."""

    type: str
    writable: bool


class Facts:
    """Answers questions about classes, by name. What the facts do not tell is answered with yes."""

    def __init__(self) -> None:
        host = TESTING / "SlicerHost" / "facts"
        self._api = _read(host / "api.json.xz")
        names = _read(host / "python-names-5.8.1.json.xz")
        wheels = _read(TESTING / "lint" / "facts" / "wheels.json.xz")
        self._groups: Dict[str, Dict[str, FrozenSet[str]]] = {
            group: {name: frozenset(members) for name, members in names[group].items()}
            for group in ("qt", "ctk", "slicer")
        }
        self._qt = wheels["qt"]
        self._unknown_returns = wheels["unknown_returns"]
        self._vtk_classes = frozenset(wheels["vtk"]["classes"])
        self._vtk_members = frozenset(wheels["vtk"]["members"]).union(
            *(m for name, m in self._groups["slicer"].items() if name.startswith("vtk"))
        )
        newest = wheels[NEWEST]
        self._gone = {name: frozenset(members) for name, members in newest["gone"].items()}
        self._util = {OLDEST: names["slicer.util"], NEWEST: newest["util"]}
        self._util_others = frozenset(newest["util_others"])
        # asked again and again: kept with this object
        self._own_names = lru_cache(maxsize=None)(self._find_own_names)
        self._signals = lru_cache(maxsize=None)(self._find_signals)
        self._all_signals = lru_cache(maxsize=None)(self._find_all_signals)

    # ---- classes

    def lacking_class(self, group: str, name: str) -> List[str]:
        """The releases in which the module ``group`` (qt, ctk, slicer, vtk) has no class of this name."""
        if group == "vtk":
            return [] if name in self._vtk_classes or name.startswith("VTK_") else list(RELEASES)
        lacking = []
        for release in RELEASES:
            known = name in self._groups[group]
            if group != "qt" and not name.startswith("vtk") and release != OLDEST:
                known = known and (name in self._api[release] or name not in self._api[OLDEST])
                known = known or name in self._api[release]
            elif group == "slicer" and release == OLDEST:
                known = known or name in ("qSlicerApplication",)
            if not known:
                lacking.append(release)
        return lacking

    def is_class(self, name: str) -> bool:
        """Whether any of the modules has a class of this name."""
        return any(name in group for group in self._groups.values()) or name in self._api[OLDEST]

    def is_vtk(self, name: str) -> bool:
        """Whether this is a VTK or MRML class rather than one of Qt's."""
        return name.startswith("vtk")

    def lacking_widget(self, name: str) -> List[str]:
        """The releases in which a .ui file cannot use this widget class."""
        return [r for r in RELEASES if name not in self._api[r] and name not in self._groups["qt"]]

    # ---- members

    def lacking_member(self, class_name: str, member: str) -> List[str]:
        """The releases in which Python finds no such attribute on objects of the class."""
        return [r for r in RELEASES if not self._has_member(class_name, member, r)]

    def property(self, class_name: str, name: str, release: str = OLDEST) -> Optional[Property]:
        """The Qt property of that name, or None."""
        for facts in self._chain(class_name, release):
            found = facts["properties"].get(name)
            if found is not None:
                return (
                    Property(found["type"], found["write"]) if isinstance(found, dict) else Property(*found)
                )
        return None

    def lacking_property(self, class_name: str, name: str) -> List[str]:
        """The releases in which the class has no such property."""
        return [r for r in RELEASES if self.property(class_name, name, r) is None]

    def lacking_signal(self, class_name: str, signature: str) -> List[str]:
        """The releases in which the class has no signal of exactly this signature, ``name(types)``."""
        return [r for r in RELEASES if normalised(signature) not in self._signals(class_name, r)]

    def lacking_slot(self, class_name: str, signature: str) -> List[str]:
        """The releases in which a .ui file cannot connect to this slot."""
        wanted = normalised(signature)
        name = wanted.split("(")[0]
        lacking = []
        for release in RELEASES:
            chain = self._chain(class_name, release)
            slots = {normalised(slot) for facts in chain for slot in facts.get("slots", ())}
            # of Qt's own slots only the names are known
            if wanted not in slots and name not in self._qt_names(class_name, release):
                lacking.append(release)
        return lacking

    def signal_named(self, class_name: str, name: str) -> bool:
        """Whether this is no method but a signal, a constant or an enum of the class."""
        if self.is_vtk(class_name):
            return not name.startswith(("Get", "Is", "Has"))
        return not name[0].islower() or any(
            s.startswith(f"{name}(") for s in self._signals(class_name, OLDEST)
        )

    def unknown_return(self, class_name: str, method: str) -> Optional[str]:
        """The class of what a method of Qt returns by value, where PythonQt does not know that class."""
        owners = [name for name, _facts in self._named_chain(class_name, OLDEST)]
        returned = (self._unknown_returns.get(owner, {}).get(method) for owner in (class_name, *owners))
        return next((name for name in returned if name), None)

    def signal_anywhere(self, signature: str) -> bool:
        """Whether any class of any release has a signal of exactly this signature."""
        return normalised(signature) in self._all_signals()

    def vtk_member(self, name: str) -> bool:
        """Whether any VTK or MRML class of 5.8.1 has this attribute."""
        return name in self._vtk_members

    # ---- slicer.util

    def lacking_util(self, name: str) -> List[str]:
        """The releases in which slicer.util has no such name."""
        if name in self._util_others:
            return []
        return [release for release, functions in self._util.items() if name not in functions]

    def util_keywords(self, name: str) -> Optional[Set[str]]:
        """The keywords that a function of slicer.util takes in all releases; None if it takes any."""
        signatures = [functions[name] for functions in self._util.values() if name in functions]
        if not signatures or any("**" in signature for signature in signatures):
            return None
        return set.intersection(*(set(re.findall(r"[(,]\s*(\w+)\s*(?=[,=):])", s)) for s in signatures))

    # ---- how the answers are found

    def _has_member(self, class_name: str, member: str, release: str) -> bool:
        known = next((group[class_name] for group in self._groups.values() if class_name in group), None)
        if known and member.endswith("_") and member[:-1] in known:
            return True  # exec_, raise_, print_: PythonQt's way around Python's own words
        if self.is_vtk(class_name):
            gone = release == NEWEST and member in self._gone.get(class_name, ())
            return (known is None or member in known) and not gone
        if known is not None and release == OLDEST:
            return member in known
        if member in self._own_names(class_name, release) or member in self._qt_names(class_name, release):
            return True
        # PythonQt adds names that no header has; they stay unless the headers of 5.8.1 had them
        return known is not None and member in known and member not in self._own_names(class_name, OLDEST)

    def _chain(self, class_name: str, release: str) -> Iterator[Dict[str, Any]]:
        """The facts of a class and of its bases."""
        return (facts for _name, facts in self._named_chain(class_name, release))

    def _named_chain(self, class_name: str, release: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        api, seen = self._api[release], set()
        while class_name and class_name not in seen:
            seen.add(class_name)
            facts = api.get(class_name) or self._qt.get(class_name)
            if facts is None:
                # a value of Qt has no properties; a base that is neither Qt's nor Slicer's, such as
                # QVTKOpenGLNativeWidget, is a widget at any rate
                base = "" if class_name in self._groups["qt"] else "QWidget"
                facts = {"base": base, "properties": {}, "signals": [], "slots": []}
            yield class_name, facts
            class_name = facts["base"]

    def _find_own_names(self, class_name: str, release: str) -> FrozenSet[str]:
        names: Set[str] = set()
        for name, facts in self._named_chain(class_name, release):
            names.update(_added_by_decorators(self._api[release], name))
            names.update(facts["properties"])
            names.update(s.split("(")[0] for s in (*facts["signals"], *facts.get("slots", ())))
            for enum in facts.get("enums", {}).values():
                names.update(enum["values"])
        return frozenset(names)

    def _qt_names(self, class_name: str, release: str) -> FrozenSet[str]:
        """The names of the first base that is Qt's own."""
        api, seen = self._api[release], set()
        while class_name in api and class_name not in seen:
            seen.add(class_name)
            class_name = api[class_name]["base"]
        return self._groups["qt"].get(class_name) or self._groups["qt"]["QWidget"]

    def _find_signals(self, class_name: str, release: str) -> FrozenSet[str]:
        found = set()
        for facts in self._chain(class_name, release):
            found.update(normalised(signal) for signal in facts["signals"])
        # a signal that only newer Qt has is not among the names of 5.8.1
        known = next((group[class_name] for group in self._groups.values() if class_name in group), None)
        ours = {normalised(s) for f in self._chain(class_name, release) if "slots" in f for s in f["signals"]}
        return frozenset(s for s in found if s in ours or known is None or s.split("(")[0] in known)

    def _find_all_signals(self) -> FrozenSet[str]:
        signals = {s for api in self._api.values() for facts in api.values() for s in facts["signals"]}
        signals.update(s for facts in self._qt.values() for s in facts["signals"])
        return frozenset(map(normalised, signals))


def normalised(signature: str) -> str:
    """A signal's or slot's signature as Qt compares it: no needless const, reference or space."""
    text = re.sub(r"\bconst\s+([\w:<>, ]+?)\s*&", r"\1", signature)
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"\s*([(),*&<>:])\s*", r"\1", text)


def _added_by_decorators(api: Dict[str, Any], class_name: str) -> Set[str]:
    """What PythonQt's decorators add to a class: slots ``name(Class*, ...)`` and ``static_Class_name()``."""
    static, added = f"static_{class_name}_", set()
    for decorator, facts in api.items():
        if decorator.endswith("PythonQtDecorators"):
            for slot in facts["slots"]:
                name, _, arguments = slot.partition("(")
                if name.startswith(static):
                    added.add(name[len(static) :])
                elif arguments.startswith((f"{class_name}*,", f"{class_name}*)")):
                    added.add(name)
    return added


def _read(path: Path) -> Any:
    return json.loads(lzma.decompress(path.read_bytes()))
