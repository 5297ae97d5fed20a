"""A model whose lesions stay as its networks draw them, for what is fitted on drawn lesions."""

import json
import shutil
from pathlib import Path
from typing import Sequence

from LiverSegLib.models import load_model

SHAPING = ("lesion_growth", "lesion_opening")
"""What a manifest says of changing the shape of lesions."""


def as_drawn(model: str, folder: Path, without: Sequence[str] = SHAPING) -> Path:
    """Copy a model into a folder, without what its manifest says of lesions' shape; return the folder."""
    source = load_model(model).path
    content = json.loads((source / "model.json").read_text(encoding="utf-8"))
    for key in without:
        content.pop(key, None)
    content["name"] = "as-drawn"
    (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
    for path in source.iterdir():
        if path.name != "model.json":
            shutil.copyfile(path, folder / path.name)
    return folder
