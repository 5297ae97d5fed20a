"""Make one stage of a model of the weighted mean of the weights that several models have for it.

    python -m LiverSegLib.training.mean_weights FOLDER STAGE MODEL=SHARE MODEL=SHARE [...]

The networks must be of one kind, and have begun with the same weights or one with another's: only then does
their mean segment (Wortsman et al. 2022, "Model soups", arXiv:2203.05482). FOLDER holds a model and may be
one of those in the mean; its other stages and its card stay as they are. Weights are written as float16.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import InputError
from LiverSegLib.models import Manifest, write_model
from LiverSegLib.models.manifest import MANIFEST_NAME, read_manifest
from LiverSegLib.training.export import kept_stage


def mean_of(states: Sequence[Mapping[str, np.ndarray]], shares: Sequence[float]) -> Dict[str, np.ndarray]:
    """The weighted mean of networks' weights, computed in float32, each array in the type it had.

    Args:
        states: name -> array, a mapping for each network.
        shares: one for each, which together are 1.

    Raises:
        InputError: the shares are not positive or not 1 together, or the networks differ in their arrays.
    """
    if len(states) != len(shares) or len(states) < 2:
        raise InputError("A mean takes two models or more, each with its share.")
    if min(shares) <= 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise InputError(f"The shares must be above 0 and 1 together, not {' + '.join(map(str, shares))}.")
    shapes = [{name: array.shape for name, array in state.items()} for state in states]
    if any(other != shapes[0] for other in shapes[1:]):
        raise InputError("These models have networks of different kinds, of which there is no mean.")
    return {
        name: np.sum(
            [share * state[name].astype(np.float32) for share, state in zip(shares, states)], axis=0
        ).astype(first.dtype)
        for name, first in states[0].items()
    }


def write_mean(folder: Path, stage: str, models: Sequence[Path], shares: Sequence[float]) -> Manifest:
    """Put the mean of several models' weights into a model's folder.

    Args:
        folder: of the model whose stage changes.
        stage: its name, "segment" for example.
        models: folders of the models in the mean.
        shares: one for each, which together are 1.

    Returns:
        What was written; ``training`` of the stage says of what the mean was taken.

    Raises:
        InputError: the folder holds no model, the shares are not 1 together, or the networks differ.
        ModelError: a model cannot be read, or has no such stage.
    """
    if not (folder / MANIFEST_NAME).is_file():
        raise InputError(f"There is no model in {folder}.")
    found = [kept_stage(stage, model) for model in models]
    mean = mean_of([arrays for _, arrays in found], shares)
    parts = [{"share": share, **entry.get("training", {})} for share, (entry, _) in zip(shares, found)]
    card = json.loads(read_manifest(folder).to_json())
    stages, weights = [], {}
    for name in [kept["name"] for kept in card["stages"]]:
        entry, arrays = kept_stage(name, folder)
        changes = name == stage
        stages.append({**entry, "training": {"mean_of": parts}} if changes else entry)
        weights[name] = mean if changes else arrays
    return write_model(folder, {**card, "stages": stages}, weights)


def _model_and_share(text: str) -> Tuple[Path, float]:
    """``MODEL=SHARE`` in two."""
    model, _, share = text.rpartition("=")
    try:
        return Path(model), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not MODEL=SHARE, models/first=0.5 for example") from None


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("stage")
    parser.add_argument("models", nargs="+", type=_model_and_share, metavar="MODEL=SHARE")
    options = parser.parse_args(arguments)
    models, shares = zip(*options.models)
    manifest = write_mean(options.folder, options.stage, models, shares)
    print(f"{manifest.name} {manifest.version}: {options.folder}, mean of {len(models)} models")


if __name__ == "__main__":
    main()
