"""A model on a device, whichever program it comes from: a scan in, labels out."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import ModelError, NoLiverError
from LiverSegLib.images.grid import Box, Grid, bounding_box, grow_box
from LiverSegLib.images.modality import MODALITIES
from LiverSegLib.labels import BACKGROUND, LABELS, LIVER, TUMOUR
from LiverSegLib.models import Manifest, Model, load_model_for
from LiverSegLib.models.rules import LIVERSEG
from LiverSegLib.models.stage import Region
from LiverSegLib.models.store import DEFAULT_NAME
from LiverSegLib.progress import Stages
from LiverSegLib.sentences import Sentence
from LiverSegLib.structures import Structure, Structures

if TYPE_CHECKING:
    from LiverSegLib.inference.devices import Device

LOCATE_SHARE = 0.15
"""Share of the stage "tumours" that a model's coarse network gets."""
NETWORK_SHARE = 0.8
"""Share of a stage in which networks compute; FINE_SHARE is the fine one's, where another looks for lesions
after it."""
FINE_SHARE = 0.68
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

    Args:
        devices: to compute with, the best first.
        only_tumours: another model draws the organs.
        draws_tumours: whether its tumours are used; another model draws them if not.

    Raises:
        ModelError: the model cannot be used.
    """

    def __init__(
        self,
        model: Model,
        devices: "Sequence[Device]",
        *,
        only_tumours: bool = False,
        draws_tumours: bool = True,
    ) -> None:
        self.model = model
        self._is_own = model.manifest is None or model.manifest.pipeline == LIVERSEG
        self._networks: Any = (
            _load_own(model, devices, draws_tumours) if self._is_own else load_foreign(model, devices)
        )
        # What was trained on the surroundings of an organ must be told where that is.
        needs_outline = not only_tumours and bool(_regions(model))
        outline = load_model_for(DEFAULT_NAME, modality_of(model)) if needs_outline else model
        self._outline = (
            LoadedModel(outline, devices, draws_tumours=False) if outline.path != model.path else None
        )

    @property
    def _engine(self) -> Any:
        """What computes now."""
        runner = self._networks.segment.runner if self._is_own else self._networks.runners[-1]
        return runner.engine

    @property
    def device(self) -> "Device":
        """Where it computes now."""
        device: "Device" = self._engine.device
        return device

    @property
    def engine_version(self) -> str:
        """Version of the library that computes."""
        return str(self._engine.version)

    @property
    def fallbacks(self) -> Tuple[str, ...]:
        """What had to be given up on the last scan."""
        outline = () if self._outline is None else self._outline.fallbacks
        return (*outline, *self._networks.fallbacks)

    @property
    def table(self) -> Tuple[Structure, ...]:
        """What a model of another program can find; empty for LiverSeg's own."""
        return () if self._is_own or self.model.manifest is None else _table(self.model.manifest)

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
            outline = self._outlined(image, run)
            organs = None if outline is None else outline.labels
            with run.stage("segment"):
                drawn = self._foreign(image, run.tick, run.check, mirror, organs)
            return drawn if self._outline is None else replace(drawn, notes=(*drawn.notes, self._note()))
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
                return self._within_a_stage(image, run, mirror)
            except NoLiverError:
                return _nothing(organs, Sentence("tumours.no-liver", name=self.model.name))

    def _within_a_stage(self, image: sitk.Image, run: Stages, mirror: bool) -> Drawn:
        """Locate and segment in one stage of a run."""
        located = self._locate(image, lambda share: run.tick(LOCATE_SHARE * share), run.check)

        def tick(share: float) -> None:
            run.tick(LOCATE_SHARE + (1 - LOCATE_SHARE) * share)

        return self._segment(located, tick, run.check, mirror)

    def _outlined(self, image: sitk.Image, run: Stages) -> Optional[Drawn]:
        """Where the bundled model sees organs, for a model that sees their surroundings alone; None for
        others.
        """
        if self._outline is None:
            return None
        with run.stage("locate"):
            return self._outline._within_a_stage(image, run, False)

    def _note(self) -> Sentence:
        """Which model found the part of the scan that this one sees."""
        outline = "" if self._outline is None else self._outline.model.name
        return Sentence("note.outlined", name=self.model.name, outline=outline)

    def _locate(self, image: sitk.Image, tick: Tick, check: Check) -> Any:
        from LiverSegLib.inference.locate import locate

        self._networks.new_scan()
        return locate(self._networks, image, tick, check)

    def _segment(self, located: Any, tick: Tick, check: Check, mirror: bool) -> Drawn:
        from LiverSegLib.inference.label import label
        from LiverSegLib.inference.lesions import look_for_lesions
        from LiverSegLib.inference.segment import segment

        lesions = self._networks.lesions
        share = NETWORK_SHARE if lesions is None else FINE_SHARE
        segmented = segment(
            self._networks.segment,
            located,
            lambda done: tick(share * done),
            check,
            mirror=mirror,
        )
        if lesions is not None:
            look_for_lesions(
                lesions,
                segmented,
                located.volume,
                lambda done: tick(share + (NETWORK_SHARE - share) * done),
                check,
                mirror=mirror,
            )
        found = label(segmented, located, lambda: tick(LABEL_SHARE))
        return Drawn(found.labels, found.probability, notes=segmented.notes)

    def _foreign(
        self, image: sitk.Image, tick: Tick, check: Check, mirror: bool, organs: Optional[np.ndarray]
    ) -> Drawn:
        found = find_structures(self._networks, image, tick, check, mirror=mirror, organs=organs)
        structures = found.structures
        return Drawn(structures.own_labels(), found.probability, structures, tuple(found.notes))

    def _around_the_liver(self, image: sitk.Image, organs: np.ndarray, run: Stages, mirror: bool) -> Drawn:
        """Draw in the part of the scan around the liver; where the model says itself which part it sees, or
        intensities are relative to the whole scan, it gets all of it."""
        box = _liver_box(organs, Grid.of(image), bool(_regions(self.model)) or self._whole_scan)
        if box is None:
            return _nothing(organs)
        part = tuple(slice(side.start, side.stop) for side in reversed(box))
        drawn = self._foreign(image[part], run.tick, run.check, mirror, organs[box])
        labels, probability = np.zeros_like(organs), np.zeros_like(organs)
        labels[box], probability[box] = drawn.labels, drawn.probability
        return Drawn(labels, probability, notes=drawn.notes)

    @property
    def _whole_scan(self) -> bool:
        stages = () if self.model.manifest is None else self.model.manifest.stages
        return any(stage.intensity.scheme == "zscore" for stage in stages)


def modality_of(model: Model) -> str:
    """The kind of images that a model is for: "CT", "MR" or "other"."""
    return MODALITIES[0] if model.manifest is None else model.manifest.modality


def require_modality(model: Model, modality: str) -> None:
    """Check that a model is for the images of a scan's modality, "CT" or "MR".

    Raises:
        ModelError: it is for others.
    """
    if modality_of(model) != modality:
        words = {"modality": modality_of(model), "scan": modality}
        raise ModelError(Sentence("model.other-modality", name=model.name, **words))


def not_drawn(organs: Model, tumours: Optional[Model]) -> Tuple[str, ...]:
    """Keys of the labels that no model of a run draws: "spleen", "tumour"."""
    if organs.manifest is None:
        return ()
    drawn = {label for stage in organs.manifest.result_stages for label in stage.output.channel_labels}
    if tumours is not None:
        drawn.add(TUMOUR)
    return tuple(info.key for value, info in LABELS.items() if value not in drawn)


def require_label(model: Model, label: int) -> None:
    """Check that a model is for CT or MR, and draws a liver, or tumours, before it is used for that.

    Raises:
        ModelError: it is not, or does not.
    """
    if modality_of(model) not in MODALITIES:
        raise ModelError(Sentence("model.not-for-ct", name=model.name, modality=modality_of(model)))
    results = () if model.manifest is None else model.manifest.result_stages
    if not any(label in stage.output.channel_labels for stage in results):
        key = "model.not-for-organs" if label == LIVER else "model.not-for-tumours"
        raise ModelError(Sentence(key, name=model.name))


def _load_own(model: Model, devices: "Sequence[Device]", draws_tumours: bool) -> Any:
    """The networks of a model of LiverSeg's own, the one for lesions only where it is used."""
    from LiverSegLib.inference.stage import load_networks

    return load_networks(model, devices, lesions=draws_tumours)


def load_foreign(model: Model, devices: "Sequence[Device]") -> Any:
    """The networks of a model of another program; see ``inference.foreign``."""
    from LiverSegLib.inference.foreign import load

    return load.load_foreign(model, devices)


def find_structures(
    networks: Any,
    image: sitk.Image,
    tick: Tick,
    check: Check,
    *,
    mirror: bool,
    organs: Optional[np.ndarray],
) -> Any:
    """What such networks find in a scan; see ``inference.foreign``."""
    from LiverSegLib.inference.foreign import find

    return find.find_structures(networks, image, tick, check, mirror=mirror, organs=organs)


def _table(manifest: Manifest) -> Tuple[Structure, ...]:
    """What a model of another program can find, each value once."""
    from LiverSegLib.inference.foreign.table import structure_table

    items = [item for stage in manifest.result_stages for item in structure_table(stage.output)]
    return tuple({item.value: item for item in items}.values())


def _regions(model: Model) -> List[Region]:
    """The organs whose surroundings alone a model sees."""
    stages = () if model.manifest is None else model.manifest.stages
    found = [None if stage.preparation is None else stage.preparation.region for stage in stages]
    return [region for region in found if region is not None]


def _liver_box(organs: np.ndarray, grid: Grid, whole: bool) -> Optional[Box]:
    """The part of a scan around the liver, in voxels (z, y, x); None without a liver."""
    box = bounding_box((organs == LIVER) | (organs == TUMOUR))
    if box is None or whole:
        return None if box is None else grid.box
    return grow_box(box, [TUMOUR_MARGIN_MM / step for step in grid.spacing[::-1]], grid.shape)


def _nothing(like: np.ndarray, *warnings: str) -> Drawn:
    """Nothing drawn in a scan whose mask has this shape."""
    return Drawn(np.full_like(like, BACKGROUND), np.zeros_like(like), warnings=warnings)
