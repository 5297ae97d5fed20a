"""A training run as a model's folder, which the product's own inference runs; its card is filled from the
run.
"""

import importlib.metadata
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import numpy as np
import torch

from LiverSegLib.errors import InputError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import Manifest, write_model
from LiverSegLib.models.rules import LABORATORY, LIVERSEG
from LiverSegLib.training.fit import checkpoint_step, run_weights
from LiverSegLib.training.methods.registry import method_of
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.validation import pipeline_of

OWN_LABELS = {"liver": LIVER, "spleen": SPLEEN, "liver tumour": TUMOUR}
"""Structures that have a label of LiverSeg's own; others keep the value that the recipe gives them."""
VERSIONS = ("torch", "monai", "lightning", "numpy")
"""Packages whose versions the card names."""
KEPT_SPACING = {(False, False, False): "no", (False, False, True): "z", (True, True, True): "all"}
"""Axes (x, y, z) along which the recipe keeps the scan's spacing -> what a manifest calls it."""


def export_models(run: RunFolder, folder: Path) -> Dict[Path, Manifest]:
    """Write the models that a run has trained so far: one, or one for each modality in a folder of its name.

    Args:
        run: its folder.
        folder: where the model goes, or the models' folders.

    Returns:
        Folder -> what was written there.

    Raises:
        InputError, OutputError: as ``export_run``.
    """
    names = [part.modality for part in method_of(run.read_recipe()).models(run.read_recipe())]
    return {folder / name: export_run(run, folder / name, name) for name in names}


def export_run(run: RunFolder, folder: Path, modality: str = "") -> Manifest:
    """Write the model that a run has trained so far: the weights of its best validation, else its last ones.

    Args:
        run: its folder.
        folder: where the model goes; an older model there is replaced.
        modality: which of the run's models, where its method makes one for each modality.

    Raises:
        InputError: the run has no checkpoint yet, its network does not segment, or its recipe asks for what a
            model cannot say.
        OutputError: the folder cannot be written.
    """
    whole = run.read_recipe()
    method = method_of(whole)
    if not method.segments:
        raise InputError(
            f"{run.path} was trained by the method {whole.method.name}, whose network does not segment scans "
            f"by itself: there is no model to export. {method.instead}"
        )
    parts = {part.modality: part for part in method.models(whole)}
    if modality not in parts:
        raise InputError(f"The run makes a model for each of {', '.join(parts)}; please say which.")
    recipe = parts[modality].recipe
    if recipe.network_arguments()["in_channels"] != 1:
        raise InputError("A network that takes several channels cannot be exported: scans have one.")
    weights = as_arrays(parts[modality].weights(run_weights(run)), recipe.export.weights)
    as_trained = without_paths(whole.model_dump(mode="json", exclude={"export"}))
    content = {**card(run, recipe, modality), "recipe": as_trained}
    content = {**content, "stages": [stage_content(recipe, checkpoint_step(run.weights))]}
    return write_model(folder, content, {"segment": weights})


def as_arrays(weights: Mapping[str, torch.Tensor], kind: str) -> Dict[str, np.ndarray]:
    """Weights as numpy arrays, floating ones as ``kind``.

    Raises:
        InputError: a weight is not finite, or does not fit into float16.
    """
    arrays: Dict[str, np.ndarray] = {}
    for name, value in weights.items():
        array = value.detach().cpu().float().numpy() if value.is_floating_point() else value.cpu().numpy()
        if value.is_floating_point():
            if not np.isfinite(array).all():
                raise InputError(f"The weights {name} are not finite: the run has diverged.")
            with np.errstate(over="ignore"):
                array = array.astype(kind)
            if not np.isfinite(array).all():
                raise InputError(f"The weights {name} are too large for {kind}: set export.weights=float32.")
        arrays[name] = array
    return arrays


def stage_content(recipe: Recipe, steps: int) -> Dict[str, Any]:
    """The manifest's entry of the network, as plain values.

    Raises:
        InputError: the recipe keeps the scan's spacing along axes for which a manifest has no word.
    """
    first = 0 if recipe.activation == "softmax" else 1
    channels = (["background"] if first == 0 else []) + list(recipe.structures)
    output: Dict[str, Any] = {
        "activation": recipe.activation,
        "channels": {str(index): name for index, name in enumerate(channels)},
        "labels": {name: OWN_LABELS[name] for name in recipe.structures if name in OWN_LABELS},
    }
    if recipe.pack is None:
        output["values"] = list(range(first, len(recipe.structures) + 1))
    return {
        "name": "segment",
        "network": {"name": recipe.network.name, "arguments": recipe.network_arguments()},
        "patch": list(recipe.patches.size),
        "intensity": recipe.intensity.to_dict(),
        "output": output,
        "training": {"recipe": recipe.name, "steps": steps, "learning_rate": recipe.training.learning_rate},
        **_space(recipe),
    }


def _space(recipe: Recipe) -> Dict[str, Any]:
    """Spacing, orientation and preparation of the stage."""
    if recipe.pack is not None:
        return {"spacing": [recipe.pack.spacing] * 3, "orientation": "LPS"}
    how = recipe.preparation
    wanted = how.spacing or (None, None, None)
    x, y, z = (step is None for step in wanted)
    kept = KEPT_SPACING.get((x, y, z))
    if kept is None:
        raise InputError("A model can keep the scan's spacing along z alone or along all axes.")
    validation = recipe.validation
    own = pipeline_of(recipe) == LABORATORY
    return {
        "spacing": [1.0 if step is None else step for step in wanted],
        "orientation": how.orientation,
        "preparation": {
            "crop": "nonzero" if how.crop == "nonzero" else "none",
            "image_order": 1 if own else 3,
            "keep_spacing": kept,
            "tile_step": round(1 - validation.overlap, 6),
            "blend": validation.blend,
        },
    }


def card(run: RunFolder, recipe: Recipe, modality: str = "") -> Dict[str, Any]:
    """The manifest's entries beside the stages."""
    options = recipe.export
    own = recipe.pack is not None
    content: Dict[str, Any] = {
        "format_version": 1 if own else 2,
        "name": (options.name or recipe.name) + (f"-{modality.lower()}" if modality else ""),
        "version": options.version,
        "description": options.description or recipe.description or f"Trained by the recipe {recipe.name}.",
        "licence": options.licence,
        "citation": options.citation,
        "intended_use": options.intended_use
        or "Research and teaching. Not a medical device; every mask and number needs a radiologist's eye.",
        "limitations": options.limitations or "Validated on no other data than the accuracy table names.",
        "modality": options.modality,
        "pipeline": LIVERSEG if own else pipeline_of(recipe),
        "training_data": training_data(run, recipe),
        "made_with": {name: importlib.metadata.version(name) for name in VERSIONS},
    }
    accuracy = accuracy_table(run, recipe, modality)
    return content if accuracy is None else {**content, "accuracy": accuracy}


def without_paths(value: Any) -> Any:
    """Plain values with absolute paths cut to their last part: a model goes to others, and where its data lay
    on somebody's computer is nobody's business."""
    if isinstance(value, dict):
        return {key: without_paths(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_paths(each) for each in value]
    return os.path.basename(value) if isinstance(value, str) and os.path.isabs(value) else value


def training_data(run: RunFolder, recipe: Recipe) -> List[Dict[str, Any]]:
    """The data sets that the run was trained on, with the cases counted and what the recipe says of them."""
    facts = run.read_json(run.facts) or {}
    described = {entry.name: entry for entry in recipe.export.training_data}
    rows = []
    for name, cases in facts.get("datasets", {}).items():
        entry = described.get(name)
        if entry is None and len(facts["datasets"]) == 1 and len(described) == 1:
            entry = next(iter(described.values()))  # one data set, whatever its folder is called
        licence, citation = (entry.licence, entry.citation) if entry else ("unknown", "none given")
        label = entry.name if entry else name
        rows.append({"name": label, "cases": cases, "licence": licence, "citation": citation})
    return rows


def accuracy_table(run: RunFolder, recipe: Recipe, modality: str = "") -> Optional[Dict[str, Any]]:
    """Dice of each validation case (of a modality) and their means; None where the run has not validated."""
    best = run.read_json(run.validation)
    if best is None:
        return None
    names = recipe.structures
    of_it = (run.read_json(run.facts) or {}).get("modalities", {})
    cases = [row for row in best["cases"] if not modality or of_it.get(row["id"]) == modality]
    rows: List[Dict[str, Any]] = [
        {"case": row["id"], **{f"Dice, {name}": _rounded(row.get(name)) for name in names}} for row in cases
    ]
    means: Dict[str, Any] = {"case": "mean"}
    for name in names:
        known = [row[name] for row in cases if row.get(name) is not None]
        means[f"Dice, {name}"] = _rounded(float(np.mean(known))) if known else None
    post = ", ".join(recipe.validation.largest_component)
    kept = f", of {post} the largest connected part alone" if post else ""
    where = f"the run's {len(rows)} validation cases, on the network's grid, step {best['step']}{kept}"
    return {"dataset": where, "table": [*rows, means]}


def _rounded(value: Optional[float]) -> Optional[float]:
    return None if value is None else round(value, 4)
