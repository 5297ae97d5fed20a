"""A case of a cohort, and what is to be done with each case, as plain data that travels between processes."""

import re
import unicodedata
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Dict, Mapping, Optional, Tuple

LONGEST_NAME = 100
"""Characters of a case's name, which is the name of its folder."""


@dataclass(frozen=True)
class Case:
    """One scan of a cohort.

    Attributes:
        name: of its folder in the results, unique in the cohort.
        source: path of a file or DICOM folder, or the address (URL) of a series on a DICOMweb server.
        series: which DICOM series of the folder; None where there is only one.
        modality: "CT" or "MR" where the list of cases says it; None: as for the whole cohort.
        columns: further columns of the list of cases, carried into the tables.
    """

    name: str
    source: str
    series: Optional[str] = None
    modality: Optional[str] = None
    columns: Tuple[Tuple[str, str], ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether the scan is on a server."""
        return self.source.startswith(("http://", "https://"))


@dataclass(frozen=True)
class Options:
    """What is done with every case; see ``api.Segmenter`` and ``outputs.write_results``.

    Attributes:
        model, tumours, device, engine: what computes.
        threads: processor threads of one worker, 0 for all.
        mirror, minimum_lesion_ml, structures, modality: how a scan is segmented.
        label_format, report, highlight: which files a case gets.
        anonymous: nothing in the results names a file or a patient.
        time_limit: seconds that a case may take; 0: no limit.
        memory_limit: bytes that a worker process may take with one case; 0: no limit.
        model_sha256: hash of the model, by which a later run tells whether it is the same.
        graphics_cards: how many the workers of one computer share; 0: none, or chosen by the cluster.
    """

    model: str = "default"
    tumours: Optional[str] = None
    device: str = "auto"
    engine: str = "auto"
    threads: int = 0
    mirror: bool = False
    minimum_lesion_ml: Optional[float] = None
    structures: Optional[Tuple[str, ...]] = ()
    modality: str = "auto"
    label_format: str = "nii.gz"
    report: bool = True
    highlight: bool = False
    anonymous: bool = False
    time_limit: float = 0.0
    memory_limit: int = 0
    model_sha256: str = ""
    graphics_cards: int = 0

    def that_matter(self) -> Dict[str, Any]:
        """What must be the same in all cases of a folder: all but where and how fast it is computed."""
        computing = ("device", "engine", "threads", "time_limit", "memory_limit", "graphics_cards")
        found = {key: value for key, value in asdict(self).items() if key not in computing}
        return {**found, "structures": None if self.structures is None else list(self.structures)}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Tuple[str, ...]:
    """The options of :meth:`Options.that_matter` in which two runs differ, in words."""
    return tuple(
        f"{key.replace('_', ' ')} {before.get(key)!r}, now {now.get(key)!r}"
        for key in now
        if before.get(key) != now.get(key)
    )


def safe_name(text: str) -> str:
    """The text as the name of a folder on any system: letters, digits, ".", "-" and "_".

    A long one is shortened and gets a hash, so that two of them stay apart.

    >>> safe_name("Max Müller/CT 3"), safe_name("../x"), safe_name("")
    ('Max_Müller_CT_3', 'x', 'case')
    """
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text)).strip("._- ")
    if len(name.encode("utf-8")) > LONGEST_NAME:
        kept = name.encode("utf-8")[: LONGEST_NAME - 9].decode("utf-8", "ignore")
        name = f"{kept}-{short_hash(text)}"
    return name or "case"


def short_hash(text: str) -> str:
    """Eight hex digits of a text's SHA-256."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
