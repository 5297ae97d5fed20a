"""The options of the effect: what a click does, how wide a stroke is, whole lesions, what was done last."""

from typing import Any, Callable, Dict, Optional, Tuple

import ctk
import qt
from slicer.i18n import tr as _

from ..places import resourceFolder
from ..slots import guarded

CORRECT, ADD, DELETE, SPLIT, MERGE = "correct", "add", "delete", "split", "merge"
"""What clicks are for: the segment at the click, or whole lesions."""
STROKE_MM = (1.0, 20.0)
"""Thinnest and widest stroke."""
SIZES_MM = (3.0, 150.0)
"""Diameters between which the size of an added lesion is chosen."""

_ROOM = 4
"""Pixels between buttons."""
_SIZE_PAUSE_MS = 150
"""A lesion follows the slider when it has rested for so long."""


def effectIcon() -> Any:
    """Return the effect's icon, a ``QIcon``."""
    return qt.QIcon(str(resourceFolder() / "Icons" / "SmartCorrect.png"))


def effectCursor() -> Any:
    """Return the cursor in slice views, a ``QCursor``: by itself Slicer would hang the whole icon on it, over
    what is to be clicked."""
    return qt.QCursor(qt.Qt.CrossCursor)


def helpText() -> str:
    """Return what Slicer shows as the effect's help."""
    first = _(
        "<b>Click</b> adds what is missing there, <b>Ctrl+click</b> removes what is too much, <b>drag</b>"
        " draws a stroke."
    )
    more = _(
        "Works in every slice view, on liver, spleen, liver tumors and other structures, in 3D. Finished"
        " neighbors stay as they are, and nothing further than 90 mm away changes."
    )
    return f"<html>{first}<br><p>{more}</html>"


class Options:
    """The widgets in the frame of the effect.

    Args:
        scriptedEffect: Slicer's object; gets the widgets.
        onMode: called with what clicks are for from now on.
        onInclude: called with whether clicks add (or remove).
        onStroke: called with the width of strokes, mm.
        onSize: called with the size of the lesion just added, diameter in mm.
        onKeep: called without arguments when its size is as wanted.
    """

    def __init__(
        self,
        scriptedEffect: Any,
        onMode: Callable[[str], None],
        onInclude: Callable[[bool], None],
        onStroke: Callable[[float], None],
        onSize: Callable[[float], None],
        onKeep: Callable[[], None],
    ) -> None:
        self._onSize = onSize
        self._include = _buttons(
            {
                True: (_("Add"), _("A click adds what is missing there (A). With Ctrl it removes.")),
                False: (_("Remove"), _("A click removes what is too much there (R). With Ctrl it adds.")),
            },
            onInclude,
            "liverSegInclude",
        )
        scriptedEffect.addLabeledOptionsWidget(_("Clicks:"), self._include[0])
        self._stroke = _slider("liverSegStroke", STROKE_MM, 0.5, 1)
        self._stroke.toolTip = _("How wide a stroke is that you draw by dragging.")
        self._stroke.connect("valueChanged(double)", guarded(onStroke))
        scriptedEffect.addLabeledOptionsWidget(_("Stroke:"), self._stroke)
        self._modes = _buttons(
            {
                ADD: (_("Add"), _("Click in a lesion that is missing: it grows there against the liver.")),
                DELETE: (_("Delete"), _("Click on a lesion that is none: it becomes liver.")),
                SPLIT: (_("Split"), _("Click in the one part of a lesion, then in the other.")),
                MERGE: (_("Merge"), _("Click on one lesion, then on the one that belongs to it.")),
            },
            lambda mode: onMode(mode if self.mode() == mode else CORRECT),
            "liverSegLesion",
            canBeOff=True,
        )
        scriptedEffect.addLabeledOptionsWidget(_("Lesion:"), self._modes[0])
        self._sizeRow = qt.QWidget()
        row = qt.QVBoxLayout(self._sizeRow)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_ROOM)
        self._size = _slider("liverSegSize", SIZES_MM, 0.5, 1)
        self._size.toolTip = _("Diameter of the ball that is as large as the lesion you have just added.")
        self._size.connect("valueChanged(double)", guarded(self._onSlider))
        row.addWidget(self._size)
        keep = qt.QPushButton(_("Keep"))
        keep.objectName = "liverSegKeepButton"
        keep.toolTip = _("The lesion stays as it is now.")
        keep.connect("clicked(bool)", guarded(onKeep))
        row.addWidget(keep)
        scriptedEffect.addLabeledOptionsWidget(_("Size:"), self._sizeRow)
        self._status = qt.QLabel("")
        self._status.objectName = "liverSegStatus"
        self._status.wordWrap = True
        scriptedEffect.addOptionsWidget(self._status)  # which sets a policy of its own
        self._status.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Minimum)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SIZE_PAUSE_MS)
        self._timer.connect("timeout()", guarded(self._onRest))
        self.showSize(None)

    def mode(self) -> str:
        """What the pressed button says that clicks are for."""
        pressed = [mode for mode, button in self._modes[1].items() if button.checked]
        return pressed[0] if pressed else CORRECT

    def show(self, mode: str, include: bool, strokeMm: float, hasTumor: bool) -> None:
        """Show what is chosen; the lesion buttons only where there are tumors."""
        _press(self._modes[1], mode)
        _press(self._include[1], include)
        self._modes[0].enabled = hasTumor
        self._stroke.blockSignals(True)
        self._stroke.value = strokeMm
        self._stroke.blockSignals(False)

    def showSize(self, diameterMm: Optional[float]) -> None:
        """Offer to change the size of the lesion just added; None: nothing to offer."""
        self._timer.stop()
        self._sizeRow.enabled = diameterMm is not None
        if diameterMm is not None:
            self._size.blockSignals(True)
            self._size.value = min(max(diameterMm, SIZES_MM[0]), SIZES_MM[1])
            self._size.blockSignals(False)

    def again(self) -> None:
        """Ask for the size again a little later."""
        self._timer.start()

    def tell(self, text: str) -> None:
        """Show a sentence: what was done, or why nothing was."""
        self._status.setText(text)

    def _onSlider(self, _diameterMm: float) -> None:
        self._timer.start()

    def _onRest(self) -> None:
        self._onSize(float(self._size.value))


def _slider(name: str, limits: Tuple[float, float], step: float, decimals: int) -> Any:
    slider = ctk.ctkSliderWidget()
    slider.objectName = name
    slider.minimum, slider.maximum = limits
    slider.singleStep = step
    slider.decimals = decimals
    slider.suffix = _(" mm")
    return slider


def _buttons(
    texts: Dict[Any, Tuple[str, str]],
    onChosen: Callable[[Any], None],
    name: str,
    *,
    canBeOff: bool = False,
    columns: int = 2,
) -> Tuple[Any, Dict[Any, Any]]:
    """Return buttons of which one is pressed (or none), in rows, and each by what it stands for."""
    widget = qt.QWidget()
    grid = qt.QGridLayout(widget)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setSpacing(_ROOM)
    buttons: Dict[Any, Any] = {}
    for value, (text, tip) in texts.items():
        button = buttons[value] = qt.QPushButton(text)
        button.objectName = f"{name}{text}Button"
        button.checkable = True
        button.toolTip = tip
        button.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
        grid.addWidget(button, (len(buttons) - 1) // columns, (len(buttons) - 1) % columns)
    for value, button in buttons.items():
        button.connect("clicked(bool)", guarded(_chooser(buttons, value, onChosen, canBeOff)))
    return widget, buttons


def _chooser(
    buttons: Dict[Any, Any], value: Any, onChosen: Callable[[Any], None], canBeOff: bool
) -> Callable[[bool], None]:
    def chosen(pressed: bool) -> None:
        _press(buttons, value if pressed or not canBeOff else None)
        onChosen(value)

    return chosen


def _press(buttons: Dict[Any, Any], value: Any) -> None:
    for name, button in buttons.items():
        button.checked = name == value
