"""Models of other programs in the user's folder: added whole or not at all, shown before they are,
removed."""

import contextlib
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Mapping, Optional, Sequence, Tuple

from LiverSegLib.errors import ModelError, ModelNotFoundError, UsageError, write_failure
from LiverSegLib.models import files
from LiverSegLib.models.files import PathLike, quoted
from LiverSegLib.models.importers.archive import unpacked
from LiverSegLib.models.importers.described import Described, described
from LiverSegLib.models.importers.monai import WANTED as BUNDLE
from LiverSegLib.models.importers.monai import find_bundle, read_bundle
from LiverSegLib.models.importers.nnunet import CHECKPOINTS, DATASET, PLANS
from LiverSegLib.models.importers.validation import SUMMARY
from LiverSegLib.models.manifest import Manifest
from LiverSegLib.models.rules import NAME
from LiverSegLib.models.store import DEFAULT_NAME, USER, Model, list_models, load_model, user_models_folder
from LiverSegLib.models.writer import write_model
from LiverSegLib.sentences import Sentence

WANTED = (PLANS, DATASET, *CHECKPOINTS, *BUNDLE)
"""All that is taken out of an archive."""
LEFT_OVER_S = 86400.0
"""Age at which a folder that was being filled counts as left by a process that was killed."""


@dataclass(frozen=True)
class Options:
    """What a user may say of a model that is added.

    Attributes:
        name: in the user's folder; made of the model's own if None.
        configuration: of nnU-Net, such as "3d_fullres", where there are several.
        folds: which are used, as "0" or "all"; every numbered one if None.
        labels: structure of the model -> "liver", "spleen", "tumour" or "none".
        licence: of the weights, if their authors' files do not say it.
    """

    name: Optional[str] = None
    configuration: Optional[str] = None
    folds: Optional[Sequence[str]] = None
    labels: Optional[Mapping[str, str]] = None
    licence: Optional[str] = None


@dataclass(frozen=True)
class Candidate:
    """A model that can be added: described and checked, but not yet written. Valid within
    :func:`opened_model`."""

    content: Described

    @property
    def manifest(self) -> Manifest:
        """What it will be; the weights' hashes are not known yet."""
        return self.content.manifest

    def add(self) -> Model:
        """Write the model into the user's folder.

        Raises:
            ModelError: the weights do not fit, or cannot be read.
            OutputError: the folder cannot be written, the disk is full.
        """
        folder = user_models_folder() / self.manifest.name
        _check_free(self.manifest.name)
        write_model(folder, self.manifest, self.content.weights)
        return load_model(self.manifest.name)


@contextlib.contextmanager
def opened_model(source: PathLike, options: Optional[Options] = None) -> Iterator[Candidate]:
    """Look at a model of another program, before it is added.

    Args:
        source: a trained model's folder, a folder of several, or a zip archive.
        options: what is to be known of it.

    Raises:
        UsageError: something must be chosen, or was chosen that is not there.
        ModelError: no model, damaged, hostile, or it needs what LiverSeg does not run.
        OutputError: the archive cannot be unpacked.
    """
    path, wishes = Path(source), options or Options()
    if wishes.name is not None:
        _check_name(wishes.name)
        _check_free(wishes.name)
    with _as_folder(path) as (folder, sha256):
        content = _content(folder, path.name or path.resolve().name, sha256, wishes)
        _check_free(content.manifest.name)
        yield Candidate(content)


def add_model(
    source: PathLike,
    *,
    name: Optional[str] = None,
    configuration: Optional[str] = None,
    folds: Optional[Sequence[str]] = None,
    labels: Optional[Mapping[str, str]] = None,
    licence: Optional[str] = None,
) -> Model:
    """Add a model of another program to the user's models.

    Args:
        source: a trained model's folder of nnU-Net v2 or TotalSegmentator, a folder of several, or a zip
            archive.
        name, configuration, folds, labels, licence: see :class:`Options`.

    Returns:
        The model in the user's folder.

    Raises:
        UsageError: something must be chosen, or was chosen that is not there; the name is taken.
        ModelError: no model, damaged, hostile, or it needs what LiverSeg does not run.
        OutputError: it cannot be written. Nothing is left then.
    """
    with opened_model(source, Options(name, configuration, folds, labels, licence)) as candidate:
        return candidate.add()


def remove_model(name: str) -> Path:
    """Delete a model from the user's folder.

    Args:
        name: the model's, or its folder's.

    Returns:
        The folder that is gone.

    Raises:
        ModelNotFoundError: there is none of that name in the user's folder.
        UsageError: the model is bundled with LiverSeg.
        OutputError: it cannot be deleted; it is then still whole.
    """
    added = [model for model in list_models() if model.origin == USER]
    found = [model for model in added if name in (model.name, model.path.name)]
    if not found:
        if name == DEFAULT_NAME or any(model.name == name for model in list_models()):
            raise UsageError(Sentence("remove.bundled", name=name))
        names = ", ".join(model.name for model in added)
        key = "remove.unknown" if names else "remove.none-there"
        raise ModelNotFoundError(Sentence(key, name=name, **({"available": names} if names else {})))
    path = found[0].path
    try:
        files.withdraw_folder(path)
    except OSError as error:
        raise write_failure(error, str(path.parent), "remove.failed") from error
    return path


def _content(folder: Path, file: str, sha256: Optional[str], wishes: Options) -> Described:
    """The model in a folder, of whichever program."""
    bundle = find_bundle(folder)
    if bundle is not None:
        return read_bundle(
            bundle, file, sha256, labels=wishes.labels, name=wishes.name, licence=wishes.licence
        )
    return described(
        folder, file, sha256,
        configuration=wishes.configuration, folds=wishes.folds, labels=wishes.labels,
        name=wishes.name, licence=wishes.licence,
    )  # fmt: skip


@contextlib.contextmanager
def _as_folder(path: Path) -> Iterator[Tuple[Path, Optional[str]]]:
    """The folder that a source is, or that it is unpacked into, and the hash of a file."""
    if path.is_dir():
        yield path, None
        return
    if not path.exists():
        raise ModelNotFoundError(Sentence("add.missing", name=quoted(str(path))))
    if path.suffix.lower() != ".zip":
        raise ModelError(Sentence("add.kind", name=path.name))
    parent = user_models_folder()
    with contextlib.ExitStack() as stack:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _remove_left_over(parent)
            sha256 = files.sha256_of_file(path)
            incoming = Path(tempfile.mkdtemp(prefix=files.INCOMING, dir=parent))
            folder = stack.enter_context(unpacked(path, incoming, (*WANTED, SUMMARY)))
        except OSError as error:
            raise write_failure(error, str(parent), "add.failed") from error
        yield folder, sha256


def _remove_left_over(parent: Path) -> None:
    """Delete folders that a process which was killed had begun to fill."""
    for folder in _hidden(parent):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > LEFT_OVER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _hidden(parent: Path) -> List[Path]:
    return [path for path in parent.iterdir() if path.name.startswith(files.INCOMING) and path.is_dir()]


def _check_name(name: str) -> None:
    if not NAME.holds(name):
        raise UsageError(Sentence("add.name", name=quoted(name)))


def _check_free(name: str) -> None:
    """Raise UsageError if a model or a folder of the name is there; case does not matter on most disks."""
    taken = {DEFAULT_NAME, *(model.name.lower() for model in list_models())}
    parent = user_models_folder()
    if parent.is_dir():
        taken |= {path.name.lower() for path in parent.iterdir()}
    if name.lower() in taken:
        raise UsageError(Sentence("add.name-taken", name=name))
