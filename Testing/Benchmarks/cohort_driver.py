"""A cohort with a stand-in for segmenting, as a process of its own: what the drills kill.

    python Testing/Benchmarks/cohort_driver.py LIST.csv OUT TASK [SCHEDULER]

It prints a line of JSON with what it did, how long that took and the most memory it had.
"""

import json
import resource
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the cohort that the arguments ask for."""
    began = time.monotonic()
    import cohort_stub

    from LiverSegLib.cohort import Options, find_cases
    from LiverSegLib.cohort.cluster import Local, Running
    from LiverSegLib.cohort.session import Session, run_session

    source, out, task, *scheduler = sys.argv[1:]
    place = Running(scheduler[0]) if scheduler else Local(2)
    peaks = []

    def tell(counts):
        if counts.ended % 1000 == 0:
            peaks.append((counts.ended, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))

    session = Session(Path(out), place, dashboard=False, task=getattr(cohort_stub, task))
    counts, _ = run_session(find_cases(source), Options(), session, progress=tell)
    seconds = time.monotonic() - began
    print(json.dumps({"done": counts.done, "failed": counts.failed, "seconds": seconds, "peak_mb": peaks}))


if __name__ == "__main__":
    main()
