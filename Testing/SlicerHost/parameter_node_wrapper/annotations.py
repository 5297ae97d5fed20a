"""What may stand in Annotated[type, ...]: defaults, conditions on values, hints for widgets."""

import dataclasses
import typing
from typing import Any, List, Optional, Sequence, Tuple


@dataclasses.dataclass
class Default:
    """The value of a parameter that was never set."""

    value: Any


@dataclasses.dataclass
class Decimals:
    """Digits after the point in a spin box or slider."""

    value: int


@dataclasses.dataclass
class SingleStep:
    """Step of a spin box or slider."""

    value: float


class Validator:
    """Base of conditions: `validate(value)` raises ValueError or TypeError."""

    def validate(self, value: Any) -> None:
        raise NotImplementedError


class NotNone(Validator):
    """The value is there."""

    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")


@dataclasses.dataclass
class IsInstance(Validator):
    """The value is None or of the type."""

    classtype: Any

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type '{self.classtype}', is {value!r} of type '{type(value)}'")


@dataclasses.dataclass
class WithinRange(Validator):
    """minimum <= value <= maximum."""

    minimum: float
    maximum: float

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


@dataclasses.dataclass
class Minimum(Validator):
    """minimum <= value."""

    minimum: float

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must not be less than {self.minimum}, is {value}")


@dataclasses.dataclass
class Maximum(Validator):
    """value <= maximum."""

    maximum: float

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must not be greater than {self.maximum}, is {value}")


@dataclasses.dataclass
class Choice(Validator):
    """The value is one of `choices`."""

    choices: Sequence[Any]

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value!r}, but must be one of {self.choices}")


@dataclasses.dataclass
class Exclude(Validator):
    """The value is none of `excludedValues`."""

    excludedValues: Sequence[Any]

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value is {value!r}, but must be none of {self.excludedValues}")


def split(kind: Any) -> Tuple[Any, List[Any]]:
    """(type, annotations) of Annotated[type, annotations...]; no annotations for a plain type."""
    if typing.get_origin(kind) is typing.Annotated:
        return typing.get_args(kind)[0], list(kind.__metadata__)
    return kind, []


def first(annotations: Sequence[Any], kind: type) -> Optional[Any]:
    """The first annotation of a kind; None where there is none."""
    return next((annotation for annotation in annotations if isinstance(annotation, kind)), None)
