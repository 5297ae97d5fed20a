"""https in front of a server that speaks http, on loopback: what a hospital's reverse proxy does.

Debian's Orthanc cannot speak https itself: its web server (civetweb 1.15) resets every connection once it is
encrypted, because it was made for OpenSSL 1.1 and runs with OpenSSL 3.
"""

import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import Any, Iterator

SILENCE_S = 60
"""A connection on which nothing comes for so many seconds is closed."""


@contextmanager
def tls_front(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Yield the port at which https is spoken and passed on to ``port``."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(SILENCE_S)
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else 40 ms a request
            with suppress(OSError), context.wrap_socket(self.request, server_side=True) as outside:
                with socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S) as inside:
                    inside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    back = threading.Thread(target=_pass_on, args=(inside, outside), daemon=True)
                    back.start()
                    _pass_on(outside, inside)
                    back.join(SILENCE_S)

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate hangs up: nothing to print."""


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends, then say so to the target."""
    with suppress(OSError):
        while True:
            data = source.recv(1 << 16)
            if not data:
                break
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
