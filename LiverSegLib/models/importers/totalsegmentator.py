"""TotalSegmentator's weights: trained models of nnU-Net, whose tasks, classes and first steps its own program
knows.

What that program does beside nnU-Net stands in ``totalsegmentator.json``, with its source: it resamples a
scan before nnU-Net has it, cuts it to the liver for some tasks, and puts the classes of several networks
together: "total" is five networks side by side. Such a task becomes one model with a stage for each network.
A task of which only some networks are there becomes a model of those.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from LiverSegLib.errors import ModelCorruptError, UsageError
from LiverSegLib.labels import BACKGROUND, LIVER
from LiverSegLib.models.importers.labelling import BACKGROUND_NAME, chosen_labels, guessed_labels
from LiverSegLib.models.importers.nnunet import Part, Trained, read_part
from LiverSegLib.models.rules import PARTS, SEGMENT
from LiverSegLib.models.stage import FirstResampling, Output, Preparation, Region
from LiverSegLib.sentences import Sentence

FACTS = Path(__file__).with_name("totalsegmentator.json")
PROGRAM = "TotalSegmentator"
CITATION = (
    "Wasserthal, J., et al. (2023). TotalSegmentator: robust segmentation of 104 anatomic structures in CT "
    "images. Radiology: Artificial Intelligence 5(5). doi:10.1148/ryai.230024. Isensee, F., et al. (2021). "
    "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation. Nature "
    "Methods 18, 203-211."
)


@dataclass(frozen=True)
class Task:
    """One of TotalSegmentator's tasks, with those of its networks that are there.

    Attributes:
        name: as its program has it, with "_fast" or "_fastest" for the coarser ones.
        entry: its facts.
        networks: the trained model and the entry of each network, in the order in which they are put
            together.
    """

    name: str
    entry: Mapping[str, Any]
    networks: Tuple[Tuple[Trained, Mapping[str, Any]], ...]

    @property
    def complete(self) -> bool:
        return len(self.networks) == len(self.entry["datasets"])

    @property
    def title(self) -> str:
        """The task's name, and which of its networks if they are not all."""
        return (
            self.name
            if self.complete
            else "-".join([self.name, *(entry["part"] for _, entry in self.networks)])
        )

    def facts(self) -> Dict[str, Any]:
        """What a manifest says of it."""
        names = [name for _, entry in self.networks for name in self.classes(entry)]
        listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        return {
            "program": PROGRAM,
            "name": f"totalsegmentator-{self.title.replace('_', '-')}",
            "version": self.entry["version"],
            "description": f"{PROGRAM}'s task {self.title}, {len(names)} structures: {listed}.",
            "licence": _facts()["licences"][self.entry["licence"]],
            "citation": CITATION,
        }

    def classes(self, network: Mapping[str, Any]) -> List[str]:
        """The classes of one of its networks, in the order of their channels after the background's."""
        classes: List[str] = _facts()["classes"][network.get("classes", self.entry["classes"])]
        return classes


def task_of(found: Sequence[Trained], wanted: Optional[str]) -> Optional[Task]:
    """The task whose networks were found; None if they are not TotalSegmentator's.

    Args:
        found: trained models.
        wanted: a task's name, where there may be several.

    Raises:
        UsageError: there are several tasks and none was chosen.
    """
    by_dataset = {trained.dataset: trained for trained in found}
    tasks = []
    for name, entry in _facts()["tasks"].items():
        if entry.get("only_by_name") and wanted != name:  # its data set has a name that others use too
            continue
        networks = [
            (_fitting(found, by_dataset[dataset["name"]], entry), dataset)
            for dataset in entry["datasets"]
            if dataset["name"] in by_dataset
        ]
        if networks:
            tasks.append(Task(name, entry, tuple(networks)))
    chosen = [task for task in tasks if wanted in (task.name, task.title)]
    if chosen:
        return chosen[0]
    known = {trained.dataset for task in tasks for trained, _ in task.networks}
    if not tasks or not set(by_dataset) <= known:
        return None
    if len(tasks) > 1:
        raise UsageError(Sentence("add.several-tasks", available=", ".join(task.title for task in tasks)))
    return tasks[0] if wanted is None else None


def read_task(
    task: Task,
    *,
    folds: Optional[Sequence[str]] = None,
    labels: Optional[Mapping[str, str]] = None,
) -> Tuple[Part, ...]:
    """The networks of a task as stages.

    Args:
        task: with the networks that are there.
        folds: names of folds; those that TotalSegmentator uses if None.
        labels: structure -> label, as the user chose.

    Raises:
        ModelError: a network cannot be read, or is none of this task's.
        UsageError: no such fold, structure or label.
    """
    every = _facts()["classes"][task.entry["classes"]]
    there = [name for _, network in task.networks for name in task.classes(network)]
    meant = {**guessed_labels(there), **chosen_labels(labels or {}, there)}
    single, parts = len(task.networks) == 1, []
    for (trained, network), stage in zip(task.networks, PARTS):
        part = read_part(trained, SEGMENT if single else stage, folds=folds or task.entry["folds"])
        names = task.classes(network)
        if len(part.stage.output.channels) != len(names) + 1 or part.stage.output.activation != "softmax":
            raise ModelCorruptError(Sentence("add.other-classes", name=trained.dataset, task=task.name))
        output = Output(
            "softmax",
            (BACKGROUND_NAME, *names),
            {name: meant[name] for name in names if meant.get(name, BACKGROUND) != BACKGROUND},
            (0, *(every.index(name) + 1 for name in names)),
        )
        prepared = _prepared(part.stage.preparation or Preparation(), task.entry)
        described = replace(part.stage, output=output, orientation="RAS", preparation=prepared)
        parts.append(replace(part, stage=described, modality=task.entry["modality"]))
    return tuple(parts)


def licence_of(dataset: str) -> Optional[str]:
    """The licence of TotalSegmentator's weights for other tasks than those that are known here."""
    kind = _facts()["other_datasets"].get(dataset)
    return None if kind is None else _facts()["licences"].get(kind, kind)


def _prepared(preparation: Preparation, entry: Mapping[str, Any]) -> Preparation:
    """nnU-Net's steps with TotalSegmentator's before them."""
    spacing, margin = entry["spacing"], entry.get("liver_margin_mm")
    return replace(
        preparation,
        tile_step=float(entry["tile_step"]),
        first=None if spacing is None else FirstResampling((spacing[0], spacing[1], spacing[2])),
        region=None if margin is None else Region(LIVER, float(margin)),
    )


def _fitting(found: Sequence[Trained], first: Trained, entry: Mapping[str, Any]) -> Trained:
    """Of a data set's trained models, that of the configuration which the task uses."""
    same = [trained for trained in found if trained.dataset == first.dataset]
    usual = [trained for trained in same if trained.configuration == entry["configuration"]]
    return (usual or same)[0]


@lru_cache(maxsize=1)
def _facts() -> Dict[str, Any]:
    facts: Dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))
    return facts
