"""A real Orthanc with its DICOMweb plugin on loopback, for the tests, and a DICOM series to send to it."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Optional

import numpy as np
import pytest
import requests
from tls_front import tls_front

USER, PASSWORD = "reader", "correct horse"
PLUGINS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins")
LONGEST_S = "900"
"""Orthanc ends after so many seconds by itself, should the tests be killed."""
REFUSED_KIND = "US"
"""Modality that the server does not store."""
FILTER = f"function ReceivedInstanceFilter(dicom, origin) return dicom.Modality ~= '{REFUSED_KIND}' end\n"


@dataclass(frozen=True)
class Orthanc:
    """A running server: address of its DICOMweb service, and the file of the authority that signed it."""

    url: str
    ca: Path


@contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    """An Orthanc that keeps everything in ``folder``, behind https, and wants a login; ended at the end. The
    test is skipped where Orthanc is not installed.
    """
    program = shutil.which("Orthanc", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    plugins = [Path(place) / "libOrthancDicomWeb.so" for place in PLUGINS]
    plugin = next((path for path in plugins if path.exists()), None)
    if program is None or plugin is None:
        pytest.skip("needs Orthanc and its DICOMweb plugin: apt-get install orthanc orthanc-dicomweb")
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    (folder / "filter.lua").write_text(FILTER)
    for _ in range(5):  # another program may take the port between our asking and Orthanc's
        port = free_port()
        settings = folder / "orthanc.json"
        settings.write_text(json.dumps(_settings(folder, plugin, port)))
        with (folder / "orthanc.log").open("w") as log:
            process = subprocess.Popen(_bounded([program, str(settings)]), stdout=log, stderr=log)
        try:
            if _answers(process, f"http://127.0.0.1:{port}/system"):
                with tls_front(port, context) as front:
                    yield Orthanc(f"https://127.0.0.1:{front}/dicom-web", folder / "ca.pem")
                return
        finally:
            _end(process)
    raise AssertionError("Orthanc did not start:\n" + (folder / "orthanc.log").read_text()[-4000:])


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _bounded(command: List[str]) -> List[str]:
    bound = shutil.which("timeout")
    return [bound, LONGEST_S, *command] if bound else command


def _settings(folder: Path, plugin: Path, port: int) -> Any:
    return {
        "Name": "tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "LuaScripts": [str(folder / "filter.lua")],
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _answers(process: "subprocess.Popen[Any]", url: str) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            return requests.get(url, auth=(USER, PASSWORD), timeout=2).ok
        except requests.exceptions.ConnectionError:
            time.sleep(0.05)
    return False


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def series(folder: Path, *, study: Optional[str] = None, count: int = 12, **tags: Any) -> np.ndarray:
    """Write a made-up CT series with what archives ask for; returns its HU (slices, rows, columns)."""
    from pydicom.uid import generate_uid
    from test_dicom import write_series

    study_tags = {
        "StudyInstanceUID": study or generate_uid(), "StudyDate": "20240131", "StudyTime": "101500",
        "StudyID": "1", "AccessionNumber": "A1", "PatientBirthDate": "19500101", "PatientSex": "F",
    }  # fmt: skip
    return write_series(folder, count, **{**study_tags, **tags})
