"""Segments in the segment editor: the chosen one, added ones, removed ones."""

from typing import Any, Callable, List

import slicer

from .segment_editor_layout import EditorLayout


class Segments:
    """Args:
    layout: the editor's widgets.
    node: gives the segment editor's node, or None.
    save_state: keeps the segmentation as it is for undo.
    """

    def __init__(self, layout: EditorLayout, node: Callable[[], Any], save_state: Callable[[], None]):
        self._layout, self._node, self._save_state = layout, node, save_state

    def _segmentation(self) -> Any:
        node = self._node()
        segmentation = node.GetSegmentationNode() if node is not None else None
        return segmentation.GetSegmentation() if segmentation is not None else None

    def _identifiers(self) -> List[str]:
        segmentation = self._segmentation()
        return list(segmentation.GetSegmentIDs()) if segmentation is not None else []

    def show(self, locked: bool) -> None:
        """Selects in the table what the node says; enables the buttons around it."""
        node, layout = self._node(), self._layout
        chosen = node.GetSelectedSegmentID() or ""
        chosen = chosen if chosen in self._identifiers() else ""
        has_volume = node.GetSourceVolumeNode() is not None
        layout.add.setEnabled(self._segmentation() is not None and not locked and has_volume)
        layout.remove.setEnabled(bool(chosen) and not locked)
        layout.show_3d.setLocked(locked)
        layout.switch.setEnabled(self._segmentation() is not None)
        if chosen:
            layout.table.setSelectedSegmentIDs([chosen])
        else:
            layout.table.clearSelection()
        layout.table.setReadOnly(locked)

    def add(self, terminology: str) -> None:
        """An empty segment, selected, named as the one before it where that has a terminology."""
        segmentation = self._segmentation()
        if segmentation is None:
            return
        self._save_state()
        identifier = segmentation.AddEmptySegment("")
        segment = segmentation.GetSegment(identifier)
        if terminology:
            segment.SetTag(segment.GetTerminologyEntryTagName(), terminology)
        slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(segment, 0)
        self._layout.table.setSelectedSegmentIDs([identifier])

    def remove(self) -> None:
        """The selected segment; its neighbour is selected then."""
        node, identifiers = self._node(), self._identifiers()
        chosen = node.GetSelectedSegmentID() if node is not None else None
        if not chosen or chosen not in identifiers:
            return
        self._save_state()
        place = identifiers.index(chosen)
        others = identifiers[:place] + identifiers[place + 1 :]
        if others:
            self._layout.table.setSelectedSegmentIDs([others[min(place, len(others) - 1)]])
        self._segmentation().RemoveSegment(chosen)

    def select_at(self, offset: int) -> None:
        """The segment so many places further in the table, round the end."""
        identifiers = self._layout.table.displayedSegmentIDs()
        if not identifiers or self._node() is None:
            return
        chosen = self._node().GetSelectedSegmentID()
        place = identifiers.index(chosen) if chosen in identifiers else 0
        self._layout.table.setSelectedSegmentIDs([identifiers[(place + offset) % len(identifiers)]])
