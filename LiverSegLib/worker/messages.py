"""The messages between the worker process and whoever started it, as data; ``protocol`` makes lines of them.

A request has an ``id``, chosen by its sender (letters, digits, ``-``, ``_``, 64 at most; it also names the
request's subfolder), which every reply to it repeats. Volumes travel as .npy files, (z, y, x), with their
``Grid``; points of surfaces are float32 (n, 3) LPS mm, triangles int32 (m, 3).

This module needs the standard library and numpy only, so that Slicer imports it quickly.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Optional, Tuple, Union

from ..images.grid import Grid
from .correct_messages import CaseOpened, OpenCase, Refine, RefineResult
from .dicom_messages import DicomExported, ExportDicom
from .explain_messages import Explain, Explained
from .followup_messages import CompareDates, DatesCompared
from .given_messages import TakeSegmentation
from .model_messages import AddModel, ModelAdded, ModelRemoved, RemoveModel
from .server_messages import AskServer, Queued, ServerAddress, ServerAnswer

STRUCTURE = "structure-"
"""Begins the key of a surface that is a further structure's; its own key follows."""


@dataclass(frozen=True)
class SurfaceFiles:
    """A closed surface: label key, file of points float32 (n, 3) LPS mm, file of triangles int32 (m, 3)."""

    key: str
    points: str
    triangles: str


@dataclass(frozen=True)
class Hello:
    """First request. Answered by ``hello-reply``, and after loading a model by ``log`` or ``error``.

    ``folder``: private folder made by the parent, else the worker makes one. ``preload``: name or folder of a
    model to load right after the reply, for ``device`` and ``engine``, and ``tumours`` that of the tumours
    beside it.
    """

    type: ClassVar[str] = "hello"
    id: str
    folder: Optional[str] = None
    preload: Optional[str] = None
    device: str = "auto"
    tumours: Optional[str] = None
    engine: str = "auto"


@dataclass(frozen=True)
class Segment:
    """Segment one scan: either ``path`` (file or DICOM folder, with ``series``) or ``voxels`` (a .npy file,
    (z, y, x), HU) and ``grid``.

    ``surfaces`` and ``probability`` say whether those are wanted back. ``structures``: keys or names of what
    is wanted of all that a model of another program finds; null for everything, an empty list for nothing.
    ``kvp`` (kV), ``contrast_agent`` and ``description`` (of the series) are what the DICOM header of voxels
    says, where it is known; nothing that names the patient belongs there. ``contrast``: whether that header
    speaks of a contrast agent, where only this is known. ``server`` computes in the worker's place, if it is
    given: ``device`` and ``engine`` are its own then, and ``model`` and ``tumours`` names of its models. The
    other fields are arguments of ``LiverSegLib.segment``. Answered as any work, by ``result`` in the end.
    """

    type: ClassVar[str] = "segment"
    id: str
    path: Optional[str] = None
    series: Optional[str] = None
    voxels: Optional[str] = None
    grid: Optional[Grid] = None
    name: Optional[str] = None
    model: str = "default"
    device: str = "auto"
    engine: str = "auto"
    mirror: bool = False
    minimum_lesion_ml: Optional[float] = None
    surfaces: bool = True
    probability: bool = False
    tumours: Optional[str] = None
    structures: Optional[Tuple[str, ...]] = None
    modality: Optional[str] = None
    kvp: Optional[float] = None
    contrast_agent: Optional[str] = None
    description: Optional[str] = None
    contrast: Optional[bool] = None
    server: Optional[ServerAddress] = None


@dataclass(frozen=True)
class Measure:
    """Measure a mask: ``voxels`` (a .npy file, (z, y, x), HU) on ``grid``, ``labels`` (uint8 .npy of the same
    shape).

    ``box``: (z0, z1, y0, y1, x0, x1) of the scan's array, ends excluded, if ``labels`` holds that part only
    and there are none outside. ``summary`` is the JSON file of an earlier result on this scan: phase,
    provenance and what it warned of are carried on. ``edited`` says that somebody changed the mask since; the
    new summary then says so too. ``name`` is the scan's, if there is no summary to take it from. A scan whose
    file did not change since the last ``measure`` is not checked again. Answered by ``progress``, then by
    ``measure-result`` or ``error``.
    """

    type: ClassVar[str] = "measure"
    id: str
    voxels: str
    grid: Grid
    labels: str
    summary: Optional[str] = None
    edited: bool = False
    name: Optional[str] = None
    box: Tuple[int, ...] = ()


@dataclass(frozen=True)
class Report:
    """Write the files of a case into ``folder``, which the user chose, a complete set or nothing; arrays as
    in ``measure``.

    ``summary`` is the JSON file with the numbers to write. ``structures``: the .npy file of the ``result``,
    if its mask is to be written too; what its values mean stands in the summary. ``label_format``,
    ``highlight`` and ``rendering`` are the arguments of ``LiverSegLib.outputs.write_results``. Answered by
    ``progress``, then by ``report-result`` or ``error``.
    """

    type: ClassVar[str] = "report"
    id: str
    voxels: str
    grid: Grid
    labels: str
    summary: str
    folder: str
    label_format: str = "nii.gz"
    highlight: bool = False
    rendering: bool = True
    structures: Optional[str] = None


@dataclass(frozen=True)
class Cancel:
    """Stop the request whose id is ``target``, running or waiting.

    That one is answered by ``error`` with code "cancelled" within a second (a report: as soon as the file in
    work is written). A target that is unknown or done is ignored, as the two may cross.
    """

    type: ClassVar[str] = "cancel"
    id: str
    target: str


@dataclass(frozen=True)
class Shutdown:
    """Stop everything, answer ``bye``, remove the private folder, end: as when standard input is closed."""

    type: ClassVar[str] = "shutdown"
    id: str


@dataclass(frozen=True)
class HelloReply:
    """The worker is there. ``folder`` is the private folder in use."""

    type: ClassVar[str] = "hello-reply"
    id: str
    liverseg_version: str
    python_version: str
    pid: int
    folder: str


@dataclass(frozen=True)
class Progress:
    """How far a request is: ``fraction`` 0..1, ``stage`` for programs, ``text`` for people."""

    type: ClassVar[str] = "progress"
    id: str
    fraction: float
    stage: str
    text: str


@dataclass(frozen=True)
class SegmentResult:
    """A scan is segmented. File names are relative to ``folder``, a subfolder of the private one that the
    reader may remove.

    ``labels``: uint8 (z, y, x) .npy on ``grid``. ``summary``: a JSON file, see ``worker.measuring``.
    ``probability``: uint8 (z, y, x) .npy, 255 = 1.0.
    ``structures``: uint8 or uint16 (z, y, x) .npy, what a model of another program finds beyond ``labels``;
        the summary's "structures" is the list of its values, with name, color and volume.
    """

    type: ClassVar[str] = "result"
    id: str
    folder: str
    labels: str
    grid: Grid
    summary: str
    surfaces: Tuple[SurfaceFiles, ...] = ()
    probability: Optional[str] = None
    structures: Optional[str] = None


@dataclass(frozen=True)
class MeasureResult:
    """A mask is measured. ``summary`` is a JSON file as in ``result``, in ``folder``, a subfolder of the
    private one that the reader may remove."""

    type: ClassVar[str] = "measure-result"
    id: str
    folder: str
    summary: str


@dataclass(frozen=True)
class ReportResult:
    """The files of a case are written. ``files``: key ("report", "segmentation", ...) -> name in ``folder``,
    which is the user's."""

    type: ClassVar[str] = "report-result"
    id: str
    folder: str
    files: Dict[str, str]


@dataclass(frozen=True)
class Failure:
    """A request failed, or (``id`` None) a line was not understood.

    ``code``: of a class in ``errors``. ``message``: one sentence for the user. ``details``: for developers.
    ``series``: for "choose-series", the choices as JSON objects; where they are too many for a line, the
    first of them. ``sentence``: the message as ``sentences.with_identity`` writes it, if it has an identity.
    """

    type: ClassVar[str] = "error"
    id: Optional[str]
    code: str
    message: str
    details: Optional[str] = None
    series: Tuple[Dict[str, Any], ...] = ()
    sentence: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class Log:
    """Something for the log, a loaded model for one: ``level`` is "debug", "info", "warning" or "error"."""

    type: ClassVar[str] = "log"
    level: str
    text: str


@dataclass(frozen=True)
class Bye:
    """The worker's last line."""

    type: ClassVar[str] = "bye"
    reason: str


WorkRequest = Union[
    Segment, Measure, Report, OpenCase, Refine, AddModel, RemoveModel, Explain, ExportDicom, CompareDates,
    AskServer, TakeSegmentation,
]  # fmt: skip
"""A request that is worked off by ``tasks``."""

WORK_REQUESTS = (
    Segment, Measure, Report, OpenCase, Refine, AddModel, RemoveModel, Explain, ExportDicom, CompareDates,
    AskServer, TakeSegmentation,
)  # fmt: skip
"""Its members, for ``isinstance``, which on Python 3.9 takes no Union."""

Request = Union[Hello, WorkRequest, Cancel, Shutdown]
"""What the parent sends."""

WorkReply = Union[
    SegmentResult, MeasureResult, ReportResult, CaseOpened, RefineResult, ModelAdded, ModelRemoved, Explained,
    DicomExported, DatesCompared, ServerAnswer,
]  # fmt: skip
"""What comes of a request that is worked off."""

Reply = Union[HelloReply, Progress, Queued, WorkReply, Failure, Log, Bye]
"""What the worker sends."""

Message = Union[Request, Reply]
"""Any message."""
