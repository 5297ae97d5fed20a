"""Who may use a server: tokens, from the environment or from a file that is made at the first start."""

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple

from ..errors import OutputError, UsageError, write_failure
from ..sentences import Sentence

VARIABLE = "LIVERSEG_TOKEN"
"""Environment variable with the token, of a server and of who uses one."""

LEAST_CHARACTERS = 16
"""Of a token: shorter ones might be guessed."""

TOKEN_FILE = "server-token"
"""Name of the file that a server makes at its first start, in LiverSeg's folder of the user."""

_SCHEME = "bearer "


@dataclass(frozen=True)
class Tokens:
    """What opens a server.

    Attributes:
        values: the tokens; each is a user of its own where turns are taken.
        path: the file they are from; None if they are from the environment.
        is_new: the file was made just now.
    """

    values: Tuple[str, ...]
    path: Optional[Path] = None
    is_new: bool = False

    def owner_of(self, authorization: str) -> Optional[int]:
        """The number of the token in an HTTP header "Authorization: Bearer TOKEN"; None if it opens nothing.

        All tokens are compared, each in a time that does not depend on where it differs.
        """
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return None
        given = authorization[len(_SCHEME) :].strip().encode("utf-8", "replace")
        found = None
        for number, token in enumerate(self.values):
            if hmac.compare_digest(given, token.encode("utf-8")):
                found = number
        return found


def server_tokens(path: Optional[Path], default: Path) -> Tokens:
    """The tokens of a server: of the file, else of the environment, else of the default file, which is made
    if it is not there.

    Args:
        path: a file with a token on each line, lines that begin with # left out; None if none was given.
        default: where the file is made at the first start.

    Raises:
        UsageError: the file cannot be read, holds no token, or one that is too short.
        OutputError: the file cannot be made.
    """
    if path is not None:
        return Tokens(_read(path), path)
    if os.environ.get(VARIABLE):
        return Tokens(_checked([os.environ[VARIABLE].strip()]))
    if default.exists():
        return Tokens(_read(default), default)
    return Tokens((_made(default),), default, is_new=True)


def client_token(path: Optional[Path]) -> str:
    """The token with which a server is used: the first of the file, else that of the environment.

    Raises:
        UsageError: the file cannot be read, or there is neither.
    """
    if path is not None:
        return _read(path)[0]
    token = os.environ.get(VARIABLE, "").strip()
    if not token:
        raise UsageError(Sentence("server.no-token"))
    return token


def _read(path: Path) -> Tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise UsageError(Sentence("serve.token-file", path=str(path), reason=reason), str(error)) from error
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise UsageError(Sentence("serve.no-tokens", path=str(path)))
    return _checked(found)


def _checked(tokens: Sequence[str]) -> Tuple[str, ...]:
    for token in tokens:
        if len(token) < LEAST_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise UsageError(Sentence("serve.token-short", least=LEAST_CHARACTERS))
    return tuple(tokens)


def _made(path: Path) -> str:
    """Make a file that only its owner can read, with a new token, and return that."""
    token = secrets.token_urlsafe(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{token}\n")
    except OSError as error:
        failure = write_failure(error, path.parent)
        raise OutputError(failure.sentence, failure.details) from error
    return token
