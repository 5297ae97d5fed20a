"""DICOMweb: whom login and images are sent to, what is said of a wrong address, and what is never shown."""

import socket
import ssl
import sys

import pytest

pytest.importorskip("pydicom")
pytest.importorskip("dicomweb_client")

from dicomweb_trials import connect, refused, status  # noqa: E402
from faulty_archive import running_archive  # noqa: E402
from orthanc_server import free_port  # noqa: E402

from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.dicomweb import Connection, Query, outgoing_files, push_files, query_series  # noqa: E402
from LiverSegLib.dicomweb.connection import login_from  # noqa: E402
from LiverSegLib.errors import LiverSegError, ServerError, UsageError  # noqa: E402

pytest_plugins = ["dicomweb_trials"]


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
