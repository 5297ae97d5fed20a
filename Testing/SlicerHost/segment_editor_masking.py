"""The Masking section of the segment editor: what it shows is what the segment editor's node says."""

from typing import Any, Callable

import slicer
from PySide6 import QtCore

from .segment_editor_layout import EditorLayout

MASK_MODES = (
    ("Everywhere", "EditAllowedEverywhere"),
    ("Inside all segments", "EditAllowedInsideAllSegments"),
    ("Inside all visible segments", "EditAllowedInsideVisibleSegments"),
    ("Outside all segments", "EditAllowedOutsideAllSegments"),
    ("Outside all visible segments", "EditAllowedOutsideVisibleSegments"),
)
"""Text, and name of the number in vtkMRMLSegmentationNode."""

OVERWRITE_MODES = (
    ("Overwrite all", "OverwriteAllSegments"),
    ("Overwrite visible", "OverwriteVisibleSegments"),
    ("Allow overlap", "OverwriteNone"),
)
"""Text, and name of the number in vtkMRMLSegmentEditorNode."""


class Masking:
    """Editable area, editable intensities, what becomes of other segments.

    Args:
        layout: the editor's widgets.
        node: gives the segment editor's node, or None.
    """

    def __init__(self, layout: EditorLayout, node: Callable[[], Any]) -> None:
        self._layout, self._node = layout, node
        for text, name in MASK_MODES:
            layout.mask_mode.addItem(text, getattr(slicer.vtkMRMLSegmentationNode, name))
        layout.mask_mode.insertSeparator(len(MASK_MODES))
        self._fixed = layout.mask_mode.count()
        for text, name in OVERWRITE_MODES:
            layout.overwrite.addItem(text, getattr(slicer.vtkMRMLSegmentEditorNode, name))
        layout.mask_mode.currentIndexChanged.connect(self._on_mask_mode)
        layout.overwrite.currentIndexChanged.connect(self._on_overwrite)
        layout.intensity.toggled.connect(self._on_intensity)
        for box in (layout.lowest, layout.highest):
            box.valueChanged.connect(lambda value: self._on_range())

    def _on_mask_mode(self, index: int) -> None:
        node, data = self._node(), self._layout.mask_mode.itemData(index)
        if node is None or data is None:
            return
        if index >= self._fixed:
            node.SetMaskSegmentID(data)
            node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
        else:
            node.SetMaskMode(data)

    def _on_overwrite(self, index: int) -> None:
        if self._node() is not None:
            self._node().SetOverwriteMode(self._layout.overwrite.itemData(index))

    def _on_intensity(self, on: bool) -> None:
        if self._node() is not None:
            self._node().SetSourceVolumeIntensityMask(on)

    def _on_range(self) -> None:
        if self._node() is not None:
            self._node().SetSourceVolumeIntensityMaskRange(
                self._layout.lowest.value(), self._layout.highest.value()
            )

    def list_segments(self) -> None:
        """Offers each segment as the area to stay in; everywhere, if the chosen one is gone."""
        box, node = self._layout.mask_mode, self._node()
        segmentation = node.GetSegmentationNode() if node is not None else None
        chosen = box.currentData() if box.currentIndex() >= self._fixed else None
        blocker = QtCore.QSignalBlocker(box)
        while box.count() > self._fixed:
            box.removeItem(box.count() - 1)
        segments = segmentation.GetSegmentation() if segmentation is not None else None
        for identifier in segments.GetSegmentIDs() if segments is not None else ():
            box.addItem(f"Inside {segments.GetSegment(identifier).GetName()}", identifier)
        if chosen is not None:
            box.setCurrentIndex(box.findData(chosen))
        blocker.unblock()
        if segmentation is not None and box.currentIndex() < 0:
            box.setCurrentIndex(0)

    def show(self) -> None:
        """Shows what the node says. An intensity range that was never set becomes the middle half of the
        source volume's.
        """
        node = self._node()
        single = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
        data = node.GetMaskSegmentID() if node.GetMaskMode() == single else node.GetMaskMode()
        on = bool(node.GetSourceVolumeIntensityMask())
        if on and node.GetSourceVolumeIntensityMaskRange()[0] == node.GetSourceVolumeIntensityMaskRange()[1]:
            self._set_middle_half(node)
        lowest, highest = node.GetSourceVolumeIntensityMaskRange()
        layout = self._layout
        widgets = (layout.mask_mode, layout.overwrite, layout.intensity, layout.lowest, layout.highest)
        blockers = [QtCore.QSignalBlocker(widget) for widget in widgets]
        layout.mask_mode.setCurrentIndex(layout.mask_mode.findData(data))
        layout.overwrite.setCurrentIndex(layout.overwrite.findData(node.GetOverwriteMode()))
        layout.intensity.setChecked(on)
        layout.range.setVisible(on)
        layout.lowest.setValue(lowest)
        layout.highest.setValue(highest)
        for blocker in blockers:
            blocker.unblock()

    def _set_middle_half(self, node: Any) -> None:
        volume = node.GetSourceVolumeNode()
        image = volume.GetImageData() if volume is not None else None
        lowest, highest = image.GetScalarRange() if image is not None else (0.0, 0.0)
        quarter = (highest - lowest) / 4
        node.SetSourceVolumeIntensityMaskRange(lowest + quarter, highest - quarter)
