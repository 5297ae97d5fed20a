"""A cohort with a stand-in for segmenting, as a process of its own: what the drills kill.

    python Testing/Benchmarks/cohort_driver.py LIST.csv OUT TASK [SCHEDULER]

It prints a line of JSON: what it did, the seconds that took (on the clock, and of the processors, without its
workers) and those until the first case had ended; and after each thousand cases their number, and the memory
(MB) that it and its largest worker had.
"""

import contextlib
import json
import sys
import time
from pathlib import Path

import psutil


def largest_child(process: psutil.Process) -> int:
    """Bytes of memory of its largest child."""
    sizes = [0]
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(child.memory_info().rss)
    return max(sizes)


def main() -> None:
    """Run the cohort that the arguments ask for."""
    this = psutil.Process()
    began = this.create_time()
    import cohort_stub

    from LiverSegLib.cohort import Options, find_cases
    from LiverSegLib.cohort.cluster import Local, Running
    from LiverSegLib.cohort.session import Session, run_session

    source, out, task, *scheduler = sys.argv[1:]
    place = Running(scheduler[0]) if scheduler else Local(2)
    before, first, memory = None, None, []

    def tell(counts):
        nonlocal before, first
        before = counts.ended if before is None else before
        if first is None and counts.ended > before:
            first = time.time() - began
        if not memory or counts.ended >= memory[-1][0] + 1000:
            sizes = [round(size / 1e6) for size in (this.memory_info().rss, largest_child(this))]
            memory.append([counts.ended, *sizes])

    session = Session(Path(out), place, dashboard=False, task=getattr(cohort_stub, task))
    counts, _ = run_session(find_cases(source), Options(), session, progress=tell)
    found = {"done": counts.done, "failed": counts.failed, "seconds": time.time() - began}
    more = {"cpu_s": sum(this.cpu_times()[:2]), "first_case_s": first, "memory_mb": memory}
    print(json.dumps({**found, **more}))


if __name__ == "__main__":
    main()
