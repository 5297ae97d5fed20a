"""The panel and the scene: which scan and which of its results are chosen, and what changes in the scene."""

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..parameters import LiverSegParameters
from ..scene import highlight, views, why
from ..scene.automatic import removeOrphans
from ..scene.parts import allResults, resultFor, volumeOf
from ..slots import guarded

NAME_PROPERTY = "SlicerParameterName"
"""Property by which a widget names its parameter."""
_EDIT_PAUSE_MS = 300
"""Edits are looked at when the user has paused for so long."""


class SceneLink(VTKObservationMixin):
    """Binds the widgets to the scene's parameter node and tells when the panel must be drawn anew.

    The scene is watched only between ``open`` and ``close``, while the panel is shown. Scene events come in
    the middle of changes; so they only start timers, and the panel is drawn when the event loop runs next.

    Args:
        uiWidget: the panel, whose widgets name their parameters.
        ui: the panel's widgets.
        getParameters: returns the parameter node's wrapper, made if there is none.
        isBusy: whether something runs, in which case the chosen scan is kept.
        onNewScan: called without arguments when the user chose a scan, or one that came into the scene was
            chosen.
        onChanged: called without arguments when anything the panel shows may have changed.
        onTouched: called without arguments whenever the shown segmentation is edited, in the middle of it.
        onEdited: called without arguments when the hand rests after such an edit.

    Attributes:
        parameters: the scene's choices; None while the scene is closing, and while it is not watched.
    """

    def __init__(
        self,
        uiWidget,
        ui,
        getParameters: Callable[[], LiverSegParameters],
        isBusy: Callable[[], bool],
        onNewScan: Callable[[], None],
        onChanged: Callable[[], None],
        onTouched: Callable[[], None],
        onEdited: Callable[[], None],
    ) -> None:
        VTKObservationMixin.__init__(self)
        self.parameters: Optional[LiverSegParameters] = None
        self._uiWidget = uiWidget
        self._ui = ui
        self._getParameters = getParameters
        self._isBusy = isBusy
        self._onNewScan = onNewScan
        self._onChanged = onChanged
        self._onTouched = onTouched
        self._seen: Set[Tuple[str, str]] = set()
        self._latest: Optional[Tuple[str, str]] = None
        self._guiTag = None
        self._watched: Any = None
        self._segmentation: Any = None
        self._segmentationTags: List[int] = []
        self._lookForScan = False
        self._sceneOpened = False
        self._isChoosing = False
        self._isOpen = False
        self._changeTimer = _timer(0, self._onChangeTimer)
        self._editTimer = _timer(_EDIT_PAUSE_MS, onEdited)
        # before they are bound, so that the parameter still has the scan from before
        ui.scanSelector.connect("currentNodeChanged(vtkMRMLNode*)", guarded(self._onSelectorChanged))
        ui.scanSelector.connect("nodeActivated(vtkMRMLNode*)", guarded(self._onScanActivated))
        ui.resultSelector.connect("activated(int)", guarded(self._onResultActivated))

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
        removeOrphans()
        self._lookAround(entering=True)

    def close(self) -> None:
        """Stop watching."""
        self._isOpen = False
        self._changeTimer.stop()
        self._editTimer.stop()
        self._unbind()
        self.watchSegmentation(None)
        self.removeObservers()

    def _lookAround(self, entering: bool = False) -> None:
        """Bind to the scene's parameter node and choose the scan that was loaded last, at once.

        Args:
            entering: nobody has watched until now; a choice that came meanwhile, with a scene or from a
                script, is kept.
        """
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsBatchProcessing():
            return
        parameters = self._bind(self._getParameters())
        current = parameters.inputVolume
        isNews = self._sceneOpened or entering and (current is None or _key(current) not in self._seen)
        self._sceneOpened, self._lookForScan = False, False
        isKept = isNews and current is not None
        if isKept or not self._isBusy():
            scans = scansInScene()
            new = [node for node in scans if _key(node) not in self._seen]
            self._seen = {_key(node) for node in scans}
            volumeNode = None if isKept else _scanToChoose(current, scans, new, preferResult=isNews)
            if volumeNode is not None:
                if volumeNode is not current:
                    why.hideEveryWhy()  # it was made of the scan before
                parameters.inputVolume = volumeNode
                if not isNews:
                    self._onNewScan()
        self._changeTimer.stop()
        self._onChanged()

    def chosenResult(self):
        """The chosen scan's result to show, or None: the latest, unless the user chose an earlier one.

        The parameter node follows, and the selector, which is shown only where a scan has several results, as
        after a rerun that kept an edited one.
        """
        parameters = self.parameters
        if parameters is None or parameters.inputVolume is None:
            self._latest = None
            return None
        volumeNode = parameters.inputVolume
        results = [node for node in allResults() if volumeOf(node) is volumeNode]
        latest = (volumeNode.GetID(), results[-1].GetID() if results else "")
        isNews = self._latest is not None and self._latest != latest
        self._latest = latest
        chosen = parameters.segmentation
        if isNews or not any(node is chosen for node in results):
            chosen = results[-1] if results else None
        if parameters.segmentation is not chosen:
            parameters.segmentation = chosen
        self._offerResults(results, chosen)
        return chosen

    def watchSegmentation(self, segmentationNode) -> None:
        """Tell of edits of this segmentation from now on, and of no other."""
        self._watched = segmentationNode
        segmentation: Any = segmentationNode.GetSegmentation() if segmentationNode is not None else None
        if segmentation is self._segmentation:
            return
        # not by the mixin: it would keep every segmentation that was ever shown in memory
        for tag in self._segmentationTags:
            self._segmentation.RemoveObserver(tag)
        self._editTimer.stop()
        self._segmentation = segmentation
        if segmentation is None:
            self._segmentationTags = []
            return
        edits = (
            segmentation.SourceRepresentationModified,
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
        )
        tags = [segmentation.AddObserver(event, guarded(self._onEdit)) for event in edits]
        # a name, or only a color: no number is out of date by that
        looked = segmentation.AddObserver(
            segmentation.SegmentModified, guarded(lambda: self._editTimer.start())
        )
        self._segmentationTags = [*tags, looked]

    def watched(self):
        """The segmentation of whose edits is told; None without."""
        return self._watched

    def drawSoon(self) -> None:
        """Have the panel drawn when the event loop runs next."""
        self._changeTimer.start()

    # ---- what the user chooses

    def _offerResults(self, results: List[Any], chosen) -> None:
        selector = self._ui.resultSelector
        selector.setVisible(len(results) > 1)
        selector.blockSignals(True)
        selector.clear()
        for node in reversed(results):
            selector.addItem(node.GetName(), node.GetID())
        if chosen is not None:
            selector.setCurrentIndex(selector.findData(chosen.GetID()))
        selector.blockSignals(False)

    def _onResultActivated(self, index: int) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._ui.resultSelector.itemData(index) or "")
        if self.parameters is not None and node is not None:
            self.parameters.segmentation = node
            _showInViews(self.parameters.inputVolume, node)

    def _onSelectorChanged(self, volumeNode) -> None:
        """Tell a choice of the user, which the parameter follows, from one that follows the parameter."""
        self._isChoosing = self.parameters is not None and self.parameters.inputVolume is not volumeNode

    def _onScanActivated(self, volumeNode) -> None:
        """The user picked a scan: show it, with its result if it has one, in the views as they are.

        Slicer's selector calls this "activated" also when it only follows the parameter, as when a scene is
        opened; then the views stay as they are.
        """
        isChoosing, self._isChoosing = self._isChoosing, False
        if volumeNode is not None and isChoosing:
            self._onNewScan()
            _showInViews(volumeNode, resultFor(volumeNode))

    # ---- following the scene

    def _bind(self, parameters: LiverSegParameters) -> LiverSegParameters:
        """Bind the widgets, unless they are bound to this parameter node already; return what they are bound
        to."""
        if self.parameters is not None and self.parameters.parameterNode is parameters.parameterNode:
            return self.parameters
        self._unbind()
        self.parameters = parameters
        self._guiTag = parameters.connectParametersToGui(_boundWidgets(self._uiWidget))
        parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, guarded(self._onModified))
        return parameters

    def _unbind(self) -> None:
        if self.parameters is not None:
            self.parameters.letGo(self._guiTag)
            self.parameters = None

    def _onModified(self, _caller=None, _event=None) -> None:
        self._changeTimer.start()

    def _onEdit(self, _caller=None, _event=None) -> None:
        self._editTimer.start()
        self._onTouched()

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
        whyNode = why.whyOf(node) if node.IsA("vtkMRMLSegmentationNode") else node
        if why.isWhy(whyNode):
            why.hideWhy(whyNode)  # what lay over the scan before it comes back

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, _caller, _event, node) -> None:
        if self.parameters is not None and node is self.parameters.parameterNode:
            self._unbind()
            self._lookForScan = True
        if node is not None and not slicer.mrmlScene.IsClosing():
            self._changeTimer.start()

    def _onChangeTimer(self) -> None:
        removeOrphans()
        if self._sceneOpened or self._lookForScan or self.parameters is None:
            self._lookAround()
        else:
            self._onChanged()


def scansInScene() -> List[Any]:
    """The volumes that could be a scan, in the order in which they came."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    # label maps and others are subclasses
    scalar = [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode"]
    return [node for node in scalar if not node.GetHideFromEditors() and not why.isMap(node)]


def _scanToChoose(current, scans: List[Any], new: List[Any], preferResult: bool):
    """The scan that the panel chooses by itself: the one that was loaded last; None to leave the choice.

    Args:
        current: the scan chosen now, or None.
        scans: all of the scene. new: those of them that came since the panel last looked.
        preferResult: a scene was opened; a scan that has a result comes first.
    """
    if preferResult and current is None:
        segmented = [node for node in scans if resultFor(node) is not None]
        if segmented:
            return segmented[-1]
    # what came from a file or from DICOM, unlike what another module computed
    loaded = [node for node in new if node.GetStorageNode() or node.GetAttribute("DICOM.instanceUIDs")]
    if loaded:
        return loaded[-1]
    return scans[-1] if current is None and scans else None


def _key(volumeNode) -> Tuple[str, str]:
    """Tells a volume from others, also of another scene, which may have the same ID."""
    return volumeNode.GetID() or "", volumeNode.GetAddressAsString("vtkMRMLNode")


def _showInViews(volumeNode, segmentationNode) -> None:
    """Show what the user has chosen in the views as they are."""
    views.showInViews(volumeNode, segmentationNode)
    if segmentationNode is not None:
        highlight.hideHighlight(segmentationNode)


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
