"""Painted cases: label maps of training cases, deformed, with slices that a trained painter makes of them."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from LiverSegLib.errors import InputError, write_failure
from LiverSegLib.training.augmentation.build import build_augmentation
from LiverSegLib.training.augmentation.options import AugmentationOptions, nothing_varies
from LiverSegLib.training.case import Case
from LiverSegLib.training.data import read_cases, split_cases, whole_case
from LiverSegLib.training.data.centres import cut
from LiverSegLib.training.data.prepare import outside_value
from LiverSegLib.training.fit import run_weights, saved_step
from LiverSegLib.training.methods.cgan import Painter, cgan_parts, make_painter, painter_options
from LiverSegLib.training.recipe import Recipe
from LiverSegLib.training.run_folder import RunFolder

DEFORMATION: Dict[str, Any] = {
    "rotation": {"probability": 1.0, "range": [-8.0, 8.0]},
    "scaling": {"probability": 1.0, "range": [0.88, 1.14]},
    "elastic": {"probability": 1.0, "range": [4.0, 14.0], "cell_mm": 50.0},
}
"""How label maps of training cases are made new: as ``augmentation`` of a recipe, for whole cases."""
AIR_HU = -1000
AIR_SHARE = 0.05
"""Written where the painter shows values in the lowest share of its window, below which it sees nothing."""

Done = Callable[[int, int], None]
"""Called after each case with how many are done, and how many there will be."""


@dataclass(frozen=True)
class Painted:
    """A painted case.

    Attributes:
        hu: int16 (z, y, x).
        label: uint8 (z, y, x), the label map that was painted.
        spacing: mm (x, y, z).
        source: the training case whose label map was deformed.
    """

    hu: np.ndarray
    label: np.ndarray
    spacing: Tuple[float, float, float]
    source: Case


def write_painted(
    run: RunFolder, folder: Path, count: int, *, seed: int = 0, done: Optional[Done] = None
) -> List[str]:
    """Paint cases and write them as a data set with a ``dataset.json``.

    All of them are of the split "train", and each belongs to the patient whose label map was deformed. The
    file says that they are made.

    Args:
        run: of a recipe of the method "cgan".
        folder: for the data set; must not exist.
        count: how many cases.
        seed: of all chance: deformation, noise, which case comes when.
        done: told of each case.

    Returns:
        The ids of the cases.

    Raises:
        InputError: the run paints nothing or has no checkpoint, its data cannot be read, the folder exists.
        OutputError: the folder cannot be written.
    """
    recipe = run.read_recipe()
    painter_options(recipe)
    if folder.exists():
        raise InputError(f"{folder} exists already; please choose a new folder for the painted cases.")
    painter = load_painter(run, recipe)
    cases = cgan_parts(recipe, split_cases(read_cases(recipe.data).cases, recipe.data.split, run.split)).train
    partial = folder.with_name(f".liverseg-new-{folder.name}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        entries = []
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            painted = painted_case(painter, recipe, cases[number % len(cases)], rng)
            entries.append(_write_case(partial, f"painted-{number:03d}", painted, recipe))
            if done is not None:
                done(number + 1, count)
        content = _dataset(run, recipe, seed, entries)
        (partial / "dataset.json").write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        os.replace(partial, folder)
    except OSError as error:
        raise write_failure(error, folder.parent) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [str(entry["id"]) for entry in entries]


def load_painter(run: RunFolder, recipe: Recipe) -> Painter:
    """The painter that a run has trained so far.

    Raises:
        InputError: there is no checkpoint.
    """
    network = make_painter(recipe)
    network.load_state_dict(run_weights(run))
    return Painter(recipe, network.eval())


def painted_case(painter: Painter, recipe: Recipe, case: Case, rng: np.random.Generator) -> Painted:
    """A case's label map deformed, and painted slice by slice.

    Args:
        painter: with trained weights.
        recipe: what it was trained by.
        case: annotated in all of the recipe's structures.
        rng: the source of all chance.

    Raises:
        InputError: the case cannot be read, or is not stored in the order of axes LPS.
    """
    if recipe.preparation.orientation != "LPS":
        raise InputError("Painting needs preparation.orientation: LPS.")
    sample = _deformed(recipe, case, rng)
    image, label = sample["image"], sample["label"]
    torch.manual_seed(int(rng.integers(2**31)))
    noise: Optional[Tensor] = None
    planes = []
    with torch.no_grad():
        for place in range(image.shape[1]):
            condition = painter.condition(image[:, place][None], label[:, place][None])
            noise = painter.noise(condition) if noise is None else noise  # one for all slices of a case
            planes.append(painter.paint(condition, noise)[0, 0])
    hu = painter.hu.to_hu(torch.stack(planes)).round().numpy()
    if painter.hu.low is not None and painter.hu.high is not None:
        hu[hu <= painter.hu.low + AIR_SHARE * (painter.hu.high - painter.hu.low)] = AIR_HU
    x, y, z = (float(step) for step in sample["spacing"])
    return Painted(hu.astype(np.int16), label[0].numpy(), (x, y, z), case)


def _deformed(recipe: Recipe, case: Case, rng: np.random.Generator) -> Dict[str, Any]:
    """The whole prepared case, deformed."""
    sample = whole_case(case, recipe.structures, recipe.preparation)
    image, label = sample["image"].numpy(), sample["label"].numpy()
    shape = image.shape[1:]
    x, y, z = (float(step) for step in sample["spacing"])
    options = AugmentationOptions.model_validate({**nothing_varies(), **DEFORMATION})
    deform = build_augmentation(options, 3, recipe.structures, shape, spacing=(x, y, z))
    box = deform.enlarged(shape)
    first = [-((large - small) // 2) for large, small in zip(box, shape)]
    outside = [outside_value(recipe.preparation, channel) for channel in image]
    larger = {
        **sample,
        "image": torch.from_numpy(cut(image, first, box, outside)),
        "label": torch.from_numpy(cut(label, first, box, [0])),
    }
    return deform(larger, rng)


def _write_case(folder: Path, name: str, painted: Painted, recipe: Recipe) -> Mapping[str, Any]:
    """Write image and label; returns the case's entry in ``dataset.json``."""
    files = {"image": f"{name}.nii.gz", "label": f"{name}_label.nii.gz"}
    for file, array in ((files["image"], painted.hu), (files["label"], painted.label)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(painted.spacing)
        sitk.WriteImage(image, str(folder / file), useCompression=True)
    return {
        "id": name,
        "patient": painted.source.patient,
        "split": "train",
        "modality": "CT",
        **files,
        "annotated": list(recipe.structures),
        "made": True,
        "label_map_of": painted.source.id,
        "data_set_of_label_map": painted.source.dataset,
    }


def _dataset(run: RunFolder, recipe: Recipe, seed: int, entries: List[Mapping[str, Any]]) -> Dict[str, Any]:
    labels = {"0": "background", **{str(k): name for k, name in enumerate(recipe.structures, start=1)}}
    return {
        "name": f"painted by {recipe.name}",
        "description": "Made images: a network painted them from deformed label maps of training cases. No "
        "patient was scanned like this. For training alone, never for judging.",
        "labels": labels,
        "made": {
            "command": "liverseg paint",
            "recipe": recipe.model_dump(mode="json"),
            "steps": saved_step(run),
            "seed": seed,
            "deformation": DEFORMATION,
        },
        "cases": entries,
    }
