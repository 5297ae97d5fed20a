"""Widgets that show a parameter and change it. As in Slicer, a connector takes exact classes of widgets
only.
"""

import enum
from typing import Any, Callable, List, Optional, Sequence

import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange, first, split
from .serializers import PATHS, node_types

INTEGER_LIMITS = (-(2**31), 2**31 - 1)
"""Range of a spin box for whole numbers without limits of their own."""


class GuiConnector:
    """Reads and writes a widget; `onChanged(function)` is called on its signal, `onChanged(None)` lets go
    of it.
    """

    signal = ""

    def __init__(self, widget: Any, kind: Any, annotations: Sequence[Any]) -> None:
        self._widget = widget
        self._kind = kind
        self._callback: Optional[Callable[[], None]] = None

    def widget(self) -> Any:
        return self._widget

    def onChanged(self, callback: Optional[Callable[[], None]]) -> None:
        self._callback = callback
        signal = getattr(self._widget, self.signal)
        if callback is None:
            signal.disconnect(self.changed)
        else:
            signal.connect(self.changed)

    def changed(self) -> None:
        if self._callback is not None:
            self._callback()

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


class PropertyConnector(GuiConnector):
    """A widget whose property is the value."""

    property_name = ""

    def read(self) -> Any:
        return getattr(self._widget, self.property_name)

    def write(self, value: Any) -> None:
        setattr(self._widget, self.property_name, value)


class CheckBoxConnector(PropertyConnector):
    signal, property_name = "stateChanged", "checked"


class PushButtonConnector(PropertyConnector):
    signal, property_name = "toggled", "checked"

    def __init__(self, widget: Any, kind: Any, annotations: Sequence[Any]) -> None:
        super().__init__(widget, kind, annotations)
        widget.checkable = True


class LineEditConnector(PropertyConnector):
    signal, property_name = "textChanged", "text"


class TextEditConnector(PropertyConnector):
    signal, property_name = "textChanged", "plainText"


class NumberConnector(PropertyConnector):
    """Spin boxes and sliders take their limits from WithinRange, Minimum and Maximum."""

    signal, property_name = "valueChanged", "value"

    def __init__(self, widget: Any, kind: Any, annotations: Sequence[Any]) -> None:
        super().__init__(widget, kind, annotations)
        decimals, step = first(annotations, Decimals), first(annotations, SingleStep)
        if decimals is not None:
            widget.decimals = decimals.value
        if step is not None:
            widget.singleStep = step.value
        within = first(annotations, WithinRange)
        lower, upper = within or first(annotations, Minimum), within or first(annotations, Maximum)
        if (lower is None or upper is None) and widget.className() in ("QSlider", "ctkSliderWidget"):
            raise RuntimeError(f"A {widget.className()} needs a parameter with a range, such as WithinRange")
        free = INTEGER_LIMITS if kind is int else (float("-inf"), float("inf"))
        widget.minimum = lower.minimum if lower is not None else free[0]
        widget.maximum = upper.maximum if upper is not None else free[1]


class ComboBoxConnector(GuiConnector):
    """A combo box is filled with the choices: those of Choice, or the members of an enumeration."""

    signal = "currentIndexChanged"

    def __init__(self, widget: Any, kind: Any, annotations: Sequence[Any]) -> None:
        super().__init__(widget, kind, annotations)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            self._choices: List[Any] = list(kind)
            labels = [member.label() if hasattr(member, "label") else member.name for member in kind]
        else:
            choice = first(annotations, Choice)
            if choice is None:
                raise RuntimeError("A QComboBox needs a parameter with the Choice annotation")
            self._choices = list(choice.choices)
            labels = [str(value) for value in self._choices]
        widget.clear()
        for label in labels:
            widget.addItem(label)

    def read(self) -> Any:
        return self._choices[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        if value not in self._choices:
            raise ValueError(f"Unable to find value {value} in choices {self._choices}")
        self._widget.currentIndex = self._choices.index(value)


class PathConnector(GuiConnector):
    def read(self) -> Any:
        return self._kind(getattr(self._widget, self.property_name))

    def write(self, value: Any) -> None:
        setattr(self._widget, self.property_name, str(value))


class PathLineEditConnector(PathConnector):
    signal, property_name = "currentPathChanged", "currentPath"


class DirectoryButtonConnector(PathConnector):
    signal, property_name = "directoryChanged", "directory"


class NodeComboBoxConnector(GuiConnector):
    """The selector's node types become those of the parameter."""

    signal = "currentNodeChanged"

    def __init__(self, widget: Any, kind: Any, annotations: Sequence[Any]) -> None:
        super().__init__(widget, kind, annotations)
        widget.nodeTypes = [cls.__name__ for cls in node_types(kind)]

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


def _connector_class(widget: Any, kind: Any) -> Optional[type]:
    import ctk
    import qt

    exact = type(widget)
    if kind is bool and exact in (qt.QCheckBox, qt.QPushButton):
        return CheckBoxConnector if exact is qt.QCheckBox else PushButtonConnector
    if kind is int and exact in (qt.QSpinBox, qt.QSlider):
        return NumberConnector
    if kind is float and exact in (qt.QDoubleSpinBox, ctk.ctkSliderWidget):
        return NumberConnector
    is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
    if exact is qt.QComboBox and (kind in (int, float, str, bool) or is_enum):
        return ComboBoxConnector
    if kind is str and exact in (qt.QLineEdit, qt.QTextEdit):
        return LineEditConnector if exact is qt.QLineEdit else TextEditConnector
    if kind in PATHS and exact in (ctk.ctkPathLineEdit, ctk.ctkDirectoryButton):
        return PathLineEditConnector if exact is ctk.ctkPathLineEdit else DirectoryButtonConnector
    if node_types(kind) and exact is slicer.qMRMLNodeComboBox:
        return NodeComboBoxConnector
    return None


def createGuiConnector(widget: Any, datatype: Any) -> GuiConnector:
    """The connector of a widget for a type, which may be annotated.

    Raises:
        RuntimeError: Slicer has no connector from this class of widget to this type.
    """
    kind, annotations = split(datatype)
    connector_class = _connector_class(widget, kind)
    if connector_class is None:
        raise RuntimeError(
            f"Unable to create GUI connector from datatype '{datatype}' to widget type '{widget.className()}'"
        )
    return connector_class(widget, kind, annotations)


def parameterNodeGuiConnector(cls: Any = None) -> Any:
    """Class decorator of a module's own connectors."""
    raise NotImplementedError("the host takes no GUI connectors of the module's own")
