"""What the tests of DICOMweb do to a server on loopback, and how they ask what comes of it."""

import io

import pydicom
import pytest
from faulty_archive import BOUNDARY, multipart, running_archive
from orthanc_server import series

from LiverSegLib.dicomweb import Connection, fetch_series, query_series
from LiverSegLib.errors import LiverSegError, ServerError
from LiverSegLib.sentences import key_of

IMAGES = 'multipart/related; type="application/dicom"; boundary=' + BOUNDARY
COUNT = 5


@pytest.fixture
def no_login(monkeypatch):
    """Whoever runs the tests may have a login of a real server."""
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"LIVERSEG_DICOMWEB_{name}", raising=False)


@pytest.fixture
def archive(no_login):
    """A server without images."""
    with running_archive() as server:
        yield server


@pytest.fixture
def full(archive, tmp_path):
    """An archive with one series of COUNT images, whose voxels are archive.hu."""
    archive.hu = series(tmp_path / "scan", count=COUNT, PatientID="4711")
    archive.add(tmp_path / "scan")
    return archive


def connect(archive, **options):
    """A connection that does not wait long."""
    return Connection(archive.url, **{"timeout": 10, "first_wait": 0.01, **options})


def refused(key, function, *arguments, kind=ServerError, **options):
    """Call what must fail with this sentence; return the sentence."""
    with pytest.raises(LiverSegError) as caught:
        function(*arguments, **options)
    assert key_of(caught.value.sentence) == key, str(caught.value)
    assert type(caught.value) is kind
    return str(caught.value)


def fetched(archive, folder, **options):
    """Fetch the only series of an archive."""
    (found,) = query_series(connect(archive))
    return fetch_series(connect(archive, **options), found, folder)


def is_image(handler):
    """Whether an image is asked for."""
    return handler.command == "GET" and "/instances/" in handler.path


def times(count, trouble, when=is_image):
    """Trouble for the first so many requests of a kind."""
    left = [count]

    def misbehave(handler):
        if not when(handler) or not left[0]:
            return False
        left[0] -= 1
        return trouble(handler)

    return misbehave


def half_an_image(handler):
    """Announce an image and hang up in its middle."""
    body = multipart(next(iter(handler.server.images.values())))
    handler.send_response(200)
    handler.send_header("Content-Type", IMAGES)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    return handler.hang_up()


def half_an_image_without_a_length(handler):
    """Send until the connection ends, which is too early."""
    body = multipart(next(iter(handler.server.images.values())))
    handler.send_response(200)
    handler.send_header("Content-Type", IMAGES)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    return handler.hang_up()


def image_without_its_last_pixels(handler):
    """A whole answer with an image that is not whole: the archive's file is damaged."""
    data = pydicom.dcmread(_file(handler))
    data.PixelData = data.PixelData[:100]
    return handler.send_image(_bytes(data))


def _file(handler):
    return io.BytesIO(handler.server.images[handler.path.partition("?")[0].rsplit("/", 1)[1]])


def _bytes(data):
    buffer = io.BytesIO()
    data.save_as(buffer)
    return buffer.getvalue()


def changed(**tags):
    """An image of which something was changed."""

    def send(handler):
        data = pydicom.dcmread(_file(handler))
        for keyword, value in tags.items():
            setattr(data, keyword, value)
        return handler.send_image(_bytes(data))

    return send


def status(code, **headers):
    """An answer that is nothing but a status."""
    return lambda handler: handler.send(b"", status=code, **headers)


def web_page(handler):
    return handler.send(b"<html><body>Please log in</body></html>", "text/html")


PASSING = {
    "hung up": lambda handler: handler.hang_up(),
    "half an image": half_an_image,
    "half an image, no length": half_an_image_without_a_length,
    "a damaged image": image_without_its_last_pixels,
    "503": status(503, Retry_After="0"),
    "429": status(429),
}


def refused_any(function, *arguments):
    with pytest.raises(ServerError) as caught:
        function(*arguments)
    return key_of(caught.value.sentence)
