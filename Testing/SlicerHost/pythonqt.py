"""PythonQt's rules imposed on PySide6.

Slicer shows Qt to Python through PythonQt: a property is an attribute and wins over a method of that name,
enumerations are integers, an unknown attribute cannot be written, a Qt class cannot be told apart from its
objects' type by subclassing. Here every object of PySide6 is handed out inside a `Wrapped` proxy with those
rules, and `facts` says which names there are.
"""

import keyword
from typing import Any, Dict, Optional, Tuple

import shiboken6
from PySide6 import QtCore

from . import facts, modal, registry, signals
from .conversion import QT4_KEYWORDS, call_qt, check_property_value, check_slot_arguments, register_wrapping
from .enums import as_integer

_classes: Dict[type, "WrappedClass"] = {}


def slicer_name(cls: type) -> str:
    """The name under which Slicer knows a class of PySide6 or of the host (`qMRMLWidget`, `QPushButton`)."""
    for base in cls.__mro__:
        if "slicerName" in base.__dict__:
            return base.slicerName
        if base.__module__.startswith("PySide6"):
            return base.__name__
    raise TypeError(f"{cls.__name__} is not a class of Qt")


def _without_keyword_suffix(name: str) -> str:
    """PythonQt shows `exec` and `raise` as `exec_` and `raise_` too."""
    stripped = name[:-1]
    return (
        stripped if name.endswith("_") and (keyword.iskeyword(stripped) or stripped in QT4_KEYWORDS) else name
    )


class WrappedClass(type):
    """Type of the proxies' classes: constructing, class attributes (enumerations, static methods), and no
    subclassing.
    """

    def __new__(mcs, name: str, bases: Tuple[type, ...], scope: Dict[str, Any]) -> "WrappedClass":
        if bases and "_made_by_host" not in scope:
            raise TypeError(
                f"class {name}({bases[0].__name__}): do not derive from a Qt class in Slicer, "
                "virtual functions and ownership go wrong; hold the object in an attribute instead"
            )
        return super().__new__(mcs, name, bases, scope)

    def __init__(cls, name: str, bases: Tuple[type, ...], scope: Dict[str, Any]) -> None:
        super().__init__(name, bases, scope)

    def __call__(cls, *arguments: Any, **properties: Any) -> Any:
        wrapped_class = cls._wrapped_class
        if wrapped_class is None:
            raise NotImplementedError(
                f"{cls.__name__} is real in Slicer {facts.release()}, the host has none"
            )
        instance = wrap(call_qt(wrapped_class, arguments, cls.__name__))
        for name, value in properties.items():
            setattr(instance, name, value)
        return instance

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        title = cls.__name__
        known = _without_keyword_suffix(name)
        if not facts.exposes(title, known):
            raise AttributeError(
                f"type object '{title}' has no attribute {name!r} in Slicer {facts.release()}"
            )
        replaced = registry.replaced_function(title, name)
        if replaced is not None:
            return replaced
        value = getattr(cls._wrapped_class, name, None)
        if value is None:
            raise NotImplementedError(
                f"{title}.{name} is real in Slicer {facts.release()}, the host has none"
            )
        number = as_integer(value)
        if number is not None:
            return number
        if isinstance(value, type):
            return value
        return lambda *arguments: call_qt(value, arguments, f"{title}.{name}")

    def __setattr__(cls, name: str, value: Any) -> None:
        raise TypeError(f"cannot set '{name}' of the Qt class '{cls.__name__}'")


class Wrapped(metaclass=WrappedClass):
    """An object of Qt as Python in Slicer sees it."""

    __slots__ = ("_qt", "__weakref__")
    _wrapped_class: Optional[type] = None

    def __getattr__(self, name: str) -> Any:
        return read_attribute(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        write_attribute(self, name, value)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Wrapped):
            return False
        if isinstance(self._qt, QtCore.QObject):
            return self._qt is other._qt
        return self._qt == other._qt

    def __hash__(self) -> int:
        return hash(id(self._qt))

    def __bool__(self) -> bool:
        return shiboken6.isValid(self._qt)

    def __add__(self, other: Any) -> Any:
        return wrap(self._qt + unwrap(other))

    def __sub__(self, other: Any) -> Any:
        return wrap(self._qt - unwrap(other))

    def __mul__(self, other: Any) -> Any:
        return wrap(self._qt * unwrap(other))

    def __truediv__(self, other: Any) -> Any:
        return wrap(self._qt / unwrap(other))

    def __repr__(self) -> str:
        return f"{slicer_name(type(self._qt))} (C++ object at: {id(self._qt):#x})"


def wrapped_class(cls: type) -> WrappedClass:
    """The class of proxies for a class of PySide6 or of the host; bases as Slicer has them."""
    if cls not in _classes:
        name = slicer_name(cls)
        if cls.__dict__.get("slicerName") is None and not cls.__module__.startswith("PySide6"):
            parent = next(base for base in cls.__mro__[1:] if slicer_name(base) == name)
            _classes[cls] = wrapped_class(parent)
        else:
            _classes[cls] = _make_class(name, cls, _base_of(name, cls))
    return _classes[cls]


def _base_of(name: str, cls: type) -> type:
    base = next((facts_of["base"] for _, facts_of in facts.chain(name)), None)
    if base is not None:
        found = registry.find(base) or registry.qt_class(base) or QtCore.QObject
        return wrapped_class(found)
    for parent in cls.__mro__[1:]:
        if parent.__module__.startswith("PySide6"):
            return wrapped_class(parent)
    return Wrapped


def _make_class(name: str, cls: Optional[type], base: type) -> WrappedClass:
    return WrappedClass(name, (base,), {"_wrapped_class": cls, "__slots__": (), "_made_by_host": True})


def class_without_body(name: str) -> WrappedClass:
    """A class that Slicer has and the host lacks: using it says so."""
    return _make_class(name, None, Wrapped)


def wrap(value: Any) -> Any:
    """A value of Qt as Slicer's Python sees it: objects in proxies, enumerations as integers, lists as
    tuples.
    """
    if isinstance(value, Wrapped):
        return value
    number = as_integer(value)
    if number is not None:
        return number
    if type(value).__module__.startswith("PySide6") or isinstance(value, QtCore.QObject):
        proxy = object.__new__(wrapped_class(type(value)))
        object.__setattr__(proxy, "_qt", value)
        return proxy
    if type(value) in (list, tuple):
        return tuple(wrap(item) for item in value)
    return value


def unwrap(value: Any) -> Any:
    """What PySide6 wants for a value of Slicer's Python."""
    if isinstance(value, Wrapped):
        return value._qt
    if isinstance(value, WrappedClass):
        return value._wrapped_class
    member = getattr(value, "member", None) if isinstance(value, int) else None
    if member is not None:
        return member
    if type(value) in (list, tuple):
        return [unwrap(item) for item in value]
    if type(value) is dict:
        return {key: unwrap(item) for key, item in value.items()}
    return value


register_wrapping(wrap, unwrap)


def read_attribute(proxy: Wrapped, name: str) -> Any:
    """`proxy.name`: property, slot, signal, method, enumeration value, dynamic property or child, in
    PythonQt's order.
    """
    target = proxy._qt
    if name.startswith("__"):
        raise AttributeError(name)
    title = slicer_name(type(target))
    if not isinstance(target, QtCore.QObject):
        return _read_of_value(target, title, name)
    if not shiboken6.isValid(target):
        raise ValueError(f"Trying to use '{name}' of a destroyed {title} object")
    if name == "name" and facts.kind(title, name) is None:
        return target.objectName()
    if name in signals.METHODS:
        return lambda *arguments: signals.METHODS[name](proxy, *arguments)
    known = _without_keyword_suffix(name)
    if not facts.exposes(title, known):
        return _read_dynamic(target, title, name)
    if _has_property(target, title, known):
        return wrap(target.property(known))
    value = getattr(target, name, None)
    if value is None:
        raise NotImplementedError(f"{title}.{name} is real in Slicer {facts.release()}, the host lacks it")
    if isinstance(value, QtCore.SignalInstance):
        return signals.BoundSignal(proxy, known)
    if not callable(value):
        return wrap(value)
    replaced = modal.method(target, known)
    return _method(replaced or value, target, title, known)


def _has_property(target: QtCore.QObject, title: str, name: str) -> bool:
    if target.metaObject().indexOfProperty(name) < 0:
        return False
    # a host widget may rest on a richer class of Qt than Slicer's: its slots are not properties
    return facts.kind(title, name) in (None, "property")


def _method(function: Any, target: QtCore.QObject, title: str, name: str) -> Any:
    def call(*arguments: Any, **keywords: Any) -> Any:
        if keywords:
            raise TypeError(f"{title}.{name}() takes no keyword arguments")
        check_slot_arguments(target, title, name, arguments)
        return call_qt(function, arguments, f"{title}.{name}")

    call.__name__ = name
    return call


def _read_of_value(target: Any, title: str, name: str) -> Any:
    if not facts.exposes(title, name):
        raise AttributeError(f"{title} has no attribute named {name!r} in Slicer {facts.release()}")
    value = getattr(target, name, None)
    if value is None:
        raise NotImplementedError(f"{title}.{name} is real in Slicer {facts.release()}, the host lacks it")
    if not callable(value):
        return wrap(value)
    return lambda *arguments: call_qt(value, arguments, f"{title}.{name}")


def _read_dynamic(target: QtCore.QObject, title: str, name: str) -> Any:
    if QtCore.QByteArray(name.encode()) in target.dynamicPropertyNames():
        return wrap(target.property(name))
    for child in target.children():
        if child.objectName() == name:
            return wrap(child)
    raise AttributeError(f"{title} has no attribute named {name!r} in Slicer {facts.release()}")


def write_attribute(proxy: Wrapped, name: str, value: Any) -> None:
    """`proxy.name = value`: only properties can be written, with values of their type."""
    target = proxy._qt
    title = slicer_name(type(target))
    if not isinstance(target, QtCore.QObject):
        raise AttributeError(f"'{name}' of {title} cannot be written")
    if not shiboken6.isValid(target):
        raise ValueError(f"Trying to write '{name}' of a destroyed {title} object")
    if name == "name" and facts.kind(title, name) is None:
        name = "objectName"
    if QtCore.QByteArray(name.encode()) in target.dynamicPropertyNames():
        target.setProperty(name, unwrap(value))
        return
    if not facts.exposes(title, name) or facts.kind(title, name) not in (None, "property"):
        raise AttributeError(
            f"'{name}' does not exist on {title} and creating new attributes on C++ objects is not allowed"
        )
    index = target.metaObject().indexOfProperty(name)
    if index < 0:
        if facts.kind(title, name) == "property":
            raise NotImplementedError(
                f"property {title}.{name} is real in Slicer {facts.release()}, the host lacks it"
            )
        raise AttributeError(f"'{name}' of {title} is not a property: it cannot be written")
    check_property_value(target, title, name, value)
    if not target.setProperty(name, unwrap(value)):
        raise AttributeError(f"Property '{name}' of {title} does not accept {type(value).__name__} {value!r}")
