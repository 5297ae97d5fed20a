"""A server that computes for others: who comes in, what travels, what comes back, and that nothing stays."""

import re
import threading
import time
import zlib
from dataclasses import replace

import doubles
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from server_fixtures import TOKEN, announced, running, wait_for, work

from LiverSegLib import errors
from LiverSegLib.images.grid import Grid
from LiverSegLib.server import access, voxels
from LiverSegLib.server.addresses import parse_address
from LiverSegLib.server.client import Client
from LiverSegLib.server.fair_queue import FairQueue
from LiverSegLib.server.listen import Place
from LiverSegLib.server.remote import RemoteSegmenter
from LiverSegLib.server.servers import Servers
from LiverSegLib.worker import protocol
from LiverSegLib.worker.messages import Segment
from LiverSegLib.worker.server_messages import AskServer, ServerAddress

GRID = Grid.of(doubles.scan())
LINE = protocol.encode(work().request)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def server(scratch):
    with running(scratch) as found:
        yield found


# ---- the pieces


class TestQueue:
    def test_who_sends_many_scans_keeps_nobody_waiting_for_all_of_them(self):
        queue = FairQueue()
        for run in range(20):
            queue.put("a", f"a{run}")
        assert [queue.take(), queue.take()] == ["a0", "a1"]
        queue.put("b", "b0")
        assert queue.order()[:3] == ["a2", "b0", "a3"]

    @given(st.lists(st.sampled_from("abcd"), max_size=40))
    def test_every_run_comes_once_and_those_of_an_owner_in_order(self, owners):
        queue = FairQueue()
        for number, owner in enumerate(owners):
            queue.put(owner, (owner, number))
        taken = [queue.take() for _ in owners]
        assert sorted(number for _, number in taken) == list(range(len(owners)))
        for owner in "abcd":
            numbers = [number for who, number in taken if who == owner]
            assert numbers == sorted(numbers)
        assert queue.take() is None

    def test_a_run_that_is_cancelled_is_out_of_the_queue(self):
        queue = FairQueue()
        first, second = ["x"], ["x"]
        queue.put("a", first)
        queue.put("a", second)
        queue.remove(first)
        assert queue.take() is second and queue.take() is None


class TestVoxels:
    @settings(max_examples=25, deadline=None)
    @given(
        st.tuples(*[st.integers(1, 9)] * 3),
        st.sampled_from(voxels.KINDS),
        st.integers(1, 400),
        st.booleans(),
    )
    def test_what_is_sent_arrives_however_it_is_cut(self, tmp_path_factory, shape, kind, cut, flat):
        made = np.zeros(shape) if flat else np.random.default_rng(cut).normal(0, 900, shape)
        made = made.astype(kind)
        path = tmp_path_factory.mktemp("voxels") / "voxels.npy"
        data = voxels.packed(made)
        file = voxels.VoxelFile(path, shape, kind)
        for start in range(0, len(data), cut):
            file.write(data[start : start + cut])
        file.finish()
        file.close()
        assert np.array_equal(np.load(path), made) and np.load(path).dtype == made.dtype

    def test_a_bomb_writes_no_more_than_was_announced(self, tmp_path):
        file = voxels.VoxelFile(tmp_path / "v.npy", (2, 2, 2), "int16")
        with pytest.raises(voxels.Damaged):
            file.write(zlib.compress(bytes(20_000_000), 1))
        file.close()
        assert (tmp_path / "v.npy").stat().st_size < 200

    @pytest.mark.parametrize("data", [b"no zlib", zlib.compress(bytes(15)), zlib.compress(bytes(16))[:-3]])
    def test_what_is_damaged_or_too_short_is_not_taken(self, tmp_path, data):
        file = voxels.VoxelFile(tmp_path / "v.npy", (2, 2, 2), "int16")
        with pytest.raises(voxels.Damaged):
            file.write(data)
            file.finish()
        file.close()

    def test_a_large_flat_scan_arrives_whole(self, tmp_path):
        made = np.zeros((40, 300, 300), np.int16)
        file = voxels.VoxelFile(tmp_path / "v.npy", made.shape, "int16")
        file.write(voxels.packed(made))
        file.finish()
        file.close()
        assert np.array_equal(np.load(tmp_path / "v.npy"), made)


class TestTokens:
    def test_the_first_start_makes_a_token_that_only_its_owner_can_read(self, tmp_path, monkeypatch):
        monkeypatch.delenv(access.VARIABLE, raising=False)
        path = tmp_path / "new" / "server-token"
        first = access.server_tokens(None, path)
        again = access.server_tokens(None, path)
        assert first.is_new and not again.is_new and first.values == again.values
        assert path.stat().st_mode & 0o777 == 0o600 and len(first.values[0]) > 40
        assert access.client_token(path) == first.values[0]

    def test_a_file_holds_several_and_each_is_a_user(self, tmp_path):
        path = tmp_path / "tokens"
        path.write_text("# radiology\nradiology-0123456789\n\nsurgery-012345678901\n")
        tokens = access.server_tokens(path, tmp_path / "other")
        assert tokens.owner_of("Bearer radiology-0123456789") == 0
        assert tokens.owner_of("bearer surgery-012345678901") == 1
        for wrong in ("", "Bearer ", "Bearer radiology", "Basic radiology-0123456789", "Bearer \udcff" * 3):
            assert tokens.owner_of(wrong) is None

    @pytest.mark.parametrize("text", ["short", "", "with a space in it, but long", "ümlaut-0123456789abc"])
    def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(self, tmp_path, text):
        (tmp_path / "tokens").write_text(text, encoding="utf-8")
        with pytest.raises(errors.UsageError):
            access.server_tokens(tmp_path / "tokens", tmp_path / "other")

    def test_without_a_token_here_nothing_is_sent(self, monkeypatch):
        monkeypatch.delenv(access.VARIABLE, raising=False)
        with pytest.raises(errors.UsageError, match="needs a token"):
            access.client_token(None)


class TestAddresses:
    @pytest.mark.parametrize(
        "text, found",
        [
            ("https://gpu.example.org:8765", "https://gpu.example.org:8765"),
            ("https://gpu/liverseg/", "https://gpu:443/liverseg"),
            (" http://127.0.0.1:80 ", "http://127.0.0.1:80"),
            ("http://[::1]:8765", "http://[::1]:8765"),
        ],
    )
    def test_an_address_is_understood(self, text, found):
        assert str(parse_address(text)) == found

    @pytest.mark.parametrize(
        "text",
        ["", "gpu", "http://gpu:8765", "http://10.0.0.1", "ftp://gpu", "https://a:b@gpu", "https://gpu:99999",
         "https://", "https://gpu/?x=1", "http://localhost.example.org"],
    )  # fmt: skip
    def test_no_scan_is_sent_unencrypted_to_another_computer(self, text):
        with pytest.raises(errors.UsageError, match="https://"):
            parse_address(text)


class TestPlaces:
    def test_other_computers_need_tls_or_a_proxy(self, tmp_path):
        Place("127.0.0.1").check()
        Place("0.0.0.0", proxy="10.0.0.2").check()
        for host in ("0.0.0.0", "10.0.0.5", "::"):
            with pytest.raises(errors.UsageError, match="needs a certificate"):
                Place(host).check()

    def test_half_a_certificate_or_a_damaged_one_is_refused(self, tmp_path):
        (tmp_path / "c.pem").write_text("no certificate")
        with pytest.raises(errors.UsageError, match="belong together"):
            Place("0.0.0.0", certificate=tmp_path / "c.pem").check()
        with pytest.raises(errors.UsageError, match="cannot be used"):
            Place("0.0.0.0", certificate=tmp_path / "c.pem", key=tmp_path / "c.pem").check()
        with pytest.raises(errors.UsageError, match="IP address"):
            Place("0.0.0.0", proxy="the proxy").check()

    def test_a_port_in_use_is_told(self, server):
        from LiverSegLib.server.listen import open_port

        with pytest.raises(errors.UsageError, match=f"port {server.port} is in use"):
            open_port(Place(port=server.port))


# ---- a server


class TestRuns:
    def test_a_result_is_what_the_worker_would_have_made_here(self, server):
        image = doubles.scan()
        here = doubles.result(image)
        stages = []
        found = RemoteSegmenter(server.address).segment(
            image, progress=lambda fraction, stage, text: stages.append((fraction, stage))
        )
        assert np.array_equal(sitk.GetArrayFromImage(found.labels), sitk.GetArrayFromImage(here.labels))
        assert Grid.of(found.labels) == Grid.of(image)
        assert np.array_equal(found.probability, here.probability)
        assert found.measurements.to_dict() == here.measurements.to_dict()
        assert found.facts.phase == here.facts.phase and "A warning." in found.warnings
        assert found.provenance["server"] == server.address.url and found.name == "scan"
        assert stages[0][1] == "send" and {"fetch", "done"} <= {stage for _, stage in stages}
        assert [fraction for fraction, _ in stages] == sorted(fraction for fraction, _ in stages)

    def test_nothing_that_names_the_patient_travels(self, server, tmp_path):
        image = doubles.scan()
        image.SetMetaData("0010|0010", "Doe^Jane")
        path = tmp_path / "Jane Doe 1950.nii.gz"
        sitk.WriteImage(image, str(path))
        asked = []
        admit = server.service.admit
        server.service.admit = lambda request, *rest: (asked.append(request), admit(request, *rest))[1]
        try:
            found = RemoteSegmenter(server.address).segment(path)
        finally:
            server.service.admit = admit
        sent = protocol.encode(asked[0]).decode()
        assert "Doe" not in sent and "Jane" not in sent and str(tmp_path) not in sent
        assert found.name == "Jane Doe 1950" and found.provenance["input"]["path"] == str(path)

    def test_nothing_is_kept_after_the_reply(self, server, scratch):
        RemoteSegmenter(server.address).segment(doubles.scan())
        wait_for(lambda: server.service.about().runs == 0)
        files = [path for path in scratch.rglob("*") if path.is_file() and path.name != "owner"]
        assert files == []

    def test_a_cancel_here_stops_the_run_there(self, scratch):
        with running(scratch, {"pause_at": "segment"}) as slow:
            started = time.monotonic()
            with pytest.raises(errors.CancelledError):
                RemoteSegmenter(slow.address).segment(
                    doubles.scan(),
                    cancel=lambda: (
                        slow.service.worker.pid and slow.metric('liverseg_runs{state="running"}') == 1
                    ),
                )
            wait_for(lambda: slow.metric('liverseg_runs_total{end="cancelled"}') == 1)
            assert time.monotonic() - started < 20 and slow.service.about().runs == 0
            assert slow.metric("liverseg_worker_starts_total") == 1  # it obeyed

    @pytest.mark.parametrize(
        "error, kind", [("no liver", errors.NoLiverError), ("MemoryError", errors.OutOfMemoryError)]
    )
    def test_a_run_that_fails_is_told_as_here(self, scratch, error, kind):
        with running(scratch, {"raise_at": "segment", "error": error}) as failing:
            with pytest.raises(kind):
                RemoteSegmenter(failing.address).segment(doubles.scan())
            assert failing.metric('liverseg_runs_total{end="failed"}') == 1

    def test_a_bug_there_tells_a_sentence_and_nothing_of_that_machine(self, scratch):
        with running(scratch, {"raise_at": "segment", "error": "bug"}) as failing:
            with pytest.raises(errors.ServerError, match="went wrong on the server") as caught:
                RemoteSegmenter(failing.address).segment(doubles.scan())
            assert caught.value.details is None

    def test_models_are_names_never_folders(self, server, tmp_path):
        with pytest.raises(errors.UsageError, match="models of its own"):
            RemoteSegmenter(server.address, str(tmp_path)).segment(doubles.scan())
        for name in (str(tmp_path), "../default", "theirs", "."):
            with pytest.raises(errors.ModelNotFoundError, match="Available: default"):
                Client(server.address).compute(work(model=name))

    def test_the_place_in_the_queue_is_told(self, scratch):
        with running(scratch, {"pause_at": "locate", "seconds": 1.5}) as slow:
            told, threads = {}, []
            for number in range(3):
                client = Client(
                    slow.address, lambda f, stage, t, n=number: told.setdefault(n, []).append(stage)
                )
                threads.append(threading.Thread(target=client.compute, args=(work(),)))
                threads[-1].start()
                wait_for(lambda n=number: slow.service.about().runs == n + 1)
                time.sleep(0.2)
            for thread in threads:
                thread.join(30)
            assert "queue-1" in told[1] and "queue-2" in told[2] and "queue-1" in told[2]

    def test_who_asks_is_told_who_the_server_is(self, server):
        answer = Servers().ask(AskServer("w", server.address))
        assert answer.id == "w" and "default" in answer.models and answer.most_runs == 16


class TestDoor:
    @pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
    def test_nobody_comes_in_without_the_token(self, server, token):
        before = server.service.metrics.refusals[401]
        pages = [("GET", "/v1/about"), ("GET", "/metrics"), ("POST", "/v1/runs"), ("GET", "/nothing"),
                 ("GET", "/docs"), ("GET", "/openapi.json"),
                 ("PUT", "/v1/runs/x/scan"), ("DELETE", "/v1/runs/x"),
                 ("GET", "//health"), ("GET", "/health/")]  # fmt: skip
        for method, path in pages:
            status, body, headers = server.ask(method, path, token=token)
            assert status == 401 and headers["WWW-Authenticate"] == "Bearer"
            assert protocol.decode(body).code == "server"
        assert server.service.metrics.refusals[401] == before + len(pages)

    def test_health_tells_everybody_nothing_but_that(self, server):
        assert server.ask("GET", "/health", token=None)[:2] == (200, b'{"status":"ok"}')

    def test_the_client_is_told_that_the_token_is_wrong(self, server):
        with pytest.raises(errors.ServerError, match="does not accept the token"):
            Client(ServerAddress(server.address.url, "wrong")).compute(work())

    def test_behind_a_proxy_nobody_else_comes_in(self, scratch):
        with running(scratch, place=Place(port=0, proxy="10.9.9.9")) as behind:
            assert behind.ask("GET", "/v1/about")[0] == 403
        with running(scratch, place=Place(port=0, proxy="127.0.0.1")) as behind:
            assert behind.ask("GET", "/v1/about", **{"X-Forwarded-For": "1.2.3.4"})[0] == 200

    def test_metrics_are_counts_and_seconds(self, server):
        RemoteSegmenter(server.address).segment(doubles.scan())
        status, body, headers = server.ask("GET", "/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        line = re.compile(r"(# (HELP|TYPE) liverseg_\w+ .+|liverseg_\w+(\{\w+=\"[\w-]+\"\})? \d+(\.\d+)?)\Z")
        assert [row for row in body.decode().splitlines() if not line.match(row)] == []
        assert server.metric('liverseg_runs_total{end="done"}') >= 1

    def test_tls_and_who_is_not_trusted(self, scratch, tmp_path):
        trustme = pytest.importorskip("trustme", reason="make test installs it")
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        place = Place(port=0, certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
        place.check()
        with running(scratch, place=place) as safe:
            assert safe.address.url.startswith("https://")
            trusted = ServerAddress(safe.address.url, TOKEN, str(tmp_path / "ca.pem"))
            assert np.array_equal(Client(trusted).compute(work()).labels, doubles.labels_array())
            with pytest.raises(errors.ServerError, match="certificate .* cannot be trusted"):
                Client(safe.address).about()
            with pytest.raises(errors.ServerError, match="certificate .* cannot be trusted"):
                trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
                Client(ServerAddress(safe.address.url, TOKEN, str(tmp_path / "other.pem"))).about()


class TestRequests:
    @pytest.mark.parametrize(
        "body, query",
        [
            (b"", "type=int16&bytes=9"),
            (b"x" * 70_000, "type=int16&bytes=9"),
            (protocol.encode(protocol.Shutdown("z")), "type=int16&bytes=9"),
            (LINE, "type=object&bytes=9"),
            (LINE, "type=int16&bytes=-1"),
            (LINE, "type=int16&bytes=99999999999999999999"),
            (protocol.encode(Segment("a", path="/etc/passwd")), "type=int16&bytes=9"),
            (protocol.encode(Segment("a", voxels="/etc/passwd", grid=GRID)), "type=int16&bytes=9"),
            (protocol.encode(Segment("a", grid=replace(GRID, size=(0, 2, 2)))), "type=int16&bytes=9"),
            (protocol.encode(Segment("a", grid=replace(GRID, direction=()))), "type=int16&bytes=9"),
        ],
    )
    def test_what_makes_no_sense_is_refused_with_a_sentence(self, server, body, query):
        status, answer, _ = server.ask("POST", f"/v1/runs?{query}", body)
        assert status == 400 and "does not understand" in protocol.decode(answer).message
        assert server.service.about().runs == 0

    @settings(max_examples=30, deadline=None)
    @given(st.binary(max_size=200))
    def test_no_bytes_upset_it(self, server, body):
        assert server.ask("POST", "/v1/runs?type=int16&bytes=5", body)[0] == 400

    def test_what_is_too_large_is_refused_before_it_is_sent(self, scratch):
        with running(scratch, upload_bytes=1000, voxels=9000) as small:
            with pytest.raises(errors.InputError, match="too large for the server"):
                Client(small.address).compute(work(sitk.Image(30, 30, 30, sitk.sitkInt16)))
            assert (
                small.ask("POST", "/v1/runs?type=int16&bytes=1001", protocol.encode(work().request))[0] == 413
            )
            run = announced(small, count=900)  # it lies
            assert small.ask("PUT", f"/v1/runs/{run}/scan", b"x" * 5000)[0] == 413

    def test_a_scan_that_is_not_what_was_announced_is_refused(self, server):
        for data in (b"", b"no zlib", voxels.packed(work().voxels)[:-9], voxels.packed(work().voxels) + b"x"):
            run = announced(server)
            status, body, _ = server.ask("PUT", f"/v1/runs/{run}/scan", data)
            assert status == 422 and "whole" in protocol.decode(body).message
            assert server.ask("DELETE", f"/v1/runs/{run}")[0] == 204

    def test_a_run_that_is_not_there_is_unknown(self, server):
        for method, page in (("PUT", "/scan"), ("GET", "/events"), ("GET", "/result"), ("DELETE", "")):
            assert server.ask(method, f"/v1/runs/nothing{page}")[0] == 404
        run = announced(server)
        assert server.ask("GET", f"/v1/runs/{run}/result")[0] == 409
        assert server.ask("DELETE", f"/v1/runs/{run}")[0] == 204
        assert server.ask("DELETE", f"/v1/runs/{run}")[0] == 404
