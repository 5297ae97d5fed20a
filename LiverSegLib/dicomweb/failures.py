"""What can go wrong between two computers, in a sentence each, and whether it is worth another attempt."""

import traceback
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from ..errors import LiverSegError, ServerError, is_out_of_memory
from ..sentences import Sentence
from .connection import VARIABLES, Connection
from .session import IncompleteAnswer

BUSY = (429, 502, 503, 504)
"""Statuses by which a server, or what stands before it, asks to come again."""
LONGEST_WAIT_S = 60.0
"""How long (seconds) a server's own wish when to come again is followed."""


class DamagedImage(Exception):
    """What was sent is DICOM, but not whole."""


@dataclass(frozen=True)
class Failure:
    """What went wrong in one attempt.

    Attributes:
        error: for the user, if it is not tried again.
        again: whether another attempt may help.
        wait: seconds until then, as the server wishes; None: it does not say.
    """

    error: LiverSegError
    again: bool = False
    wait: Optional[float] = None


def failure_of(
    error: Exception, connection: Connection, attempts: int, *, login: bool, keys: Tuple[str, str]
) -> Failure:
    """Return what an exception of requests, dicomweb-client or pydicom means.

    Args:
        error: what was raised.
        connection: the server.
        attempts: how often it was tried, for the sentence.
        login: whether a login was sent.
        keys: of the sentences for what the server does not have (status 404), and for an answer that makes
            no sense.

    Returns:
        The failure. What is known to be no fault of the server is raised again as it is.
    """
    import requests

    if isinstance(error, LiverSegError):
        return Failure(error)
    if is_out_of_memory(error):
        raise error
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        return _of_status(error.response, connection, attempts, login=login, absent=keys[0])
    key, again = _meaning(error, keys[1])
    names = {"host": connection.host, "count": attempts, "seconds": connection.timeout}
    said = Sentence(key, address=connection.url, **names)
    return Failure(ServerError(said, details), again)


def _meaning(error: Exception, strange: str) -> Tuple[str, bool]:
    """The key of the sentence, and whether another attempt may help."""
    from requests import exceptions

    text = str(error)
    if isinstance(error, exceptions.ProxyError):
        return "dicomweb.proxy", False
    if isinstance(error, exceptions.SSLError):
        untrusted = "CERTIFICATE_VERIFY_FAILED" in text
        return ("dicomweb.certificate" if untrusted else "dicomweb.tls"), False
    if isinstance(error, exceptions.ConnectTimeout):
        return "dicomweb.unreachable", False
    if isinstance(error, exceptions.ConnectionError) and "NameResolutionError" in text:
        return "dicomweb.unknown-host", False
    if isinstance(error, exceptions.ConnectionError) and "NewConnectionError" in text:
        return "dicomweb.unreachable", False
    if isinstance(error, exceptions.ReadTimeout) or "timed out" in text:
        return "dicomweb.slow", False
    if isinstance(error, DamagedImage):
        return "dicomweb.damaged", True
    if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError, IncompleteAnswer)):
        return "dicomweb.lost", True
    return strange, False


def _of_status(response: Any, connection: Connection, attempts: int, *, login: bool, absent: str) -> Failure:
    status, host = response.status_code, connection.host
    details = f"{response.request.method} answered with {status} {response.reason}"
    if status in BUSY:
        said = Sentence("dicomweb.busy", host=host, status=status, count=attempts)
        return Failure(ServerError(said, details), True, _wished(response.headers.get("Retry-After")))
    if status == 401:
        key = "dicomweb.login-refused" if login else "dicomweb.login-missing"
        return Failure(ServerError(Sentence(key, host=host, **VARIABLES), details))
    if status == 403:
        return Failure(ServerError(Sentence("dicomweb.forbidden", host=host), details))
    if status in (404, 405):
        return Failure(ServerError(Sentence(absent, address=connection.url, host=host), details))
    return Failure(ServerError(Sentence("dicomweb.status", host=host, status=status), details))


def _wished(header: Optional[str]) -> Optional[float]:
    """Seconds that a Retry-After asks for, within limits; None without one, or for a date, which is rare."""
    if header is None or not header.strip().isdigit():
        return None
    return min(float(header.strip()), LONGEST_WAIT_S)
