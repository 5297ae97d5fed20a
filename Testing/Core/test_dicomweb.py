"""Fetching from and pushing to a DICOMweb server: a real Orthanc on loopback, over https with a login."""

import inspect
import json
import re
from dataclasses import replace

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from orthanc_server import PASSWORD, REFUSED_KIND, USER, running_orthanc, series

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("dicomweb_client")

from pydicom.uid import RLELossless, generate_uid  # noqa: E402
from test_dicom import dataset, save  # noqa: E402

from LiverSegLib import networks  # noqa: E402
from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.cli.segment import segment  # noqa: E402
from LiverSegLib.dicomweb import (  # noqa: E402
    Connection,
    Query,
    choose_series,
    fetch_series,
    outgoing_files,
    push_files,
    query_series,
)
from LiverSegLib.errors import OutputError, SeriesChoiceError, ServerError  # noqa: E402
from LiverSegLib.images import read_scan  # noqa: E402


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def connection(orthanc, monkeypatch):
    """A connection with the right login in the environment."""
    monkeypatch.setenv("LIVERSEG_DICOMWEB_USER", USER)
    monkeypatch.setenv("LIVERSEG_DICOMWEB_PASSWORD", PASSWORD)
    monkeypatch.delenv("LIVERSEG_DICOMWEB_TOKEN", raising=False)
    return Connection(orthanc.url, ca=orthanc.ca, timeout=20, first_wait=0.01)


def pushed(connection, *folders):
    answer = push_files(connection, outgoing_files(folders).files)
    assert not answer.refused
    return answer


def voxels(folder):
    return sitk.GetArrayFromImage(read_scan(folder).image)


def refusal(function, *arguments, **options):
    with pytest.raises((ServerError, OutputError, SeriesChoiceError)) as caught:
        function(*arguments, **options)
    return caught.value


class TestThereAndBack:
    def test_series_comes_back_with_the_same_voxels_and_tags(self, connection, tmp_path):
        hu = series(tmp_path / "scan", PatientID="there")
        steps = []
        answer = pushed(connection, tmp_path / "scan")
        assert len(answer.stored) == 12
        (found,) = query_series(connection, Query(patient="there"))
        assert (found.images, found.modality, found.description) == (12, "CT", "Abdomen portal")
        paths = fetch_series(connection, found, tmp_path / "back", progress=lambda *step: steps.append(step))
        assert sorted(path.name for path in paths) == sorted(p.name for p in (tmp_path / "back").iterdir())
        assert np.array_equal(voxels(tmp_path / "back"), hu)
        sent = {data.SOPInstanceUID: data for data in map(pydicom.dcmread, (tmp_path / "scan").iterdir())}
        for path in paths:
            data = pydicom.dcmread(path)
            assert data == sent[data.SOPInstanceUID] and path.stem == data.SOPInstanceUID
        assert len(steps) == 12 and [step[0] for step in steps] == sorted(step[0] for step in steps)

    def test_compressed_images_are_not_recompressed_on_the_way(self, connection, tmp_path):
        hu = series(tmp_path / "plain", PatientID="rle")
        (tmp_path / "scan").mkdir()
        for path in (tmp_path / "plain").iterdir():
            data = pydicom.dcmread(path)
            data.compress(RLELossless, generate_instance_uid=False)
            data.save_as(tmp_path / "scan" / path.name)
        pushed(connection, tmp_path / "scan")
        (found,) = query_series(connection, Query(patient="rle"))
        paths = fetch_series(connection, found, tmp_path / "back")
        assert {pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in paths} == {RLELossless}
        assert np.array_equal(voxels(tmp_path / "back"), hu)

    def test_sending_again_stores_nothing_twice(self, connection, tmp_path):
        series(tmp_path / "scan", PatientID="again")
        for _ in range(2):
            assert len(pushed(connection, tmp_path / "scan").stored) == 12
        (found,) = query_series(connection, Query(patient="again"))
        assert found.images == 12

    def test_series_of_several_pages_is_whole(self, connection, tmp_path, monkeypatch):
        monkeypatch.setattr("LiverSegLib.dicomweb.query.PAGE", 5)
        series(tmp_path / "scan", PatientID="pages")
        pushed(connection, tmp_path / "scan")
        (found,) = query_series(connection, Query(patient="pages"))
        for known in (found, replace(found, images=None)):
            assert len(fetch_series(connection, known, tmp_path / f"back{known.images}")) == 12


@pytest.fixture(scope="module")
def two_dates(orthanc, tmp_path_factory):
    """The Study Instance UID of two series of one patient; a third series is another's."""
    folder, study = tmp_path_factory.mktemp("dates"), generate_uid()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVERSEG_DICOMWEB_USER", USER)
        patch.setenv("LIVERSEG_DICOMWEB_PASSWORD", PASSWORD)
        series(folder / "a", PatientID="SEARCH-1", study=study, SeriesDescription="Abdomen arterial")
        series(
            folder / "b", PatientID="SEARCH-1", study=study, SeriesNumber=5, Modality="PT", count=3,
            class_uid="1.2.840.10008.5.1.4.1.1.128", SeriesDescription="PET Abdomen",
        )  # fmt: skip
        series(folder / "c", PatientID="SEARCH-2", StudyDate="20250301", PatientName="ROE^RICHARD")
        pushed(Connection(orthanc.url, ca=orthanc.ca), folder)
    return study


class TestSearch:
    @pytest.mark.parametrize(
        "query, expected",
        [
            ({"patient": "SEARCH-1"}, ["Abdomen arterial", "PET Abdomen"]),
            ({"patient": "SEARCH-?"}, ["Abdomen arterial", "PET Abdomen", "Abdomen portal"]),
            ({"patient": "SEARCH-*", "modality": "pt"}, ["PET Abdomen"]),
            ({"patient": "SEARCH-*", "first_date": "2024-02-01"}, ["Abdomen portal"]),
            ({"patient": "SEARCH-*", "last_date": "20240131"}, ["Abdomen arterial", "PET Abdomen"]),
            ({"patient": "SEARCH-*", "first_date": "20240201", "last_date": "2024-12-31"}, []),
            ({"patient": "SEARCH-*", "description": "ARTERIAL abdomen"}, ["Abdomen arterial"]),
            ({"patient": "search-*"}, []),
        ],
    )
    def test_filters(self, connection, two_dates, query, expected):
        assert [item.description for item in query_series(connection, Query(**query))] == expected

    def test_by_uid(self, connection, two_dates):
        found = query_series(connection, Query(study=two_dates))
        assert len(found) == 2 and {item.study_uid for item in found} == {two_dates}
        assert query_series(connection, Query(series=found[1].series_uid)) == (found[1],)

    def test_no_text_of_a_series_names_the_patient(self, connection, two_dates):
        (found,) = query_series(connection, Query(patient="SEARCH-2"))
        assert (found.patient_id, found.patient_name) == ("SEARCH-2", "ROE^RICHARD")
        assert not re.search("SEARCH-2|ROE", repr(found) + found.line())

    def test_list_shows_patients_only_when_asked(self, connection, orthanc, two_dates, capsys):
        command = ["fetch", orthanc.url, "--ca", str(orthanc.ca), "--list", "--patient", "SEARCH-*"]
        assert main(command) == 0
        said = capsys.readouterr().out
        assert "Abdomen arterial" in said and "2025-03-01" in said and said.count("  --series ") == 3
        assert not re.search("ROE|DOE|SEARCH", said)
        assert main([*command, "--show-patient"]) == 0
        assert re.search("ROE RICHARD +SEARCH-2", capsys.readouterr().out)
        assert main([*command, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)["series"]
        assert [item["images"] for item in listed] == [12, 3, 12] and "patient_id" not in listed[0]

    def test_nothing_found_is_said(self, connection, orthanc, tmp_path, capsys):
        command = ["fetch", orthanc.url, "--ca", str(orthanc.ca), "--patient", "nobody"]
        assert main([*command, "-o", str(tmp_path / "out")]) == ServerError.exit_code
        assert main([*command, "--list"]) == ServerError.exit_code
        host = orthanc.url.split("/")[2]
        assert capsys.readouterr().err.count(f"No series on {host} matches.") == 2
        assert not (tmp_path / "out").exists()


class TestChoice:
    def study(self, connection, folder, patient, *others):
        study = generate_uid()
        series(folder / "portal", PatientID=patient, study=study, SeriesNumber=4)
        for number, tags in enumerate(others):
            series(folder / f"{number}", PatientID=patient, study=study, SeriesNumber=10 + number, **tags)
        pushed(connection, folder)
        return query_series(connection, Query(patient=patient))

    def test_the_series_that_suits_is_chosen(self, connection, tmp_path):
        found = self.study(
            connection, tmp_path, "choice-1",
            {"SeriesDescription": "Topogram", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "count": 2},
            {"SeriesDescription": "Lung", "ConvolutionKernel": "BL57"},
            {"SeriesDescription": "Abdomen cor", "orientation": (1, 0, 0, 0, 0, -1), "step": (0, 5, 0)},
        )  # fmt: skip
        assert len(found) == 4
        assert choose_series(connection, found).number == 4

    def test_several_that_suit_are_listed_with_their_uids(self, connection, orthanc, tmp_path, capsys):
        found = self.study(connection, tmp_path, "choice-2", {"SeriesDescription": "Abdomen arterial"})
        error = refusal(choose_series, connection, found)
        assert str(error).startswith("2 series suit; choose one with --series. Series: 4: Abdomen portal, 40")
        assert [info.uid for info in error.series] == [item.series_uid for item in found]
        out = tmp_path / "out"
        command = ["fetch", orthanc.url, "--ca", str(orthanc.ca), "--patient", "choice-2", "-o", str(out)]
        assert main(command) == SeriesChoiceError.exit_code and not out.exists()
        assert f"  --series {found[1].series_uid}" in capsys.readouterr().err
        assert main([*command, "--series", found[1].series_uid]) == 0
        assert {pydicom.dcmread(path).SeriesDescription for path in out.iterdir()} == {"Abdomen arterial"}

    def test_none_that_suits_is_said_with_the_reason(self, connection, tmp_path):
        study = generate_uid()
        for number in (1, 2):
            series(tmp_path / f"{number}", PatientID="choice-3", study=study, SeriesDescription="Topogram")
        pushed(connection, tmp_path)
        error = refusal(choose_series, connection, query_series(connection, Query(patient="choice-3")))
        assert "None of the series that match can be segmented" in str(error)
        assert str(error).count("(a scout image)") == 2

    def test_two_phases_in_one_series_are_one_series(self, connection, tmp_path):
        uid, study = generate_uid(), generate_uid()
        for phase in (1, 2):
            series(tmp_path / f"{phase}", PatientID="choice-4", study=study, uid=uid, AcquisitionNumber=phase)
        series(tmp_path / "scout", PatientID="choice-4", study=study, SeriesDescription="Topogram")
        pushed(connection, tmp_path)
        found = query_series(connection, Query(patient="choice-4"))
        chosen = choose_series(connection, found)
        assert (chosen.series_uid, chosen.images) == (uid, 24)


class TestFolder:
    @pytest.fixture
    def found(self, connection, tmp_path):
        uid = generate_uid()
        series(tmp_path / "scan", PatientID="folder", uid=uid)
        pushed(connection, tmp_path / "scan")
        return query_series(connection, Query(series=uid))[0]

    def test_folder_with_other_files_is_refused_and_left_alone(self, connection, found, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        (out / "mine.txt").write_text("mine")
        error = refusal(fetch_series, connection, found, out)
        assert (
            str(error)
            == f"{out} holds other files, for example mine.txt; choose an empty folder or a new one."
        )
        assert [path.name for path in out.iterdir()] == ["mine.txt"]

    def test_series_is_fetched_anew_into_its_folder(self, connection, found, tmp_path):
        first = fetch_series(connection, found, tmp_path / "out")
        first[0].write_bytes(b"damaged since")
        first[1].unlink()
        assert fetch_series(connection, found, tmp_path / "out") == first
        assert len(voxels(tmp_path / "out")) == 12

    def test_server_that_has_more_or_fewer_images_than_it_announced(self, connection, found, tmp_path):
        for announced in (11, 13):
            error = refusal(fetch_series, connection, replace(found, images=announced), tmp_path / "out")
            assert f"announced {announced} images of the series, but has 12 to send" in str(error)
        assert not (tmp_path / "out").exists()


class TestLogin:
    @pytest.mark.parametrize(
        "environment, words",
        [
            ({}, "asks for a login: set the environment variables LIVERSEG_DICOMWEB_USER and"),
            ({"USER": USER, "PASSWORD": "wrong-secret"}, "refused the login; check user name and password"),
            ({"TOKEN": "wrong-secret"}, "refused the login; check user name and password, or the token"),
        ],
    )
    def test_wrong_login(self, orthanc, monkeypatch, capsys, environment, words):
        for name in ("USER", "PASSWORD", "TOKEN"):
            monkeypatch.delenv(f"LIVERSEG_DICOMWEB_{name}", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(f"LIVERSEG_DICOMWEB_{name}", value)
        command = ["--debug", "fetch", orthanc.url, "--ca", str(orthanc.ca), "--list"]
        assert main(command) == ServerError.exit_code
        said = capsys.readouterr()
        assert words in re.sub(r"\s+", " ", said.err) and "wrong-secret" not in said.err + said.out

    def test_certificate_that_is_not_trusted(self, connection):
        error = refusal(query_series, replace(connection, ca=None))
        assert "is not trusted, so nothing was sent" in str(error)

    def test_http_to_a_server_of_https(self, connection):
        error = refusal(query_series, replace(connection, url=connection.url.replace("https", "http")))
        assert isinstance(error, ServerError)

    def test_address_without_dicomweb(self, connection):
        error = refusal(query_series, replace(connection, url=connection.url + "-elsewhere"))
        assert str(error).startswith(f"There is no DICOMweb at {connection.url}-elsewhere;")


class TestPush:
    @pytest.fixture
    def results(self, tmp_path):
        """A folder with two files that the server takes, one that it refuses, and other files."""
        folder = tmp_path / "results"
        series(folder, count=3, PatientID="push")
        refused = sorted(folder.iterdir())[1]
        data = pydicom.dcmread(refused)
        data.Modality = REFUSED_KIND
        data.save_as(refused)
        (folder / "report.html").write_text("<html></html>")
        (folder / "copy.dcm").write_bytes(sorted(folder.glob("s*.dcm"))[0].read_bytes())
        return folder

    def test_what_was_stored_and_what_was_refused_is_said(self, connection, orthanc, results, capsys):
        command = ["push", orthanc.url, str(results), "--ca", str(orthanc.ca)]
        assert main([*command, "--json"]) == ServerError.exit_code
        answer = json.loads(capsys.readouterr().out)
        assert (len(answer["files"]), answer["left_out"], len(answer["stored"])) == (3, 2, 2)
        assert answer["bytes"] == sum(file["bytes"] for file in answer["files"]) > 7000
        (refused,) = answer["refused"]
        assert refused["sop_instance_uid"] == pydicom.dcmread(results / "s001.dcm").SOPInstanceUID
        assert query_series(connection, Query(patient="push"))[0].images == 2
        assert main(command) == ServerError.exit_code
        said = capsys.readouterr().out
        assert re.search(r"3 +CT Image Storage", said) and re.search(r"stored +2\n", said)
        assert "s001.dcm: it said that the file is stored, but does not have it" in re.sub(r"\s+", " ", said)

    def test_dry_run_says_it_and_connects_to_nobody(self, results, capsys):
        command = ["push", "https://pacs.example.invalid/dicom-web", str(results), "--dry-run"]
        assert main(command) == 0
        said = capsys.readouterr().out
        assert re.search(r"3 +CT Image Storage", said) and "10.7 kB" in said and "Nothing was sent" in said
        assert "2 files, no DICOM or second copies" in said
        assert main([*command, "--json"]) == 0
        assert "stored" not in json.loads(capsys.readouterr().out)


def phantom_series(folder, patient):
    """Write the phantom's CT as a series of single slices."""
    image, _ = phantom.patient()
    hu = sitk.GetArrayFromImage(image)
    spacing, origin, uids = image.GetSpacing(), image.GetOrigin(), {"uid": generate_uid()}
    tags = {"PatientID": patient, "StudyInstanceUID": generate_uid(), "StudyDate": "20240131"}
    tags.update(StudyID="1", AccessionNumber="", StudyTime="", PatientBirthDate="", PatientSex="")
    tags.update(PixelSpacing=[spacing[1], spacing[0]], SliceThickness=spacing[2], KVP=120)
    tags.update(FrameOfReferenceUID=generate_uid())
    folder.mkdir()
    for number, plane in enumerate(hu):
        position = (origin[0], origin[1], origin[2] + number * spacing[2])
        save(dataset(plane, position, InstanceNumber=number, **uids, **tags), folder / f"{number}.dcm")


@pytest.mark.slow
@pytest.mark.skipif(
    "dicom" not in inspect.signature(segment).parameters, reason="liverseg segment has no --dicom here"
)
def test_fetch_segment_push_and_what_the_server_then_has(connection, orthanc, tmp_path, monkeypatch):
    """The whole way of a patient, in the commands that a user types."""
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    model = phantom.write_phantom_model(tmp_path / "model")
    phantom_series(tmp_path / "hospital", "CHAIN")
    pushed(connection, tmp_path / "hospital")
    server, scan, results = [orthanc.url, "--ca", str(orthanc.ca)], tmp_path / "scan", tmp_path / "results"

    assert main(["fetch", *server, "--patient", "CHAIN", "-o", str(scan)]) == 0
    options = ["--model", str(model), "--engine", "torch", "--device", "cpu", "--no-report", "--dicom"]
    assert main(["segment", str(scan), "-o", str(results), *options]) == 0
    assert main(["push", *server, str(results)]) == 0

    found = {item.modality: item for item in query_series(connection, Query(patient="CHAIN"))}
    assert set(found) == {"CT", "SEG", "SR"} and len({item.study_uid for item in found.values()}) == 1
    for kind, name in (("SEG", "segmentation.dcm"), ("SR", "measurements.dcm")):
        (path,) = fetch_series(connection, found[kind], tmp_path / kind)
        assert pydicom.dcmread(path) == pydicom.dcmread(results / name)
    assert pydicom.dcmread(results / "segmentation.dcm").pixel_array.astype(bool).sum() > 50_000
    assert main(["push", *server, str(results)]) == 0
    assert len(query_series(connection, Query(patient="CHAIN"))) == 3
