"""What a user writes as a server's address, checked."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import UsageError
from ..sentences import Sentence

HTTP_PORT, HTTPS_PORT = 80, 443


@dataclass(frozen=True)
class Address:
    """Where a server is. ``path``: what comes before the pages' own paths, without a slash at its end."""

    host: str
    port: int
    has_tls: bool
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.has_tls else 'http'}://{host}:{self.port}{self.path}"


def parse_address(text: str) -> Address:
    """Return the address in a text.

    Raises:
        UsageError: it is none, or would send a scan unencrypted to another computer.

    >>> str(parse_address("https://gpu.example.org:8765/"))
    'https://gpu.example.org:8765'
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(Sentence("server.address", address=text), str(error)) from error
    has_tls = parts.scheme == "https"
    is_plain = parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1")
    extra = parts.query or parts.fragment or parts.username or parts.password
    if not host or not (has_tls or is_plain) or extra:
        raise UsageError(Sentence("server.address", address=text))
    return Address(host, port or (HTTPS_PORT if has_tls else HTTP_PORT), has_tls, parts.path.rstrip("/"))
