"""Small made-up data sets and recipes for tests of training."""

import json
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import phantom
import SimpleITK as sitk

STRUCTURES = ["liver", "spleen", "liver tumour"]
HU = {0: -60.0, 1: 110.0, 2: 170.0, 3: 40.0}
"""HU of what a made-up scan shows: label value -> HU."""


def scan(shape: Tuple[int, int, int], spacing: Sequence[float], seed: int) -> Tuple[sitk.Image, sitk.Image]:
    """A body with a liver, a tumor in it, and a spleen, and its label; shape is (z, y, x), spacing mm
    (x, y, z)."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    shift = rng.uniform(-0.08, 0.08, 3)
    label = np.zeros(shape, np.uint8)
    label[((z - shift[0]) / 0.7) ** 2 + ((y - shift[1]) / 0.5) ** 2 + ((x + 0.35) / 0.45) ** 2 < 1] = 1
    label[(z / 0.6) ** 2 + ((y - shift[1]) / 0.35) ** 2 + ((x - 0.55 + shift[2]) / 0.25) ** 2 < 1] = 2
    label[(z / 0.25) ** 2 + ((y - shift[1]) / 0.2) ** 2 + ((x + 0.4) / 0.2) ** 2 < 1] = 3
    hu = np.vectorize(HU.get)(label).astype(np.float32) + rng.normal(0, 12, shape).astype(np.float32)
    hu[np.abs(y) > 0.92] = -1000
    images = sitk.GetImageFromArray(np.round(hu).astype(np.int16)), sitk.GetImageFromArray(label)
    for image in images:
        image.SetSpacing([float(step) for step in spacing])
        image.SetOrigin((-31.0, 14.0, 250.0))
    return images


def data_folder(
    folder: Path, shape: Tuple[int, int, int] = (16, 32, 32), spacing: Sequence[float] = (5.0, 5.0, 8.0),
    train: int = 3, val: int = 2, annotated: Sequence[str] = STRUCTURES, first: int = 0, modality: str = "CT",
) -> Path:  # fmt: skip
    """Write a data set in the layout with dataset.json, its cases numbered from ``first`` on.

    MR is dark where CT is bright.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for index in range(first, first + train + val):
        image, label = scan(shape, spacing, index)
        if modality == "MR":
            image = sitk.Cast(120 - 0.3 * sitk.Cast(image, sitk.sitkFloat32), sitk.sitkInt16)
        sitk.WriteImage(image, str(folder / f"c{index}.nii.gz"))
        sitk.WriteImage(label, str(folder / f"c{index}_label.nii.gz"))
        cases.append({
            "id": f"c{index}", "patient": f"p{index}", "split": "train" if index < first + train else "val",
            "modality": modality,
            "image": f"c{index}.nii.gz", "label": f"c{index}_label.nii.gz", "annotated": list(annotated),
        })  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps({"cases": cases}))
    return folder


def content(folder: Path, **sections: Any) -> Dict[str, Any]:
    """The plain values of a small 3-D recipe, with sections changed."""
    base: Dict[str, Any] = {
        "name": "tiny", "structures": STRUCTURES, "seed": 1,
        "network": {"name": "ResidualUNet", "arguments": {"channels": [8, 16], "blocks": [1, 1]}},
        "data": {"folder": str(folder)},
        "preparation": {"spacing": [5.0, 5.0, 8.0],
                        "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]}},
        "patches": {"size": [16, 16, 16]},
        "augmentation": "none",
        "loss": "ce + dice",
        "training": {"steps": 6, "learning_rate": 0.003, "checkpoint_every": 3, "log_every": 1,
                     "accelerator": "cpu"},
        "validation": {"every": 0},
    }  # fmt: skip
    for section, values in sections.items():
        if isinstance(values, dict) and isinstance(base.get(section), dict):
            base[section] = {**base[section], **values}
        else:
            base[section] = values
    return base


def pack_cases(folder: Path) -> List[Dict[str, Any]]:
    """Write two made-up patients, the second without complete tumours; return their dataset.json entries."""
    cases = []
    for name, annotated in (("a", ["liver", "spleen", "liver tumour"]), ("b", ["liver"])):
        image, truth = phantom.patient((80, 60, 18), (4.0, 4.0, 10.0))
        label = sitk.GetImageFromArray(truth)
        label.CopyInformation(image)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
        sitk.WriteImage(label, str(folder / f"{name}_label.nii.gz"))
        cases.append({"id": name, "patient": name, "split": "train", "image": f"{name}.nii.gz",
                      "label": f"{name}_label.nii.gz", "annotated": annotated})  # fmt: skip
    return cases
