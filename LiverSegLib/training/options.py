"""What the sections of a recipe have in common: plain values, checked, and no key that is not known."""

from typing import Any, Type, TypeVar

from pydantic import BaseModel, ConfigDict

Section = TypeVar("Section", bound="Options")


class Options(BaseModel):
    """A section of a recipe; it cannot be changed, only copied with other values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self: Section, **values: Any) -> Section:
        """A copy with other values, checked anew."""
        kind: Type[Section] = type(self)
        return kind.model_validate({**self.model_dump(), **values})
