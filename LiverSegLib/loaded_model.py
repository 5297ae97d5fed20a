"""A model on a device, whichever program it comes from: a scan in, labels out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import DeviceError, ModelError, NoLiverError
from LiverSegLib.images.grid import Box, Grid, bounding_box, grow_box
from LiverSegLib.labels import BACKGROUND, LIVER, TUMOUR
from LiverSegLib.models import Model
from LiverSegLib.models.rules import LIVERSEG
from LiverSegLib.progress import Stages
from LiverSegLib.sentences import Sentence
from LiverSegLib.structures import Structure, Structures

if TYPE_CHECKING:
    from LiverSegLib.inference.devices import Device

LOCATE_SHARE = 0.15
"""Share of the stage "tumours" that a model's coarse network gets."""
LABEL_SHARE = 0.85
"""Share of a stage after which labelling begins."""
TUMOUR_MARGIN_MM = 40.0
"""How far around the liver a model of another program looks for tumours, so that its tiles show what lies
beside it."""

Check = Callable[[], None]
Tick = Callable[[float], None]


@dataclass(frozen=True)
class Drawn:
    """What a model draws in a scan, before any cleaning; arrays are (z, y, x) of the image's own array.

    Attributes:
        labels: uint8, values of :mod:`LiverSegLib.labels`.
        probability: uint8, 255 times that of the label given.
        structures: all that a model of another program draws; None where there is no more than ``labels``.
        notes: sentences for the provenance.
        warnings: sentences for the user.
    """

    labels: np.ndarray
    probability: np.ndarray
    structures: Optional[Structures] = None
    notes: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()


class LoadedModel:
    """A model's networks on a device.

    Attributes:
        model: from the store.

    Raises:
        ModelError: the model cannot be used.
    """

    def __init__(self, model: Model, devices: "Sequence[Device]") -> None:
        self.model = model
        self._is_own = model.manifest is None or model.manifest.pipeline == LIVERSEG
        self._networks: Any = _load_own(model, devices) if self._is_own else load_foreign(model, devices)

    @property
    def device(self) -> "Device":
        """Where it computes now."""
        device: "Device" = self._networks.segment.runner.device if self._is_own else self._networks.device
        return device

    @property
    def engine_version(self) -> str:
        """Version of the library that computes."""
        networks = self._networks
        return str(networks.segment.runner.engine.version if self._is_own else networks.engine_version)

    @property
    def fallbacks(self) -> Tuple[str, ...]:
        """What had to be given up on the last scan."""
        return tuple(self._networks.fallbacks)

    @property
    def table(self) -> Tuple[Structure, ...]:
        """What a model of another program can find; empty for LiverSeg's own."""
        return () if self._is_own else tuple(self._networks.table)

    @property
    def can_mirror(self) -> bool:
        """Whether the model was trained to be run on mirrored tiles too."""
        return self.model.manifest is not None and any(s.mirror_axes for s in self.model.manifest.stages)

    def draw(self, image: sitk.Image, run: Stages, *, mirror: bool) -> Drawn:
        """Draw everything that the model knows, in the stages "locate" and "segment" of a run.

        Raises:
            NoLiverError: there is no liver in view.
        """
        mirror = mirror and self.can_mirror
        if not self._is_own:
            with run.stage("segment"):
                return self._foreign(image, run.tick, run.check, mirror)
        with run.stage("locate"):
            located = self._locate(image, run.tick, run.check)
        with run.stage("segment"):
            return self._segment(located, run.tick, run.check, mirror)

    def draw_tumours(self, image: sitk.Image, organs: np.ndarray, run: Stages, *, mirror: bool) -> Drawn:
        """Draw again in the stage "tumours", for the tumours only, where another model found organs.

        Args:
            image: the scan.
            organs: uint8 (z, y, x), the other model's labels.
            run: the stages of the run.
            mirror: as in ``draw``.
        """
        mirror = mirror and self.can_mirror
        with run.stage("tumours"):
            if not self._is_own:
                return self._around_the_liver(image, organs, run, mirror)
            try:
                located = self._locate(image, lambda share: run.tick(LOCATE_SHARE * share), run.check)
            except NoLiverError:
                return _nothing(organs, Sentence("tumours.no-liver", name=self.model.name))

            def tick(share: float) -> None:
                run.tick(LOCATE_SHARE + (1 - LOCATE_SHARE) * share)

            return self._segment(located, tick, run.check, mirror)

    def _locate(self, image: sitk.Image, tick: Tick, check: Check) -> Any:
        from LiverSegLib.inference.locate import locate

        self._networks.new_scan()
        return locate(self._networks, image, tick, check)

    def _segment(self, located: Any, tick: Tick, check: Check, mirror: bool) -> Drawn:
        from LiverSegLib.inference.label import label
        from LiverSegLib.inference.segment import segment

        segmented = segment(
            self._networks.segment,
            located,
            lambda share: tick(0.8 * share),
            check,
            mirror=mirror,
        )
        found = label(segmented, located, lambda: tick(LABEL_SHARE))
        return Drawn(found.labels, found.probability, notes=segmented.notes)

    def _foreign(self, image: sitk.Image, tick: Tick, check: Check, mirror: bool) -> Drawn:
        self._networks.new_scan()
        found = find_structures(self._networks.networks, image, tick, check, mirror=mirror)
        structures = found.structures
        notes = tuple(found.notes)
        return Drawn(structures.own_labels(), found.probability, structures, notes)

    def _around_the_liver(self, image: sitk.Image, organs: np.ndarray, run: Stages, mirror: bool) -> Drawn:
        """Draw in the part of the scan around the liver; in all of it where intensities are relative to the
        whole scan."""
        box = _liver_box(organs, Grid.of(image), self._whole_scan)
        if box is None:
            return _nothing(organs)
        part = tuple(slice(side.start, side.stop) for side in reversed(box))
        drawn = self._foreign(image[part], run.tick, run.check, mirror)
        labels, probability = np.zeros_like(organs), np.zeros_like(organs)
        labels[box], probability[box] = drawn.labels, drawn.probability
        return Drawn(labels, probability, notes=drawn.notes)

    @property
    def _whole_scan(self) -> bool:
        stages = () if self.model.manifest is None else self.model.manifest.stages
        return any(stage.intensity.scheme == "zscore" for stage in stages)


def require_label(model: Model, label: int) -> None:
    """Check that a model draws a liver, or tumours, before it is used for that.

    Raises:
        ModelError: it does not.
    """
    results = () if model.manifest is None else model.manifest.result_stages
    if not any(label in stage.output.channel_labels for stage in results):
        key = "model.not-for-organs" if label == LIVER else "model.not-for-tumours"
        raise ModelError(Sentence(key, name=model.name))


def _load_own(model: Model, devices: "Sequence[Device]") -> Any:
    """The networks of a model of LiverSeg's own."""
    from LiverSegLib.inference.stage import load_networks

    return load_networks(model, devices)


@dataclass(frozen=True)
class ForeignModel:
    """The networks of a model of another program, see ``inference.foreign``, and what computes.

    Attributes:
        networks: as ``find_structures`` takes them.
        device, engine_version: what computes.
        table: what the model can find.
        fallbacks: what had to be given up on the last scan.
    """

    networks: Any
    device: "Device"
    engine_version: str
    table: Tuple[Structure, ...]

    @property
    def fallbacks(self) -> Tuple[str, ...]:
        return ()

    def new_scan(self) -> None:
        """Nothing is kept from one scan to the next."""


def load_foreign(model: Model, devices: "Sequence[Device]") -> ForeignModel:
    """Load a model of another program.

    Raises:
        DeviceError: no engine that is there can run it.
        ModelError: its weights cannot be read or do not fit.
    """
    from LiverSegLib.inference.devices import ENGINES
    from LiverSegLib.inference.engines import engine_version, has_graph
    from LiverSegLib.inference.foreign import load
    from LiverSegLib.inference.foreign.table import structure_table

    stages = () if model.manifest is None else model.manifest.stages
    graphs = all(has_graph(stage) for stage in stages)
    device = next((one for one in devices if graphs or one.engine == "torch"), None)
    if device is None:
        names = {"engine": ENGINES[devices[0].engine], "name": model.name}
        raise DeviceError(Sentence("engine.no-graph", **names))
    networks = load.load_foreign(model, device)
    results = () if model.manifest is None else model.manifest.result_stages
    items = {item.value: item for stage in results for item in structure_table(stage.output)}
    version = engine_version(device.engine)
    return ForeignModel(networks, device, version, tuple(items.values()))


def find_structures(networks: Any, image: sitk.Image, tick: Tick, check: Check, *, mirror: bool) -> Any:
    """What such networks find in a scan; see ``inference.foreign``."""
    from LiverSegLib.inference.foreign import find

    return find.find_structures(networks, image, tick, check, mirror=mirror)


def _liver_box(organs: np.ndarray, grid: Grid, whole: bool) -> Optional[Box]:
    """The part of a scan around the liver, in voxels (z, y, x); None without a liver."""
    box = bounding_box((organs == LIVER) | (organs == TUMOUR))
    if box is None or whole:
        return None if box is None else grid.box
    return grow_box(box, [TUMOUR_MARGIN_MM / step for step in grid.spacing[::-1]], grid.shape)


def _nothing(like: np.ndarray, *warnings: str) -> Drawn:
    """Nothing drawn in a scan whose mask has this shape."""
    return Drawn(np.full_like(like, BACKGROUND), np.zeros_like(like), warnings=warnings)
