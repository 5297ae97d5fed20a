"""The labels of every mask in LiverSeg, their names, colours and SNOMED CT codes."""

from typing import Dict, NamedTuple, Tuple

BACKGROUND = 0
LIVER = 1
SPLEEN = 2
TUMOUR = 3


class Code(NamedTuple):
    """A coded concept: coding scheme designator, value, meaning (as DICOM PS3.16 CID 7150 and others write
    it).
    """

    scheme: str
    value: str
    meaning: str


class LabelInfo(NamedTuple):
    """One label: its value, key for programs, name for people, colour (sRGB 0..255) and terminology."""

    value: int
    key: str
    name: str
    colour: Tuple[int, int, int]
    category: Code
    type: Code


_ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
_ABNORMAL = Code("SCT", "49755003", "Morphologically Altered Structure")

LABELS: Dict[int, LabelInfo] = {
    LIVER: LabelInfo(LIVER, "liver", "Liver", (221, 130, 101), _ANATOMY, Code("SCT", "10200004", "Liver")),
    SPLEEN: LabelInfo(
        SPLEEN, "spleen", "Spleen", (157, 108, 162), _ANATOMY, Code("SCT", "78961009", "Spleen")
    ),
    TUMOUR: LabelInfo(
        TUMOUR, "tumour", "Liver tumor", (246, 223, 72), _ABNORMAL, Code("SCT", "108369006", "Neoplasm")
    ),
}
"""Label value -> what it stands for. "Liver" in volumes and metrics means LIVER and TUMOUR together."""

HIGHLIGHT_GREYS: Dict[int, int] = {LIVER: 128, TUMOUR: 255}
"""Label value -> its grey value in the highlight image, where all else is 0."""
