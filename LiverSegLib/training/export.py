"""Make the bundled model's folder of the runs of its two stages.

    python -m LiverSegLib.training.export RUNS MODEL_FOLDER --card CARD.json [--pack PACK.npz]
        [--accuracy ACCURACY.json]

RUNS holds one run a stage (``locate``, ``segment`` and ``lesions``), trained by the recipes bundled-locate,
bundled-segment (or a further part, bundled-segment-lesions) and bundled-lesions; the averaged weights are
written as float16. With the pack they were trained from, the segmenter is calibrated first. A stage without a
run stays as the model in MODEL_FOLDER has it.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import torch

from LiverSegLib.errors import InputError
from LiverSegLib.models import Manifest, load_model, write_model
from LiverSegLib.models.manifest import MANIFEST_NAME, read_manifest
from LiverSegLib.models.rules import LESION_STAGE
from LiverSegLib.training.calibrate import calibrated
from LiverSegLib.training.export_run import as_arrays, stage_content, without_paths
from LiverSegLib.training.fit import checkpoint_step, run_weights
from LiverSegLib.training.methods.lesions import LESION_OUTPUT, lesion_arguments
from LiverSegLib.training.pack import read_pack
from LiverSegLib.training.recipe import Recipe, read_recipe
from LiverSegLib.training.run_folder import RunFolder

STAGES = ("locate", "segment", LESION_STAGE)
SIDE_TO_SIDE = 2
"""The axis (z, y, x) along which a network may be mirrored that was trained on mirrored patches."""


def bundled_stage(name: str, recipe: Recipe) -> Dict[str, Any]:
    """The manifest's entry of one stage, from the recipe of its run.

    Raises:
        InputError: the recipe is another one.
    """
    if recipe.name not in (f"bundled-{name}", f"bundled-{name}-lesions") or recipe.pack is None:
        raise InputError(f"The stage {name} needs a run of the recipe bundled-{name}, not of {recipe.name}.")
    training: Dict[str, Any] = {
        "steps": recipe.training.steps,
        "learning_rate": recipe.training.learning_rate,
    }
    if recipe.training.start is not None:
        training["start"] = without_paths(recipe.training.start.weights)
    axes = [SIDE_TO_SIDE] if recipe.pack.mirror_x > 0 else []
    tile = list(read_recipe(f"bundled-{name}").patches.size) if recipe.name.endswith("-lesions") else None
    stage = {**stage_content(recipe, 0), "name": name, "mirror_axes": axes, "training": training}
    if name == LESION_STAGE:
        stage["network"] = {"name": recipe.network.name, "arguments": lesion_arguments(recipe)}
        stage["output"] = LESION_OUTPUT
    return stage if tile is None else {**stage, "patch": tile}  # its own patches are small to train quickly


def kept_stage(name: str, folder: Path) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """The manifest's entry of a stage of a model, and its weights.

    Raises:
        ModelError: there is no such model.
    """
    model = load_model(str(folder))
    assert model.manifest is not None
    entry = model.manifest.stage(name).to_dict()
    entry.pop("graph", None)  # it is made anew of all weights
    state = {key: value for key, value in model.state_dict(name).items() if isinstance(value, torch.Tensor)}
    return entry, as_arrays(state, "float16")


def export_bundled(runs: Path, folder: Path, card: Dict[str, Any], pack: Optional[Path] = None) -> Manifest:
    """Write the model that two runs make.

    Args:
        runs: holds the runs ``locate``, ``segment`` and ``lesions``, or some of them.
        folder: where the model goes; a stage without a run is taken from the model that is there.
        card: the manifest's other entries: name, version, description, licence, training_data, accuracy ...
        pack: what it was trained from, to calibrate the segmenter on (see ``calibrate``); None leaves it as
            it is.

    Raises:
        InputError: a run is missing, damaged, of another recipe, or has diverged.
    """
    stages, weights = [], {}
    for name in STAGES:
        run = RunFolder(runs / name)
        if not run.path.exists() and name == LESION_STAGE and name not in _stages_of(folder):
            continue  # a model does without
        if not run.path.exists() and (folder / MANIFEST_NAME).is_file():
            entry, weights[name] = kept_stage(name, folder)
            stages.append(entry)
            continue
        recipe = run.read_recipe()
        stage, state = bundled_stage(name, recipe), run_weights(run)
        stage["training"]["steps"] = checkpoint_step(run.weights)
        if pack is not None and name == "segment":
            state, shift = calibrated(state, recipe, read_pack(pack, "fine"))
            stage["training"]["liver_shift"] = round(shift, 3)
        stages.append(stage)
        weights[name] = as_arrays(state, "float16")
    return write_model(folder, {"format_version": 1, **card, "stages": stages}, weights)


def _stages_of(folder: Path) -> Tuple[str, ...]:
    """Names of the stages of the model in a folder; none where there is no model."""
    if not (folder / MANIFEST_NAME).is_file():
        return ()
    return tuple(stage.name for stage in read_manifest(folder).stages)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the bundled model's folder of its runs.")
    parser.add_argument("runs", type=Path)
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
    manifest = export_bundled(options.runs, options.folder, card, options.pack)
    size = sum(path.stat().st_size for path in options.folder.iterdir())
    print(f"{manifest.name} {manifest.version}: {options.folder}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
