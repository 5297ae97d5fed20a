"""Putting models into the user's folder and taking them out. What is installed is taken for hostile."""

import os
import re
import struct
import time
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterator, List, Optional, Union

from LiverSegLib.errors import ModelCorruptError, ModelNotFoundError, OutputError, UsageError
from LiverSegLib.models import files, store
from LiverSegLib.models.files import MAX_TEXT_BYTES, MAX_WEIGHTS_BYTES, PathLike
from LiverSegLib.models.manifest import MANIFEST_NAME, WEIGHTS_SUFFIX, read_manifest
from LiverSegLib.models.store import Model

MAX_ARCHIVE_BYTES = 4 * 1024**3
"""Most that an archive may unpack to."""
MAX_ARCHIVE_ENTRIES = 1000
MAX_ARCHIVE_RATIO = 100
"""Weights hardly compress; an archive that grows a hundredfold (once past FREE_RATIO_BYTES) is a zip bomb."""
FREE_RATIO_BYTES = 16 * 1024**2
ABANDONED_SECONDS = 24 * 3600.0
"""Age at which a half-filled folder in the store is taken for the leftover of a killed installation."""

_DOCUMENT = re.compile(
    r"(?i)(?:licen[sc]e|readme|notice|citation)[A-Za-z0-9._-]{0,60}|[A-Za-z0-9_-]{1,60}\.(?:md|txt)"
)
_MAX_DOCUMENTS = 16
_CHUNK_BYTES = 1024**2
_UNIX_TYPE_SHIFT = 16
_READING_TROUBLES = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, RuntimeError, OverflowError,
)  # fmt: skip


def install_model(source: PathLike, *, replace: bool = False) -> Model:
    """Copy a model into the user's folder; it appears there whole or not at all.

    Only the manifest, the weights that it names and documents (licence, read-me, other ``.md`` and ``.txt``
    files up to 1 MiB) are copied, and every checksum is verified on the copy.

    Args:
        source: a model's folder, or a zip archive that holds one at its root or in its one folder.
        replace: whether a model of the same name may be replaced.

    Raises:
        ModelNotFoundError: ``source`` does not exist or holds no model.
        ModelCorruptError: the model or the archive is damaged or hostile.
        ModelVersionError: the model needs a newer LiverSeg.
        UsageError: a model of that name is installed already, or the name is reserved.
        OutputError: the user's folder cannot be written.
    """
    origin = Path(os.path.expanduser(os.fspath(source)))
    library = store.user_models_folder()
    with _writing_to(library):
        library.mkdir(parents=True, exist_ok=True)
        files.tidy(library, older_than_seconds=ABANDONED_SECONDS, now=time.time())
        incoming = files.make_incoming(library)
    try:
        if origin.is_dir():
            _copy_from_folder(origin, incoming)
        elif origin.is_file():
            _copy_from_archive(origin, incoming)
        else:
            raise ModelNotFoundError(f"There is no model folder or zip archive {origin}.")
        model = store.describe(incoming, store.USER)
        model.verify()
        target = library / _installable_name(model, replace)
        with _writing_to(library):
            files.publish_folder(incoming, target, replace=replace)
    finally:
        files.delete_folder(incoming)
    return store.describe(target, store.USER)


def remove_model(name: str) -> None:
    """Delete a model from the user's folder.

    Raises:
        UsageError: the model is bundled with LiverSeg.
        ModelNotFoundError: no model of that name is installed; the sentence lists what there is.
        OutputError: it cannot be deleted.
    """
    user_folder = store.user_models_folder()
    model = store.named_model(store.models_in(user_folder, store.USER), name)
    if model is None:
        bundled = store.models_in(store.bundled_models_folder(), store.BUNDLED)
        if name == store.DEFAULT_NAME or store.named_model(bundled, name) is not None:
            raise UsageError(f"The model {name} is part of LiverSeg and cannot be removed.")
        raise store.not_found(name)
    with _writing_to(user_folder):
        files.retire_folder(model.path)
        files.tidy(user_folder, older_than_seconds=ABANDONED_SECONDS, now=time.time())


def _installable_name(model: Model, replace: bool) -> str:
    if model.name == store.DEFAULT_NAME:
        raise UsageError(f"A model cannot be called {store.DEFAULT_NAME!r}: that name means the bundled one.")
    if not replace and os.path.lexists(store.user_models_folder() / model.name):
        raise UsageError(f"A model {model.name} is installed already; remove it first, or ask to replace it.")
    return model.name


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    """Turn the system's refusals into a sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The folder of models {folder} cannot be written: {reason}.", str(error)
        ) from error


def _copy_from_folder(source: Path, incoming: Path) -> None:
    """Copy a model's files out of a folder."""
    if not os.path.lexists(source / MANIFEST_NAME):
        raise ModelNotFoundError(f"The folder {source} holds no model (no {MANIFEST_NAME}).")
    described = store.describe(source, store.FOLDER)
    if described.error is not None:
        raise described.error
    with _reading(source):
        small = [
            entry.name
            for entry in source.iterdir()
            if not entry.is_symlink() and entry.is_file() and entry.stat().st_size <= MAX_TEXT_BYTES
        ]
    names = [MANIFEST_NAME, *_weights_names(described), *_documents(small)]
    _copy(names, lambda name: (source / name).open("rb"), incoming)


def _copy_from_archive(source: Path, incoming: Path) -> None:
    """Copy a model's files out of a zip archive, whose every entry has been looked at before."""
    with _reading(source):
        archive = zipfile.ZipFile(source)
    with archive:
        entries = _checked_entries(archive, source)
        root = _model_root(list(entries), source)

        def open_entry(name: str) -> BinaryIO:
            with _reading(source):
                return archive.open(entries[root + name])  # type: ignore[return-value]

        _copy([MANIFEST_NAME], open_entry, incoming)
        weights = _weights_names(Model(incoming, store.USER, read_manifest(incoming)))
        for name in weights:
            if root + name not in entries:
                raise ModelCorruptError(f"The archive {source.name} has no file {name}.")
        small = [path for path, entry in entries.items() if entry.file_size <= MAX_TEXT_BYTES]
        documents = _documents([path[len(root) :] for path in small if path.startswith(root)])
        _copy([*weights, *documents], open_entry, incoming)


def _checked_entries(archive: zipfile.ZipFile, source: Path) -> Dict[str, zipfile.ZipInfo]:
    """The archive's files by path, after refusing what no honest archive of a model contains."""
    entries: Dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > MAX_ARCHIVE_ENTRIES:
        raise ModelCorruptError(f"The archive {source.name} has {len(infos)} entries, too many for a model.")
    for info in infos:
        trouble = _entry_trouble(info) or ("is there twice" if info.filename in entries else None)
        if trouble is not None:
            entry = ascii(info.filename)[:80]
            raise ModelCorruptError(f"The archive {source.name} is not safe: {entry} {trouble}.")
        if not info.is_dir():
            entries[info.filename] = info
    total, packed = sum(info.file_size for info in infos), max(1, source.stat().st_size)
    if total > MAX_ARCHIVE_BYTES or (total > FREE_RATIO_BYTES and total > MAX_ARCHIVE_RATIO * packed):
        raise ModelCorruptError(f"The archive {source.name} would grow from {packed} to {total} bytes.")
    return entries


def _entry_trouble(info: zipfile.ZipInfo) -> Optional[str]:
    """What makes an entry unsafe, or None."""
    name = info.filename
    parts = name.rstrip("/").split("/")
    if set(name) & set("\\:\0") or any(part in ("", ".", "..") for part in parts):
        return "leads out of the archive"
    kind = (info.external_attr >> _UNIX_TYPE_SHIFT) & 0o170000
    if kind not in (0, 0o100000, 0o040000):
        return "is no ordinary file"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in an unusual way"
    return None


def _model_root(paths: List[str], source: Path) -> str:
    """The prefix of the model's files: "" or "folder/"."""
    roots = [path[: -len(MANIFEST_NAME)] for path in paths if path.rsplit("/", 1)[-1] == MANIFEST_NAME]
    roots = [root for root in roots if root.count("/") <= 1]
    if "" in roots:
        return ""
    if len(roots) != 1:
        count = "no model" if not roots else "more than one model"
        raise ModelNotFoundError(f"The archive {source.name} holds {count}; it needs one {MANIFEST_NAME}.")
    return roots[0]


def _weights_names(model: Model) -> List[str]:
    stages = () if model.manifest is None else model.manifest.stages
    return sorted({stage.weights for stage in stages})


def _documents(names: List[str]) -> List[str]:
    """Those of ``names`` that are a licence, a read-me or the like."""
    chosen = [name for name in names if _DOCUMENT.fullmatch(name) and not name.endswith(WEIGHTS_SUFFIX)]
    return sorted(chosen)[:_MAX_DOCUMENTS]


def _copy(names: List[str], open_source: Callable[[str], BinaryIO], incoming: Path) -> None:
    """Copy files by name into ``incoming``, synced, none longer than it may be."""
    for name in names:
        limit = MAX_WEIGHTS_BYTES if name.endswith(WEIGHTS_SUFFIX) else MAX_TEXT_BYTES
        with _reading(name):
            stream = open_source(name)
        with stream:
            _copy_stream(stream, name, limit, incoming)


def _copy_stream(stream: BinaryIO, name: str, limit: int, incoming: Path) -> None:
    copied = 0
    with _writing_to(incoming.parent), open(incoming / name, "xb") as target:
        while True:
            with _reading(name):
                chunk = stream.read(_CHUNK_BYTES)
            if not chunk:
                break
            copied += len(chunk)
            if copied > limit:
                raise ModelCorruptError(f"The model's {name} is longer than the {limit} bytes accepted.")
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


@contextmanager
def _reading(source: Union[str, Path]) -> Iterator[None]:
    """Turn whatever a damaged archive or an unreadable file makes the library raise into a sentence."""
    name = os.path.basename(os.fspath(source))
    try:
        yield
    except FileNotFoundError as error:
        raise ModelCorruptError(f"The model has no file {name}.", str(error)) from error
    except _READING_TROUBLES as error:
        raise ModelCorruptError(f"{name} is damaged or cannot be read.", str(error)) from error
