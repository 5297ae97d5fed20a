"""How accurate nnU-Net found its own network to be: the summary of the cases held back from its training."""

from typing import Any, Dict, List, Mapping, Optional

from LiverSegLib.errors import ModelError
from LiverSegLib.models.fields import is_number, read_json
from LiverSegLib.models.files import MAX_TEXT_BYTES, read_within
from LiverSegLib.models.importers.nnunet import Part
from LiverSegLib.models.manifest import Accuracy

SUMMARY = "summary.json"


def measured(part: Part) -> Optional[Accuracy]:
    """Mean Dice of each structure over the folds that are used; None where nnU-Net left no summary of one.

    A summary that cannot be read counts as none: nothing depends on it.
    """
    keys = _keys(part.dataset)
    found: Dict[str, List[float]] = {name: [] for name in keys}
    folds = [place.partition("/")[0] for place in part.checkpoints]
    for fold in folds:
        means = _means(part, fold)
        if means is None:
            return None
        for name, key in keys.items():
            entry = means.get(key)
            dice: Any = entry.get("Dice") if isinstance(entry, dict) else None
            if is_number(dice):
                found[name].append(float(dice))
    table = tuple(
        {"Structure": name, "Dice": round(sum(values) / len(values), 4)}
        for name, values in found.items()
        if values
    )
    where = ", ".join(fold.replace("fold_", "fold ") for fold in folds)
    return Accuracy(f"the cases held back from its training, by nnU-Net ({where})", table) if table else None


def _means(part: Part, fold: str) -> Optional[Mapping[str, Any]]:
    """Metrics by label of a fold's validation; an absent metric is NaN there, which JSON does not have."""
    path = part.trained.folder / fold / "validation" / SUMMARY
    if not path.is_file():
        return None
    try:
        values = read_json(read_within(path, MAX_TEXT_BYTES).replace(b"NaN", b"null"))
    except ModelError:
        return None
    means = values.get("mean") if isinstance(values, dict) else None
    return means if isinstance(means, dict) else None


def _keys(dataset: Mapping[str, Any]) -> Dict[str, str]:
    """Structure -> what nnU-Net calls it in the summary: its value, or the values of a region."""
    return {
        name: str(tuple(value)) if isinstance(value, list) else str(value)
        for name, value in dataset["labels"].items()
        if name not in ("background", "ignore")
    }
