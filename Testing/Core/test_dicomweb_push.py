"""Pushing to a DICOMweb server that refuses, forgets or is lost: what was stored is known, and repeating is
safe."""

import json
import re
import time

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("dicomweb_client")

from dicomweb_trials import connect, refused, status, times  # noqa: E402
from orthanc_server import series  # noqa: E402

from LiverSegLib.cli import main  # noqa: E402
from LiverSegLib.dicomweb import outgoing_files, push_files  # noqa: E402
from LiverSegLib.errors import CancelledError, InputError  # noqa: E402

pytest_plugins = ["dicomweb_trials"]


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
