"""The modules `qt` and `ctk`, and the Qt classes of `slicer`, as Python in Slicer sees them."""

import types
from typing import Any, Callable, Dict, List

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from . import facts, registry
from .enums import EnumScope
from .pythonqt import class_without_body, unwrap, wrapped_class
from .signals import guarded

QT_MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)

opened_urls: List[str] = []
"""What was given to qt.QDesktopServices.openUrl: nothing is opened."""


def _open_url(url: Any) -> bool:
    if not isinstance(unwrap(url), QtCore.QUrl):
        raise ValueError("Could not find matching overload: QDesktopServices.openUrl wants a qt.QUrl")
    opened_urls.append(unwrap(url).toString())
    return True


def _single_shot(msec: int, function: Callable) -> None:
    if not isinstance(msec, int) or not callable(function):
        raise ValueError("Could not find matching overload: QTimer.singleShot wants (int, function)")
    QtCore.QTimer.singleShot(msec, guarded(function))


registry.replace_function("QDesktopServices", "openUrl", _open_url)
registry.replace_function("QTimer", "singleShot", _single_shot)


class QtModule(types.ModuleType):
    """`import qt`: every class of Qt 5.15 that PythonQt wraps, in one flat module."""

    def __init__(self) -> None:
        super().__init__("qt")
        self.Qt = EnumScope(QtCore.Qt)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or facts.listed_names("qt", name) is None:
            raise AttributeError(f"module 'qt' has no attribute {name!r}")
        custom = registry.find(name)
        if custom is not None:
            return wrapped_class(custom)
        for module in QT_MODULES:
            if hasattr(module, name):
                return wrapped_class(getattr(module, name))
        raise NotImplementedError(f"qt.{name} is real in Slicer {facts.release()}, the host lacks it")


class CtkModule(types.ModuleType):
    """`import ctk`."""

    def __init__(self) -> None:
        super().__init__("ctk")

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("ctk") or not (facts.is_widget_class(name) or facts.listed_names("ctk", name)):
            raise AttributeError(f"module 'ctk' has no attribute {name!r} in Slicer {facts.release()}")
        found = class_of_slicer(name)
        setattr(self, name, found)
        return found


def class_of_slicer(name: str) -> Any:
    """The class that Python sees for a class of Slicer or CTK; one that says so on use where the host has
    none.
    """
    custom = registry.find(name)
    return class_without_body(name) if custom is None else wrapped_class(custom)


def classes_of_slicer() -> Dict[str, Any]:
    """What `slicer` holds of Qt classes (qMRMLNodeComboBox, qSlicerScriptedLoadableModule, ...)."""
    names = set(facts.widget_classes())
    if facts.release() == facts.RELEASE_OF_NAMES:
        names.update(facts.listed_classes("slicer"))
    return {name: class_of_slicer(name) for name in sorted(names) if name.startswith(("qMRML", "qSlicer"))}
