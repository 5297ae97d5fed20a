"""One network of a model: its architecture, weights, how it wants the image and what its channels mean."""

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from LiverSegLib.labels import BACKGROUND, LABELS, TUMOUR
from LiverSegLib.models.fields import (
    INTERVAL,
    NUMBER,
    OBJECT,
    TEXT,
    JsonObject,
    numbers,
    objects,
    one_of,
    refuse,
    ruled,
)
from LiverSegLib.models.files import quoted
from LiverSegLib.models.rules import (
    ABOVE_ZERO,
    AXES,
    DIFFERENT,
    GRAPH_NAME,
    LABEL_OF_REGION,
    LABEL_VALUES,
    LESION_STAGE,
    LIVERSEG,
    MARGIN,
    MIRROR_AXES,
    NUMBERED,
    ORDER,
    ORIENTATIONS,
    PARTS,
    PATCH,
    SCHEMES,
    SHA256,
    SPACING,
    STAGES,
    TILE_STEP,
    WEIGHTS_NAME,
    YES_OR_NO,
    Pair,
    Triple,
    by_number,
)


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
      deviation; with ``nonzero`` those of the voxels that are not 0 in the scan, and the others stay 0.
    - "none": as they are.

    ``scale`` is 0 to 1 if not given. What a scheme does not use is None, and refused in a manifest.
    """

    scheme: str = ruled(one_of(*SCHEMES))
    window: Optional[Pair] = ruled(INTERVAL, read=numbers, default=None)
    scale: Optional[Pair] = ruled(INTERVAL, read=numbers, default=None)
    clip: Optional[Pair] = ruled(INTERVAL, read=numbers, default=None)
    mean: Optional[float] = ruled(NUMBER, read=float, default=None)
    std: Optional[float] = ruled(ABOVE_ZERO, read=float, default=None)
    nonzero: Optional[bool] = ruled(YES_OR_NO, default=None)
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
    :mod:`LiverSegLib.labels`. Channels that it leaves out are structures of their own in models of other
    programs (see ``values``), else background.

    ``values`` are the model's own label value of each channel, as its program writes them; the channel number
    if not given. Channels of nnU-Net's regions ("sigmoid" of a model of other programs) have no background
    among them.
    """

    activation: str = ruled(one_of("softmax", "sigmoid"))
    channels: Tuple[str, ...] = ruled(
        OBJECT,
        NUMBERED,
        DIFFERENT,
        read=by_number,
        write=lambda names: {str(number): name for number, name in enumerate(names)},
    )
    labels: Mapping[str, int] = ruled(OBJECT)
    values: Optional[Tuple[int, ...]] = ruled(LABEL_VALUES, read=tuple, default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own_values(self) -> Tuple[int, ...]:
        """The model's own label value of each channel, in channel order."""
        return tuple(range(len(self.channels))) if self.values is None else self.values

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
        if self.values is not None and len(self.values) != len(self.channels):
            refuse(f"{where}.values must be as many as the channels, {len(self.channels)}")


@dataclass(frozen=True)
class Graph(JsonObject):
    """A network with its weights as an ONNX file, for engines other than PyTorch."""

    file: str = ruled(TEXT, GRAPH_NAME)
    sha256: str = ruled(TEXT, SHA256)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fold(JsonObject):
    """Further weights of the same network, trained on another part of the cases; all are averaged."""

    weights: str = ruled(TEXT, WEIGHTS_NAME)
    sha256: str = ruled(TEXT, SHA256)
    graph: Optional[Graph] = ruled(of=Graph, default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FirstResampling(JsonObject):
    """What TotalSegmentator does to a scan before nnU-Net has it, and to the labels afterwards.

    The scan, its axes as ``Stage.orientation`` says, is resampled to ``spacing`` (mm, x, y, z) with a spline
    of ``order``, the first and the last voxel of each axis staying where they are (scipy.ndimage.zoom), and
    cut to whole numbers if ``whole_numbers``. nnU-Net sees that as the scan. The labels go back by the
    nearest voxel, on the same grid of corners.
    """

    spacing: Triple = ruled(SPACING, read=numbers)
    order: int = ruled(ORDER, default=1)
    whole_numbers: bool = ruled(YES_OR_NO, default=True)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Region(JsonObject):
    """The part of a scan that a model was trained on: the box of an organ of LiverSeg's, and a margin around
    it.

    ``label`` is the value of the organ in :mod:`LiverSegLib.labels`, ``margin_mm`` is added on every side,
    before anything is resampled.
    """

    label: int = ruled(LABEL_OF_REGION)
    margin_mm: float = ruled(MARGIN, read=float, default=10.0)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparation(JsonObject):
    """How another program makes the network's image of a scan, and labels of its output.

    Attributes:
        crop: "nonzero" cuts to the box of voxels that are not 0; "none" does not.
        image_order: order of the spline that resamples the image, 0 to 5; ``image_order_z`` along the axis of
            thick slices, where that is resampled by itself.
        scores_order, scores_order_z: the same for the class scores, on their way back to the scan's grid.
        separate_z: whether the axis of thick slices is resampled by itself; None: where the spacing along it
            is more than ``anisotropy`` times that of the others.
        keep_spacing: which of the scan's own spacings stays: "no", "z" (along the network's first axis, as
            networks of two dimensions need it), "all".
        tile_step: distance of tiles, as a share of their size.
        blend: weight of a tile's voxels: "gaussian", or "constant".
        first: what is done to the scan before all this; None where the scan itself is the beginning.
        region: the part of the scan that the network sees; None for the whole scan.
    """

    crop: str = ruled(one_of("none", "nonzero"), default="none")
    image_order: int = ruled(ORDER, default=3)
    image_order_z: int = ruled(ORDER, default=0)
    scores_order: int = ruled(ORDER, default=1)
    scores_order_z: int = ruled(ORDER, default=0)
    separate_z: Optional[bool] = ruled(YES_OR_NO, default=None)
    anisotropy: float = ruled(ABOVE_ZERO, read=float, default=3.0)
    keep_spacing: str = ruled(one_of("no", "z", "all"), default="no")
    tile_step: float = ruled(TILE_STEP, read=float, default=0.5)
    blend: str = ruled(one_of("gaussian", "constant"), default="gaussian")
    first: Optional[FirstResampling] = ruled(of=FirstResampling, default=None)
    region: Optional[Region] = ruled(of=Region, default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage(JsonObject):
    """One network and how it wants the image.

    ``spacing`` is mm (x, y, z); ``patch`` is voxels (z, y, x), or (y, x) of a
    network of two dimensions; ``mirror_axes`` are the axes of the patch, as 0 to 2, along which the network
    may be mirrored at test time. ``sha256`` is that of the whole weights file. ``more_folds`` are further
    weights of the same network. ``axes`` is the order of the network's axes, which ``patch`` and
    ``mirror_axes`` follow. ``previous`` is the stage whose labels, one channel for each, the network sees
    beside the image. ``preparation`` is there in models of other programs only.
    """

    name: str = ruled(TEXT, one_of(*STAGES))
    network: Network = ruled(of=Network)
    weights: str = ruled(TEXT, WEIGHTS_NAME)
    sha256: str = ruled(TEXT, SHA256)
    spacing: Triple = ruled(SPACING, read=numbers)
    patch: Tuple[int, ...] = ruled(PATCH, read=tuple)
    intensity: Intensity = ruled(of=Intensity)
    output: Output = ruled(of=Output)
    mirror_axes: Tuple[int, ...] = ruled(MIRROR_AXES, read=tuple, default=())
    orientation: str = ruled(one_of(*ORIENTATIONS), default="LPS")
    axes: str = ruled(one_of(*AXES), default="zyx")
    graph: Optional[Graph] = ruled(of=Graph, default=None)
    more_folds: Tuple[Fold, ...] = ruled(objects(0, 9), of=Fold, default=())
    preparation: Optional[Preparation] = ruled(of=Preparation, default=None)
    previous: Optional[str] = ruled(one_of(*STAGES), default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folds(self) -> Tuple[Fold, ...]:
        """All weights of the network: its own and those of ``more_folds``."""
        return (Fold(self.weights, self.sha256, self.graph), *self.more_folds)

    def check(self, where: str) -> None:
        """No two folds have the same weights."""
        if len({fold.weights.lower() for fold in self.folds}) < len(self.folds):
            refuse(f"{where}.more_folds must be a list of weights that differ")

    def check_own(self, where: str) -> None:
        """LiverSeg's own way gives every network the image in one orientation and at a stated spacing."""
        if self.name in PARTS:
            refuse(f"{where}.name is nothing that the pipeline {LIVERSEG} uses")
        for key, only in (("orientation", "LPS"), ("axes", "zyx")):
            value = getattr(self, key)
            if value != only:
                refuse(f"{where}.{key} must be {only}, which LiverSeg can run, not {quoted(value)}")
        if len(self.patch) != 3:
            refuse(f"{where}.patch must be three whole numbers (z, y, x)")
        for name, value in (("preparation", self.preparation), ("previous", self.previous)):
            if value is not None:
                refuse(f"{where}.{name} is nothing that the pipeline {LIVERSEG} uses")
        if self.name == LESION_STAGE and set(self.output.labels.values()) != {TUMOUR}:
            refuse(f"{where}.output.labels must map channels to {TUMOUR}, the label of tumours, and no other")
        if not any(self.output.labels.values()):
            refuse(f"{where}.output.labels must be a mapping of at least one channel to a LiverSeg label")

    def check_foreign(self, where: str, names: Sequence[str]) -> None:
        """A model of another program says how it prepares the image, and which stage comes before."""
        if self.name == LESION_STAGE:
            refuse(f"{where}.name is nothing that other pipelines than {LIVERSEG} use")
        if self.preparation is None:
            refuse(f"{where}.preparation is missing")
        if self.previous is not None and self.previous not in names:
            refuse(f"{where}.previous must be an earlier stage out of {list(names)}")
        if any(axis >= len(self.patch) for axis in self.mirror_axes):
            refuse(f"{where}.mirror_axes must be axes of the patch, which has {len(self.patch)}")


def stage_files(stage: Stage) -> Dict[str, str]:
    """File name -> SHA-256 of all that a stage has beside the manifest: weights and graphs of its folds."""
    files = {fold.weights: fold.sha256 for fold in stage.folds}
    files.update((fold.graph.file, fold.graph.sha256) for fold in stage.folds if fold.graph is not None)
    return files
