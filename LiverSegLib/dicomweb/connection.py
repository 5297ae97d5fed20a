"""Which server, how long to wait for it, and who logs in: checked before anything is sent."""

import ipaddress
import math
import os
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Optional, Union
from urllib.parse import urlsplit

from ..errors import UsageError
from ..sentences import Sentence

USER, PASSWORD, TOKEN = "LIVERSEG_DICOMWEB_USER", "LIVERSEG_DICOMWEB_PASSWORD", "LIVERSEG_DICOMWEB_TOKEN"
"""Environment variables of the login: they show in no list of processes and no history of a shell."""
VARIABLES = {"user": USER, "password": PASSWORD, "token": TOKEN}
"""Their names, as sentences ask for them."""

TIMEOUT_S = 60.0
"""How long (seconds) a server may be silent. Archives that fetch from tape or cloud take tens of seconds."""


@dataclass(frozen=True)
class Connection:
    """A DICOMweb server. It holds no secret: whoever opens it reads the login from its own environment.

    Attributes:
        url: address of the service, without a slash at its end: https://server/dicom-web.
        ca: file of certificates (PEM) that are trusted in place of the public ones; None: the public ones.
        timeout: how long (seconds) the server may be silent. A single request may take ten times as long.
        unencrypted: whether http to another computer is allowed.
        first_wait: seconds before the second attempt; each further one waits twice as long.

    Raises:
        UsageError: the address, the certificates or the time make no sense, or http is not allowed.

    Example:
        >>> Connection("https://pacs.example.org/dicom-web/").host
        'pacs.example.org'
    """

    url: str
    ca: Optional[Path] = None
    timeout: float = TIMEOUT_S
    unencrypted: bool = False
    first_wait: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _checked_address(self.url))
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise UsageError(Sentence("dicomweb.timeout", seconds=self.timeout))
        if self.ca is not None and not (self.ca.is_file() and holds_certificates(self.ca)):
            raise UsageError(Sentence("dicomweb.ca", path=str(self.ca)))
        name = urlsplit(self.url).hostname or ""
        if self.url.startswith("http:") and not self.unencrypted and not is_this_computer(name):
            raise UsageError(Sentence("dicomweb.unencrypted", host=name))

    @property
    def host(self) -> str:
        """Name of the server, with its port if it has one, as sentences name it."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True)
class Login:
    """Who logs in; all None: nobody. Never printed: neither by ``repr`` nor in a sentence.

    Attributes:
        user: name of the user, and
        password: the password, for basic authentication; or
        token: a bearer token.
    """

    user: Optional[str] = field(default=None, repr=False)
    password: Optional[str] = field(default=None, repr=False)
    token: Optional[str] = field(default=None, repr=False)

    @property
    def given(self) -> bool:
        """Whether there is a login."""
        return self.token is not None or self.user is not None


def login_from(environment: Optional[Mapping[str, str]] = None) -> Login:
    """Return the login that the environment variables hold; variables that are empty count as not set.

    Args:
        environment: the variables; those of this process if None.

    Raises:
        UsageError: a user without a password or the other way round, both kinds of login, or a line break in
            one of them, which could forge what is sent.
    """
    variables = os.environ if environment is None else environment
    user, password, token = (variables.get(name) or None for name in (USER, PASSWORD, TOKEN))
    for name, value in ((USER, user), (PASSWORD, password), (TOKEN, token)):
        if value is not None and re.search(r"[\x00-\x1f\x7f]", value):
            raise UsageError(Sentence("dicomweb.login-letters", name=name))
    if (user is None) != (password is None):
        raise UsageError(Sentence("dicomweb.login-half", user=USER, password=PASSWORD))
    if user is not None and token is not None:
        raise UsageError(Sentence("dicomweb.login-twice", **VARIABLES))
    return Login(user, password, token)


def is_this_computer(name: str) -> bool:
    """Whether a host name or address never leaves this computer.

    >>> is_this_computer("localhost"), is_this_computer("127.0.0.1"), is_this_computer("10.0.0.1")
    (True, True, False)
    """
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _checked_address(url: str) -> str:
    """The address without spaces around it and slashes at its end.

    Raises:
        UsageError: no http or https address, or one with a login in it, which is not repeated.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        name, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        parts, name = urlsplit(""), None
    if "@" in parts.netloc:
        raise UsageError(Sentence("dicomweb.address-login", user=USER, password=PASSWORD))
    if (
        parts.scheme not in ("http", "https")
        or not name
        or parts.query
        or parts.fragment
        or re.search(r"\s", url)
    ):
        raise UsageError(Sentence("dicomweb.address", address=_without_login(url)))
    return url.rstrip("/")


def _without_login(address: str) -> str:
    """What may be a login in something that is no address is left out before it is repeated."""
    return re.sub(r"[^/]*@", "", address)


def holds_certificates(path: Union[str, Path]) -> bool:
    """Whether a file (PEM), or a folder as OpenSSL keeps them, can be read as certificates to trust."""
    if os.path.isdir(path):
        return True
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:  # ssl.SSLError is one
        return False
    return True
