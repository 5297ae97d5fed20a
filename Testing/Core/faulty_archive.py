"""A small DICOMweb server on loopback that misbehaves as a test asks, and remembers what it was sent."""

import io
import json
import ssl
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pydicom

BOUNDARY = "parts-of-the-answer"
JSON = "application/dicom+json"

Trouble = Callable[["Handler"], bool]
"""Called before each answer; returns True if it has answered, or hung up, itself."""


class Archive(ThreadingHTTPServer):
    """Attributes:
    images: SOP Instance UID -> file content of what it has.
    announced: number of images that it announces for each series; None: as many as there are.
    trouble: what it does instead of answering.
    stored: SOP Instance UIDs that were sent to it, in this order.
    requests: method, path and headers of each request.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.images: Dict[str, bytes] = {}
        self.announced: Optional[int] = None
        self.trouble: Trouble = lambda handler: False
        self.stored: List[str] = []
        self.requests: List[Tuple[str, str, Dict[str, str]]] = []
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}/dicom-web"

    def add(self, folder: Path) -> None:
        """Have the DICOM files of a folder."""
        for path in sorted(folder.iterdir()):
            self.images[str(pydicom.dcmread(path).SOPInstanceUID)] = path.read_bytes()

    def headers(self) -> List[pydicom.Dataset]:
        return [pydicom.dcmread(io.BytesIO(image), stop_before_pixels=True) for image in self.images.values()]

    def count(self, method: str = "GET", ending: str = "") -> int:
        """How many requests there were whose path, without the query, ends so."""
        return sum(m == method and p.partition("?")[0].endswith(ending) for m, p, _ in self.requests)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up: that is what the tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Archive
    protocol_version = "HTTP/1.1"
    body = b""

    def do_GET(self) -> None:  # noqa: N802 (the base class calls it)
        self._answer(self._get)

    def do_POST(self) -> None:  # noqa: N802
        self.body = self._read_body()
        self._answer(self._post)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""

    def send(self, content: bytes, kind: str = JSON, status: int = 200, **headers: str) -> bool:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)
        return True

    def hang_up(self) -> bool:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)
        return True

    def send_json(self, content: Any, **more: Any) -> bool:
        return self.send(json.dumps(content).encode(), **more)

    def send_image(self, content: bytes) -> bool:
        return self.send(
            multipart(content), f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        )

    def _answer(self, usual: Callable[[], bool]) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        with suppress(BrokenPipeError, ConnectionResetError):
            if not self.server.trouble(self):
                usual()

    def _get(self) -> bool:
        path = self.path.partition("?")[0].split("/")
        offset = int(dict(w.split("=") for w in self.path.partition("?")[2].split("&") if w).get("offset", 0))
        headers = self.server.headers()
        if path[-1] == "series":
            found = {item.SeriesInstanceUID: item for item in headers}
            listed = [{**said(item), **self._announced(headers, uid)} for uid, item in found.items()]
            return self.send_json(listed[offset:])
        if path[-1] in ("instances", "metadata"):
            listed = [item.to_json_dict() for item in headers if item.SeriesInstanceUID == path[-2]]
            return self.send_json(listed[offset:] if path[-1] == "instances" else listed)
        if path[-1] in self.server.images:
            return self.send_image(self.server.images[path[-1]])
        return self.send(b"", status=404)

    def _announced(self, headers: List[pydicom.Dataset], uid: str) -> Dict[str, Any]:
        count = sum(item.SeriesInstanceUID == uid for item in headers)
        return {"00201209": {"vr": "IS", "Value": [self.server.announced or count]}}

    def _post(self) -> bool:
        begin = self.body.index(b"\r\n\r\n") + 4
        content = self.body[begin : self.body.rindex(b"\r\n--")]
        data = pydicom.dcmread(io.BytesIO(content))
        self.server.stored.append(str(data.SOPInstanceUID))
        self.server.images[str(data.SOPInstanceUID)] = content
        return self.send_json(stored(data))

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return body


def multipart(content: bytes) -> bytes:
    """The body of an answer with one image."""
    begin = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return begin + content + f"\r\n--{BOUNDARY}--".encode()


def said(item: pydicom.Dataset) -> Dict[str, Any]:
    return item.to_json_dict()


def stored(data: pydicom.Dataset) -> Dict[str, Any]:
    """The answer that an image was stored."""
    uids = {"00081150": (data.SOPClassUID), "00081155": data.SOPInstanceUID}
    item = {tag: {"vr": "UI", "Value": [str(uid)]} for tag, uid in uids.items()}
    return {"00081199": {"vr": "SQ", "Value": [item]}}


@contextmanager
def running_archive(context: Optional[ssl.SSLContext] = None) -> Iterator[Archive]:
    """A server in a thread of its own; https if it gets a context."""
    with Archive() as archive:
        if context is not None:
            archive.socket = context.wrap_socket(archive.socket, server_side=True)
            archive.scheme = "https"
        thread = threading.Thread(target=archive.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield archive
        finally:
            archive.shutdown()
