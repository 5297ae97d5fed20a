"""The main window: module panel docked at the left, views in the middle."""

from typing import Any, Optional

import slicer
from PySide6 import QtCore, QtWidgets

from .pythonqt import unwrap
from .registry import slicer_class


@slicer_class
class qSlicerModuleSelectorToolBar(QtWidgets.QToolBar):
    """The tool bar in which a module is chosen."""

    moduleSelected = QtCore.Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._chosen = ""
        self._box = QtWidgets.QComboBox()
        self.addWidget(QtWidgets.QLabel(" Modules: "))
        self.addWidget(self._box)
        self._box.activated.connect(lambda index: self.selectModule(self._box.itemData(index)))

    def selectModule(self, name: str) -> None:
        module = slicer.app.moduleManager().module(name)
        if module is None:
            raise ValueError(f"no module {name!r}")
        if self._box.findData(name) < 0:
            self._box.addItem(module.title or name, name)
        self._box.setCurrentIndex(self._box.findData(name))
        if name != self._chosen:
            self._chosen = name
            self.moduleSelected.emit(name)

    def forget(self) -> None:
        """No module is chosen any more."""
        self._chosen = ""

    selectedModule = QtCore.Property(str, lambda self: self._chosen, selectModule)


@slicer_class
class qSlicerMainWindow(QtWidgets.QMainWindow):
    """Slicer's main window, with a panel of a stated width."""

    initialWindowShown = QtCore.Signal()

    def __init__(self, panel_width: int) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle(f"3D Slicer {slicer.app.applicationVersion}")
        self.viewport = QtWidgets.QWidget()
        self.setCentralWidget(self.viewport)
        self._panel = QtWidgets.QScrollArea()
        self._panel.setObjectName("ScrollArea")
        self._panel.setWidgetResizable(True)
        self._panel.setFrameShape(QtWidgets.QFrame.NoFrame)
        self._panel.setFixedWidth(panel_width)
        self._dock = QtWidgets.QDockWidget("3D Slicer")
        self._dock.setObjectName("PanelDockWidget")
        self._dock.setFeatures(QtWidgets.QDockWidget.NoDockWidgetFeatures)
        self._dock.setWidget(self._panel)
        self.addDockWidget(QtCore.Qt.LeftDockWidgetArea, self._dock)
        self._selector = qSlicerModuleSelectorToolBar(self)
        self._selector.setObjectName("ModuleSelectorToolBar")
        self.addToolBar(self._selector)
        self._selector.moduleSelected.connect(self._show_module)
        self._current: Optional[QtWidgets.QWidget] = None
        self.statusBar()

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def setPanelWidth(self, pixels: int) -> None:
        """For tests: how wide the module panel is."""
        self._panel.setFixedWidth(pixels)

    def panel(self) -> QtWidgets.QScrollArea:
        """For tests: the scroll area around the module's panel."""
        return self._panel

    def _show_module(self, name: str) -> None:
        if self._current is not None:
            self._current.exit()
            self._panel.takeWidget()
            self._current = None
        module = slicer.app.moduleManager().module(name) if name else None
        if module is None or module.className() == "qSlicerLoadableModule":
            return
        widget = unwrap(module.widgetRepresentation())
        self._panel.setWidget(widget)
        widget.show()
        self._current = widget
        widget.enter()

    def closeModule(self) -> None:
        """For tests: leaves the module that is shown; the panel is empty then."""
        self._selector.forget()
        self._show_module("")

    def leave(self, widget: QtWidgets.QWidget) -> None:
        """A module's panel is going to be deleted: leaves it first."""
        if self._current is widget:
            self.closeModule()
