"""Which identifier and UID a structure or a lesion is tracked by: the same result has the same ones always.

A lesion's UID is made from its series and its voxels: written again it keeps its UID, whatever its number
became; a lesion that was edited is another region and gets another UID.
"""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from ..images.grid import Box


@dataclass(frozen=True)
class Tracking:
    """What a region is tracked by.

    Attributes:
        identifier: for people, such as "Lesion 1".
        uid: DICOM UID.
    """

    identifier: str
    uid: str


def structure_tracking(series_uid: str, key: str, name: str) -> Tracking:
    """Return what an organ, an ROI or a table of a series is tracked by; ``key`` tells it from others."""
    return Tracking(name, derived_uid(series_uid, key))


def lesion_tracking(series_uid: str, number: int, box: Box, mask: np.ndarray) -> Tracking:
    """Return what a lesion is tracked by; its bool mask (z, y, x) lies in a box of the scan's array."""
    edges: Tuple[int, ...] = tuple(edge for part in box for edge in (part.start, part.stop))
    digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
    return Tracking(f"Lesion {number}", derived_uid(series_uid, f"lesion {edges} {digest}"))


def derived_uid(*texts: str) -> str:
    """Return the UID that these texts always give (PS3.5 B.2: "2.25." and a UUID as a number)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, ' '.join(('LiverSeg', *texts))).int}"
