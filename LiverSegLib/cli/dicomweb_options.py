"""Options of ``liverseg fetch`` and ``liverseg push``, and the connection that they describe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from .packages import require_packages

if TYPE_CHECKING:
    from ..dicomweb import Connection

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="Address of the server's DICOMweb service, for example https://server/dicom-web.",
    ),
]
Certificates = Annotated[
    Optional[Path],
    typer.Option("--ca", metavar="FILE", help="Certificates (PEM) to trust in place of the public ones."),
]
Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", help="How long the server may be silent before it is given up.")
]
Unencrypted = Annotated[
    bool, typer.Option("--unencrypted", help="Allow http to another computer: nothing is kept secret then.")
]

TIMEOUT_S = 60.0
"""Default of ``--timeout``, as ``dicomweb.connection`` has it, which the help does not load."""


def connection_to(url: str, ca: Optional[Path], timeout: float, unencrypted: bool) -> "Connection":
    """Return the connection that the options describe; nothing is sent yet.

    Raises:
        UsageError: an option makes no sense.
        LiverSegError: a package is missing.
    """
    require_packages(["dicomweb_client", "requests", "pydicom"], "dicomweb")
    from ..dicomweb import Connection

    return Connection(url, ca=ca, timeout=timeout, unencrypted=unencrypted)


def megabytes(size: int) -> str:
    """A number of bytes in words.

    >>> megabytes(1_300_000), megabytes(200)
    ('1.3 MB', '0.2 kB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
