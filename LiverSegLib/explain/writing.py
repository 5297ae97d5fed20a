"""An explanation as files: two volumes, a picture of the key slice, a sentence that says how to read them."""

from pathlib import Path
from typing import Any, Dict, Mapping, Tuple, Union

import SimpleITK as sitk

from LiverSegLib.explain.explanation import Explanation
from LiverSegLib.labels import LABELS
from LiverSegLib.outputs import FileSet, Reservation, write_file_set, write_nifti
from LiverSegLib.outputs.file_set import Writer

EXPLANATION = FileSet(index="explain.json", content="explanation")
GRAD_CAM = "explain-gradcam.nii.gz"
GUIDED = "explain-guided.nii.gz"
PICTURE = "explain.png"
GUIDE = "explain.txt"


def write_explanation(
    folder: Union[str, Path, Reservation],
    explanation: Explanation,
    image: sitk.Image,
    name: str,
    provenance: Mapping[str, Any],
) -> Dict[str, Path]:
    """Write an explanation: all files or none; those of an earlier one are replaced.

    Args:
        folder: made if missing; may hold a result.
        explanation: of the scan.
        image: the scan, CT in HU.
        name: of the scan.
        provenance: what the index says of the input.

    Returns:
        Key -> path: "explanation" (the index), "gradcam", "guided", "picture", "guide".

    Raises:
        OutputError: the folder cannot be written to, or holds files of these names that are not ours.
    """
    from LiverSegLib.explain.picture import picture

    drawn = picture(explanation, image)
    target = explanation.target
    content = {
        "name": name,
        "explanation": {
            "structure": LABELS[target.label].key,
            "lesion": target.lesion or None,
            "point_lps_mm": list(target.point),
            "model": explanation.model,
            "layer": explanation.layer,
            "mean_probability": explanation.probability,
            "guide": str(explanation.guide),
        },
        "provenance": dict(provenance),
    }
    files: Dict[str, Tuple[str, Writer]] = {
        "gradcam": (GRAD_CAM, lambda path: write_nifti(path, explanation.grad_cam)),
        "picture": (PICTURE, drawn.save),
        "guide": (GUIDE, lambda path: _write_text(path, explanation.guide)),
    }
    gradient = explanation.guided
    if gradient is not None:
        files["guided"] = (GUIDED, lambda path: write_nifti(path, gradient))
    return write_file_set(folder, EXPLANATION, files, content)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
