"""boot(): makes a Slicer of slicer-core and PySide6 in this process; the Host object drives it from tests."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, List, Optional, Tuple

import slicer
import slicer.util

from . import (  # the widgets register themselves when they are imported
    ctk_widgets,  # noqa: F401
    effect_factory,
    effect_scripted,  # noqa: F401
    i18n,
    interpreter,
    modal,
    module_base,
    modules,
    parameter_node_wrapper,
    pip_recorder,
    qt_members,
    qt_module,
    release_gate,
    sample_data,
    segment_editor,  # noqa: F401
    theme,
    ui_loader,  # noqa: F401
    waiting,
)
from .application import qSlicerApplication
from .layout_manager import qSlicerLayoutManager
from .main_window import qSlicerMainWindow
from .pythonqt import unwrap, wrap
from .recorder import recorder
from .scene import Scene

SEGMENT_EDITOR = Path(__file__).parent / "scripted_modules" / "SegmentEditor.py"
"""Slicer's own module that modules switch to."""

_host: Optional["Host"] = None


class Host:
    """The session: what a tester does to Slicer from outside."""

    answers = modal.answers
    recorder = recorder
    pip = pip_recorder.recorder
    translations = i18n.translations
    opened_urls = qt_module.opened_urls
    GapMeter = waiting.GapMeter
    settle = staticmethod(waiting.settle)
    waitFor = staticmethod(waiting.wait_for)

    def __init__(self) -> None:
        self.temporaryFolder = tempfile.mkdtemp(prefix="slicer-host-")
        self.application = qSlicerApplication(self.temporaryFolder)
        qt_members.learn()
        interpreter.keep_none_alive()
        interpreter.record_printed_exceptions()
        slicer.modules = modules.Modules()
        with interpreter.quiet_vtk():
            self._scene = Scene(self.temporaryFolder)
        self.application._application_logic = self._scene.application_logic
        slicer.app = wrap(self.application)
        self._install_python_modules()
        modules.add_loadable_modules(self.application.moduleManager(), self._scene.logics)
        release_gate.close()
        modules.load_scripted_module(self.application.moduleManager(), str(SEGMENT_EDITOR))
        pip_recorder.install()
        sample_data.install()
        self.mainWindow: Optional[qSlicerMainWindow] = None
        self._layout_manager: Optional[qSlicerLayoutManager] = None
        self.setTheme("light")

    def _install_python_modules(self) -> None:
        sys.modules["qt"], sys.modules["ctk"] = qt_module.QtModule(), qt_module.CtkModule()
        for name, cls in qt_module.classes_of_slicer().items():
            setattr(slicer, name, cls)
        for source in (i18n, module_base, parameter_node_wrapper):
            module = source.as_module()
            sys.modules[module.__name__] = module
            setattr(slicer, module.__name__.split(".")[1], module)
        effect_factory.install_modules()
        slicer.util.delayDisplay = _delay_display

    def loadModule(self, path: str) -> Any:
        """Loads a scripted module from its .py file, in a clone or a flat folder; returns
        slicer.modules.<name>.

        startupCompleted() is emitted afterwards, as at the end of Slicer's start, to what the module
        connected to it.
        """
        module = modules.load_scripted_module(self.application.moduleManager(), str(path))
        self.application.startupCompleted.emit()
        wrap(self.application).disconnect("startupCompleted()")
        return module

    def unloadModule(self, name: str) -> None:
        """Ends a module as Slicer does when it exits."""
        module = unwrap(getattr(slicer.modules, name.lower()))
        if self.mainWindow is not None and module.has_widget():
            self.mainWindow.leave(module.widgetRepresentation())
        modules.unload_scripted_module(self.application.moduleManager(), name)

    def closePanels(self) -> None:
        """Ends the panels of modules in Python; each is made anew when its module is shown again."""
        for name, module in self.application.moduleManager().by_name.items():
            if isinstance(module, modules.qSlicerScriptedLoadableModule) and module.has_widget():
                if self.mainWindow is not None:
                    self.mainWindow.leave(module.widgetRepresentation())
                modules.end_panel(self.application.moduleManager(), name)

    def openWindow(self, panelWidth: int = 360, size: Tuple[int, int] = (1280, 800)) -> Any:
        """Shows the main window, four-up, with a module panel of that width; returns it as Python in Slicer
        sees it.
        """
        if self.mainWindow is None:
            with interpreter.quiet_vtk():
                self.mainWindow = qSlicerMainWindow(panelWidth)
                self._layout_manager = qSlicerLayoutManager(self.mainWindow.viewport)
        self.mainWindow.setObjectName("qSlicerMainWindow")
        self.mainWindow.setPanelWidth(panelWidth)
        self.application._layout_manager = self._layout_manager
        self._layout_manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.mainWindow.resize(*size)
        self.mainWindow.show()
        waiting.settle(0.05)
        return wrap(self.mainWindow)

    def parkWindow(self) -> None:
        """Goes on without main window and layout manager, as Slicer with --no-main-window."""
        if self.mainWindow is not None:
            self.mainWindow.closeModule()
            self.mainWindow.hide()
            self.mainWindow.setObjectName("")
        self.application._layout_manager = None

    def showModule(self, name: str) -> Any:
        """Switches to the module in the main window; returns its Python widget."""
        slicer.util.selectModule(name)
        waiting.settle(0.02)
        return slicer.util.getModuleWidget(name)

    def setTheme(self, name: str) -> None:
        """ "light" or "dark"."""
        theme.apply(name)

    def undoStates(self, editor: Any) -> int:
        """For tests: how many states a segment editor keeps for undo and redo."""
        return unwrap(editor)._history.GetNumberOfStates()

    def forgetEffect(self, name: str) -> None:
        """For tests: a registered effect of the segment editor is gone for new editors. In Slicer one
        stays till the end, and a second one of that name is refused.
        """
        effect_factory.factory().forget(name)

    def screenshot(self, path: str, widget: Any = None) -> str:
        """Saves a picture of a widget, or of the main window, as PNG; its parent folders are made."""
        waiting.settle(0.1)
        target = unwrap(widget) if widget is not None else self.mainWindow
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        if not target.grab().save(str(path)):
            raise OSError(f"could not write {path}")
        return str(path)

    def takeProblems(self) -> List[str]:
        """What went wrong without an exception for the test since the last call, dialogs that never came
        included.
        """
        problems = recorder.take()
        problems += [
            f"the dialog {text!r} that the test expected never opened"
            for text in modal.answers.take_unasked()
        ]
        return problems

    def reset(self) -> None:
        """Forgets what a test left behind outside the scene: settings, translations, what was opened and
        installed.
        """
        self.application.settings().clear()
        self.opened_urls.clear()
        self.translations.clear()
        self.pip.reset()
        self.takeProblems()

    def clear(self) -> None:
        """Closes the scene, as File / Close Scene does."""
        slicer.mrmlScene.Clear(False)
        waiting.settle(0)

    def shutDown(self) -> None:
        """What Slicer does when the user quits: aboutToQuit(), modules unloaded, temporary folder removed."""
        self.application.aboutToQuit.emit()
        for name, module in list(self.application.moduleManager().by_name.items()):
            if isinstance(module, modules.qSlicerScriptedLoadableModule):
                self.unloadModule(name)
        waiting.settle(0)
        shutil.rmtree(self.temporaryFolder, ignore_errors=True)


def _delay_display(message: str, autoCloseMsec: int = 1000, parent: Any = None, **kwargs: Any) -> None:
    """slicer.util.delayDisplay without its popup: events are processed, shortly."""
    waiting.settle(min(max(autoCloseMsec, 0), 50) / 1000)


def boot() -> Host:
    """The session of this process, started on the first call (under 3 s)."""
    global _host
    if _host is None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        _host = Host()
    return _host


GapMeter = waiting.GapMeter
__all__ = ["GapMeter", "Host", "boot", "unwrap", "wrap"]
