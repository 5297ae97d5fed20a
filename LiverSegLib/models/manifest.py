"""``model.json``: what a model is, how its networks want the image, and where it comes from.

A model is a folder with this file and one safetensors file per stage. A stage is one network applied once:
"locate" finds the organs at coarse spacing, "segment" draws them at fine spacing. What is accepted here is
what ``inference`` does; a model that asks for more is refused instead of being run wrongly.

A model of another program (nnU-Net, TotalSegmentator, MONAI) says so in ``pipeline``. Its stages say in
``preparation`` how that program makes the network's image of a scan and labels of what comes out.

Keys that this version does not know are kept in ``extra`` of the object they stand in and written back.
"""

import json
import os
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from LiverSegLib.errors import ModelVersionError
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.models.fields import (
    OBJECT,
    TEXT,
    TEXT_OR_NOTHING,
    JsonObject,
    objects,
    one_of,
    read_json,
    refuse,
    ruled,
    whole,
)
from LiverSegLib.models.files import MAX_TEXT_BYTES, PathLike, quoted, read_within
from LiverSegLib.models.lesion_growth import LesionGrowth
from LiverSegLib.models.lesion_opening import LesionOpening
from LiverSegLib.models.rules import (
    LESION_STAGE,
    LESIONS,
    LIVERSEG,
    MODALITIES,
    NAME,
    PARTS,
    PIPELINES,
    SEGMENT,
    SHA256,
    STAGES,
    TABLE,
    VERSION,
    VERSION_PATTERN,
)
from LiverSegLib.models.second_look import SecondLook
from LiverSegLib.models.stage import Stage, stage_files
from LiverSegLib.sentences import Sentence

FORMAT_VERSION = 2
"""The newest version of model.json that is read, and the one that is written for models of other programs;
LiverSeg's own have version 1."""
MANIFEST_NAME = "model.json"


@dataclass(frozen=True)
class TrainingData(JsonObject):
    """One data set that a model was trained on: how many cases of it, under which terms, and whom to cite."""

    name: str = ruled(TEXT)
    cases: int = ruled(whole(0))
    licence: str = ruled(TEXT)
    citation: str = ruled(TEXT)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Accuracy(JsonObject):
    """What was measured, on which data: a table whose rows map a column's name to text, a number or None."""

    dataset: str = ruled(TEXT)
    table: Tuple[Mapping[str, Any], ...] = ruled(TABLE, read=tuple)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Source(JsonObject):
    """Where a model of another program comes from.

    ``program`` made it; ``file`` is the name of the file or folder that was added on the day ``added``
    (YYYY-MM-DD), ``sha256`` that of a file, ``checkpoints`` those of the weights by their path in it. The
    rest is what the program's own files say.
    """

    program: str = ruled(TEXT)
    file: str = ruled(TEXT)
    added: str = ruled(TEXT)
    sha256: Optional[str] = ruled(TEXT, SHA256, default=None)
    checkpoints: Mapping[str, str] = ruled(OBJECT, default_factory=dict)
    dataset: Optional[str] = ruled(TEXT_OR_NOTHING, default=None)
    trainer: Optional[str] = ruled(TEXT_OR_NOTHING, default=None)
    configuration: Optional[str] = ruled(TEXT_OR_NOTHING, default=None)
    epochs: Optional[int] = ruled(whole(0), default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest(JsonObject):
    """The whole of a ``model.json``.

    ``min_liverseg`` is the oldest LiverSeg that can run the model. ``minimum_lesion_ml`` holds, for contrast
    phases in which small lesions that the model draws are mostly wrong, the volume below which they are left
    out unless the user says otherwise; ``second_look`` tells wrong ones by more than their size;
    ``lesion_growth`` grows what is drawn too small, and ``lesion_opening`` takes spikes off. ``modality`` is
    the kind of images that it is for.
    """

    name: str = ruled(TEXT, NAME)
    version: str = ruled(TEXT, VERSION)
    description: str = ruled(TEXT)
    stages: Tuple[Stage, ...] = ruled(objects(1, len(STAGES)), of=Stage)
    licence: str = ruled(TEXT)
    citation: str = ruled(TEXT_OR_NOTHING, default="")
    training_data: Tuple[TrainingData, ...] = ruled(objects(0, 1000), of=TrainingData, default=())
    accuracy: Optional[Accuracy] = ruled(of=Accuracy, default=None)
    intended_use: str = ruled(TEXT_OR_NOTHING, default="")
    limitations: str = ruled(TEXT_OR_NOTHING, default="")
    min_liverseg: Optional[str] = ruled(TEXT_OR_NOTHING, VERSION, default=None)
    minimum_lesion_ml: Mapping[str, float] = ruled(
        LESIONS, read=lambda sizes: {phase: float(ml) for phase, ml in sizes.items()}, default_factory=dict
    )
    second_look: Optional[SecondLook] = ruled(of=SecondLook, default=None)
    lesion_growth: Optional[LesionGrowth] = ruled(of=LesionGrowth, default=None)
    lesion_opening: Optional[LesionOpening] = ruled(of=LesionOpening, default=None)
    pipeline: str = ruled(one_of(*PIPELINES), default=LIVERSEG)
    modality: str = ruled(one_of(*MODALITIES), default="CT")
    source: Optional[Source] = ruled(of=Source, default=None)
    format_version: int = ruled(whole(1), default=1)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def stage(self, name: str) -> Stage:
        """The stage called ``name``.

        Raises:
            KeyError: there is none; the message lists those there are.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(
            f"no stage {name!r} in the model {self.name!r}; available: {[s.name for s in self.stages]}"
        )

    @property
    def result_stages(self) -> Tuple[Stage, ...]:
        """The stages whose labels are the result: "segment", or the parts, of which later ones have
        precedence."""
        return tuple(stage for stage in self.stages if stage.name in (SEGMENT, *PARTS))

    def check(self, where: str) -> None:
        """Stages differ by name, agree on the files that they share, and fit the pipeline."""
        hashes: Dict[str, str] = {}
        for index, stage in enumerate(self.stages):
            earlier, place = [other.name for other in self.stages[:index]], f"stages[{index}]"
            if stage.name in earlier:
                refuse(f"{place}.name is {quoted(stage.name)} like another stage's")
            for file, sha256 in stage_files(stage).items():
                if hashes.setdefault(file.lower(), sha256) != sha256:
                    refuse(f"{place}.sha256 contradicts another stage's for the same weights file")
            if self.pipeline == LIVERSEG:
                stage.check_own(place)
            else:
                stage.check_foreign(place, earlier)
        if self.pipeline == LIVERSEG:
            self._check_lesions()
        else:
            results = [stage.name for stage in self.result_stages]
            if not results or (SEGMENT in results and len(results) > 1):
                refuse(f"stages must be one called {SEGMENT}, or parts, not {results}")

    def _check_lesions(self) -> None:
        """A network for lesions needs a fine one that tells them from the liver."""
        stages = {stage.name: stage for stage in self.stages}
        fine = stages[SEGMENT].output.channel_labels if SEGMENT in stages else ()
        if LESION_STAGE in stages and not {LIVER, TUMOUR} <= set(fine):
            refuse(f"stages must have {SEGMENT} with channels of {LIVER} and {TUMOUR} beside {LESION_STAGE}")

    def to_json(self) -> str:
        """The manifest as the text of a ``model.json``; :func:`parse_manifest` of it gives an equal one."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_manifest(folder: PathLike) -> Manifest:
    """Read ``model.json`` in ``folder``.

    Raises:
        ModelCorruptError: the file is missing, unreadable or not valid; the sentence names the field.
        ModelVersionError: it is in a newer format.
    """
    path = os.path.join(os.fspath(folder), MANIFEST_NAME)
    return parse_manifest(read_within(path, MAX_TEXT_BYTES))


def parse_manifest(text: Union[str, bytes, bytearray]) -> Manifest:
    """Read and check the text of a ``model.json``.

    Raises:
        ModelCorruptError: not JSON, or a field is missing or wrong; the sentence names the field.
        ModelVersionError: the text is in a newer format.
    """
    data = read_json(text)
    version = data.get("format_version") if isinstance(data, dict) else None
    if isinstance(data, dict) and version is None:
        refuse("format_version is missing")
    if type(version) is int and version > FORMAT_VERSION:  # then every other field may have changed
        versions = {"format": version, "newest": FORMAT_VERSION}
        raise ModelVersionError(Sentence("model.newer-format", **versions))
    return Manifest.read(data, "")


def require_liverseg(manifest: Manifest, version: str) -> None:
    """Check that LiverSeg ``version`` is new enough for the model.

    Raises:
        ModelVersionError: the model asks for a newer one.
    """
    needed = manifest.min_liverseg
    if needed is not None and _release(version) < _release(needed):
        versions = {"needed": needed, "version": version}
        raise ModelVersionError(Sentence("model.needs-newer", name=manifest.name, **versions))


def _release(version: str) -> Tuple[int, ...]:
    """The numbers of "1.2.3" or "1.2.dev0"; what follows them does not count."""
    match = VERSION_PATTERN.fullmatch(version)
    return (0, 0, 0) if match is None else tuple(int(part or 0) for part in match.groups())
