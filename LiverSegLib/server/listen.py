"""Where a server listens, and how: loopback, TLS, or behind a proxy; uvicorn does it."""

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Tuple, Type

from ..errors import UsageError
from ..sentences import Sentence
from .limits import Limits
from .service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEP_ALIVE_S = 5
"""How long (seconds) a connection stays without a request."""

END_S = 5
"""How long (seconds) requests have to end when the server does."""

_HEAD_BYTES = 1 << 14

OnReady = Callable[[int, Callable[[], None]], None]

StartApp = Callable[[], "Tuple[FastAPI, Service]"]


@dataclass(frozen=True)
class Place:
    """Where a server listens.

    Attributes:
        host, port: address and port; port 0 is any that is free.
        certificate, key: files (PEM) for TLS; None without.
        proxy: IP address of the proxy that comes in alone; None without.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    certificate: Optional[Path] = None
    key: Optional[Path] = None
    proxy: Optional[str] = None

    @property
    def has_tls(self) -> bool:
        """Whether it speaks HTTPS."""
        return self.certificate is not None

    def url(self, port: int) -> str:
        """The address for who uses the server, with the port that it got."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.has_tls else 'http'}://{host}:{port}"

    def check(self) -> None:
        """Look whether others can listen to what goes over the wire.

        Raises:
            UsageError: they can, as neither TLS nor a proxy is there; or an argument makes no sense.
        """
        if (self.certificate is None) != (self.key is None):
            raise UsageError(Sentence("serve.half-certificate"))
        if self.proxy is not None and not _is_ip(self.proxy):
            raise UsageError(Sentence("serve.proxy", given=self.proxy))
        if not self.has_tls and self.proxy is None and not is_loopback(self.host):
            raise UsageError(Sentence("serve.needs-certificate"))
        if self.certificate is not None and self.key is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                context.load_cert_chain(str(self.certificate), str(self.key), password=lambda: b"")
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                raise UsageError(Sentence("serve.certificate", reason=_reason(error)), str(error)) from error


def is_loopback(host: str) -> bool:
    """Whether an address is this computer's own, which no other reaches.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("10.0.0.5")
    (True, True, False)
    """
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def open_port(place: Place) -> socket.socket:
    """Take the port.

    Raises:
        UsageError: it is taken, or the address is not this computer's.
    """
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((place.host, place.port))
        found.listen(128)  # uvicorn listens too, later: a second program is told now
    except OSError as error:
        found.close()
        if isinstance(error, socket.gaierror) or error.errno is None or "assign" in str(error).lower():
            raise UsageError(Sentence("serve.host", host=place.host, reason=_reason(error))) from error
        raise UsageError(Sentence("serve.port-taken", port=place.port), str(error)) from error
    return found


def serve(start: StartApp, place: Place, limits: Limits, on_ready: OnReady) -> None:
    """Serve until SIGINT or SIGTERM, which are then raised again.

    Args:
        start: makes application and service in the server's event loop.
        place: where.
        limits: of connections and times.
        on_ready: called with the port when requests can come, and with what ends the server.

    Raises:
        UsageError: the port cannot be had.
        LiverSegError: the service does not start.
    """
    with open_port(place) as port:
        asyncio.run(_serve(start, place, limits, on_ready, port))


async def _serve(
    start: StartApp, place: Place, limits: Limits, on_ready: OnReady, port: socket.socket
) -> None:
    import uvicorn

    app, service = start()
    config = uvicorn.Config(
        app,
        http=_impatient(limits.request_s),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,  # who came when is nobody's business
        server_header=False,
        proxy_headers=False,  # see app.Gate
        limit_concurrency=limits.connections,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=END_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ssl_certfile=None if place.certificate is None else str(place.certificate),
        ssl_keyfile=None if place.key is None else str(place.key),
    )

    class Server(uvicorn.Server):
        """Tells when it is there, and lets go of runs before it waits for who listens to them."""

        async def startup(self, sockets: Optional[List[socket.socket]] = None) -> None:
            await super().startup(sockets)
            on_ready(port.getsockname()[1], self._stop)

        def _stop(self) -> None:
            self.should_exit = True

        async def shutdown(self, sockets: Optional[List[socket.socket]] = None) -> None:
            service.end_runs()
            await super().shutdown(sockets)
            await service.close()  # here: at the end of serve() the signal is raised again

    try:
        await service.start()
        await Server(config).serve(sockets=[port])
    finally:
        await service.close()


def _impatient(seconds: float) -> Type[asyncio.Protocol]:
    """uvicorn's protocol, which waits for a request's body and for the next request no longer than it is
    told, but for ever for the end of a request's head."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """Closes a connection whose next request does not come in time."""

        _patience: Optional[asyncio.TimerHandle] = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Optional[Exception]) -> None:
            self._stop()
            super().connection_lost(exc)

        def _watch(self) -> None:
            in_work = self.cycle is not None and not self.cycle.response_complete
            if in_work or self.transport.is_closing():
                self._stop()
            elif self._patience is None:
                self._patience = self.loop.call_later(seconds, self.transport.abort)

        def _stop(self) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None

    return Impatient


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or getattr(error, "reason", None) or error)
