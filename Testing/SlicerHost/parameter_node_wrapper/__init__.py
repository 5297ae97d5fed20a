"""slicer.parameterNodeWrapper: typed properties on a vtkMRMLScriptedModuleNode, and widgets bound to them.

Written from Slicer's documentation of the API. Lists, tuples, dictionaries and parameter packs are not
here: asking for them raises NotImplementedError.
"""

import types
from typing import Any

from . import annotations, connectors, serializers, wrapper

EXPORTED = {
    annotations: (
        "Choice",
        "Decimals",
        "Default",
        "Exclude",
        "IsInstance",
        "Maximum",
        "Minimum",
        "NotNone",
        "SingleStep",
        "Validator",
        "WithinRange",
    ),
    connectors: ("GuiConnector", "createGuiConnector", "parameterNodeGuiConnector"),
    serializers: ("Serializer", "parameterNodeSerializer"),
    wrapper: (
        "SlicerParameterNamePropertyName",
        "findChildWidgetForParameter",
        "isParameterNodeWrapper",
        "parameterNodeWrapper",
    ),
}
"""What the host has of the module, by the file it is in."""

LACKING = (
    "parameterPack",
    "isParameterPack",
    "nestedParameterNames",
    "createGui",
    "FloatRange",
    "IntRange",
    "RangeBounds",
)
"""Names that are real in Slicer and not in the host."""


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name in LACKING:
            raise NotImplementedError(
                f"slicer.parameterNodeWrapper.{name} is real in Slicer, the host lacks it"
            )
        raise AttributeError(f"module 'slicer.parameterNodeWrapper' has no attribute {name!r}")


def as_module() -> types.ModuleType:
    """slicer.parameterNodeWrapper."""
    module = _Module("slicer.parameterNodeWrapper")
    module.__all__ = [name for names in EXPORTED.values() for name in names]
    for source, names in EXPORTED.items():
        for name in names:
            setattr(module, name, getattr(source, name))
    return module
