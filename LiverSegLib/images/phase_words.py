"""What the words of a series description say of contrast phase and contrast medium.

English, German, French, Spanish, Italian, Portuguese and Dutch, as technologists abbreviate them. Accents do
not count: "veineux", "portalvenös" and "délayed" are read as they are written in most hospitals, without.
"""

import re
import unicodedata
from typing import Optional

_PHASES = (
    (
        "unenhanced",
        r"nativ|unenh|\bnon[ -]?(con|enh|ce\b)|without|\bw/?o\b|\bplain\b|\bblanco\b|\bpre\b(?! ?/)"
        r"|pre[ -]?(con|km\b|iv\b)"
        r"|\bnc(ct)?\b|\bdirett[ao]\b|\bbasale?\b|\bblank\b",
    ),
    (
        "arterial",
        r"arter|\bart\b|\b(hap|lap)\b|\bearly\b|\bfruh|\bprecoce\b|\bvroege?\b",
    ),
    (
        "portal",
        r"\bporta(l|al|le|ven)|\bporto[ -]?ven|\bport\b|\bpv[pi]?\b|\bvene?[ou][sz]|portven|\bveineu|\bven\b|"
        r"(arterio|peri|portal|porta)ven",
    ),
    (
        "late",
        r"\bdelay|\blate\b|\bequil|\bspat|\bdel\b|\bexcret|\bnephro|\bnefro|\btardi|\bretard|\blaat\b"
        r"|\burogra|\beliminac|\bausscheid",
    ),
)
"""Phase -> its words, in lower case and without accents."""

_NO = r"(ohne|sans|sin|senza|sem|zonder|without|no|non|w/?o)"
_MEDIUM = (
    r"(iv|i\.v\.?|civ|pdc|mdc|km|cm|contrast[a-z]*|kontrast[a-z]*|injec[a-z]*|inj|produit|mezzo|medio|meio"
    r"|enh[a-z]*)"
)
_WITHOUT = re.compile(
    rf"\b{_NO}[ ._/-]*(de )?{_MEDIUM}|unenhanced|nativ|pre[ -]?contrast|\bpre[ -]?(km|iv)\b|\bplain\b"
    r"|\bw/o\b|\bblanco\b|\bs/ ?c(iv|ontraste)?\b|\b(c|km|iv|ci) ?-(?![a-z0-9])|\bncct\b|non[ -]?injecte"
    r"|\bdirett[ao]\b"
)
_WITH = re.compile(
    rf"\b(mit|avec|con|com|met|with|w/?|post|nach|apres|c/) ?[._-]?(de )?{_MEDIUM}|enhanced"
    r"|\b(c|km|iv) ?\+|\+ ?(c|km|iv)\b|ce[ -]?ct\b|\binjecte|arteri|\bporta(l|al|le|ven)|\bporto[ -]?ven"
    r"|\bvene?[ou][sz]|portven|portalven|\bveineu|\bdelayed|\blate phase|\bspatphase|\btardi|\bnephro"
    r"|\bnefro|\bpv phase|\bpvp\b"
)
_LATE_ARTERIAL = re.compile(r"\b(late|spat|laat)[ -]?(?=art)|(?<=arter)([a-z]*) tardi[a-z]*")
"""Late within the arterial phase, when hypervascular tumors are brightest: that is no delayed phase."""
_VIRTUAL = re.compile(r"\bvirtual|\bvirtuel|\bvirtuell|\bvnc\b|\bvue\b")
"""Of spectral CT: contrast medium that was there, computed away. Its HU are none of an unenhanced scan."""

_NO_AGENT = (
    "", "no", "none", "without", "w/o", "unenhanced", "n/a", "na", "ohne", "nein", "sans", "aucun", "non",
    "sin", "ninguno", "senza", "nessuno", "sem", "nenhum", "zonder", "geen", "nee", "blanco",
)  # fmt: skip
_NO_AGENT_BEGINS = (
    "no ", "without ", "w/o ", "nativ", "ohne ", "kein", "sans ", "sin ", "senza ", "sem ", "zonder ",
    "geen ", "aucun ", "non ", "pas de ",
)  # fmt: skip
_BY_MOUTH = ("oral", "p.o.", "per os", "gastrografin", "barium", "rectal")
_INTO_VEIN = ("iv", "i.v.", "intraven", "omni", "ultra", "iome", "iopam", "iohex", "iodix", "visip", "isov")


def phase_in_words(description: Optional[str]) -> Optional[str]:
    """The contrast phase that a series description names, if it names exactly one.

    >>> phase_in_words("Abdomen portalvenös 3.0"), phase_in_words("art + pv")
    ('portal', None)
    """
    text = _plain(description)
    if _VIRTUAL.search(text):
        return None
    text = _LATE_ARTERIAL.sub(r"\2", text)
    found = [phase for phase, pattern in _PHASES if re.search(pattern, text)]
    if "unenhanced" not in found and contrast_in_words(description) is False:
        found.insert(0, "unenhanced")
    return found[0] if len(found) == 1 else None


def contrast_in_words(description: Optional[str]) -> Optional[bool]:
    """Whether a series description speaks of contrast medium: True, False, or None where it says neither or
    both.

    >>> contrast_in_words("ABDOMEN SANS IV"), contrast_in_words("Leber mit KM")
    (False, True)
    """
    text = _plain(description)
    if _VIRTUAL.search(text):
        return None
    without = bool(_WITHOUT.search(text))
    with_contrast = bool(_WITH.search(_WITHOUT.sub(" ", text)))  # "unenhanced" holds "enhanced"
    return None if without == with_contrast else with_contrast


def names_contrast_agent(text: Optional[str]) -> bool:
    """Tell whether the DICOM tag Contrast/Bolus Agent names one given into a vein.

    Empty tags, words for none and agents given by mouth alone do not count.
    """
    words = _plain(text).strip()
    if words in _NO_AGENT or words.startswith(_NO_AGENT_BEGINS):
        return False
    return not any(word in words for word in _BY_MOUTH) or any(word in words for word in _INTO_VEIN)


def contrast_in_header(agent: Optional[str], description: Optional[str]) -> Optional[bool]:
    """What a DICOM header says of contrast medium in the veins; None if nothing.

    Args:
        agent: the tag Contrast/Bolus Agent.
        description: the tag Series Description.
    """
    return True if names_contrast_agent(agent) else contrast_in_words(description)


def _plain(description: Optional[str]) -> str:
    """In lower case, without accents, words apart."""
    text = unicodedata.normalize("NFKD", (description or "").lower())
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return re.sub(r"[_^,;:()\[\]]+", " ", text)
