"""Data sets for training: their layouts, the split by patient, preparation, patches.

``read_cases`` lists the cases of a recipe's data sets, ``split_cases`` divides them by patient, ``SampleSet``
gives patches of them and ``whole_case`` prepares one for validation.
"""

from LiverSegLib.training.data.options import (
    DataOptions,
    IntensityOptions,
    PatchOptions,
    PreparationOptions,
    SourceOptions,
    SplitOptions,
)
from LiverSegLib.training.data.samples import Sample, SampleSet, whole_case
from LiverSegLib.training.data.split import Split, split_cases
from LiverSegLib.training.data.table import CaseTable, read_cases

__all__ = [
    "CaseTable",
    "DataOptions",
    "IntensityOptions",
    "PatchOptions",
    "PreparationOptions",
    "Sample",
    "SampleSet",
    "SourceOptions",
    "Split",
    "SplitOptions",
    "read_cases",
    "split_cases",
    "whole_case",
]
