"""``model.json``: what a model is, how its networks want the image, and where it comes from.

A model is a folder with this file and one safetensors file per stage. A stage is one network applied once:
"locate" finds the organs at coarse spacing, "segment" draws them at fine spacing. What is accepted here is
what ``inference`` does; a model that asks for more is refused instead of being run wrongly.

Keys that this version does not know are kept in ``extra`` of the object they stand in and written back.
"""

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from LiverSegLib.errors import ModelVersionError
from LiverSegLib.labels import BACKGROUND, LABELS
from LiverSegLib.models.fields import (
    INTERVAL,
    NUMBER,
    OBJECT,
    TEXT,
    TEXT_OR_NOTHING,
    JsonObject,
    Rule,
    is_list,
    is_number,
    numbers,
    objects,
    one_of,
    read_json,
    refuse,
    ruled,
    spelt,
    whole,
)
from LiverSegLib.models.files import MAX_TEXT_BYTES, PathLike, quoted, read_within
from LiverSegLib.sentences import Sentence

FORMAT_VERSION = 1
"""Version of model.json that is written, and the newest that is read."""
MANIFEST_NAME = "model.json"

STAGES = ("locate", "segment")
"""What a model may have: a coarse network that locates, and the fine one."""
SCHEMES = {"window": ("window", "scale"), "ct-percentile": ("clip", "mean", "std"), "zscore": ("clip",)}
"""Intensity scheme -> the fields that it uses."""
ONLY = {"orientation": "LPS", "axes": "zyx"}
"""What a stage may state, and the one value of it that LiverSeg runs."""

PHASES = ("unenhanced", "arterial", "portal", "late", "unknown")
"""Contrast phases that a manifest may tell apart."""
MAX_LESION_ML = 1000.0
MAX_CHANNELS = 1024
MAX_PATCH_EDGE = 4096
MAX_SPACING_MM = 100.0

_VERSION_PATTERN = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?(?![0-9])[A-Za-z0-9.+-]{0,40}")
NAME = spelt(
    re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?"),
    "up to 64 letters, digits, dots, dashes and underscores",
)
WEIGHTS_NAME = spelt(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors"),
    "a plain file name that ends with .safetensors",
)
SHA256 = spelt(re.compile(r"[0-9a-f]{64}"), "64 lower-case hexadecimal digits")
VERSION = spelt(_VERSION_PATTERN, "a version such as 1.0.2")
ABOVE_ZERO = Rule("a number above 0", lambda value: is_number(value) and value > 0)
SPACING = Rule(
    f"three numbers (x, y, z) of mm, above 0 and up to {MAX_SPACING_MM:g}",
    lambda value: is_list(value, lambda step: is_number(step) and 0 < step <= MAX_SPACING_MM, 3),
)
PATCH = Rule(
    f"three whole numbers (z, y, x) from 1 to {MAX_PATCH_EDGE}",
    lambda value: is_list(value, lambda edge: type(edge) is int and 1 <= edge <= MAX_PATCH_EDGE, 3),
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
        1 <= len(value) <= MAX_CHANNELS and all(isinstance(name, str) and name for name in _by_number(value))
    ),
)
DIFFERENT = Rule("names that differ", lambda value: len(set(value.values())) == len(value))
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


def _by_number(channels: Mapping[str, Any]) -> Tuple[Any, ...]:
    return tuple(channels.get(str(number)) for number in range(len(channels)))


def _is_cell(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool, int, float))


@dataclass(frozen=True)
class Network(JsonObject):
    """An architecture's name and the keyword arguments, plain JSON, that it is built with."""

    name: str = ruled(TEXT)
    arguments: Mapping[str, Any] = ruled(OBJECT)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Intensity(JsonObject):
    """How HU become what the network sees.

    - "window": clip to ``window`` (HU), then map it linearly onto ``scale``.
    - "ct-percentile": clip to ``clip`` (HU), subtract ``mean``, divide by ``std`` (HU, of the training
      foreground).
    - "zscore": clip to ``clip`` if given, subtract the image's own mean, divide by its own standard
      deviation.

    ``scale`` is 0 to 1 if not given. What a scheme does not use is None, and refused in a manifest.
    """

    scheme: str = ruled(one_of(*SCHEMES))
    window: Optional[Pair] = ruled(INTERVAL, read=numbers, default=None)
    scale: Optional[Pair] = ruled(INTERVAL, read=numbers, default=None)
    clip: Optional[Pair] = ruled(INTERVAL, read=numbers, default=None)
    mean: Optional[float] = ruled(NUMBER, read=float, default=None)
    std: Optional[float] = ruled(ABOVE_ZERO, read=float, default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheme == "window" and self.scale is None:
            object.__setattr__(self, "scale", (0.0, 1.0))

    def check(self, where: str) -> None:
        """Every field of the scheme is there, where only "zscore" can do without, and no other."""
        used = SCHEMES[self.scheme]
        for name in () if self.scheme == "zscore" else used:
            if getattr(self, name) is None:
                refuse(f"{where}.{name} is missing")
        for name in sorted({name for names in SCHEMES.values() for name in names} - set(used)):
            if getattr(self, name) is not None:
                refuse(f"{where}.{name} is nothing that the scheme {self.scheme} uses")


@dataclass(frozen=True)
class Output(JsonObject):
    """What the network's channels mean.

    With "softmax" a voxel belongs to its most probable channel; with "sigmoid" to the last channel, in their
    order, whose probability is at least one half, and to the background if there is none.

    ``channels`` are the names by channel number; ``labels`` maps channel names to the label values of
    :mod:`LiverSegLib.labels`. Channels that it leaves out count as background.
    """

    activation: str = ruled(one_of("softmax", "sigmoid"))
    channels: Tuple[str, ...] = ruled(
        OBJECT,
        NUMBERED,
        DIFFERENT,
        read=_by_number,
        write=lambda names: {str(number): name for number, name in enumerate(names)},
    )
    labels: Mapping[str, int] = ruled(OBJECT)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channel_labels(self) -> Tuple[int, ...]:
        """The label value of each channel, in channel order."""
        return tuple(self.labels.get(name, BACKGROUND) for name in self.channels)

    def check(self, where: str) -> None:
        """Labels are LiverSeg's, of channels that there are."""
        allowed = (BACKGROUND, *LABELS)
        for name, value in self.labels.items():
            if name not in self.channels:
                names = list(self.channels)
                refuse(f"{where}.labels must be names out of the channels {names}, not {quoted(name)}")
            if type(value) is not int or value not in allowed:
                refuse(
                    f"{where}.labels.{name} must be one of LiverSeg's labels {allowed}, not {quoted(value)}"
                )
        if not any(self.labels.values()):
            refuse(f"{where}.labels must be a mapping of at least one channel to a LiverSeg label")


@dataclass(frozen=True)
class Stage(JsonObject):
    """One network and how it wants the image.

    ``spacing`` is mm (x, y, z); ``patch`` is voxels (z, y, x); ``mirror_axes`` are the axes of (z, y, x), as
    0 to 2, along which the network may be mirrored at test time. ``sha256`` is that of the whole weights
    file.
    """

    name: str = ruled(TEXT, one_of(*STAGES))
    network: Network = ruled(of=Network)
    weights: str = ruled(TEXT, WEIGHTS_NAME)
    sha256: str = ruled(TEXT, SHA256)
    spacing: Triple = ruled(SPACING, read=numbers)
    patch: Tuple[int, int, int] = ruled(PATCH, read=tuple)
    intensity: Intensity = ruled(of=Intensity)
    output: Output = ruled(of=Output)
    mirror_axes: Tuple[int, ...] = ruled(MIRROR_AXES, read=tuple, default=())
    extra: Mapping[str, Any] = field(default_factory=dict)

    def check(self, where: str) -> None:
        """The image is given to every network in one orientation."""
        for key, only in ONLY.items():
            value = self.extra.get(key)
            if value not in (None, only):
                refuse(f"{where}.{key} must be {only}, which LiverSeg can run, not {quoted(value)}")


@dataclass(frozen=True)
class TrainingData(JsonObject):
    """One data set that a model was trained on: how many cases of it, under which terms, and whom to cite."""

    name: str = ruled(TEXT)
    cases: int = ruled(whole(0))
    licence: str = ruled(TEXT)
    citation: str = ruled(TEXT)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Accuracy(JsonObject):
    """What was measured, on which data: a table whose rows map a column's name to text, a number or None."""

    dataset: str = ruled(TEXT)
    table: Tuple[Mapping[str, Any], ...] = ruled(TABLE, read=tuple)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest(JsonObject):
    """The whole of a ``model.json``.

    ``min_liverseg`` is the oldest LiverSeg that can run the model. ``minimum_lesion_ml`` holds, for contrast
    phases in which small lesions that the model draws are mostly wrong, the volume below which they are left
    out unless the user says otherwise.
    """

    name: str = ruled(TEXT, NAME)
    version: str = ruled(TEXT, VERSION)
    description: str = ruled(TEXT)
    stages: Tuple[Stage, ...] = ruled(objects(1, len(STAGES)), of=Stage)
    licence: str = ruled(TEXT)
    citation: str = ruled(TEXT_OR_NOTHING, default="")
    training_data: Tuple[TrainingData, ...] = ruled(objects(0, 1000), of=TrainingData, default=())
    accuracy: Optional[Accuracy] = ruled(of=Accuracy, default=None)
    intended_use: str = ruled(TEXT_OR_NOTHING, default="")
    limitations: str = ruled(TEXT_OR_NOTHING, default="")
    min_liverseg: Optional[str] = ruled(TEXT_OR_NOTHING, VERSION, default=None)
    minimum_lesion_ml: Mapping[str, float] = ruled(
        LESIONS, read=lambda sizes: {phase: float(ml) for phase, ml in sizes.items()}, default_factory=dict
    )
    format_version: int = ruled(whole(1), default=FORMAT_VERSION)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def stage(self, name: str) -> Stage:
        """The stage called ``name``.

        Raises:
            KeyError: there is none; the message lists those there are.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(
            f"no stage {name!r} in the model {self.name!r}; available: {[s.name for s in self.stages]}"
        )

    def check(self, where: str) -> None:
        """Stages differ by name, and agree on the weights that they share."""
        hashes: Dict[str, str] = {}
        for index, stage in enumerate(self.stages):
            if stage.name in [earlier.name for earlier in self.stages[:index]]:
                refuse(f"stages[{index}].name is {quoted(stage.name)} like another stage's")
            if hashes.setdefault(stage.weights.lower(), stage.sha256) != stage.sha256:
                refuse(f"stages[{index}].sha256 contradicts another stage's for the same weights file")

    def to_json(self) -> str:
        """The manifest as the text of a ``model.json``; :func:`parse_manifest` of it gives an equal one."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_manifest(folder: PathLike) -> Manifest:
    """Read ``model.json`` in ``folder``.

    Raises:
        ModelCorruptError: the file is missing, unreadable or not valid; the sentence names the field.
        ModelVersionError: it is in a newer format.
    """
    path = os.path.join(os.fspath(folder), MANIFEST_NAME)
    return parse_manifest(read_within(path, MAX_TEXT_BYTES))


def parse_manifest(text: Union[str, bytes, bytearray]) -> Manifest:
    """Read and check the text of a ``model.json``.

    Raises:
        ModelCorruptError: not JSON, or a field is missing or wrong; the sentence names the field.
        ModelVersionError: the text is in a newer format.
    """
    data = read_json(text)
    version = data.get("format_version") if isinstance(data, dict) else None
    if isinstance(data, dict) and version is None:
        refuse("format_version is missing")
    if type(version) is int and version > FORMAT_VERSION:  # then every other field may have changed
        versions = {"format": version, "newest": FORMAT_VERSION}
        raise ModelVersionError(Sentence("model.newer-format", **versions))
    return Manifest.read(data, "")


def require_liverseg(manifest: Manifest, version: str) -> None:
    """Check that LiverSeg ``version`` is new enough for the model.

    Raises:
        ModelVersionError: the model asks for a newer one.
    """
    needed = manifest.min_liverseg
    if needed is not None and _release(version) < _release(needed):
        versions = {"needed": needed, "version": version}
        raise ModelVersionError(Sentence("model.needs-newer", name=manifest.name, **versions))


def _release(version: str) -> Tuple[int, ...]:
    """The numbers of "1.2.3" or "1.2.dev0"; what follows them does not count."""
    match = _VERSION_PATTERN.fullmatch(version)
    return (0, 0, 0) if match is None else tuple(int(part or 0) for part in match.groups())
