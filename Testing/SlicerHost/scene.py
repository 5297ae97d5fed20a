"""The MRML scene of the session, with the logics of Slicer's loadable modules and what keeps the subject
hierarchy.
"""

import colorsys
from typing import Any, Dict

import slicer
import vtk

from .hierarchy_keeper import HierarchyKeeper

MODULE_LOGICS = {
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "Colors": "vtkSlicerColorLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Data": "vtkSlicerDataModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Reformat": "vtkSlicerReformatLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Units": "vtkSlicerUnitsLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Volumes": "vtkSlicerVolumesLogic",
}
"""Slicer's module -> its logic in the slicer-core wheel."""


class Scene:
    """slicer.mrmlScene and what Slicer's application puts around it."""

    def __init__(self, temporary_folder: str) -> None:
        self.mrml = slicer.vtkMRMLScene()
        slicer.mrmlScene = self.mrml
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self._add_crosshair()
        self._set_up_application_logic(temporary_folder)
        self.logics = self._make_logics()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.mrml, True)
        self._keeper = HierarchyKeeper(self.mrml)
        self.mrml.SetUndoOff()

    def _add_crosshair(self) -> None:
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.mrml.AddNode(crosshair)

    def _set_up_application_logic(self, temporary_folder: str) -> None:
        logic = self.application_logic
        logic.SetMRMLScene(self.mrml)
        logic.SetTemporaryPath(temporary_folder)
        colors = logic.GetColorLogic()
        colors.SetMRMLScene(self.mrml)
        colors.SetMRMLApplicationLogic(logic)
        colors.AddDefaultColorNodes()
        self._add_generic_colors()
        logic.SetSliceLogics(vtk.vtkCollection())
        logic.SetViewLogics(vtk.vtkCollection())
        # reading an .mrb asks the scene's cache manager for a folder
        self._remote_io = slicer.vtkMRMLRemoteIOLogic()
        self._remote_io.SetMRMLScene(self.mrml)
        self._remote_io.AddDataIOToScene()
        self.mrml.GetCacheManager().SetRemoteCacheDirectory(temporary_folder)

    def _add_generic_colors(self) -> None:
        """The colours of label maps, which Slicer reads from a file that the wheel lacks; here made by a
        rule.
        """
        colors = slicer.vtkMRMLColorTableNode()
        colors.SetTypeToUser()
        colors.SetName("GenericColors")
        colors.SetSingletonTag("FileGenericColors.txt")
        colors.SetAttribute("Category", "Discrete")
        colors.SetHideFromEditors(True)
        colors.SetSaveWithScene(False)
        colors.SetNumberOfColors(256)
        colors.SetColor(0, "Background", 0.0, 0.0, 0.0, 0.0)
        for label in range(1, 256):
            # the golden ratio spreads hues evenly however many there are
            red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.6, 0.9)
            colors.SetColor(label, f"Segment_{label}", red, green, blue, 1.0)
        self.mrml.AddNode(colors)

    def _make_logics(self) -> Dict[str, Any]:
        logics = {}
        for module, class_name in MODULE_LOGICS.items():
            if not hasattr(slicer, class_name):
                continue
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(self.application_logic)
            logic.SetMRMLScene(self.mrml)
            self.application_logic.SetModuleLogic(module, logic)
            logics[module] = logic
        if hasattr(slicer, "vtkSlicerSegmentEditorLogic"):
            # the segment editor's node classes register with the scene when its logic first meets it
            slicer.vtkSlicerSegmentEditorLogic().SetMRMLScene(self.mrml)
        return logics
