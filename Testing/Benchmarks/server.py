"""Load and fault drills of a server on loopback, with a made-up segmenter: what is lost, who gets in.

    python Testing/Benchmarks/server.py [--clients 50]

Each drill is bounded in count and time. Exit status 1: a run was lost, damaged, or let in without a token.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Core"), str(ROOT / "Testing")]

import doubles  # noqa: E402
import numpy as np  # noqa: E402
from broken_line import BrokenLine  # noqa: E402
from server_fixtures import TOKEN, TestServer, running, work  # noqa: E402

from LiverSegLib.errors import LiverSegError, ServerError  # noqa: E402
from LiverSegLib.server import client as clients  # noqa: E402
from LiverSegLib.server.client import Client  # noqa: E402
from LiverSegLib.worker.server_messages import ServerAddress  # noqa: E402

LIMIT_S = 300.0
"""No drill waits longer."""

Row = Tuple[str, str, str, bool]
"""Drill, what came of it, seconds, whether it is as it must be."""


class Clients:
    """Clients that each want one scan computed; started at once, in threads."""

    def __init__(self, address: ServerAddress, count: int) -> None:
        self.found: List[Any] = [None] * count
        self.seconds: List[float] = [0.0] * count
        self._address = address
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Wait for all of them."""
        end = time.monotonic() + LIMIT_S
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def right(self) -> int:
        """How many have the result of their scan."""
        wanted = doubles.labels_array()
        return sum(hasattr(item, "labels") and np.array_equal(item.labels, wanted) for item in self.found)

    def told(self) -> int:
        """How many got a sentence."""
        return sum(isinstance(item, LiverSegError) and bool(str(item)) for item in self.found)

    def _run(self, number: int) -> None:
        started = time.monotonic()
        try:
            self.found[number] = Client(self._address).compute(work())
        except LiverSegError as error:
            self.found[number] = error
        self.seconds[number] = time.monotonic() - started


def load(server: TestServer, count: int) -> Row:
    """Many clients at once, more than the queue holds."""
    found = Clients(server.address, count)
    found.wait()
    middle, most = statistics.median(found.seconds), max(found.seconds)
    words = f"{found.right()} of {count} right; median {middle:.1f} s, longest {most:.1f} s"
    return (
        f"{count} clients at once, queue of {server.service.limits.runs}",
        words,
        "",
        found.right() == count,
    )


def strangers(server: TestServer, count: int) -> Row:
    """Requests with wrong tokens."""
    pages = ("/v1/about", "/metrics", "/v1/runs/x/result", "/v1/runs/x/events", "/nothing")
    tokens = (None, "", "x" * len(TOKEN), TOKEN[:-1], TOKEN + "x")
    asked = [server.ask("GET", pages[n % 5], token=tokens[n // 5 % 5])[0] for n in range(4 * count)]
    refused = asked.count(401)
    return f"{len(asked)} requests with wrong tokens", f"{refused} refused", "", refused == len(asked)


def broken(server: TestServer, count: int) -> Row:
    """Clients on a line that cuts every fourth connection."""
    with BrokenLine(server.port, share=0.25, seed=1) as line:
        found = Clients(ServerAddress(f"http://127.0.0.1:{line.port}", TOKEN), count)
        found.wait()
        whole = found.right() + found.told() == count
        words = (
            f"{found.right()} of {count} right, {found.told()} told a sentence; {line.cut} connections cut"
        )
    return "a line that cuts a quarter of all connections", words, "", whole and found.right() >= count // 2


def killed(server: TestServer, count: int) -> Row:
    """The worker is killed three times while clients wait."""
    found = Clients(server.address, count)
    kills, end = 0, time.monotonic() + LIMIT_S
    while kills < 3 and time.monotonic() < end:
        pid = server.service.worker.pid
        if pid is not None and server.service.worker.is_there() and server.service.metrics.started_runs:
            os.kill(pid, signal.SIGKILL)
            kills += 1
        time.sleep(1.5)
    found.wait()
    words = f"{found.right()} of {count} right, {found.told()} told that the worker ended; {kills} kills"
    whole = found.right() + found.told() == count and found.told() <= kills
    return "worker killed while clients wait", words, "", whole


def full(server: TestServer, count: int) -> Row:
    """A disk on which no result fits."""
    found = Clients(server.address, count)
    found.wait()
    told = sum(isinstance(item, ServerError) and "disk" in str(item) for item in found.found)
    return "full disk", f"{told} of {count} told so", "", told == count


def drill(plan: Any, run: Callable[[TestServer, int], Row], count: int, **limits: Any) -> Row:
    """One drill on a server of its own; nothing of it may stay in its folder."""
    with tempfile.TemporaryDirectory() as folder:
        with running(Path(folder), plan, **limits) as server:
            started = time.monotonic()
            name, words, _, good = run(server, count)
            seconds = time.monotonic() - started
    return name, words, f"{seconds:.1f}", good


def main() -> int:
    """Run all drills and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    count = max(4, min(200, parser.parse_args().clients))
    clients.PAUSE_S = 0.1
    rows = [
        drill({}, load, count, runs=16),
        drill({}, strangers, count),
        drill({}, broken, count // 2),
        drill({"pause_at": "segment", "seconds": 0.5}, killed, 8),
        drill({"file_limit": 4096}, full, 4),
    ]
    print("\n| Drill | What came of it | Seconds | |\n|---|---|---|---|")
    for name, words, seconds, good in rows:
        print(f"| {name} | {words} | {seconds} | {'as it must be' if good else 'WRONG'} |")
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
