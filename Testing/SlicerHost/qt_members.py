"""Properties, signals and slots of the classes of Qt that a .ui file can hold."""

from typing import Dict, FrozenSet, NamedTuple

from PySide6 import QtCore, QtGui, QtWidgets

from . import registry


class Members(NamedTuple):
    """Names of the properties; signatures of the signals and slots, without blanks."""

    properties: FrozenSet[str]
    signatures: FrozenSet[str]


_own: Dict[type, Members] = {}


def learn() -> None:
    """Reads every class once, before any object exists.

    PySide6 has one wrapper of a QMetaObject for a class and its objects, which dies with the first object
    that was asked for it: later there is nothing to read.
    """
    for module in (QtWidgets, QtGui):
        for name in dir(module):
            cls = getattr(module, name) if name.startswith("Q") else None
            if isinstance(cls, type) and issubclass(cls, QtCore.QObject):
                _learn_with_bases(cls)


def _learn_with_bases(cls: type) -> None:
    for base in cls.__mro__:
        if isinstance(base, type) and issubclass(base, QtCore.QObject) and base not in _own:
            _own[base] = _members_of(base)


def _members_of(cls: type) -> Members:
    meta = cls.staticMetaObject
    properties = [meta.property(index).name() for index in range(meta.propertyOffset(), meta.propertyCount())]
    methods = [meta.method(index) for index in range(meta.methodOffset(), meta.methodCount())]
    signatures = [method.methodSignature().data().decode().replace(" ", "") for method in methods]
    return Members(frozenset(properties), frozenset(signatures))


def members(title: str) -> Members:
    """All members of a class of Qt, inherited ones included; none for a class that Qt has not."""
    cls = registry.qt_class(title)
    bases = [] if cls is None else [_own[base] for base in cls.__mro__ if base in _own]
    return Members(
        frozenset().union(*[base.properties for base in bases]),
        frozenset().union(*[base.signatures for base in bases]),
    )
