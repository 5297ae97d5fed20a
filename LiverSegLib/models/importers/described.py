"""A model of another program as a manifest of ours: its networks, its name, its licence, where it comes
from."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from LiverSegLib.labels import LABELS
from LiverSegLib.models.files import printable
from LiverSegLib.models.importers import totalsegmentator
from LiverSegLib.models.importers.nnunet import Part, Weights, choose, find_trained, read_parts, today
from LiverSegLib.models.importers.validation import measured
from LiverSegLib.models.manifest import FORMAT_VERSION, Manifest, Source

NNUNET = "nnunet"
NOT_STATED = "Not stated by the model's authors"
NNUNET_CITATION = (
    "Isensee, F., et al. (2021). nnU-Net: a self-configuring method for deep learning-based biomedical image "
    "segmentation. Nature Methods 18, 203-211. doi:10.1038/s41592-020-01008-z"
)
LIMITATIONS = "LiverSeg has not measured how accurate this model is. For research use only."
LISTED = 12
"""Structures that a description names."""


@dataclass(frozen=True)
class Described:
    """A manifest and, by stage, the readers of its weights."""

    manifest: Manifest
    weights: Mapping[str, Sequence[Weights]]


def described(
    folder: Path,
    file: str,
    sha256: Optional[str],
    *,
    configuration: Optional[str] = None,
    folds: Optional[Sequence[str]] = None,
    labels: Optional[Mapping[str, str]] = None,
    name: Optional[str] = None,
    licence: Optional[str] = None,
) -> Described:
    """Describe the trained model in a folder.

    Args:
        folder: what was given, or what an archive was unpacked into.
        file: the name of what was given, and ``sha256`` its hash if it is a file.
        configuration, folds, labels, name, licence: as the user chose; see ``adding.Options``.

    Raises:
        UsageError, ModelError: as :func:`nnunet.choose` and :func:`nnunet.read_parts`.
    """
    found = find_trained(folder)
    task = totalsegmentator.task_of(found, configuration)
    if task is not None:
        parts = totalsegmentator.read_task(task, folds=folds, labels=labels)
        facts = task.facts()
    else:
        parts = read_parts(choose(found, configuration), folds=folds, labels=labels)
        facts = {**_facts(parts), "accuracy": measured(parts[-1])}
        facts["licence"] = totalsegmentator.licence_of(parts[-1].trained.dataset) or facts["licence"]
    if licence is not None:
        facts["licence"] = licence
    source = replace(_source(parts, file, sha256), program=facts.pop("program"))
    manifest = Manifest(
        name=name or plain_name(facts.pop("name")),
        stages=tuple(part.stage for part in parts),
        pipeline=NNUNET,
        modality=parts[-1].modality,
        source=source,
        format_version=FORMAT_VERSION,
        limitations=LIMITATIONS,
        **{key: value for key, value in facts.items() if key != "name"},
    )
    return Described(manifest, {part.stage.name: part.weights for part in parts})


def _facts(parts: Sequence[Part]) -> Dict[str, Any]:
    """Name, description, licence and citation of a model of nnU-Net's."""
    last = parts[-1]
    dataset = re.sub(r"^Dataset\d+_", "", last.trained.dataset) or last.trained.dataset
    folds = len(last.weights)
    about = f"{dataset}, {last.trained.configuration} of nnU-Net"
    text = last.dataset.get("description")
    reference = plain_text(last.dataset.get("reference"))
    return {
        "program": "nnU-Net v2",
        "name": f"{dataset}-{last.trained.configuration}",
        "version": "1",
        "description": f"{about}{f' ({folds} folds)' if folds > 1 else ''}: {structures_text(parts)}."
        + (f" {plain_text(text)}" if plain_text(text) else ""),
        "licence": _licence(last.dataset),
        "citation": f"{NNUNET_CITATION}{f' Data set: {reference}' if reference else ''}",
    }


def structures_text(parts: Sequence[Part]) -> str:
    """The first structures of a model in words, those that are LiverSeg's labels with what they count as."""
    words: List[str] = []
    for part in parts:
        if part.stage.name == "lowres":
            continue
        for name, value in zip(part.stage.output.channels, part.stage.output.channel_labels):
            if name != "background":
                known = LABELS.get(value)
                words.append(f"{name} (as {known.name.lower()})" if known and known.key != name else name)
    more = len(words) - LISTED
    return ", ".join(words[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _licence(dataset: Mapping[str, Any]) -> str:
    """nnU-Net's files have a licence for the data only."""
    said = plain_text(dataset.get("licence", dataset.get("license")))
    return f"{NOT_STATED}; its data set: {said}" if said else NOT_STATED


def _source(parts: Sequence[Part], file: str, sha256: Optional[str]) -> Source:
    last = parts[-1]
    hashes = {
        f"{part.trained.folder.parent.name}/{part.trained.folder.name}/{path}": value
        for part in parts
        for path, value in part.checkpoints.items()
    }
    return Source(
        program="", file=plain_text(file) or "model", added=today(), sha256=sha256, checkpoints=hashes,
        dataset=last.trained.dataset, trainer=last.trained.trainer, configuration=last.trained.configuration,
        epochs=last.epochs,
    )  # fmt: skip


def plain_text(value: Any) -> str:
    """A value of a stranger's file that should be text; empty for anything else."""
    return printable(value) if isinstance(value, str) else ""


def plain_name(text: str) -> str:
    """A name that a model can have, made of any text."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64].rstrip(".-")
    return plain or "model"
