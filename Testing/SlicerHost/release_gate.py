"""Takes from slicer-core what the policed release does not have yet: newer classes, methods and functions."""

import ctypes
import functools
import gc
import inspect
from typing import Any, Callable, Dict

import slicer
import slicer.util

from . import facts


def close() -> None:
    """Hides what is newer than Slicer 5.8.1, where that is the policed release; for others there is no list
    of names.
    """
    if facts.release() != facts.RELEASE_OF_NAMES:
        return
    _hide_classes()
    _hide_functions()


def _hide_classes() -> None:
    listed = set(facts.listed_classes("slicer"))
    for name in [name for name in vars(slicer) if name.startswith("vtk")]:
        cls = getattr(slicer, name)
        if not isinstance(cls, type):
            continue
        if name not in listed:
            delattr(slicer, name)
            continue
        _hide_methods(cls, facts.listed_names("slicer", name))


def _hide_methods(cls: type, listed: Any) -> None:
    """Deletes from a class of VTK what Slicer 5.8.1 does not show of it, the snake_case properties of newer
    VTK too.
    """
    newer = [name for name in vars(cls) if name not in listed and not name.startswith("__")]
    if not newer:
        return
    # a class of VTK cannot be changed from Python but through the dictionary behind its read-only view
    (members,) = gc.get_referents(vars(cls))
    for name in newer:
        del members[name]
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))


def _hide_functions() -> None:
    signatures = facts.util_signatures()
    for name, function in list(vars(slicer.util).items()):
        if not inspect.isfunction(function) or function.__module__ != "slicer.util":
            continue
        if name.startswith("_"):
            continue
        if name not in signatures:
            delattr(slicer.util, name)
        elif _differs(signatures[name], inspect.signature(function)):
            setattr(slicer.util, name, _with_signature(function, signatures[name]))


def _differs(old: inspect.Signature, new: inspect.Signature) -> bool:
    return list(old.parameters) != list(new.parameters)


def _with_signature(function: Callable, signature: inspect.Signature) -> Callable:
    """The function, refusing arguments that the policed release does not take."""

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Dict[str, Any]) -> Any:
        try:
            signature.bind(*arguments, **keywords)
        except TypeError as error:
            raise TypeError(f"slicer.util.{function.__name__}: {error} (Slicer {facts.release()})") from None
        return function(*arguments, **keywords)

    return call
