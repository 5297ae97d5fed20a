"""The widgets of the segment editor's panel, named as in Slicer."""

from typing import Any

from PySide6 import QtWidgets

from .qmrml_widgets import qMRMLNodeComboBox
from .segments_table import qMRMLSegmentationShow3DButton, qMRMLSegmentsTableView


class EditorLayout:
    """Builds the panel into `editor`; one attribute a widget."""

    def __init__(self, editor: QtWidgets.QWidget) -> None:
        column = QtWidgets.QVBoxLayout(editor)
        column.setContentsMargins(0, 0, 0, 0)
        self._add_selectors(column)
        self._add_actions(column)
        row = QtWidgets.QHBoxLayout()
        column.addLayout(row)
        self._add_effects(row)
        right = QtWidgets.QVBoxLayout()
        row.addLayout(right, 1)
        self.table = _named(qMRMLSegmentsTableView(), "SegmentsTableView")
        self.table.setSelectionMode(1)
        self.table.setOpacityColumnVisible(False)
        right.addWidget(self.table)
        self._add_options(right)
        self._add_masking(right)
        right.addStretch(1)

    def _add_selectors(self, column: QtWidgets.QVBoxLayout) -> None:
        form = QtWidgets.QFormLayout()
        column.addLayout(form)
        self.segmentations = _named(qMRMLNodeComboBox(), "SegmentationNodeComboBox")
        self.segmentations.setProperty("nodeTypes", ["vtkMRMLSegmentationNode"])
        self.segmentations.setProperty("renameEnabled", True)
        self.volumes = _named(qMRMLNodeComboBox(), "SourceVolumeNodeComboBox")
        self.volumes.setProperty("nodeTypes", ["vtkMRMLScalarVolumeNode"])
        self.volumes.setProperty("hideChildNodeTypes", ["vtkMRMLSegmentationNode"])
        self.volumes.setProperty("noneEnabled", True)
        self.volumes.setProperty("addEnabled", False)
        self.volumes.setProperty("noneDisplay", "Select source volume to enable editing")
        self.geometry = _tool_button("SpecifyGeometryButton", "Geometry")
        self.segmentations_label = _named(QtWidgets.QLabel("Segmentation:"), "SegmentationNodeLabel")
        self.volumes_label = _named(QtWidgets.QLabel("Source volume:"), "SourceVolumeNodeLabel")
        beside = QtWidgets.QHBoxLayout()
        beside.addWidget(self.volumes, 1)
        beside.addWidget(self.geometry)
        form.addRow(self.segmentations_label, self.segmentations)
        form.addRow(self.volumes_label, beside)

    def _add_actions(self, column: QtWidgets.QVBoxLayout) -> None:
        row = QtWidgets.QHBoxLayout()
        column.addLayout(row)
        self.add = _named(QtWidgets.QPushButton("Add"), "AddSegmentButton")
        self.remove = _named(QtWidgets.QPushButton("Remove"), "RemoveSegmentButton")
        self.show_3d = _named(qMRMLSegmentationShow3DButton(), "Show3DButton")
        self.show_3d.setText("Show 3D")
        self.switch = _tool_button("SwitchToSegmentationsButton", "Segmentations")
        for button in (self.add, self.remove, self.show_3d, self.switch):
            row.addWidget(button)
            button.setEnabled(False)

    def _add_effects(self, row: QtWidgets.QHBoxLayout) -> None:
        left = QtWidgets.QVBoxLayout()
        row.addLayout(left)
        self.effects = _named(QtWidgets.QFrame(), "EffectsGroupBox")
        self.effects_grid = QtWidgets.QGridLayout(self.effects)
        self.undo_redo = _named(QtWidgets.QFrame(), "UndoRedoGroupBox")
        grid = QtWidgets.QGridLayout(self.undo_redo)
        self.undo = _tool_button("UndoButton", "Undo", "Back")
        self.redo = _tool_button("RedoButton", "Redo", "Forward")
        grid.addWidget(self.undo, 0, 0)
        grid.addWidget(self.redo, 0, 1)
        left.addWidget(self.effects)
        left.addWidget(self.undo_redo)
        left.addStretch(1)
        self.effects.setEnabled(False)

    def _add_options(self, column: QtWidgets.QVBoxLayout) -> None:
        self.options = _named(QtWidgets.QGroupBox(), "OptionsGroupBox")
        inside = QtWidgets.QVBoxLayout(self.options)
        self.help = _named(QtWidgets.QLabel(), "EffectHelpBrowser")
        self.help.setWordWrap(True)
        self.help.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Minimum)
        self.options_frame = _named(QtWidgets.QFrame(), "EffectsOptionsFrame")
        frames = QtWidgets.QVBoxLayout(self.options_frame)
        frames.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.help)
        inside.addWidget(self.options_frame)
        column.addWidget(self.options)
        self.options.hide()

    def _add_masking(self, column: QtWidgets.QVBoxLayout) -> None:
        self.masking = _named(QtWidgets.QGroupBox("Masking"), "MaskingGroupBox")
        form = QtWidgets.QFormLayout(self.masking)
        self.mask_mode = _narrow_box("MaskModeComboBox")
        self.intensity = _named(QtWidgets.QCheckBox(), "SourceVolumeIntensityMaskCheckBox")
        self.lowest, self.highest = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        self.range = _named(QtWidgets.QWidget(), "SourceVolumeIntensityMaskRangeWidget")
        row = QtWidgets.QHBoxLayout(self.range)
        row.setContentsMargins(0, 0, 0, 0)
        for box in (self.lowest, self.highest):
            box.setRange(-1e6, 1e6)
            row.addWidget(box)
        self.overwrite = _narrow_box("OverwriteModeComboBox")
        form.addRow("Editable area:", self.mask_mode)
        form.addRow("Editable intensity range:", self.intensity)
        form.addRow(self.range)
        form.addRow("Modify other segments:", self.overwrite)
        column.addWidget(self.masking)
        self.masking.hide()


def _named(widget: Any, name: str) -> Any:
    widget.setObjectName(name)
    return widget


def _tool_button(name: str, text: str, arrow: str = "Right") -> QtWidgets.QToolButton:
    button = _named(QtWidgets.QToolButton(), name)
    button.setText(text)
    picture = getattr(QtWidgets.QStyle.StandardPixmap, f"SP_Arrow{arrow}")
    button.setIcon(button.style().standardIcon(picture))
    return button


def _narrow_box(name: str) -> QtWidgets.QComboBox:
    box = _named(QtWidgets.QComboBox(), name)
    box.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
    return box
