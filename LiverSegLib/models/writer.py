"""Writing a model's folder: what training and the converters of other formats end with."""

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Union

import numpy as np

from LiverSegLib.errors import OutputError
from LiverSegLib.models import files
from LiverSegLib.models.files import PathLike
from LiverSegLib.models.manifest import MANIFEST_NAME, Manifest, parse_manifest
from LiverSegLib.models.safetensors import save_tensors


def write_model(
    folder: PathLike,
    manifest: Union[Manifest, Mapping[str, Any]],
    weights: Mapping[str, Mapping[str, np.ndarray]],
) -> Manifest:
    """Write a model's manifest and weights; the folder appears whole or not at all.

    Args:
        folder: where to; an empty folder or an older model there is replaced, anything else refused.
        manifest: a :class:`Manifest`, or the same as plain JSON values. Whatever its stages give as
        ``sha256``
            is replaced by the hash of what was written; ``weights`` left out or empty becomes
            "<stage>.safetensors".
        weights: stage name -> tensor name -> array, for every stage of the manifest.

    Returns:
        The manifest as written.

    Raises:
        ValueError: the stages of ``weights`` and of the manifest differ, or a tensor cannot be stored.
        ModelCorruptError: the manifest is not valid; the sentence names the field.
        OutputError: the folder cannot be written, or holds something else than a model.
    """
    target = Path(os.path.abspath(os.fspath(folder)))
    data = _as_json(manifest)
    stages = _stage_objects(data, weights)
    _check(data, stages)
    try:
        _refuse_other_content(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        incoming = files.make_incoming(target.parent)
        try:
            for stage in stages:
                path = incoming / stage["weights"]
                save_tensors(path, weights[stage["name"]], {"format": "pt"})
                stage["sha256"] = files.sha256(path.read_bytes())
            written = parse_manifest(json.dumps(data))
            files.write_whole(incoming / MANIFEST_NAME, written.to_json().encode("utf-8"))
            files.publish_folder(incoming, target)
        finally:
            files.delete_folder(incoming)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"The model cannot be written to {target}: {reason}.", str(error)) from error
    return written


def _as_json(manifest: Union[Manifest, Mapping[str, Any]]) -> Dict[str, Any]:
    """A copy as plain JSON values."""
    data = manifest.to_dict() if isinstance(manifest, Manifest) else dict(manifest)
    result: Dict[str, Any] = json.loads(json.dumps(data, allow_nan=False))
    return result


def _stage_objects(data: Dict[str, Any], weights: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The manifest's stages, each with a name for its weights file."""
    stages = data.get("stages")
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise ValueError("the manifest needs a list of stages")
    names = [stage.get("name") for stage in stages]
    if sorted(map(str, names)) != sorted(weights):
        raise ValueError(f"the manifest has the stages {names}, the weights are for {sorted(weights)}")
    for stage in stages:
        if not stage.get("weights"):
            stage["weights"] = f"{stage['name']}.safetensors"
    files_named = {stage["weights"] for stage in stages}
    if len(files_named) != len(stages):
        raise ValueError("two stages would be written to the same weights file")
    return stages


def _check(data: Mapping[str, Any], stages: List[Dict[str, Any]]) -> None:
    """Refuse a manifest that could not be read back before anything is written."""
    for stage in stages:
        stage["sha256"] = "0" * 64
    parse_manifest(json.dumps(data))


def _refuse_other_content(target: Path) -> None:
    """Raise unless ``target`` is absent, empty, or a model."""
    if not os.path.lexists(target):
        return
    if not target.is_dir() or target.is_symlink():
        raise OutputError(f"{target} exists and is no folder.")
    names = [entry.name for entry in target.iterdir()]
    if names and MANIFEST_NAME not in names:
        raise OutputError(f"The folder {target} holds something else than a model; please choose another.")
