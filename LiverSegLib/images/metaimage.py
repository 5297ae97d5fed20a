"""Is a MetaImage (.mha, .mhd) complete? Older ITK reads a truncated one without a word."""

import os
from typing import Dict, Optional, Tuple

from ..errors import UnreadableImageError
from ..sentences import Sentence

_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
_HEADER_LIMIT = 1 << 16


def check_complete(path: str, data_path: str) -> None:
    """Compare the size of the voxel data with what the header promises.

    Args:
        path: The .mha or .mhd file.
        data_path: The file that holds the voxels, ``path`` itself for .mha.

    Raises:
        UnreadableImageError: There is less data than promised, or the header cannot be understood.
    """
    fields, header_bytes = _header(path)
    try:
        expected = _expected_bytes(fields)
        skipped = int(fields.get("HEADERSIZE", "0"))
    except (KeyError, ValueError) as error:
        text = Sentence("read.damaged-header", name=os.path.basename(path))
        raise UnreadableImageError(text, repr(error)) from error
    if expected is None or fields.get("ELEMENTDATAFILE", "").upper().startswith("LIST") or "%" in data_path:
        return  # a list of files, or compressed data of unstated length: left to ITK
    start = header_bytes if os.path.samefile(path, data_path) else max(0, skipped)
    if os.path.getsize(data_path) - start < expected:
        raise UnreadableImageError(Sentence("read.incomplete-voxels", name=os.path.basename(data_path)))


def _header(path: str) -> Tuple[Dict[str, str], int]:
    """Fields by upper-case name, and where the header ends."""
    fields: Dict[str, str] = {}
    end = 0
    with open(path, "rb") as file:
        block = file.read(_HEADER_LIMIT)
    for line in block.splitlines(keepends=True):
        end += len(line)
        key, _, value = line.decode("latin-1").partition("=")
        fields[key.strip().upper()] = value.strip()
        if key.strip().upper() == "ELEMENTDATAFILE":
            break
    return fields, end


def _expected_bytes(fields: Dict[str, str]) -> Optional[int]:
    if fields.get("COMPRESSEDDATA", "False").upper() == "TRUE":
        size = fields.get("COMPRESSEDDATASIZE")
        return int(size) if size else None
    count = int(fields.get("ELEMENTNUMBEROFCHANNELS", "1"))
    for value in fields["DIMSIZE"].split():
        count *= int(value)
    kind = fields["ELEMENTTYPE"].upper().replace("MET_", "").replace("_ARRAY", "")
    kind = kind[1:] if kind.startswith("U") else kind
    return count * _BYTES[kind]
