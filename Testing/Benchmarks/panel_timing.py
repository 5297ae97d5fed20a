"""What the benchmarks of the panel share: a line of their table, and the pauses of the event loop."""

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Callable, Dict, NamedTuple, Optional

import numpy as np

SPACING = (0.78, 0.78, 2.5)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    found: str
    target: str = ""
    met: bool = True


class Pause(NamedTuple):
    """A time in which the event loop stood still: seconds on the clock, and of it this process computing."""

    clock: float
    own: float


class Stages:
    """The longest pause of the event loop in each stage of a run, and what to do at a stage."""

    def __init__(self, host: Any, at: str = "", do: Callable[[], None] = lambda: None) -> None:
        self.pauses: Dict[str, Pause] = defaultdict(lambda: Pause(0.0, 0.0))
        self.stage = ""
        self._at, self._do = at, do
        self._last = now()
        import qt

        self._timer = qt.QTimer()
        self._timer.setInterval(2)
        self._timer.connect("timeout()", self._beat)
        self._timer.start()

    def __call__(self, _fraction: float, text: str) -> None:
        self._beat()
        self.stage = text
        if text == self._at:
            self._do()

    def longest(self, *stages: str) -> Pause:
        """The longest pause in some stages, or in all."""
        return max(self.pauses[stage] for stage in stages or list(self.pauses))

    def stop(self) -> None:
        """Measure no longer."""
        self._beat()
        self._timer.stop()

    def _beat(self) -> None:
        self.pauses[self.stage] = max(self.pauses[self.stage], since(self._last))
        self._last = now()


def now() -> Pause:
    """Clock and computing time of this process."""
    return Pause(time.perf_counter(), time.process_time())


def since(start: Pause) -> Pause:
    """What has passed since ``start``."""
    return Pause(time.perf_counter() - start.clock, time.process_time() - start.own)


def add_volume(slices: int) -> Any:
    """A volume of soft tissue in air, 512 x 512 pixels."""
    import slicer

    voxels = np.full((slices, 512, 512), -1000, np.int16)
    voxels[:, 60:450, 60:450] = 50
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{slices} slices")
    slicer.util.updateVolumeFromArray(volume, voxels)
    volume.SetSpacing(*SPACING)
    return volume


def finish(host: Any, run: Any) -> None:
    """Wait for a run that must end well."""
    host.waitFor(lambda: not run.isRunning(), 600)
    if run.error is not None:
        raise SystemExit(f"{run.error}\n{run.error.details}")


def in_ms(what: str, pause: Pause, limit: Optional[float] = None) -> Line:
    """A line with a time and its limit in ms, if it has one."""
    found = f"{1000 * pause.clock:.0f} ms (computing {1000 * pause.own:.0f})"
    if limit is None:
        return Line(what, found)
    return Line(what, found, f"<= {limit:.0f} ms", 1000 * pause.clock <= limit)
