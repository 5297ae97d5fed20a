"""What can go wrong between a server and its clients: nothing is lost, nobody is let in, nothing stays."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import doubles
import numpy as np
import pytest
from broken_line import BrokenLine
from processes import process_exists
from server_fixtures import TOKEN, announced, running, wait_for, work

from LiverSegLib import errors
from LiverSegLib.server import client as clients
from LiverSegLib.server import exchange, voxels
from LiverSegLib.server.client import Client
from LiverSegLib.worker import protocol
from LiverSegLib.worker.server_messages import ServerAddress

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(clients, "PAUSE_S", 0.05)


def in_thread(server, **options):
    """A run by a client of its own; what came of it is appended to the list."""
    found = []

    def compute():
        try:
            found.append(Client(server.address).compute(work(**options)))
        except errors.LiverSegError as error:
            found.append(error)

    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    return thread, found


class RawUpload:
    """An upload by hand, on a socket."""

    def __init__(self, server, run, length):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        head = f"PUT /v1/runs/{run}/scan HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        self.socket.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def answer(self):
        """All that the server says until it closes the connection."""
        said = b""
        while True:
            data = self.socket.recv(1 << 16)
            if not data:
                return said
            said += data


class TestWorkerDies:
    def test_a_killed_worker_is_told_and_a_new_one_computes_the_next(self, scratch):
        with running(scratch, {"pause_at": "segment", "seconds": 3}) as server:
            thread, found = in_thread(server)
            wait_for(lambda: server.metric('liverseg_runs{state="running"}') == 1)
            time.sleep(0.3)
            os.kill(server.service.worker.pid, signal.SIGKILL)
            thread.join(30)
            assert isinstance(found[0], errors.ServerError) and "ended during this run" in str(found[0])
            wait_for(lambda: server.service.worker.is_there())
            assert server.metric('liverseg_runs_total{end="worker-ended"}') == 1
            assert server.metric("liverseg_worker_starts_total") == 2
            assert server.ask("GET", "/health", token=None)[0] == 200
            thread, found = in_thread(server)
            wait_for(lambda: server.metric('liverseg_runs{state="running"}') == 1)
            thread.join(30)
            assert np.array_equal(found[0].labels, doubles.labels_array())

    def test_a_run_that_takes_too_long_and_does_not_hear_is_ended(self, scratch, monkeypatch):
        from LiverSegLib.server import warm_worker

        monkeypatch.setattr(warm_worker, "OBEY_S", 0.5)
        with running(scratch, {"pause_at": "segment", "deaf": True}, run_s=1.0) as server:
            pid = server.service.worker.pid
            with pytest.raises(errors.ServerError, match="longer than the 1 s that the server allows"):
                Client(server.address).compute(work())
            wait_for(lambda: server.service.worker.pid not in (None, pid))
            assert not process_exists(pid)
            assert server.metric('liverseg_runs_total{end="too-long"}') == 1


class TestDiskFull:
    def test_a_scan_that_does_not_fit_is_refused_and_the_next_is_taken(self, scratch):
        resource = pytest.importorskip("resource", reason="limits of files exist on Unix only")
        with running(scratch) as server:
            run = announced(server)
            data = voxels.packed(work().voxels)
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            doubles.limit_file_size_softly(4096)
            try:
                status, body, _ = server.ask("PUT", f"/v1/runs/{run}/scan", data)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert status == 507 and "disk of the server is full" in protocol.decode(body).message
            assert server.ask("PUT", f"/v1/runs/{run}/scan", data)[0] == 204  # there is room again
            wait_for(lambda: server.ask("GET", f"/v1/runs/{run}/result")[0] == 200)

    def test_a_result_that_does_not_fit_is_told_without_paths(self, scratch):
        with running(scratch, {"file_limit": 4096}) as server:
            with pytest.raises(errors.ServerError, match="disk of the server is full"):
                Client(server.address).compute(work())
            assert list(server.service._folder.glob("run-*/*")) == []


class TestUploads:
    def test_slow_broken_and_double_uploads(self, scratch):
        data = voxels.packed(work().voxels)
        with running(scratch, upload_s=1.5, request_s=1.0) as server:
            run = announced(server)
            with RawUpload(server, run, len(data)) as slow:  # one byte, and then nothing
                slow.socket.sendall(data[:1])
                said = slow.answer()
            assert b" 408 " in said.split(b"\r\n")[0] and b"longer than 2 s" in said
            with RawUpload(server, run, len(data)) as broken:
                broken.socket.sendall(data[: len(data) // 2])
                wait_for(lambda: server.service.find(run).is_being_sent)
                assert server.ask("PUT", f"/v1/runs/{run}/scan", data)[0] == 409
            wait_for(lambda: not server.service.find(run).is_being_sent)
            assert server.ask("PUT", f"/v1/runs/{run}/scan", data)[0] == 204
            assert server.ask("PUT", f"/v1/runs/{run}/scan", data)[0] == 204  # whose answer was lost, say
            wait_for(lambda: server.ask("GET", f"/v1/runs/{run}/result")[0] == 200)
            assert server.metric('liverseg_runs_total{end="done"}') == 1

    def test_a_head_that_never_ends_is_cut_off(self, scratch):
        with running(scratch, request_s=1.0) as server:
            started = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as silent:
                silent.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
                while True:
                    try:
                        silent.sendall(b"a")
                        if silent.recv(100, socket.MSG_DONTWAIT) == b"":
                            break
                    except BlockingIOError:
                        time.sleep(0.1)
                    except OSError:
                        break
                    assert time.monotonic() - started < 10
            assert server.ask("GET", "/health", token=None)[0] == 200


class TestQueue:
    def test_a_full_queue_says_when_to_come_again_and_clients_do(self, scratch, monkeypatch):
        from LiverSegLib.server import refusals

        monkeypatch.setattr(refusals, "RETRY_AFTER_S", 1)
        with running(scratch, {"pause_at": "clean", "seconds": 0.2}, runs=2) as server:
            first, second = announced(server), announced(server)
            status, body, headers = server.ask(
                "POST", "/v1/runs?type=int16&bytes=9", protocol.encode(work().request)
            )
            assert status == 503 and headers["Retry-After"] == "1"
            assert "2 runs wait already" in protocol.decode(body).message
            runs = [in_thread(server) for _ in range(3)]
            wait_for(lambda: server.service.metrics.refusals[503] >= 4)
            for run in (first, second):
                assert server.ask("DELETE", f"/v1/runs/{run}")[0] == 204
            for thread, found in runs:
                thread.join(40)
                assert np.array_equal(found[0].labels, doubles.labels_array())

    def test_a_run_that_its_client_left_is_given_up(self, scratch):
        with running(scratch, {"pause_at": "segment"}, lease_s=0.5) as server:
            announced(server)
            wait_for(lambda: server.metric('liverseg_runs_total{end="abandoned"}') == 1)
            run = announced(server)
            data = voxels.packed(work().voxels)
            assert server.ask("PUT", f"/v1/runs/{run}/scan", data)[0] == 204
            wait_for(lambda: server.service.about().runs == 0)
            wait_for(lambda: server.metric('liverseg_runs{state="running"}') == 0)


class TestLine:
    def test_a_dead_server_is_told_soon(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(errors.ServerError, match="cannot be reached"):
            Client(ServerAddress(f"http://127.0.0.1:{port}", TOKEN)).compute(work())
        assert time.monotonic() - started < 5

    def test_a_server_that_says_nothing_is_told(self, monkeypatch):
        monkeypatch.setattr(exchange, "CONNECT_S", 0.5)
        with socket.create_server(("127.0.0.1", 0)) as mute:
            address = f"http://127.0.0.1:{mute.getsockname()[1]}"
            with pytest.raises(errors.ServerError, match="does not answer"):
                Client(ServerAddress(address, TOKEN)).about()

    def test_another_program_at_the_port_is_told(self):
        def answer(listener):
            with listener.accept()[0] as line:
                line.recv(1 << 16)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

        with socket.create_server(("127.0.0.1", 0)) as other:
            threading.Thread(target=answer, args=(other,), daemon=True).start()
            address = f"http://127.0.0.1:{other.getsockname()[1]}"
            with pytest.raises(errors.ServerError, match="does not answer as a LiverSeg server"):
                Client(ServerAddress(address, TOKEN)).about()

    def test_connections_that_break_lose_nothing(self, scratch, monkeypatch):
        monkeypatch.setattr(clients, "TRIES", 12)
        with running(scratch) as server, BrokenLine(server.port, share=0.3, seed=3) as line:
            address = ServerAddress(f"http://127.0.0.1:{line.port}", TOKEN)
            for _ in range(5):
                try:
                    found = Client(address).compute(work())
                except errors.ServerError as error:  # announcing is tried twice only
                    assert "cannot be reached" in str(error)
                    continue
                assert np.array_equal(found.labels, doubles.labels_array())
            assert line.cut > 3


@pytest.mark.slow
class TestLoad:
    def test_fifty_clients_each_get_their_own_result(self, scratch):
        """Some of them break off, some come with a wrong token; all others get what is theirs."""
        with running(scratch, runs=12, lease_s=5.0) as server:
            made, wrong = [in_thread(server, name=f"c{n}") for n in range(50)], []
            for _ in range(20):
                wrong.append(server.ask("GET", "/v1/about", token="a-wrong-token-0123456789")[0])
                announced_status = server.ask(
                    "POST", "/v1/runs?type=int16&bytes=9", protocol.encode(work().request)
                )[0]  # never sent
                assert announced_status in (201, 503)
                time.sleep(0.05)
            for thread, _ in made:
                thread.join(240)
            assert set(wrong) == {401}
            assert all(np.array_equal(found[0].labels, doubles.labels_array()) for _, found in made)
            assert server.metric('liverseg_runs_total{end="done"}') == 50
            wait_for(lambda: server.service.about().runs == 0, 30)


@pytest.mark.slow
def test_a_killed_server_leaves_scans_to_nobody(tmp_path):
    """Its worker ends too, and what lay in the scratch folder is gone at the next start."""
    environment = {**os.environ, "LIVERSEG_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "LiverSegLib.cli", "serve", "--port", "0", "--scratch", str(tmp_path)]

    def start():
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        assert "is ready at http://127.0.0.1:" in line
        return process, line.split(" at ")[1].split(". ")[0]

    first, url = start()
    try:
        http = exchange.Http(ServerAddress(url, TOKEN))
        line = protocol.encode(work().request)
        data = voxels.packed(work().voxels)
        answer = http.ask("POST", f"/v1/runs?type=int16&bytes={len(data)}", line).message(http.address)
        http.ask("PUT", f"/v1/runs/{answer.id}/scan", data)
        before = {path.name for path in tmp_path.iterdir()}
        assert len(before) == 2
        first.kill()
        first.wait()
        second, _ = start()
        try:
            assert not before & {path.name for path in tmp_path.iterdir()}
            second.send_signal(signal.SIGTERM)
            assert second.wait(30) == 0
            assert list(tmp_path.iterdir()) == []
        finally:
            second.kill()
            second.wait()
    finally:
        first.kill()
        first.wait()
