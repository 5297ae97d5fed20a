"""A made-up scan, the result that a segmenter would make of it, and a worker whose segmenter does what a test
asks.

``python doubles.py worker '{"pause_at": "locate"}'`` is the worker with a :class:`FakeSegmenter`; ``python
doubles.py cli '{"signal_at": "clean"}' segment SCAN -o FOLDER`` is the terminal command with one. Neither
loads torch.
"""

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("read", "locate", "segment", "clean", "measure", "done")
OBLIQUE = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 1.0)

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from LiverSegLib import errors  # noqa: E402
from LiverSegLib.images.scan import fingerprint  # noqa: E402


def scan(direction: Any = OBLIQUE) -> sitk.Image:
    """A small CT, int16 HU, 26 x 22 x 14 voxels of 4 x 4 x 5 mm."""
    voxels = np.full((14, 22, 26), -90, np.int16)
    voxels[labels_array() > 0] = 60
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((4.0, 4.0, 5.0))
    image.SetOrigin((-31.5, 12.25, 400.0))
    image.SetDirection(direction)
    return image


def labels_array() -> np.ndarray:
    """Liver with a tumour inside, and spleen (z, y, x)."""
    z, y, x = np.ogrid[:14, :22, :26]
    labels = np.zeros((14, 22, 26), np.uint8)
    labels[((z - 7) / 5) ** 2 + ((y - 11) / 8) ** 2 + ((x - 9) / 7) ** 2 < 1] = 1
    labels[((z - 7) / 3) ** 2 + ((y - 12) / 4) ** 2 + ((x - 21) / 3) ** 2 < 1] = 2
    labels[6:9, 9:12, 7:10] = 3
    return labels


def result(image: Optional[sitk.Image] = None, name: str = "case", **provenance: Any) -> Any:
    """The ``LiverSegLib.Result`` for :func:`scan`."""
    from LiverSegLib.api import Result
    from LiverSegLib.measure import measure
    from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate
    from LiverSegLib.review import Review

    image = scan() if image is None else image
    array = labels_array()
    labels = sitk.GetImageFromArray(array)
    labels.CopyInformation(image)
    probability = np.where(array > 0, 230, 0).astype(np.uint8)
    measurements = measure(labels, image, probability=probability, phase="portal")
    facts = {
        "liverseg_version": "0",
        "model": {"name": "fake", "version": "1"},
        "device": "cpu",
        **provenance,
    }
    known = ClinicalFacts(PhaseEstimate("portal", 0.9, "told"))
    return Result(name, image, labels, probability, measurements, facts, ("A warning.",), known, Review())


def with_structures(made: Any, keys: List[str]) -> Any:
    """A result with further structures: each has some slices of voxels of the liver."""
    from LiverSegLib.images.grid import Grid
    from LiverSegLib.measure.structures import measure_structures
    from LiverSegLib.structures import Structure, Structures

    liver = np.argwhere(labels_array() == 1)
    mask = np.zeros(labels_array().shape, np.uint8)
    for value, voxels in enumerate(np.array_split(liver, len(keys)), 1):
        mask[tuple(voxels.T)] = value
    table = tuple(Structure(n, key, key.capitalize(), (n, 80, 200)) for n, key in enumerate(keys, 1))
    found = Structures(mask, table)
    volumes = measure_structures(found, Grid.of(made.labels), 100.0)
    return dataclasses.replace(made, structures=found, structure_volumes=volumes)


class FakeSegmenter:
    """Goes through the stages of the real one and misbehaves as ``plan`` says.

    ``pause_at``: stage to wait in, for ``seconds`` (60); ``deaf``: without listening to cancel. ``raise_at``:
        stage to raise
    ``error`` in, a key of ``ERRORS``. ``signal_at``: stage to send this process SIGINT in, or ``signal``.
    ``loading_s``: time to load. ``structures``: keys of further structures that it finds.
    """

    made = 0

    def __init__(self, plan: Dict[str, Any]) -> None:
        type(self).made += 1
        self.plan = plan
        time.sleep(plan.get("loading_s", 0))

    def segment(
        self,
        source: Any,
        *,
        progress: Optional[Callable[[float, str, str], None]] = None,
        cancel: Optional[Callable[[], bool]] = None,
        **options: Any,
    ) -> Any:
        for number, stage in enumerate(STAGES):
            if cancel is not None and cancel():
                raise errors.CancelledError("Cancelled.")
            if progress is not None:
                progress(number / (len(STAGES) - 1), stage, stage.capitalize())
            self._misbehave(stage, cancel)
        image = source if isinstance(source, sitk.Image) else sitk.ReadImage(os.fspath(source))
        read = {"sha256": fingerprint(image)}
        made = result(image, segmenters_made=type(self).made, pid=os.getpid(), options=options, input=read)
        return with_structures(made, self.plan["structures"]) if self.plan.get("structures") else made

    def _misbehave(self, stage: str, cancel: Optional[Callable[[], bool]]) -> None:
        plan = self.plan
        if plan.get("pause_at") == stage:
            end = time.monotonic() + plan.get("seconds", 60)
            while time.monotonic() < end and (plan.get("deaf") or not (cancel is not None and cancel())):
                time.sleep(0.01)
        if plan.get("signal_at") == stage:
            signal.raise_signal(plan.get("signal", signal.SIGINT))
        if plan.get("raise_at") == stage:
            raise ERRORS[plan["error"]]()


CPU_FULL = (
    "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
)
CHANGED = "case was changed while it was being segmented; please run again."


def _choice(count: int, spacing: float) -> errors.SeriesChoiceError:
    """A folder with so many series, as reading it would complain."""
    series = [
        SimpleNamespace(number=n, description="Abdomen venös 1.0 B30f " * 20, spacing=spacing, files=("a",))
        for n in range(count)
    ]
    listed = "; ".join(item.description for item in series)
    return errors.SeriesChoiceError(f"The folder holds several series: {listed}.", series)


ERRORS: Dict[str, Callable[[], Exception]] = {
    "MemoryError": MemoryError,
    "numpy": lambda: MemoryError("Unable to allocate 512. GiB for an array"),
    "torch on the CPU": lambda: RuntimeError(CPU_FULL),
    "torch on a GPU": lambda: type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."),
    "ITK": lambda: RuntimeError("ITK ERROR: Failed to allocate memory for image."),
    "changed": lambda: errors.InputChangedError(CHANGED),
    "no liver": lambda: errors.NoLiverError("No liver was found in this scan."),
    "series": lambda: errors.SeriesChoiceError("Choose.", ({"number": 3, "files": ["a"]},), "two series"),
    "3000 series": lambda: _choice(3000, 0.75),
    "series without a spacing": lambda: _choice(3, float("nan")),
    "bug": lambda: ZeroDivisionError("a bug"),
}
"""What the segmenter can be made to raise: running out of memory in each library's words, and others."""


def command(kind: str, plan: Optional[Dict[str, Any]] = None, *arguments: str) -> List[str]:
    """The command line of the worker or the terminal command with a :class:`FakeSegmenter`."""
    return [sys.executable, __file__, kind, json.dumps(plan or {}), *arguments]


def _noisy_worker(plan: Dict[str, Any]) -> int:
    from LiverSegLib.server.servers import Servers
    from LiverSegLib.worker import server as worker
    from LiverSegLib.worker import tasks

    def make(model: str, device: str, engine: str, tumours: Optional[str]) -> FakeSegmenter:
        print("a library prints")
        os.write(1, b'{"liverseg": 2, "type": "bye", "reason": "a library writes to descriptor 1"}\n')
        return FakeSegmenter(plan)

    if plan.get("raise_at") == "hand over":
        tasks._write_surfaces = lambda *_: (_ for _ in ()).throw(ERRORS[plan["error"]]())
    if plan.get("draw") is False:  # software rendering takes seconds
        from LiverSegLib import surfaces

        surfaces.render = lambda *_, **__: b"\x89PNG, as it were"
    if "file_limit" in plan:
        limit_file_size(plan["file_limit"])
    return worker.main(make, grace_s=plan.get("grace_s", worker.GRACE_S), servers=Servers())


def unwrapped(said: str) -> str:
    """What the command said, without its breaks between words."""
    return " ".join(said.split())


def limit_file_size(limit: int) -> None:
    """From now on writing more than ``limit`` bytes into one file fails, as on a full disk, in C libraries
    too."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def limit_file_size_softly(limit: int) -> None:
    """The same, and it can be changed again."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that another process does; fails if it does not happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def _cli(plan: Dict[str, Any], arguments: List[str]) -> int:
    from LiverSegLib import api, cli, surfaces

    api.segment = lambda source, progress=None, cancel=None, **_: FakeSegmenter(plan).segment(
        source, progress=progress, cancel=cancel
    )
    surfaces.render = lambda *_, **__: b"\x89PNG, as it were"
    if plan.get("signal_at") == "write":
        from LiverSegLib.outputs import results

        write = results._write_json
        results._write_json = lambda *a: (signal.raise_signal(plan.get("signal", signal.SIGINT)), write(*a))
    sys.argv = ["liverseg", *arguments]
    return cli.main()


if __name__ == "__main__":
    _plan = json.loads(sys.argv[2])
    sys.exit(_noisy_worker(_plan) if sys.argv[1] == "worker" else _cli(_plan, sys.argv[3:]))
