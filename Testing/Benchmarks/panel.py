"""How long the panel keeps the radiologist waiting: gaps of the event loop, cancelling, opening, warm runs.

    python Testing/Benchmarks/panel.py [--check]

Runs the real module in the stand-in Slicer (Testing/SlicerHost). The run on the bundled sample, the warm run
and the cancels use the real worker with the bundled model on the CPU; the large scans use the real worker
with a made-up mask, as the model's time is not what is measured there. Where the machine is busy with other
things, what this process computed in a gap tells more than the gap. --check exits with 1 if a target is
missed.
"""

import argparse
import compileall
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterator, List, Optional

import numpy as np
from panel_clicks import clicks, looking, quitting
from panel_corrections import corrections
from panel_timing import Line, Pause, Stages, add_volume, finish, in_ms, now, since

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "Resources" / "SampleData" / "hcc013-portal.nii.gz"

GAP_MS = 100.0
CANCEL_MS = 1000.0
OPEN_MS = 300.0
EVENT_MS = 10.0
EVENTS = 20
EVENT_SLICES = 400
TURNS_TO_DRAW = 3
"""Turns of the event loop until a panel just opened is drawn."""

HANDING_OVER = "Handing the scan over"
PUTTING = "Putting the result into the scene"
AFTER = "After it"
SEGMENTING = "Segmenting"


def main() -> int:
    """Measure, print the table, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    check = parser.parse_args().check
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [str(ROOT / "Testing"), str(ROOT / "LiverSeg")]
    from SlicerHost import boot

    lines = measure(boot())
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    width = max(len(line.what) for line in lines)
    for line in lines:
        verdict = "" if not line.target else "ok" if line.met else "MISSED"
        print(f"{line.what:{width}}  {line.found:>26}  {line.target:>10}  {verdict}".rstrip())
    return 1 if check and not all(line.met for line in lines) else 0


def measure(host: Any) -> List[Line]:
    """All lines of the table."""
    lines = [opening(host)]
    host.parkWindow()
    from LiverSegSlicer.work.worker_process import endSharedWorker

    with logic(host, None) as real:
        lines += on_the_sample(host, real)
        lines += clicks(host, real, SAMPLE)
        lines.append(quitting(real))
    with logic(host, [sys.executable, __file__, "worker"]) as made_up:
        lines += large_scans(host, made_up)
        lines.append(scene_events(host, made_up))
        lines += corrections(host, made_up)
    lines.append(looking(host))
    endSharedWorker()  # it corrected
    return lines


def opening(host: Any) -> Line:
    """Load the module and show its panel in a window, until it is drawn.

    Its bytecode is there already, as from Slicer's second start on.
    """
    import slicer

    host.openWindow()
    with TemporaryDirectory() as folder:
        sys.pycache_prefix = folder
        for package in ("LiverSeg", "LiverSegLib"):
            compileall.compile_dir(ROOT / package, quiet=2)
        start = now()
        host.loadModule(str(ROOT / "LiverSeg" / "LiverSeg.py"))
        loaded = since(start)
        slicer.util.selectModule("LiverSeg")
        for _ in range(TURNS_TO_DRAW):
            slicer.app.processEvents()
        taken = since(start)
        sys.pycache_prefix = None
    what = f"opening the module (of which loading it at Slicer's start {1000 * loaded.clock:.0f} ms)"
    return in_ms(what, taken, OPEN_MS)


@contextmanager
def logic(host: Any, command: Optional[List[str]]) -> Iterator[Any]:
    """A logic with a worker of its own."""
    from LiverSegSlicer.logic import Logic
    from LiverSegSlicer.work.worker_process import WorkerProcess

    worker = WorkerProcess(command)
    try:
        yield Logic(worker)
    finally:
        worker.quit()
        host.clear()


def on_the_sample(host: Any, real: Any) -> List[Line]:
    """Cold and warm run, and cancels in the middle of segmenting, with the bundled model."""
    import slicer

    volume = slicer.util.loadVolume(str(SAMPLE))
    size = " x ".join(str(n) for n in volume.GetImageData().GetDimensions())
    lines = []
    for kind in ("cold", "warm"):
        stages = Stages(host)
        run = real.segmentAsync(volume, progress=stages)
        start = now()
        finish(host, run)
        seconds = since(start).clock
        stages.stop()
        lines.append(in_ms(f"gap, {kind} run on {size} ({seconds:.1f} s)", stages.longest(), GAP_MS))
    loads = real.worker.logText().count("is loaded")
    lines.append(Line("models loaded in these two runs", str(loads), "1", loads == 1))
    waits = [cancel(host, real, volume, after) for after in (0.0, 0.3, 0.9)]
    lines.append(in_ms("cancel to idle, worst of three while segmenting", max(waits), CANCEL_MS))
    return lines


def cancel(host: Any, real: Any, volume: Any, after: float) -> Pause:
    """Time from cancelling, ``after`` seconds into segmenting, until the run has ended."""
    begun: List[float] = []
    stages = Stages(host, SEGMENTING, lambda: begun.append(time.perf_counter()))
    run = real.segmentAsync(volume, progress=stages)
    host.waitFor(lambda: begun and time.perf_counter() > begun[0] + after, 120)
    start = now()
    run.cancel()
    host.waitFor(lambda: not run.isRunning(), 30)
    taken = since(start)
    stages.stop()
    if run.error is None or run.error.code != "cancelled":
        raise SystemExit(f"cancelling ended in {run.error or run.result}")
    return taken


def large_scans(host: Any, made_up: Any) -> List[Line]:
    """Handing over 600 slices, and putting a result of 110 and of 600 slices into the scene."""
    lines = []
    for slices in (110, 600):
        volume = add_volume(slices)
        size = f"512 x 512 x {slices}"
        for drawn in (False, True) if slices == 110 else (False,):
            if drawn:
                host.openWindow()
                host.settle(1.0)
            stages = Stages(host)
            finish(host, made_up.segmentAsync(volume, progress=stages))
            stages.stage = AFTER
            host.settle(0.5)
            stages.stop()
            applied = stages.longest(PUTTING, AFTER)
            if drawn:
                lines.append(in_ms("  the same, with four views drawn by software", applied))
                host.parkWindow()
                continue
            lines.append(in_ms(f"gap, handing {size} over", stages.longest(HANDING_OVER), GAP_MS))
            limit = GAP_MS if slices == 110 else None
            lines.append(in_ms(f"gap, putting {size} with surfaces into the scene", applied, limit))
        host.clear()
    return lines


def scene_events(host: Any, made_up: Any) -> Line:
    """What the shown panel does when a node comes and goes, beside a result of 512 x 512 x 400: the median,
    without what the scene itself takes for it.
    """
    import slicer

    host.openWindow()
    panel = host.showModule("LiverSeg").panel
    volume = add_volume(EVENT_SLICES)
    run = made_up.segmentAsync(volume)
    finish(host, run)
    panel.parameters.inputVolume = volume
    host.settle(1.0)
    if panel.parameters.segmentation is not run.result:
        raise SystemExit("the panel does not show the result")
    shown = median_turn(host)
    slicer.modules.LiverSegWidget.exit()
    hidden = median_turn(host)
    taken = Pause(max(0.0, shown.clock - hidden.clock), max(0.0, shown.own - hidden.own))
    host.parkWindow()
    what = f"panel's work on a scene event beside a result of 512 x 512 x {EVENT_SLICES}, median"
    return in_ms(what, taken, EVENT_MS)


def median_turn(host: Any) -> Pause:
    """The median time from the removal of a node until everybody has had the turn to follow it."""
    import slicer

    pauses = []
    for _ in range(EVENTS):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
        host.settle(0.05)
        start = now()
        slicer.mrmlScene.RemoveNode(node)
        for _turn in range(TURNS_TO_DRAW):
            slicer.app.processEvents()
        pauses.append(since(start))
    return sorted(pauses)[len(pauses) // 2]


class MadeUp:
    """A segmenter that finds ellipsoids at once."""

    def segment(self, source: Any, *, progress: Any, cancel: Any, **_: Any) -> Any:
        """The ``LiverSegLib.Result`` for any scan."""
        import SimpleITK as sitk

        from LiverSegLib.api import Result
        from LiverSegLib.measure import measure as measure_mask

        progress(0.1, "segment", SEGMENTING)
        shape = source.GetSize()[::-1]
        z, y, x = (np.linspace(-1, 1, count, dtype=np.float32) for count in shape)
        z, y, x = z[:, None, None], y[None, :, None], x[None, None, :]
        labels = np.zeros(shape, np.uint8)
        labels[z**2 / 0.7 + (y / 0.45) ** 2 + ((x + 0.3) / 0.4) ** 2 < 1] = 1
        labels[(z / 0.4) ** 2 + ((y - 0.2) / 0.2) ** 2 + ((x - 0.6) / 0.12) ** 2 < 1] = 2
        for centre in (-0.4, 0.0, 0.4):
            labels[((z - centre) / 0.1) ** 2 + (y / 0.06) ** 2 + ((x + 0.3) / 0.06) ** 2 < 1] = 3
        mask = sitk.GetImageFromArray(labels)
        mask.CopyInformation(source)
        facts = {"liverseg_version": "benchmark", "model": {"name": "made up"}}
        return Result("benchmark", source, mask, labels, measure_mask(mask, source), facts, ())


def worker() -> int:
    """The worker with made-up masks."""
    sys.path.insert(0, str(ROOT))
    from LiverSegLib.worker.server import main as run_worker

    return run_worker(lambda *_: MadeUp())


if __name__ == "__main__":
    sys.exit(worker() if sys.argv[1:] == ["worker"] else main())
