"""How fast and how lean: engines alone, the whole command on 110 and 600 slices, our tiles against MONAI's.

    python Testing/Benchmarks/speed.py [--only engines|process|parity|tiles|precision] [--before CHECKOUT]

Timings are noisy; compare the ratios within one run. ``--before`` runs the command of another checkout in the
same run, in turn with this one. The scans are made from the bundled sample, resampled to 512 x 512.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "Resources" / "SampleData"


def sample_path() -> Path:
    """The bundled CT."""
    return next(SAMPLE.glob("*.nii.gz"))


def enlarged(slices: int, path: Path) -> None:
    """Write the sample with 512 x 512 pixels and so many slices over the same body."""
    image = sitk.ReadImage(str(sample_path()))
    size = (512, 512, slices)
    spacing = [n * s / m for n, s, m in zip(image.GetSize(), image.GetSpacing(), size)]
    resampled = sitk.Resample(
        image,
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        image.GetOrigin(),
        spacing,
        image.GetDirection(),
        -1000,
    )
    sitk.WriteImage(sitk.Cast(resampled, sitk.sitkInt16), str(path), True)


def run_process(scan: Path, folder: Path, *more: str, root: Path = ROOT) -> Dict[str, float]:
    """Seconds, CPU seconds and peak resident memory (MB) of ``liverseg segment --no-report`` of a checkout as
    a process of its own, and the seconds of its stages.
    """
    command = [sys.executable, "-m", "LiverSegLib.cli", "segment", str(scan), "-o", str(folder)]
    command += ["--no-report", "--json", "--device", "cpu", *more]
    environment = dict(os.environ, PYTHONPATH=str(root))
    before = os.times()
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root, env=environment
    )
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    out, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"liverseg segment failed with {process.returncode}: {out.decode()[:500]}")
    seconds, after = time.monotonic() - started, os.times()
    stages = json.loads(out)["provenance"]["seconds"]["total"]
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": seconds, "cpu": cpu, "peak_mb": peak[0] / 1e6, "stages": stages}


def _watch(process: subprocess.Popen, peak: list) -> None:
    """Sample the peak resident size of the process and its children, as Linux counts it."""
    while process.poll() is None:
        total = 0.0
        for pid in [process.pid, *_children(process.pid)]:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            total += sum(
                float(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")
            )
        peak[0] = max(peak[0], total)
        time.sleep(0.05)


def _children(pid: int) -> list:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def bench_process(rounds: int = 2, before: Optional[Path] = None) -> None:
    """The whole command on 110 slices with each engine and, with the best, on 600, in turn; the best round
    counts.
    """
    from LiverSegLib.inference.devices import installed_engines

    with tempfile.TemporaryDirectory() as folder:
        print(f"\nliverseg segment --no-report, 512 x 512, a process of its own on the CPU, best of {rounds}")
        scans = {slices: Path(folder) / f"scan{slices}.nii.gz" for slices in (110, 600)}
        for slices, scan in scans.items():
            enlarged(slices, scan)
        rows: Dict[Tuple[str, int], Tuple[Path, Tuple[str, ...]]] = {
            (engine, 110): (ROOT, ("--engine", engine)) for engine in installed_engines()
        }
        rows["auto", 600] = (ROOT, ())
        if before is not None:
            rows["before", 110], rows["before", 600] = (before, ()), (before, ())
        found: Dict[Tuple[str, int], List[Dict[str, float]]] = {row: [] for row in rows}
        for _ in range(rounds):
            for (name, slices), (root, more) in rows.items():
                out = Path(folder) / f"{name}{slices}"
                found[name, slices].append(run_process(scans[slices], out, *more, root=root))
        best = {row: {key: min(run[key] for run in runs) for key in runs[0]} for row, runs in found.items()}
        for (name, slices), run in best.items():
            peak = max(each["peak_mb"] for each in found[name, slices])
            print(
                f"  {name:12} {slices} slices: {run['seconds']:5.1f} s, stages {run['stages']:.1f} s; "
                f"{run['cpu']:5.1f} CPU s; peak {peak:.0f} MB"
            )
        first = installed_engines()[0]
        ratio = best["auto", 600]["seconds"] / best[first, 110]["seconds"]
        print(f"  600 slices take {ratio:.2f} times as long as 110 (target <= 2)")
        if before is not None:
            for key in ("seconds", "cpu"):
                gain = best["before", 110][key] / best[first, 110][key]
                print(f"  before, 110 slices: {gain:.2f} times the {key} (target >= 1.5)")


ENGINE_CHILD = """
import json, resource, sys, time
start = time.monotonic()
import numpy as np
from LiverSegLib.inference.devices import choose_device
from LiverSegLib.inference.engines import load_engine
from LiverSegLib.models import load_model
device = choose_device("cpu", engine=sys.argv[1], precision="float32")
model = load_model("default")
stage = model.manifest.stage("segment")
engine = load_engine(model, stage, 0, device)
loaded = time.monotonic() - start
tiles = np.random.default_rng(0).random((1, 1, *stage.patch), np.float32) * 2 - 1
wall, cpu = [], []
for _ in range(5):
    begun, used = time.monotonic(), time.process_time()
    engine.run(tiles, lambda: None)
    wall.append(time.monotonic() - begun)
    cpu.append(time.process_time() - used)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"version": engine.version, "loaded": loaded, "first": wall[0], "tile": min(wall),
                  "cpu": min(cpu), "peak_mb": peak}))
"""


def bench_engines(rounds: int = 2) -> None:
    """The fine network alone on one tile, in a process for each engine; also held to AVX2."""
    from LiverSegLib.inference.devices import ENGINES, _cpu_facts, installed_engines

    print("\nThe fine network alone, one tile of 96 x 128 x 160, float32")
    held = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2"}
    variants: Dict[str, Dict[str, str]] = {"": {}}
    if "avx512f" in _cpu_facts():
        variants[", held to AVX2"] = held
    else:
        print("  (this processor has no AVX-512: the figures are those of AVX2)")
    for words, more in variants.items():
        for name in installed_engines():
            runs = [_engine_figures(name, more) for _ in range(rounds)]
            best = {key: min(run[key] for run in runs) for key in runs[0]}
            print(
                f"  {ENGINES[name]} {best['version']}{words}: {best['tile']:.2f} s a tile, "
                f"{best['cpu']:.2f} CPU s; import and load {best['loaded']:.2f} s, "
                f"first tile {best['first']:.2f} s; peak {best['peak_mb']:.0f} MB"
            )


def _engine_figures(name: str, more: Dict[str, str]) -> Dict[str, Any]:
    environment = dict(os.environ, PYTHONPATH=str(ROOT), **more)
    run = subprocess.run(
        [sys.executable, "-c", ENGINE_CHILD, name], stdout=subprocess.PIPE, check=True, env=environment
    )
    return json.loads(run.stdout.splitlines()[-1])


def bench_parity() -> None:
    """The sample with each engine: Dice of labels and largest difference of probabilities to PyTorch's."""
    from LiverSegLib import Segmenter
    from LiverSegLib.evaluation.overlap import dice
    from LiverSegLib.inference.devices import ENGINES, installed_engines

    print("\nThe sample with each engine, compared with PyTorch")
    found = {}
    for name in installed_engines():
        result = Segmenter("default", "cpu", engine=name, precision="float32").segment(str(sample_path()))
        found[name] = (sitk.GetArrayFromImage(result.labels), result.probability.astype(int))
    labels, probability = found["torch"]
    for name, (others, likely) in found.items():
        scores = ", ".join(
            f"{title} {dice(np.isin(labels, values), np.isin(others, values)):.6f}"
            for title, values in (("liver", (1, 3)), ("spleen", (2,)), ("tumor", (3,)))
        )
        most = np.abs(likely - probability).max() / 255
        print(f"  {ENGINES[name]}: Dice {scores}; largest difference of a probability {most:.3f}")


def bench_tiles(rounds: int = 3) -> None:
    """Our tiled inference against MONAI's SlidingWindowInferer: same network, tiles, overlap, blending."""
    import torch

    try:
        from monai.inferers import SlidingWindowInferer
    except ImportError:
        print("\nTiles: MONAI is not installed (it is in the train extra), no comparison.")
        return
    from LiverSegLib.inference.devices import choose_device
    from LiverSegLib.inference.engines.torch import TorchEngine
    from LiverSegLib.inference.tile_plan import OVERLAP, SIGMA, TilePlan
    from LiverSegLib.inference.tiles import TileRunner
    from LiverSegLib.models import load_model
    from LiverSegLib.networks import build_network

    model = load_model("default")
    stage = model.manifest.stage("segment")
    device = choose_device("cpu", engine="torch")
    torch.set_num_threads(device.threads)
    network = build_network(stage.network.name, stage.network.arguments)
    network.load_state_dict(model.state_dict("segment"))
    network = network.float()
    runner = TileRunner(lambda _: TorchEngine(network, device), [device])
    patch = tuple(stage.patch)
    shape = (168, 180, 220)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    starts = _monai_starts(shape, patch, OVERLAP)
    plan = TilePlan(starts, patch, shape)
    dtype = getattr(torch, device.precision)

    def monai_run() -> torch.Tensor:
        inferer = SlidingWindowInferer(
            patch, 1, OVERLAP, mode="gaussian", sigma_scale=SIGMA, padding_mode="constant", cval=-1.0
        )
        batch = image[None, None].contiguous(memory_format=torch.channels_last_3d)
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype is not torch.float32):
            return inferer(
                batch, lambda x: network(x.contiguous(memory_format=torch.channels_last_3d)).float()
            )[0]

    def our_run() -> torch.Tensor:
        return torch.from_numpy(runner.run(image.numpy(), plan, skip_empty=False))

    ours_s, theirs_s = [], []
    for _ in range(rounds):
        started = time.monotonic()
        ours = our_run()
        ours_s.append(time.monotonic() - started)
        started = time.monotonic()
        theirs = monai_run()
        theirs_s.append(time.monotonic() - started)
    difference = float((ours - theirs).abs().max())
    print(f"\nTiles: {len(starts)} of {patch}, image {shape}, {device.precision}, best of {rounds}")
    a, b = min(ours_s), min(theirs_s)
    print(f"  LiverSeg {a:.2f} s, MONAI {b:.2f} s: ours takes {a / b:.2f} of MONAI's time")
    print(
        f"  largest difference of the logits {difference:.2g} (largest logit {float(theirs.abs().max()):.3g})"
    )


def _monai_starts(shape: Sequence[int], patch: Sequence[int], overlap: float) -> tuple:
    """MONAI's tile positions: fixed steps, the last one pushed back to the border."""
    import itertools

    axes = []
    for n, p in zip(shape, patch):
        step = max(1, int(p * (1 - overlap)))
        axes.append(sorted({min(s, n - p) for s in range(0, n - p + step, step)}))
    return tuple(itertools.product(*axes))


def bench_precision() -> None:
    """The automatic precision against float32 on the sample: time and agreement."""
    from LiverSegLib import Segmenter
    from LiverSegLib.evaluation.overlap import dice

    print("\nPrecision on the CPU")
    masks = {}
    for precision in ("float32", "auto"):
        segmenter = Segmenter("default", "cpu", precision=precision)
        started = time.monotonic()
        result = segmenter.segment(str(sample_path()))
        seconds = time.monotonic() - started
        masks[precision] = sitk.GetArrayFromImage(result.labels)
        network = result.provenance["seconds"]["segment"]
        print(f"  {segmenter.device.precision}: {seconds:.1f} s, of it segmenting {network:.1f} s")
    for name, values in (("liver", (1, 3)), ("spleen", (2,)), ("tumour", (3,))):
        a, b = (np.isin(masks[p], values) for p in ("float32", "auto"))
        print(f"  Dice between them, {name}: {dice(a, b):.5f}")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure speed and memory.")
    benches = {
        "engines": bench_engines, "process": bench_process, "parity": bench_parity, "tiles": bench_tiles,
        "precision": bench_precision,
    }  # fmt: skip
    parser.add_argument("--only", choices=list(benches))
    parser.add_argument("--before", type=Path, help="another checkout, to be run beside this one")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} CPU cores")
    for name, bench in benches.items():
        if options.only not in (None, name):
            continue
        if name == "process":
            bench_process(options.rounds, options.before)
        else:
            bench()
    return 0


if __name__ == "__main__":
    sys.exit(main())
