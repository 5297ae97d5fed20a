"""``liverseg serve``: compute for other computers. What is behind it: ``LiverSegLib.server``."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, Tuple

import typer

from .console import Console
from .options import Device, DeviceName, Engine, EngineName, Quiet
from .packages import require_packages

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ..server.access import Tokens
    from ..server.limits import Limits
    from ..server.listen import Place
    from ..server.service import Service

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address of this computer to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes any that is free.")]
Certificate = Annotated[
    Optional[Path],
    typer.Option(metavar="FILE", help="Certificate (PEM) for HTTPS, with those that lead to its authority."),
]
Key = Annotated[Optional[Path], typer.Option(metavar="FILE", help="Private key (PEM) of the certificate.")]
BehindProxy = Annotated[
    Optional[str],
    typer.Option(
        metavar="ADDRESS",
        help="IP address of a proxy that has HTTPS; nobody else may connect, and it is spoken to without.",
    ),
]
TokenFile = Annotated[
    Optional[Path],
    typer.Option(
        metavar="FILE",
        help="Tokens that let in, one a line; else LIVERSEG_TOKEN, or one made at the first start.",
    ),
]
Queue = Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="Most runs that wait at a time.")]
Upload = Annotated[
    int, typer.Option(metavar="MB", min=1, help="Largest scan that is taken, compressed, in megabytes.")
]
UploadTime = Annotated[
    float, typer.Option(metavar="S", min=1.0, help="Seconds in which a scan must have arrived.")
]
RunTime = Annotated[float, typer.Option(metavar="S", min=1.0, help="Seconds that a run may compute.")]
Scratch = Annotated[
    Optional[Path],
    typer.Option(metavar="FOLDER", help="Where scans lie while they are computed; the temporary folder."),
]


def serve(
    context: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 8765,
    certificate: Certificate = None,
    key: Key = None,
    behind_proxy: BehindProxy = None,
    token_file: TokenFile = None,
    device: Device = DeviceName.auto,
    engine: Engine = EngineName.auto,
    queue: Queue = 16,
    max_upload: Upload = 1024,
    upload_time: UploadTime = 300.0,
    run_time: RunTime = 1800.0,
    scratch: Scratch = None,
    quiet: Quiet = False,
) -> None:
    """Compute for other computers, which send scans over HTTPS, until Ctrl-C."""
    require_packages(("fastapi", "uvicorn"), "server", what="The server")
    from ..models import user_models_folder
    from ..server.access import TOKEN_FILE, server_tokens
    from ..server.limits import Limits
    from ..server.listen import Place
    from ..server.listen import serve as serve_at

    console = Console(quiet=quiet, debug=context.obj)
    place = Place(host, port, certificate, key, behind_proxy)
    place.check()
    limits = Limits(queue, max_upload * 1_000_000, upload_s=upload_time, run_s=run_time)
    tokens = server_tokens(token_file, user_models_folder().parent / TOKEN_FILE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve_at(
            lambda: _application(tokens, limits, behind_proxy, scratch, device.value, engine.value),
            place,
            limits,
            lambda taken, stop: _say_ready(console, place, taken, tokens),
        )
    except KeyboardInterrupt:
        console.show("The server has ended.")


def _application(
    tokens: "Tokens",
    limits: "Limits",
    proxy: Optional[str],
    scratch: Optional[Path],
    device: str,
    engine: str,
) -> "Tuple[FastAPI, Service]":
    """Application and service; to be called in the server's event loop."""
    from ..server.app import make_app
    from ..server.metrics import Metrics
    from ..server.service import Service
    from ..server.warm_worker import WarmWorker

    metrics = Metrics()

    def count() -> None:
        metrics.worker_starts += 1

    worker = WarmWorker(scratch, device=device, engine=engine, on_start=count)
    service = Service(worker, limits, metrics, scratch)
    return make_app(service, tokens, proxy), service


def _say_ready(console: Console, place: "Place", port: int, tokens: "Tokens") -> None:
    """Say where the server is, and the token when it is new: it is not shown again."""
    lines: Any = [f"The server is ready at {place.url(port)}. Ctrl-C ends it."]
    if tokens.is_new:
        lines += [f"Token: {tokens.values[0]}", f"It is kept in {tokens.path} and not shown again."]
    console.show(*lines)
