"""Scans for the cohort's benchmark, made from real ones: as many as wanted, as large as a hospital's."""

import json
from pathlib import Path
from typing import List, Optional, Tuple

import SimpleITK as sitk

from LiverSegLib.evaluation.case_files import names_labels
from LiverSegLib.images.files import VOLUMES

SLICES_MM = (2.5, 1.5, 3.0, 5.0)
"""Distance of the slices, in turn: from a thin series to a thick one."""
ORIENTATIONS = ("LPS", "RAS", "LPI", "RPS")
"""How the voxels are stored, in turn; the patient lies as before."""
LARGEST_CROP = 8
"""Voxels that are cut off at each side of a slice at most."""
MOST_SLICES = 300


def source_scans(root: Path, data: Optional[Path]) -> List[Path]:
    """The scans to derive from: those that the data set's dataset.json names, or all volumes of the folder
    whose names do not say that they hold labels; without a folder the sample of this checkout."""
    if data is None:
        return sorted((root / "Resources" / "SampleData").glob("*.nii.gz"))[:1]
    if (data / "dataset.json").is_file():
        cases = json.loads((data / "dataset.json").read_text(encoding="utf-8")).get("cases", [])
        named = [data / case["image"] for case in cases if isinstance(case.get("image"), str)]
        return [path for path in named if path.is_file()]
    volumes = (path for path in sorted(data.iterdir()) if path.name.lower().endswith(VOLUMES))
    return [path for path in volumes if not names_labels(path.name)]


def make_scans(folder: Path, sources: List[Path], count: int, matrix: int) -> List[Path]:
    """Write so many scans, spread over the sources.

    Args:
        folder: where to.
        sources: real scans.
        count: how many.
        matrix: voxels of a slice's side, 512 as a scanner makes them; 0: as many as the source has.
    """
    made: List[Path] = []
    writer = sitk.ImageFileWriter()
    writer.SetCompressionLevel(1)
    writer.UseCompressionOn()
    for number in range(count):
        image = derived(sitk.ReadImage(str(sources[number * len(sources) // count])), number, matrix)
        made.append(folder / f"scan{number:03d}.nii.gz")
        writer.SetFileName(str(made[-1]))
        writer.Execute(image)
    return made


def derived(image: sitk.Image, number: int, matrix: int) -> sitk.Image:
    """A scan cut off a little at its sides, moved, resampled and stored another way round, by its number."""
    edge = number % (LARGEST_CROP + 1)
    cut = sitk.Crop(image, (edge, edge, 0), (edge // 2, edge // 2, 0))
    cut.SetOrigin([place + 10.0 * number for place in cut.GetOrigin()])
    if matrix:
        cut = _resampled(cut, matrix, SLICES_MM[number % len(SLICES_MM)])
    return sitk.DICOMOrient(cut, ORIENTATIONS[number % len(ORIENTATIONS)])


def _resampled(image: sitk.Image, matrix: int, slices_mm: float) -> sitk.Image:
    extent = [count * step for count, step in zip(image.GetSize(), image.GetSpacing())]
    slices_mm = max(slices_mm, extent[2] / MOST_SLICES)
    size: Tuple[int, int, int] = (
        matrix,
        max(1, round(extent[1] / extent[0] * matrix)),
        max(1, int(extent[2] / slices_mm)),
    )
    spacing = (extent[0] / size[0], extent[1] / size[1], slices_mm)
    place = (image.GetOrigin(), spacing, image.GetDirection())
    return sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, *place, -1000)
