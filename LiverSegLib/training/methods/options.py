"""The section ``method`` of a recipe: the way in which the network is trained, each with keys of its own."""

from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field

from LiverSegLib.training.methods.adversarial_options import CganOptions, CycleGanOptions, GanOptions
from LiverSegLib.training.methods.semi_options import (
    DistillationOptions,
    KeepingOptions,
    LesionsOptions,
    MeanTeacherOptions,
    ModalitiesOptions,
)
from LiverSegLib.training.options import Options


class SupervisedOptions(Options):
    """The plain way: labelled patches and a loss."""

    name: Literal["supervised"] = "supervised"


def _named(value: Any) -> Any:
    """``method: gan`` is short for ``method: {name: gan}``, and no name for the plain way."""
    if isinstance(value, str):
        return {"name": value}
    return {"name": "supervised", **value} if isinstance(value, dict) else value


MethodOptions = Annotated[
    Union[
        SupervisedOptions,
        GanOptions,
        CganOptions,
        CycleGanOptions,
        MeanTeacherOptions,
        ModalitiesOptions,
        DistillationOptions,
        KeepingOptions,
        LesionsOptions,
    ],
    Field(discriminator="name"),
    BeforeValidator(_named),
]
"""The sections of all methods; ``registry.METHODS`` has what trains by them."""
