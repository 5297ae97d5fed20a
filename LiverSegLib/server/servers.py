"""The way to servers, as the worker takes it: what opens connections is loaded when a server is asked for."""

from dataclasses import replace
from typing import TYPE_CHECKING, Optional

from ..worker.server_messages import AskServer, ServerAddress, ServerAnswer

if TYPE_CHECKING:
    from .remote import RemoteSegmenter


class Servers:
    """See ``worker.context.Elsewhere``."""

    def segmenter(self, server: ServerAddress, model: str, tumours: Optional[str]) -> "RemoteSegmenter":
        """What has a server segment with models of these names."""
        from .remote import RemoteSegmenter

        return RemoteSegmenter(server, model, tumours=tumours)

    def ask(self, request: AskServer) -> ServerAnswer:
        """Look whether a server can be used.

        Raises:
            UsageError, ServerError: it cannot, and why.
        """
        from .client import Client

        return replace(Client(request.server).about(), id=request.id)
