"""A line between client and server that breaks: a TCP proxy on loopback that cuts connections."""

import contextlib
import random
import socket
import threading
from typing import List, Optional


class BrokenLine:
    """Passes connections on to a port and cuts some of them in the middle; a context manager.

    Args:
        port: of the server.
        share: of the connections that are cut.
        seed: of chance.

    Attributes:
        port: where clients connect. cut: how many connections were cut so far.
    """

    def __init__(self, port: int, share: float, seed: int = 0) -> None:
        self._target, self._share, self._random = port, share, random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = 0
        self._threads: List[threading.Thread] = []

    def __enter__(self) -> "BrokenLine":
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._target))
                left = self._random.randrange(0, 1500) if self._random.random() < self._share else None
                self.cut += left is not None
                self._start(self._pass_on, client, server, left)
                self._start(self._pass_on, server, client, left)

    def _pass_on(self, source: socket.socket, sink: socket.socket, left: Optional[int]) -> None:
        with contextlib.suppress(OSError), source, sink:
            while True:
                data = source.recv(1 << 14)
                if left is not None:
                    data, left = data[:left], left - len(data)
                sink.sendall(data)
                if not data or (left is not None and left <= 0):
                    with contextlib.suppress(OSError):
                        sink.shutdown(socket.SHUT_RDWR)
                    source.shutdown(socket.SHUT_RDWR)
                    return
