"""Every network of the laboratory on the same scans for the same steps: Dice, seconds a step, seconds a scan.

    python Testing/Benchmarks/networks.py DATA OUT [--steps N] [--networks NAME ...] [--threads N] [--json]

DATA is a folder with dataset.json. The liver is learnt on its training patients, at 3 mm, with the same
patches in the same order, loss, optimizer and learning rate for all, in 2D or 3D as the network's paper has
it; then the validation patients are segmented as the product segments. The networks are narrower than their
papers' (``NARROW``), so that a laptop runs all of them in hours. So few steps tell how soon a network learns,
not how good it gets in the end. A run that is done is not done again; one that was stopped goes on.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[2]
DENSE = {"growth": 12, "stem": 24, "layers": [3, 4, 4]}
FIVE = [16, 32, 64, 96, 128]
NARROW: Dict[str, Dict[str, Any]] = {
    "ResidualUNet": {"channels": [16, 32, 64, 96]},
    "BlockUNet": {"channels": [16, 32, 64, 96]},
    "UNet3D": {"channels": [16, 32, 64]},
    "UNet": {"channels": FIVE},
    "AttentionUNet": {"channels": [16, 32, 64, 96]},
    "VNetMONAI": {},
    "UNetPlusPlus": {"channels": FIVE},
    "DynUNet": {"channels": [16, 32, 64, 96]},
    "SegResNet": {"width": 16, "blocks_down": [1, 2, 2], "blocks_up": [1, 1]},
    "UNETR": {"image_size": [32, 64, 64], "width": 8, "hidden_size": 96, "heads": 4},
    "SwinUNETR": {"width": 12, "depths": [1, 1, 1, 1], "window": 4},
    "ModifiedUNet": {"features": [16, 32, 64, 96]},
    "VNet": {
        "features": [8, 16, 32, 64],
        "encoder_convolutions": [1, 2, 2, 2],
        "decoder_convolutions": [2, 2, 1],
        "convolution_kernel": 3,
    },
    "DenseUNet167": {**DENSE, "layers": [3, 6, 12]},
    "DenseUNet65": DENSE,
    "HybridDenseUNet": {
        **{f"{name}_2d": value for name, value in DENSE.items()},
        "growth_3d": 8, "stem_3d": 16, "layers_3d": [2, 2, 2],
    },
    "R2UNet": {"features": [16, 32, 64]},
    "ConvLSTMUNet": {"features": [8, 16, 32]},
    "KiUNet": {"features": [8, 16]},
    "NestedUNet": {"features": [16, 32, 64, 96]},
    "Slices25D": {"network": {"name": "UNet", "arguments": {"channels": FIVE}}},
    "Cascade": {
        "coarse": {"name": "BlockUNet", "arguments": {"channels": [8, 16, 32]}},
        "fine": {"name": "DynUNet", "arguments": {"channels": [16, 32, 64]}},
    },
}  # fmt: skip
"""Network -> arguments, in place of its paper's widths."""
RATES = {"UNETR": 0.5, "SwinUNETR": 0.5, "VNetMONAI": 0.5}
"""Share of the learning rate for networks that do not learn at the full one."""
PATCHES: Dict[int, Tuple[int, ...]] = {2: (96, 128), 3: (32, 64, 64)}
BATCHES = {2: 8, 3: 1}
"""Patches a step: about as many voxels in 2D as in 3D."""
SPACING: Dict[int, List[Optional[float]]] = {2: [3.0, 3.0, None], 3: [3.0, 3.0, 3.0]}

Row = Dict[str, Any]


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    sys.path.insert(0, str(ROOT))
    from LiverSegLib.networks.laboratory import LABORATORY

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", type=int, default=4, help="validation scans")
    parser.add_argument("--networks", nargs="+", default=list(LABORATORY), choices=list(LABORATORY))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = []
    for name in options.networks:
        rows.append(measure(name, LABORATORY[name].dimensions[0], options))
        if not options.json:
            print(line(rows[-1]) if len(rows) > 1 else heading(options) + "\n" + line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps({"steps": options.steps, "rows": rows}, indent=1))


def recipe_of(name: str, dimensions: int, options: argparse.Namespace) -> Any:
    """The recipe that all networks share, with one of them."""
    from LiverSegLib.training.recipe import Recipe

    return Recipe.model_validate({
        "name": f"bench-{name}", "description": "Liver on CT at 3 mm", "seed": 0, "structures": ["liver"],
        "network": {"name": name, "arguments": NARROW[name]},
        "data": {"folder": str(options.data), "layout": "project", "cache": str(options.out / "cache")},
        "preparation": {
            "spacing": SPACING[dimensions],
            "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]},
        },
        "patches": {"size": list(PATCHES[dimensions])},
        "loss": "ce + dice",
        "training": {
            "steps": options.steps, "batch": BATCHES[dimensions], "optimizer": "adam", "schedule": "cosine",
            "learning_rate": 2e-3 * RATES.get(name, 1.0), "warmup": 10, "gradient_limit": 5.0,
            "threads": options.threads, "accelerator": "cpu", "checkpoint_every": 20, "log_every": 20,
            "precision": "bf16-mixed",
        },
        "validation": {"every": 0, "cases": options.cases, "overlap": 0.25, "pictures": 0},
    })  # fmt: skip


def measure(name: str, dimensions: int, options: argparse.Namespace) -> Row:
    """Train and validate one network, unless that was done; its row of the table."""
    done = options.out / f"{name}-{options.steps}.json"
    if done.exists():
        row: Row = json.loads(done.read_text(encoding="utf-8"))
        return row
    from LiverSegLib.errors import LiverSegError
    from LiverSegLib.networks import build_network
    from LiverSegLib.training.fit import train

    recipe = recipe_of(name, dimensions, options)
    ends: List[float] = []
    row = {"network": name, "dimensions": dimensions}
    try:
        network = build_network(name, {**NARROW[name], "dimensions": dimensions, "out_channels": 2})
        row["weights"] = sum(weight.numel() for weight in network.parameters())
        folder = options.out / f"{name}-{options.steps}"
        outcome = train(recipe, folder, report=lambda *_: ends.append(time.monotonic()))
    except LiverSegError as error:
        return {**row, "failed": str(error)}
    found = {case.id: case.dice["liver"] for case in outcome.validation if case.dice["liver"] is not None}
    row["dice"] = sum(found.values()) / len(found)
    row["cases"] = found
    row["seconds_step"] = step_seconds(ends)
    row["seconds_scan"] = (time.monotonic() - ends[-1]) / len(found) if ends else None
    if outcome.step == options.steps:
        done.write_text(json.dumps(row), encoding="utf-8")
    return row


def step_seconds(ends: Sequence[float]) -> Optional[float]:
    """Median seconds between the ends of steps; None if there were no two."""
    between = sorted(after - before for before, after in zip(ends, ends[1:]))
    return between[len(between) // 2] if between else None


def heading(options: argparse.Namespace) -> str:
    """What the table is of."""
    from LiverSegLib.training.precision import computes_in_bfloat16

    kind = "bfloat16" if computes_in_bfloat16() else "float32"
    return (
        f"Liver at 3 mm, {options.steps} steps each in {kind}, {options.threads} threads, "
        f"{options.cases} validation scans (all by their patients)\n"
        f"{'Network':<17}{'':<4}{'Weights':>9}{'Dice':>8}{'worst':>8}{'s/step':>8}{'s/scan':>8}"
    )


def line(row: Mapping[str, Any]) -> str:
    """A row in words."""
    begin = f"{row['network']:<17}{row['dimensions']}D  "
    if "failed" in row:
        return begin + row["failed"]
    numbers = ["-" if row[key] is None else f"{row[key]:.2f}" for key in ("seconds_step", "seconds_scan")]
    worst = min(row["cases"].values())
    return f"{begin}{row['weights'] / 1e6:>8.2f}M{row['dice']:>8.3f}{worst:>8.3f}" + "".join(
        f"{number:>8}" for number in numbers
    )


if __name__ == "__main__":
    main()
