"""A stand-in for the 3D Slicer application: real MRML and VTK (slicer-core), Qt by PySide6, PythonQt's rules.

`boot()` starts it in this process; only then `slicer.app`, `qt`, `ctk` and the rest exist. `facts` can be
imported alone.
"""

from typing import Any

__all__ = ["GapMeter", "Host", "boot"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import session

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
