"""The panel and the scene: which parameter node holds its choices, and what in the scene concerns it."""

from typing import Any, Callable, Dict, List, Optional

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..parameters import LiverSegParameters
from ..slots import guarded
from .volume_choice import VolumeChoice

NAME_PROPERTY = "SlicerParameterName"
"""Property by which a widget names its parameter."""
_EDIT_PAUSE_MS = 400
"""Edits are looked at when the user has paused for so long."""


class SceneBinding(VTKObservationMixin):
    """Binds the widgets to the scene's parameter node and tells when the panel must be drawn anew.

    The scene is watched only between ``open`` and ``close``, while the panel is shown. Scene events come in
    the middle of changes; so they only start timers, and the panel is drawn when the event loop runs next.

    Args:
        uiWidget: the panel, whose widgets name their parameters.
        getParameters: returns the parameter node's wrapper, made if there is none.
        isBusy: whether something runs, in which case the chosen scan is kept.
        onScanArrived: called without arguments when a volume was chosen that came into the scene.
        onChanged: called without arguments when anything the panel shows may have changed.
        onEdited: called without arguments after the shown segmentation was edited.
    """

    def __init__(
        self,
        uiWidget,
        getParameters: Callable[[], LiverSegParameters],
        isBusy: Callable[[], bool],
        onScanArrived: Callable[[], None],
        onChanged: Callable[[], None],
        onEdited: Callable[[], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self.parameters: Optional[LiverSegParameters] = None
        self._uiWidget = uiWidget
        self._getParameters = getParameters
        self._isBusy = isBusy
        self._onScanArrived = onScanArrived
        self._onChanged = onChanged
        self._volumeChoice = VolumeChoice()
        self._guiTag = None
        self._segmentation = None
        self._segmentationTags: List[int] = []
        self._lookForScan = False
        self._sceneOpened = False
        self._isOpen = False
        self._changeTimer = _timer(0, self._onChangeTimer)
        self._editTimer = _timer(_EDIT_PAUSE_MS, onEdited)

    def isOpen(self) -> bool:
        """Whether the scene is watched."""
        return self._isOpen

    def open(self) -> None:
        """Begin to watch the scene, and bind to its parameter node."""
        if not self._isOpen:
            self._isOpen = True
            scene = slicer.mrmlScene
            for event, function in (
                (scene.StartCloseEvent, self._onSceneGoes),
                (scene.EndCloseEvent, self._onSceneReplaced),
                # selectors that fill anew when a scene comes in must not write over the choice it brings
                (scene.StartImportEvent, self._onSceneGoes),
                (scene.EndImportEvent, self._onSceneReplaced),
                (scene.EndBatchProcessEvent, self._onModified),
                (scene.NodeAddedEvent, self._onNodeAdded),
                (scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved),
                (scene.NodeRemovedEvent, self._onNodeRemoved),
            ):
                self.addObserver(scene, event, guarded(function))
        self.lookAround(entering=True)

    def close(self) -> None:
        """Stop watching."""
        self._isOpen = False
        self._changeTimer.stop()
        self._editTimer.stop()
        self._unbind()
        self.watchSegmentation(None)
        self.removeObservers()

    def lookAround(self, entering: bool = False) -> None:
        """Bind to the scene's parameter node and choose the scan that was loaded last, at once.

        Args:
            entering: nobody has watched until now; a choice that came meanwhile, with a scene or from a
                script, is kept.
        """
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsBatchProcessing():
            return
        self._bind(self._getParameters())
        current = self.parameters.inputVolume
        isNews = self._sceneOpened or entering and (current is None or not self._volumeChoice.knows(current))
        self._sceneOpened, self._lookForScan = False, False
        if isNews and current is not None:
            self._volumeChoice.accept()
        elif not self._isBusy():
            volumeNode = self._volumeChoice.choose(current, preferResult=isNews)
            if volumeNode is not None:
                self.parameters.inputVolume = volumeNode
                if not isNews:
                    self._onScanArrived()
        self._changeTimer.stop()
        self._onChanged()

    def watchSegmentation(self, segmentationNode) -> None:
        """Tell of edits of this segmentation from now on, and of no other."""
        segmentation = segmentationNode.GetSegmentation() if segmentationNode is not None else None
        if segmentation is self._segmentation:
            return
        # not by the mixin: it would keep every segmentation that was ever shown in memory
        for tag in self._segmentationTags:
            self._segmentation.RemoveObserver(tag)
        self._editTimer.stop()
        self._segmentation = segmentation
        events = (
            ()
            if segmentation is None
            else (
                segmentation.SourceRepresentationModified,
                segmentation.SegmentModified,
                segmentation.SegmentAdded,
                segmentation.SegmentRemoved,
            )
        )
        self._segmentationTags = [segmentation.AddObserver(event, guarded(self._onEdit)) for event in events]

    def _bind(self, parameters: LiverSegParameters) -> None:
        if self.parameters is not None and self.parameters.parameterNode is parameters.parameterNode:
            return
        self._unbind()
        self.parameters = parameters
        self._guiTag = parameters.connectParametersToGui(_boundWidgets(self._uiWidget))
        parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, guarded(self._onModified))

    def _unbind(self) -> None:
        if self.parameters is not None:
            self.parameters.letGo(self._guiTag)
            self.parameters = None

    def _onModified(self, _caller=None, _event=None) -> None:
        self._changeTimer.start()

    def _onEdit(self, _caller=None, _event=None) -> None:
        self._editTimer.start()

    def _onSceneGoes(self, _caller=None, _event=None) -> None:
        self._unbind()
        self.watchSegmentation(None)
        self._onChanged()

    def _onSceneReplaced(self, _caller=None, _event=None) -> None:
        self._sceneOpened = True
        self._changeTimer.start()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, _caller, _event, node) -> None:
        if node is None:
            return
        if node.IsA("vtkMRMLScalarVolumeNode"):
            self._lookForScan = True
            self._changeTimer.start()
        elif node.IsA("vtkMRMLSegmentationNode") or node.IsA("vtkMRMLMarkupsROINode"):
            self._changeTimer.start()  # a script may have segmented the chosen scan, or assessed it

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, _caller, _event, node) -> None:
        if node is None or slicer.mrmlScene.IsClosing():
            return
        if self.parameters is not None and node is self.parameters.inputVolume:
            self.parameters.inputVolume = None  # else the selector moves on to the next scan

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, _caller, _event, node) -> None:
        if self.parameters is not None and node is self.parameters.parameterNode:
            self._unbind()
            self._lookForScan = True
        if node is not None and not slicer.mrmlScene.IsClosing():
            self._changeTimer.start()

    def _onChangeTimer(self) -> None:
        if self._sceneOpened or self._lookForScan or self.parameters is None:
            self.lookAround()
        else:
            self._onChanged()


def _boundWidgets(uiWidget) -> Dict[str, Any]:
    """Return the widgets of the panel that name a parameter, by that name.

    Slicer's own ``connectGui`` does the same but forgets to return the tag to disconnect them with.
    """
    widgets = {widget.property(NAME_PROPERTY): widget for widget in uiWidget.findChildren(qt.QWidget)}
    return {name: widget for name, widget in widgets.items() if name}


def _timer(milliseconds: int, slot: Callable[[], None]):
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", guarded(slot))
    return timer
