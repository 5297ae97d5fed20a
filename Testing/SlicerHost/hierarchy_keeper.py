"""What Slicer's application does for the subject hierarchy: items for nodes that come, go or are imported."""

from typing import Any, Callable, Iterable

import slicer
import vtk
from PySide6 import QtCore

from .recorder import recorder

FILED_CLASSES = (
    "vtkMRMLDisplayableNode",
    "vtkMRMLPlotChartNode",
    "vtkMRMLPlotSeriesNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
)
"""Nodes that one of Slicer's plugins takes into the hierarchy."""

EXCLUDED = "SubjectHierarchy.ExcludeFromTree"
"""Attribute of nodes that stay out of it."""


class HierarchyKeeper:
    """Follows the scene; its observers come before those of the views, which look into the hierarchy."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        for event, function in (
            (scene.NodeAddedEvent, self._on_added),
            (scene.NodeAboutToBeRemovedEvent, self._on_about_to_be_removed),
            (scene.EndImportEvent, self._on_imported),
            (scene.EndCloseEvent, self._on_closed),
        ):
            scene.AddObserver(event, _observer(function))

    def hierarchy(self) -> Any:
        """The scene's one hierarchy node: made where there is none, merged where an import brought one."""
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)

    def _on_added(self, node: Any) -> None:
        if node is not None and node.IsA("vtkMRMLSubjectHierarchyNode"):
            self.hierarchy()
        elif node is not None and not self._scene.IsImporting() and not self._scene.IsClosing():
            self._file([node])

    def _on_about_to_be_removed(self, node: Any) -> None:
        if node is None or self._scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        item = self.hierarchy().GetItemByDataNode(node)
        if item:
            self.hierarchy().RemoveItem(item, False, False)

    def _on_imported(self, node: Any) -> None:
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        self._file(nodes)
        # slice views keep the geometry of before the import until their node is touched; some look at it
        # only when the event loop runs again
        self._touch_slices()
        QtCore.QTimer.singleShot(0, self._touch_slices)

    def _touch_slices(self) -> None:
        for slice_node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            slice_node.Modified()

    def _on_closed(self, node: Any) -> None:
        if self.hierarchy().GetScene() is not self._scene:
            # MRML finds its hierarchy by a weak pointer: held elsewhere, the old one outlives the closing,
            # and the next import hangs in a view that looks for a parent in it (the code is real Slicer's)
            recorder.violation("a vtkMRMLSubjectHierarchyNode is held while the scene closes: let go of it")

    def _file(self, nodes: Iterable[Any]) -> None:
        hierarchy = self.hierarchy()
        for node in nodes:
            if node.GetHideFromEditors() or node.GetAttribute(EXCLUDED) is not None:
                continue
            if any(map(node.IsA, FILED_CLASSES)) and not hierarchy.GetItemByDataNode(node):
                hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def _observer(function: Callable[[Any], None]) -> Callable:
    @vtk.calldata_type(vtk.VTK_OBJECT)
    def observer(scene: Any, event: str, node: Any = None) -> None:
        try:
            function(node)
        except Exception:
            recorder.exception("THE HOST'S SUBJECT HIERARCHY")

    return observer
