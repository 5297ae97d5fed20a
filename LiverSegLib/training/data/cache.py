"""Prepared cases on disk, each made when it is first needed and mapped into memory from then on.

The files are numpy's own: a patch is read without the rest of the case, nothing in them is unpickled, and
their name is a hash of all that their content depends on. MONAI's PersistentDataset reads and unpickles the
whole case for each patch (MONAI 1.6: ``torch.load`` without ``mmap``), and its key is made of the files'
names, not of their size and the time at which they were changed.
"""

import hashlib
import json
import os
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple
from uuid import uuid4

import numpy as np

from LiverSegLib.errors import InputError, OutputError, write_failure
from LiverSegLib.training.case import Case
from LiverSegLib.training.data.centres import label_positions
from LiverSegLib.training.data.options import PreparationOptions
from LiverSegLib.training.data.prepare import Prepared, prepare
from LiverSegLib.training.data.reading import case_files, read_case

VERSION = 2
"""Raised when what is stored, or how it is prepared, changes."""
KEPT_MB = 256.0
"""Memory that a process keeps small cases in; a large one, which is mapped, counts as MAPPED_MB."""
MAPPED_MB = 1.0
"""Arrays from this size on are mapped instead of read. A map holds a file open, of which there may be few."""


@dataclass(frozen=True)
class StoredCase:
    """A prepared case, and voxels to centre patches on.

    Attributes:
        prepared: its arrays may be maps of files; they are never written to.
        positions: label value -> int32 (n, 3), some of its voxels (z, y, x).
    """

    prepared: Prepared
    positions: Dict[int, np.ndarray]


class CaseStore:
    """Prepares cases and keeps them.

    Args:
        folder: for the files, made if missing; None prepares anew whenever a case is not among the last few.
        structures: names, in the order of the label's values.
        how: the recipe's preparation.
        crop: whether cases are cut to their labels where ``how`` asks for it, as in training.
    """

    def __init__(
        self, folder: Optional[Path], structures: Sequence[str], how: PreparationOptions, *, crop: bool
    ) -> None:
        self.folder = folder
        self._structures = tuple(structures)
        self._how = how
        self._crop = crop and how.crop == "labels"
        self._keys: Dict[str, str] = {}
        self._open: "OrderedDict[str, StoredCase]" = OrderedDict()

    def __getstate__(self) -> Dict[str, Any]:
        """Maps of files do not travel to another process, which opens its own."""
        return {**self.__dict__, "_open": OrderedDict()}

    def key(self, case: Case) -> str:
        """A name for what a prepared case depends on: its files with size and time of change, what its
        values mean, and the preparation. It is worked out once for each case.
        """
        if case.id not in self._keys:
            how = self._how.model_dump()
            if not self._crop and self._how.crop == "labels":
                how.update(crop="none")
            stats = [(str(path), (s := path.stat()).st_size, s.st_mtime_ns) for path in case_files(case)]
            facts = [VERSION, stats, case.values, self._structures, how, list(map(str, case.images))]
            digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:20]
            self._keys[case.id] = f"{_plain(case.id)}-{digest}"
        return self._keys[case.id]

    def problem(self, case: Case) -> Optional[str]:
        """Why a case could not be prepared, as far as any process has tried; None if nothing is known."""
        if self.folder is None:
            return None
        try:
            return self._note(case).read_text(encoding="utf-8")
        except OSError:
            return None

    def load(self, case: Case) -> StoredCase:
        """A prepared case, from the store or made now.

        Raises:
            InputError: its files are missing, damaged, or do not belong together.
            OutputError: the store cannot be written to.
        """
        key = self.key(case)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        stored = self._read(key) or self._make(case, key)
        self._open[key] = stored
        while len(self._open) > 1 and sum(map(_cost_mb, self._open.values())) > KEPT_MB:
            self._open.popitem(last=False)
        return stored

    def _make(self, case: Case, key: str) -> StoredCase:
        try:
            images, label = read_case(case, self._structures)
            prepared = prepare(images, label, self._how, structures=len(self._structures), crop=self._crop)
        except InputError as error:
            self._note_problem(case, str(error))
            raise
        stored = StoredCase(prepared, label_positions(prepared.label, key))
        if self.folder is None:
            return stored
        self._write(key, stored)
        return self._read(key) or stored

    def _note(self, case: Case) -> Path:
        assert self.folder is not None
        return self.folder / f"{self.key(case)}.broken.txt"

    def _note_problem(self, case: Case, text: str) -> None:
        """Let other processes know, so that they need not try."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f".{uuid4().hex}.part"
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, self._note(case))

    def _write(self, key: str, stored: StoredCase) -> None:
        """Write a case beside its place, then rename; where another process was faster, its files stay."""
        assert self.folder is not None
        partial = self.folder / f".{uuid4().hex}.part"
        prepared = stored.prepared
        try:
            partial.mkdir(parents=True)
            np.save(partial / "image.npy", prepared.image.astype(self._how.storage), allow_pickle=False)
            np.save(partial / "label.npy", prepared.label, allow_pickle=False)
            for value, positions in stored.positions.items():
                np.save(partial / f"positions-{value}.npy", positions, allow_pickle=False)
            facts = {
                "spacing": prepared.spacing,
                "outside": prepared.outside,
                "positions": list(stored.positions),
            }
            (partial / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
            os.rename(partial, self.folder / key)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            if not (self.folder / key).is_dir():
                raise _cannot_write(error, self.folder) from error

    def _read(self, key: str) -> Optional[StoredCase]:
        """A case from the store; None if it is not there or is damaged, which removes it."""
        if self.folder is None or not (self.folder / key).is_dir():
            return None
        place = self.folder / key
        try:
            facts = json.loads((place / "facts.json").read_text(encoding="utf-8"))
            image, label = (_mapped(place / f"{name}.npy") for name in ("image", "label"))
            positions = {
                int(value): np.load(place / f"positions-{value}.npy", allow_pickle=False)
                for value in facts["positions"]
            }
            spacing = _triple(facts["spacing"])
            return StoredCase(Prepared(image, label, spacing, tuple(facts["outside"])), positions)
        except (OSError, ValueError, KeyError, TypeError):
            shutil.rmtree(place, ignore_errors=True)
            return None


def _mapped(path: Path) -> np.ndarray:
    large = path.stat().st_size >= MAPPED_MB * 2**20
    array: np.ndarray = np.load(path, mmap_mode="r" if large else None, allow_pickle=False)
    return array


def _cost_mb(stored: StoredCase) -> float:
    """What keeping a case costs."""
    arrays = (stored.prepared.image, stored.prepared.label)
    return sum(MAPPED_MB if isinstance(a, np.memmap) else a.nbytes / 2**20 for a in arrays)


def _triple(values: List[float]) -> Tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _plain(name: str) -> str:
    """A case's id as part of a file name."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60]


def _cannot_write(error: OSError, folder: Path) -> Exception:
    found = write_failure(error, folder)
    return OutputError(str(found), found.details)
