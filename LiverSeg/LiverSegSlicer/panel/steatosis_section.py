"""Section Fatty liver: places ROIs, follows them as the user drags them, keeps the reading in the scene."""

from dataclasses import replace
from functools import partial
from typing import Any, Optional

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError
from LiverSegLib.images.modality import CT
from LiverSegLib.steatosis.roi import LIVER_KEY, SPLEEN_KEY, PlacementSettings

from ..fatty_liver import assess as fatty_liver
from ..fatty_liver.meters import Meters
from ..fatty_liver.plots import MEANS, RATIOS, hidePlot, showPlot
from ..fatty_liver.reading import SteatosisReading, keepReading
from ..fatty_liver.roi_exchange import RoiChange, exchange, takeBack
from ..fatty_liver.rois import RoiWatch, centreInWorld, nameOf, setAccepted, showHandles
from ..parameters import Preferences
from ..scene.views import jumpSlices, slicesCrossing
from ..scene.volumes import toWorld
from ..sentences import sentence
from ..slots import guarded
from ..work.run import Pieces
from .acceptance import SteatosisAcceptance
from .notes import ERROR, PLAIN, Note
from .panel_state import PanelState
from .roi_table import RoiTable, acceptedTip
from .roi_undo import RoiUndo
from .roi_work import RoiWork
from .scene_link import SceneLink
from .steatosis_settings import SteatosisSettings, cutOffsOf
from .verdict import Verdict


class SteatosisSection:
    """Args:
    ui: the panel's widgets.
    meters: where the measuring of a scan is kept.
    preferences: remembers the reader's name.
    link: has the scene's choices.
    """

    def __init__(self, ui, meters: Meters, preferences: Preferences, link: SceneLink) -> None:
        self._ui = ui
        self._link = link
        self._reason = ""
        self._assessment: Any = None
        self._work = RoiWork(meters, self._onBusy, self._fail)
        self._watch = RoiWatch(self.refresh)
        self._message = Note(ui, "fattyMessage", _("What the fatty-liver part does, or why it cannot."))
        self._verdict = Verdict(ui)
        self._table = RoiTable(ui, self._onRoi, self._onTicked)
        self._settings = SteatosisSettings(ui, link, self._choose)
        self._acceptance = SteatosisAcceptance(ui, preferences, self._onAccept, self._onEditAgain)
        self._undo = RoiUndo(ui, self._onUndo)
        for button, function in (
            (ui.fattyPlaceButton, self._onPlace),
            (ui.roiAddLiverButton, lambda: self._onAdd(LIVER_KEY)),
            (ui.roiAddSpleenButton, lambda: self._onAdd(SPLEEN_KEY)),
            (ui.roiDeleteButton, self._onDelete),
            (ui.roiResampleButton, self._onResample),
            (ui.roiResetButton, self._onReset),
            (ui.fattyMeansButton, lambda: self._onPlot(MEANS)),
            (ui.fattyRatiosButton, lambda: self._onPlot(RATIOS)),
        ):
            button.connect("clicked(bool)", guarded(function))
        ui.fattyAnywayCheckBox.connect("toggled(bool)", guarded(self._onAnyway))
        ui.fattySection.connect("contentsCollapsed(bool)", guarded(self._onCollapsed))

    def show(self, state: PanelState) -> None:
        """Show the reading of the result."""
        if self._work.setCase(state.volumeNode, state.segmentationNode):
            self._assessment = None
            self._message.show("")
            self._undo.forget()
        needed = _("Segment the scan first: liver fat is judged by the attenuation of liver and spleen.")
        self._reason = needed if state.measurements is None else ""
        if state.modality != CT:
            self._reason = _("Liver fat is judged by attenuation, on CT only: this is an {modality}.").format(
                modality=state.modality
            )
        self._draw()
        if self._work.rois():
            self.refresh()

    def refresh(self) -> None:
        """Measure the ROIs as they lie now, and show it; nothing while the section is closed, or while ROIs
        come and go.
        """
        if self._work.isPlacing():
            return
        rois = self._work.rois()
        if rois and not self._ui.fattySection.collapsed:
            self._work.do(self._assess)
        elif self._assessment is not None or not rois:
            self._draw()

    def pause(self) -> None:
        """Leave the scene alone until ``show``."""
        self._work.stop()
        self._watch.close()

    def close(self) -> None:
        """Let go of the scene."""
        self._work.close()
        self._watch.close()
        self._assessment = None

    # ---- work

    def _assess(self, meter: Any) -> None:
        work = self._work
        self._assessment, reading = fatty_liver.assess(work.volumeNode, work.segmentationNode, meter)
        self._draw(reading)

    def _exchange(self, pieces: Pieces, text: str) -> None:
        """Let ROIs come and go, in pieces; then say so, with a way back."""
        self._undo.forget()
        self._work.exchange(pieces, partial(self._onExchanged, text))
        self._drawButtons()

    def _onExchanged(self, text: str, change: Optional[RoiChange], error: Optional[LiverSegError]) -> None:
        if error is not None:
            self._fail(error)
        elif text and change is not None:
            self._undo.offer(text, change)
        elif change is not None:
            self._undo.offerRedo(change)
        if self._work.isThere():
            self._draw()
        if self._work.rois():
            self._work.do(self._assess)

    def _onBusy(self, text: str) -> None:
        self._message.show(text, PLAIN)
        self._drawButtons()

    def _fail(self, error: LiverSegError) -> None:
        self._message.show(sentence(error.sentence), ERROR)

    # ---- drawing

    def _draw(self, reading: Optional[SteatosisReading] = None) -> None:
        rois = self._work.rois()
        self._watch.watch(rois)
        self._ui.fattyWidget.setVisible(bool(rois))
        self._ui.fattyEmptyLabel.setVisible(not rois)
        self._ui.fattyPlaceButton.setVisible(not rois)
        self._ui.fattyEmptyLabel.setText(
            self._reason
            or _("ROIs are placed in liver and spleen, away from vessels and lesions. You can edit them.")
        )
        shown = (reading or self._work.reading()) if rois else None
        self._verdict.show(shown)
        self._table.show(rois, shown)
        showHandles(rois, self._table.chosen())
        self._acceptance.show(shown)
        self._settings.show(shown)
        self._drawButtons()

    def _drawButtons(self) -> None:
        ready = not self._reason and not self._work.isBusy() and self._work.isThere()
        reading = self._work.reading()
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

    # ---- what the user asks for

    def _place(self, seed: int, *, keepEdited: bool, text: str) -> None:
        parameters, work = self._link.parameters, self._work
        if parameters is None or not work.isThere():
            return

        def place(meter: Any) -> None:
            nodes = work.volumeNode, work.segmentationNode
            reading = work.reading()
            if reading is None:
                reading = replace(fatty_liver.newReading(*nodes, meter), cutOffs=cutOffsOf(parameters))
            settings = PlacementSettings(parameters.roiCount, parameters.roiSideMm, seed=seed)
            pieces = fatty_liver.placeRois(*nodes, meter, reading, settings, keepEdited=keepEdited)
            self._exchange(pieces, text)

        work.do(place)

    def _onPlace(self) -> None:
        self._place(0, keepEdited=True, text=_("ROIs were placed."))

    def _onResample(self) -> None:
        reading = self._work.reading()
        seed = reading.settings.get("seed", 0) if reading is not None else 0
        self._place(seed + 1, keepEdited=True, text=_("The automatic ROIs have new positions."))

    def _onReset(self) -> None:
        self._place(0, keepEdited=False, text=_("All ROIs were replaced by the first automatic ones."))

    def _onAdd(self, organ: str) -> None:
        parameters, work = self._link.parameters, self._work
        if parameters is None or not work.isThere():
            return
        world = np.array([*slicesCrossing(), 1.0])
        own = np.linalg.inv(toWorld(work.volumeNode)) @ world
        centre = (-float(own[0]), -float(own[1]), float(own[2]))
        side = parameters.roiSideMm
        roiNode = fatty_liver.addRoiAt(work.volumeNode, work.segmentationNode, organ, centre, side)
        self._draw()
        self._table.choose(roiNode.GetID())
        showHandles(work.rois(), roiNode.GetID())
        self.refresh()

    def _onDelete(self) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(self._table.chosen() or "")
        if roiNode is not None:
            text = _("{name} was deleted.").format(name=nameOf(roiNode))
            self._exchange(exchange(self._work.segmentationNode, [roiNode], []), text)

    def _onUndo(self, change: RoiChange) -> None:
        if self._work.isThere():
            self._exchange(takeBack(self._work.segmentationNode, change), "")

    def _onRoi(self, nodeID: str) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(nodeID)
        if roiNode is not None:
            showHandles(self._work.rois(), nodeID)
            jumpSlices(centreInWorld(roiNode), self._work.volumeNode)

    def _onTicked(self, nodeID: str, accepted: bool) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(nodeID)
        if roiNode is not None:
            setAccepted(roiNode, accepted)

    def _onAnyway(self, on: bool) -> None:
        self._choose(gradeAnyway=bool(on))

    def _choose(self, **choices: Any) -> None:
        """Keep what the user chose, fields of the reading, in the reading, and judge anew."""
        reading = self._work.reading()
        if reading is not None:
            keepReading(self._work.segmentationNode, replace(reading, **choices))
            self.refresh()

    def _onPlot(self, chart: str) -> None:
        def plot(meter: Any) -> None:
            self._assess(meter)
            showPlot(self._work.segmentationNode, self._assessment, chart)

        if self._work.isThere() and not hidePlot(self._work.segmentationNode, chart):
            self._work.do(plot)

    def _onAccept(self, by: str) -> None:
        def accept(meter: Any) -> None:
            self._assess(meter)
            self._undo.forget()
            self._draw(fatty_liver.acceptReading(self._work.segmentationNode, by))

        if self._work.isThere():
            self._work.do(accept)

    def _onEditAgain(self) -> None:
        if self._work.isThere():
            self._draw(fatty_liver.openAgain(self._work.segmentationNode))

    def _onCollapsed(self, collapsed: bool) -> None:
        if not collapsed:
            self.refresh()
