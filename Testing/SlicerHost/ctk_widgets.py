"""CTK's widgets that a module panel uses, on PySide6. What each may do is policed by the facts, not here."""

import os
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from . import modal
from .registry import slicer_class, stored_property

UNLIMITED_HEIGHT = 16777215
"""QWIDGETSIZE_MAX"""


@slicer_class
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header with an arrow; its children are hidden while it is collapsed."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        parent = next((argument for argument in arguments if isinstance(argument, QtWidgets.QWidget)), None)
        super().__init__(parent)
        self._collapsed = False
        self.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Preferred)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(lambda opened: self._set_collapsed(not opened))
        self.setContentsMargins(0, self.header_height(), 0, 0)
        for argument in arguments:
            if isinstance(argument, str):
                self.setText(argument)

    def header_height(self) -> int:
        return self.fontMetrics().height() + 8

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        for child in self.findChildren(QtWidgets.QWidget, options=Qt.FindDirectChildrenOnly):
            child.setVisible(not collapsed)
        self.setMaximumHeight(self.header_height() if collapsed else UNLIMITED_HEIGHT)
        self.updateGeometry()
        self.setChecked(not collapsed)
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)
    collapsedHeight = stored_property(int, 10)
    flat = stored_property(bool, False)
    contentsFrameShape = stored_property(int, 0)
    contentsFrameShadow = stored_property(int, 16)
    contentsLineWidth = stored_property(int, 1)
    contentsMidLineWidth = stored_property(int, 0)
    buttonTextAlignment = stored_property(int, int(Qt.AlignLeft.value))
    indicatorAlignment = stored_property(int, int(Qt.AlignLeft.value))

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        super().childEvent(event)
        if self._collapsed and event.added() and isinstance(event.child(), QtWidgets.QWidget):
            event.child().setVisible(False)

    def sizeHint(self) -> QtCore.QSize:
        header = self.header_height()
        contents = (
            self.layout().totalSizeHint()
            if self.layout() and not self._collapsed
            else QtCore.QSize(100, header)
        )
        return QtCore.QSize(contents.width(), max(contents.height(), header))

    def minimumSizeHint(self) -> QtCore.QSize:
        header = self.header_height()
        if self._collapsed or not self.layout():
            return QtCore.QSize(50, header)
        contents = self.layout().totalMinimumSize()
        return QtCore.QSize(max(contents.width(), 50), max(contents.height(), header))

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() < self.header_height()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        header = self.header_height()
        painter = QtGui.QPainter(self)
        bevel = QtWidgets.QStyleOptionButton()
        bevel.initFrom(self)
        bevel.rect = QtCore.QRect(0, 0, self.width(), header)
        bevel.state |= QtWidgets.QStyle.State_Raised
        self.style().drawControl(QtWidgets.QStyle.CE_PushButtonBevel, bevel, painter, self)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 4, header - 8, header - 8)
        shape = (
            QtWidgets.QStyle.PE_IndicatorArrowRight
            if self._collapsed
            else QtWidgets.QStyle.PE_IndicatorArrowDown
        )
        self.style().drawPrimitive(shape, arrow, painter, self)
        painter.setPen(self.palette().color(QtGui.QPalette.ButtonText))
        painter.drawText(
            QtCore.QRect(header + 2, 0, self.width() - header, header), Qt.AlignVCenter, self.text()
        )


class _SliderAndBox(QtWidgets.QWidget):
    """A slider beside a spin box that share one value, of type float."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.slider = QtWidgets.QSlider(Qt.Horizontal)
        self.box = QtWidgets.QDoubleSpinBox()
        self.box.setRange(0, 99)
        row.addWidget(self.slider, 1)
        row.addWidget(self.box)
        self._fit_slider()
        self.box.valueChanged.connect(self._on_box)
        self.slider.valueChanged.connect(self._on_slider)

    def _fit_slider(self) -> None:
        blocker = QtCore.QSignalBlocker(self.slider)
        self.slider.setRange(
            0, max(1, round((self.box.maximum() - self.box.minimum()) / self.box.singleStep()))
        )
        self.slider.setValue(round((self.box.value() - self.box.minimum()) / self.box.singleStep()))
        blocker.unblock()

    def _on_box(self, value: float) -> None:
        self._fit_slider()
        self.valueChanged.emit(value)

    def _on_slider(self, position: int) -> None:
        value = self.box.minimum() + position * self.box.singleStep()
        self.valueIsChanging.emit(value)
        self.box.setValue(value)

    def setValue(self, value: float) -> None:
        self.box.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        self.box.setDecimals(decimals)

    def setSpinBoxVisible(self, visible: bool) -> None:
        self.box.setVisible(visible)

    def reset(self) -> None:
        self.box.setValue(self.box.minimum())

    def _set_limits(self, minimum: float, maximum: float) -> None:
        self.box.setRange(minimum, maximum)
        self._fit_slider()

    def _set_step(self, step: float) -> None:
        self.box.setSingleStep(step)
        self._fit_slider()


@slicer_class
class ctkSliderWidget(_SliderAndBox):
    """A slider with a spin box."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    value = Property(float, lambda self: self.box.value(), _SliderAndBox.setValue)
    minimum = Property(
        float,
        lambda self: self.box.minimum(),
        lambda self, value: self._set_limits(value, self.box.maximum()),
    )
    maximum = Property(
        float,
        lambda self: self.box.maximum(),
        lambda self, value: self._set_limits(self.box.minimum(), value),
    )
    singleStep = Property(
        float, lambda self: self.box.singleStep(), lambda self, value: self._set_step(value)
    )
    pageStep = stored_property(float, 10.0)
    decimals = Property(
        int, lambda self: self.box.decimals(), lambda self, value: self.box.setDecimals(value)
    )
    suffix = Property(str, lambda self: self.box.suffix(), lambda self, value: self.box.setSuffix(value))
    prefix = Property(str, lambda self: self.box.prefix(), lambda self, value: self.box.setPrefix(value))
    tracking = stored_property(bool, True)
    spinBoxVisible = Property(bool, lambda self: not self.box.isHidden(), _SliderAndBox.setSpinBoxVisible)


@slicer_class
class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box of CTK: in Slicer a QWidget that holds one, here the box itself."""

    decimalsChanged = Signal(int)

    def setValueIfDifferent(self, value: float) -> None:
        self.setValue(value)

    setValueAlways = setValueIfDifferent


@slicer_class
class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu."""


@slicer_class
class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that can be told not to come again."""

    dontShowAgain = stored_property(bool, False)
    dontShowAgainVisible = stored_property(bool, False)
    dontShowAgainSettingsKey = stored_property(str, "")


@slicer_class
class ctkPathLineEdit(QtWidgets.QWidget):
    """An editable path with a button that browses."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._box = QtWidgets.QComboBox()
        self._box.setEditable(True)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._box.setMinimumContentsLength(8)
        self._button = QtWidgets.QToolButton()
        self._button.setText("...")
        row.addWidget(self._box, 1)
        row.addWidget(self._button)
        self._box.editTextChanged.connect(self.currentPathChanged)
        self._button.clicked.connect(self.browse)

    def comboBox(self) -> QtWidgets.QComboBox:
        return self._box

    def setCurrentPath(self, path: str) -> None:
        self._box.setEditText(path)

    def browse(self) -> None:
        path = modal.answers.answer(self.label or "path", "")
        if path:
            self.setCurrentPath(path)

    currentPath = Property(str, lambda self: self._box.currentText(), setCurrentPath)
    label = stored_property(str, "")
    filters = stored_property(int, 0)
    options = stored_property(int, 0)
    nameFilters = stored_property("QStringList", [])
    settingKey = stored_property(str, "")
    showBrowseButton = Property(
        bool, lambda self: not self._button.isHidden(), lambda self, shown: self._button.setVisible(shown)
    )
    showHistoryButton = stored_property(bool, True)
    sizeAdjustPolicy = stored_property(int, 0)
    minimumContentsLength = stored_property(int, 0)


@slicer_class
class ctkDirectoryButton(QtWidgets.QWidget):
    """A button that shows a folder and lets choose another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(
            next((argument for argument in arguments if isinstance(argument, QtWidgets.QWidget)), None)
        )
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._button = QtWidgets.QPushButton()
        self._button.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        row.addWidget(self._button)
        self._directory = ""
        self._set_directory(
            next((argument for argument in arguments if isinstance(argument, str)), os.getcwd())
        )
        self._button.clicked.connect(self.browse)

    def _set_directory(self, directory: str) -> None:
        if directory == self._directory:
            return
        self._directory = directory
        self._button.setText(self.text or directory)
        self.directoryChanged.emit(directory)

    def browse(self) -> None:
        chosen = modal.answers.answer(self.caption or "folder", "")
        if chosen:
            self._set_directory(chosen)
            self.directorySelected.emit(chosen)

    directory = Property(str, lambda self: self._directory, _set_directory)
    caption = stored_property(str, "")
    text = stored_property(str, "", lambda self: self._button.setText(self.text))
    acceptMode = stored_property(int, 0)
    options = stored_property(int, 0)
    elideMode = stored_property(int, 1)
