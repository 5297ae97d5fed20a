"""Make a model's folder from the checkpoints of its stages.

    python -m LiverSegLib.training.export TRAINING_FOLDER MODEL_FOLDER --card CARD.json [--pack PACK.npz]
        [--accuracy ACCURACY.json]

TRAINING_FOLDER holds one folder a stage (``locate``, ``segment``) with its checkpoint.pt; the averaged
weights are written as float16. With the pack it was trained from, the segmenter is calibrated first.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np
import torch

from LiverSegLib.errors import InputError
from LiverSegLib.models import Manifest, write_model
from LiverSegLib.training.calibrate import calibrated
from LiverSegLib.training.pack import WINDOW, read_pack

CHANNELS = {
    "segment": (
        ["background", "liver", "spleen", "liver tumour"],
        {"liver": 1, "spleen": 2, "liver tumour": 3},
    ),
    "locate": (["background", "liver", "spleen"], {"liver": 1, "spleen": 2}),
}
"""Stage -> names of the network's channels, and the label of each."""


def stage_manifest(name: str, recipe: Dict[str, Any]) -> Dict[str, Any]:
    """The manifest's entry of one stage, from the recipe stored in its checkpoint."""
    channels, labels = CHANNELS[name]
    return {
        "name": name,
        "network": {"name": recipe["network"], "arguments": recipe["arguments"]},
        "spacing": [recipe["spacing"]] * 3,
        "patch": list(recipe["patch"]),
        "intensity": {"scheme": "window", "window": list(WINDOW), "scale": [-1.0, 1.0]},
        "orientation": "LPS",
        "output": {
            "activation": "softmax",
            "channels": {str(i): channel for i, channel in enumerate(channels)},
            "labels": labels,
        },
        "mirror_axes": [2] if recipe["augmentation"]["mirror_x"] > 0 else [],
        "training": {"steps": recipe["steps"], "learning_rate": recipe["learning_rate"]},
    }


def export_model(training: Path, folder: Path, card: Dict[str, Any], pack: Optional[Path] = None) -> Manifest:
    """Write the model that ``training``'s checkpoints make.

    Args:
        training: holds ``locate/checkpoint.pt`` and ``segment/checkpoint.pt``.
        folder: where the model goes.
        card: the manifest's other entries: name, version, description, licence, training_data, accuracy ...
        pack: what it was trained from, to calibrate the segmenter on (see ``calibrate``); None leaves it as
            it is.

    Raises:
        InputError: a checkpoint is missing or not of this trainer.
    """
    stages, weights = [], {}
    for name in ("locate", "segment"):
        path = training / name / "checkpoint.pt"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            stages.append(stage_manifest(name, state["recipe"]))
            average = state["average"]
            if pack is not None and name == "segment":
                average, shift = calibrated(average, state["recipe"], read_pack(pack, "fine"))
                stages[-1]["training"]["liver_shift"] = round(shift, 3)
            weights[name] = {key: value.half().numpy() for key, value in average.items()}
        except (OSError, KeyError, RuntimeError) as error:
            raise InputError(f"{path} is missing or no checkpoint of this trainer.", str(error)) from error
        if not all(np.isfinite(value).all() for value in weights[name].values()):
            raise InputError(f"{path} holds weights that do not fit into float16.")
    return write_model(folder, {"format_version": 1, **card, "stages": stages}, weights)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make a model folder from checkpoints.")
    parser.add_argument("training", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--card", type=Path, required=True, help="JSON with the manifest's other entries")
    parser.add_argument(
        "--accuracy", type=Path, help="JSON as printed by Testing/Benchmarks/accuracy.py --json"
    )
    parser.add_argument("--pack", type=Path, help="the pack it was trained from: calibrates the segmenter")
    options = parser.parse_args(arguments)
    card = json.loads(options.card.read_text(encoding="utf-8"))
    if options.accuracy:
        card["accuracy"] = json.loads(options.accuracy.read_text(encoding="utf-8"))["accuracy"]
    manifest = export_model(options.training, options.folder, card, options.pack)
    size = sum(path.stat().st_size for path in options.folder.iterdir())
    print(f"{manifest.name} {manifest.version}: {options.folder}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
