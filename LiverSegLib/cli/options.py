"""Arguments and options that several commands take."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer


class DeviceName(str, Enum):
    """What ``--device`` takes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class EngineName(str, Enum):
    """What ``--engine`` takes."""

    auto = "auto"
    openvino = "openvino"
    torch = "torch"
    onnxruntime = "onnxruntime"


class ModalityName(str, Enum):
    """What ``--modality`` takes."""

    auto = "auto"
    ct = "CT"
    mr = "MR"


Modality = Annotated[
    ModalityName,
    typer.Option(
        case_sensitive=False,
        help="What the scan is; auto asks the DICOM header, and takes files without one for CT.",
    ),
]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="A CT or MR: NIfTI, NRRD or MetaImage file, or a folder of DICOM files, also zipped.",
    ),
]
Series = Annotated[
    Optional[str],
    typer.Option(metavar="UID", help="Which DICOM series of the folder; `liverseg series` lists them."),
]
Device = Annotated[DeviceName, typer.Option(help="Where to compute; auto takes a GPU if there is one.")]
Engine = Annotated[
    EngineName,
    typer.Option(help="Library that runs the networks; auto takes the fastest that is installed."),
]
Model = Annotated[
    str, typer.Option(metavar="NAME|FOLDER", help="Model to use; `liverseg models` lists them.")
]
Threads = Annotated[Optional[int], typer.Option(metavar="N", min=1, help="Processor threads to use at most.")]
Json = Annotated[
    bool, typer.Option("--json", help="Exactly one JSON object on standard output, also for errors.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
