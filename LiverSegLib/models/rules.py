"""What the values in a model.json may be: names, limits, and the rules of :mod:`fields` made of them."""

import re
from typing import Any, Dict, Mapping, Tuple

from LiverSegLib.labels import LABELS
from LiverSegLib.models.fields import Rule, is_list, is_number, spelt

LIVERSEG, NNUNET, MONAI, LABORATORY = "liverseg", "nnunet", "monai", "laboratory"
PIPELINES = (LIVERSEG, NNUNET, MONAI, LABORATORY)
"""Whose way from a scan to labels a model was trained for; "laboratory": one of LiverSeg's own recipes."""
PARTS = tuple(f"part{number}" for number in range(1, 10))
"""Networks side by side, each for some of the structures (TotalSegmentator); where two claim a voxel, the
later one has it."""
SEGMENT, LESION_STAGE = "segment", "lesions"
STAGES = ("locate", "lowres", SEGMENT, LESION_STAGE, *PARTS)
"""What a model may have: a coarse network that locates; nnU-Net's low resolution, whose labels are input of
the fine network; the fine network, or in its place some of PARTS; a network that looks for lesions in the
liver of the fine one."""
CT = "CT"
MODALITIES = (CT, "MR", "other")
"""What kind of images a model is for."""
SCHEMES: Dict[str, Tuple[str, ...]] = {
    "window": ("window", "scale"), "ct-percentile": ("clip", "mean", "std"), "zscore": ("clip", "nonzero"),
    "none": (),
}  # fmt: skip
"""Intensity scheme -> the fields that it uses."""
ORIENTATIONS = ("LPS", "RAS", "stored")
"""The directions in which the axes x, y, z of the network's image run; "stored": as the file has them."""
AXES = ("zyx", "zxy", "yzx", "yxz", "xzy", "xyz")
"""Orders of the network's axes: "yzx" has y first. Patch and mirror axes are in that order."""

PHASES = ("unenhanced", "arterial", "portal", "late", "unknown")
"""Contrast phases that a manifest may tell apart."""
MAX_LESION_ML = 1000.0
MAX_CHANNELS = 1024
MAX_PATCH_EDGE = 4096
MAX_SPACING_MM = 100.0

VERSION_PATTERN = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?(?![0-9])[A-Za-z0-9.+-]{0,40}")
NAME = spelt(
    re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?"),
    "up to 64 letters, digits, dots, dashes and underscores",
)
GRAPH_NAME = spelt(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.onnx"), "a plain file name that ends with .onnx"
)
WEIGHTS_NAME = spelt(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors"),
    "a plain file name that ends with .safetensors",
)
SHA256 = spelt(re.compile(r"[0-9a-f]{64}"), "64 lower-case hexadecimal digits")
VERSION = spelt(VERSION_PATTERN, "a version such as 1.0.2")
ABOVE_ZERO = Rule("a number above 0", lambda value: is_number(value) and value > 0)
SPACING = Rule(
    f"three numbers (x, y, z) of mm, above 0 and up to {MAX_SPACING_MM:g}",
    lambda value: is_list(value, lambda step: is_number(step) and 0 < step <= MAX_SPACING_MM, 3),
)
PATCH = Rule(
    f"two or three whole numbers (z, y, x) from 1 to {MAX_PATCH_EDGE}",
    lambda value: is_list(value, lambda edge: type(edge) is int and 1 <= edge <= MAX_PATCH_EDGE, 2, 3),
)
MIRROR_AXES = Rule(
    "a list of different axes from 0 (z) to 2 (x)",
    lambda value: (
        is_list(value, lambda axis: type(axis) is int and 0 <= axis <= 2) and len(set(value)) == len(value)
    ),
)
NUMBERED = Rule(
    'names by channel number without a gap, as {"0": "background"}',
    lambda value: (
        1 <= len(value) <= MAX_CHANNELS and all(isinstance(name, str) and name for name in by_number(value))
    ),
)
DIFFERENT = Rule("names that differ", lambda value: len(set(value.values())) == len(value))
LABEL_VALUES = Rule(
    f"a list of whole numbers from 0 to {MAX_CHANNELS}",
    lambda value: is_list(value, lambda item: type(item) is int and 0 <= item <= MAX_CHANNELS),
)
LABEL_OF_REGION = Rule(
    f"one of LiverSeg's labels {tuple(LABELS)}", lambda value: type(value) is int and value in LABELS
)
MARGIN = Rule("a number of mm from 0 to 500", lambda value: is_number(value) and 0 <= value <= 500)
ORDER = Rule("a whole number from 0 to 5", lambda value: type(value) is int and 0 <= value <= 5)
TILE_STEP = Rule("a number above 0 and up to 1", lambda value: is_number(value) and 0 < value <= 1)
YES_OR_NO = Rule("true or false", lambda value: isinstance(value, bool))
TABLE = Rule(
    "a list of rows that map columns to text or numbers",
    lambda value: is_list(value, lambda row: isinstance(row, dict) and all(map(_is_cell, row.values()))),
)
LESIONS = Rule(
    f"an object of contrast phases ({', '.join(PHASES)}) and ml from 0 to {MAX_LESION_ML:g}",
    lambda value: (
        isinstance(value, dict)
        and set(value) <= set(PHASES)
        and all(is_number(size) and 0 <= size <= MAX_LESION_ML for size in value.values())
    ),
)

Triple = Tuple[float, float, float]
Pair = Tuple[float, float]


def by_number(channels: Mapping[str, Any]) -> Tuple[Any, ...]:
    return tuple(channels.get(str(number)) for number in range(len(channels)))


def _is_cell(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool, int, float))
