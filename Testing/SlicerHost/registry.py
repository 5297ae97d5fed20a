"""The host's own classes for those of Slicer and CTK, by name."""

import itertools
from typing import Any, Callable, Dict, Optional, Tuple

from PySide6 import QtCore, QtGui, QtWidgets

_classes: Dict[str, type] = {}
_functions: Dict[Tuple[str, str], Callable] = {}
_numbers = itertools.count()


def slicer_class(cls: type) -> type:
    """Class decorator: the class stands for the one of Slicer or CTK that bears its name (or its
    `slicerName`).
    """
    if "slicerName" not in cls.__dict__:
        cls.slicerName = cls.__name__
    _classes[cls.slicerName] = cls
    return cls


def find(name: str) -> Optional[type]:
    """The host's class for a class of Slicer or CTK; None where it has none."""
    return _classes.get(name)


def all_classes() -> Dict[str, type]:
    """Every class of Slicer and CTK that the host has."""
    return dict(_classes)


def qt_class(name: str) -> Optional[type]:
    """A class of Qt by name; None where Qt 6 has none."""
    for module in (QtWidgets, QtGui, QtCore):
        if hasattr(module, name):
            return getattr(module, name)
    return None


def replace_function(title: str, name: str, function: Callable) -> None:
    """Lets the host's function stand for a static function of a class of Qt."""
    _functions[title, name] = function


def replaced_function(title: str, name: str) -> Optional[Callable]:
    """What stands for `title.name`; None for a function of Qt as it is."""
    return _functions.get((title, name))


def stored_property(
    kind: Any, default: Any, changed: Optional[Callable[[Any], None]] = None
) -> QtCore.Property:
    """A property of Qt that is only kept: `kind` as PySide6 wants it (bool, 'QString'), and what to do on
    change.
    """
    key = f"_stored_{next(_numbers)}"

    def read(self: Any) -> Any:
        return self.__dict__.get(key, default)

    def write(self: Any, value: Any) -> None:
        self.__dict__[key] = value
        if changed is not None:
            changed(self)

    return QtCore.Property(kind, read, write)
