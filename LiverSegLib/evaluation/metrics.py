"""The metrics of an evaluation: their names, units, directions, definitions."""

from typing import Dict, NamedTuple, Tuple


class Metric(NamedTuple):
    """A number of a case and structure.

    Attributes:
        key: its name in CSV and JSON.
        name: for people.
        unit: "" for parts of one.
        decimals: worth showing.
        better: "higher", "lower", or "zero" for signed errors.
        definition: a sentence.
    """

    key: str
    name: str
    unit: str
    decimals: int
    better: str
    definition: str


METRICS: Tuple[Metric, ...] = (
    Metric("dice", "Dice", "", 3, "higher", "2|A and B| / (|A| + |B|) (Dice 1945); 0 if one mask is empty."),
    Metric("jaccard", "Jaccard", "", 3, "higher", "|A and B| / |A or B|; 0 if one mask is empty."),
    Metric("voe", "VOE", "", 3, "lower", "Volumetric overlap error, 1 - Jaccard."),
    Metric(
        "rvd_percent", "RVD", "%", 1, "zero",
        "Relative volume difference, (prediction - reference) / reference; undefined without a reference.",
    ),
    Metric(
        "assd_mm", "ASSD", "mm", 2, "lower",
        "Average symmetric surface distance: mean over the surface voxels of both masks of the distance to "
        "the "
        "other's surface (Heimann 2009, doi:10.1109/TMI.2009.2013851); undefined if one mask is empty.",
    ),
    Metric(
        "rmsd_mm", "RMSD", "mm", 2, "lower",
        "Root mean square of the same distances (Heimann 2009); undefined if one mask is empty.",
    ),
    Metric(
        "mssd_mm", "MSSD", "mm", 1, "lower",
        "Maximum of the same distances (Hausdorff distance of the surface voxels); undefined if one mask is "
        "empty.",
    ),
    Metric(
        "hd95_mm", "HD95", "mm", 1, "lower",
        "The larger of the two directed 95th percentiles of the same distances; undefined if one mask is "
        "empty.",
    ),
    Metric(
        "surface_dice", "Surface Dice", "", 3, "higher",
        "Share of both surfaces' area within the tolerance of the other surface (Nikolov 2018, "
        "arXiv:1809.04430), by MONAI with surface elements; 0 if one mask is empty.",
    ),
    Metric("volume_difference_ml", "Volume difference", "ml", 1, "zero", "Prediction minus reference."),
)  # fmt: skip
"""What is measured of each structure of a case, in the order in which it is shown."""

LESION_METRICS: Tuple[Metric, ...] = (
    Metric(
        "recall", "Lesion recall", "", 3, "higher",
        "Reference lesions that any predicted voxel touches / reference lesions.",
    ),
    Metric(
        "precision", "Lesion precision", "", 3, "higher",
        "Predicted lesions that touch a reference lesion / predicted lesions.",
    ),
    Metric("f1", "Lesion F1", "", 3, "higher", "Harmonic mean of recall and precision."),
    Metric(
        "burden_error", "Burden error", "", 4, "zero",
        "Tumor burden, lesion / (liver and lesion), of the reference minus that of the prediction.",
    ),
)  # fmt: skip
"""What is measured of the lesions of a case besides."""

BY_KEY: Dict[str, Metric] = {metric.key: metric for metric in (*METRICS, *LESION_METRICS)}

EMPTY_RULES = (
    "Where reference and prediction are both empty a case is counted as rightly empty, where only the "
    "reference is "
    "empty as a false finding; neither enters means, medians or tests. Where only the prediction is empty "
    "the "
    "structure was missed: overlaps are 0, distances are undefined and left out of their means."
)
SURFACE_RULE = (
    "A surface voxel shares a face with a voxel outside the mask; what lies beyond the image is outside. "
    "Distances "
    "run between voxel centres, in mm."
)
LESION_RULE = (
    "Lesions are components of voxels that share a face, an edge or a corner; their size is the diameter of "
    "the ball "
    "of equal volume. A reference lesion is found if its intersection over union with all predicted lesions "
    "that "
    "touch it is more than the threshold, and a predicted lesion is right by the same rule the other way "
    "round."
)
"""Definitions that hold for several metrics."""
