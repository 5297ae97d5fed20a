"""Why a server refuses a request: the HTTP status beside the sentence."""

from typing import Optional, Sequence

from ..errors import InputError, LiverSegError, ModelNotFoundError, ServerError, UsageError
from ..sentences import Sentence

RETRY_AFTER_S = 5
"""When a client may ask again (seconds) where the queue is full."""


class Refusal(Exception):
    """A request is refused. ``status``: of HTTP. ``error``: what the client is told. ``retry_after``:
    seconds."""

    def __init__(self, status: int, error: LiverSegError, retry_after: Optional[int] = None) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error
        self.retry_after = retry_after


def not_understood(reason: str) -> Refusal:
    """The request makes no sense."""
    return Refusal(400, UsageError(Sentence("server.request", reason=reason)))


def wrong_token() -> Refusal:
    """Whoever asks may not come in."""
    return Refusal(401, ServerError(Sentence("server.token")))


def not_the_proxy() -> Refusal:
    """The connection goes round the proxy."""
    return Refusal(403, ServerError(Sentence("server.not-the-proxy")))


def unknown_model(name: str, known: Sequence[str]) -> Refusal:
    """The server has no model of this name; folders are no names."""
    available = ", ".join(dict.fromkeys(known))
    return Refusal(400, ModelNotFoundError(Sentence("model.unknown", name=name, available=available)))


def no_such_page() -> Refusal:
    """There is nothing at this path."""
    return Refusal(404, ServerError(Sentence("server.no-such-page")))


def unknown_run() -> Refusal:
    """The run never was, or is over."""
    return Refusal(404, ServerError(Sentence("server.unknown-run")))


def too_slow(seconds: float) -> Refusal:
    """The scan did not come in time."""
    return Refusal(408, ServerError(Sentence("server.too-slow", seconds=seconds)))


def upload_runs() -> Refusal:
    """Two uploads of one scan, or one after it is here."""
    return Refusal(409, ServerError(Sentence("server.upload-runs")))


def no_result() -> Refusal:
    """The run has not ended, or has failed."""
    return Refusal(409, ServerError(Sentence("server.no-result")))


def too_many_bytes(most: int) -> Refusal:
    """The scan, compressed, is too large."""
    megabytes = Sentence("server.megabytes", count=most / 1e6)
    return Refusal(413, InputError(Sentence("server.too-large", most=megabytes)))


def too_many_voxels(most: int) -> Refusal:
    """The scan has too many voxels."""
    voxels = Sentence("server.voxels", count=most / 1e6)
    return Refusal(413, InputError(Sentence("server.too-large", most=voxels)))


def incomplete() -> Refusal:
    """What came is no scan of the size that was announced."""
    return Refusal(422, ServerError(Sentence("server.incomplete")))


def queue_full(count: int) -> Refusal:
    """So many runs are there already."""
    return Refusal(503, ServerError(Sentence("server.queue-full", count=count)), RETRY_AFTER_S)


def disk_full() -> Refusal:
    """The scan cannot be written."""
    return Refusal(507, ServerError(Sentence("server.disk-full")))
