"""A model's networks on a device: scan in, class probabilities of a region out."""

import functools
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence

import numpy as np

from LiverSegLib.errors import DeviceError, ModelError
from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.images.resample import AIR_HU
from LiverSegLib.inference.arrays import Array, library, sigmoid, softmax
from LiverSegLib.inference.devices import ENGINES, Device
from LiverSegLib.inference.engines import has_graph, load_engine
from LiverSegLib.inference.resample import Check, NetworkRegion, normalise, to_network
from LiverSegLib.inference.tile_plan import TilePlan, plan_tiles
from LiverSegLib.inference.tiles import TileRunner
from LiverSegLib.models import Model, Stage
from LiverSegLib.sentences import Sentence

LOCATE, SEGMENT, LESIONS = "locate", "segment", "lesions"
OWN_STAGES = (LOCATE, SEGMENT, LESIONS)
"""In the order in which they run."""

Tick = Callable[[float], None]
"""Called with the share of a step that is done; raises to cancel."""


def stage_runner(model: Model, stage: Stage, devices: Sequence[Device], fold: int = 0) -> TileRunner:
    """A stage's network with the first of the devices that can run it, ready for tiles.

    Args:
        model: from the store.
        stage: one of its stages.
        devices: of :func:`devices.choose_devices`. Those whose engine needs an ONNX graph are passed over
            where the model has none.
        fold: which of the stage's trained networks.

    Raises:
        DeviceError: no engine that is there can run the model.
        ModelError: the network's files are damaged or do not fit.
    """
    able = [device for device in devices if device.engine == "torch" or has_graph(stage)]
    if not able:
        names = {"engine": ENGINES[devices[0].engine], "name": model.name}
        raise DeviceError(Sentence("engine.no-graph", **names))
    return TileRunner(functools.partial(load_engine, model, stage, fold), able)


class StageNetwork:
    """One stage of a model, its network loaded.

    Attributes:
        stage: the description in the model's manifest.
        runner: runs the network over tiles.

    Args:
        devices: to compute with, the best first.

    Raises:
        DeviceError, ModelError: as :func:`stage_runner`.
    """

    def __init__(self, model: Model, stage: Stage, devices: Sequence[Device]) -> None:
        self.stage = stage
        self.runner = stage_runner(model, stage, devices)

    @property
    def channel_labels(self) -> Sequence[int]:
        """Label value of each class."""
        return self.stage.output.channel_labels

    def probabilities(
        self,
        volume: PatientScan,
        region: NetworkRegion,
        tick: Tick,
        check: Optional[Check] = None,
        *,
        mirror: bool = False,
    ) -> Array:
        """Class probabilities (classes, z, y, x), float32, on the grid of a region of the volume.

        Raises:
            LiverSegError: ``tick`` or ``check`` cancelled.
            Exception: what the device raises when memory runs out even on the CPU.
        """
        image = normalise(to_network(volume, region, lambda: tick(0.0)), self.stage.intensity)
        return self.of_image(image, tick, check, mirror=mirror)

    def of_image(
        self,
        image: np.ndarray,
        tick: Tick,
        check: Optional[Check] = None,
        *,
        mirror: bool = False,
        skip_empty: bool = True,
    ) -> Array:
        """Class probabilities (classes, z, y, x), float32, of what the network sees.

        Args:
            image: float32, normalised: (z, y, x), or (channels, z, y, x).
            tick: progress; raises to cancel.
            check: called between the layers of the network; raises to cancel.
            mirror: average over the mirrored tiles that the model allows.
            skip_empty: do not compute tiles that hold nothing but air.

        Raises:
            LiverSegError: ``tick`` or ``check`` cancelled.
            Exception: what the device raises when memory runs out even on the CPU.
        """
        plan = self.plan(image.shape[-3:])
        axes = self.stage.mirror_axes if mirror else ()
        logits = self.runner.run(
            image, plan, background=self.air, mirror_axes=axes, skip_empty=skip_empty, progress=tick,
            poll=check,
        )  # fmt: skip
        if self.stage.output.activation == "sigmoid":
            return _from_sigmoid(logits)
        return softmax(logits)

    def plan(self, shape: Sequence[int]) -> TilePlan:
        """The tiles that cover an image (z, y, x).

        Those of a network for lesions are as small as their overlap allows: on eight scans with tumors that
        made no difference (mean Dice 0.819), and on eight scans it took 27 % off that network's work. For
        organs it costs 0.0007 of Dice.
        """
        least = self.stage.name == LESIONS
        return plan_tiles(shape, self.stage.patch, self.runner.size_multiple, least=least)

    @property
    def air(self) -> float:
        """The value of air in the network's input."""
        if self.stage.intensity.scheme == "zscore":  # relative to the mean of an image that is not known here
            return 0.0
        return float(normalise(np.asarray([AIR_HU], np.float32), self.stage.intensity)[0])


@dataclass(frozen=True)
class Networks:
    """The stages of a model: ``segment`` always, ``locate`` where the model has a coarse one, ``lesions``
    where it has one for these.
    """

    segment: StageNetwork
    locate: Optional[StageNetwork] = None
    lesions: Optional[StageNetwork] = None

    @property
    def all(self) -> List[StageNetwork]:
        """The stages that there are, in the order in which they run."""
        return [one for one in (self.locate, self.segment, self.lesions) if one is not None]

    @property
    def fallbacks(self) -> List[str]:
        """What had to be given up on this scan, for lack of memory or as the device failed; each once."""
        return list(dict.fromkeys(text for network in self.all for text in network.runner.fallbacks))

    def new_scan(self) -> None:
        """Forget the fallbacks of the scan before."""
        for network in self.all:
            network.runner.new_scan()


def load_networks(model: Model, devices: Sequence[Device], *, lesions: bool = True) -> Networks:
    """Load a model's networks, each with the first of the devices that can run it.

    Args:
        model: from the store.
        devices: the best first.
        lesions: whether its network for lesions is wanted, if it has one.

    Raises:
        DeviceError: no engine that is there can run the model.
        ModelError: a stage is missing, or its weights do not fit its network.
    """
    if model.manifest is None:
        raise ModelError(Sentence("model.no-description", name=model.name))
    stages: Dict[str, Stage] = {stage.name: stage for stage in model.manifest.stages}
    if SEGMENT not in stages:
        text = Sentence("model.no-stage", name=model.name, stage=SEGMENT)
        raise ModelError(text, f"Available: {sorted(stages)}")
    wanted = [name for name in OWN_STAGES if name in stages and (lesions or name != LESIONS)]
    found = {name: StageNetwork(model, stages[name], devices) for name in wanted}
    return Networks(found[SEGMENT], found.get(LOCATE), found.get(LESIONS))


def _from_sigmoid(logits: Array) -> Array:
    """Turn logits into probabilities, in place, of which the last channel above one half, in their order, is
    the largest (nnU-Net's regions).
    """
    p = sigmoid(logits)
    left = library(p).ones_like(p[0])
    for channel in range(int(p.shape[0]) - 1, 0, -1):
        absent = 1 - p[channel]
        p[channel] *= left
        left *= absent
    p[0] = left
    return p
