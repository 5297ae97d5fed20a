"""Write Testing/lint/facts/wheels.json.xz: what the lint knows of Qt, VTK and Slicer 5.12.

    python Testing/tools/gather_lint_facts.py

Reads the installed wheels of PySide6, vtk and slicer-core, and the test host's facts. Run it when one of them
changes and commit the file. Names and signatures only.
"""

import ast
import inspect
import json
import lzma
import sys
from pathlib import Path
from typing import Any, Dict, List, Set

TESTING = Path(__file__).resolve().parents[1]
HOST_FACTS = TESTING / "SlicerHost" / "facts" / "python-names-5.8.1.json.xz"
TARGET = TESTING / "lint" / "facts" / "wheels.json.xz"
NEWEST = "v5.12.3"

VTK_MODULES = (
    "vtkCommonColor vtkCommonCore vtkCommonDataModel vtkCommonExecutionModel vtkCommonMath "
    "vtkCommonTransforms vtkFiltersCore vtkFiltersGeneral vtkFiltersSources vtkImagingCore vtkImagingGeneral "
    "vtkImagingStencil vtkRenderingCore"
).split()
"""The parts of VTK that a module which shows results in a scene has to do with."""


def qt_classes(known: Set[str]) -> Dict[str, Any]:
    """QObject classes of Qt that PythonQt knows: base, properties (name -> [type, writable]), signals."""
    from PySide6 import QtCore, QtGui, QtWidgets

    classes = {}
    for module in (QtCore, QtGui, QtWidgets):
        for name in known & set(dir(module)):
            qt_class = getattr(module, name)
            if isinstance(qt_class, type) and issubclass(qt_class, QtCore.QObject):
                classes[name] = _qt_class(qt_class.staticMetaObject)
    return classes


def _qt_class(meta: Any) -> Dict[str, Any]:
    parent = meta.superClass()
    properties = {}
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        found = meta.property(index)
        properties[found.name()] = [found.typeName(), found.isWritable()]
    signals = []
    for index in range(meta.methodOffset(), meta.methodCount()):
        method = meta.method(index)
        if method.methodType() == method.MethodType.Signal:
            signals.append(method.methodSignature().data().decode())
    return {
        "base": parent.className() if parent is not None else "",
        "properties": properties,
        "signals": sorted(signals),
    }


def unknown_returns(known: Dict[str, List[str]]) -> Dict[str, Dict[str, str]]:
    """Class -> method -> class of what it returns by value, where that has no default constructor.

    PythonQt raises when such a method is called. Read from the wheel's .pyi files.
    """
    import PySide6
    from PySide6 import QtCore, QtGui, QtWidgets

    modules = (QtCore, QtGui, QtWidgets)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["facts"])
    found: Dict[str, Dict[str, str]] = {}
    for module in modules:
        stub = Path(PySide6.__file__).with_name(f"{module.__name__.split('.')[-1]}.pyi")
        for owner in ast.parse(stub.read_text(encoding="utf-8")).body:
            if not isinstance(owner, ast.ClassDef) or owner.name not in known:
                continue
            for method in owner.body:
                if isinstance(method, ast.FunctionDef) and method.name in known[owner.name]:
                    returned = ast.unparse(method.returns).split(".")[-1] if method.returns else ""
                    classes = [getattr(module, returned) for module in modules if hasattr(module, returned)]
                    if classes and _lacks_default(classes[0]):
                        found.setdefault(owner.name, {})[method.name] = returned
    del application
    return found


def _lacks_default(returned: Any) -> bool:
    """Whether objects of the class can be copied but not made from nothing."""
    if not isinstance(returned, type) or "__copy__" not in vars(returned):
        return False
    try:
        returned()
    except TypeError:
        return True
    return False


def vtk_names() -> Dict[str, List[str]]:
    """All class names of VTK, and every method and constant name of the parts in VTK_MODULES."""
    import importlib

    import vtk

    classes = sorted(
        name for name in dir(vtk) if name.startswith("vtk") and isinstance(getattr(vtk, name), type)
    )
    members: Set[str] = set()
    for module in VTK_MODULES:
        for value in vars(importlib.import_module(f"vtkmodules.{module}")).values():
            if isinstance(value, type):
                members.update(name for name in dir(value) if name[0].isupper())
    return {"classes": classes, "members": sorted(members)}


def slicer_newest(names: Dict[str, List[str]]) -> Dict[str, Any]:
    """What of 5.8.1's MRML classes is gone in the newest release, and the newest slicer.util."""
    import slicer
    import slicer.util

    gone = {}
    for name, members in names.items():
        if name.startswith("vtk") and hasattr(slicer, name):
            there = set(dir(getattr(slicer, name)))
            lost = sorted(member for member in members if member not in there and not member.startswith("_"))
            if lost:
                gone[name] = lost
    tree = ast.parse(inspect.getsource(slicer.util))
    functions = {n.name: f"({ast.unparse(n.args)})" for n in tree.body if isinstance(n, ast.FunctionDef)}
    others = sorted(n for n in vars(slicer.util) if n not in functions and not n.startswith("_"))
    return {"gone": gone, "util": functions, "util_others": others}


def main() -> int:
    """Write the file; returns the exit status."""
    known = json.loads(lzma.open(HOST_FACTS).read())
    facts = {
        "about": "Qt's classes as PySide6 has them, VTK's names, what changed in Slicer since 5.8.1",
        "qt": qt_classes(set(known["qt"])),
        "unknown_returns": unknown_returns(known["qt"]),
        "vtk": vtk_names(),
        NEWEST: slicer_newest(known["slicer"]),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(lzma.compress(json.dumps(facts, separators=(",", ":"), sort_keys=True).encode()))
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1024:.0f} KiB, {len(facts['qt'])} Qt classes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
