"""Find structures: a scan through all stages of a model of another program."""

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.inference.foreign.load import ForeignNetworks
from LiverSegLib.inference.foreign.stage_run import StageRun
from LiverSegLib.inference.foreign.table import structure_table
from LiverSegLib.structures import Structure, Structures

Tick = Callable[[float], None]
Check = Callable[[], None]


@dataclass(frozen=True)
class Found:
    """What a model of another program finds in a scan.

    Attributes:
        structures: labels (z, y, x) in the image's own order, and what they mean.
        probability: (z, y, x) uint8, 255 times that of each voxel's label; 255 where the model never looks.
        notes: sentences for the provenance.
    """

    structures: Structures
    probability: np.ndarray
    notes: Tuple[str, ...] = ()


def find_structures(
    networks: ForeignNetworks,
    image: sitk.Image,
    tick: Tick,
    check: Optional[Check] = None,
    *,
    mirror: bool = False,
    organs: Optional[np.ndarray] = None,
) -> Found:
    """Run every stage of a model over a scan.

    Args:
        networks: from :func:`~LiverSegLib.inference.foreign.load.load_foreign`.
        image: 3-D, in HU.
        tick: called with the share that is done, before each tile; raises to cancel.
        check: called at least twice a second while a network runs; raises to cancel.
        mirror: average over the mirrored tiles that the model allows.
        organs: (z, y, x) values of :mod:`LiverSegLib.labels`, for models that see an organ's surroundings
            alone (``Preparation.region``); without it they see the whole scan.

    Raises:
        ImageGeometryError: the image is not 3-D or its axes do not span space.
        NotCTError: voxels have no finite value.
        LiverSegError: ``tick`` or ``check`` cancelled.
        Exception: what an engine raises when memory runs out.
    """
    networks.new_scan()
    earlier: Dict[str, np.ndarray] = {}
    result: Optional[_Result] = None
    table: List[Structure] = []
    for index, network in enumerate(networks.stages):

        def share(part: float, index: int = index) -> None:
            tick((index + part) / len(networks.stages))

        run = StageRun(network, networks.pipeline, image, share, check or _go_on, mirror, organs)
        previous = network.stage.previous
        before = None if previous is None else (earlier[previous], networks.previous_values(network))
        labels, probability = run.labels(before, with_probability=network.is_result)
        earlier[network.stage.name] = labels
        if probability is not None:
            result = _Result(labels, probability) if result is None else result.under(labels, probability)
            table += structure_table(network.stage.output)
    if result is None:
        raise ValueError("the model has no stage whose labels are its result")
    return Found(Structures(result.labels, tuple(table)), result.probability)


@dataclass(frozen=True)
class _Result:
    """Labels and their probability, both (z, y, x), of one network or of several side by side."""

    labels: np.ndarray
    probability: np.ndarray

    def under(self, labels: np.ndarray, probability: np.ndarray) -> "_Result":
        """With those of a further network, which has precedence where it finds something."""
        kind = np.promote_types(self.labels.dtype, labels.dtype)
        merged, sure = self.labels.astype(kind, copy=False), self.probability
        for plane, other, one, more in zip(merged, labels, sure, probability):
            np.minimum(one, more, out=one, where=(plane == 0) & (other == 0))
            np.copyto(one, more, where=other > 0)
            np.copyto(plane, other, where=other > 0)
        return _Result(merged, sure)


def _go_on() -> None:
    """Nobody cancels."""
