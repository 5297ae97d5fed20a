"""A model whose lesions stay as its networks draw them, for what is fitted on them; where the fit goes."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any, Sequence

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


def model_file(text: str) -> Path:
    """The argument ``--write``: a model.json, which must be there before the work begins."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no {path}")
    return path


def write_rule(path: Path, name: str, rule: Any) -> None:
    """Put what was fitted into a model.json."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content[name] = rule
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
