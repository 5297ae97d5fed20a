"""Writing a model's folder: what training and the converters of other formats end with."""

import json
import os
import struct
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from LiverSegLib.errors import OutputError
from LiverSegLib.models import files
from LiverSegLib.models.files import PathLike
from LiverSegLib.models.manifest import MANIFEST_NAME, Manifest, parse_manifest
from LiverSegLib.models.safetensors import MAX_HEADER_BYTES, METADATA

STORED_AS = {
    "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip
"""numpy's name of a dtype -> that of the safetensors format."""

Tensors = Mapping[str, np.ndarray]
FoldReader = Callable[[], Tensors]
"""Reads one fold's tensors, when they are written: so that never more than one fold's are in memory."""


def write_model(
    folder: PathLike,
    manifest: Union[Manifest, Mapping[str, Any]],
    weights: Mapping[str, Union[Tensors, Sequence[FoldReader]]],
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
                for fold, read in zip(_fold_objects(stage), _readers(weights[stage["name"]])):
                    path = incoming / fold["weights"]
                    save_tensors(path, read(), {"format": "pt"})
                    fold["sha256"] = files.sha256_of_file(path)
            written = parse_manifest(json.dumps(data))
            files.write_synced(incoming / MANIFEST_NAME, written.to_json().encode("utf-8"))
            files.publish_folder(incoming, target)
        finally:
            files.delete_folder(incoming)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"The model cannot be written to {target}: {reason}.", str(error)) from error
    return written


def save_tensors(
    path: PathLike, tensors: Mapping[str, np.ndarray], metadata: Optional[Mapping[str, str]] = None
) -> None:
    """Write ``tensors`` to ``path``; equal input gives equal bytes.

    Args:
        path: the file, replaced if it exists.
        tensors: name -> array of uint8, int8 to int64 or float16 to float64, of any shape and memory
            order.
        metadata: text to text, kept in the header.

    Raises:
        ValueError: a name, a dtype or the metadata cannot be stored.
        OutputError: the file cannot be written.
    """
    header, chunks = _serialise(tensors, metadata)
    try:
        files.write_synced(path, struct.pack("<Q", len(header)), header, *chunks)
    except OSError as error:
        raise OutputError(
            f"The weights cannot be written to {os.path.basename(os.fspath(path))}: {error.strerror}.",
            str(error),
        ) from error


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
    folds = [(stage, fold, number) for stage in stages for number, fold in enumerate(_fold_objects(stage))]
    for stage, fold, number in folds:
        if not fold.get("weights"):
            fold["weights"] = f"{stage['name']}{f'-{number}' if number else ''}.safetensors"
    for stage in stages:
        readers, count = len(_readers(weights[stage["name"]])), len(_fold_objects(stage))
        if readers != count:
            raise ValueError(f"{stage['name']} has {count} folds, the weights are for {readers}")
    if len({fold["weights"] for _, fold, _ in folds}) != len(folds):
        raise ValueError("two stages would be written to the same weights file")
    return stages


def _fold_objects(stage: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The parts of a stage's description that name weights: the stage itself and its further folds."""
    more = stage.get("more_folds") or []
    if not isinstance(more, list) or not all(isinstance(fold, dict) for fold in more):
        raise ValueError("more_folds must be a list of objects")
    return [stage, *more]


def _readers(weights: Union[Tensors, Sequence[FoldReader]]) -> Sequence[FoldReader]:
    if not isinstance(weights, Mapping):
        return weights
    tensors = weights
    return [lambda: tensors]


def _check(data: Mapping[str, Any], stages: List[Dict[str, Any]]) -> None:
    """Refuse a manifest that could not be read back before anything is written."""
    for stage in stages:
        for fold in _fold_objects(stage):
            fold["sha256"] = "0" * 64
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


def _serialise(
    tensors: Mapping[str, np.ndarray], metadata: Optional[Mapping[str, str]]
) -> Tuple[bytes, List[memoryview]]:
    """Return the padded header and the data of each tensor, the widest dtypes first so that all are
    aligned."""
    header: Dict[str, Any] = {}
    if metadata is not None:
        if not all(_is_text(item) for pair in metadata.items() for item in pair):
            raise ValueError("metadata must be text to text")
        header[METADATA] = {key: metadata[key] for key in sorted(metadata)}
    arrays = {name: _storable(name, array) for name, array in tensors.items()}
    chunks: List[memoryview] = []
    position = 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        end = position + array.nbytes
        header[name] = {
            "dtype": STORED_AS[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [position, end],
        }
        chunks.append(memoryview(array.reshape(-1).view(np.uint8)))
        position = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(
            f"the header would take {len(text)} bytes; at most {MAX_HEADER_BYTES} can be read back"
        )
    return text, chunks


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` row-major and little-endian."""
    if not _is_text(name) or name == METADATA:
        raise ValueError(f"a tensor cannot be called {name!r}")
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype.name not in STORED_AS:
        kind = getattr(array, "dtype", None) or type(array).__name__
        raise ValueError(f"the tensor {name!r} is {kind}; available: numpy arrays of {sorted(STORED_AS)}")
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=True)


def _is_text(value: Any) -> bool:
    """Text that UTF-8 can hold: JSON escapes can make lone surrogates."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
