"""DICOMweb with servers and networks that fail: a sentence each, another attempt where it helps, and never
half a series."""

import errno
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from doubles import wait_until

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("dicomweb_client")

from faulty_archive import BOUNDARY, multipart, running_archive  # noqa: E402
from orthanc_server import free_port, series  # noqa: E402

from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.dicomweb import (  # noqa: E402
    Connection,
    Query,
    choose_series,
    fetch_series,
    outgoing_files,
    push_files,
    query_series,
)
from LiverSegLib.dicomweb.connection import login_from  # noqa: E402
from LiverSegLib.errors import (  # noqa: E402
    CancelledError,
    InputError,
    LiverSegError,
    OutputError,
    SeriesChoiceError,
    ServerError,
    UsageError,
)
from LiverSegLib.images import read_scan  # noqa: E402
from LiverSegLib.sentences import key_of  # noqa: E402

PNG = 'multipart/related; type="application/dicom"; boundary=' + BOUNDARY
COUNT = 5


@pytest.fixture(autouse=True)
def no_login(monkeypatch):
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"LIVERSEG_DICOMWEB_{name}", raising=False)


@pytest.fixture
def archive():
    with running_archive() as server:
        yield server


@pytest.fixture
def full(archive, tmp_path):
    """An archive with one series of COUNT images, whose voxels are archive.hu."""
    archive.hu = series(tmp_path / "scan", count=COUNT, PatientID="4711")
    archive.add(tmp_path / "scan")
    return archive


def connect(archive, **options):
    return Connection(archive.url, **{"timeout": 10, "first_wait": 0.01, **options})


def refused(key, function, *arguments, kind=ServerError, **options):
    """Call what must fail with this sentence; return the sentence."""
    with pytest.raises(LiverSegError) as caught:
        function(*arguments, **options)
    assert key_of(caught.value.sentence) == key, str(caught.value)
    assert type(caught.value) is kind
    return str(caught.value)


def fetched(archive, folder, **options):
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
    handler.send_header("Content-Type", PNG)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    return handler.hang_up()


def half_an_image_without_a_length(handler):
    """Send until the connection ends, which is too early."""
    body = multipart(next(iter(handler.server.images.values())))
    handler.send_response(200)
    handler.send_header("Content-Type", PNG)
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
    import io

    return io.BytesIO(handler.server.images[handler.path.partition("?")[0].rsplit("/", 1)[1]])


def _bytes(data):
    import io

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


class TestAnotherAttempt:
    @pytest.mark.parametrize("trouble", PASSING)
    def test_trouble_that_passes_costs_nothing(self, full, tmp_path, trouble):
        full.trouble = times(2, PASSING[trouble])
        assert len(fetched(full, tmp_path / "out")) == COUNT
        assert np.array_equal(sitk.GetArrayFromImage(read_scan(tmp_path / "out").image), full.hu)
        assert full.count(ending="instances") == 1 and len(full.requests) == 1 + 1 + 1 + COUNT + 2

    @pytest.mark.parametrize(
        "trouble, key",
        [
            ("hung up", "dicomweb.lost"),
            ("half an image", "dicomweb.lost"),
            ("half an image, no length", "dicomweb.lost"),
            ("a damaged image", "dicomweb.damaged"),
            ("503", "dicomweb.busy"),
        ],
    )
    def test_trouble_that_stays_is_said_and_leaves_nothing(self, full, tmp_path, trouble, key):
        later = {"left": 2}  # the first images come

        def misbehave(handler):
            if is_image(handler):
                later["left"] -= 1
                return later["left"] < 0 and PASSING[trouble](handler)
            return False

        full.trouble = misbehave
        assert "4 times in a row" in refused(key, fetched, full, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert len([path for _, path, _ in full.requests if "/instances/" in path]) == 2 + 4

    def test_waits_grow_and_the_server_may_ask_for_longer(self, full, monkeypatch):
        waits = []
        monkeypatch.setattr("LiverSegLib.dicomweb.client.Client.wait", lambda self, s: waits.append(s))
        full.trouble = status(503, Retry_After="7")
        refused("dicomweb.busy", query_series, connect(full, first_wait=3))
        assert waits == [7, 7, 12]
        full.trouble = status(503, Retry_After="86400")
        refused("dicomweb.busy", query_series, connect(full))
        assert waits[3:] == [60, 60, 60]

    @pytest.mark.parametrize(
        "code, key",
        [
            (401, "dicomweb.login-missing"),
            (403, "dicomweb.forbidden"),
            (404, "dicomweb.no-dicomweb"),
            (500, "dicomweb.status"),
        ],
    )
    def test_what_stays_wrong_is_asked_once(self, full, code, key):
        full.trouble = status(code)
        refused(key, query_series, connect(full))
        assert len(full.requests) == 1


class TestWrongContent:
    @pytest.mark.parametrize(
        "trouble",
        [
            web_page,
            lambda handler: handler.send_image(b"no DICOM at all"),
            changed(SeriesInstanceUID="1.2.3.4"),
            changed(SOPInstanceUID="1.2.3.4"),
            changed(PatientID="someone else"),
            lambda handler: handler.send(b"", PNG),
        ],
        ids=["web page", "no DICOM", "other series", "other image", "other patient", "nothing"],
    )
    def test_what_is_not_the_image_asked_for_is_refused(self, full, tmp_path, trouble):
        full.trouble = lambda handler: is_image(handler) and trouble(handler)
        said = refused_any(fetched, full, tmp_path / "out")
        assert said in ("dicomweb.wrong-image", "dicomweb.lost") and not (tmp_path / "out").exists()

    def test_image_that_is_gone(self, full, tmp_path):
        full.trouble = lambda handler: is_image(handler) and status(404)(handler)
        refused("dicomweb.gone", fetched, full, tmp_path / "out")

    def test_too_few_images(self, full, tmp_path):
        full.announced = COUNT + 2
        said = refused("dicomweb.count", fetched, full, tmp_path / "out")
        assert f"announced {COUNT + 2} images of the series, but has {COUNT} to send" in said
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        "trouble",
        [web_page, lambda h: h.send(b"no JSON"), lambda h: h.send_json(["text"]), lambda h: h.send_json({})],
        ids=["web page", "no JSON", "list of texts", "an object"],
    )
    def test_address_that_is_no_dicomweb(self, full, trouble):
        full.trouble = trouble
        if trouble(Recorder()) == {}:  # an object counts as one answer that says nothing
            assert query_series(connect(full)) == ()
        else:
            assert full.url in refused("dicomweb.no-dicomweb", query_series, connect(full))

    def test_server_that_ignores_what_was_asked(self, full, tmp_path):
        """Other patients' series must not come because a server does not know a filter."""
        for query in ({"patient": "4712"}, {"study": "1.2.9"}, {"series": "1.2.9"}, {"modality": "MR"}):
            assert query_series(connect(full), Query(**query)) == ()
        assert query_series(connect(full), Query(first_date="2024-02-01")) == ()
        assert len(query_series(connect(full), Query(patient="4711", last_date="2024-01-31"))) == 1

    def test_server_that_does_not_say_whose_series_it_is(self, full, tmp_path):
        def anonymous(handler):
            if not handler.path.partition("?")[0].endswith("/series"):
                return False
            found = {item.SeriesInstanceUID: item.to_json_dict() for item in full.headers()}
            for item in found.values():
                item.pop("00100020")
            return handler.send_json(list(found.values()))

        full.trouble = anonymous
        (found,) = query_series(connect(full), Query(patient="4712"))
        refused("dicomweb.wrong-image", fetch_series, connect(full), found, tmp_path / "out")
        (found,) = query_series(connect(full), Query(patient="4711"))
        assert len(fetch_series(connect(full), found, tmp_path / "out")) == COUNT

    def test_no_image_among_several_series(self, archive, tmp_path):
        for kind in ("SEG", "SR"):
            series(tmp_path / kind, count=1, Modality=kind, SeriesDescription=f"our {kind}")
            archive.add(tmp_path / kind)
        with pytest.raises(SeriesChoiceError) as caught:
            choose_series(connect(archive), query_series(connect(archive)))
        assert key_of(caught.value.sentence) == "dicomweb.none-suits" and "our SR" in str(caught.value)
        assert len(caught.value.series) == 2

    def test_server_that_ignores_the_offset(self, full, tmp_path):
        full.trouble = drop_offset
        assert len(query_series(connect(full))) == 1
        assert len(fetched(full, tmp_path / "out")) == COUNT

    def test_file_names_are_never_the_servers(self, full, tmp_path):
        def evil(handler):
            if not handler.path.partition("?")[0].endswith("/instances"):
                return False
            return handler.send_json([{"00080018": {"vr": "UI", "Value": ["../../evil"]}}])

        full.trouble = evil
        refused_any(fetched, full, tmp_path / "out")
        assert not list(tmp_path.parent.rglob("evil*"))

    def test_too_many_series(self, full, monkeypatch):
        monkeypatch.setattr("LiverSegLib.dicomweb.query.MOST_SERIES", 0)
        refused("dicomweb.too-many", query_series, connect(full))

    def test_too_many_series_to_look_at_each(self, full, monkeypatch):
        monkeypatch.setattr("LiverSegLib.dicomweb.choice.MOST_JUDGED", 1)
        found = query_series(connect(full)) * 2
        refused("dicomweb.too-many-to-judge", choose_series, connect(full), found)


class Recorder:
    """Stands for a handler, to see what a trouble sends."""

    def send(self, content, *_, **__):
        return content

    def send_json(self, content):
        return content


def drop_offset(handler):
    handler.path = re.sub(r"&?offset=\d+", "", handler.path)
    return False


def refused_any(function, *arguments):
    with pytest.raises(ServerError) as caught:
        function(*arguments)
    return key_of(caught.value.sentence)


class TestTime:
    def test_silent_server(self, full):
        full.trouble = lambda handler: time.sleep(3) or True
        began = time.monotonic()
        said = refused("dicomweb.slow", query_series, connect(full, timeout=0.3))
        assert "within 0.3 seconds" in said and time.monotonic() - began < 2.5

    def test_server_that_drips(self, full):
        def drip(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
            for _ in range(100):
                handler.wfile.write(b" ")
                time.sleep(0.05)
            return True

        full.trouble = drip
        began = time.monotonic()
        assert "within 2 seconds" in refused("dicomweb.slow", query_series, connect(full, timeout=0.2))
        assert time.monotonic() - began < 4

    def test_cancel_acts_while_the_server_is_silent(self, full, tmp_path):
        full.trouble = lambda handler: is_image(handler) and (time.sleep(3) or True)
        (found,) = query_series(connect(full))
        began = time.monotonic()
        with pytest.raises(CancelledError):
            fetch_series(
                connect(full), found, tmp_path / "out", cancel=lambda: time.monotonic() - began > 0.5
            )
        assert time.monotonic() - began < 1.5 and not (tmp_path / "out").exists()

    def test_cancel_acts_while_waiting_for_another_attempt(self, full):
        full.trouble = status(503, Retry_After="30")
        began = time.monotonic()
        with pytest.raises(CancelledError):
            query_series(connect(full), cancel=lambda: time.monotonic() - began > 0.5)
        assert time.monotonic() - began < 1.5

    def test_ctrl_c_ends_the_command_at_once(self, full, tmp_path):
        full.trouble = lambda handler: is_image(handler) and (time.sleep(30) or True)
        command = [sys.executable, "-m", "LiverSegLib.cli", "fetch", full.url, "-o", str(tmp_path / "out")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: any("/instances/" in path for _, path, _ in full.requests), 60)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 130 and "Cancelled; nothing was written." in said
        assert time.monotonic() - began < 10 and not (tmp_path / "out").exists()


class TestTrust:
    @pytest.fixture
    def authority(self, tmp_path):
        trustme = pytest.importorskip("trustme")
        made = trustme.CA()
        made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        return made

    def context(self, authority, *names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        return context

    @pytest.mark.parametrize("environment", [{}, {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "/none.pem"}])
    def test_own_certificates_are_those_that_count(self, authority, tmp_path, monkeypatch, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with running_archive(self.context(authority, "127.0.0.1")) as archive:
            assert query_series(connect(archive, ca=tmp_path / "ca.pem")) == ()

    def test_certificate_of_another_name(self, authority, tmp_path, monkeypatch):
        monkeypatch.setenv("LIVERSEG_DICOMWEB_TOKEN", "secret-token")
        with running_archive(self.context(authority, "pacs.example.org")) as archive:
            refused("dicomweb.certificate", query_series, connect(archive, ca=tmp_path / "ca.pem"))
            assert archive.requests == []

    def test_server_that_speaks_no_https(self, archive):
        address = archive.url.replace("http:", "https:")
        refused("dicomweb.tls", query_series, Connection(address, timeout=5, first_wait=0.01))

    def test_file_that_holds_no_certificates(self, tmp_path):
        wrong = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"
        (tmp_path / "ca.pem").write_text(wrong)
        for path in (tmp_path / "ca.pem", tmp_path / "none.pem"):
            refused("dicomweb.ca", Connection, "https://a.example", ca=path, kind=UsageError)

    def test_environment_that_names_no_certificates(self, archive, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
        said = refused("dicomweb.ca", query_series, connect(archive), kind=UsageError)
        assert said.startswith("/none.pem is not a file of certificates")

    @pytest.mark.parametrize("method", ["query", "push"])
    def test_other_address_is_not_followed(self, full, tmp_path, monkeypatch, method):
        monkeypatch.setenv("LIVERSEG_DICOMWEB_TOKEN", "secret-token")
        with running_archive() as other:
            full.trouble = status(307, Location=other.url + "/studies?name=secret")
            if method == "query":
                said = refused("dicomweb.redirect", query_series, connect(full))
            else:
                files = outgoing_files([tmp_path / "scan"]).files
                said = refused("dicomweb.redirect", push_files, connect(full), files)
            assert other.url.replace("/dicom-web", ",") in said and "secret" not in said
            assert other.requests == [] and len(full.requests) == 1

    def test_redirection_within_the_server_is_followed(self, full):
        full.trouble = lambda handler: (
            "moved" not in handler.path and status(301, Location="/moved" + handler.path)(handler)
        )
        assert len(query_series(connect(full))) == 1
        full.trouble = lambda handler: status(301, Location="/dicom-web/series")(handler)
        refused("dicomweb.no-dicomweb", query_series, connect(full))


class TestLogin:
    def test_only_the_login_of_the_environment_is_sent(self, full, monkeypatch, tmp_path):
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password elsewhere\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        query_series(connect(full))
        assert not [headers for _, _, headers in full.requests if "Authorization" in headers]
        monkeypatch.setenv("LIVERSEG_DICOMWEB_TOKEN", "abc")
        query_series(connect(full))
        assert full.requests[-1][2]["Authorization"] == "Bearer abc"
        monkeypatch.delenv("LIVERSEG_DICOMWEB_TOKEN")
        monkeypatch.setenv("LIVERSEG_DICOMWEB_USER", "Jörg")
        monkeypatch.setenv("LIVERSEG_DICOMWEB_PASSWORD", "ключ")
        query_series(connect(full))
        assert full.requests[-1][2]["Authorization"] == "Basic SsO2cmc60LrQu9GO0Yc="

    def test_server_is_named_with_its_port(self, full):
        query_series(connect(full))
        assert {headers["Host"] for _, _, headers in full.requests} == {connect(full).host}

    @pytest.mark.parametrize(
        "environment, key",
        [
            ({"USER": "a"}, "dicomweb.login-half"),
            ({"PASSWORD": "secret"}, "dicomweb.login-half"),
            ({"USER": "a", "PASSWORD": "secret", "TOKEN": "secret"}, "dicomweb.login-twice"),
            ({"TOKEN": "secret\r\nX-Other: 1"}, "dicomweb.login-letters"),
        ],
    )
    def test_login_that_makes_no_sense(self, environment, key):
        variables = {f"LIVERSEG_DICOMWEB_{name}": value for name, value in environment.items()}
        assert "secret" not in refused(key, login_from, variables, kind=UsageError)

    def test_login_is_never_shown(self):
        login = login_from({"LIVERSEG_DICOMWEB_USER": "ann", "LIVERSEG_DICOMWEB_PASSWORD": "secret"})
        assert login.given and repr(login) == "Login()"
        assert not login_from({"LIVERSEG_DICOMWEB_USER": ""}).given

    @pytest.mark.parametrize("code", [401, 403, 500])
    def test_login_is_in_nothing_that_is_printed(self, full, monkeypatch, capsys, code):
        monkeypatch.setenv("LIVERSEG_DICOMWEB_USER", "ann-secret")
        monkeypatch.setenv("LIVERSEG_DICOMWEB_PASSWORD", "secret")
        full.trouble = status(code)
        assert main(["--debug", "fetch", full.url, "--list"]) == ServerError.exit_code
        said = capsys.readouterr()
        assert "secret" not in said.out + said.err and "YW5uLXNlY3" not in said.out + said.err
        assert f"{code}" in said.err


class TestAddress:
    @pytest.mark.parametrize(
        "url, key",
        [
            ("pacs.example.org", "dicomweb.address"),
            ("ftp://pacs.example.org", "dicomweb.address"),
            ("https://", "dicomweb.address"),
            ("https://pacs.example.org:port/", "dicomweb.address"),
            ("https://pacs.example.org/a b", "dicomweb.address"),
            ("https://pacs.example.org/?x=1", "dicomweb.address"),
            ("https://ann:secret@pacs.example.org/", "dicomweb.address-login"),
            ("ann:secret@pacs.example.org", "dicomweb.address"),
            ("http://pacs.example.org/dicom-web", "dicomweb.unencrypted"),
        ],
    )
    def test_address_that_is_refused(self, url, key):
        assert "secret" not in refused(key, Connection, url, kind=UsageError)

    def test_http_to_another_computer_can_be_allowed(self):
        assert Connection("http://pacs.example.org/a/", unencrypted=True).url == "http://pacs.example.org/a"
        assert Connection("http://[::1]:8042/a").host == "[::1]:8042"

    @pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
    def test_time_limit_that_is_none(self, seconds):
        refused("dicomweb.timeout", Connection, "https://a.example", timeout=seconds, kind=UsageError)

    def test_nobody_listens(self):
        refused(
            "dicomweb.unreachable", query_series, Connection(f"http://127.0.0.1:{free_port()}", timeout=2)
        )

    def test_name_that_nobody_has(self, monkeypatch):
        def unknown(*_, **__):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        said = refused("dicomweb.unknown-host", query_series, Connection("https://pacs.invalid", timeout=2))
        assert "pacs.invalid" in said

    def test_proxy_that_does_not_lead_there(self, monkeypatch):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("no_proxy", "")
        refused("dicomweb.proxy", query_series, Connection("https://pacs.invalid", timeout=2))

    @pytest.mark.parametrize(
        "query, key",
        [
            ({"study": "1.2.x"}, "dicomweb.uid"),
            ({"series": "../1"}, "dicomweb.uid"),
            ({"first_date": "31.1.2024"}, "dicomweb.date"),
            ({"first_date": "2024-02-30"}, "dicomweb.date"),
            ({"first_date": "2024-02-01", "last_date": "20240131"}, "dicomweb.dates"),
        ],
    )
    def test_search_that_makes_no_sense(self, query, key):
        refused(key, Query, kind=UsageError, **query)

    def test_missing_package(self, monkeypatch, archive):
        monkeypatch.setitem(sys.modules, "dicomweb_client", None)
        said = refused("dicomweb.package", query_series, connect(archive), kind=LiverSegError)
        assert 'pip install "liverseg[dicomweb]"' in said

    def test_list_or_folder(self, archive, capsys):
        assert main(["fetch", archive.url]) == UsageError.exit_code
        assert main(["fetch", archive.url, "--list", "-o", "x"]) == UsageError.exit_code
        assert archive.requests == []


class TestDisk:
    def test_full_disk_is_said_before_the_second_image(self, full, tmp_path, monkeypatch):
        usage = type("Usage", (), {"free": 1000})
        monkeypatch.setattr("LiverSegLib.outputs.atomic.shutil.disk_usage", lambda path: usage)
        refused("write.nearly-full", fetched, full, tmp_path / "out", kind=OutputError)
        assert len([path for _, path, _ in full.requests if "/instances/" in path]) == 1
        assert not (tmp_path / "out").exists()

    def test_disk_that_fills_up_meanwhile(self, full, tmp_path, monkeypatch):
        real, written = Path.write_bytes, []

        def write(path, content):
            if path.suffix == ".dcm":
                written.append(path)
                if len(written) == 3:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(path, content)

        monkeypatch.setattr(Path, "write_bytes", write)
        said = refused("write.results", fetched, full, tmp_path / "out", kind=OutputError)
        assert f"the disk that holds {tmp_path / 'out'} is full" in said and not (tmp_path / "out").exists()


class TestPush:
    @pytest.fixture
    def files(self, tmp_path):
        series(tmp_path / "results", count=3, PatientID="push")
        return outgoing_files([tmp_path / "results"]).files

    def test_lost_connection_says_how_many_were_stored_and_repeating_is_safe(self, archive, files):
        archive.trouble = lambda handler: (
            handler.command == "POST" and bool(archive.stored) and handler.hang_up()
        )
        said = refused("dicomweb.push-stopped", push_files, connect(archive), files)
        assert said.endswith("It had confirmed 1 of 3 files; sending them again is safe.")
        assert "was lost, 4 times in a row." in said
        archive.trouble = lambda handler: False
        answer = push_files(connect(archive), files)
        assert answer.stored == files and set(archive.stored) == {file.uid for file in files}

    def test_nothing_stored_leaves_the_sentence_alone(self, archive, files):
        archive.trouble = status(401)
        refused("dicomweb.login-missing", push_files, connect(archive), files)
        assert len(archive.requests) == 1

    def test_cancel_says_how_many_were_stored(self, archive, files, monkeypatch, capsys):
        steps = []
        with pytest.raises(CancelledError) as caught:
            push_files(
                connect(archive),
                files,
                progress=lambda *step: steps.append(step),
                cancel=lambda: len(steps) == 3,
            )
        assert str(caught.value).startswith("Cancelled; the server had confirmed 2 of 3 files.")
        archive.stored.clear()
        monkeypatch.setattr("LiverSegLib.cli.interrupts.Interrupts.requested", lambda _: bool(archive.stored))
        archive.trouble = lambda handler: bool(archive.stored) and (time.sleep(1) or True)
        assert main(["push", archive.url, str(files[0].path.parent)]) == CancelledError.exit_code
        assert re.search("Cancelled; the server had confirmed [01] of 3 files", capsys.readouterr().err)

    def test_large_file_is_sent_whole_at_the_second_attempt(self, archive, tmp_path):
        """In pieces: what dicomweb-client's own retry would send the second time is empty."""
        series(tmp_path / "large", count=1, PatientID="push")
        (path,) = (tmp_path / "large").iterdir()
        data = pydicom.dcmread(path)
        data.Rows = data.Columns = 1100
        data.PixelData = np.arange(1100 * 1100, dtype="<u2").tobytes()
        data.save_as(path)
        archive.trouble = times(1, status(503), when=lambda handler: handler.command == "POST")
        answer = push_files(connect(archive), outgoing_files([path]).files)
        assert len(answer.stored) == 1 and archive.count("POST") == 2
        sent = [headers for method, _, headers in archive.requests if method == "POST"]
        assert [headers["Transfer-Encoding"] for headers in sent] == ["chunked", "chunked"]
        (content,) = archive.images.values()
        assert content == path.read_bytes()

    @pytest.mark.parametrize(
        "code, reason",
        [
            (0xA700, "out of room"),
            (0xA900, "does not agree with its kind"),
            (0xC000, "cannot understand"),
            (0xC122, "compressed like this"),
            (0x0122, "files of this kind"),
            (0x0124, "not allowed to store"),
            (0x0110, "has the code 0110"),
        ],
    )
    def test_reasons_of_the_server(self, archive, files, code, reason):
        failed = {
            "00081155": {"vr": "UI", "Value": [files[0].uid]},
            "00081197": {"vr": "US", "Value": [code]},
        }
        answer = {"00081198": {"vr": "SQ", "Value": [failed]}}
        archive.trouble = lambda handler: handler.command == "POST" and handler.send_json(answer, status=409)
        (refusal,) = push_files(connect(archive), files[:1]).refused
        assert reason in refusal.reason and archive.count("POST") == 1

    @pytest.mark.parametrize(
        "trouble, reason",
        [
            (status(413), "too large"),
            (status(415), "files of this kind"),
            (status(409), "does not say why"),
            (lambda handler: handler.send_json({}), "did not confirm"),
            (lambda handler: handler.send(b""), "did not confirm"),
        ],
    )
    def test_refusals_without_a_reason(self, archive, files, trouble, reason):
        archive.trouble = times(1, trouble, when=lambda handler: handler.command == "POST")
        answer = push_files(connect(archive), files)
        assert [refusal.file for refusal in answer.refused] == [files[0]] and reason in answer.refused[
            0
        ].reason
        assert answer.stored == files[1:]

    def test_answer_that_names_its_character_set_is_read(self, archive, files):
        def answer(handler):
            from faulty_archive import stored

            if handler.command != "POST":
                return False
            body = json.dumps(stored(pydicom.dcmread(files[0].path))).encode()
            archive.add(files[0].path.parent)
            return handler.send(body, "application/dicom+json; charset=utf-8")

        archive.trouble = answer
        assert push_files(connect(archive), files[:1]).stored == files[:1]

    def test_what_is_stored_but_not_there_is_refused(self, archive, files):
        archive.trouble = lambda handler: handler.command == "GET" and handler.send_json([])
        answer = push_files(connect(archive), files)
        assert not answer.stored and "does not have it" in answer.refused[0].reason
        assert archive.count("GET") == 3

    def test_server_that_lets_nobody_look_is_believed(self, archive, files):
        archive.trouble = lambda handler: handler.command == "GET" and status(403)(handler)
        assert push_files(connect(archive), files).stored == files

    def test_archive_that_needs_a_moment(self, archive, files):
        archive.trouble = times(1, lambda h: h.send_json([]), when=lambda handler: handler.command == "GET")
        assert push_files(connect(archive), files).stored == files

    def test_file_that_changes_meanwhile(self, archive, files):
        files[1].path.write_bytes(files[2].path.read_bytes())
        said = refused("dicomweb.push-stopped", push_files, connect(archive), files, kind=InputError)
        assert said.startswith(f"{files[1].path.name} was changed or removed while the files were sent.")
        files[0].path.unlink()
        refused("dicomweb.changed", push_files, connect(archive), files[:1], kind=InputError)

    def test_what_is_no_dicom(self, files, tmp_path):
        (tmp_path / "page.html").write_text("<html></html>")
        (tmp_path / "empty").mkdir()
        half = tmp_path / "half.dcm"
        half.write_bytes(files[0].path.read_bytes()[:200])
        refused("dicomweb.no-dicom", outgoing_files, [tmp_path / "page.html"], kind=InputError)
        refused("dicomweb.no-file", outgoing_files, [tmp_path / "none.dcm"], kind=InputError)
        refused("dicomweb.nothing-to-send", outgoing_files, [tmp_path / "empty"], kind=InputError)
        refused("dicomweb.unreadable", outgoing_files, [half], kind=InputError)
