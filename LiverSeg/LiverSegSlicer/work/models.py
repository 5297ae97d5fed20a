"""The models on this computer as the panel shows them: what each segments, its licence, size and accuracy.

Read from the models' descriptions alone; adding and removing is the worker's work (``modelSteps``).
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from slicer.i18n import tr as _

from LiverSegLib.errors import ModelError, UsageError
from LiverSegLib.images.modality import CT
from LiverSegLib.labels import LABELS, LIVER, TUMOUR
from LiverSegLib.sentences import key_of
from LiverSegLib.worker import model_messages

from .run import Ask, Run, Steps
from .scan_files import folderFor

BUNDLED = "bundled"

DEFAULT = "default"
"""The model that is used unless somebody chooses another."""

SHOWN_NAMES = 6
"""So many structures are named in a description of what a model segments; the others are counted."""

USUAL_CONFIGURATION = "3d_fullres"
"""Of nnU-Net; the one that most models are used with."""

_DICE = " dice"
"""Ends the columns with Dice values in a table of accuracy."""

LIVER_WORDS = ("liver", "hepatic", "portal", "couinaud")
"""Structures with one of these in their name are wanted unless somebody chooses otherwise."""


@dataclass(frozen=True)
class ModelStructure:
    """A structure that a model finds beyond liver, spleen and tumors.

    Attributes:
        key: what the core calls it.
        name: for people.
        isUsual: whether it is wanted unless somebody chooses otherwise.
    """

    key: str
    name: str
    isUsual: bool


@dataclass(frozen=True)
class ModelFacts:
    """A model on this computer.

    Attributes:
        name: what it answers to.
        version, description, licence, citation, limitations: as its authors say.
        isBundled: it came with LiverSeg, and is not removed.
        sizeMb: of its files, MB.
        sha256: of all that decides what it computes; empty if it cannot be used.
        accuracy: what was measured, in a sentence; empty if nothing was.
        organs: names of the segments of LiverSeg's own that it draws.
        hasLiver, hasTumors: whether the liver and its tumors are among them.
        structures: what else it finds.
        problem: why it cannot be used; empty if it can.
        modality: the kind of images that it is for: "CT", "MR" or "other".
    """

    name: str
    version: str
    description: str
    licence: str
    citation: str
    limitations: str
    isBundled: bool
    sizeMb: float
    sha256: str
    accuracy: str
    organs: Tuple[str, ...]
    hasLiver: bool
    hasTumors: bool
    structures: Tuple[ModelStructure, ...]
    problem: str
    modality: str = CT

    @property
    def title(self) -> str:
        """Name and version; and the kind of images, if it is not CT."""
        kind = "" if self.modality == CT else f" ({self.modality})"
        return f"{self.name} {self.version}".strip() + kind

    def validated(self) -> str:
        """Return what was measured of it, on what, and its limits, in sentences."""
        measured = self.accuracy or _("How accurate it is was not measured.")
        return f"{measured} {self.limitations}".strip()

    def segments(self) -> str:
        """Return what it segments, in words."""
        names = [*self.organs, *(item.name for item in self.structures)]
        more = len(names) - SHOWN_NAMES
        text = ", ".join(names[:SHOWN_NAMES])
        return text if more <= 0 else _("{names} and {count} more").format(names=text, count=more)


def allModels() -> Tuple[ModelFacts, ...]:
    """Return every model, the bundled ones first; those that cannot be used too. Takes some milliseconds."""
    from LiverSegLib.models import list_models  # here, so that the panel opens sooner

    try:
        return tuple(_facts(model) for model in list_models())
    except ModelError:  # the folder cannot be listed; the run will say so
        return ()


def usualStructures(name: str, models: Tuple[ModelFacts, ...]) -> Tuple[str, ...]:
    """Return the keys of the structures of a model that are wanted unless somebody chooses otherwise."""
    found = next((model for model in models if model.name == name), None)
    return () if found is None else tuple(item.key for item in found.structures if item.isUsual)


def modelFor(name: str, modality: str) -> str:
    """Return the name of the model that runs on a scan: of "default" on an MR, the one for MR.

    Raises:
        ModelError: there is none, or several.
    """
    if modality == CT or name != DEFAULT:
        return name
    from LiverSegLib.models import load_model_for  # here, so that the panel opens sooner

    return load_model_for(name, modality).name


def modelThatRuns(name: str, modality: str) -> str:
    """Return the same; the name as it is where there is no model for MR, or several: the run says so."""
    try:
        return modelFor(name, modality)
    except ModelError:
        return name


def addSteps(source: str, configuration: Optional[str], run: Run) -> Steps:
    """Have the worker add a model; the result is its name.

    Of several configurations nnU-Net's usual one is taken, unless ``configuration`` says which.
    """
    with folderFor(run) as folder:
        run.tell(0.05, _("Reading the model"))
        try:
            reply = yield Ask(model_messages.AddModel(folder.name, source, None, configuration), begin=0.05)
        except UsageError as error:
            if configuration is not None or not _offersUsual(error):
                raise
            again = model_messages.AddModel(f"{folder.name}-b", source, None, USUAL_CONFIGURATION)
            reply = yield Ask(again, begin=0.5)
        return reply.name


def _offersUsual(error: UsageError) -> bool:
    """Whether a model has several configurations, nnU-Net's usual one among them."""
    names = getattr(error.sentence, "arguments", {}).get("available", "")
    isChoice = key_of(error.sentence) == "add.several-configurations"
    return isChoice and USUAL_CONFIGURATION in str(names).split(", ")


def removeSteps(name: str, run: Run) -> Steps:
    """Have the worker remove a model; the result is its name."""
    with folderFor(run) as folder:
        run.tell(0.05, _("Removing the model"))
        reply = yield Ask(model_messages.RemoveModel(folder.name, name), begin=0.05)
        return reply.name


def _facts(model: Any) -> ModelFacts:
    manifest, labels = model.manifest, _labels(model.manifest)
    return ModelFacts(
        name=model.name,
        version="" if manifest is None else manifest.version,
        description="" if manifest is None else manifest.description,
        licence="" if manifest is None else manifest.licence,
        citation="" if manifest is None else manifest.citation,
        limitations="" if manifest is None else manifest.limitations,
        isBundled=model.origin == BUNDLED,
        sizeMb=model.size_bytes / 1e6,
        sha256="" if model.error is not None else model.sha256,
        accuracy=_accuracy(manifest),
        organs=tuple(info.name for value, info in LABELS.items() if value in labels.values()),
        hasLiver=LIVER in labels.values(),
        hasTumors=TUMOUR in labels.values(),
        structures=_structures(manifest),
        problem="" if model.error is None else str(model.error),
        modality=CT if manifest is None else manifest.modality,
    )


def _labels(manifest: Any) -> Dict[str, int]:
    """Channel -> label of all that a model draws in the end."""
    if manifest is None:
        return {}
    stages = getattr(manifest, "result_stages", manifest.stages[-1:]) or manifest.stages[-1:]
    found: Dict[str, int] = {}
    for stage in stages:
        values = zip(stage.output.channels, stage.output.own_values)
        found.update({name: stage.output.labels.get(name, 0) for name, value in values if value != 0})
    return found


def _structures(manifest: Any) -> Tuple[ModelStructure, ...]:
    """What a model of another program finds beside our labels, or as parts of an organ."""
    if manifest is None or manifest.pipeline == "liverseg":
        return ()
    labels = _labels(manifest)
    counts = list(labels.values())
    return tuple(
        ModelStructure(key, key.replace("_", " ").capitalize(), _isUsual(key, label))
        for key, label in labels.items()
        if not label or counts.count(label) > 1
    )


def _isUsual(key: str, label: int) -> bool:
    return bool(label) or any(word in key.lower() for word in LIVER_WORDS)


def _accuracy(manifest: Any) -> str:
    """The mean Dice values over the cases that a model's authors measured, in a sentence."""
    accuracy = None if manifest is None else manifest.accuracy
    if accuracy is None:
        return ""
    values: Dict[str, List[float]] = {}
    for row in accuracy.table:
        for column, value in row.items():
            if column.endswith(_DICE) and isinstance(value, (int, float)):
                values.setdefault(column[: -len(_DICE)], []).append(float(value))
    if not values:
        return _("Measured on {dataset}.").format(dataset=accuracy.dataset)
    means = ", ".join(f"{_american(name)} {sum(found) / len(found):.2f}" for name, found in values.items())
    text = _("Mean Dice on {dataset} ({count}): {means}.")
    return text.format(dataset=accuracy.dataset, count=len(accuracy.table), means=means)


def _american(name: str) -> str:
    return name.replace("tumour", "tumor")
