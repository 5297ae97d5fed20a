"""``model.json``: what a model is, how its networks want the image, and where it comes from.

A model is a folder with this file and one safetensors file per stage. A stage is one network applied once:
"locate" finds the organs at coarse spacing, "segment" draws them at fine spacing. The layout holds what the
three formats that liver models are published in need, so that their weights can be described by it
unchanged:

nnU-Net v2 (``plans.json``, ``dataset.json``, checkpoint)
    A configuration becomes a stage. ``architecture.network_class_name`` and ``arch_kwargs`` are plain JSON
    and become ``network.name`` and ``network.arguments``; the classes named inside stay text. ``patch_size``
    is (z, y, x) as here, ``spacing`` is (z, y, x) there and (x, y, z) here; where ``transpose_forward`` is
    not the identity, ``axes`` says in which order the network has them. "CTNormalization" is the scheme
    "ct-percentile" with ``percentile_00_5`` and ``percentile_99_5`` as ``clip``; "ZScoreNormalization" is
    "zscore". ``labels`` become ``output.channels``; region-based training is activation "sigmoid" with the
    channels in ``regions_class_order``. ``inference_allowed_mirroring_axes`` is ``mirror_axes``. Each fold
    of an ensemble is a stage of its own with the same ``task``.
TotalSegmentator (nnU-Net v2 underneath)
    As above, with ``orientation`` "RAS". Its groups of structures are stages, or only the one group that is
    needed is described. ``output.labels`` names "liver" and "spleen" out of a hundred channels; a channel
    that is not named there counts as background. Several channels may share a label: eight liver segments
    are one liver.
MONAI bundle (``metadata.json``, ``inference.json``)
    ``network_def._target_`` and its other entries are ``network``; ``channel_def`` of the output is
    ``output.channels`` as it stands, hence the channel numbers as keys. ``Orientationd`` is ``orientation``;
    MONAI's arrays are (x, y, z), so ``axes`` is "xyz". ``ScaleIntensityRanged`` is the scheme "window" with
    a_min and a_max as ``window``, b_min and b_max as ``scale``. ``intended_use``, ``references`` and
    ``eval_metrics`` are ``intended_use``, ``citation`` and ``accuracy``.

Keys that this version does not know are kept in ``extra`` of the object they stand in and written back.
"""

import json
import math
import os
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, NoReturn, Optional, Tuple, Union

from LiverSegLib.errors import ModelCorruptError, ModelVersionError
from LiverSegLib.labels import BACKGROUND, LABELS
from LiverSegLib.models.files import MAX_TEXT_BYTES, PathLike, read_within
from LiverSegLib.sentences import Sentence

FORMAT_VERSION = 1
"""Version of model.json that is written, and the newest that is read."""
MANIFEST_NAME = "model.json"
WEIGHTS_SUFFIX = ".safetensors"

LOCATE = "locate"
SEGMENT = "segment"
"""Tasks that LiverSeg's own pipeline performs; a manifest may name others."""

INTENSITY_SCHEMES = ("window", "ct-percentile", "zscore")
ACTIVATIONS = ("softmax", "sigmoid")

PHASES = ("unenhanced", "arterial", "portal", "late", "unknown")
"""Contrast phases that a manifest may tell apart."""
MAX_LESION_ML = 1000.0

MAX_STAGES = 32
MAX_CHANNELS = 1024
MAX_PATCH_EDGE = 4096
MAX_SPACING_MM = 100.0

MAX_DEPTH = 32
"""Deepest nesting of lists and objects: deeper ones could exhaust the stack of whoever walks them."""


class _Form(NamedTuple):
    """What a text must look like, for the machine and in words."""

    pattern: "re.Pattern[str]"
    words: str


_NAME = _Form(
    re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?"),
    "up to 64 letters, digits, dots, dashes and underscores",
)
_WEIGHTS_NAME = _Form(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.safetensors"),
    "a plain file name that ends with .safetensors",
)
_SHA256 = _Form(re.compile(r"[0-9a-f]{64}"), "64 lower-case hexadecimal digits")
_VERSION = _Form(
    re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?(?![0-9])[A-Za-z0-9.+-]{0,40}"),
    "a version such as 1.0.2",
)
_DIRECTIONS = {"L": 0, "R": 0, "P": 1, "A": 1, "S": 2, "I": 2}
_MAX_DIGITS = 18
_REQUIRED = object()

Triple = Tuple[float, float, float]
Pair = Tuple[float, float]


@dataclass(frozen=True)
class Network:
    """An architecture's name and the keyword arguments, plain JSON, that it is built with."""

    name: str
    arguments: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Intensity:
    """How HU become what the network sees.

    - "window": clip to ``window`` (HU), then map it linearly onto ``scale``.
    - "ct-percentile": clip to ``clip`` (HU), subtract ``mean``, divide by ``std`` (HU, of the training
    foreground).
    - "zscore": clip to ``clip`` if given, subtract the image's own mean, divide by its own standard
    deviation.

    What a scheme does not use is None.
    """

    scheme: str
    window: Optional[Pair] = None
    scale: Optional[Pair] = None
    clip: Optional[Pair] = None
    mean: Optional[float] = None
    std: Optional[float] = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """What the network's channels mean.

    With "softmax" a voxel belongs to its most probable channel; with "sigmoid" to the last channel, in their
    order, whose probability is at least one half, and to the background if there is none.

    ``channels`` are the names by channel number; ``labels`` maps channel names to the label values of
    :mod:`LiverSegLib.labels`. Channels that it leaves out count as background.
    """

    activation: str
    channels: Tuple[str, ...]
    labels: Mapping[str, int]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channel_labels(self) -> Tuple[int, ...]:
        """The label value of each channel, in channel order."""
        return tuple(self.labels.get(name, BACKGROUND) for name in self.channels)


@dataclass(frozen=True)
class Stage:
    """One network and how it wants the image.

    ``spacing`` is mm (x, y, z); ``patch`` is voxels (z, y, x), 1 along the axis that a 2-D network lacks;
    ``orientation`` names the directions in which the image's x, y and z grow ("LPS": to the patient's left,
    posterior, superior); ``axes`` is the order of the axes in the network's input; ``mirror_axes`` are the
    axes of (z, y, x), as 0 to 2, along which the network may be mirrored at test time. ``sha256`` is that of
    the whole weights file. ``task`` is the stage's name where it is not given.
    """

    name: str
    network: Network
    weights: str
    sha256: str
    spacing: Triple
    patch: Tuple[int, int, int]
    intensity: Intensity
    output: Output
    task: str = ""
    orientation: str = "LPS"
    axes: str = "zyx"
    mirror_axes: Tuple[int, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.task:
            object.__setattr__(self, "task", self.name)


@dataclass(frozen=True)
class TrainingData:
    """One data set that a model was trained on: how many cases of it, under which terms, and whom to cite."""

    name: str
    cases: int
    licence: str
    citation: str
    url: Optional[str] = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Accuracy:
    """What was measured, on which data: a table whose rows map a column's name to text, a number or None."""

    dataset: str
    table: Tuple[Mapping[str, Any], ...]
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """The whole of a ``model.json``.

    ``min_liverseg`` is the oldest LiverSeg that can run the model. ``minimum_lesion_ml`` holds, for contrast
    phases in which small lesions that the model draws are mostly wrong, the volume below which they are left
    out unless the user says otherwise.
    """

    name: str
    version: str
    description: str
    stages: Tuple[Stage, ...]
    licence: str
    citation: str = ""
    training_data: Tuple[TrainingData, ...] = ()
    accuracy: Optional[Accuracy] = None
    intended_use: str = ""
    limitations: str = ""
    min_liverseg: Optional[str] = None
    minimum_lesion_ml: Mapping[str, float] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
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

    def to_dict(self) -> Dict[str, Any]:
        """The manifest as plain JSON values; ``parse_manifest`` of its text gives an equal manifest."""
        return _without_none(
            {
                "format_version": self.format_version,
                "name": self.name,
                "version": self.version,
                "description": self.description,
                "min_liverseg": self.min_liverseg,
                "intended_use": self.intended_use,
                "limitations": self.limitations,
                "licence": self.licence,
                "citation": self.citation,
                "minimum_lesion_ml": dict(self.minimum_lesion_ml) or None,
                "stages": [_stage_dict(stage) for stage in self.stages],
                "training_data": [_training_data_dict(data) for data in self.training_data],
                "accuracy": None if self.accuracy is None else _accuracy_dict(self.accuracy),
            },
            self.extra,
        )

    def to_json(self) -> str:
        """The manifest as the text of a ``model.json``."""
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
    if len(text) > MAX_TEXT_BYTES:
        _refuse(f"it is longer than {MAX_TEXT_BYTES} bytes")
    try:
        if not isinstance(text, str):
            text = bytes(text).decode("utf-8")
        data = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_int=_short_integer,
            parse_float=_finite_number,
            parse_constant=_finite_number,
        )
        json.dumps(data, ensure_ascii=False).encode("utf-8")  # escapes can make text that no screen can show
    except UnicodeDecodeError as error:
        raise ModelCorruptError(Sentence("model.not-text"), str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ModelCorruptError(Sentence("model.not-json"), str(error)) from error
    _check_depth(data)
    return _parse_manifest(_Fields(data, ""))


def require_liverseg(manifest: Manifest, version: str) -> None:
    """Check that LiverSeg ``version`` is new enough for the model.

    Raises:
        ModelVersionError: the model asks for a newer one.
    """
    needed = manifest.min_liverseg
    if needed is not None and _release(version) < _release(needed):
        versions = {"needed": needed, "version": version}
        raise ModelVersionError(Sentence("model.needs-newer", name=manifest.name, **versions))


class _Fields:
    """A JSON object that is being taken apart: each field is taken once, checked, and named in errors."""

    def __init__(self, value: Any, where: str) -> None:
        self._where = where
        if not isinstance(value, dict):
            _refuse(f"{where or 'it'} must be an object")
        self._left: Dict[str, Any] = dict(value)

    def where(self, key: str) -> str:
        """The field's full name, as ``stages[0].network.name``."""
        return f"{self._where}.{key}" if self._where else key

    def refuse(self, key: str, rule: str, value: Any) -> NoReturn:
        """Raise the error that ``key`` must be what ``rule`` says."""
        _refuse(f"{self.where(key)} must be {rule}, not {_quoted(value)}")

    def take(self, key: str, default: Any = _REQUIRED) -> Any:
        """Any JSON value; a null counts as absent."""
        value = self._left.pop(key, None)
        if value is not None:
            return value
        if default is _REQUIRED:
            _refuse(f"{self.where(key)} is missing")
        return default

    # The readers of one kind of value each; a default is returned as it is.

    def text(self, key: str, default: Any = _REQUIRED, form: Optional[_Form] = None) -> Any:
        value = self.take(key, default)
        if value is default:
            return value
        if not isinstance(value, str) or (default is _REQUIRED and not value.strip()):
            self.refuse(key, "text", value)
        if form is not None and not form.pattern.fullmatch(value):
            self.refuse(key, form.words, value)
        return value

    def choice(self, key: str, choices: Tuple[str, ...], default: Any = _REQUIRED) -> str:
        value = self.take(key, default)
        if not isinstance(value, str) or value not in choices:
            self.refuse(key, f"one of {', '.join(choices)}", value)
        return value

    def number(self, key: str, default: Any = _REQUIRED, *, above: float = -math.inf) -> Any:
        value = self.take(key, default)
        if value is default:
            return value
        if not _is_number(value) or value <= above:
            self.refuse(key, "a number" if above == -math.inf else f"a number above {above:g}", value)
        return float(value)

    def whole(self, key: str, least: int) -> int:
        value = self.take(key)
        if type(value) is not int or value < least:
            self.refuse(key, f"a whole number of at least {least}", value)
        return value

    def interval(self, key: str, default: Any = _REQUIRED) -> Any:
        value = self.take(key, default)
        if value is default:
            return value
        if not _is_list(value, 2, _is_number) or not value[0] < value[1]:
            self.refuse(key, "two numbers, the lower first", value)
        return float(value[0]), float(value[1])

    def object(self, key: str) -> "_Fields":
        return _Fields(self.take(key), self.where(key))

    def plain_object(self, key: str) -> Dict[str, Any]:
        value = self.take(key)
        if not isinstance(value, dict):
            self.refuse(key, "an object", value)
        return value

    def objects(self, key: str, least: int, most: int) -> List["_Fields"]:
        value = self.take(key, [] if least == 0 else _REQUIRED)
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.refuse(key, f"a list of {least} to {most} objects", value)
        return [_Fields(item, f"{self.where(key)}[{index}]") for index, item in enumerate(value)]

    def extra(self) -> Dict[str, Any]:
        """What was not taken."""
        return self._left


def _parse_manifest(fields: _Fields) -> Manifest:
    format_version = fields.whole("format_version", 1)
    if format_version > FORMAT_VERSION:  # first of all: in a newer format every other field may have changed
        versions = {"format": format_version, "newest": FORMAT_VERSION}
        raise ModelVersionError(Sentence("model.newer-format", **versions))
    manifest = Manifest(
        format_version=format_version,
        name=fields.text("name", form=_NAME),
        version=fields.text("version", form=_VERSION),
        description=fields.text("description"),
        stages=tuple(_parse_stage(stage) for stage in fields.objects("stages", 1, MAX_STAGES)),
        licence=fields.text("licence"),
        citation=fields.text("citation", ""),
        training_data=tuple(_parse_training_data(data) for data in fields.objects("training_data", 0, 1000)),
        accuracy=_parse_accuracy(fields),
        intended_use=fields.text("intended_use", ""),
        limitations=fields.text("limitations", ""),
        min_liverseg=fields.text("min_liverseg", None, form=_VERSION),
        minimum_lesion_ml=_parse_minimum_lesion(fields),
        extra=fields.extra(),
    )
    _check_stages_together(manifest.stages)
    return manifest


def _parse_minimum_lesion(fields: _Fields) -> Dict[str, float]:
    value = fields.take("minimum_lesion_ml", {})
    known = isinstance(value, dict) and set(value) <= set(PHASES)
    if not known or not all(_is_number(size) and 0 <= size <= MAX_LESION_ML for size in value.values()):
        rule = f"an object of contrast phases ({', '.join(PHASES)}) and ml from 0 to {MAX_LESION_ML:g}"
        fields.refuse("minimum_lesion_ml", rule, value)
    return {phase: float(size) for phase, size in value.items()}


def _parse_stage(fields: _Fields) -> Stage:
    name = fields.text("name", form=_NAME)
    return Stage(
        name=name,
        task=fields.text("task", name, form=_NAME),
        network=_parse_network(fields.object("network")),
        weights=fields.text("weights", form=_WEIGHTS_NAME),
        sha256=fields.text("sha256", form=_SHA256),
        spacing=_parse_spacing(fields),
        patch=_parse_patch(fields),
        intensity=_parse_intensity(fields.object("intensity")),
        output=_parse_output(fields.object("output")),
        orientation=_parse_orientation(fields),
        axes=_parse_axes(fields),
        mirror_axes=_parse_mirror_axes(fields),
        extra=fields.extra(),
    )


def _parse_network(fields: _Fields) -> Network:
    return Network(fields.text("name"), fields.plain_object("arguments"), fields.extra())


def _parse_spacing(fields: _Fields) -> Triple:
    value = fields.take("spacing")
    if not _is_list(value, 3, lambda step: _is_number(step) and 0 < step <= MAX_SPACING_MM):
        fields.refuse(
            "spacing", f"three numbers (x, y, z) of mm, above 0 and up to {MAX_SPACING_MM:g}", value
        )
    return float(value[0]), float(value[1]), float(value[2])


def _parse_patch(fields: _Fields) -> Tuple[int, int, int]:
    value = fields.take("patch")
    if not _is_list(value, 3, lambda edge: type(edge) is int and 1 <= edge <= MAX_PATCH_EDGE):
        fields.refuse("patch", f"three whole numbers (z, y, x) from 1 to {MAX_PATCH_EDGE}", value)
    return value[0], value[1], value[2]


def _parse_orientation(fields: _Fields) -> str:
    value = fields.take("orientation", "LPS")
    known = isinstance(value, str) and len(value) == 3 and set(value) <= set(_DIRECTIONS)
    if not known or len({_DIRECTIONS[letter] for letter in value}) != 3:
        fields.refuse("orientation", "three directions such as LPS or RAS", value)
    return value


def _parse_axes(fields: _Fields) -> str:
    value = fields.take("axes", "zyx")
    if not isinstance(value, str) or sorted(value) != ["x", "y", "z"]:
        fields.refuse("axes", "x, y and z in some order, such as zyx", value)
    return value


def _parse_mirror_axes(fields: _Fields) -> Tuple[int, ...]:
    value = fields.take("mirror_axes", [])
    axes = _is_list(value, None, lambda axis: type(axis) is int and 0 <= axis <= 2)
    if not axes or len(set(value)) != len(value):
        fields.refuse("mirror_axes", "a list of different axes from 0 (z) to 2 (x)", value)
    return tuple(value)


def _parse_intensity(fields: _Fields) -> Intensity:
    scheme = fields.choice("scheme", INTENSITY_SCHEMES)
    if scheme == "window":
        return Intensity(
            scheme,
            window=fields.interval("window"),
            scale=fields.interval("scale", (0.0, 1.0)),
            extra=fields.extra(),
        )
    if scheme == "ct-percentile":
        return Intensity(
            scheme,
            clip=fields.interval("clip"),
            mean=fields.number("mean"),
            std=fields.number("std", above=0.0),
            extra=fields.extra(),
        )
    return Intensity(scheme, clip=fields.interval("clip", None), extra=fields.extra())


def _parse_output(fields: _Fields) -> Output:
    activation = fields.choice("activation", ACTIVATIONS)
    channels = fields.plain_object("channels")
    names = [channels.get(str(number)) for number in range(len(channels))]
    if not 1 <= len(names) <= MAX_CHANNELS or not all(isinstance(name, str) and name for name in names):
        fields.refuse("channels", 'names by channel number without a gap, as {"0": "background"}', channels)
    if len(set(names)) != len(names):
        fields.refuse("channels", "names that differ", channels)
    labels = fields.plain_object("labels")
    allowed = (BACKGROUND, *LABELS)
    for name, value in labels.items():
        if name not in names:
            fields.refuse("labels", f"names out of the channels {names}", name)
        if type(value) is not int or value not in allowed:
            fields.refuse(f"labels.{name}", f"one of LiverSeg's labels {allowed}", value)
    if not any(labels.values()):
        fields.refuse("labels", "a mapping of at least one channel to a LiverSeg label", labels)
    return Output(activation, tuple(names), labels, fields.extra())


def _parse_training_data(fields: _Fields) -> TrainingData:
    return TrainingData(
        name=fields.text("name"),
        cases=fields.whole("cases", 0),
        licence=fields.text("licence"),
        citation=fields.text("citation"),
        url=fields.text("url", None),
        extra=fields.extra(),
    )


def _parse_accuracy(fields: _Fields) -> Optional[Accuracy]:
    value = fields.take("accuracy", None)
    if value is None:
        return None
    inner = _Fields(value, fields.where("accuracy"))
    dataset, table = inner.text("dataset"), inner.take("table")
    if not _is_list(table, None, lambda row: isinstance(row, dict) and all(map(_is_cell, row.values()))):
        inner.refuse("table", "a list of rows that map columns to text or numbers", table)
    return Accuracy(dataset, tuple(table), inner.extra())


def _check_stages_together(stages: Tuple[Stage, ...]) -> None:
    hashes: Dict[str, str] = {}
    names = set()
    for index, stage in enumerate(stages):
        if stage.name in names:
            _refuse(f"stages[{index}].name is {_quoted(stage.name)} like another stage's")
        names.add(stage.name)
        if hashes.setdefault(stage.weights.lower(), stage.sha256) != stage.sha256:
            _refuse(f"stages[{index}].sha256 contradicts another stage's for the same weights file")


def _stage_dict(stage: Stage) -> Dict[str, Any]:
    return _without_none(
        {
            "name": stage.name,
            "task": stage.task,
            "network": {
                "name": stage.network.name,
                "arguments": _plain(stage.network.arguments),
                **_plain(stage.network.extra),
            },
            "weights": stage.weights,
            "sha256": stage.sha256,
            "spacing": list(stage.spacing),
            "patch": list(stage.patch),
            "orientation": stage.orientation,
            "axes": stage.axes,
            "intensity": _intensity_dict(stage.intensity),
            "output": {
                "activation": stage.output.activation,
                "channels": {str(number): name for number, name in enumerate(stage.output.channels)},
                "labels": dict(stage.output.labels),
                **_plain(stage.output.extra),
            },
            "mirror_axes": list(stage.mirror_axes),
        },
        stage.extra,
    )


def _intensity_dict(intensity: Intensity) -> Dict[str, Any]:
    return _without_none(
        {
            "scheme": intensity.scheme,
            "window": intensity.window and list(intensity.window),
            "scale": intensity.scale and list(intensity.scale),
            "clip": intensity.clip and list(intensity.clip),
            "mean": intensity.mean,
            "std": intensity.std,
        },
        intensity.extra,
    )


def _training_data_dict(data: TrainingData) -> Dict[str, Any]:
    known = {
        "name": data.name,
        "cases": data.cases,
        "licence": data.licence,
        "citation": data.citation,
        "url": data.url,
    }
    return _without_none(known, data.extra)


def _accuracy_dict(accuracy: Accuracy) -> Dict[str, Any]:
    return {
        "dataset": accuracy.dataset,
        "table": [dict(row) for row in accuracy.table],
        **_plain(accuracy.extra),
    }


def _without_none(known: Mapping[str, Any], extra: Mapping[str, Any]) -> Dict[str, Any]:
    return {**{key: value for key, value in known.items() if value is not None}, **_plain(extra)}


def _plain(value: Any) -> Any:
    """A copy with JSON's own types, so that an argument given as a tuple equals the list that is read
    back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _is_list(value: Any, length: Optional[int], check: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and length in (None, len(value)) and all(check(item) for item in value)


def _is_number(value: Any) -> bool:
    """A finite number; bool is an int to Python, not to JSON."""
    return type(value) in (int, float) and math.isfinite(value)


def _is_cell(value: Any) -> bool:
    return value is None or isinstance(value, (str, bool, int, float))


def _release(version: str) -> Tuple[int, int, int]:
    """The numbers of "1.2.3" or "1.2.dev0"; what follows them does not count."""
    match = _VERSION.pattern.fullmatch(version)
    if match is None:
        return (0, 0, 0)
    major, minor, patch = (int(part or 0) for part in match.groups())
    return major, minor, patch


def _unique_keys(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    result: Dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            _refuse(f"it names {_quoted(key)} twice")
        result[key] = value
    return result


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _contents(item)]
    if level:
        _refuse(f"it is nested more than {MAX_DEPTH} deep")


def _contents(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _short_integer(digits: str) -> int:
    """Convert an integer of reasonable length: a million digits would take Python 3.9 seconds."""
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        _refuse("it holds an integer of more than 18 digits")
    return int(digits)


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse(f"it holds {_quoted(text)}, which is no finite number")
    return value


def _quoted(value: Any) -> str:
    """``value`` as it can be printed anywhere, cut to a length that a sentence can bear."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _refuse(reason: str) -> NoReturn:
    raise ModelCorruptError(Sentence("model.description", reason=reason))
