"""How fast and how lean other people's models run: ours against nnU-Net's own predictor, from file to file.

    python Testing/Benchmarks/models.py [--slices 110 600] [--classes 4 118] [--mirror] [--ours-only]

Each run is a process of its own; its peak memory is what Linux counts as resident. Same weights, same scan,
same number of threads, in turn. nnU-Net runs by its sequential predictor, the one with the least memory. The
scans are made from the bundled sample, resampled to 512 x 512. Networks are trained for a few steps.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Core"), str(Path(__file__).parent)]

ENGINES = ("torch", "openvino")
STEPS = 20
"""Steps of training: scores that are sure in most places, as a trained network's are."""


def recipe(classes: int) -> Any:
    """A moderately sized 3d_fullres plan: with 4 classes 3.7 million weights and tiles of 64 x 128 x 128 at
    2.5 x 1.5 x 1.5 mm; with more, as TotalSegmentator's fast networks have them, 64 x 96 x 96 at 3 mm."""
    from nnunet_original import LABELS, Recipe

    if classes == len(LABELS):
        sizes: Dict[str, Any] = {"spacing": (2.5, 1.5, 1.5), "patch": (64, 128, 128)}
        return Recipe(**sizes, features=(24, 48, 96, 160, 160), steps=STEPS)
    labels = {**LABELS, **{f"structure {value}": value for value in range(len(LABELS), classes)}}
    small: Dict[str, Any] = {"spacing": (3.0, 3.0, 3.0), "patch": (64, 96, 96), "labels": labels}
    return Recipe(**small, features=(24, 48, 96, 160, 160), steps=STEPS)


def child(arguments: Sequence[str]) -> None:
    """One run: who, the model's folder, scan, result, "mirror" or "", engine."""
    who, folder, scan, out, mirror, engine = arguments
    started = time.monotonic()
    if who == "theirs":
        import torch
        from nnunet_original import nnUNetPredictor

        predictor = nnUNetPredictor(use_mirroring=bool(mirror), device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(folder, None, "checkpoint_final.pth")
        predictor.predict_from_files_sequential([[scan]], [out[: -len(".nii.gz")]])
    else:
        _ours(folder, scan, out, bool(mirror), engine)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    figures = {"seconds": time.monotonic() - started, "gb": float(peak.split()[1]) * 1024 / 1e9}
    print(json.dumps(figures))


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
    """Seconds from start to end of a process, and its peak resident memory (GB); None if it died."""
    command = [sys.executable, __file__, "--child", who, str(folder), str(scan), str(out)]
    command += ["mirror" if mirror else "", engine]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    seconds = time.monotonic() - started
    if done.returncode:
        print(f"    {who} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        return None
    figures: Dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return {"seconds": seconds, "gb": figures["gb"]}


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

    (theirs,) = trained_model([replace(recipe(classes))], sample_path(), folder)
    with opened_model(theirs, Options(name="bench")) as candidate:
        model = candidate.add()
    if "openvino" in options.engines:
        export_model(model)
    print(f"\n{classes} classes, {recipe(classes).patch} at {recipe(classes).spacing} mm (z, y, x)")
    print("  slices mirrored  who       seconds  ratio   peak GB  ratio   least Dice")
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
        print(f"{head} nnU-Net   {base['seconds']:7.1f}          {base['gb']:7.2f}", flush=True)
    for engine in options.engines:
        out = scan.parent / f"{engine}.nii.gz"
        found = run("ours", ours, scan, out, mirror, engine)
        if found is None:
            continue
        words = [f"{head} {engine:9s} {found['seconds']:7.1f}"]
        if base is None:
            words.append(f"         {found['gb']:7.2f}")
        else:
            words.append(f" {base['seconds'] / found['seconds']:5.2f} x {found['gb']:7.2f}")
            words.append(f" {found['gb'] / base['gb']:5.2f}    {agreement(reference, out):.6f}")
        print("".join(words), flush=True)


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Ours against nnU-Net's predictor: time and memory.")
    parser.add_argument("--slices", type=int, nargs="+", default=[110, 600])
    parser.add_argument("--classes", type=int, nargs="+", default=[4, 118])
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
