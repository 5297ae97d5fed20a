"""Section Fatty liver: places ROIs, follows them as the user drags them, keeps the reading in the scene."""

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, LiverSegError
from LiverSegLib.steatosis.roi import LIVER_KEY, SPLEEN_KEY, PlacementSettings

from ..fatty_liver import assess as fatty_liver
from ..fatty_liver.meters import Meters
from ..fatty_liver.plots import MEANS, RATIOS, hidePlot, showPlot
from ..fatty_liver.reading import SteatosisReading, keepReading, readingOf
from ..fatty_liver.roi_exchange import RoiChange, exchange, takeBack
from ..fatty_liver.rois import RoiWatch, centreInWorld, nameOf, roiNodes, setAccepted, showHandles
from ..parameters import LiverSegParameters, Preferences
from ..scene.views import jumpSlices, slicesCrossing
from ..scene.volumes import toWorld
from ..sentences import sentence
from ..slots import guarded
from ..work.run import Pieces, Turns
from .acceptance import SteatosisAcceptance
from .notes import ERROR, PLAIN, Note
from .roi_table import RoiTable, acceptedTip, rowsOf
from .roi_undo import RoiUndo
from .steatosis_settings import SteatosisSettings
from .verdict import SteatosisView

Action = Callable[[Any], None]
"""Something to do once there is a ``RoiMeter``, which it gets."""


class SteatosisSection:
    """Args:
    ui: the panel's widgets.
    meters: where the measuring of a scan is kept.
    preferences: remembers the reader's name.
    getParameters: returns the scene's choices, None while it closes.
    """

    def __init__(
        self,
        ui,
        meters: Meters,
        preferences: Preferences,
        getParameters: Callable[[], Optional[LiverSegParameters]],
    ) -> None:
        self._ui = ui
        self._meters = meters
        self._getParameters = getParameters
        self._volumeNode: Any = None
        self._segmentationNode: Any = None
        self._reason = ""
        self._assessment: Any = None
        self._pending: List[Action] = []
        self._turns = Turns()
        self._placing = Turns()
        self._watch = RoiWatch(self.refresh)
        self._message = Note(ui, "fattyMessage", _("What the fatty-liver part does, or why it cannot."))
        self._view = SteatosisView(ui)
        self._table = RoiTable(ui, self._onRoi, self._onTicked)
        self._settings = SteatosisSettings(ui, self._onCutOffs, self._onVoltage, self._onPhase)
        self._acceptance = SteatosisAcceptance(ui, preferences, self._onAccept, self._onEditAgain)
        self._undo = RoiUndo(ui, self._onUndo)
        ui.fattyPlaceButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onPlace()))
        ui.roiAddLiverButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onAdd(LIVER_KEY)))
        ui.roiAddSpleenButton.connect(
            "clicked(bool)", guarded(lambda _checked=False: self._onAdd(SPLEEN_KEY))
        )
        ui.roiDeleteButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onDelete()))
        ui.roiResampleButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onResample()))
        ui.roiResetButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onReset()))
        ui.fattyAnywayCheckBox.connect("toggled(bool)", guarded(self._onAnyway))
        ui.fattyMeansButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onPlot(MEANS)))
        ui.fattyRatiosButton.connect("clicked(bool)", guarded(lambda _checked=False: self._onPlot(RATIOS)))
        ui.fattySection.connect("contentsCollapsed(bool)", guarded(self._onCollapsed))

    def show(self, volumeNode, segmentationNode, reason: str) -> None:
        """Show the reading of a result.

        Args:
            volumeNode, segmentationNode: the scan and its result; None without.
            reason: why nothing can be placed now; empty if something can.
        """
        if volumeNode is not self._volumeNode or segmentationNode is not self._segmentationNode:
            self._stop()
            self._assessment = None
            self._message.show("")
            self._undo.forget()
        self._volumeNode, self._segmentationNode, self._reason = volumeNode, segmentationNode, reason
        if volumeNode is None:
            self._meters.forget()
        self._draw()
        if self._nodes():
            self.refresh()

    def refresh(self) -> None:
        """Measure the boxes as they lie now, and show it; nothing while the section is closed, or while
        boxes come and go.
        """
        if self._placing.isRunning():
            return
        if self._nodes() and not self._ui.fattySection.collapsed:
            self._withMeter(self._assess)
        elif self._assessment is not None or not self._nodes():
            self._draw()

    def pause(self) -> None:
        """Leave the scene alone until ``show``."""
        self._stop()
        self._watch.close()

    def close(self) -> None:
        """Let go of the scene."""
        self.pause()
        self._meters.forget()
        self._volumeNode = self._segmentationNode = self._assessment = None

    # ---- measuring

    def _withMeter(self, action: Action) -> None:
        """Do something that needs the meter: now, or once it is made and all boxes are there."""
        if self._placing.isRunning():
            self._pending.append(action)
            return
        meter = self._meters.ready(self._volumeNode, self._segmentationNode)
        if meter is not None:
            self._try(lambda: action(meter))
            return
        if action not in self._pending:
            self._pending.append(action)
        if not self._turns.isRunning():
            self._message.show(_("Looking at liver and spleen…"), PLAIN)
            self._turns.start(self._meters.make(self._volumeNode, self._segmentationNode), self._onMeter)
            self._drawButtons()

    def _onMeter(self, meter: Any, error: Optional[LiverSegError]) -> None:
        pending, self._pending = self._pending, []
        self._message.show("")
        try:
            if isinstance(error, InputChangedError) and self._isThere():  # edited meanwhile: once more
                for action in pending:
                    self._withMeter(action)
            elif error is not None:
                self._fail(error)
            else:
                for action in pending:
                    self._try(lambda action=action: action(meter))
        finally:
            self._drawButtons()

    def _assess(self, meter: Any) -> None:
        self._assessment, reading = fatty_liver.assess(self._volumeNode, self._segmentationNode, meter)
        self._draw(reading)

    def _change(self, work: Pieces, text: str) -> None:
        """Let boxes come and go, in pieces; then say so, with a way back."""
        self._undo.forget()
        self._placing.start(work, lambda change, error: self._onChanged(text, change, error))
        self._drawButtons()

    def _onChanged(self, text: str, change: Optional[RoiChange], error: Optional[LiverSegError]) -> None:
        if error is not None:
            self._fail(error)
        elif text and change is not None:
            self._undo.offer(text, change)
        elif change is not None:
            self._undo.offerRedo(change)
        pending, self._pending = self._pending, []
        if self._isThere():
            self._draw()
            for action in (self._assess, *pending) if self._nodes() else ():
                self._withMeter(action)

    def _stop(self) -> None:
        self._placing.finish()  # half of the boxes would be neither the old nor the new ones
        self._turns.stop()
        self._pending = []

    # ---- drawing

    def _draw(self, reading: Optional[SteatosisReading] = None) -> None:
        nodes = self._nodes()
        self._watch.watch(nodes)
        reading = reading or (readingOf(self._segmentationNode) if self._isThere() else None)
        self._ui.fattyWidget.setVisible(bool(nodes))
        self._ui.fattyEmptyLabel.setVisible(not nodes)
        self._ui.fattyPlaceButton.setVisible(not nodes)
        self._ui.fattyEmptyLabel.setText(
            self._reason
            or _("ROIs are placed in liver and spleen, away from vessels and lesions. You can edit them.")
        )
        shown = reading if nodes else None
        self._view.show(shown)
        accepted = shown is not None and shown.accepted is not None
        self._table.show(rowsOf(nodes, shown), accepted)
        showHandles(nodes, self._table.chosen())
        self._acceptance.show(shown)
        parameters = self._getParameters()
        if shown is not None:
            self._settings.show(shown, shown.cutOffs)
        elif parameters is not None:
            self._settings.show(None, _cutOffs(parameters))
        self._drawButtons()

    def _drawButtons(self) -> None:
        working = self._turns.isRunning() or self._placing.isRunning()
        ready = not self._reason and not working and self._isThere()
        reading = readingOf(self._segmentationNode) if self._isThere() else None
        accepted = reading is not None and reading.accepted is not None
        self._ui.fattyPlaceButton.enabled = ready
        self._ui.fattyPlaceButton.toolTip = self._reason or _(
            "Places ROIs in liver and spleen and judges liver fat by their attenuation."
        )
        buttons = {
            self._ui.roiAddLiverButton: _("Adds a liver ROI where the slices cross."),
            self._ui.roiAddSpleenButton: _("Adds a spleen ROI where the slices cross."),
            self._ui.roiResampleButton: _(
                "Places the automatic ROIs elsewhere, by chance; those that you moved, resized or added stay."
            ),
            self._ui.roiResetButton: _(
                "Removes all ROIs, yours too, and places the first automatic ones again; can be undone."
            ),
        }
        for button, tip in buttons.items():
            button.enabled = ready and not accepted
            button.toolTip = acceptedTip() if accepted else tip
        self._undo.enable(ready and not accepted)

    def _fail(self, error: LiverSegError) -> None:
        self._message.show(sentence(error.sentence), ERROR)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except LiverSegError as error:
            self._fail(error)

    # ---- what the user asks for

    def _place(self, seed: int, *, keepEdited: bool, text: str) -> None:
        parameters = self._getParameters()
        if parameters is None or not self._isThere():
            return

        def place(meter: Any) -> None:
            earlier = readingOf(self._segmentationNode)
            reading = earlier or replace(
                fatty_liver.newReading(self._volumeNode, self._segmentationNode, meter),
                cutOffs=_cutOffs(parameters),
            )
            settings = PlacementSettings(parameters.roiCount, parameters.roiSideMm, seed=seed)
            work = fatty_liver.placeRois(
                self._volumeNode, self._segmentationNode, meter, reading, settings, keepEdited=keepEdited
            )
            self._change(work, text)

        self._withMeter(place)

    def _onPlace(self) -> None:
        self._place(0, keepEdited=True, text=_("ROIs were placed."))

    def _onResample(self) -> None:
        reading = readingOf(self._segmentationNode)
        seed = reading.settings.get("seed", 0) if reading is not None else 0
        self._place(seed + 1, keepEdited=True, text=_("The automatic ROIs have new positions."))

    def _onReset(self) -> None:
        self._place(0, keepEdited=False, text=_("All ROIs were replaced by the first automatic ones."))

    def _onAdd(self, organ: str) -> None:
        parameters = self._getParameters()
        if parameters is None or not self._isThere():
            return
        world = np.array([*slicesCrossing(), 1.0])
        own = np.linalg.inv(toWorld(self._volumeNode)) @ world
        centre = (-float(own[0]), -float(own[1]), float(own[2]))
        roiNode = fatty_liver.addRoiAt(
            self._volumeNode, self._segmentationNode, organ, centre, parameters.roiSideMm
        )
        self._draw()
        self._table.choose(roiNode.GetID())
        showHandles(self._nodes(), roiNode.GetID())
        self.refresh()

    def _onDelete(self) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(self._table.chosen() or "")
        if roiNode is not None:
            text = _("{name} was deleted.").format(name=nameOf(roiNode))
            self._change(exchange(self._segmentationNode, [roiNode], []), text)

    def _onUndo(self, change: RoiChange) -> None:
        if self._isThere():
            self._change(takeBack(self._segmentationNode, change), "")

    def _onRoi(self, nodeID: str) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(nodeID)
        if roiNode is not None:
            showHandles(self._nodes(), nodeID)
            jumpSlices(centreInWorld(roiNode), self._volumeNode)

    def _onTicked(self, nodeID: str, accepted: bool) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(nodeID)
        if roiNode is not None:
            setAccepted(roiNode, accepted)

    def _onAnyway(self, on: bool) -> None:
        self._choose(gradeAnyway=bool(on))

    def _onCutOffs(self, cutOffs: Dict[str, float]) -> None:
        parameters = self._getParameters()
        if parameters is not None:  # the next reading begins with them too
            parameters.normalAbove = cutOffs["normal_above"]
            parameters.moderateBelow = cutOffs["moderate_below"]
            parameters.severeBelow = cutOffs["severe_below"]
        self._choose(cutOffs=cutOffs)

    def _onVoltage(self, kvp: Optional[float]) -> None:
        self._choose(kvp=kvp)

    def _onPhase(self, phase: Optional[str]) -> None:
        self._choose(chosenPhase=phase)

    def _choose(self, **choices: Any) -> None:
        reading = readingOf(self._segmentationNode) if self._isThere() else None
        if reading is not None:
            keepReading(self._segmentationNode, replace(reading, **choices))
            self.refresh()

    def _onPlot(self, chart: str) -> None:
        if self._isThere() and not hidePlot(self._segmentationNode, chart):
            self._withMeter(lambda meter: self._plot(meter, chart))

    def _plot(self, meter: Any, chart: str) -> None:
        self._assess(meter)
        showPlot(self._segmentationNode, self._assessment, chart)

    def _onAccept(self, by: str) -> None:
        def accept(meter: Any) -> None:
            self._assess(meter)
            self._undo.forget()
            self._draw(fatty_liver.acceptReading(self._segmentationNode, by))

        if self._isThere():
            self._withMeter(accept)

    def _onEditAgain(self) -> None:
        if self._isThere():
            self._draw(fatty_liver.openAgain(self._segmentationNode))

    def _onCollapsed(self, collapsed: bool) -> None:
        if not collapsed:
            self.refresh()

    def _nodes(self) -> List[Any]:
        return roiNodes(self._segmentationNode) if self._isThere() else []

    def _isThere(self) -> bool:
        """Whether scan and result are still in the scene."""
        return (
            self._volumeNode is not None
            and self._segmentationNode is not None
            and self._volumeNode.GetScene() is not None
            and self._segmentationNode.GetScene() is not None
        )


def _cutOffs(parameters: LiverSegParameters) -> Dict[str, float]:
    return {
        "normal_above": parameters.normalAbove,
        "moderate_below": parameters.moderateBelow,
        "severe_below": parameters.severeBelow,
    }
