"""A model of another program whose networks are made up: its description on the disk, and what it finds.

``write_model_of`` makes the folder; ``install`` replaces loading and finding by doubles.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib import loaded_model
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import write_model
from LiverSegLib.structures import Structure, Structures

Find = Callable[[sitk.Image], np.ndarray]
"""From a scan to a mask of a model's own values, (z, y, x)."""

OWN = {"liver": LIVER, "spleen": SPLEEN, "liver_tumor": TUMOUR}


def table_of(keys: Sequence[str]) -> Tuple[Structure, ...]:
    """Structures 1, 2, ... of these keys; segments of the liver are parts of it."""
    table = []
    for value, key in enumerate(keys, 1):
        label = LIVER if key.startswith("liver_segment") else OWN.get(key, BACKGROUND)
        colour = (value * 37 % 256, value * 59 % 256, value * 83 % 256)
        table.append(Structure(value, key, key.replace("_", " ").capitalize(), colour, label))
    return tuple(table)


def write_model_of(folder: Path, keys: Sequence[str], preparation: Any = None, **more: Any) -> Path:
    """A model of nnU-Net's pipeline with these classes."""
    table = table_of(keys)
    stage = {
        "name": "segment",
        "network": {"name": "None", "arguments": {}},
        "spacing": [2, 2, 2],
        "patch": [32, 32, 32],
        "mirror_axes": [0],
        "intensity": {"scheme": "ct-percentile", "clip": [-100, 300], "mean": 50, "std": 30},
        "output": {
            "activation": "softmax",
            "channels": {"0": "background", **{str(item.value): item.key for item in table}},
            "labels": {item.key: item.label for item in table if item.label},
        },
        "preparation": preparation or {},
    }
    manifest = {
        "format_version": 2, "name": folder.name, "version": "2.1", "description": "a double",
        "licence": "CC-BY 4.0", "pipeline": "nnunet", "stages": [stage], **more,
    }  # fmt: skip
    write_model(folder, manifest, {"segment": {"nothing": np.zeros(1, np.float32)}})
    return folder


class Doubles:
    """Doubles of the networks of foreign models, by name of the model.

    Attributes:
        finds: name of a model -> what it finds.
        loaded: names of the models in the order in which they were loaded.
        asked: (name of a model, size of the image, mirror) of each search.
        organs: name of a model -> the organs that it was told of.
    """

    def __init__(self, finds: Dict[str, Find]) -> None:
        self.finds = finds
        self.loaded: List[str] = []
        self.asked: List[Tuple[str, Tuple[int, ...], bool]] = []
        self.organs: Dict[str, Any] = {}

    def load(self, model: Any, devices: Any) -> Any:
        """In place of ``load_foreign``."""
        self.loaded.append(model.name)
        engine = SimpleNamespace(device=devices[0], version="0")
        return SimpleNamespace(
            name=model.name,
            table=table_of(model.manifest.stages[-1].output.channels[1:]),
            runners=[SimpleNamespace(engine=engine)],
            fallbacks=[],
        )

    def find(
        self, networks: Any, image: sitk.Image, tick: Any, check: Any, *, mirror: bool, organs: Any
    ) -> Any:
        """In place of ``find_structures``."""
        check()
        tick(0.5)
        self.asked.append((networks.name, image.GetSize(), mirror))
        self.organs[networks.name] = organs
        labels = self.finds[networks.name](image)
        probability = np.where(labels > 0, 180, 250).astype(np.uint8)
        note = f"Found by {networks.name}."
        return SimpleNamespace(
            structures=Structures(labels, networks.table), probability=probability, notes=(note,)
        )


def install(monkeypatch: pytest.MonkeyPatch, finds: Dict[str, Find]) -> Doubles:
    """Let foreign models be doubles."""
    doubles = Doubles(finds)
    monkeypatch.setattr(loaded_model, "load_foreign", doubles.load)
    monkeypatch.setattr(loaded_model, "find_structures", doubles.find)
    return doubles
