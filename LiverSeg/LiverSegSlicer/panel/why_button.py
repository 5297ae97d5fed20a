"""The button *Why?* below the lesion table: a heat map over the scan, and *Hide* to take it away again."""

from typing import Any, Optional

from slicer.i18n import tr as _

from ..explaining import Why
from ..scene import parts
from ..scene.why import hideWhy, isWhyShown, showWhy, whyOf
from ..sentences import sentence
from ..slots import guarded
from .message_line import MessageLine
from .panel_state import PanelState
from .run_bar import RunBar

TORCH = "torch"


class WhyButton:
    """Explains the chosen lesion.

    Args:
        ui: the panel's widgets.
        logic: has ``explainLesionAsync``.
        runBar: runs it.
        message: says how the map is to be read.
    """

    def __init__(self, ui, logic, runBar: RunBar, message: MessageLine) -> None:
        self._button = ui.lesionWhyButton
        self._logic = logic
        self._runBar = runBar
        self._message = message
        self._state: Optional[PanelState] = None
        self._lesion: Optional[int] = None
        self._hides = False
        self._button.connect("clicked(bool)", guarded(self._onClicked))

    def show(self, state: PanelState) -> None:
        """Show whether something can be explained now."""
        self._state = state
        self._draw()

    def choose(self, lesion: Optional[int]) -> None:
        """The lesion of this number is chosen in the table; None: none that counts."""
        self._lesion = lesion
        self._draw()

    def _draw(self) -> None:
        state = self._state
        if state is None:
            return
        self._hides = isWhyShown(self._shownNode())
        if self._hides:
            self._button.setText(_("Hide"))
            self._button.enabled = True
            self._button.toolTip = _("Takes the heat map away; what lay over the scan before comes back.")
            return
        reason = self._reason(state)
        self._button.setText(_("Why?"))
        self._button.enabled = not reason
        self._button.toolTip = reason or _(
            "Shows as a heat map over the scan what made the model draw the chosen lesion. It is no proof."
        )

    def _reason(self, state: PanelState) -> str:
        """Why nothing can be explained now; empty if it can."""
        if state.reasonToWait():
            return state.reasonToWait()
        node = state.segmentationNode
        if node is not None and node.GetAttribute(parts.GIVEN) is not None:
            return _("No model drew the lesions of this result, so there is nothing to explain.")
        if TORCH not in state.engine.usable:
            return _(
                "This needs PyTorch, which is not installed: the module PyTorch Utils of the extension "
                "PyTorch installs it."
            )
        if state.segmentationNode is None or parts.volumeOf(state.segmentationNode) is None:
            return _("The scan that this segmentation was made of is no longer in the scene.")
        return "" if self._lesion is not None else _("Choose a lesion in the table first.")

    def _shownNode(self) -> Any:
        """The heat map of the result, which lies over the scan or not."""
        return whyOf(self._state.segmentationNode) if self._state is not None else None

    def _onClicked(self) -> None:
        state, whyNode = self._state, self._shownNode()
        if self._hides:  # the button says Hide; somebody may have taken the map away in another way
            if isWhyShown(whyNode):
                hideWhy(whyNode)
            self._draw()
        elif state is not None and self._lesion is not None and not self._reason(state):
            self._runBar.start(
                _("Explaining…"),
                self._onExplained,
                self._logic.explainLesionAsync,
                state.segmentationNode,
                self._lesion,
                device=state.parameters.device if state.parameters is not None else "auto",
            )

    def _onExplained(self, why: Why) -> None:
        """Show the map, unless the user has gone to another module, scan or result meanwhile."""
        if self._runBar.isPanelShown() and why.node is self._shownNode() and showWhy(why.node):
            self._message.tell(sentence(why.guide))
        else:
            text = _("{map} is ready; show it as the foreground of a slice view.")
            self._message.tell(text.format(map=why.node.GetName()))
