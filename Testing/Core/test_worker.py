"""The worker process: its messages, what it answers, and that it always ends and cleans up."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import doubles
import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from processes import process_exists
from worker_client import WorkerClient

from LiverSegLib import errors
from LiverSegLib.images import read_scan
from LiverSegLib.images.grid import Grid, bounding_box
from LiverSegLib.measure import measure
from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate
from LiverSegLib.sentences import restored
from LiverSegLib.worker import measuring, protocol, scratch
from LiverSegLib.worker.correct_messages import StrokeLine
from LiverSegLib.worker.followup_messages import CompareDates, DateFiles, DatesCompared
from LiverSegLib.worker.given_messages import GivenSegment, TakeSegmentation
from LiverSegLib.worker.messages import SurfaceFiles
from LiverSegLib.worker.protocol import Cancel, Hello, LineBuffer, Segment, Shutdown, decode, encode
from LiverSegLib.worker.server_messages import AskServer, Queued, ServerAddress, ServerAnswer

GRID = Grid((3, 3, 3), (0.5, 0.5, 5.0), (1.0, 2.0, 3.0), doubles.OBLIQUE)
SIZED = {"size": [3, 3, 3], "spacing": [1.0, 1.0, 1.0]}
MESSAGES = [
    Hello("a", "folder", "default", "cpu"),
    Segment("s-1", voxels="v.npy", grid=GRID, minimum_lesion_ml=0.1, mirror=True),
    Segment("s_2", path="/a/ü.nii.gz", series="1.2.3"),
    protocol.Measure("m", "v.npy", GRID, "l.npy", edited=True),
    protocol.Report("r", "v.npy", GRID, "l.npy", "s.json", "/a/folder", highlight=True),
    protocol.OpenCase("o", "v.npy", GRID, "l.npy", "p.npy"),
    protocol.Refine(
        "f", "o", "refine", "tumor", (0, 2, 0, 3, 1, 3), "b.npy", ((1.0, 2.0, 3.0),),
        strokes=(StrokeLine(((0.5, 0.0, 1.0), (2.0, 0.0, 1.0)), 3.0, False),), size=4.0,
    ),
    protocol.AddModel("n", "/a/model.zip", configuration="3d_fullres"),
    CompareDates("k", (DateFiles("v.npy", GRID, "l.npy", "s.json", "2026-03-01", "1"),) * 2, True, "/out"),
    DatesCompared("k", "folder/r", "summary.json", (1, 0), "/out/followup.html"),
    protocol.RemoveModel("q", "theirs"),
    protocol.ModelAdded("n", "theirs"),
    protocol.ModelRemoved("q", "theirs"),
    TakeSegmentation(
        "t", "v.npy", GRID, (GivenSegment("Leber", "liver", "l.npy", GRID, 2), GivenSegment("Haut", "none")),
        "Segmentation", "segmentation in 3D Slicer", made="manual",
    ),
    Cancel("c", "s-1"),
    Shutdown("z"),
    protocol.HelloReply("a", "0.1", "3.9.1", 12, "folder"),
    protocol.Progress("s-1", 0.5, "segment", "Segmenting"),
    protocol.SegmentResult(
        "s-1", "folder/r", "labels.npy", GRID, "summary.json", (SurfaceFiles("liver", "p", "t"),)
    ),
    protocol.MeasureResult("m", "folder/r", "summary.json"),
    protocol.ReportResult("r", "/a/folder", {"report": "report.html"}),
    protocol.CaseOpened("o"),
    Segment("s-3", voxels="v.npy", grid=GRID, contrast=True, server=ServerAddress("https://a:1", "key")),
    AskServer("w", ServerAddress("http://127.0.0.1:8765")),
    ServerAnswer("w", "0.1", ("default",), 2, 16),
    Queued("s-3", 4),
    protocol.RefineResult("f", "folder/r", "labels.npy", (0, 1, 0, 2, 1, 3), 4, 0, 0.1),
    protocol.RefineResult("f", None, None, (), 0, 0, 0.1),
    protocol.Failure(None, "error", "Something.", None, ({"number": 1},)),
    protocol.Log("info", "line\nbreak"),
    protocol.Bye("shutdown"),
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("empty_temporary_folder")


def client(**plan):
    return WorkerClient(command=doubles.command("worker", plan))


class RawWorker:
    """The worker process without the client, for what the client would never do."""

    def __init__(self, **plan):
        self.process = subprocess.Popen(
            doubles.command("worker", plan),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def send(self, *messages):
        for message in messages:
            self.process.stdin.write(message if isinstance(message, bytes) else encode(message))
        self.process.stdin.flush()

    def reply(self, kind=None):
        """The next reply, or the next of a kind."""
        for line in self.process.stdout:
            message = decode(line)
            assert message is not None, line
            if kind is None or isinstance(message, kind):
                return message
        raise AssertionError(f"the worker ended: {self.process.stderr.read().decode()}")


class TestMessages:
    @pytest.mark.parametrize("message", MESSAGES, ids=lambda m: m.type)
    def test_a_message_comes_back_as_it_was_on_one_line(self, message):
        line = encode(message)
        assert line.endswith(b"\n") and line.count(b"\n") == 1
        assert decode(line) == message

    @given(st.text(), st.text(), st.floats(0, 1))
    def test_any_text_survives(self, stage, text, fraction):
        message = protocol.Progress("s", fraction, stage, text)
        assert decode(encode(message)) == message

    @pytest.mark.parametrize(
        "line",
        [
            b"", b"\n", b"Loading...\n", b"{}\n", b"[1]\n", b"null\n", b"{not json}\n", b'{"id": 1}\n',
            b'"liverseg"\n', b"\xff\xfe{\n", b"{" * 99999,
            b'{"liverseg": 2, "type": "hello"' + b" " * protocol.MAX_LINE_BYTES + b"}",
        ],
    )  # fmt: skip
    def test_stray_lines_are_not_ours(self, line):
        assert decode(line) is None

    @given(st.binary(max_size=300))
    def test_no_bytes_upset_it(self, data):
        assert decode(data) is None

    @pytest.mark.parametrize("version", [1, 0, "2", None, True])
    def test_another_version_is_an_error_that_says_so(self, version):
        line = json.dumps({"liverseg": version, "type": "hello", "id": "h"}).encode()
        with pytest.raises(
            protocol.ProtocolError, match="different versions.*Install the same version"
        ) as caught:
            decode(line)
        assert caught.value.request_id == "h"

    @pytest.mark.parametrize(
        "fields, complaint",
        [
            ({"type": "dance"}, "Unknown message type 'dance'. Available: hello, segment"),
            ({"type": 3}, "Unknown message type 3"),
            ({"type": "cancel"}, "field target is missing"),
            ({"type": "cancel", "target": 3}, "field target must be of type str, not int"),
            ({"type": "segment", "mirror": 1}, "field mirror must be of type bool"),
            (
                {"type": "segment", "minimum_lesion_ml": "big"},
                "field minimum_lesion_ml must be of type float",
            ),
            ({"type": "segment", "minimum_lesion_ml": float("nan")}, "must be a finite number"),
            ({"type": "segment", "minimum_lesion_ml": 10**400}, "must be a finite number"),
            ({"type": "segment", "grid": [1]}, "field grid must be an object"),
            ({"type": "segment", "grid": {"origin": [0.0]}}, "field size is missing"),
            ({"type": "segment", "grid": {**SIZED, "origin": 1}}, "field origin must be a list"),
            (
                {"type": "segment", "grid": {**SIZED, "origin": ["a"]}},
                "field origin must be of type float",
            ),
            ({"type": "shutdown", "id": "../.."}, "id: letters, digits"),
            ({"type": "shutdown", "id": "a\n"}, "id: letters, digits"),
        ],
    )
    def test_what_is_not_understood_is_named(self, fields, complaint):
        with pytest.raises(protocol.ProtocolError) as caught:
            decode(json.dumps({"liverseg": 2, "id": "x", **fields}).encode())
        assert complaint in str(caught.value)

    def test_unknown_fields_are_ignored(self):
        assert decode(b'{"liverseg": 2, "type": "shutdown", "id": "x", "gently": true}') == Shutdown("x")

    def test_a_message_that_is_too_long_is_not_sent_but_details_are_shortened(self):
        with pytest.raises(protocol.ProtocolError, match="too long"):
            encode(protocol.Log("info", "x" * protocol.MAX_LINE_BYTES))
        failure = protocol.Failure("s", "error", "Sentence.", "ü" * protocol.MAX_LINE_BYTES + "the end")
        back = decode(encode(failure))
        assert back.message == "Sentence." and back.details.endswith("the end")

    def test_a_failure_of_any_length_is_shortened_until_it_fits(self):
        series = tuple({"number": number, "description": "Leber üx" * 40} for number in range(3000))
        failure = protocol.Failure("s", "choose-series", "🫀" * 300_000, "🫀" * 300_000, series)
        line = encode(failure)
        back = decode(line)
        assert len(line) <= protocol.MAX_LINE_BYTES
        assert back.message.startswith("🫀") and back.message.endswith("…") and back.details.endswith("🫀")
        assert 100 < len(back.series) < 3000 and back.series == series[: len(back.series)]

    @given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 300)))
    def test_lines_do_not_depend_on_how_the_bytes_arrive(self, parts, cuts):
        data = b"".join(part.replace(b"\n", b"\r") + b"\n" for part in parts) + b"unfinished"
        places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        buffer = LineBuffer()
        lines = [line for a, b in zip(places, places[1:]) for line in buffer.feed(data[a:b])]
        assert lines == [part.replace(b"\n", b"\r") + b"\n" for part in parts]

    def test_lines_over_the_limit_are_dropped_and_the_next_is_read(self):
        buffer = LineBuffer(limit=10)
        assert buffer.feed(b"x" * 8) == []
        assert buffer.feed(b"x" * 8) == []
        assert buffer.feed(b"x" * 8 + b"\nfine\n" + b"y" * 20 + b"\nalso\n") == [b"fine\n", b"also\n"]


class TestPrivateFolder:
    def test_it_is_private(self, empty_temporary_folder):
        folder = scratch.make_private_folder()
        assert folder.parent == empty_temporary_folder
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
        scratch.remove_private_folder(folder)
        assert not folder.exists()
        scratch.remove_private_folder(folder)

    def test_a_folder_without_our_mark_is_never_removed(self, tmp_path):
        (tmp_path / "liverseg-mine").mkdir()
        scratch.remove_private_folder(tmp_path / "liverseg-mine")
        scratch.sweep(tmp_path)
        assert (tmp_path / "liverseg-mine").is_dir()
        with pytest.raises(errors.UsageError, match="not a private LiverSeg folder"):
            scratch.check_private_folder(tmp_path / "liverseg-mine")

    def test_folders_of_killed_processes_are_swept_and_those_of_living_ones_stay(self, tmp_path):
        code = (
            f"from LiverSegLib.worker import scratch; print(scratch.make_private_folder({str(tmp_path)!r}))"
        )
        environment = {**os.environ, "PYTHONPATH": str(doubles.ROOT)}
        left = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert Path(left.stdout.strip()).is_dir()
        mine = scratch.make_private_folder(tmp_path)
        other = scratch.make_private_folder(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([mine, other])

    @pytest.mark.parametrize(
        "array",
        [np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.zeros((0, 3), np.float32), np.ones((3, 2)).T],
    )
    def test_arrays_are_as_numpy_saves_them(self, tmp_path, array):
        scratch.save_array(tmp_path / "a.npy", array)
        back = np.load(tmp_path / "a.npy", allow_pickle=False)
        assert back.dtype == array.dtype and np.array_equal(back, array)


class TestSegmenting:
    def test_an_image_comes_back_as_labels_numbers_and_surfaces(self):
        image = doubles.scan()
        told = []
        with client() as worker:
            answer = worker.segment(image, probability=True, progress=lambda *facts: told.append(facts))
        expected = doubles.result(image)
        assert np.array_equal(sitk.GetArrayViewFromImage(answer.labels), doubles.labels_array())
        for get in ("GetOrigin", "GetSpacing", "GetDirection", "GetPixelID"):
            assert getattr(answer.labels, get)() == getattr(expected.labels, get)()
        assert answer.measurements == expected.measurements
        assert np.array_equal(answer.probability, expected.probability)
        assert answer.warnings == ("A warning.",) and answer.review == {"state": "automatic"}
        assert [stage for _, stage, _ in told] == list(doubles.STAGES)
        assert [fraction for fraction, _, _ in told] == sorted(fraction for fraction, _, _ in told)
        assert set(answer.surfaces) == {"liver", "spleen", "tumour"}
        points, triangles = answer.surfaces["liver"]
        assert points.dtype == np.float32 and triangles.dtype == np.int32
        a, b, c = (points[triangles[:, corner]].astype(float) for corner in range(3))
        volume_ml = np.einsum("ij,ij->", a, np.cross(b, c)) / 6000
        assert volume_ml == pytest.approx(expected.measurements.organ("liver").volume_ml, rel=0.05)
        middle = expected.labels.TransformContinuousIndexToPhysicalPoint((9.0, 11.0, 7.0))
        assert points.mean(axis=0) == pytest.approx(middle, abs=4)

    def test_a_path_and_the_options_reach_the_segmenter(self, tmp_path):
        sitk.WriteImage(doubles.scan(), str(tmp_path / "ct.nrrd"))
        with client() as worker:
            answer = worker.segment(
                tmp_path / "ct.nrrd",
                name="Case 7",
                series="1.2",
                mirror=True,
                minimum_lesion_ml=0.5,
                modality="MR",
                contrast=True,
                surfaces=False,
            )
        assert answer.name == "Case 7"
        assert answer.surfaces == {} and answer.probability is None
        assert answer.provenance["options"] == {
                "series": "1.2", "mirror": True, "minimum_lesion_ml": 0.5, "structures": None,
                "modality": "MR", "contrast": True,
            }  # fmt: skip

    def test_the_model_stays_loaded_until_another_is_asked_for(self):
        with client() as worker:
            made = [
                worker.segment(doubles.scan(), surfaces=False, model=model).provenance["segmenters_made"]
                for model in ("default", "default", "other", "other", "default")
            ]
        assert made == [1, 1, 2, 2, 3]

    def test_a_model_can_be_loaded_ahead_without_delaying_the_hello(self):
        plan = doubles.command("worker", {"loading_s": 1.5})
        with WorkerClient(command=plan, preload="default", device="auto") as worker:
            start = time.monotonic()
            assert worker.start().pid == worker.pid
            assert time.monotonic() - start < 1
            assert worker.segment(doubles.scan(), surfaces=False).provenance["segmenters_made"] == 1

    def test_nothing_is_left_in_the_private_folder_between_scans(self, empty_temporary_folder):
        with client() as worker:
            worker.segment(doubles.scan())
            (folder,) = empty_temporary_folder.iterdir()
            assert [entry.name for entry in folder.iterdir()] == [scratch.OWNER_FILE]

    def test_the_real_pipeline_runs_in_the_real_worker(self, tmp_path):
        model = phantom.write_phantom_model(tmp_path / "model")
        image, truth = phantom.patient(size=(120, 90, 30), spacing=(2.7, 2.6, 6.0))
        code = (
            f"import sys; sys.path[:0] = [{str(doubles.ROOT)!r}, {str(Path(phantom.__file__).parent)!r}]\n"
            "from LiverSegLib.worker import server as worker\n"
            "def segmenter(model, device, engine, tumours):\n"
            "    import phantom\n"
            "    from LiverSegLib import Segmenter, networks\n"
            "    networks.ARCHITECTURES['ByAttenuation'] = phantom.ByAttenuation\n"
            "    return Segmenter(model, device, engine=engine, tumours=tumours)\n"
            "assert 'torch' not in sys.modules\n"
            "sys.exit(worker.main(segmenter))"
        )
        with WorkerClient(command=[sys.executable, "-c", code]) as worker:
            answer = worker.segment(image, model=str(model), device="cpu")
            found = sitk.GetArrayViewFromImage(answer.labels) > 0
            assert 2 * (found & (truth > 0)).sum() / (found.sum() + (truth > 0).sum()) > 0.95

            path = tmp_path / "ct.nrrd"
            sitk.WriteImage(image, str(path))

            def touch(_fraction, stage, _text):
                if stage == "clean":
                    os.utime(path, (1, 1))

            with pytest.raises(errors.InputChangedError, match="was changed while it was being segmented"):
                worker.segment(path, model=str(model), device="cpu", progress=touch)
            with pytest.raises(errors.ModelNotFoundError):
                worker.segment(image, model="nothing")


class Desk:
    """A private folder with a case in it, and a raw worker that is asked to measure it and report on it."""

    def __init__(self, worker, folder):
        self.worker, self.folder = worker, folder
        image = doubles.scan()
        grid = Grid.of(image)
        self.labels = doubles.labels_array()
        self.case = {"voxels": str(folder / "voxels.npy"), "grid": grid, "labels": str(folder / "labels.npy")}
        np.save(folder / "voxels.npy", sitk.GetArrayFromImage(image))
        np.save(folder / "labels.npy", self.labels)
        worker.send(Hello("h", str(folder)))
        worker.reply(protocol.HelloReply)

    def measure(self, **fields):
        """The summary that the worker makes of the case, or its failure."""
        self.worker.send(protocol.Measure("m", **{**self.case, **fields}))
        reply = self.worker.reply((protocol.MeasureResult, protocol.Failure))
        if isinstance(reply, protocol.Failure):
            return reply
        assert Path(reply.folder).parent == self.folder
        return restored(json.loads((Path(reply.folder) / reply.summary).read_text(encoding="utf-8")))

    def report(self, summary, folder, **fields):
        """The worker's answer to a request for a report."""
        path = self.folder / "summary.json"
        path.write_text(summary if isinstance(summary, str) else json.dumps(summary), encoding="utf-8")
        self.worker.send(
            protocol.Report("r", **{**self.case, **fields}, summary=str(path), folder=str(folder))
        )
        return self.worker.reply((protocol.ReportResult, protocol.Failure))


@pytest.fixture
def desk():
    with RawWorker(draw=False) as worker:
        folder = scratch.make_private_folder()
        yield Desk(worker, folder)
        worker.send(Shutdown("z"))
        worker.process.wait(20)
        assert not folder.exists()


class TestMeasuring:
    def test_a_mask_is_measured_with_its_scan(self, desk):
        expected = doubles.result().measurements
        summary = desk.measure(name="Case 7")
        assert summary["name"] == "Case 7"
        found = {organ["key"]: organ["volume_ml"] for organ in summary["measurements"]["organs"]}
        assert found == {organ.key: pytest.approx(organ.volume_ml) for organ in expected.organs}
        assert "edited" not in summary["provenance"]

    def test_lesions_that_the_reader_rejected_stay_listed(self, desk):
        earlier = doubles.result(doubles.scan()).measurements.to_dict()
        earlier["rejected_lesions"] = earlier["lesions"][:1]
        old = {"name": "Case 8", "measurements": earlier, "provenance": {}, "warnings": []}
        (desk.folder / "old.json").write_text(json.dumps(old), encoding="utf-8")
        desk.labels[desk.labels == 3] = 1
        np.save(desk.folder / "labels.npy", desk.labels)
        measured = desk.measure(summary=str(desk.folder / "old.json"), edited=True)["measurements"]
        assert measured["rejected_lesions"] == earlier["rejected_lesions"] and measured["lesions"] == []

    def test_an_edited_mask_keeps_what_is_known_of_the_scan_and_says_so(self, desk):
        earlier = doubles.result(doubles.scan())
        old = {
            "name": "Case 8",
            "measurements": {**earlier.measurements.to_dict(), "warnings": ["of the old mask"]},
            "facts": replace(earlier.facts, left_out=("2 were left out.",)).to_dict(),
            "provenance": earlier.provenance,
            "warnings": ["of the scan", "of the old mask", "2 were left out."],
        }
        (desk.folder / "old.json").write_text(json.dumps(old), encoding="utf-8")
        desk.labels[desk.labels == 3] = 1
        np.save(desk.folder / "labels.npy", desk.labels)
        summary = desk.measure(summary=str(desk.folder / "old.json"), edited=True)
        assert (summary["name"], summary["measurements"]["phase"]) == ("Case 8", "portal")
        assert summary["measurements"]["lesions"] == []
        assert summary["warnings"][0] == measuring.EDITED
        assert "of the scan" in summary["warnings"] and "of the old mask" not in summary["warnings"]
        tumour = next(organ for organ in summary["measurements"]["organs"] if organ["key"] == "tumour")
        for said in (summary["warnings"], tumour["warnings"]):
            assert said.count("2 were left out.") == 1
        assert summary["provenance"]["model"] == earlier.provenance["model"]
        assert summary["provenance"]["edited"]["measured"]

    @pytest.mark.parametrize(
        ("before", "edited", "after"),
        [
            ({"state": "automatic"}, False, {"state": "automatic"}),
            ({"state": "automatic"}, True, {"state": "edited"}),
            ({"state": "accepted", "by": "A"}, True, {"state": "accepted", "by": "A"}),
            (None, True, None),
        ],
    )
    def test_the_review_goes_with_the_numbers(self, desk, before, edited, after):
        summary = {**desk.measure(), "review": before}
        (desk.folder / "old.json").write_text(json.dumps(summary), encoding="utf-8")
        assert desk.measure(summary=str(desk.folder / "old.json"), edited=edited).get("review") == after

    def test_labels_in_a_box_give_the_same_numbers(self, desk):
        z, y, x = box = bounding_box(desk.labels)
        np.save(desk.folder / "part.npy", desk.labels[box])
        corners = tuple(edge for part in (z, y, x) for edge in (part.start, part.stop))
        assert desk.measure(labels=str(desk.folder / "part.npy"), box=corners) == desk.measure()

    @pytest.mark.parametrize(
        ("kind", "fraction"), [(np.int32, 0), (np.float32, 0.25), (np.float64, 0.0), (np.float64, 0.3)]
    )
    def test_a_scan_of_any_type_is_measured_as_its_image_again_and_again(self, desk, kind, fraction):
        values = sitk.GetArrayFromImage(doubles.scan()).astype(kind)
        values += kind(fraction)
        values[:, :, :8] = -2000  # padding
        np.save(desk.folder / "voxels.npy", values)
        image = Grid.of(doubles.scan()).image(values)
        labels = Grid.of(image).image(desk.labels)
        expected = measure(labels, read_scan(image).image, phase="portal").to_dict()
        summary = desk.measure()
        facts = ClinicalFacts(PhaseEstimate("portal", 0.9, "told")).to_dict()
        (desk.folder / "old.json").write_text(json.dumps({**summary, "facts": facts}), encoding="utf-8")
        for _ in range(2):
            found = desk.measure(summary=str(desk.folder / "old.json"), edited=True)["measurements"]
            assert restored(found) == {**expected, "rejected_lesions": []}

    def test_a_scan_whose_file_changed_is_read_anew(self, desk):
        first = desk.measure()
        (desk.folder / "old.json").write_text(json.dumps(first), encoding="utf-8")
        summary = str(desk.folder / "old.json")
        assert desk.measure(summary=summary)["measurements"] == first["measurements"]
        np.save(desk.folder / "voxels.npy", np.zeros(desk.labels.shape, np.int16))
        assert desk.measure(summary=summary).code == "not-ct"

    def test_requests_that_make_no_sense(self, desk):
        np.save(desk.folder / "other.npy", np.zeros((3, 3, 3), np.uint8))
        (desk.folder / "odd.json").write_text('{"name": 3}', encoding="utf-8")
        cases = [
            ({"labels": str(desk.folder / "other.npy")}, "usage", "must be uint8 of shape (14, 22, 26)"),
            ({"box": (0, 3, 0, 3)}, "usage", "6 numbers"),
            ({"box": (0, 3, 0, 3, 0, 99)}, "usage", "does not lie within the scan"),
            ({"box": (0, 3, 0, 3, 0, 3)}, "usage", "must be uint8 of shape (3, 3, 3)"),
            ({"labels": "/nowhere.npy"}, "unreadable", "The segmentation handed to the worker"),
            ({"voxels": "/nowhere.npy"}, "unreadable", "The scan handed to the worker"),
            ({"summary": str(desk.folder / "odd.json")}, "usage", "numbers handed to the worker"),
        ]
        for fields, code, sentence in cases:
            failure = desk.measure(**fields)
            assert failure.code == code and sentence in failure.message


class TestReporting:
    def test_all_files_of_a_case_are_written(self, desk, tmp_path):
        reply = desk.report(desk.measure(name="Case 9"), tmp_path / "case", highlight=True)
        assert Path(reply.folder) == tmp_path / "case"
        assert set(reply.files.values()) == {path.name for path in (tmp_path / "case").iterdir()}
        assert {"report", "segmentation", "measurements", "highlight"} <= set(reply.files)
        assert "Case 9" in (tmp_path / "case" / reply.files["report"]).read_text(encoding="utf-8")
        written = sitk.ReadImage(str(tmp_path / "case" / reply.files["segmentation"]))
        assert np.array_equal(sitk.GetArrayViewFromImage(written), doubles.labels_array())

    def test_a_folder_that_cannot_be_written_to_stays_as_it_was(self, desk, tmp_path):
        (tmp_path / "report.html").write_text("the user's")
        failure = desk.report(desk.measure(), tmp_path)
        assert failure.code == "output" and "did not write" in failure.message
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

    def test_who_accepted_the_result_stands_in_report_and_json(self, desk, tmp_path):
        review = {"state": "accepted", "by": "Dr. Weber", "at": "2026-11-29T17:40:00+01:00"}
        review["changes"] = [{"key": "liver", "volume_ml": -3.0, "dice": 0.98}]
        reply = desk.report({**desk.measure(), "review": review}, tmp_path / "case", rendering=False)
        page = (tmp_path / "case" / reply.files["report"]).read_text(encoding="utf-8")
        assert "Accepted by Dr. Weber on 2026-11-29 at 17:40" in page and "0.980" in page
        content = json.loads((tmp_path / "case" / reply.files["measurements"]).read_text(encoding="utf-8"))
        assert content["review"] == review

    def test_a_review_that_cannot_be_read_writes_nothing(self, desk, tmp_path):
        failure = desk.report({**desk.measure(), "review": {"state": "signed"}}, tmp_path)
        assert failure.code == "usage" and "Who reviewed" in failure.message
        assert list(tmp_path.iterdir()) == []

    def test_numbers_that_cannot_be_read(self, desk, tmp_path):
        assert desk.report("{}", tmp_path).code == "usage"

    def test_cancelled_it_leaves_nothing(self, desk, tmp_path):
        desk.worker.send(Cancel("c", "r"))  # too early: nobody knows the request yet
        summary = desk.measure()
        (desk.folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        request = protocol.Report(
            "r", **desk.case, summary=str(desk.folder / "summary.json"), folder=str(tmp_path)
        )
        desk.worker.send(request, Cancel("d", "r"))
        assert desk.worker.reply((protocol.ReportResult, protocol.Failure)).code == "cancelled"
        assert list(tmp_path.iterdir()) == []


class TestErrors:
    @pytest.mark.parametrize(
        "plan_error, kind, sentence",
        [
            ("no liver", errors.NoLiverError, "No liver was found in this scan."),
            ("changed", errors.InputChangedError, "case was changed while it was being segmented"),
            ("bug", errors.LiverSegError, r"LiverSeg failed unexpectedly \(ZeroDivisionError\)."),
        ],
    )
    def test_an_error_in_the_worker_is_raised_here_and_the_worker_lives_on(self, plan_error, kind, sentence):
        with client(raise_at="locate", error=plan_error) as worker:
            pid = worker.pid
            for _ in range(2):
                with pytest.raises(kind, match=sentence) as caught:
                    worker.segment(doubles.scan())
                assert type(caught.value) is kind
            assert worker.pid == pid
        if plan_error == "bug":
            assert "a bug" in caught.value.details

    def test_the_choice_of_series_is_passed_on(self):
        with client(raise_at="read", error="series") as worker:
            with pytest.raises(errors.SeriesChoiceError) as caught:
                worker.segment(doubles.scan())
        assert caught.value.series == ({"description": str({"number": 3, "files": ["a"]})},)

    @pytest.mark.parametrize("error", ["3000 series", "series without a spacing"])
    def test_a_choice_that_no_line_can_hold_does_not_end_the_worker(self, error):
        with client(raise_at="read", error=error) as worker:
            pid = worker.pid
            with pytest.raises(errors.SeriesChoiceError, match="The folder holds") as caught:
                worker.segment(doubles.scan())
            assert len(caught.value.series) < 3000
            assert worker.pid == pid and process_exists(pid)

    def test_a_python_that_does_not_exist(self):
        with pytest.raises(errors.WorkerError, match="could not be started: No such file"):
            WorkerClient("/nowhere/python").start()

    def test_a_program_that_is_no_worker(self):
        with pytest.raises(errors.WorkerError, match="ended unexpectedly .exit status 3") as caught:
            WorkerClient(
                command=[sys.executable, "-c", "import sys; sys.stderr.write('why'); sys.exit(3)"]
            ).start()
        assert caught.value.details == "why"

    def test_a_worker_that_does_not_answer(self):
        deaf = WorkerClient(command=[sys.executable, "-c", "import time; time.sleep(60)"])
        with pytest.raises(errors.WorkerError, match="did not answer within 1 s"):
            deaf.start(timeout_s=1)
        assert deaf.pid is None

    def test_a_worker_of_another_version(self):
        code = """print('{"liverseg": 9, "type": "hello-reply", "id": "hello"}', flush=True); input()"""
        with pytest.raises(errors.WorkerError, match="different versions"):
            WorkerClient(command=[sys.executable, "-c", code]).start()

    def test_requests_that_make_no_sense(self, tmp_path):
        flat, words, ct = (str(tmp_path / f"{name}.npy") for name in ("flat", "words", "ct"))
        np.save(flat, np.zeros((3, 3)))
        np.save(words, np.zeros((2, 2, 2), "U3"))
        np.save(ct, np.zeros((3, 3, 3), np.int16))
        cases = [
            ({}, "usage", "needs either a path or voxels"),
            ({"path": "a", "voxels": "b"}, "usage", "needs either a path or voxels"),
            ({"voxels": ct}, "usage", "Voxels without a grid"),
            ({"voxels": "/nowhere.npy", "grid": GRID}, "unreadable", "cannot be read"),
            ({"voxels": flat, "grid": GRID}, "input", "three-dimensional with numbers, not 2-D of float64"),
            ({"voxels": words, "grid": GRID}, "input", "three-dimensional with numbers"),
            ({"voxels": ct, "grid": replace(GRID, origin=(0.0,))}, "usage", "A grid needs 3 numbers"),
            ({"voxels": ct, "grid": replace(GRID, direction=(0.0,) * 9)}, "input", "grid is not usable"),
            ({"voxels": ct, "grid": replace(GRID, size=(3, 3, 4))}, "input", "grid is not usable"),
        ]
        with RawWorker() as worker:
            for number, (fields, code, sentence) in enumerate(cases):
                worker.send(Segment(f"s{number}", **fields))
                failure = worker.reply()
                assert (failure.id, failure.code) == (f"s{number}", code)
                assert sentence in failure.message
            worker.send(Shutdown("z"))
            worker.process.wait(20)


class TestConversation:
    def test_garbage_never_kills_it(self):
        garbage = [
            b"\n",
            b"\x00\xff\xfe\n",
            b"import slicer\n",
            b'{"liverseg": 2}\n',
            b'{"liverseg": 7, "id": "v"}\n',
            b'{"liverseg": 2, "type": "segment", "id": "bad", "mirror": "yes"}\n',
            b"x" * (1 << 21) + b"\n",
            encode(protocol.Bye("a reply, not a request")),
        ]
        with RawWorker() as worker:
            worker.send(*garbage, Hello("h"))
            failures = [worker.reply() for _ in range(3)]
            assert [(f.id, f.code) for f in failures] == [
                (None, "worker"),
                ("v", "worker"),
                ("bad", "worker"),
            ]
            assert worker.reply().pid == worker.process.pid
            worker.send(Shutdown("z"))
            assert worker.reply() == protocol.Bye("shutdown")
            assert worker.process.wait(20) == 0

    def test_without_a_folder_it_makes_and_removes_its_own(self, empty_temporary_folder):
        with RawWorker() as worker:
            worker.send(Hello("h"))
            assert Path(worker.reply().folder).parent == empty_temporary_folder
            worker.send(Shutdown("z"))
            worker.process.wait(20)

    def test_a_folder_that_is_not_private_is_refused(self, tmp_path):
        (tmp_path / "precious").write_text("x")
        with RawWorker() as worker:
            worker.send(Hello("h", str(tmp_path)))
            assert worker.reply().code == "usage"
            worker.send(Shutdown("z"))
            worker.process.wait(20)
        assert (tmp_path / "precious").exists()

    def test_a_second_hello_keeps_the_folder(self):
        folder = scratch.make_private_folder()
        with RawWorker() as worker:
            worker.send(Hello("h", str(folder)), Hello("i", str(folder)), Hello("j"))
            assert {worker.reply().folder for _ in range(3)} == {str(folder)}
            worker.send(Shutdown("z"))
            worker.process.wait(20)

    def test_hello_is_answered_without_torch_and_vtk(self):
        code = (
            "import sys, LiverSegLib.worker, LiverSegLib.worker.protocol\n"
            "sys.exit(any(name.split('.')[0] in ('torch', 'vtk', 'vtkmodules') for name in sys.modules))"
        )
        environment = {**os.environ, "PYTHONPATH": str(doubles.ROOT)}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)


class TestCancelling:
    @pytest.mark.parametrize("stage", ["read", "segment", "measure"])
    def test_it_acts_within_a_second_and_the_worker_stays_warm(self, stage):
        reached = []
        with client(pause_at=stage) as worker:
            pid = worker.pid

            def cancel():
                return bool(reached) and time.monotonic() > reached[0] + 0.1

            def progress(_fraction, name, _text):
                if name == stage:
                    reached.append(time.monotonic())

            with pytest.raises(errors.CancelledError):
                worker.segment(doubles.scan(), progress=progress, cancel=cancel)
            assert time.monotonic() - reached[0] < 1.1
            assert worker.pid == pid and process_exists(pid)

    def test_a_request_that_waits_can_be_cancelled_too(self, tmp_path):
        with RawWorker(pause_at="locate") as worker:
            sitk.WriteImage(doubles.scan(), str(tmp_path / "ct.nrrd"))
            first, second = (
                Segment(i, path=str(tmp_path / "ct.nrrd"), surfaces=False) for i in ("one", "two")
            )
            worker.send(Cancel("c", "never-heard-of"), first, second, Cancel("d", "two"))
            assert worker.reply(protocol.Progress).id == "one"
            worker.send(Cancel("e", "one"))
            failures = [worker.reply(protocol.Failure) for _ in range(2)]
            assert [(f.id, f.code) for f in failures] == [("one", "cancelled"), ("two", "cancelled")]
            worker.send(Shutdown("z"))
            worker.process.wait(20)

    def test_a_worker_that_does_not_listen_is_ended(self, monkeypatch):
        monkeypatch.setattr("worker_client.CANCEL_TIMEOUT_S", 0.3)
        with client(pause_at="segment", deaf=True) as worker:
            pid, stages = worker.pid, []
            with pytest.raises(errors.CancelledError):
                worker.segment(
                    doubles.scan(),
                    progress=lambda _fraction, stage, _text: stages.append(stage),
                    cancel=lambda: "segment" in stages,
                )
            assert not process_exists(pid)
            assert worker.start().pid != pid

    def test_an_exception_in_the_callers_progress_ends_the_worker(self):
        def progress(*_):
            raise KeyboardInterrupt

        with client(pause_at="segment") as worker:
            pid = worker.pid
            with pytest.raises(KeyboardInterrupt):
                worker.segment(doubles.scan(), progress=progress)
            assert not process_exists(pid)


class TestEnding:
    def busy(self, worker, folder):
        """Bring a raw worker that pauses at "segment" into that pause."""
        sitk.WriteImage(doubles.scan(), str(folder / "ct.nrrd"))
        worker.send(Hello("h"), Segment("s", path=str(folder / "ct.nrrd")))
        while getattr(worker.reply(), "stage", None) != "segment":
            pass

    @pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_signal_ends_it_cleanly(self, tmp_path, number, status):
        with RawWorker(pause_at="segment") as worker:
            self.busy(worker, tmp_path)
            worker.process.send_signal(number)
            assert worker.process.wait(20) == status

    def test_a_signal_ends_it_when_idle_too(self):
        with RawWorker() as worker:
            worker.send(Hello("h"))
            worker.reply()
            worker.process.terminate()
            assert worker.reply() == protocol.Bye("signal 15")
            assert worker.process.wait(20) == 143

    @pytest.mark.parametrize("deaf", [False, True])
    @pytest.mark.parametrize("how", ["shutdown", "input closed"])
    def test_it_ends_in_the_middle_of_computing(self, tmp_path, how, deaf):
        with RawWorker(pause_at="segment", deaf=deaf, grace_s=0.3) as worker:
            self.busy(worker, tmp_path)
            if how == "shutdown":
                worker.send(Shutdown("z"))
            else:
                worker.process.stdin.close()
                worker.process.stdin = None
            assert worker.process.wait(20) == (1 if deaf else 0)

    def test_it_ends_when_its_parent_is_killed_while_another_process_holds_its_input_open(self):
        command = doubles.command("worker", {})
        code = (
            "import subprocess, sys, time\n"
            f"print(subprocess.Popen({command!r}).pid, flush=True)\n"
            "time.sleep(60)"
        )
        read_end, write_end = os.pipe()
        parent = subprocess.Popen([sys.executable, "-c", code], stdin=read_end, stdout=subprocess.PIPE)
        try:
            pid = int(parent.stdout.readline())
            os.write(write_end, encode(Hello("h")))
            assert decode(parent.stdout.readline()).pid == pid
            parent.kill()
            parent.wait()
            deadline = time.monotonic() + 10
            while process_exists(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not process_exists(pid)
        finally:
            parent.kill()
            parent.communicate()
            os.close(read_end)
            os.close(write_end)

    def test_a_client_that_is_forgotten_leaves_nothing(self):
        worker = client()
        worker.start()
        pid = worker.pid
        del worker
        assert not process_exists(pid)

    def test_closing_twice_is_fine_and_a_closed_client_can_start_again(self):
        worker = client()
        with worker:
            first = worker.pid
        worker.close()
        with worker:
            assert worker.pid != first
