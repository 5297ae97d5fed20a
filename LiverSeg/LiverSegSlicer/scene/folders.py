"""Where a result stands in the subject hierarchy: in a folder beside its scan, in the scan's study."""

from typing import Mapping, Optional, Tuple

import slicer
import vtk

FOLDER = "LiverSeg.Folder"
"""Attribute of the folders that LiverSeg makes."""


def fileResult(
    volumeNode: "slicer.vtkMRMLVolumeNode",
    nodes: "list[slicer.vtkMRMLNode]",
    folderName: str,
    earlier: Optional["slicer.vtkMRMLSegmentationNode"] = None,
) -> None:
    """File nodes in one folder beside the volume.

    Args:
        volumeNode: the scan.
        nodes: what belongs to the result; what is in a folder of ours already stays.
        folderName: name of the folder, if one has to be made.
        earlier: another result of the volume, whose folder is used if it still has one.
    """
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchyNode is None:
        return
    folder = 0
    for node in (*nodes, earlier):
        folder = folder or _folderOf(hierarchyNode, node)
    if not folder:
        folder = hierarchyNode.CreateFolderItem(_parentOf(hierarchyNode, volumeNode), folderName)
        hierarchyNode.SetItemAttribute(folder, FOLDER, "1")
    for node in nodes:
        item = _itemOf(hierarchyNode, node)
        if not item:
            hierarchyNode.CreateItem(folder, node)
        elif hierarchyNode.GetItemParent(item) != folder and not _folderOf(hierarchyNode, node):
            hierarchyNode.SetItemParent(item, folder)


def fileInSubfolder(
    headNode: "slicer.vtkMRMLNode", nodes: "list[slicer.vtkMRMLNode]", name: str, attribute: str
) -> None:
    """File nodes in a folder of their own within the folder of ours in which ``headNode`` lies.

    Args:
        headNode: the result that they belong to.
        nodes: all of the folder; those that the user filed elsewhere stay there.
        name: of the folder, if it has to be made.
        attribute: of the folder, which tells it from others.
    """
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchyNode is None or not nodes:
        return
    root = hierarchyNode.GetSceneItemID()
    parents = [hierarchyNode.GetItemParent(_itemOf(hierarchyNode, node) or root) for node in nodes]
    folder = next((item for item in parents if item and hierarchyNode.GetItemAttribute(item, attribute)), 0)
    if not folder:
        head = _itemOf(hierarchyNode, headNode)
        parent = _folderOf(hierarchyNode, headNode) or (hierarchyNode.GetItemParent(head) if head else root)
        folder = _emptyFolder(hierarchyNode, parent or root, attribute)
    if not folder:
        folder = hierarchyNode.CreateFolderItem(parent or root, name)
        hierarchyNode.SetItemAttribute(folder, attribute, "1")
    for node, parent in zip(nodes, parents):
        item = _itemOf(hierarchyNode, node)
        if not item:
            hierarchyNode.CreateItem(folder, node)
        elif parent == root:
            hierarchyNode.SetItemParent(item, folder)


def placeOf(node: "slicer.vtkMRMLNode") -> Optional[Tuple[int, int]]:
    """Return the item under which a node is filed and its position there; None if it is not filed."""
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = _itemOf(hierarchyNode, node) if hierarchyNode is not None else 0
    if not item:
        return None
    return hierarchyNode.GetItemParent(item), hierarchyNode.GetItemPositionUnderParent(item)


def placeInHierarchy(places: Mapping["slicer.vtkMRMLNode", Tuple[int, int]]) -> None:
    """File nodes where ``placeOf`` found them; where that folder is gone they stay where they are."""
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchyNode is None:
        return
    for node, (parent, position) in sorted(places.items(), key=lambda entry: entry[1]):
        item = _itemOf(hierarchyNode, node)
        if not item or (parent != hierarchyNode.GetSceneItemID() and not hierarchyNode.GetItemParent(parent)):
            continue
        hierarchyNode.SetItemParent(item, parent)
        after = hierarchyNode.GetItemByPositionUnderParent(parent, position)
        if after and after != item:
            hierarchyNode.MoveItem(item, after)


def _emptyFolder(hierarchyNode: "slicer.vtkMRMLSubjectHierarchyNode", parent: int, attribute: str) -> int:
    """Return a folder with the attribute that lost all that was in it, 0 if there is none."""
    children = vtk.vtkIdList()
    hierarchyNode.GetItemChildren(parent, children)
    items = [children.GetId(index) for index in range(children.GetNumberOfIds())]
    ours = (item for item in items if hierarchyNode.GetItemAttribute(item, attribute))
    return next((item for item in ours if not hierarchyNode.GetNumberOfItemChildren(item)), 0)


def _parentOf(hierarchyNode: "slicer.vtkMRMLSubjectHierarchyNode", volumeNode: "slicer.vtkMRMLNode") -> int:
    item = _itemOf(hierarchyNode, volumeNode)
    return (hierarchyNode.GetItemParent(item) if item else 0) or hierarchyNode.GetSceneItemID()


def _folderOf(
    hierarchyNode: "slicer.vtkMRMLSubjectHierarchyNode", node: Optional["slicer.vtkMRMLNode"]
) -> int:
    """Return the folder of ours that a node lies in, 0 if in none."""
    item = _itemOf(hierarchyNode, node)
    parent = hierarchyNode.GetItemParent(item) if item else 0
    return parent if parent and hierarchyNode.GetItemAttribute(parent, FOLDER) else 0


def _itemOf(hierarchyNode: "slicer.vtkMRMLSubjectHierarchyNode", node: Optional["slicer.vtkMRMLNode"]) -> int:
    return hierarchyNode.GetItemByDataNode(node) if node is not None else 0
