"""Names of ROIs: "L1" in tables, files and reports, "Liver ROI 1" as a node, where other modules list it."""

import re

from slicer.i18n import tr as _

from LiverSegLib.steatosis.roi import LIVER_KEY, SPLEEN_KEY

_PREFIXES = {LIVER_KEY: "Liver ROI", SPLEEN_KEY: "Spleen ROI"}
_LETTERS = {LIVER_KEY: "L", SPLEEN_KEY: "S"}


def nodeName(shortName: str) -> str:
    """Return the name of the node of an ROI: "Liver ROI 1" for "L1"; another name stays as it is."""
    for organ, letter in _LETTERS.items():
        if re.fullmatch(rf"{letter}\d+", shortName):
            return f"{_prefixes()[organ]} {shortName[1:]}"
    return shortName


def shortName(name: str) -> str:
    """Return the name of an ROI for tables: "L1" for the node "Liver ROI 1"; one that the user gave stays."""
    for organ, letter in _LETTERS.items():
        for prefix in (_prefixes()[organ], _PREFIXES[organ]):  # the scene may come from another language
            match = re.fullmatch(rf"{re.escape(prefix)} (\d+)", name)
            if match is not None:
                return letter + match.group(1)
    return name


def _prefixes() -> "dict[str, str]":
    return {LIVER_KEY: _("Liver ROI"), SPLEEN_KEY: _("Spleen ROI")}
