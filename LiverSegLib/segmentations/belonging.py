"""Whether a DICOM segmentation is of the scan that it is to be used with."""

from dataclasses import dataclass
from typing import Any, FrozenSet, List, Tuple

from ..errors import InputError
from ..images import Scan
from ..sentences import Sentence


@dataclass(frozen=True)
class Reference:
    """What a segmentation says of the images that it was drawn on.

    Attributes:
        frames: UIDs of the frames of reference.
        series: UIDs of the series.
    """

    frames: FrozenSet[str]
    series: FrozenSet[str]


def check_belongs(reference: Reference, scan: Scan, name: str) -> Tuple[str, ...]:
    """Return warnings on how surely a segmentation is of a scan.

    Args:
        name: of the file, for sentences.

    Raises:
        InputError: it has another frame of reference, and was not drawn on the scan's series.
    """
    own_series, own_frame = _identity(scan)
    if own_series and own_series in reference.series:
        return ()
    if not own_frame or not reference.frames:
        return (Sentence("segmentation.cannot-check", name=name),)
    if own_frame not in reference.frames:
        raise InputError(Sentence("segmentation.other-frame", name=name, scan=scan.name))
    if reference.series:
        return (Sentence("segmentation.other-series", name=name),)
    return ()


def uids(items: Any, keyword: str) -> List[str]:
    """The values of a UID in the items of a sequence, which may be missing."""
    found = (str(getattr(item, keyword, "") or "") for item in items or [])
    return [uid for uid in found if uid]


def _identity(scan: Scan) -> Tuple[str, str]:
    """UIDs of the scan's series and frame of reference; empty where it is no DICOM or does not say."""
    if scan.series is None or not scan.series.files:
        return "", ""
    import pydicom

    wanted = ["SeriesInstanceUID", "FrameOfReferenceUID"]
    data = pydicom.dcmread(scan.series.files[0], force=True, stop_before_pixels=True, specific_tags=wanted)
    series, frame = (str(getattr(data, keyword, "") or "") for keyword in wanted)
    return series, frame
