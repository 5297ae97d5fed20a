"""How much the trainer costs beside the network: steps a second of both, with the same network and threads.

    python Testing/Benchmarks/training.py [--steps N] [--threads N] [--workers N] [KEY=VALUE ...]

The bare loop trains on one batch of random tensors: forward, loss, backward, optimizer, nothing else. The
trainer reads, cuts and augments made-up scans, logs and averages as the recipe says. Both take turns, and the
medians of their steps are compared. Target: the trainer needs at most 10 % longer. The recipe's network
is made narrower, so that two processors measure in some minutes; that makes the target harder.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, List, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 3
"""Steps that do not count."""
TARGET = 1.1
RECIPE = "unet3d-subvolumes"
NARROWER = "network.arguments.channels=[16, 32, 64, 128]"
"""Half as wide as the recipe says."""


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing" / "Laboratory")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--recipe", default=RECIPE)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("changes", nargs="*", help="of the recipe, as section.key=value")
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = compare(options, Path(folder))
    print(json.dumps(found) if options.json else text(found))


def compare(options: argparse.Namespace, folder: Path) -> dict:
    """Median seconds a step of both, and their ratio."""
    from made_up import data_folder

    from LiverSegLib.training.recipe import read_recipe

    data = data_folder(folder / "data", shape=(40, 96, 96), spacing=(3.0, 3.0, 5.0))
    recipe = read_recipe(options.recipe, [
        f"data.folder={data}", "data.layout=project", f"data.cache={folder / 'cache'}",
        "training.accelerator=cpu",
        f"training.workers={options.workers}", f"training.threads={options.threads}", "training.warmup=0",
        f"training.steps={options.steps}", "training.checkpoint_every=1000000", "validation.every=0",
        "validation.cases=1", *([NARROWER] if options.recipe == RECIPE else []), *options.changes,
    ])  # fmt: skip
    bare, trainer = [], []
    for number in range(options.rounds):
        bare += bare_steps(recipe, options.steps)
        print(f"round {number + 1}: bare loop {median(bare):.2f} s a step", file=sys.stderr, flush=True)
        trainer += trainer_steps(recipe, folder / f"run{number}")
        print(f"round {number + 1}: trainer {median(trainer):.2f} s a step", file=sys.stderr, flush=True)
    middle, other = median(trainer), median(bare)
    return {
        "recipe": options.recipe, "threads": options.threads, "workers": options.workers,
        "trainer_s": round(middle, 4), "bare_s": round(other, 4), "ratio": round(middle / other, 3),
        "target": TARGET,
    }  # fmt: skip


def bare_steps(recipe, steps: int) -> List[float]:
    """Seconds of each step of the network alone."""
    import torch

    from LiverSegLib.training.module import SegmentationModule, make_optimizer, rate_groups

    module = SegmentationModule(recipe).train()
    optimizer = make_optimizer(
        recipe.training, rate_groups(recipe.training, module.network.named_parameters())
    )
    batch, size = recipe.training.batch, recipe.patches.size
    image = torch.randn(batch, 1, *size)
    label = torch.randint(0, len(recipe.structures) + 1, (batch, 1, *size), dtype=torch.uint8)
    annotated = torch.ones(batch, len(recipe.structures), dtype=torch.bool)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        module.loss(module.network(image), label, annotated).backward()
        optimizer.step()

    return timed(step, steps)


def timed(step: Callable[[], None], steps: int) -> List[float]:
    """Seconds of each call after the first few."""
    found = []
    for _ in range(steps):
        started = time.perf_counter()
        step()
        found.append(time.perf_counter() - started)
    return found[WARM_UP:]


def trainer_steps(recipe, run: Path) -> List[float]:
    """Seconds of each step of the trainer after the first few."""
    from LiverSegLib.training.fit import train

    ends: List[float] = []
    train(recipe, run, report=lambda step, steps, loss: ends.append(time.perf_counter()))
    return [after - before for before, after in zip(ends, ends[1:])][WARM_UP - 1 :]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def text(found: dict) -> str:
    """The result for people."""
    kept = "within" if found["ratio"] <= TARGET else "beyond"
    return (
        f"{found['recipe']}, {found['threads']} threads, {found['workers']} workers: "
        f"trainer {found['trainer_s']:.3f} s, bare loop {found['bare_s']:.3f} s a step, "
        f"ratio {found['ratio']:.3f}: {kept} the target of {TARGET}"
    )


if __name__ == "__main__":
    main()
