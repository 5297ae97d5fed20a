"""A data set as one compact .npz file that needs only numpy to read, small enough to carry to a bare GPU
machine.

Images become 8-bit grey levels over -160..240 HU, the window that the public LiTS slices were clipped to, so
clipped and full-range scans look alike; 3.2 HU a level, well under the noise. Orientation is z up, y back, x
left. Two versions: ``fine`` on the scan's own slices, cut to the organs plus a margin, and ``coarse``, the
whole scan at 6 mm.

    python -m LiverSegLib.training.pack DATA_FOLDER PACK.npz [--soft FOLDER]

With ``--soft``, what other networks say of tumors goes into the pack too, for the method ``keeping``.
"""

import argparse
import json
import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import InputError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR

# SimpleITK makes packs; whoever only reads one, as training does, may lack it.
if TYPE_CHECKING:
    import SimpleITK as sitk

WINDOW = (-160.0, 240.0)
"""HU at grey levels 0 and LEVELS."""
LEVELS = 125
MARGIN_MM = (65.0, 26.0, 26.0)
"""How far around the organs the fine version reaches (z, y, x): up to the heart, which is not liver."""
FINE_IN_PLANE_MM = 1.5
COARSE_SPACING_MM = 6.0
STRUCTURES = {"liver": LIVER, "spleen": SPLEEN, "liver tumour": TUMOUR}


@dataclass(frozen=True)
class PackedCase:
    """One scan of a pack.

    ``image`` and ``label`` are uint8 (z, y, x); ``spacing`` is mm (x, y, z); ``annotated`` are the label
    values that are complete in this scan. A voxel labelled TUMOUR where TUMOUR is not in ``annotated`` is a
    tumour, but other tumours may be unlabelled. ``soft`` is uint8 (z, y, x), 255 times the probability of a
    tumour that other networks give; None where none was asked.
    """

    id: str
    patient: str
    spacing: Tuple[float, float, float]
    annotated: Tuple[int, ...]
    image: np.ndarray
    label: np.ndarray
    soft: Optional[np.ndarray] = None


def to_levels(hu: np.ndarray) -> np.ndarray:
    """HU (any shape) -> uint8 grey levels 0..LEVELS over WINDOW."""
    low, high = WINDOW
    return np.round((np.clip(hu, low, high) - low) * (LEVELS / (high - low))).astype(np.uint8)


def _resample(image: "sitk.Image", spacing: Sequence[float], *, label: bool = False) -> "sitk.Image":
    """Resample to ``spacing`` mm (x, y, z), images with Gaussian anti-aliasing where they get coarser."""
    import SimpleITK as sitk

    size = [max(1, int(round(n * s / t))) for n, s, t in zip(image.GetSize(), image.GetSpacing(), spacing)]
    if not label:
        sigma = [max(0.01, 0.4 * t) if t > 1.2 * s else 0.0 for s, t in zip(image.GetSpacing(), spacing)]
        image = sitk.Cast(image, sitk.sitkFloat32)
        for axis, value in enumerate(sigma):
            if value > 0 and image.GetSize()[axis] > 4:
                image = sitk.RecursiveGaussian(
                    image, value, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis
                )
    half_voxel = [(t - s) / 2 for s, t in zip(image.GetSpacing(), spacing)]
    origin = np.asarray(image.GetOrigin()) + np.reshape(image.GetDirection(), (3, 3)) @ np.asarray(half_voxel)
    interpolator = sitk.sitkNearestNeighbor if label else sitk.sitkLinear
    return sitk.Resample(
        image, size, sitk.Transform(), interpolator, origin.tolist(), [float(s) for s in spacing],
        image.GetDirection(), 0.0 if label else -1000.0,
    )  # fmt: skip


def _organ_box(label: np.ndarray, spacing: Sequence[float]) -> Tuple[slice, ...]:
    """Bounding box of all labels, (z, y, x) slices, MARGIN_MM wider."""
    box = []
    for axis, (step, margin_mm) in enumerate(zip(spacing[::-1], MARGIN_MM)):
        hit = np.flatnonzero(label.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(round(margin_mm / step))
        box.append(slice(max(0, int(hit[0]) - margin), int(hit[-1]) + 1 + margin))
    return tuple(box)


def pack_case(
    image: "sitk.Image", label: "sitk.Image", entry: Mapping[str, Any], soft: Optional["sitk.Image"] = None
) -> Dict[str, PackedCase]:
    """Return the fine and coarse versions of one scan.

    Args:
        image: CT in HU.
        label: mask on the same grid (values of LiverSegLib.labels).
        entry: the case's entry of dataset.json.
        soft: on the same grid, 255 times other networks' probability of a tumour; the fine version has it.
    """
    import SimpleITK as sitk

    image, label = sitk.DICOMOrient(image, "LPS"), sitk.DICOMOrient(label, "LPS")
    soft = None if soft is None else sitk.DICOMOrient(sitk.Cast(soft, sitk.sitkFloat32), "LPS")
    annotated = tuple(sorted(STRUCTURES[name] for name in entry["annotated"]))
    versions = {}
    for version in ("fine", "coarse"):
        thick = image.GetSpacing()[2]
        spacing = (
            (COARSE_SPACING_MM,) * 3 if version == "coarse" else (FINE_IN_PLANE_MM, FINE_IN_PLANE_MM, thick)
        )
        same = np.allclose(spacing, image.GetSpacing(), atol=1e-3)
        levels = to_levels(sitk.GetArrayFromImage(image if same else _resample(image, spacing)))
        values = sitk.GetArrayFromImage(label if same else _resample(label, spacing, label=True)).astype(
            np.uint8
        )
        taught = None
        if version == "fine":
            box = _organ_box(values, spacing)
            levels, values = levels[box], values[box]
            if soft is not None:
                levelled = sitk.GetArrayFromImage(soft if same else _resample(soft, spacing))[box]
                taught = np.round(np.clip(levelled, 0, 255)).astype(np.uint8)
        versions[version] = PackedCase(
            entry["id"], entry["patient"], spacing, annotated, levels, values, taught
        )
    return versions


def write_pack(folder: Path, path: Path, *, split: str = "train", soft: Optional[Path] = None) -> int:
    """Pack every labelled case of ``split`` in ``folder``/dataset.json into ``path``.

    Args:
        folder: the data set.
        path: the pack.
        split: which cases.
        soft: a folder with ID.nii.gz of some of the cases: 255 times the probability of a tumor, on the grid
            of the scan.

    Returns:
        The file's size in bytes.

    Raises:
        InputError: no such data set, no case of that split, or a probability on another grid.
    """
    import SimpleITK as sitk

    try:
        entries = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["cases"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} holds no readable dataset.json.", str(error)) from error
    arrays: Dict[str, np.ndarray] = {}
    index: List[Dict[str, Any]] = []
    for entry in entries:
        if entry["split"] != split or "label" not in entry:
            continue
        image, label = (sitk.ReadImage(str(folder / entry[key])) for key in ("image", "label"))
        for version, case in pack_case(image, label, entry, _soft_of(entry["id"], image, soft)).items():
            record = asdict(case)
            for name in ("image", "label", "soft"):
                array = record.pop(name)
                if array is not None:
                    arrays[f"{version}/{case.id}/{name}"] = array
            index.append({"version": version, **record})
    if not index:
        raise InputError(f"{folder} holds no labelled case of split {split!r}.")
    arrays["index"] = np.frombuffer(json.dumps(index).encode(), np.uint8)
    partial = path.with_name(path.name + ".part")
    # LZMA packs noise a fifth smaller than the deflate of np.savez_compressed, and np.load reads it all the
    # same.
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    os.replace(partial, path)
    return path.stat().st_size


def _soft_of(case_id: str, image: "sitk.Image", folder: Optional[Path]) -> Optional["sitk.Image"]:
    """What other networks say of a case's tumours, from a folder; None if it holds nothing of the case.

    Raises:
        InputError: it is on another grid than the scan.
    """
    import SimpleITK as sitk

    path = None if folder is None else folder / f"{case_id}.nii.gz"
    if path is None or not path.is_file():
        return None
    soft = sitk.ReadImage(str(path))
    theirs, own = (one.GetOrigin() + one.GetSpacing() + one.GetDirection() for one in (soft, image))
    if soft.GetSize() != image.GetSize() or not np.allclose(theirs, own, atol=1e-2):
        raise InputError(f"{path} does not lie on the grid of the scan {case_id}.")
    return soft


def read_pack(path: Path, version: str, patients: Optional[Sequence[str]] = None) -> List[PackedCase]:
    """Return the ``fine`` or ``coarse`` cases of a pack, of the given patients or of all."""
    with np.load(path, allow_pickle=False) as arrays:
        records = [r for r in json.loads(arrays["index"].tobytes()) if r.pop("version") == version]
        return [
            PackedCase(
                r["id"], r["patient"], tuple(r["spacing"]), tuple(r["annotated"]),
                image=arrays[f"{version}/{r['id']}/image"], label=arrays[f"{version}/{r['id']}/label"],
                soft=_array(arrays, f"{version}/{r['id']}/soft"),
            )
            for r in records
            if patients is None or r["patient"] in patients
        ]  # fmt: skip


def _array(arrays: Mapping[str, np.ndarray], name: str) -> Optional[np.ndarray]:
    return arrays[name] if name in arrays else None


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line: write a pack and print its size."""
    parser = argparse.ArgumentParser(description="Pack a data folder for training.")
    parser.add_argument("data", type=Path, help="folder with dataset.json")
    parser.add_argument("pack", type=Path, help="the .npz to write")
    parser.add_argument("--split", default="train")
    parser.add_argument(
        "--soft", type=Path, help="folder with ID.nii.gz: 255 times other networks' probability of a tumor"
    )
    options = parser.parse_args(arguments)
    size = write_pack(options.data, options.pack, split=options.split, soft=options.soft)
    print(f"{options.pack}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
