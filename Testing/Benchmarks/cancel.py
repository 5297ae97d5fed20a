"""How long a user waits who cancels: per stage, the longest time between two looks at ``cancel``.

    python Testing/Benchmarks/cancel.py [--data SCAN] [--slices N] [--load N] [--rounds N]

Whoever cancels just after a look waits until the next one, and CancelledError follows at once; so the
longest time between two looks is the longest wait. Some real cancellations confirm it. Target: LIMIT_S in
every stage.
Without ``--data`` the bundled sample is used, with ``--slices N`` the sample with 512 x 512 x N voxels.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import SimpleITK as sitk
from speed import enlarged, sample_path

from LiverSegLib import Segmenter
from LiverSegLib.errors import CancelledError
from LiverSegLib.images.grid import Grid
from LiverSegLib.outputs import write_results
from LiverSegLib.sentences import with_identity
from LiverSegLib.worker import protocol, tasks

LIMIT_S = 1.0
"""Longest wait (seconds) after a click on Cancel."""
STAGES = ("read", "locate", "segment", "clean", "measure")
"""Stages in which a run is cancelled for real."""
BUSY = "while True: sum(range(100_000))"


class Looks:
    """When ``cancel`` was asked, by stage.

    Attributes:
        longest: Stage -> longest time (seconds) between two looks.
        backwards: Whether progress ever ran backwards.
    """

    def __init__(self, stage: str) -> None:
        self.longest: Dict[str, float] = {}
        self.backwards = False
        self._stage, self._last, self._fraction = stage, time.monotonic(), 0.0

    def progress(self, fraction: float, stage: str, _text: str) -> None:
        """A progress callback: takes down which stage runs."""
        self.backwards |= fraction < self._fraction
        self._stage, self._fraction = stage, fraction

    def cancel(self) -> bool:
        """A cancel callback that never cancels."""
        now = time.monotonic()
        waited = now - self._last
        self.longest[self._stage] = max(self.longest.get(self._stage, 0.0), waited)
        self._last = now
        return False

    def show(self, name: str) -> None:
        """End: print a line a stage."""
        self.cancel()
        for stage, waited in self.longest.items():
            verdict = "" if waited <= LIMIT_S else f"  over {LIMIT_S:g} s"
            print(f"  {name}, {stage:<8} {waited:6.2f} s{verdict}")
        if self.backwards:
            print(f"  {name}: progress ran backwards")


def poll(scan: Path, folder: Path) -> None:
    """Segment, measure and write the files of a case, and print the longest times between two looks."""
    looks = Looks("load")
    started = time.monotonic()
    segmenter = Segmenter("default", "cpu")
    print(f"  target {LIMIT_S:g} s; model loaded in {time.monotonic() - started:.1f} s")
    looks = Looks("read")
    result = segmenter.segment(str(scan), progress=looks.progress, cancel=looks.cancel)
    looks.show("segment")
    voxels = sitk.GetArrayViewFromImage(result.labels)
    print(f"  sha256 of the labels {hashlib.sha256(voxels.tobytes()).hexdigest()[:16]}", end=", ")
    print(f"of the numbers {digest(result.measurements.to_dict())}")
    looks = Looks("read")
    context = tasks.TaskContext(folder, looks.progress, looks.cancel, lambda *_: segmenter)
    reply = tasks.measure(handed_over(result, folder), context)
    looks.show("measure")
    summary = json.loads((Path(reply.folder) / reply.summary).read_text(encoding="utf-8"))
    print(f"  sha256 of the numbers measured again {digest(summary['measurements'])}")
    looks = Looks("write")
    write_results(result, folder / "case", cancel=looks.cancel)
    looks.show("report")


def digest(numbers: Dict[str, Any]) -> str:
    """The first figures of a checksum of numbers."""
    text = json.dumps(with_identity(numbers), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def handed_over(result: Any, folder: Path) -> protocol.Measure:
    """The request to measure a result, as Slicer makes it."""
    np.save(folder / "voxels.npy", sitk.GetArrayViewFromImage(result.image))
    np.save(folder / "labels.npy", sitk.GetArrayViewFromImage(result.labels))
    grid = Grid.of(result.image)
    return protocol.Measure(
        "bench", labels=str(folder / "labels.npy"), voxels=str(folder / "voxels.npy"), grid=grid
    )


def cancel_for_real(scan: Path, rounds: int) -> None:
    """Cancel at moments spread over each stage and print the longest wait until CancelledError."""
    segmenter = Segmenter("default", "cpu")
    for stage in STAGES:
        waits: List[float] = []
        for number in range(rounds):
            waits.append(_wait(segmenter, scan, stage, delay=0.25 * number))
        print(f"  cancelled in {stage:<8} {max(waits):6.2f} s")


def _wait(segmenter: Segmenter, scan: Path, stage: str, delay: float) -> float:
    """Seconds from the request, ``delay`` seconds after a stage began, to CancelledError."""
    reached: List[float] = []

    def progress(_fraction: float, name: str, _text: str) -> None:
        if name == stage and not reached:
            reached.append(time.monotonic())

    try:
        segmenter.segment(
            str(scan),
            progress=progress,
            cancel=lambda: bool(reached) and time.monotonic() >= reached[0] + delay,
        )
    except CancelledError:
        return max(0.0, time.monotonic() - reached[0] - delay)
    return 0.0


def under_load(busy: int, work: Callable[[], None]) -> None:
    """Do the work while so many processes keep a core busy each."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
    try:
        work()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure how soon cancelling acts.")
    parser.add_argument("--data", type=Path, help="a scan in place of the bundled sample")
    parser.add_argument("--slices", type=int, help="the sample with 512 x 512 pixels and so many slices")
    parser.add_argument("--load", type=int, default=0, help="processes that keep a core busy meanwhile")
    parser.add_argument("--rounds", type=int, default=3, help="real cancellations in each stage")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        scan = options.data or sample_path()
        if options.slices:
            scan = Path(folder) / "large.nii.gz"
            enlarged(options.slices, scan)

        def work() -> None:
            print(f"Longest time between two looks at cancel, {options.load} busy processes")
            poll(scan, Path(folder))
            if options.rounds:
                print("Longest wait for CancelledError")
                cancel_for_real(scan, options.rounds)

        under_load(options.load, work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
