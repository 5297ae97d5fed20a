"""The message that asks why a model drew a lesion, and its answer."""

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Tuple

from ..images.grid import Grid


@dataclass(frozen=True)
class Explain:
    """Explain a lesion by Grad-CAM: ``voxels`` and ``grid`` as in ``measure``, ``labels`` (uint8 .npy) in
    ``box``, (z0, z1, y0, y1, x0, x1) of the scan's array, ends excluded.

    ``lesion``: its number. ``centre``: LPS mm, as it was measured. ``model``: that drew it, on a scan of this
    ``modality``, "CT" or "MR"; and ``device`` to compute on. Answered by ``progress``, then by
    ``explained`` or ``error``.
    """

    type: ClassVar[str] = "explain"
    id: str
    voxels: str
    grid: Grid
    labels: str
    box: Tuple[int, ...]
    lesion: int
    centre: Tuple[float, ...]
    model: str = "default"
    device: str = "auto"
    modality: str = "CT"


@dataclass(frozen=True)
class Explained:
    """A lesion is explained. ``heat``: float32 .npy, (z, y, x), 0 to 1, on ``grid``, in ``folder``, a
    subfolder of the private one that the reader may remove. ``guide``: how the map is to be read, as
    ``sentences.with_identity`` writes it."""

    type: ClassVar[str] = "explained"
    id: str
    folder: str
    heat: str
    grid: Grid
    guide: Dict[str, Any]
