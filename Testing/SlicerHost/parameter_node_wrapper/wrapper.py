"""The class decorator @parameterNodeWrapper."""

import logging
import typing
import weakref
from typing import Any, Callable, Dict, List, Optional

import slicer
import vtk

from .annotations import Default, NotNone, Validator, first, split
from .connectors import GuiConnector, createGuiConnector
from .serializers import Serializer, serializer_for

SlicerParameterNamePropertyName = "SlicerParameterName"
"""Dynamic property by which a widget in a .ui file names its parameter."""


class ParameterInfo:
    """A parameter as the class declares it."""

    def __init__(self, name: str, declared: Any, default: Optional[Default]) -> None:
        self.basename = name
        self.unalteredType = declared
        kind, annotations = split(declared)
        self.serializer: Serializer = serializer_for(kind)
        own = [item() if isinstance(item, type) else item for item in annotations if _is_validator(item)]
        self.validators: List[Validator] = self.serializer.validators() + own
        self.default = default or first(annotations, Default) or Default(self.serializer.default())
        unused = [item for item in annotations if not _is_validator(item) and not isinstance(item, Default)]
        if unused:
            logging.warning("Unused annotations: %s", unused)

    def write(self, parameterNode: Any, value: Any) -> None:
        for validator in self.validators:
            if value is not None or isinstance(validator, NotNone):
                validator.validate(value)
        self.serializer.write(parameterNode, self.basename, value)

    def read(self, parameterNode: Any) -> Any:
        if not self.serializer.isIn(parameterNode, self.basename):
            self.write(parameterNode, self.default.value)
        return self.serializer.read(parameterNode, self.basename)


def _is_validator(item: Any) -> bool:
    return isinstance(item, Validator) or (isinstance(item, type) and issubclass(item, Validator))


class _CachedValue:
    """A parameter's value in one node, read again when the node is modified."""

    def __init__(self, info: ParameterInfo, parameterNode: Any) -> None:
        self.info = info
        self.node = parameterNode
        self.value = info.read(parameterNode)
        self._writing = False
        reference = weakref.ref(self)

        def on_modified(caller: Any, event: str) -> None:
            cached = reference()
            if cached is not None and not cached._writing:
                cached.value = info.read(parameterNode)

        self._tag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, on_modified)

    def __del__(self) -> None:
        self.node.RemoveObserver(self._tag)

    def write(self, value: Any) -> None:
        self._writing = True
        try:
            # observers of the node must already see the new value
            with slicer.util.NodeModify(self.node):
                self.info.write(self.node, value)
                self.value = self.info.read(self.node)
        finally:
            self._writing = False


class _Methods:
    """What the decorator adds to the class."""

    allParameters: Dict[str, ParameterInfo]

    def default(self, name: str) -> Default:
        return self._info(name).default

    def isCached(self, name: str) -> bool:
        self._info(name)
        return True

    def getValue(self, name: str) -> Any:
        self._info(name)
        return self._values[name].value

    def setValue(self, name: str, value: Any) -> None:
        self._info(name)
        self._values[name].write(value)

    def _info(self, name: str) -> ParameterInfo:
        if name not in self.allParameters:
            raise ValueError(
                f"Cannot find a param with the given name: {name}. Available: {list(self.allParameters)}"
            )
        return self.allParameters[name]

    def connectGui(self, gui: Any) -> None:
        """Slicer's own forgets to return the tag too (5.8 to 5.12)."""
        if hasattr(gui, "isWidgetType"):
            import qt

            widgets = gui.findChildren(qt.QWidget)
        else:
            widgets = list(gui.__dict__.values())
        named = {widget.property(SlicerParameterNamePropertyName): widget for widget in widgets}
        self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping: Dict[str, Any]) -> int:
        connectors = {}
        for name, target in mapping.items():
            info = self._info(name)
            is_connector = isinstance(target, GuiConnector)
            connectors[name] = target if is_connector else createGuiConnector(target, info.unalteredType)
        tag = self._nextTag
        self._nextTag += 1
        self._connectors[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._writer(name, connector))
        self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: self._showValues())
        return tag

    def disconnectGui(self, tag: int) -> None:
        for connector in self._connectors.pop(tag, {}).values():
            connector.onChanged(None)

    def _writer(self, name: str, connector: GuiConnector) -> Callable[[], None]:
        def write() -> None:
            with slicer.util.NodeModify(self):
                if not self._showing:
                    self.setValue(name, connector.read())

        return write

    def _showValues(self) -> None:
        if self._showing:
            return
        self._showing = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in self._connectors.values():
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._showing = False

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> int:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Callable, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def _initialize(self: Any, parameterNode: Any, prefix: Optional[str] = None) -> None:
    if prefix:
        raise NotImplementedError("parameterNodeWrapper: the host takes no prefix of parameter names")
    assert parameterNode is not None
    self.parameterNode = parameterNode
    self._connectors: Dict[int, Dict[str, GuiConnector]] = {}
    self._nextTag = 0
    self._showing = False
    self._values = {name: _CachedValue(info, parameterNode) for name, info in self.allParameters.items()}


def _property(name: str) -> property:
    return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))


def parameterNodeWrapper(cls: Any = None) -> Any:
    """Makes typed properties, kept in a parameter node, of the annotated members of a class."""
    if cls is None:
        return parameterNodeWrapper
    parameters = {}
    for name, declared in typing.get_type_hints(cls, include_extras=True).items():
        default = Default(getattr(cls, name)) if hasattr(cls, name) else None
        parameters[name] = ParameterInfo(name, declared, default)
        setattr(cls, name, _property(name))
    for name, function in vars(_Methods).items():
        if name.startswith("__"):
            continue
        if name in vars(cls):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        setattr(cls, name, function)
    cls.allParameters = parameters
    cls._is_parameter_node_wrapper = True
    cls.__init__ = _initialize
    return cls


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    return getattr(classOrObject, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget: Any, parameter: str) -> Optional[Any]:
    """The widget below `widget` that names the parameter; None where there is none."""
    import qt

    for child in widget.findChildren(qt.QWidget):
        if child.property(SlicerParameterNamePropertyName) == parameter:
            return child
    return None
