"""How fast and how lean other people's models run: ours against nnU-Net's own predictor, from file to file.

    python Testing/Benchmarks/models.py [--slices 110 600] [--classes 4 118] [--real] [--mirror] [--ours-only]

Each run is a process of its own; its peak memory is what Linux counts as resident. Same weights, same scan,
same number of threads, in turn. nnU-Net runs by its sequential predictor, the one with the least memory. The
scans are made from the bundled sample, resampled to 512 x 512. Networks are trained for a few steps.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Core"), str(Path(__file__).parent)]

ENGINES = ("torch", "openvino")
STEPS = 12
"""Steps of training: scores that are sure in most places, as a trained network's are."""


def recipe(classes: int, real: bool) -> Any:
    """A small 3d_fullres plan, so that nnU-Net needs minutes, not hours: 1.9 million weights; with 4 classes
    tiles of 48 x 96 x 96 at 2.5 x 2 x 2 mm (z, y, x); with more, as TotalSegmentator's fast networks have
    them, 64 x 64 x 64 at 3 mm. The real one is as large as TotalSegmentator's networks for 1.5 mm: 31 million
    weights, tiles of 128 x 128 x 128."""
    from nnunet_original import LABELS, Recipe

    if classes == len(LABELS):
        sizes: Dict[str, Any] = {"spacing": (2.5, 2.0, 2.0), "patch": (48, 96, 96)}
    else:
        labels = {**LABELS, **{f"structure {value}": value for value in range(len(LABELS), classes)}}
        sizes = {"spacing": (3.0, 3.0, 3.0), "patch": (64, 64, 64), "labels": labels}
    features = (16, 32, 64, 128, 128)
    if real:
        sizes.update(spacing=(1.5, 1.5, 1.5), patch=(128, 128, 128))
        features = (32, 64, 128, 256, 320, 320)
    return Recipe(**sizes, features=features, steps=STEPS)


def child(arguments: Sequence[str]) -> None:
    """One run: who, the model's folder, scan, result, "mirror" or "", engine."""
    who, folder, scan, out, mirror, engine = arguments
    if who == "theirs":
        import torch
        from nnunet_original import nnUNetPredictor

        predictor = nnUNetPredictor(use_mirroring=bool(mirror), device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(folder, None, "checkpoint_final.pth")
        predictor.predict_from_files_sequential([[scan]], [out[: -len(".nii.gz")]])
    else:
        _ours(folder, scan, out, bool(mirror), engine)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(json.dumps({"gb": float(peak.split()[1]) * 1024 / 1e9}))


def _ours(folder: str, scan: str, out: str, mirror: bool, engine: str) -> None:
    import SimpleITK as sitk

    from LiverSegLib.images.grid import Grid
    from LiverSegLib.inference.devices import choose_devices
    from LiverSegLib.inference.foreign.find import find_structures
    from LiverSegLib.inference.foreign.load import load_foreign
    from LiverSegLib.models import load_model

    networks = load_foreign(load_model(Path(folder)), choose_devices("cpu", engine=engine))
    image = sitk.ReadImage(scan)
    found = find_structures(networks, image, lambda share: None, mirror=mirror)
    sitk.WriteImage(Grid.of(image).image(found.structures.labels), out, True)


def run(
    who: str, folder: Path, scan: Path, out: Path, mirror: bool, engine: str
) -> Optional[Dict[str, float]]:
    """Seconds from start to end of a process, those of the processor, and its peak resident memory (GB); None
    if it died.
    """
    command = [sys.executable, __file__, "--child", who, str(folder), str(scan), str(out)]
    command += ["mirror" if mirror else "", engine]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        print(f"    {who} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        return None
    figures: Dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor": processor, "gb": figures["gb"]}


def agreement(one: Path, other: Path) -> float:
    """The smallest Dice of a label that at least 100 voxels have."""
    import numpy as np
    import SimpleITK as sitk

    a, b = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in (one, other))
    values = [value for value in np.unique(a) if np.count_nonzero(a == value) >= 100]
    return min(
        2 * np.count_nonzero((a == v) & (b == v)) / (np.count_nonzero(a == v) + np.count_nonzero(b == v))
        for v in values
    )


def bench(folder: Path, classes: int, options: argparse.Namespace) -> None:
    """Train a model, add it, and run it on all scans both ways."""
    from nnunet_original import trained_model
    from speed import enlarged, sample_path

    os.environ["LIVERSEG_MODELS"] = str(folder / "store")
    from LiverSegLib.inference.engines.export import export_model
    from LiverSegLib.models.adding import Options, opened_model

    plan = recipe(classes, options.real)
    (theirs,) = trained_model([plan], sample_path(), folder)
    with opened_model(theirs, Options(name="bench")) as candidate:
        model = candidate.add()
    if "openvino" in options.engines:
        export_model(model)
    print(f"\n{classes} classes, {plan.patch} at {plan.spacing} mm (z, y, x)")
    print("  slices mirrored who        seconds  ratio   CPU s  ratio   peak GB  share  least Dice")
    for slices in options.slices:
        scan = folder / f"scan{slices}.nii.gz"
        enlarged(slices, scan)
        for mirror in (False, True) if options.mirror else (False,):
            _row(theirs, model.path, scan, slices, mirror, options)


def _row(
    theirs: Path, ours: Path, scan: Path, slices: int, mirror: bool, options: argparse.Namespace
) -> None:
    """Print what both need for one scan."""
    head = f"  {slices:6d} {'yes' if mirror else 'no':8s}"
    reference = scan.parent / "theirs.nii.gz"
    base = None if options.ours_only else run("theirs", theirs, scan, reference, mirror, "")
    if base is not None:
        print(_line(head, "nnU-Net", base, None), flush=True)
    for engine in options.engines:
        out = scan.parent / f"{engine}.nii.gz"
        found = run("ours", ours, scan, out, mirror, engine)
        if found is not None:
            same = "" if base is None else f"  {agreement(reference, out):.6f}"
            print(_line(head, engine, found, base) + same, flush=True)


def _line(head: str, who: str, found: Dict[str, float], base: Optional[Dict[str, float]]) -> str:
    """A row of the table; ratios are of nnU-Net's figures to ours, the share of memory is ours of its."""
    words = [f"{head} {who:9s}"]
    for key in ("seconds", "processor"):
        ratio = " " * 7 if base is None else f"{base[key] / found[key]:5.2f} x"
        words.append(f"{found[key]:8.1f} {ratio}")
    share = "" if base is None else f"{found['gb'] / base['gb']:7.2f}"
    return " ".join(words) + f" {found['gb']:8.2f} {share}"


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Ours against nnU-Net's predictor: time and memory.")
    parser.add_argument("--slices", type=int, nargs="+", default=[110, 600])
    parser.add_argument("--classes", type=int, nargs="+", default=[4, 118])
    parser.add_argument("--real", action="store_true", help="a plan as large as those of real models")
    parser.add_argument("--mirror", action="store_true", help="also with mirrored tiles")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--ours-only", action="store_true", help="nnU-Net would run out of memory")
    parser.add_argument("--child", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options.child)
        return 0
    print(f"{os.cpu_count()} CPU cores")
    for classes in options.classes:
        with tempfile.TemporaryDirectory() as folder:
            bench(Path(folder), classes, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
