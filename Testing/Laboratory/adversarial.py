"""Small recipes of the adversarial methods, and made-up data for them."""

import json
from pathlib import Path
from typing import Any, Dict

from made_up import content, data_folder

from LiverSegLib.training.recipe import Recipe, check_recipe

DISCRIMINATOR = {"channels": 4, "layers": 2}
PLANAR: Dict[str, Any] = {
    "structures": ["liver", "liver tumour"],
    "network": {"name": "BlockUNet", "arguments": {"channels": [4, 8]}},
    "patches": {"size": [24, 32]},
    "preparation": {
        "spacing": None,
        "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]},
    },
}
METHODS: Dict[str, Dict[str, Any]] = {
    "gan": {"weight": 0.1, "unlabelled": 0.1},
    "cgan": {"noise": 2},
    "cyclegan": {
        "generator": {"name": "BlockUNet", "arguments": {"channels": [4, 8]}},
        "source_preparation": PLANAR["preparation"],
        "identity": 0.5,
    },
}
"""Name -> section ``method`` beside name and discriminator."""


def mixed_data(folder: Path) -> Path:
    """Scans: CT c0 to c2 to train with, MR c3 and c4 to validate, c5 and c6 to train with, c6 unlabelled."""
    data_folder(folder, train=3, val=4)
    file = folder / "dataset.json"
    data = json.loads(file.read_text())
    for index, case in enumerate(data["cases"]):
        case["modality"] = "CT" if index < 3 else "MR"
        if index >= 5:
            case["split"] = "train"
    data["cases"][6].update(label=None, annotated=[], split="unlabelled")
    file.write_text(json.dumps(data))
    return folder


def recipe_of(folder: Path, method: str, options: Any = None, **sections: Any) -> Recipe:
    """A small recipe of a method for slices.

    Args:
        folder: of :func:`mixed_data`.
        method: its name; "supervised" too.
        options: more of the section ``method``.
        sections: of the recipe; a mapping is added to what there is.
    """
    chosen: Dict[str, Any] = {"name": method, **METHODS.get(method, {}), **(options or {})}
    if method in METHODS:
        chosen.setdefault("discriminator", DISCRIMINATOR)
    changed = {**PLANAR, "method": chosen}
    for name, values in sections.items():
        before = changed.get(name)
        both = isinstance(before, dict) and isinstance(values, dict)
        changed[name] = {**changed[name], **values} if both else values
    return check_recipe(content(folder, **changed))
