"""Parameters of an effect: attributes of the segment editor's node, kept as texts."""

from typing import Any, Union

from .recorder import recorder

Value = Union[str, int, float]


def as_text(value: Value) -> str:
    """A value as Qt writes it: six digits of a float, no more."""
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else str(int(value))


class Parameters:
    """The part of an effect that reads and writes its parameters. The class it is mixed into has `_name` and
    `_node`.
    """

    _name: str
    _node: Any

    def parameterSetNode(self) -> Any:
        return self._node if self._node is not None and self._node.GetScene() is not None else None

    def setParameterSetNode(self, node: Any) -> None:
        self._node = node

    def scene(self) -> Any:
        node = self.parameterSetNode()
        return node.GetScene() if node is not None else None

    def _key(self, name: str) -> str:
        return f"{self._name}.{name}"

    def parameter(self, name: str) -> str:
        node = self.parameterSetNode()
        if node is None:
            return ""
        value = node.GetAttribute(self._key(name))
        value = node.GetAttribute(name) if value is None else value
        if value is None:
            recorder.violation(f"{self._name}: no parameter {name!r}; Slicer prints this and gives ''")
            return ""
        return value

    def _number(self, name: str, kind: type) -> Any:
        if self.parameterSetNode() is None:
            return kind(0)
        text = self.parameter(name)
        try:
            return kind(text)
        except ValueError:
            recorder.violation(
                f"{self._name}: parameter {name!r} is {text!r}, no {kind.__name__}; Slicer gives 0"
            )
            return kind(0)

    def integerParameter(self, name: str) -> int:
        return self._number(name, int)

    def doubleParameter(self, name: str) -> float:
        return self._number(name, float)

    def parameterDefined(self, name: str) -> bool:
        return self.commonParameterDefined(self._key(name))

    def commonParameterDefined(self, name: str) -> bool:
        node = self.parameterSetNode()
        return node is not None and bool(node.GetAttribute(name))

    def setParameter(self, name: str, value: Value) -> None:
        self.setCommonParameter(self._key(name), value)

    def setParameterDefault(self, name: str, value: Value) -> None:
        if not self.parameterDefined(name):
            self.setParameter(name, value)

    def setCommonParameterDefault(self, name: str, value: Value) -> None:
        if not self.commonParameterDefined(name):
            self.setCommonParameter(name, value)

    def setCommonParameter(self, name: str, value: Value) -> None:
        """Sets it without the node's ModifiedEvent: EffectParameterModified tells of it, if it changed."""
        node = self.parameterSetNode()
        if node is None:
            recorder.violation(f"{self._name}: parameter {name!r} set without a segment editor node is lost")
            return
        text, old = as_text(value), node.GetAttribute(name)
        if text == (old or ""):
            return
        silent = node.GetDisableModifiedEvent()
        node.SetDisableModifiedEvent(1)
        node.SetAttribute(name, text)
        node.SetDisableModifiedEvent(silent)
        node.InvokeCustomModifiedEvent(node.EffectParameterModified)

    def nodeReference(self, name: str) -> Any:
        node = self.parameterSetNode()
        if node is None:
            return None
        found = node.GetNodeReference(self._key(name))
        return found if found is not None else node.GetNodeReference(name)

    def setNodeReference(self, name: str, referenced: Any) -> None:
        self.setCommonNodeReference(self._key(name), referenced)

    def setCommonNodeReference(self, name: str, referenced: Any) -> None:
        node = self.parameterSetNode()
        if node is None:
            recorder.violation(f"{self._name}: reference {name!r} set without a segment editor node is lost")
            return
        node.SetNodeReferenceID(name, referenced.GetID() if referenced is not None else None)
        node.InvokeCustomModifiedEvent(node.EffectParameterModified)
