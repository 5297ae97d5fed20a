"""Which segment of a segmentation is liver, spleen or liver tumor: by code, by name, or as told."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Dict, Mapping, Sequence, Tuple

from ..errors import InputError, UsageError
from ..labels import BACKGROUND, LABELS, LIVER, SPLEEN, TUMOUR
from ..sentences import Sentence

Coded = Tuple[str, str]
"""Coding scheme designator and code value."""

_SAME_SCHEME = {"SNM3": "SRT", "99SDM": "SRT", "2.16.840.1.113883.6.96": "SCT"}

CODES: Dict[Coded, int] = {
    ("SCT", "10200004"): LIVER,
    ("SRT", "T-62000"): LIVER,
    ("FMA", "7197"): LIVER,
    ("SCT", "78961009"): SPLEEN,
    ("SRT", "T-C3000"): SPLEEN,
    ("FMA", "7196"): SPLEEN,
}
"""Codes of the organs."""
TUMOUR_CODES = {
    ("SCT", "108369006"), ("SRT", "M-80003"),  # neoplasm
    ("SCT", "86049000"),  # malignant neoplasm, primary
    ("SCT", "14799000"), ("SRT", "M-80006"),  # malignant neoplasm, metastatic
    ("SCT", "4147007"), ("SRT", "M-03000"),  # mass
    ("SCT", "52988006"), ("SRT", "M-01100"),  # lesion
    ("SCT", "25370001"), ("SCT", "109841003"), ("SCT", "94381002"), ("SCT", "126851005"),  # HCC; of the liver
}  # fmt: skip
"""Codes of what is a tumor; of the liver unless region or name say otherwise."""

_NAMES = {
    LIVER: ("liver", "whole liver", "liver parenchyma", "hepar", "leber", "foie", "higado", "fegato",
            "figado", "lever"),
    SPLEEN: ("spleen", "milz", "rate", "bazo", "milza", "baco", "milt", "lien"),
}  # fmt: skip
_TUMOUR_WORD = re.compile(
    r"\b(tumou?r(s|e|en|i|es)?|tumeurs?|lesions?|lasion(en)?|laesie|lesione|lesioni|lesao|lesoes|lesiones"
    r"|cancer|hcc|metastas\w*|mass(es)?|neoplasms?|malignancy|cholangiocarcinoma)\b"
)
_OTHER_ORGAN = re.compile(
    r"kidney|renal|niere|rein\b|pancrea|pankrea|lung|pulmo|brain|colon|splen|milz|prostat|bladder|breast|bone"
    r"|adrenal|stomach|gastri|esophag|oesophag|lymph|node\b"
)
_CODE = re.compile(r"([^~^]*)\^([^~^]*)\^[^~]*")
_LIVER_WORD = re.compile(r"\b(liver|hepat\w*|leber\w*|foie|higado|fegato|figado|lever)\b")

WORDS: Dict[str, int] = {
    **{info.key: value for value, info in LABELS.items()},
    "tumor": TUMOUR,
    "none": BACKGROUND,
}
"""What a user may call a structure; "none" for a segment that is to be left out."""


@dataclass(frozen=True)
class Segment:
    """A segment as its file has it: number (or value), name, code of its type, code of its region."""

    number: int
    name: str
    type: Coded = ("", "")
    region: Coded = ("", "")


def coded(scheme: str, value: str) -> Coded:
    """Return a code with the usual name of its scheme.

    >>> coded("SNM3", "T-62000")
    ('SRT', 'T-62000')
    """
    return _SAME_SCHEME.get(scheme, scheme), value[3:] if value.startswith("FMA") else value


def codes_of(terminology: str) -> Tuple[Coded, Coded]:
    """Return the codes of type and region in a terminology as 3D Slicer writes it: context ~ category ~ type
    ~ type modifier ~ region context ~ region ~ region modifier, each code as scheme^value^meaning.

    >>> codes_of("x~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~x~^^~^^")
    (('SCT', '10200004'), ('', ''))
    """
    parts = terminology.split("~")
    kind, region = (_CODE.match(parts[place]) if place < len(parts) else None for place in (2, 5))
    return coded(*kind.groups()) if kind else ("", ""), coded(*region.groups()) if region else ("", "")


def labels_of(
    segments: Sequence[Segment], told: Mapping[str, str], file_name: str
) -> Tuple[Dict[int, int], Tuple[Segment, ...]]:
    """Return the label of each segment that has one, by its number, and the segments that have none.

    Args:
        segments: all of the file.
        told: segment name or number -> structure (a key of ``WORDS``), by the user: before all else.
        file_name: for sentences.

    Raises:
        UsageError: the user named a segment or a structure that is not there.
        InputError: none of the segments is the liver.
    """
    found = {segment.number: proposed(segment) for segment in segments}
    for name, word in told.items():
        if word.strip().lower() not in WORDS:
            known = ", ".join(WORDS)
            raise UsageError(Sentence("segmentation.no-such-structure", name=word, known=known))
        matches = [s for s in segments if name.strip().casefold() in (s.name.casefold(), str(s.number))]
        if not matches:
            listed = _listed(segments)
            raise UsageError(Sentence("segmentation.no-such-segment", name=name, listed=listed))
        found.update({segment.number: WORDS[word.strip().lower()] for segment in matches})
    if LIVER not in found.values():
        raise InputError(Sentence("segmentation.no-liver", name=file_name, listed=_listed(segments)))
    used = {number: label for number, label in found.items() if label != BACKGROUND}
    return used, tuple(segment for segment in segments if segment.number not in used)


def _listed(segments: Sequence[Segment]) -> str:
    return ", ".join(segment.name or str(segment.number) for segment in segments[:20]) or "-"


def proposed(segment: Segment) -> int:
    """Return the label that code or name of a segment mean; that of the background for any other structure.

    >>> proposed(Segment(1, "Leber")), proposed(Segment(2, "HCC seg. 7")), proposed(Segment(3, "Niere"))
    (1, 3, 0)
    """
    name = _plain(segment.name)
    if segment.type in CODES and not _is_part(name):
        return CODES[segment.type]
    if segment.type in TUMOUR_CODES:
        elsewhere = segment.region != ("", "") and CODES.get(segment.region) != LIVER
        other = _OTHER_ORGAN.search(name) and not _LIVER_WORD.search(name)
        return BACKGROUND if elsewhere or other else TUMOUR
    for label, names in _NAMES.items():
        if name in names:
            return label
    if _TUMOUR_WORD.search(name) and (not _OTHER_ORGAN.search(name) or _LIVER_WORD.search(name)):
        return TUMOUR
    return BACKGROUND


def _is_part(name: str) -> bool:
    """Whether a name is that of something in an organ that is coded with the organ: a vessel, a cyst."""
    return bool(re.search(r"\b(vessels?|veins?|arter\w*|cysts?|duct|margin|remnant|ptv|ctv|gtv)\b", name))


def _plain(name: str) -> str:
    """In lower case, without accents, marks and a number at the end: "Läsion_2" -> "lasion"."""
    text = unicodedata.normalize("NFKD", name.lower())
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return re.sub(r"[\s\d]+$", "", re.sub(r"[^a-z0-9]+", " ", text)).strip()
