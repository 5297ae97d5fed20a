"""A model of another program, its networks loaded and ready for :func:`find.find_structures`."""

from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Tuple

import numpy as np
import torch

from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.foreign.predict import Check, TileNetwork
from LiverSegLib.models import Model, Stage
from LiverSegLib.models.stage import Preparation
from LiverSegLib.networks import build_network
from LiverSegLib.sentences import Sentence

LoadFold = Callable[[Model, Stage, int, Device], TileNetwork]
"""Loads the network of one fold of a stage."""


@dataclass(frozen=True)
class ForeignStage:
    """One stage of a model and its networks, one for each fold."""

    stage: Stage
    folds: Tuple[TileNetwork, ...]

    @property
    def preparation(self) -> Preparation:
        """How the stage prepares the scan."""
        return self.stage.preparation or Preparation()


@dataclass(frozen=True)
class ForeignNetworks:
    """The stages of a model of another program, in the order in which they run; the last one's labels count.

    Attributes:
        pipeline: "nnunet" or "monai".
        stages: all of them.
    """

    pipeline: str
    stages: Tuple[ForeignStage, ...]

    def previous_values(self, network: ForeignStage) -> Tuple[int, ...]:
        """Labels of the stage before that have a channel of a stage's input, in their order."""
        names = {other.stage.name: other.stage for other in self.stages}
        if network.stage.previous is None:
            return ()
        values = names[network.stage.previous].output.own_values
        return tuple(sorted({value for value in values if value}))


def load_foreign(model: Model, device: Device, load: Optional[LoadFold] = None) -> ForeignNetworks:
    """Load a model of another program on a device.

    Args:
        model: from the store, of the pipeline "nnunet" or "monai".
        device: where and how precisely.
        load: loads one network; PyTorch's if not given.

    Raises:
        ModelError: the weights cannot be read or do not fit, or the model asks for what cannot be run.
    """
    if model.manifest is None:
        raise ModelError(Sentence("model.no-description", name=model.name))
    stages: List[ForeignStage] = []
    for stage in model.manifest.stages:
        folds = tuple((load or load_torch)(model, stage, fold, device) for fold in range(len(stage.folds)))
        stages.append(ForeignStage(stage, folds))
    return ForeignNetworks(model.manifest.pipeline, tuple(stages))


class TorchFold:
    """A network of PyTorch's on the CPU or a graphics card."""

    def __init__(self, network: Any, device: Device, axes: int) -> None:
        self.out_channels = int(network.out_channels)
        self._device = device
        self._format = torch.channels_last_3d if axes == 3 else torch.channels_last
        self._network = network.float().eval().to(device.kind).to(memory_format=self._format)
        self._poll: Optional[Check] = None
        for layer in self._network.modules():
            if not list(layer.children()):
                layer.register_forward_pre_hook(self._between_layers)

    def run(self, tiles: np.ndarray, poll: Check) -> np.ndarray:
        """Scores of a batch of tiles; see :class:`TileNetwork`."""
        self._poll = poll
        batch = torch.from_numpy(tiles).to(self._device.kind).contiguous(memory_format=self._format)
        try:
            with torch.inference_mode():
                if self._device.precision == "float32":
                    return self._network(batch).cpu().numpy()
                with torch.autocast(self._device.kind, getattr(torch, self._device.precision)):
                    return self._network(batch).float().cpu().numpy()
        finally:
            self._poll = None

    def _between_layers(self, *_: Any) -> None:
        if self._poll is not None:
            self._poll()


def load_torch(model: Model, stage: Stage, fold: int, device: Device) -> TileNetwork:
    """Load the network of one fold with PyTorch.

    Raises:
        ModelError: the weights cannot be read or do not fit.
    """
    network = build_network(stage.network.name, stage.network.arguments)
    try:
        network.load_state_dict(model.state_dict(stage.name, fold))
    except RuntimeError as error:
        text = Sentence("model.does-not-fit", weights=stage.folds[fold].weights, name=model.name)
        raise ModelCorruptError(text, str(error)) from error
    return TorchFold(network, device, len(stage.patch))
