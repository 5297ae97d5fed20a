"""The HTTP session that dicomweb-client sends through: login, certificates, and what answers are refused.

Everything here is set by hand, because of what requests does by itself: a ``~/.netrc`` would replace the
login, and an environment variable would replace the certificates that the user chose.
"""

import os
from typing import Any, Callable, Tuple
from urllib.parse import urljoin, urlsplit

from ..errors import LiverSegError, ServerError, UsageError
from ..sentences import Sentence
from .connection import Connection, Login, holds_certificates, is_this_computer, login_from

CONNECT_S = 10.0
"""How long (seconds) it may take to reach a server at most."""
REDIRECTS = 3
"""Redirections within a server that are followed, for instance to an address with a slash at its end."""


class IncompleteAnswer(Exception):
    """An answer that ended before its last part: the connection was lost, and nobody else notices."""


def open_session(connection: Connection) -> Tuple[Any, Login]:
    """Return a ``requests.Session`` for the server, and the login that it uses.

    Raises:
        UsageError: the login in the environment makes no sense, or its file of certificates is none.
        LiverSegError: requests or dicomweb-client is not installed.
    """
    login = login_from()
    try:
        import requests
    except ModuleNotFoundError as error:
        raise LiverSegError(Sentence("dicomweb.package"), str(error)) from error
    session = requests.Session()
    session.trust_env = False
    if not is_this_computer(urlsplit(connection.url).hostname or ""):
        session.proxies = requests.utils.get_environ_proxies(connection.url, no_proxy=None)
    public = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    if connection.ca is None and isinstance(public, str) and not holds_certificates(public):
        raise UsageError(Sentence("dicomweb.ca", path=public))
    session.verify = public if connection.ca is None else str(connection.ca)
    _limit_time(session, connection.timeout)
    session.max_redirects = REDIRECTS
    session.headers["Accept"] = "application/dicom+json"  # of what was stored; other requests say their own
    session.auth = _authorisation(login)
    session.hooks["response"] = [_refuse_other_address(connection), _plain_media_type, _refuse_incomplete]
    return session, login


def _limit_time(session: Any, seconds: float) -> None:
    """Let every request of a session wait for the server at most so long; dicomweb-client before 0.61, the
    newest of which is for Python 3.9, sets no limit, later ones one of their own."""
    from requests.adapters import HTTPAdapter

    limits = (min(CONNECT_S, seconds), seconds)

    class Timely(HTTPAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            return super().send(request, *args, **{**options, "timeout": limits})

    for scheme in ("https://", "http://"):
        session.mount(scheme, Timely())


def _authorisation(login: Login) -> Callable[[Any], Any]:
    """What adds the login to a request that is about to be sent, and puts right what servers stumble over."""

    def authorised(request: Any) -> Any:
        # dicomweb-client names the host without its port, which a server of several names does not know
        request.headers.pop("Host", None)
        # which encodes wildcards, too; Orthanc looks for them before it decodes
        path, mark, query = request.url.partition("?")
        request.url = path + mark + query.replace("%2A", "*").replace("%3F", "?")
        if login.token is not None:
            request.headers["Authorization"] = f"Bearer {login.token}"
        elif login.user is not None and login.password is not None:
            from requests.auth import HTTPBasicAuth

            # as bytes: requests would not send letters beyond Latin-1
            return HTTPBasicAuth(login.user.encode("utf-8"), login.password.encode("utf-8"))(request)
        return request

    return authorised


def _refuse_other_address(connection: Connection) -> Callable[..., None]:
    """A check of answers that point elsewhere: login and images go nowhere but where the user sent them."""

    def check(response: Any, *_: Any, **__: Any) -> None:
        if not response.is_redirect:
            return
        target = urljoin(response.url, response.headers["Location"])
        here, there = urlsplit(connection.url), urlsplit(target)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc) or response.request.method != "GET":
            other = f"{there.scheme}://{there.hostname or ''}"
            other += f":{there.port}" if there.port else ""
            raise ServerError(Sentence("dicomweb.redirect", host=connection.host, other=other))

    return check


def _plain_media_type(response: Any, *_: Any, **__: Any) -> None:
    """dicomweb-client does not read what was stored if the answer names its character set."""
    kind = response.headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() in ("application/dicom+json", "application/json"):
        response.headers["Content-Type"] = kind.partition(";")[0].strip().lower()


def _refuse_incomplete(response: Any, *_: Any, **__: Any) -> None:
    """Without a stated length a lost connection looks like the end; the last boundary tells them apart."""
    kind = response.headers.get("Content-Type", "")
    if response.status_code != 200 or not kind.lower().startswith("multipart/related"):
        return
    for word in kind.split(";")[1:]:
        name, _sign, boundary = word.strip().partition("=")
        if name.lower() == "boundary":
            end = b"--" + boundary.strip('"').encode("latin-1") + b"--"
            if not response.content.rstrip().endswith(end):
                raise IncompleteAnswer(f"{len(response.content)} bytes without the last boundary")
