"""Enumerations as PythonQt gives them to Python: plain integers."""

import enum
from typing import Any, Optional


class QtEnum(int):
    """An integer that remembers which value of PySide6 it stands for, so that it can be handed back to Qt."""

    member: enum.Enum

    @classmethod
    def of(cls, member: enum.Enum) -> "QtEnum":
        number = cls(member.value)
        number.member = member
        return number

    def _same_kind(self, number: int) -> int:
        try:
            return QtEnum.of(type(self.member)(number))
        except ValueError:
            return number

    def __or__(self, other: int) -> int:
        return self._same_kind(int(self) | int(other))

    def __and__(self, other: int) -> int:
        return self._same_kind(int(self) & int(other))

    def __invert__(self) -> int:
        if isinstance(self.member, enum.Flag):
            return QtEnum.of(~self.member)
        return ~int(self)

    __ror__ = __or__
    __rand__ = __and__

    def __repr__(self) -> str:
        return str(int(self))

    __str__ = __repr__

    def __reduce__(self):
        return int, (int(self),)


def as_integer(value: Any) -> Optional[QtEnum]:
    """The integer for an enumeration value of PySide6; None for anything else."""
    if isinstance(value, enum.Enum) and isinstance(value.value, int):
        return QtEnum.of(value)
    return None


class EnumScope:
    """A namespace of enumerations such as qt.Qt: `qt.Qt.AlignLeft` is an integer."""

    def __init__(self, scope: type) -> None:
        self.__dict__["_scope"] = scope

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._scope, name, None)
        number = as_integer(value)
        if number is None:
            raise AttributeError(f"type object '{self._scope.__name__}' has no attribute {name!r}")
        return number

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{self._scope.__name__}.{name} cannot be set")
