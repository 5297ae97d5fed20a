"""How fast and how lean: the whole command on scans of 110 and 600 slices, and our tiles against MONAI's.

    python Testing/Benchmarks/speed.py [--only process|tiles|precision]

Timings are noisy; compare the ratios within one run. The scans are made from the bundled sample, resampled
to 512 x 512.
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
from typing import Dict, Optional, Sequence

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


def run_process(scan: Path, folder: Path) -> Dict[str, float]:
    """Seconds and peak resident memory (GB) of ``liverseg segment --no-report`` as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "LiverSegLib.cli",
        "segment",
        str(scan),
        "-o",
        str(folder),
        "--no-report",
        "--json",
        "--device",
        "cpu",
    ]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    out, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"liverseg segment failed with {process.returncode}: {out.decode()[:500]}")
    json.loads(out)
    return {"seconds": round(time.monotonic() - started, 1), "peak_gb": round(peak[0] / 1e9, 2)}


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


def bench_process(rounds: int = 2) -> None:
    """The whole command on 110 and on 600 slices, in turn; the best round counts."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"\nliverseg segment --no-report, a process of its own on the CPU, best of {rounds}")
        scans = {slices: Path(folder) / f"scan{slices}.nii.gz" for slices in (110, 600)}
        for slices, scan in scans.items():
            enlarged(slices, scan)
        found = [
            {slices: run_process(scan, Path(folder) / f"out{slices}") for slices, scan in scans.items()}
            for _ in range(rounds)
        ]
        times = {slices: min(figures[slices]["seconds"] for figures in found) for slices in scans}
        for slices, limit, limit_gb in ((110, "25.0 s", 3.0), (600, f"2 x {times[110]} s", 4.0)):
            peak = max(figures[slices]["peak_gb"] for figures in found)
            seconds = f"{times[slices]} s (target <= {limit})"
            print(f"  512 x 512 x {slices}: {seconds}, peak {peak} GB (<= {limit_gb})")
        print(f"  600 slices against 110: {times[600] / times[110]:.2f} x")


def bench_tiles(rounds: int = 3) -> None:
    """Our tiled inference against MONAI's SlidingWindowInferer: same network, tiles, overlap, blending."""
    import torch

    try:
        from monai.inferers import SlidingWindowInferer
    except ImportError:
        print("\nTiles: MONAI is not installed (it is in the train extra), no comparison.")
        return
    from LiverSegLib.inference.devices import choose_device
    from LiverSegLib.inference.tiles import OVERLAP, SIGMA, TilePlan, TileRunner
    from LiverSegLib.models import load_model
    from LiverSegLib.networks import build_network

    model = load_model("default")
    stage = model.manifest.stage("segment")
    device = choose_device("cpu")
    torch.set_num_threads(device.threads)
    network = build_network(stage.network.name, stage.network.arguments)
    network.load_state_dict(model.state_dict("segment"))
    network = network.float()
    runner = TileRunner(network, device)
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
        return runner.run(image, plan, skip_empty=False)

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
    from metrics import dice

    from LiverSegLib import Segmenter

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
    parser.add_argument("--only", choices=("process", "tiles", "precision"))
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} CPU cores")
    for name, bench in (("process", bench_process), ("tiles", bench_tiles), ("precision", bench_precision)):
        if options.only in (None, name):
            bench()
    return 0


if __name__ == "__main__":
    sys.exit(main())
