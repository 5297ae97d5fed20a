"""DICOMweb with servers and networks that fail: a sentence each, another attempt where it helps, and never
half a series."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from doubles import wait_until

pytest.importorskip("pydicom")
pytest.importorskip("dicomweb_client")

from dicomweb_trials import (
    COUNT,
    IMAGES,
    PASSING,
    changed,
    connect,
    fetched,
    is_image,
    refused,
    refused_any,
    status,
    times,
    web_page,
)  # noqa: E402
from orthanc_server import series  # noqa: E402

from LiverSegLib.dicomweb import Query, choose_series, fetch_series, query_series  # noqa: E402
from LiverSegLib.errors import CancelledError, OutputError, SeriesChoiceError  # noqa: E402
from LiverSegLib.images import read_scan  # noqa: E402
from LiverSegLib.sentences import key_of  # noqa: E402

pytest_plugins = ["dicomweb_trials"]


class Recorder:
    """Stands for a handler, to see what a trouble sends."""

    def send(self, content, *_, **__):
        return content

    def send_json(self, content):
        return content


def drop_offset(handler):
    handler.path = re.sub(r"&?offset=\d+", "", handler.path)
    return False


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
            lambda handler: handler.send(b"", IMAGES),
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
