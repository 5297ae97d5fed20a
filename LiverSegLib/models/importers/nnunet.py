"""nnU-Net v2's trained models: found in a folder of results, described as a model of ours.

A trained model is a folder ``<trainer>__<plans>__<configuration>`` with plans.json, dataset.json and
``fold_<n>`` folders, each with a checkpoint; it lies in its data set's folder ``Dataset<number>_<name>``. The
archives that nnUNetv2_export_model_to_zip writes hold the same folders.
"""

import datetime
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import ModelCorruptError, ModelError, ModelNotFoundError, UsageError
from LiverSegLib.models import files
from LiverSegLib.models.files import printable
from LiverSegLib.models.importers.architecture import check_fit, network_of, read_weights
from LiverSegLib.models.importers.checkpoint import Checkpoint
from LiverSegLib.models.importers.labelling import Labels, modality_of, read_labels
from LiverSegLib.models.importers.plans import (
    Plans,
    intensity_of,
    preparation_of,
    read_object,
    read_plans,
    spacing_of,
)
from LiverSegLib.models.stage import Fold, Stage
from LiverSegLib.sentences import Sentence

PLANS, DATASET = "plans.json", "dataset.json"
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
"""The one that is used comes first; nnU-Net writes the other while it trains."""
DEEPEST = 5
"""Levels of folders: TotalSegmentator keeps its weights in nnunet/results/DATASET/MODEL of its folder."""
MAX_ENTRIES = 2000
"""Folders that are looked into: nobody means to add a model by naming a whole disk."""
MAX_FOLDS = 10
UNKNOWN_SHA256 = "0" * 64

Weights = Callable[[], Mapping[str, np.ndarray]]
"""Reads the tensors of one fold when they are written."""


@dataclass(frozen=True)
class Trained:
    """A trained model's folder and what its name says."""

    folder: Path
    dataset: str
    trainer: str
    plans: str
    configuration: str

    @property
    def title(self) -> str:
        return f"{self.dataset} {self.configuration} ({self.trainer}, {self.plans})"


@dataclass(frozen=True)
class Part:
    """One network of a model that is being added: its stage, a reader for each fold, where it comes from."""

    stage: Stage
    weights: Tuple[Weights, ...]
    trained: Trained
    modality: str
    dataset: Mapping[str, Any]
    plans: Plans
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    epochs: Optional[int] = None


def find_trained(root: Path) -> List[Trained]:
    """The trained models in a folder, which may be one itself, a data set's, or nnU-Net's folder of results.

    Raises:
        ModelNotFoundError: there is none.
    """
    found: List[Trained] = []
    level, seen = [root], 0
    for _ in range(DEEPEST + 1):
        below: List[Path] = []
        for folder in level:
            seen += 1
            if (folder / PLANS).is_file() and seen <= MAX_ENTRIES:
                found.append(_described(folder))
            elif seen <= MAX_ENTRIES:
                below += _folders(folder)
        level = below
    if not found:
        raise ModelNotFoundError(Sentence("add.nothing-found", name=root.name, plans=PLANS))
    return sorted(found, key=lambda trained: trained.title)


def choose(found: Sequence[Trained], configuration: Optional[str]) -> Trained:
    """The trained model that is meant.

    Raises:
        UsageError: none has the configuration, or several are there and none was chosen.
    """
    fitting = [trained for trained in found if configuration in (None, trained.configuration)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting and len({trained.folder.parent for trained in fitting}) == 1 and configuration is None:
        names = ", ".join(dict.fromkeys(trained.configuration for trained in fitting))
        raise UsageError(Sentence("add.several-configurations", available=names))
    titles = "; ".join(trained.title for trained in (fitting or found)[:20])
    key = "add.several-models" if fitting else "add.no-such-configuration"
    raise UsageError(Sentence(key, configuration=configuration or "", available=titles))


def read_parts(
    trained: Trained,
    *,
    folds: Optional[Sequence[str]] = None,
    labels: Optional[Mapping[str, str]] = None,
) -> Tuple[Part, ...]:
    """The networks of a trained model, in the order in which they run: one, or two of a cascade.

    Args:
        trained: the model; a cascade's first network is looked for beside its folder.
        folds: names of folds, as "0" or "all"; every numbered one if None.
        labels: structure -> label, as the user chose.

    Raises:
        ModelError: it cannot be read, or needs what is not run here.
        UsageError: no such fold, structure or label.
    """
    chosen = labels or {}
    part = read_part(trained, "segment", folds=folds, labels=chosen)
    plans = read_plans(trained.folder / PLANS)
    before = plans.configuration(part.trained.configuration).previous_stage
    if before is None:
        return (part,)
    parent = trained.folder.parent
    near = [_described(folder) for folder in _folders(parent) if (folder / PLANS).is_file()]
    beside = [other for other in near if other.configuration == before]
    same = [other for other in beside if (other.trainer, other.plans) == (trained.trainer, trained.plans)]
    if not beside:
        raise ModelError(
            Sentence("add.cascade-incomplete", configuration=trained.configuration, before=before)
        )
    return read_part((same or beside)[0], "lowres", folds=folds, labels=chosen), part


def read_part(
    trained: Trained,
    stage: str,
    *,
    folds: Optional[Sequence[str]] = None,
    labels: Optional[Mapping[str, str]] = None,
) -> Part:
    """One network with its folds as a stage of ours.

    Raises:
        ModelError, UsageError: as :func:`read_parts`.
    """
    plans, dataset = read_plans(trained.folder / PLANS), read_object(trained.folder / DATASET, DATASET)
    checkpoints = [_checkpoint_in(folder) for folder in _fold_folders(trained.folder, folds)]
    with Checkpoint(checkpoints[0]) as first:
        said = first.values.get("init_args")
        name = said.get("configuration") if isinstance(said, dict) else None
        name = name if isinstance(name, str) else trained.configuration
        mirror_axes, epochs = _mirror_axes(first.values), first.values.get("current_epoch")
        trainer = first.values.get("trainer_name")
    configuration, structures = plans.configuration(name), read_labels(dataset)
    modality = modality_of(dataset, configuration.normalization_schemes[0])
    in_channels = 1 + (structures.foreground if configuration.previous_stage else 0)
    network = network_of(configuration, in_channels, len(structures.channels))
    weights = tuple(_reader(path, network) for path in checkpoints)
    described = Stage(
        stage, network, f"{stage}.safetensors", UNKNOWN_SHA256,
        spacing_of(plans, configuration), tuple(configuration.patch_size), intensity_of(plans, configuration),
        structures.output(_for_part(labels or {}, structures, stage)),
        mirror_axes=tuple(axis for axis in mirror_axes if axis < len(configuration.patch_size)),
        orientation=plans.orientation, axes=plans.axes,
        more_folds=tuple(
            Fold(f"{stage}-{number}.safetensors", UNKNOWN_SHA256) for number in range(1, len(checkpoints))
        ),
        preparation=preparation_of(configuration),
        previous="lowres" if configuration.previous_stage else None,
    )  # fmt: skip
    known = Trained(
        trained.folder,
        trained.dataset or printable(plans.dataset_name),
        printable(trainer) if isinstance(trainer, str) else trained.trainer,
        trained.plans or printable(plans.plans_name),
        printable(name),
    )
    hashes = {f"{path.parent.name}/{path.name}": _hash(path) for path in checkpoints}
    return Part(
        described, weights, known, modality, dataset, plans, hashes, epochs if type(epochs) is int else None
    )


def _reader(path: Path, network: Any) -> Weights:
    """Reads a fold's weights and checks that they are the network's."""

    def read() -> Mapping[str, np.ndarray]:
        with Checkpoint(path) as checkpoint:
            weights = read_weights(checkpoint, len(network.arguments["features_per_stage"]))
        check_fit(network, weights, f"{path.parent.name}/{path.name}")
        return weights

    return read


def _for_part(labels: Mapping[str, str], structures: Labels, stage: str) -> Mapping[str, str]:
    """The user's choices for the network whose labels are the result; the one before it has the same
    names."""
    return {} if stage == "lowres" else labels


def _mirror_axes(values: Mapping[str, Any]) -> Tuple[int, ...]:
    """The axes of the patch along which the network was trained to be mirrored."""
    axes = values.get("inference_allowed_mirroring_axes")
    if not isinstance(axes, (list, tuple)) or not all(type(axis) is int and 0 <= axis <= 2 for axis in axes):
        return ()
    return tuple(sorted(set(axes)))


def _fold_folders(folder: Path, wanted: Optional[Sequence[str]]) -> List[Path]:
    """The folders of the folds that are meant, as nnU-Net takes them: all that have numbers, else "all"."""
    there = {path.name[len("fold_") :]: path for path in _folders(folder) if path.name.startswith("fold_")}
    numbered = sorted((name for name in there if name.isdigit()), key=int)
    names = list(wanted) if wanted else numbered or [name for name in there if name == "all"]
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(Sentence("add.no-such-fold", fold=missing[0], available=", ".join(sorted(there))))
    if not names:
        raise ModelCorruptError(Sentence("add.no-folds", name=folder.name))
    if len(set(names)) > MAX_FOLDS:
        raise ModelError(Sentence("add.too-many-folds", count=len(names), most=MAX_FOLDS))
    return [there[name] for name in dict.fromkeys(names)]


def _checkpoint_in(folder: Path) -> Path:
    for name in CHECKPOINTS:
        if (folder / name).is_file():
            return folder / name
    raise ModelCorruptError(
        Sentence("add.no-checkpoint-in-fold", name=folder.name, wanted=" / ".join(CHECKPOINTS))
    )


def _described(folder: Path) -> Trained:
    """What the names of a trained model's folders say; plans.json and the checkpoint say it again."""
    trainer, plans, configuration = (printable(folder.name).split("__") + ["", "", ""])[:3]
    parent = printable(folder.parent.name)
    dataset = parent if re.match(r"Dataset\d+_", parent) else ""
    return Trained(folder, dataset, trainer, plans, configuration)


def _folders(folder: Path) -> List[Path]:
    """The folders in a folder, by name; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
    return [folder / name for name in sorted(names)[:MAX_ENTRIES] if not name.startswith(".")]


def _hash(path: Path) -> str:
    try:
        return files.sha256_of_file(path)
    except OSError as error:
        raise ModelCorruptError(
            Sentence("model.unreadable", name=path.name, reason=str(error.strerror)), str(error)
        ) from error


def today() -> str:
    """The date, as YYYY-MM-DD."""
    return datetime.date.today().isoformat()
