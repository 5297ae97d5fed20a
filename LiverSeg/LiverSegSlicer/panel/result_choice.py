"""Which of a scan's results the panel shows: the latest, unless the user chose an earlier one."""

from typing import Any, Callable, List, Optional, Tuple

import slicer

from ..parameters import LiverSegParameters
from ..scene.parts import allResults, volumeOf
from ..slots import guarded


class ResultChoice:
    """Keeps the parameter node's segmentation a result of its volume.

    The selector is shown only where a scan has several results, as after a rerun that kept an edited one.

    Args:
        ui: the panel's widgets.
        onChosen: called without arguments after the user chose another result.
    """

    def __init__(self, ui, onChosen: Callable[[], None]) -> None:
        self._ui = ui
        self._onChosen = onChosen
        self._parameters: Optional[LiverSegParameters] = None
        self._latest: Optional[Tuple[str, str]] = None
        ui.resultSelector.connect("activated(int)", guarded(self._onActivated))

    def find(self, parameters: Optional[LiverSegParameters]):
        """Return the chosen volume's result to show, or None; parameter node and selector follow."""
        self._parameters = parameters
        volumeNode = parameters.inputVolume if parameters is not None else None
        if volumeNode is None:
            self._latest = None
            return None
        results = [node for node in allResults() if volumeOf(node) is volumeNode]
        chosen = self._chosen(volumeNode, results)
        if parameters.segmentation is not chosen:
            parameters.segmentation = chosen
        self._offer(results, chosen)
        return chosen

    def _chosen(self, volumeNode, results: List[Any]):
        latest = (volumeNode.GetID(), results[-1].GetID() if results else "")
        isNews = self._latest is not None and self._latest != latest
        self._latest = latest
        kept = self._parameters.segmentation
        if not isNews and any(node is kept for node in results):
            return kept
        return results[-1] if results else None

    def _offer(self, results: List[Any], chosen) -> None:
        selector = self._ui.resultSelector
        selector.setVisible(len(results) > 1)
        selector.blockSignals(True)
        selector.clear()
        for node in reversed(results):
            selector.addItem(node.GetName(), node.GetID())
        if chosen is not None:
            selector.setCurrentIndex(selector.findData(chosen.GetID()))
        selector.blockSignals(False)

    def _onActivated(self, index: int) -> None:
        node = slicer.mrmlScene.GetNodeByID(self._ui.resultSelector.itemData(index) or "")
        if self._parameters is not None and node is not None:
            self._parameters.segmentation = node
            self._onChosen()
