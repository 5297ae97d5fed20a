"""Effects in Python: setPythonSource, and the calls of their methods."""

import importlib.machinery
import importlib.util
import os
import sys
import types
from typing import Any, Callable, Dict

import slicer
from PySide6 import QtGui

from . import facts
from .effect_base import qSlicerSegmentEditorAbstractEffect
from .pythonqt import unwrap, wrap
from .recorder import recorder
from .registry import slicer_class

METHODS = (
    "icon",
    "helpText",
    "clone",
    "activate",
    "deactivate",
    "setupOptionsFrame",
    "createCursor",
    "processInteractionEvents",
    "processViewNodeEvents",
    "setMRMLDefaults",
    "referenceGeometryChanged",
    "sourceVolumeNodeChanged",
    "masterVolumeNodeChanged",
    "layoutChanged",
    "interactionNodeModified",
    "updateGUIFromMRML",
    "updateMRMLFromGUI",
)
"""What Slicer looks for in an effect in Python, once, when it makes the object: a method that is set on the
object or its class later is not called.
"""

_MISSING = object()


def _load_source(name: str, path: str) -> None:
    """Runs a file in the module `name`, an existing one too, whose file it takes over: as imp.load_source."""
    module = sys.modules.setdefault(name, types.ModuleType(name))
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module.__file__, module.__loader__, module.__spec__ = path, loader, spec
    module.__package__ = spec.parent
    loader.exec_module(module)


@slicer_class
class qSlicerSegmentEditorScriptedEffect(qSlicerSegmentEditorAbstractEffect):
    """An effect whose methods are those of an object in Python, `self()`."""

    fixed_in_constructor = False

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._name = "UnnamedScriptedEffect"
        self._source = ""
        self._instance: Any = None
        self._methods: Dict[str, Callable] = {}

    def pythonSource(self) -> str:
        return self._source

    def self(self) -> Any:  # the name that Slicer gave it
        return self._instance

    def setPythonSource(self, path: str) -> bool:
        """The class bears the file's name, with "Effect" behind it; the file is run in a module that bears
        the name of its *folder*, which `slicer.<folder>` leads to the object afterwards. A module that has
        such a class already is not loaded again.
        """
        if not path.endswith((".py", ".pyc")):
            return False
        folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
        title = os.path.basename(path).split(".")[0]
        title += "" if title.endswith("Effect") else "Effect"
        if not hasattr(sys.modules.get(folder), title) and not self._load(folder, path, title):
            return False
        try:
            instance = getattr(sys.modules[folder], title)(wrap(self))
        except Exception:
            recorder.exception(f"{title}.__init__ (setPythonSource returns False)")
            return False
        self._methods = {name: getattr(instance, name) for name in METHODS if hasattr(instance, name)}
        if facts.exposes("qSlicerSegmentEditorAbstractEffect", "cleanup") and hasattr(instance, "cleanup"):
            self._methods["cleanup"] = instance.cleanup
        self._instance, self._source = instance, path
        setattr(slicer, folder, instance)
        return True

    def _load(self, folder: str, path: str, title: str) -> bool:
        try:
            _load_source(folder, path)
        except Exception:
            recorder.exception(f"loading {os.path.basename(path)} (setPythonSource returns False)")
            return False
        if not hasattr(sys.modules[folder], title):
            recorder.violation(f"setPythonSource: class {title} was not found in {os.path.basename(path)}")
            return False
        return True

    def _call(self, method: str, *arguments: Any) -> Any:
        if method not in self._methods:
            return _MISSING
        try:
            return self._methods[method](*map(wrap, arguments))
        except Exception:
            recorder.exception(f"{type(self._instance).__name__}.{method}")
            return _MISSING

    def icon(self) -> QtGui.QIcon:
        found = unwrap(self._call("icon"))
        return found if isinstance(found, QtGui.QIcon) else super().icon()

    def helpText(self) -> str:
        text = self._call("helpText")
        if text is not _MISSING and not isinstance(text, str):
            recorder.violation(f"{self._name}: helpText has to return a text")
        return text if isinstance(text, str) else super().helpText()

    def clone(self) -> Any:
        made = unwrap(self._call("clone"))
        if not isinstance(made, qSlicerSegmentEditorAbstractEffect):
            recorder.violation(f"{self._name}: clone() is missing, failed, or returned no effect")
            return None
        return made

    def activate(self) -> None:
        super().activate()
        self._call("activate")

    def deactivate(self) -> None:
        super().deactivate()
        self._call("deactivate")

    def setupOptionsFrame(self) -> None:
        self._call("setupOptionsFrame")

    def createCursor(self, view_widget: Any) -> QtGui.QCursor:
        made = self._call("createCursor", view_widget)
        if made is _MISSING:
            return super().createCursor(view_widget)
        return unwrap(made) if isinstance(unwrap(made), QtGui.QCursor) else QtGui.QCursor()

    def processInteractionEvents(self, interactor: Any, event: int, view_widget: Any) -> bool:
        answer = self._call("processInteractionEvents", interactor, event, view_widget)
        if answer is not _MISSING and not isinstance(answer, bool):
            recorder.violation(f"{self._name}: processInteractionEvents has to return a bool, not {answer!r}")
        return answer is True

    def processViewNodeEvents(self, node: Any, event: int, view_widget: Any) -> None:
        self._call("processViewNodeEvents", node, event, view_widget)

    def setMRMLDefaults(self) -> None:
        self._call("setMRMLDefaults")

    def referenceGeometryChanged(self) -> None:
        self._call("referenceGeometryChanged")

    def sourceVolumeNodeChanged(self) -> None:
        self._call("sourceVolumeNodeChanged")

    def masterVolumeNodeChanged(self) -> None:
        self._call("masterVolumeNodeChanged")

    def layoutChanged(self) -> None:
        self._call("layoutChanged")

    def interactionNodeModified(self, node: Any) -> None:
        if self._call("interactionNodeModified", node) is _MISSING:
            super().interactionNodeModified(node)

    def updateGUIFromMRML(self) -> None:
        if self.active():
            self._call("updateGUIFromMRML")

    def updateMRMLFromGUI(self) -> None:
        self._call("updateMRMLFromGUI")

    def cleanup(self) -> None:
        self._call("cleanup")
