"""Section Fatty liver: places ROIs, follows them as the user drags them, keeps the reading in the scene."""

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, LiverSegError
from LiverSegLib.measure.roi_data import LIVER_KEY, SPLEEN_KEY, PlacementSettings

from . import fatty_liver
from .crossing_point import slicesCrossing
from .display import jumpSlices
from .meters import Meters
from .notes import ERROR, PLAIN, Note
from .parameters import LiverSegParameters, Preferences
from .roi_nodes import (
    centreInWorld,
    isAccepted,
    organOf,
    removeRois,
    roiNodes,
    setAccepted,
    showScaleHandles,
)
from .roi_table import RoiTable
from .roi_watch import RoiWatch
from .sentences import sentence
from .steatosis_acceptance import SteatosisAcceptance
from .steatosis_plots import MEANS, RATIOS, hidePlot, showPlot
from .steatosis_reading import SteatosisReading, keepReading, readingOf
from .steatosis_settings import SteatosisSettings
from .steatosis_view import SteatosisView
from .turns import Turns
from .volumes import toWorld

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
        self._watch = RoiWatch(self.refresh)
        self._message = Note(ui, "fattyMessage")
        self._view = SteatosisView(ui)
        self._table = RoiTable(ui, self._onRoi, self._onTicked)
        self._settings = SteatosisSettings(ui, self._onCutOffs, self._onVoltage)
        self._acceptance = SteatosisAcceptance(ui, preferences, self._onAccept)
        ui.fattyPlaceButton.connect("clicked(bool)", lambda _checked=False: self._place(0, keepEdited=True))
        ui.roiAddLiverButton.connect("clicked(bool)", lambda _checked=False: self._onAdd(LIVER_KEY))
        ui.roiAddSpleenButton.connect("clicked(bool)", lambda _checked=False: self._onAdd(SPLEEN_KEY))
        ui.roiDeleteButton.connect("clicked(bool)", lambda _checked=False: self._onDelete())
        ui.roiResampleButton.connect("clicked(bool)", lambda _checked=False: self._onResample())
        ui.roiResetButton.connect("clicked(bool)", lambda _checked=False: self._place(0, keepEdited=False))
        ui.fattyAnywayCheckBox.connect("toggled(bool)", self._onAnyway)
        ui.fattyMeansButton.connect("clicked(bool)", lambda _checked=False: self._onPlot(MEANS))
        ui.fattyRatiosButton.connect("clicked(bool)", lambda _checked=False: self._onPlot(RATIOS))
        ui.fattySection.connect("contentsCollapsed(bool)", self._onCollapsed)

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
        self._volumeNode, self._segmentationNode, self._reason = volumeNode, segmentationNode, reason
        if volumeNode is None:
            self._meters.forget()
        self._draw()
        self.refresh()

    def refresh(self) -> None:
        """Measure the boxes as they lie now, and show it; nothing while the section is closed."""
        if self._nodes() and not self._ui.fattySection.collapsed:
            self._withMeter(self._assess)
        elif self._assessment is not None or not self._nodes():
            self._draw()

    def close(self) -> None:
        """Let go of the scene."""
        self._stop()
        self._watch.close()
        self._meters.forget()
        self._volumeNode = self._segmentationNode = self._assessment = None

    # ---- measuring

    def _withMeter(self, action: Action) -> None:
        """Do something that needs the meter: now, or once it is made."""
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
        if isinstance(error, InputChangedError) and self._isThere():  # edited meanwhile: once more
            for action in pending:
                self._withMeter(action)
        elif error is not None:
            self._fail(error)
        else:
            for action in pending:
                self._try(lambda action=action: action(meter))
        self._drawButtons()

    def _assess(self, meter: Any) -> None:
        self._assessment, reading = fatty_liver.assess(self._volumeNode, self._segmentationNode, meter)
        self._draw(reading)

    def _stop(self) -> None:
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
        self._view.show(shown.assessment if shown is not None else None)
        self._table.show(_rows(nodes, shown))
        self._acceptance.show(shown)
        parameters = self._getParameters()
        if shown is not None:
            self._settings.show(shown.cutOffs, shown.kvp, True)
        elif parameters is not None:
            self._settings.show(_cutOffs(parameters), None, False)
        self._drawButtons()

    def _drawButtons(self) -> None:
        ready = not self._reason and not self._turns.isRunning() and self._isThere()
        self._ui.fattyPlaceButton.enabled = ready
        self._ui.fattyPlaceButton.toolTip = self._reason or _(
            "Places ROIs in liver and spleen and judges liver fat by their attenuation."
        )
        for button in (self._ui.roiResampleButton, self._ui.roiResetButton):
            button.enabled = ready

    def _fail(self, error: LiverSegError) -> None:
        self._message.show(sentence(error.sentence), ERROR)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except LiverSegError as error:
            self._fail(error)

    # ---- what the user asks for

    def _place(self, seed: int, *, keepEdited: bool) -> None:
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
            fatty_liver.placeRois(
                self._volumeNode, self._segmentationNode, meter, reading, settings, keepEdited=keepEdited
            )
            self._assess(meter)

        self._withMeter(place)

    def _onResample(self) -> None:
        reading = readingOf(self._segmentationNode)
        seed = reading.settings.get("seed", 0) if reading is not None else 0
        self._place(seed + 1, keepEdited=True)

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
        showScaleHandles(self._nodes(), roiNode.GetID())
        self.refresh()

    def _onDelete(self) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(self._table.chosen() or "")
        if roiNode is not None:
            slicer.mrmlScene.SaveStateForUndo()
            removeRois([roiNode])
            self._draw()
            self.refresh()

    def _onRoi(self, nodeID: str) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(nodeID)
        if roiNode is not None:
            showScaleHandles(self._nodes(), nodeID)
            jumpSlices(centreInWorld(roiNode))

    def _onTicked(self, nodeID: str, accepted: bool) -> None:
        roiNode = slicer.mrmlScene.GetNodeByID(nodeID)
        if roiNode is not None:
            setAccepted(roiNode, accepted)

    def _onAnyway(self, on: bool) -> None:
        self._change(gradeAnyway=bool(on))

    def _onCutOffs(self, cutOffs: Dict[str, float]) -> None:
        parameters = self._getParameters()
        if parameters is not None:  # the next reading begins with them too
            parameters.normalAbove = cutOffs["normal_above"]
            parameters.moderateBelow = cutOffs["moderate_below"]
            parameters.severeBelow = cutOffs["severe_below"]
        self._change(cutOffs=cutOffs)

    def _onVoltage(self, kvp: Optional[float]) -> None:
        self._change(kvp=kvp)

    def _change(self, **choices: Any) -> None:
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
            self._draw(
                keepReading(self._segmentationNode, readingOf(self._segmentationNode).withAcceptance(by))
            )

        if self._isThere():
            self._withMeter(accept)

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


def _rows(nodes: List[Any], reading: Optional[SteatosisReading]) -> List[Dict[str, Any]]:
    """Return a row for every box: with the numbers that the reading keeps of it, if it keeps any."""
    kept = list(reading.rows) if reading is not None else []
    if [row["name"] for row in kept] != [node.GetName() for node in nodes]:
        byName = {row["name"]: row for row in kept}
        kept = [byName.get(node.GetName()) for node in nodes]
    unknown = {"automatic": True, "mean_hu": None, "sd_hu": None, "flags": [], "measured": False}
    rows = []
    for node, known in zip(nodes, kept):
        own = {
            "id": node.GetID(),
            "name": node.GetName(),
            "organ": organOf(node),
            "accepted": isAccepted(node),
        }
        rows.append({**(known or unknown), **own})
    return rows
