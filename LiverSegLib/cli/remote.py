"""What ``--server`` of ``liverseg segment`` does: a server computes in this computer's place."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from ..api import Result

Server = Annotated[
    Optional[str],
    typer.Option(
        metavar="URL",
        help="Let this LiverSeg server compute; the scan is sent without names. Token: LIVERSEG_TOKEN.",
    ),
]
TokenFile = Annotated[
    Optional[Path],
    typer.Option(metavar="FILE", help="File with the server's token; else LIVERSEG_TOKEN."),
]
Authority = Annotated[
    Optional[Path],
    typer.Option(metavar="FILE", help="Certificate (PEM) of the authority that signed the server's."),
]


def segmented(
    source: Path,
    server: Optional[str],
    token_file: Optional[Path],
    authority: Optional[Path],
    *,
    device: str,
    engine: str,
    threads: int,
    model: str,
    tumours: Optional[str],
    **options: Any,
) -> "Result":
    """The result of a scan, computed here or, if one is given, by a server.

    Raises:
        LiverSegError: as ``LiverSegLib.segment``; or the server cannot be reached or used.
    """
    if server is None:
        import LiverSegLib

        return LiverSegLib.segment(
            source, model=model, tumours=tumours, device=device, engine=engine, threads=threads, **options
        )
    from ..server.access import client_token
    from ..server.remote import RemoteSegmenter
    from ..worker.server_messages import ServerAddress

    address = ServerAddress(server, client_token(token_file), None if authority is None else str(authority))
    return RemoteSegmenter(address, model, tumours=tumours).segment(source, **options)
