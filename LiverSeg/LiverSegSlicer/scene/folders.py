"""Where a result stands in the subject hierarchy: in a folder beside its scan, in the scan's study."""

from typing import List, Mapping, Optional, Sequence, Tuple

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
    hierarchy = _hierarchy()
    folder = next(filter(None, map(_folderOf, (*nodes, earlier))), 0)
    if not folder:
        folder = hierarchy.CreateFolderItem(_parentOf(volumeNode) or hierarchy.GetSceneItemID(), folderName)
        hierarchy.SetItemAttribute(folder, FOLDER, "1")
    for node in nodes:
        if _folderOf(node) == 0:
            _put(node, folder)


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
    if not nodes:
        return
    hierarchy, root = _hierarchy(), _hierarchy().GetSceneItemID()
    parents = [_parentOf(node) for node in nodes]
    folder = next((item for item in parents if item and hierarchy.GetItemAttribute(item, attribute)), 0)
    if not folder:
        parent = _folderOf(headNode) or _parentOf(headNode) or root
        folder = _emptyFolder(parent, attribute) or hierarchy.CreateFolderItem(parent, name)
        hierarchy.SetItemAttribute(folder, attribute, "1")
    for node, parent in zip(nodes, parents):
        if not _itemOf(node) or parent == root:
            _put(node, folder)


def fileTogether(
    volumeNodes: "Sequence[slicer.vtkMRMLNode]",
    nodes: "Sequence[slicer.vtkMRMLNode]",
    name: str,
    attribute: str,
) -> None:
    """File nodes that belong to several scans in one folder, as near to all of these as can be: in their
    study, else their patient, else the scene.

    Args:
        volumeNodes: the scans.
        nodes: those that the user filed elsewhere stay there.
        name: of the folder, if it has to be made.
        attribute: of the folder, which tells it from others.
    """
    hierarchy, root = _hierarchy(), _hierarchy().GetSceneItemID()
    ways = [_ancestors(node) for node in volumeNodes]
    parent = next((item for item in ways[0] if all(item in way for way in ways)), root) if ways else root
    folder = next((item for item in _children(parent) if hierarchy.GetItemAttribute(item, attribute)), 0)
    for node in nodes:
        if _parentOf(node) in (0, root):
            if not folder:
                folder = hierarchy.CreateFolderItem(parent, name)
                hierarchy.SetItemAttribute(folder, attribute, "1")
            _put(node, folder)


def placeOf(node: "slicer.vtkMRMLNode") -> Optional[Tuple[int, int]]:
    """Return the item under which a node is filed and its position there; None if it is not filed."""
    item = _itemOf(node)
    return (_parentOf(node), _hierarchy().GetItemPositionUnderParent(item)) if item else None


def placeInHierarchy(places: Mapping["slicer.vtkMRMLNode", Tuple[int, int]]) -> None:
    """File nodes where ``placeOf`` found them; where that folder is gone they stay where they are."""
    hierarchy = _hierarchy()
    for node, (parent, position) in sorted(places.items(), key=lambda entry: entry[1]):
        item = _itemOf(node)
        if not item or (parent != hierarchy.GetSceneItemID() and not hierarchy.GetItemParent(parent)):
            continue
        hierarchy.SetItemParent(item, parent)
        after = hierarchy.GetItemByPositionUnderParent(parent, position)
        if after and after != item:
            hierarchy.MoveItem(item, after)


def _put(node: "slicer.vtkMRMLNode", folder: int) -> None:
    item = _itemOf(node)
    if item:
        _hierarchy().SetItemParent(item, folder)
    else:
        _hierarchy().CreateItem(folder, node)


def _emptyFolder(parent: int, attribute: str) -> int:
    """Return a folder with the attribute that lost all that was in it, 0 if there is none."""
    for item in _children(parent):
        if _hierarchy().GetItemAttribute(item, attribute) and not _hierarchy().GetNumberOfItemChildren(item):
            return item
    return 0


def _children(parent: int) -> List[int]:
    children = vtk.vtkIdList()
    _hierarchy().GetItemChildren(parent, children)
    return [children.GetId(index) for index in range(children.GetNumberOfIds())]


def _ancestors(node: "slicer.vtkMRMLNode") -> List[int]:
    """Return the items above a node, the nearest first, without the scene."""
    hierarchy, found = _hierarchy(), [_parentOf(node)]
    while found[-1] and found[-1] != hierarchy.GetSceneItemID():
        found.append(hierarchy.GetItemParent(found[-1]))
    return found[:-1]


def _folderOf(node: Optional["slicer.vtkMRMLNode"]) -> int:
    """Return the folder of ours that a node lies in, 0 if in none."""
    parent = _parentOf(node)
    return parent if parent and _hierarchy().GetItemAttribute(parent, FOLDER) else 0


def _parentOf(node: Optional["slicer.vtkMRMLNode"]) -> int:
    """Return the item under which a node is filed, 0 if it is not filed."""
    item = _itemOf(node)
    return _hierarchy().GetItemParent(item) if item else 0


def _itemOf(node: Optional["slicer.vtkMRMLNode"]) -> int:
    return _hierarchy().GetItemByDataNode(node) if node is not None else 0


def _hierarchy() -> "slicer.vtkMRMLSubjectHierarchyNode":
    """Return the scene's only one; Slicer makes it where it is missing."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
