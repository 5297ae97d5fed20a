"""How values of a type are kept in a parameter node: as text parameters, or as node references."""

import enum
import pathlib
import typing
from typing import Any, List, Tuple

import slicer

from .annotations import IsInstance, NotNone, Validator

PATHS = (pathlib.Path, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePath)


class Serializer:
    """Keeps values as the text of one parameter; derived classes say how the text is made and read."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def default(self) -> Any:
        return self.kind()

    def validators(self) -> List[Validator]:
        return [NotNone(), IsInstance(self.kind)]

    def isIn(self, parameterNode: Any, name: str) -> bool:
        return bool(parameterNode.HasParameter(name))

    def write(self, parameterNode: Any, name: str, value: Any) -> None:
        parameterNode.SetParameter(name, self.text(value))

    def read(self, parameterNode: Any, name: str) -> Any:
        return self.value(parameterNode.GetParameter(name))

    def text(self, value: Any) -> str:
        return str(value)

    def value(self, text: str) -> Any:
        return self.kind(text)


class NumberSerializer(Serializer):
    """int and float; a float takes an int."""

    def validators(self) -> List[Validator]:
        return [NotNone(), IsInstance((int, float) if self.kind is float else int)]


class BoolSerializer(Serializer):
    """ "True" or "False"."""

    def value(self, text: str) -> bool:
        return text == "True"


class EnumSerializer(Serializer):
    """A member of an enumeration, by name."""

    def default(self) -> Any:
        return next(iter(self.kind))

    def text(self, value: enum.Enum) -> str:
        return value.name

    def value(self, text: str) -> enum.Enum:
        return self.kind[text]


class NodeSerializer(Serializer):
    """A node, or None: a reference with the parameter's name as role."""

    def default(self) -> None:
        return None

    def validators(self) -> List[Validator]:
        return [IsInstance(self.kind)]

    def write(self, parameterNode: Any, name: str, value: Any) -> None:
        # the empty parameter tells "set to None" from "never set"
        parameterNode.SetParameter(name, "")
        parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, parameterNode: Any, name: str) -> Any:
        return parameterNode.GetNodeReference(name)


def parameterNodeSerializer(cls: Any = None) -> Any:
    """Class decorator: a module's own serializers come before Slicer's."""
    raise NotImplementedError("the host takes no serializers of the module's own")


def node_types(kind: Any) -> Tuple[type, ...]:
    """The classes of nodes of a type, of a Union of them or of an Optional; () where it is something else."""
    kinds = typing.get_args(kind) if typing.get_origin(kind) is typing.Union else (kind,)
    kinds = tuple(item for item in kinds if item is not type(None))
    if kinds and all(isinstance(item, type) and issubclass(item, slicer.vtkMRMLNode) for item in kinds):
        return kinds
    return ()


def serializer_for(kind: Any) -> Serializer:
    """The serializer of a type.

    Raises:
        NotImplementedError: Slicer may take the type; the host does not.
    """
    if node_types(kind):
        return NodeSerializer(node_types(kind))
    if kind in (int, float):
        return NumberSerializer(kind)
    if kind is bool:
        return BoolSerializer(kind)
    if kind is str or kind in PATHS:
        return Serializer(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return EnumSerializer(kind)
    raise NotImplementedError(f"parameterNodeWrapper: the host keeps no parameters of type {kind}")
