"""Signals and slots by PythonQt's rules: connect("clicked(bool)", function), exceptions noted, surplus
arguments dropped.
"""

import inspect
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import shiboken6
from PySide6 import QtCore

from . import facts
from .recorder import recorder


class Connection(NamedTuple):
    """A Python function connected to a signal. PythonQt holds the function strongly; so do we."""

    function: Callable
    slot: Callable
    signal: Any


_connections: Dict[Tuple[int, str], List[Connection]] = {}
"""(address of the sender in C++, signal) -> what is connected; emptied when the sender is destroyed."""


def _address(target: QtCore.QObject) -> int:
    # the wrapper in Python may be made anew for the same object in C++
    return shiboken6.getCppPointer(target)[0]


def _remember(target: QtCore.QObject, signal: str, connection: Connection) -> None:
    address = _address(target)
    if not any(key[0] == address for key in _connections):
        target.destroyed.connect(lambda: _forget(address))
    _connections.setdefault((address, signal), []).append(connection)


def _forget(address: int) -> None:
    for key in [key for key in _connections if key[0] == address]:
        del _connections[key]


def _argument_limit(function: Callable) -> Optional[int]:
    """How many arguments the function takes at most; None: any number, or unknown."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters)


def guarded(function: Callable) -> Callable:
    """A function as slot: takes as many arguments as it wants, and an exception in it is noted, not raised
    into Qt.
    """
    from .pythonqt import wrap

    limit = _argument_limit(function)

    def slot(*arguments: Any) -> None:
        try:
            function(*[wrap(argument) for argument in arguments[:limit]])
        except Exception:
            recorder.exception(f"SLOT {getattr(function, '__qualname__', function)}")

    return slot


def normalized(signature: str) -> str:
    """The signature as Qt writes it, without any blank."""
    text = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    return text.replace(" ", "")


def connect(proxy: Any, signature: str, function: Any, member: Optional[str] = None) -> bool:
    """`sender.connect("signal(type)", function)` or `sender.connect("signal(type)", receiver,
    "slot(type)")`.
    """
    from .pythonqt import Wrapped, slicer_name

    target = proxy._qt
    title = slicer_name(type(target))
    if not isinstance(signature, str):
        raise ValueError(
            f"{title}.connect: the signal must be a text such as 'clicked(bool)', not {signature!r}"
        )
    if member is not None:
        function = getattr(function, member.split("(")[0])
    elif isinstance(function, Wrapped) or not callable(function):
        raise ValueError(f"{title}.connect('{signature}', ...): {function!r} is not callable")
    text = normalized(signature)
    signal = _find_signal(target, title, text)
    if signal is None:
        recorder.violation(
            f"QObject::connect: no signal '{signature}' on {title} in Slicer {facts.release()}; "
            "Slicer prints this, returns False, and the slot is never called"
        )
        return False
    slot = guarded(function)
    if isinstance(signal, str):
        QtCore.QObject.connect(target, QtCore.SIGNAL(signal), slot)
    else:
        signal.connect(slot)
    _remember(target, text, Connection(function, slot, signal))
    return True


def _find_signal(target: QtCore.QObject, title: str, text: str) -> Any:
    """The signal of the host class, or the signature of a signal of Qt; None where Slicer has no such
    signal.
    """
    if facts.has_signal(title, text):
        overloads = getattr(target, "overloadedSignals", {})
        found = getattr(target, overloads.get(text, text.split("(")[0]), None)
        if found is None:
            raise NotImplementedError(
                f"signal {title}.{text} is real in Slicer {facts.release()}, the host lacks it"
            )
        return found
    base = facts.qt_base(title)
    if not facts.exposes(base, text.split("(")[0]):
        return None
    meta = target.metaObject()
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.methodType() == QtCore.QMetaMethod.MethodType.Signal:
            signature = method.methodSignature().data().decode()
            if signature.replace(" ", "") == text:
                return signature
    return None


def disconnect(
    proxy: Any, signature: Optional[str] = None, function: Any = None, member: Optional[str] = None
) -> bool:
    """Undoes `connect`; False where there was no such connection. Without a function: all of that signal."""
    target = proxy._qt
    if member is not None:
        function = getattr(function, member.split("(")[0])
    keys = [key for key in _connections if key[0] == _address(target)]
    if signature is not None:
        keys = [key for key in keys if key[1] == normalized(signature)]
    found = False
    for key in keys:
        for connection in list(_connections[key]):
            if function is None or connection.function == function:
                _undo(target, connection)
                _connections[key].remove(connection)
                found = True
    return found


def _undo(target: QtCore.QObject, connection: Connection) -> None:
    if isinstance(connection.signal, str):
        QtCore.QObject.disconnect(target, QtCore.SIGNAL(connection.signal), connection.slot)
    else:
        connection.signal.disconnect(connection.slot)


class BoundSignal:
    """`button.clicked`: connect, disconnect, emit, or call it to emit."""

    def __init__(self, proxy: Any, name: str) -> None:
        self._proxy = proxy
        self._name = name

    def _key(self) -> Tuple[int, str]:
        return _address(self._proxy._qt), self._name

    def connect(self, function: Callable) -> bool:
        slot = guarded(function)
        signal = getattr(self._proxy._qt, self._name)
        signal.connect(slot)
        _remember(self._proxy._qt, self._name, Connection(function, slot, signal))
        return True

    def disconnect(self, function: Callable) -> bool:
        for connection in _connections.get(self._key(), []):
            if connection.function == function:
                connection.signal.disconnect(connection.slot)
                _connections[self._key()].remove(connection)
                return True
        return False

    def emit(self, *arguments: Any) -> None:
        from .pythonqt import unwrap

        getattr(self._proxy._qt, self._name).emit(*[unwrap(argument) for argument in arguments])

    __call__ = emit


def find_children(proxy: Any, kind: Any = None, name: str = "") -> Tuple[Any, ...]:
    """`widget.findChildren(qt.QPushButton)`, `widget.findChildren("QDockWidget", "PanelDockWidget")`."""
    from .pythonqt import WrappedClass, slicer_name, wrap

    found = []
    for child in proxy._qt.findChildren(QtCore.QObject):
        if name and child.objectName() != name:
            continue
        if isinstance(kind, WrappedClass):
            if not isinstance(wrap(child), kind):
                continue
        elif isinstance(kind, str):
            if not child.inherits(kind) and slicer_name(type(child)) != kind:
                continue
        elif kind is not None:
            raise ValueError(f"findChildren: {kind!r} is neither a class of Qt nor the name of one")
        found.append(wrap(child))
    return tuple(found)


def _find_child(proxy: Any, kind: Any, name: str = "") -> Any:
    return next(iter(find_children(proxy, kind, name)), None)


def _class_name(proxy: Any) -> str:
    from .pythonqt import slicer_name

    return slicer_name(type(proxy._qt))


def _inherits(proxy: Any, name: str) -> bool:
    title = _class_name(proxy)
    return any(base == name for base, _ in facts.chain(title)) or proxy._qt.inherits(name)


def _delete(proxy: Any) -> None:
    shiboken6.delete(proxy._qt)


METHODS: Dict[str, Callable] = {
    "connect": connect,
    "disconnect": disconnect,
    "findChild": _find_child,
    "findChildren": find_children,
    "className": _class_name,
    "inherits": _inherits,
    "delete": _delete,
}
"""Methods that PythonQt gives every QObject."""
