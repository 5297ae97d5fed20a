"""Which kinds of images are segmented, and the user's word on which kind a scan is.

CT has a scale of its own, Hounsfield units, by which it is known and checked. MR has none: a file of MR is
known by its DICOM header, or because the user says so, and never by a guess from its voxels.
"""

from typing import Optional

from ..errors import NotCTError, UsageError
from ..sentences import Sentence

CT = "CT"
MR = "MR"
MODALITIES = (CT, MR)
"""What is segmented."""


def said_modality(word: Optional[str]) -> Optional[str]:
    """Return the user's word on the kind of a scan as "CT" or "MR"; None for none, and for "auto".

    Raises:
        UsageError: it is another word.

    >>> said_modality("mr"), said_modality("auto")
    ('MR', None)
    """
    if word is None or word.strip().lower() in ("", "auto"):
        return None
    found = word.strip().upper()
    if found not in MODALITIES:
        raise UsageError(Sentence("modality.unknown", word=word))
    return found


def known_modality(header: Optional[str], said: Optional[str]) -> Optional[str]:
    """Return the kind of a scan of which a header and a user speak; None if neither does.

    Args:
        header: DICOM modality, as it is written there.
        said: "CT" or "MR", by the user.

    Raises:
        NotCTError: they contradict each other.
    """
    stated = (header or "").strip().upper() or None
    if stated is not None and said is not None and stated != said:
        raise NotCTError(Sentence("modality.contradicts", stated=stated, said=said))
    return stated or said
