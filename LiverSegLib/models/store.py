"""Where models live and how they are found.

There are two places: the models bundled with LiverSeg, which are never written to, and the user's folder. A
name is looked up in the user's folder first, so that a newer copy which the user installed on purpose is the
one that runs; the name "default" always means the bundled model, so that nothing which was installed can
change what a plain ``liverseg segment`` of a CT does. Of MR, "default" means the bundled model for MR or,
without one, the user's only one. Every result's provenance holds the model's hash, which tells
the two apart.
"""

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from LiverSegLib.errors import ModelCorruptError, ModelError, ModelNotFoundError
from LiverSegLib.labels import LIVER
from LiverSegLib.models import files
from LiverSegLib.models.files import MAX_WEIGHTS_BYTES, PathLike
from LiverSegLib.models.manifest import MANIFEST_NAME, Manifest, read_manifest, require_liverseg
from LiverSegLib.models.rules import CT
from LiverSegLib.models.safetensors import load_state_dict, open_tensors
from LiverSegLib.models.stage import stage_files
from LiverSegLib.sentences import Sentence

DEFAULT_NAME = "default"
"""What the bundled model answers to."""
DEFAULT_MR_NAME = "mr"
"""What the bundled model for MR is called, and of several that the user has, the one that is taken."""
STORE_VARIABLE = "LIVERSEG_MODELS"
"""Environment variable that replaces the user's folder of models."""

BUNDLED = "bundled"
USER = "user"
FOLDER = "folder"
"""Where a model was found: shipped with LiverSeg, in the user's folder, or in a folder that the caller
named."""


@dataclass(frozen=True)
class Model:
    """A model on the disk.

    ``origin`` is BUNDLED, USER or FOLDER. ``error`` says why a listed model cannot be used, and ``manifest``
    is None when it is the manifest that is broken; a model from :func:`load_model` has a manifest and no
    error.
    """

    path: Path
    origin: str
    manifest: Optional[Manifest]
    error: Optional[ModelError] = None

    @property
    def name(self) -> str:
        """The manifest's name, or the folder's where the manifest cannot be read."""
        return self.path.name if self.manifest is None else self.manifest.name

    @property
    def sha256(self) -> str:
        """Hash of all that decides the model's output: every stage's description, which holds its weights'
        hash.

        Texts such as the measured accuracy do not count, so that correcting one leaves results comparable.
        """
        stages = json.dumps(self._valid.to_dict()["stages"], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(stages.encode("utf-8")).hexdigest()

    @property
    def size_bytes(self) -> int:
        """Bytes of the manifest and the weights that are there."""
        names = {MANIFEST_NAME}
        if self.manifest is not None:
            names.update(name for stage in self.manifest.stages for name in stage_files(stage))
        return sum(os.path.getsize(self.path / name) for name in names if (self.path / name).is_file())

    def read_weights(self, stage: str, fold: int = 0) -> bytearray:
        """The bytes of a stage's weights file, whose SHA-256 has been checked.

        Raises:
            ModelCorruptError: missing, unreadable, leading out of the model's folder, or not as the manifest
                says.
            KeyError: no such stage.
        """
        described = self._valid.stage(stage).folds[fold]
        return self._read(described.weights, described.sha256)

    def read_graph(self, stage: str, fold: int = 0) -> Optional[bytearray]:
        """The bytes of a stage's ONNX file, whose SHA-256 has been checked; None if it has none.

        Raises:
            ModelCorruptError, KeyError: as :meth:`read_weights`.
        """
        graph = self._valid.stage(stage).folds[fold].graph
        return None if graph is None else self._read(graph.file, graph.sha256)

    def state_dict(self, stage: str, fold: int = 0) -> Dict[str, object]:
        """A stage's weights as ``torch.Tensor`` by name, on the CPU. The checksum comes before any parsing.

        Raises:
            ModelCorruptError: as :meth:`read_weights`, or the file is no valid safetensors file.
            DeviceError: PyTorch is not installed.
            KeyError: no such stage.
        """
        return load_state_dict(self.read_weights(stage, fold))

    def verify(self) -> None:
        """Check every file: its checksum and, of weights, its layout. Needs no PyTorch.

        Raises:
            ModelError: what is wrong.
        """
        if self.error is not None:
            raise self.error
        for stage in self._valid.stages:
            for fold in range(len(stage.folds)):
                open_tensors(self.read_weights(stage.name, fold))
                self.read_graph(stage.name, fold)

    def _read(self, name: str, sha256: str) -> bytearray:
        data = files.read_within(_checked_path(self.path, name), MAX_WEIGHTS_BYTES)
        found = files.sha256(data)
        if found != sha256:
            raise ModelCorruptError(
                Sentence("model.checksum", weights=name, name=self.name),
                f"{self.path / name}: expected {sha256}, found {found}",
            )
        return data

    @property
    def _valid(self) -> Manifest:
        if self.manifest is None:
            raise self.error or ModelCorruptError(Sentence("model.no-description", name=self.name))
        return self.manifest


def user_models_folder() -> Path:
    """The user's folder of models; it need not exist.

    ``$LIVERSEG_MODELS``, or else the platform's place for application data: ``%LOCALAPPDATA%`` on Windows,
    ``~/Library/Application Support`` on macOS, ``$XDG_DATA_HOME`` (``~/.local/share``) elsewhere.
    """
    chosen = os.environ.get(STORE_VARIABLE)
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "LiverSeg" / "Models"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "LiverSeg" / "Models"
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification asks that relative paths be ignored.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "liverseg" / "models"


def bundled_models_folder() -> Optional[Path]:
    """``Resources/Models`` inside the package (as pip installs it) or beside it (checkout, Slicer), or
    None."""
    package = Path(__file__).resolve().parent.parent
    for parent in (package, package.parent):
        folder = parent / "Resources" / "Models"
        if folder.is_dir():
            return folder
    return None


def list_models() -> List[Model]:
    """All models, the bundled ones first, each group by name. A broken one is listed with its ``error``.

    Weights are looked for but not read; :meth:`Model.verify` reads them.

    Raises:
        ModelError: one of the two folders exists but cannot be listed.
    """
    return _models_in(bundled_models_folder(), BUNDLED) + _models_in(user_models_folder(), USER)


def load_model(name_or_folder: PathLike) -> Model:
    """Find a model and read its manifest.

    Args:
        name_or_folder: "default"; or the name of a model, the user's before the bundled; or a folder. A path
            object, or a text with a path separator, is always a folder; any other text is first tried as a
            name.

    Raises:
        ModelNotFoundError: nothing of that name; the sentence lists what there is.
        ModelCorruptError: the manifest is not valid, or a weights file is missing.
        ModelVersionError: it is in a newer format or asks for a newer LiverSeg.
    """
    path, origin = _find(name_or_folder)
    model = _describe(path, origin)
    if model.error is not None:
        raise model.error
    return model


def load_model_for(name_or_folder: PathLike, modality: str) -> Model:
    """Find a model as :func:`load_model` does, where "default" is the one for images of a modality.

    Args:
        name_or_folder: as for :func:`load_model`.
        modality: "CT" or "MR". Whether a model that is named otherwise is for it, the caller looks.

    Raises:
        ModelNotFoundError: nothing of that name, or no model for MR.
        ModelError: as :func:`load_model`, or there are several for MR and none is called ``DEFAULT_MR_NAME``.
    """
    if name_or_folder != DEFAULT_NAME or modality == CT:
        return load_model(name_or_folder)
    fitting = [model for model in list_models() if _draws_liver_in(model, modality)]
    for origin in (BUNDLED, USER):
        models = [model for model in fitting if model.origin == origin]
        named = [model for model in models if model.name == DEFAULT_MR_NAME]
        if len(named) == 1 or len(models) == 1:
            return (named or models)[0]
        if models:
            names = ", ".join(model.name for model in models)
            raise ModelError(Sentence("model.several-mr", names=names))
    raise ModelNotFoundError(Sentence("model.no-mr"))


def _draws_liver_in(model: Model, modality: str) -> bool:
    """Whether a model can be used, for images of a modality, and draws a liver."""
    manifest = model.manifest
    if model.error is not None or manifest is None or manifest.modality != modality:
        return False
    return any(LIVER in stage.output.channel_labels for stage in manifest.result_stages)


def _find(name_or_folder: PathLike) -> Tuple[Path, str]:
    """Return a model's folder and its origin."""
    text = os.fspath(name_or_folder)
    is_path = not isinstance(name_or_folder, str) or text.startswith("~") or bool({"/", os.sep} & set(text))
    if not is_path:
        if text == DEFAULT_NAME:
            return _default_model().path, BUNDLED
        for folder, origin in ((user_models_folder(), USER), (bundled_models_folder(), BUNDLED)):
            model = _named_model(_models_in(folder, origin), text)
            if model is not None:
                return model.path, origin
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if text and os.path.lexists(path / MANIFEST_NAME):
        return path, FOLDER
    if is_path and path.is_dir():
        names = {"path": str(path), "manifest": MANIFEST_NAME}
        raise ModelNotFoundError(Sentence("model.no-model-in-folder", **names))
    raise _not_found(text)


def _default_model() -> Model:
    models = _models_in(bundled_models_folder(), BUNDLED)
    model = _named_model(models, DEFAULT_NAME) or (models[0] if len(models) == 1 else None)
    if model is None:
        raise _not_found(DEFAULT_NAME)
    return model


def _named_model(models: List[Model], name: str) -> Optional[Model]:
    """The model called ``name``, else the one whose folder is."""
    by_name = [model for model in models if model.name == name]
    by_folder = [model for model in models if model.path.name == name]
    return next(iter(by_name + by_folder), None)


def _not_found(name: str) -> ModelNotFoundError:
    """The error that there is no model of that name; it lists those there are."""
    models = list_models()
    available = sorted({model.name for model in models if model.error is None})
    if any(model.origin == BUNDLED and model.error is None for model in models):
        available = [DEFAULT_NAME] + [other for other in available if other != DEFAULT_NAME]
    places = [str(folder) for folder in (user_models_folder(), bundled_models_folder()) if folder is not None]
    text = (
        Sentence("model.unknown", name=name, available=", ".join(available))
        if available
        else Sentence("model.none-there", name=name)
    )
    return ModelNotFoundError(text, f"Looked in {places}")


def _models_in(folder: Optional[Path], origin: str) -> List[Model]:
    """Every model in a store, by name; hidden folders are work in progress."""
    if folder is None:
        return []
    try:
        if not folder.is_dir():
            return []
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        text = Sentence("model.folder-unreadable", folder=str(folder), reason=str(error.strerror))
        raise ModelError(text, str(error)) from error
    return sorted(
        (_describe(entry, origin) for entry in entries), key=lambda model: (model.name, model.path.name)
    )


def _describe(path: Path, origin: str) -> Model:
    """Read a model's manifest and look for its weights."""
    manifest = None
    try:
        manifest = read_manifest(path)
        require_liverseg(manifest, _liverseg_version())
        for stage in manifest.stages:
            for name in stage_files(stage):
                _checked_path(path, name)
    except ModelError as error:
        return Model(path, origin, manifest, error)
    return Model(path, origin, manifest)


def _liverseg_version() -> str:
    import LiverSegLib  # here, because the package imports this module while it is being imported

    return LiverSegLib.__version__


def _checked_path(folder: Path, name: str) -> Path:
    """The path of a model's file, which must be a file of the folder itself and not a link out of it."""
    path = folder / name
    resolved = Path(os.path.realpath(path))
    if resolved.parent != Path(os.path.realpath(folder)):
        raise ModelCorruptError(Sentence("model.leads-out", name=name), str(resolved))
    if not resolved.is_file():
        raise ModelCorruptError(Sentence("model.lacks-file", name=name), str(path))
    return path
