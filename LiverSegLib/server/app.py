"""The pages of a server (FastAPI). ``docs/server.md`` lists them; ``service`` does what they ask for.

Bodies are the worker's own lines of JSON. A scan and a result are the only large ones; neither is ever a
pickle.
"""

from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Dict, Optional

from ..worker import protocol
from ..worker.failures import failure
from ..worker.messages import Message, Segment
from . import refusals
from .access import Tokens
from .metrics import CONTENT_TYPE
from .runs import DONE, Run
from .service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

JSON = "application/json"
MAX_REQUEST_BYTES = 1 << 16
"""Longest body of a request that is no scan."""

_PIECE = 1 << 18

Scope = Dict[str, Any]
Handler = Callable[[Scope, Any, Any], Awaitable[None]]


def make_app(service: Service, tokens: Tokens, proxy: Optional[str] = None) -> "FastAPI":
    """Return the application.

    Args:
        service: the runs.
        tokens: what lets in; only /health asks for none.
        proxy: IP address of the proxy without which nobody may come; None if there is none.
    """
    from fastapi import FastAPI

    # no page describes the others: who has no token learns nothing
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_state(app, service)
    _add_runs(app, service)
    _add_refusals(app, service)
    app.add_middleware(Gate, service=service, tokens=tokens, proxy=proxy)
    return app


class Gate:
    """Lets in who has a token, before anything of the request is read beyond its head."""

    def __init__(self, app: Handler, service: Service, tokens: Tokens, proxy: Optional[str]) -> None:
        self._app, self._service, self._tokens, self._proxy = app, service, tokens, proxy

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, with "owner" in its scope, or answer that it is refused."""
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                self._service.metrics.refusals[refusal.status] += 1
                await _refused(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Optional[refusals.Refusal]:
        headers = {name.lower(): value for name, value in scope["headers"]}
        peer = (scope.get("client") or ("", 0))[0]
        if scope["path"] == "/health":
            return None
        if self._proxy is not None:
            if peer != self._proxy:
                return refusals.not_the_proxy()
            # the last is what the proxy itself saw; those before it anybody can write
            peer = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")[-1].strip()
        owner = self._tokens.owner_of(headers.get(b"authorization", b"").decode("latin-1"))
        if owner is None:
            return refusals.wrong_token()
        scope["owner"] = f"{owner} {peer}"
        return None


def _add_state(app: "FastAPI", service: Service) -> None:
    """The pages about the server."""
    from fastapi import Response

    @app.get("/health")
    async def health() -> Response:
        is_ready = service.worker.is_there()
        return Response('{"status":"ok"}' if is_ready else '{"status":"starting"}', 200 if is_ready else 503,
                        media_type=JSON)  # fmt: skip

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics_text(), media_type=CONTENT_TYPE)

    @app.get("/v1/about")
    async def about() -> Response:
        return _answer(service.about())


def _add_runs(app: "FastAPI", service: Service) -> None:
    """The pages of runs."""
    from fastapi import Request, Response
    from fastapi.responses import StreamingResponse

    @app.post("/v1/runs")
    async def announce(request: Request) -> Response:
        asked = await _request_of(request)
        kind, count = request.query_params.get("type", ""), request.query_params.get("bytes", "")
        announced = int(count) if count.isascii() and count.isdigit() and len(count) < 16 else 0
        run = service.admit(asked, kind, announced, request.scope["owner"])
        return _answer(protocol.Queued(run.id, 0), status=201)

    @app.put("/v1/runs/{run_id}/scan")
    async def send(run_id: str, request: Request) -> Response:
        await service.receive(service.find(run_id), request.stream())
        return Response(status_code=204)

    @app.get("/v1/runs/{run_id}/events")
    async def listen(run_id: str) -> StreamingResponse:
        run = service.find(run_id)
        head = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies are to pass each one on
        return StreamingResponse(_events(run), media_type="text/event-stream", headers=head)

    @app.get("/v1/runs/{run_id}/result")
    async def fetch(run_id: str) -> StreamingResponse:
        run = service.find(run_id)
        if run.state != DONE:
            raise refusals.no_result()
        size = str(run.result.stat().st_size)
        return StreamingResponse(
            _file(run, service), media_type="application/zip", headers={"Content-Length": size}
        )

    @app.delete("/v1/runs/{run_id}")
    async def cancel(run_id: str) -> Response:
        service.forget(service.find(run_id), "cancelled")
        return Response(status_code=204)


def _add_refusals(app: "FastAPI", service: Service) -> None:
    """Each refusal is answered with a line of the worker's, and counted."""
    from fastapi import Request, Response
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    @app.exception_handler(refusals.Refusal)
    async def refused(request: Request, refusal: refusals.Refusal) -> Response:
        service.metrics.refusals[refusal.status] += 1
        return _refused(refusal)

    @app.exception_handler(HTTPException)
    async def no_such_page(request: Request, error: HTTPException) -> Response:
        return await refused(request, refusals.no_such_page())

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it


async def _request_of(request: "Request") -> Segment:
    """The worker's message in the body."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_REQUEST_BYTES:
            raise refusals.not_understood("it is too long")
    try:
        message = protocol.decode(bytes(body))
    except protocol.ProtocolError as error:
        raise refusals.not_understood(str(error)) from error
    if not isinstance(message, Segment):
        raise refusals.not_understood("a message of the type segment is needed")
    return message


async def _events(run: Run) -> AsyncIterator[bytes]:
    """What happens to a run, as server-sent events (WHATWG HTML, 9.2)."""
    async for message in run.messages():
        yield b"data: " + protocol.encode(message) + b"\n"


async def _file(run: Run, service: Service) -> AsyncIterator[bytes]:
    """The file of a result; when all of it has gone out, the run is forgotten."""
    with open(run.result, "rb") as file:
        while True:
            piece = file.read(_PIECE)
            if not piece:
                break
            yield piece
    service.forget(run, "done")


def _answer(message: Message, status: int = 200) -> Any:
    from fastapi import Response

    return Response(protocol.encode(message), status, media_type=JSON)


def _refused(refusal: refusals.Refusal) -> Any:
    from fastapi import Response

    headers = {"Connection": "close"}  # what is still to come of the request is not read
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    line = protocol.encode(failure(None, refusal.error))
    return Response(line, refusal.status, headers, media_type=JSON)
