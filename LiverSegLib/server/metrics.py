"""What a server counts, as Prometheus reads it: runs and seconds, no names.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from collections import Counter
from typing import Counter as CounterType
from typing import List

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ENDS = ("done", "failed", "cancelled", "abandoned", "too-long", "worker-ended")
"""How a run can end."""

REFUSALS = (400, 401, 403, 404, 408, 409, 413, 422, 503, 507)
"""Status with which a request can be refused."""


class Metrics:
    """Counts since the start of the server."""

    def __init__(self) -> None:
        self.ends: CounterType[str] = Counter()
        self.refusals: CounterType[int] = Counter()
        self.worker_starts = 0
        self.compute_seconds = 0.0
        self.wait_seconds = 0.0
        self.started_runs = 0
        self.upload_bytes = 0

    def text(self, *, sending: int, waiting: int, running: int, worker_ready: bool) -> str:
        """The page /metrics; the arguments are how many runs are in which state now."""
        lines: List[str] = []
        _family(lines, "liverseg_runs_total", "counter", "Runs that ended, by how.")
        lines += [f'liverseg_runs_total{{end="{end}"}} {self.ends[end]}' for end in ENDS]
        _family(lines, "liverseg_refused_total", "counter", "Requests that were refused, by status.")
        lines += [f'liverseg_refused_total{{status="{code}"}} {self.refusals[code]}' for code in REFUSALS]
        _family(lines, "liverseg_runs", "gauge", "Runs that are here now, by state.")
        now = (("sending", sending), ("waiting", waiting), ("running", running))
        lines += [f'liverseg_runs{{state="{state}"}} {count}' for state, count in now]
        for name, about, seconds in (
            ("compute", "Time that runs computed.", self.compute_seconds),
            ("wait", "Time that runs waited before.", self.wait_seconds),
        ):
            _family(lines, f"liverseg_{name}_seconds", "summary", about)
            lines.append(f"liverseg_{name}_seconds_sum {seconds:.3f}")
            lines.append(f"liverseg_{name}_seconds_count {self.started_runs}")
        _family(lines, "liverseg_upload_bytes_total", "counter", "Bytes of scans that arrived.")
        lines.append(f"liverseg_upload_bytes_total {self.upload_bytes}")
        _family(lines, "liverseg_worker_starts_total", "counter", "Starts of the computing process.")
        lines.append(f"liverseg_worker_starts_total {self.worker_starts}")
        _family(lines, "liverseg_worker_ready", "gauge", "Whether the computing process is there.")
        lines.append(f"liverseg_worker_ready {int(worker_ready)}")
        return "\n".join(lines) + "\n"


def _family(lines: List[str], name: str, kind: str, about: str) -> None:
    lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
