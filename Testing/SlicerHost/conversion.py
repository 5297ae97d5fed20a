"""Arguments and property values: what PythonQt converts, and what it refuses."""

import builtins
import contextlib
import gc
from functools import lru_cache
from typing import Any, Callable, Iterator, List, Optional, Sequence

from PySide6 import QtCore

from . import facts, registry

QT4_KEYWORDS = ("exec", "print")
"""Names that were keywords of Python once: PythonQt appends an underscore to them still."""

LISTING = ("allWidgets", "children", "findChildren", "topLevelWidgets")
"""Methods that return a list of objects."""

_wrap: Callable[[Any], Any]
_unwrap: Callable[[Any], Any]


def register_wrapping(wrap: Callable[[Any], Any], unwrap: Callable[[Any], Any]) -> None:
    """Tells this module how values go in and out of proxies (it is imported by the module that knows)."""
    global _wrap, _unwrap
    _wrap, _unwrap = wrap, unwrap


def call_qt(function: Callable, arguments: Sequence[Any], title: str) -> Any:
    """Calls a function of Qt with the arguments taken out of their proxies, and wraps what it returns.

    Raises:
        ValueError: the arguments fit no overload (PythonQt's own error, where PySide6 has a TypeError), or
            what comes back is of a class that PythonQt does not know.
    """
    for argument in arguments:
        if callable(argument) and not isinstance(argument, type) and "singleShot" not in title:
            raise ValueError(
                f"Could not find matching overload for {title}: PythonQt does not take Python functions here"
            )
    plain = [_unwrap(argument) for argument in arguments]
    try:
        with _nothing_collected(title):
            value = function(*plain)
    except TypeError as error:
        if "called with wrong argument" not in str(error) and "not subscriptable" not in str(error):
            raise
        raise ValueError(f"Could not find matching overload for given arguments: {title}\n{error}") from error
    returned = builtins.type(value)
    if not isinstance(function, builtins.type) and not _has_place(returned):
        del value, plain  # a traceback would keep font metrics longer than their widget
        raise ValueError(
            f"Called {title}, return type '{returned.__name__}' is ignored because it is unknown to PythonQt."
            " Probably you should register it using qRegisterMetaType() or add a default constructor"
            " decorator to the class."
        )
    return _wrap(value)


@contextlib.contextmanager
def _nothing_collected(title: str) -> Iterator[None]:
    """While PySide6 makes Python objects of a list, Python's collector may destroy a widget further on in it:
    a crash.
    """
    if not gc.isenabled() or title.rpartition(".")[2] not in LISTING:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@lru_cache(maxsize=None)
def _has_place(returned: builtins.type) -> bool:
    """Whether PythonQt can take values of the class: by pointer, or into one made by default."""
    if not returned.__module__.startswith("PySide6") or "__copy__" not in vars(returned):
        return True
    try:
        returned()
    except TypeError:
        return False
    return True


def fits(type_name: str, value: Any) -> bool:
    """Whether PythonQt converts a Python value to a C++ type, given by name."""
    name = type_name.replace("const ", "").replace("&", "").strip()
    if name in ("int", "uint", "unsigned int", "qlonglong", "vtkIdType"):
        return isinstance(value, int)
    if name in ("double", "float", "qreal"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "bool":
        return isinstance(value, int)
    if name in ("QString", "std::string"):
        return isinstance(value, str)
    if name == "QStringList":
        return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
    if name.startswith("vtk") and name.endswith("*"):
        return value is None or (hasattr(value, "IsA") and (value.IsA(name[:-1]) or _is_lost(name[:-1])))
    if name.startswith("Q") and name.endswith("*"):
        plain = _unwrap(value)
        return value is None or (isinstance(plain, QtCore.QObject) and plain.inherits(name[:-1]))
    if name.startswith("q") and name.endswith("*"):
        found = registry.find(name[:-1])
        return value is None or found is None or isinstance(_unwrap(value), found)
    if name in ("QPoint", "QVector3D"):
        return isinstance(_unwrap(value), registry.qt_class(name))
    if name == "QList<int>":
        return isinstance(value, (list, tuple)) and all(isinstance(item, int) for item in value)
    return True


def _is_lost(vtk_class: str) -> bool:
    """A VTK class that the wheel does not have, so that IsA cannot tell."""
    import slicer
    import vtk

    return not hasattr(slicer, vtk_class) and not hasattr(vtk, vtk_class)


def check_slot_arguments(target: QtCore.QObject, title: str, name: str, arguments: Sequence[Any]) -> None:
    """Raises ValueError where no overload of a slot takes the arguments; whole numbers only where Qt wants
    an int.
    """
    overloads = facts.slot_signatures(title, name) or _known_overloads(target, name)
    if not overloads:
        return
    for types in overloads:
        if len(types) == len(arguments) and all(map(fits, types, arguments)):
            return
    given = ", ".join(type(argument).__name__ for argument in arguments)
    wanted = " or ".join(f"{name}({', '.join(types)})" for types in overloads)
    raise ValueError(
        f"Could not find matching overload for given arguments: {title}.{name}({given}); there is {wanted}"
    )


_overloads: dict = {}
"""(class, slot) -> ``_overloads_of_qt``: looking them up costs more than most slots."""


def _known_overloads(target: QtCore.QObject, name: str) -> Optional[List[List[str]]]:
    key = (builtins.type(target), target.metaObject().className(), name)
    if key not in _overloads:
        _overloads[key] = _overloads_of_qt(target, name)
    return _overloads[key]


def _overloads_of_qt(target: QtCore.QObject, name: str) -> Optional[List[List[str]]]:
    """Overloads of a slot of Qt whose arguments are all numbers: the ones where PySide6 is more lenient
    than PythonQt.
    """
    found = []
    meta = target.metaObject()
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.name().data().decode() == name:
            types = [kind.data().decode() for kind in method.parameterTypes()]
            if not types or any(kind not in ("int", "double", "bool") for kind in types):
                return None
            found.append(types)
    return found


def check_property_value(target: QtCore.QObject, title: str, name: str, value: Any) -> None:
    """Raises AttributeError where PythonQt refuses to write the value to the property."""
    known = facts.property_facts(title, name)
    meta = target.metaObject()
    in_qt = meta.property(meta.indexOfProperty(name))
    writable = known["write"] if known else in_qt.isWritable()
    if not writable:
        raise AttributeError(f"Property '{name}' of {title} is not writable")
    type_name = known["type"] if known else in_qt.typeName()
    if (known is None and in_qt.isEnumType()) or "::" in type_name:
        type_name = "int"
    if type_name[:1].isupper() and type_name[:1] != "Q" and known:
        type_name = "int"  # an enumeration of the class itself
    if not fits(type_name, value):
        shown = repr(value) if isinstance(value, (int, float, str)) else builtins.type(value).__name__
        raise AttributeError(
            f"Property '{name}' of {title} has type '{type_name}' and does not accept {shown}"
        )
