"""A cohort whose cases come from a DICOMweb server: a real Orthanc on loopback."""

import pytest
import SimpleITK as sitk
from orthanc_server import PASSWORD, USER, running_orthanc, series

pytest.importorskip("dicomweb_client")
pytest.importorskip("pydicom")

from LiverSegLib.cohort.remote import AUTHORITY, fetch_case, query_cases  # noqa: E402
from LiverSegLib.cohort.sources import find_cases  # noqa: E402
from LiverSegLib.dicomweb import Connection, outgoing_files, push_files  # noqa: E402
from LiverSegLib.errors import UnreadableImageError, UsageError  # noqa: E402
from LiverSegLib.images import read_scan  # noqa: E402


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def server(orthanc, monkeypatch):
    monkeypatch.setenv("LIVERSEG_DICOMWEB_USER", USER)
    monkeypatch.setenv("LIVERSEG_DICOMWEB_PASSWORD", PASSWORD)
    monkeypatch.setenv(AUTHORITY, str(orthanc.ca))
    return orthanc


def test_a_query_finds_cases_that_are_fetched_as_they_were(server, tmp_path):
    for name, patient in (("a", "p1"), ("b", "p2")):
        series(tmp_path / name, count=4, PatientID=patient, StudyDate="20240203")
    connection = Connection(server.url, ca=server.ca, timeout=20)
    assert not push_files(connection, outgoing_files([tmp_path / "a", tmp_path / "b"]).files).refused
    found = find_cases(f"{server.url}/series?Modality=CT&StudyDate=20240101-20241231").cases
    assert len(found) == 2 and all(case.is_remote and case.modality == "CT" for case in found)
    (one,) = query_cases(f"{server.url}/series?PatientID=p2")
    fetch_case(one.source, tmp_path / "fetched")
    before, after = (sitk.GetArrayFromImage(read_scan(tmp_path / name).image) for name in ("b", "fetched"))
    assert before.shape == after.shape and (before == after).all()
    with pytest.raises(UnreadableImageError, match="There is no scan in"):
        find_cases(f"{server.url}/series?StudyDate=19990101")


def test_what_cannot_be_asked_is_refused_before_anything_is_sent():
    with pytest.raises(UsageError, match='A query cannot ask for "Sex". Known: PatientID'):
        query_cases("https://localhost:1/dicom-web/series?Sex=M")
    with pytest.raises(UsageError, match="is not the address of a series"):
        fetch_case("https://localhost:1/dicom-web/series", None)
