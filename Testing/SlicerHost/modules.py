"""slicer.modules: Slicer's own modules with their logics, scripted modules loaded as Slicer loads them."""

import importlib.util
import os
import sys
import types
from typing import Any, Dict, Optional

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .pythonqt import unwrap, wrap
from .qmrml_widgets import qSlicerWidget
from .recorder import recorder
from .registry import slicer_class, stored_property


@slicer_class
class qSlicerModuleManager(QtCore.QObject):
    """slicer.app.moduleManager()."""

    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.by_name: Dict[str, QtCore.QObject] = {}

    def module(self, name: str) -> Optional[QtCore.QObject]:
        return self.by_name.get(name)


class _Module(QtCore.QObject):
    """What all modules share."""

    def __init__(self, name: str, path: str, logic: Any) -> None:
        super().__init__()
        self._name = name
        self._path = path
        self._logic = logic
        self.setObjectName(f"{name}Module")

    name = QtCore.Property(str, lambda self: self._name)
    path = QtCore.Property(str, lambda self: self._path)
    isBuiltIn = QtCore.Property(bool, lambda self: False)
    isInstalled = QtCore.Property(bool, lambda self: True)
    title = stored_property(str, "")
    categories = stored_property("QStringList", [])
    contributors = stored_property("QStringList", [])
    dependencies = stored_property("QStringList", [])
    associatedNodeTypes = stored_property("QStringList", [])
    helpText = stored_property(str, "")
    acknowledgementText = stored_property(str, "")
    hidden = stored_property(bool, False)
    index = stored_property(int, -1)
    icon = stored_property(QtGui.QIcon, QtGui.QIcon())
    widgetRepresentationCreationEnabled = stored_property(bool, True)

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene


@slicer_class
class qSlicerLoadableModule(_Module):
    """One of Slicer's modules in C++: only its logic is real here."""

    def widgetRepresentation(self) -> Any:
        raise NotImplementedError(f"the host has no panel for Slicer's module {self._name}")


@slicer_class
class qSlicerScriptedLoadableModule(_Module):
    """A module in Python."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path, slicer.vtkMRMLAbstractLogic())
        self._widget: Optional[qSlicerScriptedLoadableModuleWidget] = None
        self.instance: Any = None

    def widgetRepresentation(self) -> "qSlicerScriptedLoadableModuleWidget":
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.build()
        return self._widget

    def has_widget(self) -> bool:
        """Whether its panel was made already."""
        return self._widget is not None

    def unload(self) -> None:
        """Deletes the panel, as Slicer does at its end."""
        if self._widget is not None:
            self._widget.deleteLater()
            self._widget = None


@slicer_class
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The panel of a module in Python; `self()` is the Python object."""

    def __init__(self, module: qSlicerScriptedLoadableModule) -> None:
        super().__init__()
        self._module = module
        self._instance: Any = None
        self._entered = False
        self.setObjectName(f"{module._name}ModuleWidget")
        QtWidgets.QVBoxLayout(self)

    moduleName = QtCore.Property(str, lambda self: self._module._name)
    isEntered = QtCore.Property(bool, lambda self: self._entered)

    def module(self) -> qSlicerScriptedLoadableModule:
        return self._module

    def self(self) -> Any:  # the name that Slicer gave it
        return self._instance

    def build(self) -> None:
        """Makes the module's widget object in Python and lets it set up."""
        name = self._module._name
        self.setMRMLScene(slicer.mrmlScene)
        self._instance = getattr(sys.modules[name], f"{name}Widget")(wrap(self))
        setattr(slicer.modules, f"{name}Widget", self._instance)
        self._call("setup")

    def reload(self) -> None:
        """Makes the panel anew; Slicer does not call its enter()."""
        self.build()

    def enter(self) -> None:
        self._entered = True
        self._call("enter")

    def exit(self) -> None:
        self._entered = False
        self._call("exit")

    def setEditedNode(self, node: Any, role: str = "", context: str = "") -> bool:
        return bool(self._call("setEditedNode", node, role, context))

    def nodeEditable(self, node: Any) -> float:
        return float(self._call("nodeEditable", node) or 0.0)

    def _call(self, method: str, *arguments: Any) -> Any:
        function = getattr(self._instance, method, None)
        if function is None:
            return None
        try:
            return function(*arguments)
        except Exception:
            recorder.exception(f"{type(self._instance).__name__}.{method}")
            return None


class Modules(types.SimpleNamespace):
    """slicer.modules: attributes by lower-case name, `slicer.modules.<Name>Widget` once the panel of a
    module exists.
    """

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"module 'modules' has no attribute '{name}'")


def add_loadable_modules(manager: qSlicerModuleManager, logics: Dict[str, Any]) -> None:
    """Lists Slicer's own modules."""
    for name, logic in logics.items():
        module = qSlicerLoadableModule(name, f"/Slicer/lib/qSlicer{name}Module.so", logic)
        manager.by_name[name] = module
        setattr(slicer.modules, name.lower(), wrap(module))


def load_scripted_module(manager: qSlicerModuleManager, path: str) -> Any:
    """Loads `<Name>.py` as Slicer does from a module path: folder on sys.path, class `<Name>` made with its
    parent.

    Returns:
        slicer.modules.<name>.
    """
    path = os.path.abspath(path)
    folder, name = os.path.dirname(path), os.path.splitext(os.path.basename(path))[0]
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    source = importlib.util.module_from_spec(spec)
    sys.modules[name] = source
    spec.loader.exec_module(source)
    module = qSlicerScriptedLoadableModule(name, path)
    parent = wrap(module)
    module.instance = getattr(source, name)(parent)
    manager.by_name[name] = module
    setattr(slicer.modules, name.lower(), parent)
    setattr(slicer.modules, f"{name}Instance", module.instance)
    if hasattr(module.instance, "setup"):
        module.instance.setup()
    manager.moduleLoaded.emit(name)
    return parent


def unload_scripted_module(manager: qSlicerModuleManager, name: str) -> None:
    """Takes a scripted module away as Slicer does at its end: cleanup() is called by
    moduleAboutToBeUnloaded.
    """
    end_panel(manager, name)
    del manager.by_name[name]
    for attribute in (name.lower(), f"{name}Instance"):
        slicer.modules.__dict__.pop(attribute, None)


def end_panel(manager: qSlicerModuleManager, name: str) -> None:
    """Lets the panel of a scripted module clean up, and deletes it."""
    manager.moduleAboutToBeUnloaded.emit(name)
    unwrap(getattr(slicer.modules, name.lower())).unload()
    slicer.modules.__dict__.pop(f"{name}Widget", None)
