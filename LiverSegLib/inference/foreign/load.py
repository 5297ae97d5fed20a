"""A model of another program, its networks loaded and ready for :func:`find.find_structures`."""

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import ModelError
from LiverSegLib.inference.arrays import on_host
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.foreign.predict import Check, TileNetwork
from LiverSegLib.inference.stage import stage_runner
from LiverSegLib.inference.tile_plan import TilePlan
from LiverSegLib.inference.tiles import TileRunner
from LiverSegLib.models import Model, Preparation, Stage
from LiverSegLib.models.rules import PARTS, SEGMENT
from LiverSegLib.sentences import Sentence

UNUSED = np.ones(1, np.float32)
"""Weight of the voxels of a single tile."""


class RunnerNetwork:
    """A network of one fold as :class:`~LiverSegLib.inference.foreign.predict.TileNetwork`: one tile at a
    time through a runner, which knows what to do where an engine or device fails."""

    def __init__(self, runner: TileRunner) -> None:
        self.runner = runner

    @property
    def out_channels(self) -> int:
        """Channels of the scores."""
        return self.runner.engine.out_channels

    def run(self, tile: np.ndarray, mirror_axes: Sequence[int], poll: Check) -> np.ndarray:
        """Scores (classes, a, b, c) of a tile (channels, a, b, c); see :class:`TileNetwork`."""
        a, b, c = tile.shape[1:]
        plan = TilePlan(((0, 0, 0),), (a, b, c), (a, b, c))
        scores = self.runner.run(
            tile, plan, mirror_axes=mirror_axes, skip_empty=False, weight=UNUSED, poll=poll
        )
        return on_host(scores)


@dataclass(frozen=True)
class ForeignStage:
    """One stage of a model and its networks, one for each fold."""

    stage: Stage
    folds: Tuple[TileNetwork, ...]

    @property
    def preparation(self) -> Preparation:
        """How the stage prepares the scan."""
        return self.stage.preparation or Preparation()

    @property
    def is_result(self) -> bool:
        """Whether the stage's labels are part of the result."""
        return self.stage.name in (SEGMENT, *PARTS)


@dataclass(frozen=True)
class ForeignNetworks:
    """The stages of a model of another program, in the order in which they run.

    Attributes:
        pipeline: "nnunet" or "monai".
        stages: all of them.
    """

    pipeline: str
    stages: Tuple[ForeignStage, ...]

    def previous_values(self, network: ForeignStage) -> Tuple[int, ...]:
        """Labels of the stage before that have a channel of a stage's input, in their order."""
        outputs = {other.stage.name: other.stage.output for other in self.stages}
        if network.stage.previous is None:
            return ()
        return tuple(sorted({value for value in outputs[network.stage.previous].own_values if value}))

    @property
    def runners(self) -> Tuple[TileRunner, ...]:
        """What runs the networks."""
        folds = (fold for network in self.stages for fold in network.folds)
        return tuple(fold.runner for fold in folds if isinstance(fold, RunnerNetwork))

    @property
    def fallbacks(self) -> List[str]:
        """What had to be given up on this scan, each once."""
        return list(dict.fromkeys(text for runner in self.runners for text in runner.fallbacks))

    @property
    def can_mirror(self) -> bool:
        """Whether a network may be mirrored."""
        return any(network.stage.mirror_axes for network in self.stages)

    def new_scan(self) -> None:
        """Forget the fallbacks of the scan before."""
        for runner in self.runners:
            runner.new_scan()


def load_foreign(model: Model, devices: Sequence[Device]) -> ForeignNetworks:
    """Load the networks of a model of another program, each with the first of the devices that can run it.

    Args:
        model: from the store, of the pipeline "nnunet" or "monai".
        devices: the best first, as :func:`~LiverSegLib.inference.devices.choose_devices` returns them.

    Raises:
        DeviceError: no engine that is there can run the model.
        ModelError: weights cannot be read or do not fit, or the model asks for what cannot be run.
    """
    if model.manifest is None:
        raise ModelError(Sentence("model.no-description", name=model.name))
    stages: List[ForeignStage] = []
    for stage in model.manifest.stages:
        _require_linear_scores(model, stage)
        folds = (RunnerNetwork(stage_runner(model, stage, devices, fold)) for fold in range(len(stage.folds)))
        stages.append(ForeignStage(stage, tuple(folds)))
    return ForeignNetworks(model.manifest.pipeline, tuple(stages))


def _require_linear_scores(model: Model, stage: Stage) -> None:
    """Class scores are interpolated linearly or not at all.

    Raises:
        ModelError: the model asks for more.
    """
    preparation = stage.preparation or Preparation()
    order = max(preparation.scores_order, preparation.scores_order_z)
    if order > 1:
        raise ModelError(Sentence("model.scores-order", name=model.name, order=order))
