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
from LiverSegLib.inference.tile_plan import plan_tiles
from LiverSegLib.inference.tiles import TileRunner
from LiverSegLib.models import Model, Stage
from LiverSegLib.sentences import Sentence

LOCATE = "locate"
SEGMENT = "segment"

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
        plan = plan_tiles(region.shape, self.stage.patch, self.runner.size_multiple)
        axes = self.stage.mirror_axes if mirror else ()
        background = self._background()
        logits = self.runner.run(
            image, plan, background=background, mirror_axes=axes, progress=tick, poll=check
        )
        del image
        if self.stage.output.activation == "sigmoid":
            return _from_sigmoid(logits)
        return softmax(logits)

    def _background(self) -> float:
        """The value of air in the network's input."""
        if self.stage.intensity.scheme == "zscore":  # relative to the mean of an image that is not known here
            return 0.0
        return float(normalise(np.asarray([AIR_HU], np.float32), self.stage.intensity)[0])


@dataclass(frozen=True)
class Networks:
    """The stages of a model: ``segment`` always, ``locate`` where the model has a coarse one."""

    segment: StageNetwork
    locate: Optional[StageNetwork] = None

    @property
    def all(self) -> List[StageNetwork]:
        """The stages that there are, in the order in which they run."""
        return [self.segment] if self.locate is None else [self.locate, self.segment]

    @property
    def fallbacks(self) -> List[str]:
        """What had to be given up on this scan, for lack of memory or as the device failed; each once."""
        return list(dict.fromkeys(text for network in self.all for text in network.runner.fallbacks))

    def new_scan(self) -> None:
        """Forget the fallbacks of the scan before."""
        for network in self.all:
            network.runner.new_scan()


def load_networks(model: Model, devices: Sequence[Device]) -> Networks:
    """Load a model's networks, each with the first of the devices that can run it.

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
    locate = StageNetwork(model, stages[LOCATE], devices) if LOCATE in stages else None
    return Networks(StageNetwork(model, stages[SEGMENT], devices), locate)


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
