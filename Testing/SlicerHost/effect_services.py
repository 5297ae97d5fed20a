"""What an editor does for its effects: volumes brought up to date, undo states, changes of segments."""

from typing import Any, Callable, List, Optional

import slicer

UPDATES = {
    "ModifierLabelmap": "ResetModifierLabelmapToDefault",
    "MaskLabelmap": "UpdateMaskLabelmap",
    "SelectedSegmentLabelmap": "UpdateSelectedSegmentLabelmap",
    "AlignedSourceVolume": "UpdateAlignedSourceVolume",
    "ReferenceGeometryImage": "UpdateReferenceGeometryImage",
}
"""Volume -> the method of the logic that brings it up to date."""

MODES = (
    "ModificationModeSet",
    "ModificationModeAdd",
    "ModificationModeRemove",
    "ModificationModeRemoveAll",
)
"""The logic's names of the modes, by number: VTK takes no plain number for them."""


class Services:
    """The volumes live in Slicer's own logic for editing segments, which also changes segments, masked: later
    releases took that code out of the effects' base class.

    Args:
        logic: vtkSlicerSegmentEditorLogic.
        history: vtkSegmentationHistory.
        select_effect: takes an effect's name.
        announce_geometry: takes the reference geometry as text, each time it was determined.
    """

    def __init__(
        self,
        logic: Any,
        history: Any,
        select_effect: Callable[[str], None],
        announce_geometry: Callable[[str], None],
    ) -> None:
        self._logic, self._history = logic, history
        self.select_effect = select_effect
        self._announce = announce_geometry

    def volume(self, name: str) -> Any:
        """The volume as it was last brought up to date."""
        return getattr(self._logic, f"Get{name}")()

    def update_volume(self, name: str) -> bool:
        """Brings a volume up to date; False where something is missing for it."""
        node = self._logic.GetSegmentEditorNode()
        if node is None or node.GetScene() is None or node.GetSegmentationNode() is None:
            return False
        if name == "SelectedSegmentLabelmap":
            segments = node.GetSegmentationNode().GetSegmentation()
            if segments.GetSegment(node.GetSelectedSegmentID() or "") is None:
                return False
        updated = getattr(self._logic, UPDATES[name])()
        self._announce(self._logic.GetReferenceImageGeometryString())
        return bool(updated)

    def save_state(self) -> None:
        """Keeps the segmentation as it is now for undo."""
        if self._history.GetMaximumNumberOfStates() > 0:
            self._history.SaveState()

    def displayable(self, view_node: Any) -> bool:
        """Whether the edited segmentation may be shown in the view."""
        return bool(self._logic.IsSegmentationDisplayableInView(view_node))

    def modify(
        self,
        node: Any,
        segment: str,
        labelmap: Any,
        mode: int,
        extent: Optional[List[int]],
        per_segment: bool,
        bypass: bool,
    ) -> Optional[str]:
        """Changes a segment. Returns: why Slicer refuses to, None where it did."""
        editor_node = self._logic.GetSegmentEditorNode()
        if editor_node.GetSourceVolumeIntensityMask():
            if not self.update_volume("AlignedSourceVolume"):
                return "unable to get the source volume's image"
            matches = slicer.vtkOrientedImageDataResample.DoGeometriesMatch
            if not matches(labelmap, self.volume("AlignedSourceVolume")):
                return "with an intensity mask the labelmap needs the geometry of the source volume"
        where = [] if extent is None else [extent]
        kind = getattr(self._logic, MODES[mode])
        self._logic.ModifySegmentByLabelmap(node, segment, labelmap, kind, *where, per_segment, bypass)
        return None
