"""Requests to a server, each tried several times where that may help, while the user can cancel.

dicomweb-client's own retries are off: it would send an image that is sent in pieces again as nothing, does
not try again when a connection is lost, and cannot be cancelled while it waits.
"""

import logging
import time
import warnings
from typing import Any, Callable, Optional, Tuple, TypeVar, Union

from ..cancelling import POLL_S, while_checking
from ..errors import CancelledError, LiverSegError, ServerError
from ..sentences import Sentence
from .connection import Connection
from .failures import Failure, failure_of
from .session import open_session

ATTEMPTS = 4
"""How often a request is tried. With the usual waits of 1, 2 and 4 s a server may restart meanwhile."""
REQUEST_TIMEOUTS = 10
"""A request, whatever it carries, may take so many times as long as the server may be silent."""

Cancel = Callable[[], bool]
Progress = Callable[[float, str, str], None]
"""Called with the fraction done (0 to 1), a stage's key and a text for people."""

T = TypeVar("T")


class Client:
    """An open connection.

    Attributes:
        connection: the server.

    Raises:
        UsageError: the login in the environment makes no sense.
        LiverSegError: a package is missing.
    """

    def __init__(self, connection: Connection, cancel: Optional[Cancel] = None) -> None:
        session, login = open_session(connection)
        try:
            from dicomweb_client import DICOMwebClient
        except ModuleNotFoundError as error:
            raise LiverSegError(Sentence("dicomweb.package"), str(error)) from error
        # Without a handler Python prints its warnings on standard error, between our lines.
        logging.getLogger("dicomweb_client").addHandler(logging.NullHandler())
        self.connection = connection
        self._cancel, self._login, self._session = cancel, login, session
        self._web = DICOMwebClient(connection.url, session=session, permissive_uid=True)
        self._web.set_http_retry_params(retry=False)

    def call(
        self,
        send: Callable[[Any], T],
        *,
        absent: str = "dicomweb.no-dicomweb",
        strange: str = "dicomweb.no-dicomweb",
    ) -> T:
        """Return what ``send`` makes of the server's answer.

        Args:
            send: gets the ``DICOMwebClient`` and makes one request. It runs in a thread, again after a
                failure that may pass, and its value is dropped if the user cancels.
            absent: key of the sentence for what the server does not have (status 404).
            strange: key of the sentence for an answer that makes no sense.

        Raises:
            ServerError: with a sentence.
            CancelledError: the user cancelled.
        """
        for attempt in range(1, ATTEMPTS + 1):
            failure = self._attempt(send, attempt, (absent, strange))
            if not isinstance(failure, Failure):
                return failure[0]
            if not failure.again or attempt == ATTEMPTS:
                raise failure.error
            usual = self.connection.first_wait * 2 ** (attempt - 1)
            self.wait(usual if failure.wait is None else max(usual, failure.wait))
        raise AssertionError("the last attempt returns or raises")

    def check(self) -> None:
        """Raise CancelledError if the user cancelled."""
        if self._cancel is not None and self._cancel():
            raise CancelledError(Sentence("failed.cancelled"))

    def wait(self, seconds: float) -> None:
        """Let time pass; CancelledError if the user cancels meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check()
            time.sleep(min(POLL_S, max(0.0, end - time.monotonic())))

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _attempt(
        self, send: Callable[[Any], T], attempt: int, keys: Tuple[str, str]
    ) -> Union[Tuple[T], Failure]:
        self.check()
        end = time.monotonic() + REQUEST_TIMEOUTS * self.connection.timeout

        def check() -> None:
            self.check()
            if time.monotonic() > end:
                seconds = REQUEST_TIMEOUTS * self.connection.timeout
                raise ServerError(
                    Sentence("dicomweb.slow", host=self.connection.host, seconds=seconds),
                    "the answer came so slowly that it was given up",
                )

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of servers and headers that are odd but can be read
                return (while_checking(lambda _: send(self._web), check, awaited=False),)
        except LiverSegError:
            raise
        except Exception as error:  # noqa: BLE001 (servers make every library raise in its own way)
            return failure_of(error, self.connection, attempt, login=self._login.given, keys=keys)
