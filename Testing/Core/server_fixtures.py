"""A server of the tests: in a thread, on loopback, with a worker whose segmenter does what a test asks."""

import http.client
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import doubles
import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.images.grid import Grid
from LiverSegLib.server.access import Tokens
from LiverSegLib.server.client import Work
from LiverSegLib.server.limits import Limits
from LiverSegLib.server.listen import Place, serve
from LiverSegLib.worker import protocol
from LiverSegLib.worker.messages import Segment
from LiverSegLib.worker.server_messages import ServerAddress

TOKEN = "a-token-of-the-tests-0123456789"

START_S = 60.0


class TestServer:
    """A running server.

    Attributes:
        port: that it got. service: what it does, to look into.
    """

    __test__ = False

    def __init__(self, plan: Dict[str, Any], limits: Limits, place: Place, tokens: Tokens, scratch: Path):
        self.place, self.tokens = place, tokens
        self.port = 0
        self.error: Optional[BaseException] = None
        self._plan, self._limits, self._scratch = plan, limits, scratch
        self._ready = threading.Event()
        self._stop: Callable[[], None] = lambda: None
        self.service: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> ServerAddress:
        """With the token, as the client takes it."""
        return ServerAddress(self.place.url(self.port), self.tokens.values[0])

    def start(self) -> None:
        """Return when it takes requests."""
        self._thread.start()
        assert self._ready.wait(START_S), "the server does not start"
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        """End it, and wait for the end."""
        self._stop()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def ask(
        self, method: str, path: str, body: Any = None, token: Optional[str] = TOKEN, **headers: str
    ) -> Tuple[int, bytes, Any]:
        """Status, body and headers of the answer to any request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(), response.headers
        finally:
            connection.close()

    def metric(self, line: str) -> float:
        """The number in a line of /metrics."""
        text = self.ask("GET", "/metrics")[1].decode()
        return float(next(row for row in text.splitlines() if row.startswith(line)).split()[-1])

    def _run(self) -> None:
        try:
            serve(self._application, self.place, self._limits, self._on_ready)
        except BaseException as error:  # noqa: BLE001 (raised in the test)
            self.error = error
        finally:
            self._ready.set()

    def _application(self) -> Any:
        from LiverSegLib.server.app import make_app
        from LiverSegLib.server.metrics import Metrics
        from LiverSegLib.server.service import Service
        from LiverSegLib.server.warm_worker import WarmWorker

        metrics = Metrics()

        def count() -> None:
            metrics.worker_starts += 1

        command = doubles.command("worker", self._plan)
        worker = WarmWorker(self._scratch, command=command, on_start=count)
        self.service = Service(worker, self._limits, metrics, self._scratch)
        return make_app(self.service, self.tokens, self.place.proxy), self.service

    def _on_ready(self, port: int, stop: Callable[[], None]) -> None:
        self.port, self._stop = port, stop
        self._ready.set()


@contextmanager
def running(
    scratch: Path,
    plan: Optional[Dict[str, Any]] = None,
    *,
    place: Optional[Place] = None,
    tokens: Optional[Tokens] = None,
    **limits: Any,
) -> Iterator[TestServer]:
    """A server during the block; nothing of it stays in its scratch folder."""
    pytest.importorskip("fastapi", reason='pip install "liverseg[server]"')
    folder = Path(tempfile.mkdtemp(dir=str(scratch)))
    server = TestServer(
        plan or {}, Limits(**limits), place or Place(port=0), tokens or Tokens((TOKEN,)), folder
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()
        left = list(folder.iterdir())
    assert left == []


def work(image: Optional[sitk.Image] = None, **options: Any) -> Work:
    """A run on the made-up scan."""
    image = doubles.scan() if image is None else image
    request = Segment("run", grid=Grid.of(image), surfaces=False, probability=True, **options)
    return Work(request, np.array(sitk.GetArrayViewFromImage(image)))


def announced(server: TestServer, made: Optional[Work] = None, count: int = 1000) -> str:
    """The name of a run whose scan is still to come."""
    made = made or work()
    path = f"/v1/runs?type={made.voxels.dtype.name}&bytes={count}"
    status, body, _ = server.ask("POST", path, protocol.encode(made.request))
    assert status == 201, body
    return protocol.decode(body).id


def wait_for(condition: Any, seconds: float = 20.0) -> None:
    """Wait for something that another thread does; fails if it does not happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
