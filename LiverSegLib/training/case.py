"""One case of a data set, before anything is read of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple


@dataclass(frozen=True)
class Case:
    """An image, and its label if it has one.

    Attributes:
        id: unique in the data set.
        patient: who; cases of one patient never stand on both sides of a split.
        images: a file or a folder for each channel of the image, on one grid.
        label: a file or a folder; None for an image without labels.
        annotated: names of the structures that are complete in ``label``; others may be in the image
            without a label.
        values: pairs of a value in ``label`` and the name of its structure.
        modality: "CT", "MR" or "other".
        dataset: the data set's name.
        split: "train", "val", "test" or "unlabelled", where the data set says so; else None.
    """

    id: str
    patient: str
    images: Tuple[Path, ...]
    label: Optional[Path]
    annotated: Tuple[str, ...]
    values: Tuple[Tuple[int, str], ...]
    modality: str
    dataset: str
    split: Optional[str] = None
