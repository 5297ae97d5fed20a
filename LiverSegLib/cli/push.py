"""``liverseg push``: DICOM files to a DICOMweb server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List

import typer
from rich.text import Text

from ..errors import ServerError
from .console import Console, Facts
from .dicomweb_options import TIMEOUT_S, Certificates, Timeout, Unencrypted, Url, connection_to, megabytes
from .interrupts import Interrupts
from .options import Json, Quiet
from .progress import ProgressBar

if TYPE_CHECKING:
    from ..dicomweb import Answer, Outgoings

Files = Annotated[
    List[Path],
    typer.Argument(metavar="FILE|FOLDER...", help="DICOM files, or folders with DICOM files in them."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")]


def push(
    context: typer.Context,
    url: Url,
    files: Files,
    dry_run: DryRun = False,
    ca: Certificates = None,
    timeout: Timeout = TIMEOUT_S,
    unencrypted: Unencrypted = False,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send DICOM files to a DICOMweb server.

    They are sent as they are, with all that they say of the patient; other files in the folders are left
    out. The login comes from the environment, as for `liverseg fetch`.
    """
    connection = connection_to(url, ca, timeout, unencrypted)
    from ..dicomweb import outgoing_files, push_files

    outgoing = outgoing_files(files)
    console = Console(json=json_, quiet=quiet, debug=context.obj)
    console.show(_before(outgoing, connection.url))
    if dry_run:
        console.answer({"server": connection.url, **_content(outgoing)})
        console.show("Nothing was sent (--dry-run).")
        return
    with Interrupts() as interrupts, ProgressBar(console.aside, shown=not (json_ or quiet)) as bar:
        answer = push_files(connection, outgoing.files, progress=bar, cancel=interrupts.requested)
    console.answer({"server": connection.url, **_content(outgoing), **_answer(answer)})
    console.show(_after(answer))
    if answer.refused:
        raise typer.Exit(ServerError.exit_code)


def _before(outgoing: "Outgoings", server: str) -> Facts:
    facts = Facts("To send")
    for kind, count in outgoing.kinds.items():
        facts.add_row(f"{count}", Text(kind))
    facts.add_row("size", Text(megabytes(outgoing.size)))
    if outgoing.left_out:
        facts.add_row("left out", Text(f"{outgoing.left_out} files, no DICOM or second copies"))
    facts.add_row("server", server)
    return facts


def _after(answer: "Answer") -> Facts:
    facts = Facts("Answer of the server")
    facts.add_row("stored", Text(str(len(answer.stored))))
    facts.add_row("refused", Text(str(len(answer.refused))))
    for refusal in answer.refused:
        facts.add_row("", Text(f"{refusal.file.path.name}: {refusal.reason}"))
    return facts


def _content(outgoing: "Outgoings") -> Dict[str, Any]:
    """What is sent, as JSON-ready data."""
    return {
        "files": [
            {"path": str(file.path), "sop_instance_uid": file.uid, "kind": file.kind, "bytes": file.size}
            for file in outgoing.files
        ],
        "bytes": outgoing.size,
        "left_out": outgoing.left_out,
    }


def _answer(answer: "Answer") -> Dict[str, Any]:
    return {
        "stored": [file.uid for file in answer.stored],
        "refused": [
            {"sop_instance_uid": refusal.file.uid, "reason": refusal.reason} for refusal in answer.refused
        ],
    }
