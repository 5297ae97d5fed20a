"""A model of another program, its networks loaded and ready for :func:`find.find_structures`."""

from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

import numpy as np

from LiverSegLib.errors import ModelError
from LiverSegLib.inference.arrays import on_host
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.engines import Engine, load_engine
from LiverSegLib.inference.foreign.predict import Check, TileNetwork
from LiverSegLib.models import Model, Stage
from LiverSegLib.models.stage import Preparation
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
        load: loads one network; the device's engine does if not given.

    Raises:
        ModelError: the weights cannot be read or do not fit, or the model asks for what cannot be run.
    """
    if model.manifest is None:
        raise ModelError(Sentence("model.no-description", name=model.name))
    stages: List[ForeignStage] = []
    for stage in model.manifest.stages:
        folds = tuple((load or load_fold)(model, stage, fold, device) for fold in range(len(stage.folds)))
        stages.append(ForeignStage(stage, folds))
    return ForeignNetworks(model.manifest.pipeline, tuple(stages))


class EngineFold:
    """A network on an engine, which takes and gives numpy's arrays wherever it computes."""

    def __init__(self, engine: Engine) -> None:
        self.out_channels = int(engine.out_channels)
        self._engine = engine

    def run(self, tiles: np.ndarray, poll: Check) -> np.ndarray:
        """Scores of a batch of tiles; see :class:`TileNetwork`."""
        return on_host(self._engine.run(self._engine.arrays.put(tiles), poll))


def load_fold(model: Model, stage: Stage, fold: int, device: Device) -> TileNetwork:
    """Load the network of one fold with the device's engine.

    Raises:
        DeviceError: the engine is not installed, or the model has no graph for it.
        ModelError: the weights cannot be read or do not fit.
    """
    return EngineFold(load_engine(model, stage, fold, device))
