"""What the LiverSeg module is made of: Qt, MRML and the way to the core; no algorithm, and never PyTorch."""

from . import places

# lint: allow effect LiverSegLib must be found before any module of this package is loaded
places.makeCoreImportable()
