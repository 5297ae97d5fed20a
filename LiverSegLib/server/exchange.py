"""One request to a server and its answer; the standard library only."""

import contextlib
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Iterable, Iterator, Mapping, Optional, Union

from ..errors import ERROR_TYPES, LiverSegError, ServerError, UsageError
from ..sentences import Sentence, key_of, restored
from ..worker import protocol
from ..worker.messages import Failure
from ..worker.server_messages import ServerAddress
from .addresses import Address, parse_address

CONNECT_S = 10.0
"""How long (seconds) a server may take to answer at all."""

LISTEN_S = 20.0
"""A server that says nothing for so long (seconds) while a run is listened to is taken for dead."""

_LONGEST_ANSWER = 1 << 20

Body = Union[bytes, Iterable[bytes]]


class Busy(ServerError):
    """The server has no room now. ``retry_after``: seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Interrupted(ServerError):
    """The connection broke or was never made; trying again may help."""


class Forgotten(ServerError):
    """The server does not know the run: it was started anew meanwhile."""


@dataclass(frozen=True)
class Answer:
    """The status and the body of an answer."""

    status: int
    body: bytes

    def message(self, address: Address) -> Any:
        """The worker's message in the body.

        Raises:
            ServerError: there is none.
        """
        try:
            found = protocol.decode(self.body)
        except protocol.ProtocolError as error:
            raise _other_version(address, error) from error
        if found is None:
            raise ServerError(Sentence("server.not-liverseg", address=str(address)), repr(self.body[:200]))
        return found


class Http:
    """Requests to one server, each on a connection of its own.

    Raises:
        UsageError: the address is none, or the file of the authority cannot be used.
    """

    def __init__(self, server: ServerAddress) -> None:
        self.address = parse_address(server.url)
        self._token = server.token
        self._tls: Optional[ssl.SSLContext] = None
        if self.address.has_tls:
            try:
                self._tls = ssl.create_default_context(cafile=server.authority or None)
            except OSError as error:
                raise UsageError(Sentence("serve.certificate", reason=_reason(error)), str(error)) from error

    def ask(
        self,
        method: str,
        path: str,
        body: Optional[Body] = None,
        *,
        length: int = 0,
        kind: str = "application/json",
        longest: int = _LONGEST_ANSWER,
        timeout: Optional[float] = None,
    ) -> Answer:
        """Send a request and take the whole answer in.

        Args:
            method, path: as HTTP has them; the path begins with a slash.
            body, length, kind: what is sent, how many bytes if it comes in pieces, and its type.
            longest: most bytes of the answer.
            timeout: longest silence, in seconds; ``CONNECT_S`` if None.

        Raises:
            LiverSegError: the server refuses, or cannot be reached; see the classes above.
        """
        with self.open(method, path, body, length=length, kind=kind, timeout=timeout) as response:
            data = response.read(longest + 1)
            if len(data) > longest:
                raise ServerError(Sentence("server.not-liverseg", address=str(self.address)), "too long")
            expected = response.headers.get("Content-Length")
            if expected is not None and len(data) != int(expected):
                raise Interrupted(self._unreachable("the connection broke"))
            return Answer(response.status, data)

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: Optional[Body] = None,
        *,
        length: int = 0,
        kind: str = "application/json",
        timeout: Optional[float] = None,
    ) -> Iterator[HTTPResponse]:
        """As ``ask``; the answer can be read piece by piece within the block."""
        connection = self._connection(CONNECT_S if timeout is None else timeout)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Connection": "close"}
            if body is not None:
                count = len(body) if isinstance(body, bytes) else length
                headers.update({"Content-Type": kind, "Content-Length": str(count)})
            response = _sent(connection, method, self.address.path + path, body, headers)
            if response.status >= 300:
                raise self._refused(
                    response.status, response.read(_LONGEST_ANSWER), response.getheader("Retry-After")
                )
            yield response
        except ssl.SSLCertVerificationError as error:
            text = Sentence("server.certificate", address=str(self.address), reason=error.verify_message)
            raise ServerError(text, str(error)) from error
        except (OSError, HTTPException) as error:
            raise Interrupted(self._unreachable(_reason(error)), repr(error)) from error
        finally:
            connection.close()

    def _connection(self, timeout: float) -> HTTPConnection:
        if self._tls is not None:
            return HTTPSConnection(self.address.host, self.address.port, timeout=timeout, context=self._tls)
        return HTTPConnection(self.address.host, self.address.port, timeout=timeout)

    def _refused(self, status: int, body: bytes, retry_after: Optional[str]) -> LiverSegError:
        """The error of an answer that is none."""
        try:
            found = protocol.decode(body)
        except protocol.ProtocolError as error:
            return _other_version(self.address, error)
        if not isinstance(found, Failure):
            details = f"status {status}: {body[:200]!r}"
            text = Sentence("server.not-liverseg", address=str(self.address))
            return Busy(text, 2.0) if status == 503 else ServerError(text, details)
        said = restored(found.sentence) if found.sentence else found.message
        if status == 503:
            return Busy(said, _seconds(retry_after))
        again = {"server.unknown-run": Forgotten, "server.upload-runs": Interrupted}.get(key_of(said))
        if again is not None:
            return again(said)
        return ERROR_TYPES.get(found.code, LiverSegError)(said)

    def _unreachable(self, reason: str) -> Sentence:
        return Sentence("server.unreachable", address=str(self.address), reason=reason)


def _sent(
    connection: HTTPConnection, method: str, path: str, body: Optional[Body], headers: Mapping[str, str]
) -> HTTPResponse:
    """Send a request. A server that refuses it may stop listening before all is sent: then its answer is
    what counts."""
    try:
        connection.request(method, path, body=body, headers=dict(headers))
    except (BrokenPipeError, ConnectionResetError):
        with contextlib.suppress(OSError, HTTPException):
            return connection.getresponse()
        raise
    return connection.getresponse()


def _other_version(address: Address, error: protocol.ProtocolError) -> ServerError:
    return ServerError(Sentence("server.not-liverseg", address=str(address)), str(error))


def _seconds(text: Optional[str]) -> float:
    return min(60.0, float(text)) if text is not None and text.isascii() and text.isdigit() else 2.0


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "it does not answer"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
