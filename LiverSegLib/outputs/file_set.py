"""A set of files that belong together, and the JSON file among them, its index, which names them with their
hashes.

The index lets a later run tell what an earlier one wrote from what the user made or changed: the one is
replaced, the other never.
"""

import hashlib
import json
import math
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Optional, Sequence, Tuple, Union

from ..errors import OutputError, write_failure
from ..sentences import Sentence
from .atomic import PathLike, Reservation, reserve

FORMAT = 1
"""Version of the layout of the indices."""

Previous = Mapping[str, Optional[str]]
"""Name -> SHA-256 of the files of an earlier run; None for the index, which cannot hold its own."""

Writer = Callable[[Path], None]
"""Writes one file to the given path."""


@dataclass(frozen=True)
class FileSet:
    """A kind of set.

    Attributes:
        index: name of the JSON file that lists the others.
        content: what the index says that the set is: "results", ...
    """

    index: str
    content: str

    def previous(self, folder: Path) -> Dict[str, Optional[str]]:
        """The files that an earlier run wrote here, as its index says; empty without one."""
        try:
            content = json.loads((folder / self.index).read_text(encoding="utf-8"))
            if content["liverseg"]["content"] != self.content:
                return {}
            files: Dict[str, Optional[str]] = {
                str(name): str(hash_) for name, hash_ in content["files"].items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        known = {name for name in files if Path(name).name == name}
        return {self.index: None, **{name: files[name] for name in known}}

    def write_index(self, folder: Path, content: Mapping[str, Any], names: Iterable[str]) -> None:
        """Write the index of the files ``names`` in ``folder``, with ``content`` between heading and list."""
        whole = {
            "liverseg": {"content": self.content, "format": FORMAT},
            **content,
            "files": {name: sha256(folder / name) for name in names},
        }
        text = json.dumps(finite(whole), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / self.index).write_text(text + "\n", encoding="utf-8")


def write_file_set(
    folder: Union[PathLike, Reservation],
    kind: FileSet,
    files: Mapping[str, Tuple[str, Writer]],
    content: Mapping[str, Any],
) -> Dict[str, Path]:
    """Write a set of small files: all of it or nothing.

    Args:
        folder: The output folder, made if missing; or a ``Reservation``.
        kind: What set it is.
        files: Key -> name and writer of each file but the index.
        content: What the index holds besides the list of files.

    Returns:
        Key -> path of each file; the index under ``kind.content``, first.

    Raises:
        OutputError: The folder is in use, cannot be written to, or holds files of these names that LiverSeg
            did not write or that were changed since. The folder is as it was before.
    """
    names = [kind.index, *(name for name, _ in files.values())]
    with reserved(folder) as reservation:
        with in_words(reservation.folder):
            previous = kind.previous(reservation.folder)
            refuse_to_overwrite(reservation.folder, names, previous)
            for name, write in files.values():
                write(reservation.staging / name)
            kind.write_index(reservation.staging, content, names[1:])
            leaving = outdated(reservation.folder, names, previous)
        reservation.commit(names, remove=leaving)
        keys = [kind.content, *files]
        return {key: reservation.folder / name for key, name in zip(keys, names)}


def refuse_to_overwrite(folder: Path, names: Sequence[str], previous: Previous) -> None:
    """Raise OutputError if one of ``names`` is in the folder and is not as an earlier run of LiverSeg wrote
    it."""
    for name in names:
        if (folder / name).exists() and not _is_ours(folder / name, previous):
            raise OutputError(Sentence("write.not-ours", folder=str(folder), name=name))


def outdated(folder: Path, written: Iterable[str], previous: Previous) -> Tuple[str, ...]:
    """Files of the previous set that the new one has no successor for. One that was edited stays: it is the
    user's now."""
    left = sorted(set(previous) - set(written))
    return tuple(name for name in left if (folder / name).is_file() and _is_ours(folder / name, previous))


@contextmanager
def reserved(folder: Union[PathLike, Reservation]) -> Iterator[Reservation]:
    """A reservation of the folder, unless it is one already."""
    if isinstance(folder, Reservation):
        yield folder
        return
    with reserve(folder) as reservation:
        yield reservation


@contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Turn whatever goes wrong in the block into an error of ours."""
    try:
        yield
    except Exception as error:
        failure = write_failure(_cause(error), folder)
        if failure is error:
            raise
        raise failure from error


def sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def finite(value: Any) -> Any:
    """The same JSON value with NaN and infinities as null: JSON has no others."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _cause(error: Exception) -> BaseException:
    """The system's own error where a writer has already put it in words, which name the hidden folder."""
    cause = error.__cause__
    return cause if isinstance(error, OutputError) and isinstance(cause, OSError) else error


def _is_ours(path: Path, previous: Previous) -> bool:
    if path.name not in previous or not path.is_file():
        return False
    expected = previous[path.name]
    return expected is None or sha256(path) == expected
