"""Loading and saving, as far as slicer.util asks the application for it."""

import os
from typing import Any, Dict, Optional

import slicer
from PySide6 import QtCore

from .registry import slicer_class

READERS = {
    ".nii": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".nrrd": "VolumeFile",
    ".nhdr": "VolumeFile",
    ".mha": "VolumeFile",
    ".mhd": "VolumeFile",
    ".dcm": "VolumeFile",
    ".seg.nrrd": "SegmentationFile",
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
    ".mrk.json": "MarkupsFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".txt": "TextFile",
    ".json": "TextFile",
    ".xml": "TextFile",
    ".stl": "ModelFile",
    ".vtk": "ModelFile",
    ".vtp": "ModelFile",
    ".ply": "ModelFile",
    ".obj": "ModelFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
}
"""End of a file name -> type of file, longest end first when looked up."""


def file_type(path: str) -> str:
    """Slicer's type of a file by its name; "NoFile" where no reader takes it."""
    for ending in sorted(READERS, key=len, reverse=True):
        if path.lower().endswith(ending):
            return READERS[ending]
    return "NoFile"


@slicer_class
class qSlicerIOManager(QtCore.QObject):
    """slicer.app.ioManager() and coreIOManager()."""

    newFileLoaded = QtCore.Signal(object)
    fileSaved = QtCore.Signal(object)

    def fileType(self, path: str) -> str:
        return file_type(path)

    def fileWriterFileType(self, node: Any, extension: str = "") -> str:
        return node.GetClassName()

    def loadNodes(
        self,
        kind: str,
        properties: Dict[str, Any],
        loaded: Optional[Any] = None,
        messages: Optional[Any] = None,
    ) -> bool:
        path = str(properties["fileName"])
        if not os.path.exists(path):
            return False
        if kind == "SceneFile":
            return self.loadScene(path, bool(properties.get("clear", True)))
        reader = getattr(self, f"_read_{kind}", None)
        if reader is None:
            raise NotImplementedError(f"the host does not load files of type {kind}")
        node = reader(path, properties.get("name") or _stem(path), properties)
        if node is None:
            return False
        if loaded is not None:
            loaded.AddItem(node)
        return True

    def loadScene(self, path: str, clear: bool = True) -> bool:
        scene = slicer.mrmlScene
        if path.endswith(".mrb"):
            return bool(scene.ReadFromMRB(path, clear))
        scene.SetURL(path)
        return bool(scene.Connect() if clear else scene.Import())

    def saveNodes(
        self, kind: str, properties: Dict[str, Any], messages: Any = None, scene: Any = None
    ) -> bool:
        path = str(properties["fileName"])
        if path.endswith(".mrb"):
            return bool(slicer.mrmlScene.WriteToMRB(path))
        if path.endswith(".mrml"):
            slicer.mrmlScene.SetRootDirectory(os.path.dirname(path))
            return bool(slicer.mrmlScene.Commit(path))
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        storage.SetUseCompression(properties.get("useCompression", 1))
        return bool(storage.WriteData(node))

    def saveScene(self, path: str, picture: Any = None, messages: Any = None) -> bool:
        return self.saveNodes("SceneFile", {"fileName": path})

    def _read_VolumeFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        options = int(bool(properties.get("labelmap"))) | 2 * int(bool(properties.get("center")))
        options |= 8 * int(bool(properties.get("singleFile")))
        files = None
        if properties.get("fileNames"):
            import vtk

            files = vtk.vtkStringArray()
            for item in properties["fileNames"]:
                files.InsertNextValue(item)
        node = _logic("volumes").AddArchetypeVolume(path, name, options, files)
        if node is not None and properties.get("show", True):
            selection = slicer.app.applicationLogic().GetSelectionNode()
            if options & 1:
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            slicer.app.applicationLogic().PropagateVolumeSelection(1)
        return node

    def _read_SegmentationFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        return _logic("segmentations").LoadSegmentationFromFile(path, True, name)

    def _read_ModelFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        return _logic("models").AddModel(path, 1)

    def _read_TableFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        return _logic("tables").AddTable(path, name)

    def _read_TextFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", name)
        node.AddDefaultStorageNode(path)
        node.GetStorageNode().SetFileName(path)
        return node if node.GetStorageNode().ReadData(node) else None

    def _read_MarkupsFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        identifier = _logic("markups").LoadMarkups(path, name)
        return slicer.mrmlScene.GetNodeByID(identifier) if identifier else None

    def _read_TransformFile(self, path: str, name: str, properties: Dict[str, Any]) -> Any:
        return _logic("transforms").AddTransform(path, slicer.mrmlScene)


def _stem(path: str) -> str:
    return os.path.basename(path).split(".")[0]


def _logic(module: str) -> Any:
    return getattr(slicer.modules, module).logic()
