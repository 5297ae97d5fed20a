"""The messages about a server that computes in the worker's place; see ``messages``, and room ``server``."""

from dataclasses import dataclass, field
from typing import ClassVar, Optional, Tuple


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is. ``url``: https://NAME:PORT, or http:// on this computer. ``token`` lets in.
    ``authority``: file (PEM) of the authority that signed the server's certificate; this computer's own
    authorities if None.
    """

    url: str
    token: str = field(default="", repr=False)
    authority: Optional[str] = None


@dataclass(frozen=True)
class AskServer:
    """Look whether a server can be used. Answered by ``server-answer`` or ``error``."""

    type: ClassVar[str] = "ask-server"
    id: str
    server: ServerAddress


@dataclass(frozen=True)
class ServerAnswer:
    """A server says who it is: version, names of its models, how many runs wait or are computed, and how many
    it takes in at most."""

    type: ClassVar[str] = "server-answer"
    id: str
    liverseg_version: str
    models: Tuple[str, ...]
    runs: int
    most_runs: int


@dataclass(frozen=True)
class Queued:
    """A run waits for its turn on a server. ``place``: how many are computed before it."""

    type: ClassVar[str] = "queued"
    id: str
    place: int
