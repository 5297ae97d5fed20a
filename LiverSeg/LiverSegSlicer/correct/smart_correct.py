"""What the effect does: clicks and strokes in slice views become corrections of the chosen segment."""

import math
from typing import Any, Callable, List, Optional, Sequence, Tuple

import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, LiverSegError, UsageError
from LiverSegLib.worker.correct_messages import StrokeLine

from .. import slots
from ..scene.edits import EffectWriter
from ..scene.roles import tumorSegmentID
from ..scene.segments import LABELMAP
from ..scene.volumes import scanPoint
from ..sentences import sentence
from .corrector import sharedCorrector
from .options import ADD, CORRECT, DELETE, MERGE, SPLIT, Options
from .preview import Preview
from .steps import Asked, Corrected, EditedCase, caseOf

ACTIONS = {ADD: "add_lesion", DELETE: "remove_lesion", SPLIT: "split_lesion", MERGE: "merge_lesions"}
"""What clicks are for -> what the core does."""

_CLICK_PIXELS = 4
"""A press that moves less than this is a click."""
_STROKE_STEP_PIXELS = 3
"""Points of a stroke lie at least so far apart."""
_PRESSES = (vtk.vtkCommand.LeftButtonPressEvent, vtk.vtkCommand.LeftButtonDoubleClickEvent)
"""The second of two quick clicks comes as a double click, which would maximize the view."""
_MODE, _INCLUDE, _STROKE = "Mode", "Include", "StrokeWidthMm"
_USUAL_STROKE_MM = 4.0


class SmartCorrect:
    """One effect of one Segment Editor.

    Args:
        scriptedEffect: Slicer's object.
        xyToRas: pixel (x, y) in a view -> world RAS mm.
    """

    def __init__(self, scriptedEffect: Any, xyToRas: Callable[[Sequence[int], Any], Sequence[float]]) -> None:
        self._effect = scriptedEffect
        self._xyToRas = xyToRas
        self._preview = Preview(scriptedEffect)
        self._options: Optional[Options] = None
        self._view: Any = None
        self._isGone = False
        self._isInclude = True
        self._pixels: List[Tuple[int, int]] = []
        self._places: List[Sequence[float]] = []
        self._marked: List[Sequence[float]] = []
        self._lesion: Optional[Tuple[EditedCase, Corrected, Any]] = None

    # ---- what Slicer tells

    def setUp(self) -> None:
        """Make the options."""
        self._options = Options(
            self._effect,
            slots.guarded(self.setMode),
            slots.guarded(self.setInclude),
            lambda width: self._effect.setParameter(_STROKE, float(width)),
            slots.guarded(self._onSize),
            slots.guarded(self._onKeep),
        )

    def setDefaults(self) -> None:
        """Give the editor's node the usual choices."""
        self._effect.setParameterDefault(_MODE, CORRECT)
        self._effect.setParameterDefault(_INCLUDE, 1)
        self._effect.setParameterDefault(_STROKE, _USUAL_STROKE_MM)

    def show(self) -> None:
        """Show the choices of the editor's node."""
        node = self._effect.parameterSetNode()
        if self._options is None or node is None:
            return
        segmentationNode = node.GetSegmentationNode()
        hasTumor = segmentationNode is not None and tumorSegmentID(segmentationNode) is not None
        self._options.show(self.mode(), self._includes(), self._effect.doubleParameter(_STROKE), hasTumor)

    def activate(self) -> None:
        """The effect was chosen."""
        self._marked = []
        self._tell(self._invitation())

    def deactivate(self) -> None:
        """Another effect was chosen, or the editor is left: what is being drawn is given up."""
        self._view, self._pixels, self._places, self._marked = None, [], [], []
        self._keepLesion()
        self._preview.clear()

    def cleanUp(self) -> None:
        """The editor is about to vanish, with the options; a correction may still be on its way."""
        self._options, self._isGone = None, True

    def processEvent(self, interactor: Any, eventId: int, viewWidget: Any) -> bool:
        """Take a mouse event of a view; True if nobody else shall have it."""
        try:
            return self._onEvent(interactor, eventId, viewWidget)
        except Exception as error:  # noqa: BLE001 (Slicer would only print it)
            self._fail(slots.explained(error))
            return True  # a press with Ctrl that nobody takes would begin to blend the layers

    # ---- what buttons and scripts ask for

    def setMode(self, mode: str) -> None:
        """Say what clicks are for from now on: a mode of ``options``."""
        self._effect.setParameter(_MODE, mode)
        self._marked = []
        self._keepLesion()
        self._preview.clear()
        node = self._effect.parameterSetNode()
        tumor = tumorSegmentID(node.GetSegmentationNode()) if mode != CORRECT else None
        if tumor is not None:
            node.SetSelectedSegmentID(tumor)
        self._tell(self._invitation())
        self.show()

    def setInclude(self, include: bool) -> None:
        """Say whether a click adds, or removes."""
        self._effect.setParameter(_INCLUDE, int(include))
        if self.mode() != CORRECT:
            self.setMode(CORRECT)
        self.show()

    # ---- mouse

    def _onEvent(self, interactor: Any, eventId: int, viewWidget: Any) -> bool:
        if viewWidget.className() != "qMRMLSliceWidget":
            return False
        if eventId in _PRESSES and not interactor.GetShiftKey():
            self._checkOneSlice(viewWidget)
            self._begin(interactor, viewWidget)
            return True
        if not self._pixels or self._viewID(viewWidget) != self._viewID(self._view):
            return False
        if eventId == vtk.vtkCommand.MouseMoveEvent:
            self._goOn(interactor.GetEventPosition())
            return True
        if eventId == vtk.vtkCommand.LeftButtonReleaseEvent:
            self._end()
            return True
        return False

    def _viewID(self, viewWidget: Any) -> str:
        """Tells views apart; Python may have several objects for one."""
        return self._effect.viewNode(viewWidget).GetID()

    def _checkOneSlice(self, viewWidget: Any) -> None:
        """In a light box Slicer tells no effect which of the slices was clicked."""
        node = self._effect.viewNode(viewWidget)
        if node.GetLayoutGridRows() * node.GetLayoutGridColumns() > 1:
            self._pixels, self._places = [], []
            raise UsageError(_("Show one slice in this view instead of several, then click."))

    def _begin(self, interactor: Any, viewWidget: Any) -> None:
        self._view = viewWidget
        self._isInclude = self._includes() != bool(interactor.GetControlKey())
        self._pixels, self._places = [], []
        self._take(interactor.GetEventPosition())

    def _goOn(self, pixel: Sequence[int]) -> None:
        if math.dist(pixel, self._pixels[-1]) >= _STROKE_STEP_PIXELS and self.mode() == CORRECT:
            self._take(pixel)

    def _take(self, pixel: Sequence[int]) -> None:
        # the position in the volume now: the view may be scrolled before the correction is computed
        self._places.append(self._xyToRas(pixel, self._view))
        self._pixels.append((int(pixel[0]), int(pixel[1])))
        self._preview.show(
            self._viewID(self._view), self._view, self._pixels, self._isInclude or self.mode() != CORRECT
        )

    def _end(self) -> None:
        pixels, places, self._pixels, self._places = self._pixels, self._places, [], []
        isClick = max(math.dist(pixel, pixels[0]) for pixel in pixels) < _CLICK_PIXELS
        mode = self.mode()
        if mode == CORRECT:
            self._correct(places[:1] if isClick else places, isClick)
        else:
            self._onLesion(mode, places[0])

    # ---- corrections

    def _correct(self, places: Sequence[Sequence[float]], isClick: bool) -> None:
        node = self._effect.parameterSetNode()
        case = self._case(node.GetSelectedSegmentID())
        points = tuple(scanPoint(case.volumeNode, place) for place in places)
        if isClick:
            asked = Asked(include=points) if self._isInclude else Asked(exclude=points)
        else:
            width = self._effect.doubleParameter(_STROKE)
            asked = Asked(strokes=(StrokeLine(points, width / 2, self._isInclude),))
        self._ask(case, asked)

    def _onLesion(self, mode: str, place: Sequence[float]) -> None:
        """Take a click that is about a whole lesion; two of them are needed to split and to merge."""
        self._marked.append(place)
        if mode in (SPLIT, MERGE) and len(self._marked) < 2:
            text = _("Now click in the other part.") if mode == SPLIT else _("Now click on the other lesion.")
            self._tell(text)
            return
        marked, self._marked = self._marked, []
        case = self._case(tumorSegmentID(self._effect.parameterSetNode().GetSegmentationNode()))
        points = tuple(scanPoint(case.volumeNode, place) for place in marked)
        self._ask(case, Asked(ACTIONS[mode], include=points))

    def _case(self, segmentID: Optional[str]) -> EditedCase:
        node = self._effect.parameterSetNode()
        volumeNode = node.GetSourceVolumeNode()
        if volumeNode is None:
            raise UsageError(_("Choose the scan as the source volume first."))
        visible = slicer.qSlicerSegmentEditorAbstractEffect.ConfirmedWithoutDialog
        if self._effect.confirmCurrentSegmentVisible() != visible:  # shown only now: the next click counts
            raise CancelledError(_("Cancelled."))
        return caseOf(node.GetSegmentationNode(), segmentID or "", volumeNode)

    def _ask(self, case: EditedCase, asked: Asked) -> None:
        if asked.instead is None:
            self._keepLesion()
        self._tell(_("Working…"))
        done = slots.guarded(lambda corrected, error: self._onDone(case, corrected, error))
        sharedCorrector().ask(case, asked, EffectWriter(self._effect, case.segmentationNode), done)

    def _onDone(
        self, case: EditedCase, corrected: Optional[Corrected], error: Optional[LiverSegError]
    ) -> None:
        if self._isGone:
            return
        if not sharedCorrector().isBusy() and not self._pixels and not self._marked:
            self._preview.clear()
        if corrected is None:
            self._fail(error or CancelledError(_("Cancelled.")))
            return
        self._tell(_doneText(corrected))
        if corrected.asked.action == "add_lesion" and corrected.edit is not None:
            self._lesion = (case, corrected, _stateOf(case))
            if self._options is not None and corrected.asked.instead is None:
                self._options.showSize(_diameterMm(corrected))

    # ---- the size of a lesion that was just added

    def _onSize(self, diameterMm: float) -> None:
        lesion = self._lesion
        if lesion is None or sharedCorrector().isBusy():
            if lesion is not None and self._options is not None:
                self._options.again()
            return
        case, corrected, state = lesion
        if state != _stateOf(case):  # something else was done since, undo for one
            self._keepLesion()
            return
        self._ask(
            case,
            Asked("add_lesion", include=corrected.asked.include, size=diameterMm, instead=corrected.edit),
        )

    def _onKeep(self) -> None:
        self._keepLesion()
        self._tell(self._invitation())

    def _keepLesion(self) -> None:
        self._lesion = None
        if self._options is not None:
            self._options.showSize(None)

    # ---- words

    def mode(self) -> str:
        """What clicks are for: a mode of ``options``."""
        return self._effect.parameter(_MODE) or CORRECT

    def _includes(self) -> bool:
        return bool(self._effect.integerParameter(_INCLUDE))

    def _invitation(self) -> str:
        texts = {
            CORRECT: _("Click adds, Ctrl+click removes; drag to draw a stroke."),
            ADD: _("Click in the middle of the lesion."),
            DELETE: _("Click on the lesion."),
            SPLIT: _("Click in one part of the lesion."),
            MERGE: _("Click on the one lesion."),
        }
        return texts.get(self.mode(), "")

    def _tell(self, text: str) -> None:
        if self._options is not None:
            self._options.tell(text)

    def _fail(self, error: LiverSegError) -> None:
        self._pixels, self._marked = [], []
        self._preview.clear()
        self._tell(sentence(error.sentence))


def _stateOf(case: EditedCase) -> Any:
    """What changes whenever the corrected segment does."""
    return case.segmentationNode.GetSegmentation().GetMTime(), tuple(
        image.GetMTime() for image in _labelmaps(case) if image is not None
    )


def _labelmaps(case: EditedCase) -> Sequence[Any]:
    segmentation = case.segmentationNode.GetSegmentation()
    segments = [segmentation.GetSegment(name) for name in case.roles.values]
    return [segment.GetRepresentation(LABELMAP) for segment in segments if segment is not None]


def _diameterMm(corrected: Corrected) -> float:
    """Diameter in mm of the ball that is as large as what was added."""
    return float(2 * (corrected.added * corrected.voxelMl * 1000 * 3 / (4 * math.pi)) ** (1 / 3))


def _doneText(corrected: Corrected) -> str:
    added, removed = corrected.added * corrected.voxelMl, corrected.removed * corrected.voxelMl
    if corrected.edit is None:
        return _("Nothing was changed: the image shows no more of this structure here.")
    if corrected.asked.instead is not None:
        return _("The lesion has its new size.")
    if not corrected.removed:
        return _("{ml:.2f} ml were added. Ctrl+Z undoes it.").format(ml=added)
    if not corrected.added:
        return _("{ml:.2f} ml were removed. Ctrl+Z undoes it.").format(ml=removed)
    text = _("{added:.2f} ml were added and {removed:.2f} ml removed. Ctrl+Z undoes it.")
    return text.format(added=added, removed=removed)
