"""A cohort measured: beside a shell loop of `liverseg segment`, killed 20 times, with 10,000 cases.

    python Testing/Benchmarks/cohort.py [throughput] [drills] [bookkeeping] [--scans N] [--data FOLDER]

Throughput: so many scans, dealt out to rounds, in each of which a loop of single commands has them and then a
cohort. The ratio counts, as other work on the machine slows both; seconds of the processors stand beside it.
Drills: the command, a worker or the scheduler is ended by kill -9 at a random moment, 20 times over; then
every case must be there, whole, and none written twice. Bookkeeping: many cases with a stand-in for
segmenting; memory must not grow, and going on must be quick.
"""

import argparse
import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
sys.path.insert(1, str(ROOT))

from cohort_scans import make_scans, source_scans  # noqa: E402

PARTS = ("throughput", "drills", "bookkeeping")

MISSING = 100
"""Cases that are taken away again, to see how soon a run that goes on computes."""

START_S = 240.0
"""Seconds within which the first case of a drill must end, on a busy machine."""


def environment(**more: str) -> Dict[str, str]:
    """Variables of a process that finds this checkout."""
    path = os.pathsep.join((str(ROOT), str(HERE)))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def write_list(path: Path, count: int) -> Path:
    """A list of so many cases whose scans are not there."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "id"))
        writer.writerows((f"scan{n}.nii.gz", f"c{n:05d}") for n in range(count))
    return path


def driver(listed: Path, out: Path, task: str, scheduler: Optional[str] = None) -> subprocess.Popen:
    """Start a cohort with a stand-in for segmenting."""
    command = [sys.executable, str(HERE / "cohort_driver.py"), str(listed), str(out), task]
    command += [scheduler] if scheduler else []
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def bookkeeping(folder: Path, count: int) -> Dict[str, Any]:
    """Many cases at once; the same command when some are missing, and with nothing left to do."""
    listed, out = write_list(folder / "many.csv", count), folder / "many"
    found: Dict[str, Any] = {"cases": count}
    for name in ("all", "going on", "nothing to do"):
        if name == "going on":
            for number in range(0, count, max(1, count // MISSING)):
                shutil.rmtree(out / "cases" / f"c{number:05d}")
        out_text, error = driver(listed, out, "at_once").communicate()
        if not out_text:
            raise SystemExit(f"The cohort failed: {error[-2000:]}")
        found[name] = json.loads(out_text)
        print(f"  {name}: {out_text.strip()}", flush=True)
        assert found[name]["done"] == count
    return found


def drills(folder: Path, count: int, cases: int) -> Dict[str, Any]:
    """Kill something ``count`` times; return how often what was killed, and what there was at the end. A case
    that was lost, is half there or was written twice ends the drills."""
    listed, out = write_list(folder / "drills.csv", cases), folder / "drills"
    places = (kill_command, kill_worker, kill_scheduler)
    killed: Dict[str, int] = {}
    seen: Dict[str, int] = {}
    for number in range(count):
        kill = places[number % len(places)]
        kill(listed, out)
        killed[kill.__name__] = killed.get(kill.__name__, 0) + 1
        check_whole(out, seen)
        print(f"  {number + 1} of {count}: {kill.__name__}, {len(seen)} of {cases} cases", flush=True)
    out_text, error = driver(listed, out, "slowly").communicate()
    if not out_text:
        raise SystemExit(f"The cohort failed: {error[-2000:]}")
    check_whole(out, seen)
    assert len(seen) == cases and not any((out / "failed").iterdir())
    return {"killed": killed, "cases": len(seen), "lost": 0, "half": 0, "written_twice": 0}


def check_whole(out: Path, seen: Dict[str, int]) -> None:
    """Every case that is there is whole and is the one that was there before; none is gone."""
    places = list((out / "cases").iterdir()) if (out / "cases").is_dir() else []
    assert set(seen) <= {place.name for place in places}, "a case was lost"
    for place in places:
        assert json.loads((place / "case.json").read_text(encoding="utf-8"))["case"] == place.name
        assert (place / "measurements.json").is_file()
        stamp = (place / "case.json").stat().st_mtime_ns
        assert seen.setdefault(place.name, stamp) == stamp, f"{place.name} was written twice"


def some_done(process: subprocess.Popen, out: Path) -> None:
    """Wait until a case more is done, then a random moment more; give up if the process ends."""
    before, began = _done(out), time.monotonic()
    while _done(out) <= before and process.poll() is None:
        if time.monotonic() - began > START_S:
            process.kill()
            raise SystemExit(f"No case was done within {START_S:.0f} s.")
        time.sleep(0.05)
    time.sleep(random.uniform(0.0, 1.5))


def _done(out: Path) -> int:
    return len(os.listdir(out / "cases")) if (out / "cases").is_dir() else 0


def kill_command(listed: Path, out: Path) -> None:
    """Kill the command, with its scheduler, as it computes; its workers end with it."""
    process = driver(listed, out, "slowly")
    some_done(process, out)
    process.kill()
    process.communicate()


def kill_worker(listed: Path, out: Path) -> None:
    """Kill a worker as it computes; the command goes on, and is then told to stop the hard way, too."""
    import psutil

    process = driver(listed, out, "slowly")
    some_done(process, out)
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    if workers:
        random.choice(workers).kill()
        some_done(process, out)
    process.kill()
    process.communicate()


def kill_scheduler(listed: Path, out: Path) -> None:
    """Kill a scheduler of its own; the command must end with a sentence."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        scheduler = _dask("scheduler", *options)
        workers: List[subprocess.Popen] = []
        try:
            address = _address_in(file)
            more = ["--nthreads", "1", "--resources", "CASE=1", "--no-dashboard", "--death-timeout", "20"]
            workers = [_dask("worker", address, "--local-directory", place, *more) for _ in range(2)]
            process = driver(listed, out, "slowly", address)
            some_done(process, out)
            scheduler.send_signal(signal.SIGKILL)
            _, error = process.communicate(timeout=120)
            assert "connection to Dask's scheduler was lost" in error or process.returncode == 0, error[-500:]
        finally:
            for child in (*workers, scheduler):
                _end(child)


def _address_in(file: Path) -> str:
    """A scheduler's address, as soon as it has written it."""
    for _ in range(int(10 * START_S)):
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError):  # not there yet, or only begun
            time.sleep(0.1)
    raise SystemExit(f"A scheduler of Dask did not start within {START_S:.0f} s.")


def _dask(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment(), start_new_session=True, **quiet)


def _end(process: subprocess.Popen) -> None:
    """End a process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def throughput(folder: Path, scans: List[Path], rounds: int, workers: int, threads: int) -> Dict[str, Any]:
    """Seconds of a loop of single commands and of a cohort, in turn: on the clock, and of the processors."""
    found: Dict[str, List[float]] = {name: [] for name in ("loop", "cohort", "loop_cpu", "cohort_cpu")}
    for number in range(rounds):
        dealt = folder / f"round{number}"
        dealt.mkdir()
        for scan in scans[number::rounds]:
            scan.rename(dealt / scan.name)
        began, used = time.monotonic(), _processor_seconds()
        for scan in sorted(dealt.iterdir()):
            _liverseg("segment", str(scan), "-o", str(folder / "loop" / scan.name))
        found["loop"].append(time.monotonic() - began)
        found["loop_cpu"].append(_processor_seconds() - used)
        began, used = time.monotonic(), _processor_seconds()
        size = ("--workers", str(workers), "--threads", str(threads))
        _liverseg("cohort", str(dealt), "-o", str(folder / f"cohort{number}"), *size)
        found["cohort"].append(time.monotonic() - began)
        found["cohort_cpu"].append(_processor_seconds() - used)
        said = ", ".join(f"{name} {seconds[-1]:.0f} s" for name, seconds in found.items())
        print(f"  round {number + 1}, {len(scans[number::rounds])} scans: {said}", flush=True)
    return {
        "scans": len(scans),
        **found,
        "ratio": sum(found["loop"]) / sum(found["cohort"]),
        "cpu_ratio": sum(found["loop_cpu"]) / sum(found["cohort_cpu"]),
    }


def _processor_seconds() -> float:
    """What all commands until now have taken of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _liverseg(*arguments: str) -> None:
    command = [sys.executable, "-m", "LiverSegLib.cli", *arguments, "--quiet"]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if run.returncode not in (0, 4, 9):
        raise SystemExit(f"liverseg {arguments[0]} failed: {run.stderr[-2000:]}")


def main() -> None:
    """Measure the parts that were asked for and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS), help="all if none is named")
    parser.add_argument("--scans", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3, help="parts of the scans, a loop and a cohort each")
    parser.add_argument("--matrix", type=int, default=512, help="voxels of a slice's side; 0: as the source")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--data", type=Path, help="folder with real scans, or with dataset.json")
    parser.add_argument("--drills", type=int, default=20)
    parser.add_argument("--drill-cases", type=int, default=600)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not given")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="cohort-", dir=asked.folder))
    try:
        for part in asked.parts or PARTS:
            print(part, flush=True)
            if part == "throughput":
                (folder / "scans").mkdir()
                sources = source_scans(ROOT, asked.data)
                scans = make_scans(folder / "scans", sources, asked.scans, asked.matrix)
                print(f"  {len(scans)} scans made from {min(len(scans), len(sources))} real ones", flush=True)
                found = throughput(folder, scans, asked.rounds, asked.workers, asked.threads)
            elif part == "drills":
                found = drills(folder, asked.drills, asked.drill_cases)
            else:
                found = bookkeeping(folder, asked.cases)
            print(json.dumps(found), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
