"""Train one stage of a model from a pack; stops and resumes at any time, repeats from its seed.

    python -m LiverSegLib.training.train segment PACK.npz FOLDER [--steps N] [--patients a,b,c]

Needs only torch and numpy. Writes FOLDER/checkpoint.pt (atomically, every few hundred steps) and
FOLDER/log.jsonl.
"""

import argparse
import copy
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
import torch

from LiverSegLib.errors import ModelError
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.models import load_model
from LiverSegLib.networks import build_network
from LiverSegLib.training.losses.partial import partial_loss
from LiverSegLib.training.pack import PackedCase, read_pack
from LiverSegLib.training.patches import label_positions, sample_patch
from LiverSegLib.training.recipes import RECIPES, Recipe

CHECKPOINT_EVERY = 250
LOG_EVERY = 50
GRADIENT_LIMIT = 1.0


class Trainer:
    """A network, its optimiser and averaged weights, one step at a time."""

    def __init__(
        self, recipe: Recipe, cases: Sequence[PackedCase], *, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.recipe, self.seed, self.device, self.step = recipe, seed, device, 0
        torch.manual_seed(seed)
        network = build_network(recipe.network, recipe.arguments)
        self.network = network.to(device, memory_format=torch.channels_last_3d)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        merge = recipe.arguments["out_channels"] <= TUMOUR
        self.cases = [_without_tumours(case) if merge else case for case in cases]
        self.positions = [label_positions(case, np.random.default_rng(seed)) for case in self.cases]
        self.weights = case_weights(self.cases)

    def learning_rate(self) -> float:
        """Warm up, stay, then fall linearly to zero over the last part (so that a run can be prolonged)."""
        recipe = self.recipe
        warm = min(1.0, (self.step + 1) / max(1, recipe.warmup))
        left = (recipe.steps - self.step) / max(1.0, recipe.decay * recipe.steps)
        return recipe.learning_rate * min(warm, max(0.0, min(1.0, left)))

    def train_step(self) -> float:
        """Draw a patch, learn from it; returns the loss."""
        rng = np.random.default_rng((self.seed, self.step))
        index = rng.choice(len(self.cases), p=self.weights)
        case = self.cases[index]
        image, label = sample_patch(
            case, self.positions[index], patch=self.recipe.patch, spacing=self.recipe.spacing, rng=rng,
            augmentation=self.recipe.augmentation,
        )  # fmt: skip
        image = image.to(self.device, memory_format=torch.channels_last_3d)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            logits = self.network(image)
        loss = partial_loss(logits, label.to(self.device), case.annotated)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_LIMIT)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def _update_average(self) -> None:
        keep = min(self.recipe.average, self.step / (self.step + 10))
        with torch.no_grad():
            old, new = list(self.average.parameters()), list(self.network.parameters())
            torch._foreach_lerp_(old, new, 1 - keep)

    def save(self, path: Path) -> None:
        """Write everything needed to go on to ``path``, atomically."""
        state = {
            "step": self.step, "seed": self.seed, "recipe": asdict(self.recipe),
            "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        os.replace(partial, path)

    def start_from(self, weights: Mapping[str, Any]) -> None:
        """Begin with the weights of a trained network of the same architecture.

        Raises:
            ModelError: they do not fit.
        """
        try:
            self.network.load_state_dict(weights)
        except RuntimeError as error:
            raise ModelError(
                "The weights to start from do not fit this stage's network.", str(error)
            ) from error
        self.average.load_state_dict(self.network.state_dict())

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.seed = state["step"], state["seed"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def _without_tumours(case: PackedCase) -> PackedCase:
    """The case with its tumours labelled liver, for networks that do not tell them apart."""
    return replace(case, label=np.where(case.label == TUMOUR, np.uint8(LIVER), case.label))


def case_weights(cases: Sequence[PackedCase]) -> np.ndarray:
    """Chance of each case: patients by the square root of their series, three times for complete tumours."""
    series = {case.patient: sum(other.patient == case.patient for other in cases) for case in cases}
    weights = np.array([(3.0 if TUMOUR in c.annotated else 1.0) / series[c.patient] ** 0.5 for c in cases])
    return weights / weights.sum()


def train(
    recipe: Recipe,
    cases: List[PackedCase],
    folder: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    stop_after_s: Optional[float] = None,
    start: Optional[Mapping[str, Any]] = None,
) -> Trainer:
    """Train to the recipe's last step, resuming from ``folder``/checkpoint.pt if it is there.

    Args:
        recipe: what to train.
        cases: the training scans.
        folder: for checkpoint and log; made if missing.
        seed: of initialisation and all augmentation.
        device: torch device.
        stop_after_s: stop early after so many seconds, with a checkpoint.
        start: a state dict to begin with instead of random weights; a checkpoint in ``folder`` goes first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    trainer = Trainer(recipe, cases, seed=seed, device=device)
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif start is not None:
        trainer.start_from(start)
    started, losses = time.monotonic(), []
    while trainer.step < recipe.steps:
        losses.append(trainer.train_step())
        late = stop_after_s is not None and time.monotonic() - started > stop_after_s
        if trainer.step % LOG_EVERY == 0:
            _log(folder, trainer, losses, time.monotonic() - started)
            losses = []
        if trainer.step % CHECKPOINT_EVERY == 0 or trainer.step == recipe.steps or late:
            trainer.save(checkpoint)
        if late:
            break
    return trainer


def _log(folder: Path, trainer: Trainer, losses: Sequence[float], seconds: float) -> None:
    record: Dict[str, Any] = {
        "step": trainer.step, "loss": round(float(np.mean(losses)), 4),
        "learning_rate": round(trainer.learning_rate(), 6), "seconds": round(seconds, 1),
    }  # fmt: skip
    with open(folder / "log.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps(record) + "\n")
    print(record, flush=True)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train one stage of a LiverSeg model.")
    parser.add_argument("stage", choices=sorted(RECIPES))
    parser.add_argument("pack", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--decay", type=float)
    parser.add_argument("--patients", help="comma-separated; all if not given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--start", help="a model (name or folder) whose weights to begin with")
    parser.add_argument("--minutes", type=float, help="stop (resumable) after so long")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = RECIPES[options.stage]
    changes = {key: getattr(options, key) for key in ("steps", "decay") if getattr(options, key) is not None}
    patients = options.patients.split(",") if options.patients else None
    cases = read_pack(options.pack, recipe.version, patients)
    limit = options.minutes * 60 if options.minutes else None
    start = load_model(options.start).state_dict(options.stage) if options.start else None
    train(
        replace(recipe, **changes),
        cases,
        options.folder,
        seed=options.seed,
        device=options.device,
        stop_after_s=limit,
        start=start,
    )


if __name__ == "__main__":
    main()
