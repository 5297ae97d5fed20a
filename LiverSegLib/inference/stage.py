"""A model's networks on a device: scan in, class probabilities of a region out."""

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence

import torch

from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.images.resample import AIR_HU
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.resample import Check, NetworkRegion, normalise, to_network
from LiverSegLib.inference.tiles import TileRunner, plan_tiles
from LiverSegLib.models import Model, Stage
from LiverSegLib.networks import build_network
from LiverSegLib.sentences import Sentence

LOCATE = "locate"
SEGMENT = "segment"

Tick = Callable[[float], None]
"""Called with the share of a step that is done; raises to cancel."""


class StageNetwork:
    """One stage of a model, its network loaded on a device.

    Attributes:
        stage: the description in the model's manifest.
        runner: runs the network over tiles.

    Raises:
        ModelError: the weights cannot be read or do not fit the network.
    """

    def __init__(self, model: Model, stage: Stage, device: Device) -> None:
        self.stage = stage
        network = build_network(stage.network.name, stage.network.arguments)
        weights = model.state_dict(stage.name)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            text = Sentence("model.does-not-fit", weights=stage.weights, name=model.name)
            raise ModelCorruptError(text, str(error)) from error
        self.runner = TileRunner(network.float(), device)

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
    ) -> torch.Tensor:
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
        return torch.softmax(logits, 0)

    def _background(self) -> float:
        """The value of air in the network's input."""
        if self.stage.intensity.scheme == "zscore":  # relative to the mean of an image that is not known here
            return 0.0
        return float(normalise(torch.tensor([AIR_HU]), self.stage.intensity)[0])


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


def load_networks(model: Model, device: Device) -> Networks:
    """Load a model's networks on a device.

    Raises:
        ModelError: a stage is missing, or its weights do not fit its network.
    """
    if model.manifest is None:
        raise ModelError(Sentence("model.no-description", name=model.name))
    stages: Dict[str, Stage] = {stage.name: stage for stage in model.manifest.stages}
    if SEGMENT not in stages:
        text = Sentence("model.no-stage", name=model.name, stage=SEGMENT)
        raise ModelError(text, f"Available: {sorted(stages)}")
    locate = StageNetwork(model, stages[LOCATE], device) if LOCATE in stages else None
    return Networks(StageNetwork(model, stages[SEGMENT], device), locate)


def _from_sigmoid(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities of which the last channel above one half, in their order, is the largest (nnU-Net's
    regions).
    """
    p = torch.sigmoid(logits)
    result = torch.zeros_like(p)
    left = torch.ones_like(p[0])
    for channel in range(p.shape[0] - 1, 0, -1):
        result[channel] = left * p[channel]
        left = left * (1 - p[channel])
    result[0] = left
    return result
